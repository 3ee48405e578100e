/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host has mounted below granted folders.
 *
 * A granted folder may hold another root (a chroot, a container) with the
 * host's /proc or /sys mounted in it.  They show the host's processes, and to
 * the user id 0 they are switches of the kernel: hidden, unless granted by
 * name.  So are sockets that are mounted there one by one, as into containers:
 * they belong to another network namespace, whose list nobody here can see.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "fsrules/viewplan.h"
#include "profiles/paths.h"

static bool is_kernel_type(const char *type)
{
	static const char *const types[] = {
		"proc",	   "sysfs",	  "cgroup",	"cgroup2",   "debugfs",
		"tracefs", "configfs",	  "securityfs", "selinuxfs", "efivarfs",
		"bpf",	   "pstore",	  "fusectl",	"devtmpfs",  "devpts",
		"mqueue",  "binfmt_misc",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

static bool is_granted_above(const struct planning *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->marks[i].kind == MARK_GRANT &&
		    path_covers(w->marks[i].path, path))
			return true;
	return false;
}

/* "\040" and the like, in place. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++, out++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] &&
		    p[3]) {
			*out = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 +
				      (p[3] - '0'));
			p += 3;
		} else {
			*out = *p;
		}
	}
	*out = '\0';
}

/* A line of mountinfo; the strings are in it. */
struct mounted {
	const char *dev;
	const char *root; /* of the file system, that is mounted */
	const char *at;
	const char *type;
};

/* "36 35 98:0 /root /mount/point options - type source options" */
static bool parse(char *line, struct mounted *ret)
{
	char *type = strstr(line, " - ");
	char *rest = line;
	char *words[5];

	if (!type)
		return false;
	*type = '\0';
	type += 3;
	type[strcspn(type, " ")] = '\0';
	for (int i = 0; i < 5; i++) {
		words[i] = strsep(&rest, " ");
		if (!words[i])
			return false;
	}
	unescape(words[3]);
	unescape(words[4]);
	*ret = (struct mounted) { words[2], words[3], words[4], type };
	return true;
}

static int add_foreign(struct planning *w, const struct mounted *x)
{
	struct mark m = { .kind = MARK_DENIAL };
	struct stat st;

	if (planning_private(w, x->at) || !is_granted_above(w, x->at) ||
	    lstat(x->at, &st) < 0 ||
	    (!is_kernel_type(x->type) && !S_ISSOCK(st.st_mode)))
		return 0;
	m.path = x->at;
	m.directory = S_ISDIR(st.st_mode);
	return planning_mark(w, &m);
}

/* Behind dir, which covers path. */
static const char *rest_of(const char *dir, const char *path)
{
	return path + (dir[1] ? strlen(dir) : 0);
}

static const char *join(struct planning *w, const char *dir, const char *rest)
{
	return arena_printf(w->arena, "%s%s", dir[1] || !rest[0] ? dir : "",
			    rest[0] == '/' && !rest[1] && dir[1] ? "" : rest);
}

/* Where the same place is seen through another mount of the file system: rel is
 * its path there. */
static int add_alias(struct planning *w, const struct denial *d,
		     const char *rel, const struct mounted *x)
{
	struct mark m = { .kind = MARK_DENIAL,
			  .access = d->bypassed,
			  .directory = d->directory };
	bool around = path_covers(x->root, rel);
	struct stat there;
	struct stat st;

	if (!around && !path_covers(rel, x->root))
		return 0;
	m.path = around ? join(w, x->at, rest_of(x->root, rel)) : x->at;
	if (!m.path)
		return planning_no_memory(w);
	if (planning_private(w, m.path) || !is_granted_above(w, m.path) ||
	    lstat(m.path, &st) < 0)
		return 0;
	/* Something else may be mounted over it. */
	if (around &&
	    (lstat(d->resolved, &there) < 0 || st.st_ino != there.st_ino))
		return 0;
	m.directory = S_ISDIR(st.st_mode);
	return planning_mark(w, &m);
}

static int add_aliases(struct planning *w, const struct denial *d,
		       const struct mounted *all, size_t n)
{
	const struct mounted *in = NULL;
	const char *rel;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (path_covers(all[i].at, d->resolved) &&
		    (!in || strlen(all[i].at) >= strlen(in->at)))
			in = &all[i];
	if (!in)
		return 0;
	rel = join(w, in->root, rest_of(in->at, d->resolved));
	if (!rel)
		return planning_no_memory(w);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (&all[i] != in && strcmp(all[i].dev, in->dev) == 0)
			rc = add_alias(w, d, rel, &all[i]);
	return rc;
}

static int read_mounts(struct planning *w, struct mounted **ret, size_t *ret_n)
{
	static const char path[] = "/proc/self/mountinfo";
	FILE *f = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	size_t room = 0;
	int rc = 0;

	if (!f)
		return err_errno(w->e, errno, "read %s", path);
	while (rc == 0 && getline(&line, &size, f) >= 0) {
		char *copy = arena_strdup(w->arena, line);
		struct mounted *all =
			arena_grow(w->arena, *ret, *ret_n, &room, sizeof(*all));

		if (!copy || !all) {
			rc = planning_no_memory(w);
			break;
		}
		*ret = all;
		*ret_n += parse(copy, &all[*ret_n]);
	}
	if (rc == 0 && ferror(f))
		rc = err_errno(w->e, EIO, "read %s", path);
	(void)fclose(f);
	return rc;
}

int planning_foreign(struct planning *w)
{
	const struct grants *g = w->o->grants;
	struct mounted *all = NULL;
	size_t n = 0;
	int rc = read_mounts(w, &all, &n);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_foreign(w, &all[i]);
	for (size_t i = 0; rc == 0 && i < g->n_denials; i++)
		if (g->denials[i].exists)
			rc = add_aliases(w, &g->denials[i], all, n);
	return rc;
}
