/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/homefolders.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "profiles/keys.h"
#include "profiles/paths.h"

static const struct field *entries(const struct profile *p)
{
	return &p->field[KEY_OWN_CREATE_FOLDERS];
}

/* Absolute and normalised, below the home folder and not that itself. */
static int expand(const struct vars *v, struct arena *a,
		  const struct entry *item, const char **ret, struct err *e)
{
	const char *at = origin_text(a, &item->from);
	const char *home = path_normalise(a, v->home);
	struct err why = { 0 };
	int rc = vars_expand(v, a, item->text, ret, &why);

	if (rc == 0 && (*ret)[0] == '/')
		*ret = path_normalise(a, *ret);
	if (rc == -ENOMEM || !at || !home || (rc == 0 && !*ret))
		return err_errno(e, ENOMEM, "folders of the profile");
	if (rc < 0)
		return err_set(e, EINVAL, "%s: %s: %s", at,
			       key_spec(KEY_OWN_CREATE_FOLDERS)->path, why.msg);
	if ((*ret)[0] != '/' || !path_covers(home, *ret) ||
	    strcmp(home, *ret) == 0)
		return err_set(e, EINVAL,
			       "%s: %s: \"%s\" is not below your home folder "
			       "%s: make that folder yourself, or write ~/NAME",
			       at, key_spec(KEY_OWN_CREATE_FOLDERS)->path,
			       item->text, home);
	return 0;
}

/* A link that leads nowhere is there, and is not followed. */
static int make(struct arena *a, const char *path)
{
	char *part = arena_strdup(a, path);

	if (!part)
		return -ENOMEM;
	for (char *slash = strchr(part + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) < 0 ? -errno : 0;
}

static bool is_missing(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 && errno == ENOENT;
}

int homefolders_make(const struct profile *p, const struct vars *v,
		     struct arena *a, bool dry, struct err *e)
{
	const struct field *f = entries(p);

	for (size_t i = 0; i < f->n; i++) {
		const char *path;
		int rc = expand(v, a, &f->items[i], &path, e);

		if (rc < 0)
			return rc;
		if (dry || !is_missing(path))
			continue;
		rc = make(a, path);
		if (rc == -ENOMEM)
			return err_errno(e, ENOMEM, "folders of the profile");
		if (rc == 0)
			log_info("made %s", path);
		else if (is_missing(path))
			log_warning("%s cannot be made (%s): what the command "
				    "saves there is lost",
				    path,
				    rc == -EEXIST ? "a link that leads nowhere"
						  : strerror(-rc));
	}
	return 0;
}

const char *homefolders_missing(const struct profile *p, const struct vars *v,
				struct arena *a, size_t i)
{
	const struct field *f = entries(p);
	struct err ignored = { 0 };
	const char *path;

	return expand(v, a, &f->items[i], &path, &ignored) == 0 &&
			       is_missing(path)
		       ? path
		       : NULL;
}
