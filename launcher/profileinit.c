/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `profile init`: a profile to begin with, in the user's own folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "launcher/print.h"
#include "launcher/profilecmd.h"

static const char head[] = "{\n"
			   "\t// Every key: egress-run-profile(5).\n";
static const char body[] =
	"\t\"network\": {\n"
	"\t\t// \"example.com\", \"*.example.com\" (below it), a group such "
	"as \"github\"\n"
	"\t\t\"allow_domain\": []\n"
	"\t},\n"
	"\t\"filesystem\": {\n"
	"\t\t\"allow\": [],\n"
	"\t\t\"read\": []\n"
	"\t},\n"
	"\t// A keyring entry and the variable that holds it: "
	"{ \"github_token\": \"GH_TOKEN\" }\n"
	"\t\"env_credentials\": {},\n"
	"\t\"workdir\": { \"access\": \"readwrite\" }\n"
	"}\n";

/* Names of profiles need no escaping in JSON: checked before. */
static const char *compose(struct profile_call *c, const char *name)
{
	struct arena *a = &c->base.arena;
	const char *extends = "";

	for (size_t i = 0; extends && i < c->extends.n; i++)
		extends = arena_printf(a, "%s%s\"%s\"", extends,
				       i > 0 ? ", " : "", c->extends.items[i]);
	if (extends && c->extends.n > 0)
		extends = arena_printf(a, "\t\"extends\": [%s],\n", extends);
	if (!extends)
		return NULL;
	return arena_printf(a, "%s%s\t\"meta\": { \"name\": \"%s\" },\n%s",
			    head, extends, name, body);
}

/* Makes the folder and those above it that are missing. */
static int make_folders(struct arena *a, const char *path, struct err *e)
{
	char *copy = arena_strdup(a, path);

	if (!copy)
		return err_errno(e, ENOMEM, "%s", path);
	for (char *p = copy + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return err_errno(e, errno, "make the folder %s", copy);
		*p = was;
		if (was == '\0')
			return 0;
	}
}

static int write_new(const char *path, const char *text, struct err *e)
{
	size_t len = strlen(text);
	cleanup_fd int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST,
			       "%s is there already; edit it, or choose "
			       "another name",
			       path);
	if (fd < 0)
		return err_errno(e, errno, "write %s", path);
	n = write(fd, text, len);
	if (n != (ssize_t)len || fsync(fd) < 0) {
		int rc = err_errno(e, n < 0 ? errno : EIO, "write %s", path);

		(void)unlink(path);
		return rc;
	}
	return 0;
}

static int check_names(struct profile_call *c, const char *name, struct err *e)
{
	struct loaded base;
	int rc = 0;

	if (!library_name_valid(name))
		return err_set(e, EINVAL,
			       "'%s' is no name for a profile: letters, digits "
			       "and hyphens, none of them first or last",
			       name);
	for (size_t i = 0; rc == 0 && i < c->extends.n; i++) {
		const char *text = c->extends.items[i];

		if (!library_name_valid(text))
			rc = err_set(e, EINVAL,
				     "--extends '%s': the name of a profile is "
				     "needed; see 'egress-run profile list'",
				     text);
		else
			rc = load_profile(&c->base.loader, text, NULL, NULL,
					  &base, e);
	}
	return rc;
}

int profile_init(struct profile_call *c, int *ret_status, struct err *e)
{
	const char *name = c->names.items[0];
	const char *folder = c->base.library.dir[LIBRARY_USER];
	const char *path =
		arena_printf(&c->base.arena, "%s/%s.json", folder, name);
	const char *jsonc =
		arena_printf(&c->base.arena, "%s/%s.jsonc", folder, name);
	const char *text = compose(c, name);
	int rc;

	(void)ret_status;
	if (!path || !jsonc || !text)
		return err_errno(e, ENOMEM, "profile init");
	rc = check_names(c, name, e);
	if (rc == 0 && folder[0] == '\0')
		rc = err_set(e, ENOENT,
			     "there is no folder for profiles: set "
			     "XDG_CONFIG_HOME");
	if (rc == 0)
		rc = make_folders(&c->base.arena, folder, e);
	/* It would be found first. */
	if (rc == 0 && access(jsonc, F_OK) == 0)
		rc = err_set(e, EEXIST,
			     "%s is there already; edit it, or choose another "
			     "name",
			     jsonc);
	if (rc == 0)
		rc = write_new(path, text, e);
	if (rc == 0) {
		print_escaped(path);
		printf("\n");
	}
	return rc;
}
