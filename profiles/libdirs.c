/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folders of the library and what is in them. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/library.h"
#include "profiles/builtin.h"
#include "profiles/trust.h"

#define SYSTEM_DIR  "/etc/egress-run/profiles"
#define PROGRAM	    "/proc/self/exe"
#define INSTALLED   "../share/egress-run/profiles"
#define BUILD_TREE  "share/egress-run/profiles"
#define DEPTH	    3		   /* of share/egress-run/profiles */
#define SHIPPED_ONE "default.json" /* without it, it is some other folder */

__attribute__((format(printf, 3, 4))) static int
put(char dir[static PATH_MAX], struct err *e, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(dir, PATH_MAX, fmt, args);
	va_end(args);
	if (n < 0 || n >= PATH_MAX)
		return err_errno(e, ENAMETOOLONG, "folder of profiles");
	return 0;
}

static int open_user_dirs(struct library *l, const char *home, struct err *e)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *below = "";
	int rc;

	if (xdg && xdg[0] && xdg[0] != '/')
		return err_set(e, EINVAL,
			       "XDG_CONFIG_HOME is '%s', which is not an "
			       "absolute path; correct or unset it",
			       xdg);
	if (!xdg || !xdg[0]) {
		l->homeless = !home || home[0] != '/';
		if (l->homeless)
			return 0;
		xdg = home;
		below = "/.config";
	}
	rc = put(l->dir[LIBRARY_USER], e, "%s%s/egress-run/profiles", xdg,
		 below);
	return rc ? rc
		  : put(l->dir[LIBRARY_NONO], e, "%s%s/nono/profiles", xdg,
			below);
}

/* Nobody but root, the user and the program's owner made it. */
static bool is_ours(const char *path, uid_t owner, struct err *e)
{
	struct stat at;
	struct stat behind;
	bool link_ours;

	if (lstat(path, &at) < 0 || stat(path, &behind) < 0)
		return false;
	link_ours = trust_owner(at.st_uid) || at.st_uid == owner;
	if (link_ours &&
	    (trust_owner(behind.st_uid) || behind.st_uid == owner) &&
	    !(behind.st_mode & S_IWOTH))
		return true;
	(void)err_set(e, EPERM,
		      "%s is beside the program, but somebody else may have "
		      "written it (uid %u, mode %o); remove it, or mend it "
		      "with: sudo chown -R %u, chmod -R o-w",
		      path, link_ours ? behind.st_uid : at.st_uid,
		      behind.st_mode & 07777, owner);
	return false;
}

/* The same for the folders down from that of the program. */
static bool are_ours(char *path, uid_t owner, struct err *e)
{
	bool ours = is_ours(path, owner, e);

	for (int i = 0; ours && i < DEPTH - 1; i++) {
		*strrchr(path, '/') = '\0';
		ours = is_ours(path, owner, e);
	}
	return ours;
}

/* 0 also if the folder is not there. */
static int try_shipped(struct library *l, const char *program,
		       const char *relative, struct err *e)
{
	char path[PATH_MAX];
	char probe[PATH_MAX];
	char real[PATH_MAX];
	struct err why = { 0 };
	struct stat st;
	int rc;

	rc = put(path, e, "%.*s/%s", (int)(strrchr(program, '/') - program),
		 program, relative);
	if (rc == 0)
		rc = put(probe, e, "%s/%s", path, SHIPPED_ONE);
	if (rc || stat(probe, &st) < 0)
		return rc;
	if (stat(PROGRAM, &st) < 0)
		return err_errno(e, errno, "%s", PROGRAM);
	if (!realpath(path, real))
		return err_errno(e, errno, "%s", path);
	if (!are_ours(path, st.st_uid, &why)) {
		if (e)
			*e = why;
		return why.code ? -why.code : 0;
	}
	return put(l->dir[LIBRARY_SHIPPED], e, "%s", real);
}

static int open_shipped(struct library *l, struct err *e)
{
	char program[PATH_MAX];
	ssize_t n = readlink(PROGRAM, program, sizeof(program) - 1);
	int rc;

	/* Without /proc there is more to complain about than this. */
	if (n <= 0)
		return 0;
	program[n] = '\0';
	if (program[0] != '/')
		return 0;
	rc = try_shipped(l, program, INSTALLED, e);
	if (rc == 0 && !l->dir[LIBRARY_SHIPPED][0])
		rc = try_shipped(l, program, BUILD_TREE, e);
	return rc;
}

int library_open(struct library *l, const char *home, struct err *e)
{
	int rc;

	*l = (struct library) { 0 };
	rc = open_user_dirs(l, home, e);
	if (rc == 0)
		rc = put(l->dir[LIBRARY_SYSTEM], e, "%s", SYSTEM_DIR);
	return rc ? rc : open_shipped(l, e);
}

struct listing {
	struct arena *arena;
	struct library_item *items;
	size_t n, room;
};

/* -ENOENT if the file is no profile of a name. */
static int list_file(struct listing *s, const char *dir, const char *file,
		     enum library_place place)
{
	const char *dot = strrchr(file, '.');
	struct library_item item = { .place = place };
	struct library_item *items;
	struct stat st;

	if (!dot || (strcmp(dot, ".json") != 0 && strcmp(dot, ".jsonc") != 0))
		return 0;
	item.name = arena_copy(s->arena, file, (size_t)(dot - file));
	item.path = arena_printf(s->arena, "%s/%s", dir, file);
	if (!item.name || !item.path)
		return -ENOMEM;
	if (!library_name_valid(item.name) || stat(item.path, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	items = arena_grow(s->arena, s->items, s->n, &s->room, sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	s->items[s->n++] = item;
	return 0;
}

static int list_dir(struct listing *s, const char *dir,
		    enum library_place place, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int rc = 0;

	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return err_errno(e, errno, "folder of profiles %s", dir);
	errno = 0;
	while (rc == 0 && (entry = readdir(d)))
		rc = list_file(s, dir, entry->d_name, place);
	if (rc)
		rc = err_errno(e, -rc, "folder of profiles %s", dir);
	(void)closedir(d);
	return rc;
}

static int list_builtin(struct listing *s)
{
	for (const struct builtin_file *f = builtin_files; f->name; f++) {
		struct library_item *items;

		if (!library_name_valid(f->name))
			continue;
		items = arena_grow(s->arena, s->items, s->n, &s->room,
				   sizeof(*items));
		if (!items)
			return -ENOMEM;
		s->items = items;
		items[s->n] = (struct library_item) {
			.name = f->name,
			.path = builtin_path(s->arena, f->name),
			.place = LIBRARY_SHIPPED,
		};
		if (!items[s->n++].path)
			return -ENOMEM;
	}
	return 0;
}

/* By name; the one that a search finds comes first. */
static int compare(const void *a, const void *b)
{
	const struct library_item *x = a;
	const struct library_item *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = (int)x->place - (int)y->place;
	/* .jsonc before .json */
	return order ? order : strcmp(y->path, x->path);
}

int library_list(const struct library *l, struct arena *a,
		 struct library_item **ret, size_t *ret_n, struct err *e)
{
	struct listing s = { .arena = a };
	size_t n = 0;

	for (int i = 0; i < LIBRARY__COUNT; i++) {
		int rc = l->dir[i][0] ? list_dir(&s, l->dir[i],
						 (enum library_place)i, e)
				      : 0;

		if (rc)
			return rc;
	}
	if (!l->dir[LIBRARY_SHIPPED][0] && list_builtin(&s) < 0)
		return err_errno(e, ENOMEM, "list of profiles");
	if (s.n > 0)
		qsort(s.items, s.n, sizeof(*s.items), compare);
	for (size_t i = 0; i < s.n; i++)
		if (i == 0 || strcmp(s.items[i].name, s.items[n - 1].name) != 0)
			s.items[n++] = s.items[i];
	*ret = s.items;
	*ret_n = n;
	return 0;
}
