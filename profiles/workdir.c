/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The working directory is granted without a question, so it must not be one
 * that nobody means as a project: a command started by accident in the home
 * folder would get all of it.
 */
#include "profiles/workdir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ALL_BELOW 4096 /* more levels than a path has */

/* Of the rows that cover a path the last one decides: sorted, so that it is the
 * longest. */
struct system_folder {
	const char *path;
	unsigned levels; /* 0: itself, 1: and what is directly in it ... */
};

static const struct system_folder system_folders[] = {
	{ "/", 0 },
	{ "/bin", ALL_BELOW },
	{ "/boot", ALL_BELOW },
	{ "/dev", ALL_BELOW },
	{ "/dev/shm", 0 },
	{ "/etc", ALL_BELOW },
	{ "/home", 0 },
	{ "/lib", ALL_BELOW },
	{ "/lib32", ALL_BELOW },
	{ "/lib64", ALL_BELOW },
	{ "/libx32", ALL_BELOW },
	{ "/media", 1 },
	{ "/mnt", 0 },
	{ "/nix", ALL_BELOW },
	{ "/opt", 0 },
	{ "/proc", ALL_BELOW },
	{ "/root", 0 },
	{ "/run", ALL_BELOW },
	{ "/run/media", 1 },
	{ "/sbin", ALL_BELOW },
	{ "/srv", 0 },
	{ "/sys", ALL_BELOW },
	{ "/tmp", 0 },
	{ "/usr", ALL_BELOW },
	{ "/usr/local/src", 0 },
	{ "/usr/src", 0 },
	{ "/var", ALL_BELOW },
	{ "/var/home", 0 }, /* where /home leads to it */
	{ "/var/lib", 1 },  /* services work in folders below their own */
	{ "/var/lib/apt", ALL_BELOW },
	{ "/var/lib/containerd", ALL_BELOW },
	{ "/var/lib/docker", ALL_BELOW },
	{ "/var/lib/dpkg", ALL_BELOW },
	{ "/var/lib/systemd", ALL_BELOW },
	{ "/var/tmp", 0 },
	{ "/var/www", 0 },
};

/* The same below the home folder. */
static const struct system_folder home_folders[] = {
	{ ".cache", 0 }, { ".config", 0 },	{ ".gnupg", ALL_BELOW },
	{ ".local", 1 }, { ".ssh", ALL_BELOW },
};

unsigned workdir_level(const struct profile *p)
{
	static const struct {
		const char *name;
		unsigned access;
	} levels[] = {
		{ "read", ACCESS_READ },
		{ "write", ACCESS_WRITE },
		{ "readwrite", ACCESS_READ | ACCESS_WRITE },
	};
	const char *text = profile_scalar(p, KEY_WORKDIR_ACCESS);

	for (size_t i = 0; text && i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(text, levels[i].name) == 0)
			return levels[i].access;
	return 0;
}

/* How many components path has below dir, which covers it. */
static unsigned levels_below(const char *dir, const char *path)
{
	unsigned n = 0;

	for (const char *p = path + (dir[1] ? strlen(dir) : 0); *p; p++)
		n += p[0] == '/' && p[1] != '\0';
	return n;
}

static bool is_system_folder(const char *path)
{
	const size_t n = sizeof(system_folders) / sizeof(system_folders[0]);
	const struct system_folder *nearest = &system_folders[0];

	for (size_t i = 1; i < n; i++)
		if (path_covers(system_folders[i].path, path))
			nearest = &system_folders[i];
	return levels_below(nearest->path, path) <= nearest->levels;
}

/* 1 if dir is one of the user's settings or keys. */
static int is_home_folder(struct arena *a, const char *dir, const char *home)
{
	const size_t n = sizeof(home_folders) / sizeof(home_folders[0]);

	for (size_t i = 0; i < n; i++) {
		const struct system_folder *f = &home_folders[i];
		const char *path = arena_printf(a, "%s/%s", home, f->path);
		struct place p;

		if (!path || path_resolve(a, path, &p) < 0)
			return -ENOMEM;
		if (path_covers(p.resolved, dir) &&
		    levels_below(p.resolved, dir) <= f->levels)
			return 1;
	}
	return 0;
}

/* Why dir is no place to work in, or NULL. */
static const char *refusal(const char *dir, const char *home)
{
	if (strcmp(dir, home) == 0)
		return "your home folder itself";
	if (is_system_folder(dir))
		return dir[1] ? "a folder of the system"
			      : "the whole file system";
	if (path_covers(dir, home))
		return "a folder above your home folder";
	return NULL;
}

static const char *flag_for(unsigned level)
{
	return level == ACCESS_READ    ? "--read"
	       : level == ACCESS_WRITE ? "--write"
				       : "--allow";
}

/* from: who asks; line 0 for egress-run itself, where there is no profile. */
static int refuse(const struct place *dir, const char *why, unsigned level,
		  const struct origin *from, struct err *e)
{
	return err_set(e, EPERM,
		       "the working directory %s is %s, which is not granted "
		       "%s%s: cd into a project folder, or say %s %s",
		       dir->path, why,
		       from->line > 0 ? "by workdir.access " : "",
		       from->line > 0 ? grant_access_text(level) : "unasked",
		       flag_for(level), dir->path);
}

static int check(const struct grants *g, struct arena *a,
		 const struct place *dir, const char *home,
		 const struct grant *item, struct err *e)
{
	const char *why = refusal(dir->resolved, home);
	const unsigned level = item->access;
	const struct denial *d = grants_denial(g, dir->resolved, level);
	int rc;

	if ((grants_access_by_flag(g, dir->resolved) & level) == level)
		return 0;
	if (why)
		return refuse(dir, why, level, &item->from, e);
	if (d && (grants_access(g, dir->resolved) & level) != level)
		return err_set(e, EPERM,
			       "the working directory %s lies in %s, which %s "
			       "denies: cd into another folder, or say %s %s "
			       "--bypass-protection %s",
			       dir->path, d->path,
			       d->from.group ? d->from.group : d->from.file,
			       flag_for(level), dir->path, dir->path);
	rc = is_home_folder(a, dir->resolved, home);
	if (rc < 0)
		return err_errno(e, ENOMEM, "the working directory");
	return rc ? refuse(dir, "a folder of your settings, programs or keys",
			   level, &item->from, e)
		  : 0;
}

/* The grant of that very folder, or a new one. */
static int add(struct grants *g, struct arena *a, const struct grant *item)
{
	struct grant *items;

	for (size_t i = 0; i < g->n; i++) {
		struct grant *there = &g->items[i];

		if (there->kind != GRANT_DIR ||
		    strcmp(there->resolved, item->resolved) != 0)
			continue;
		there->access |= item->access;
		if (there->from.group) {
			there->from = item->from;
			there->implied = true;
		}
		return 0;
	}
	items = arena_grow(a, g->items, g->n, &g->room, sizeof(*items));
	if (!items)
		return -ENOMEM;
	g->items = items;
	items[g->n++] = *item;
	return 0;
}

int workdir_grant(const struct profile *p, const struct vars *v,
		  struct arena *a, struct grants *g, unsigned *ret_access,
		  struct err *e)
{
	const unsigned write = ACCESS_WRITE;
	unsigned level = workdir_level(p);
	const struct field *f = &p->field[KEY_WORKDIR_ACCESS];
	struct grant item = { .kind = GRANT_DIR, .implied = true };
	struct place home;
	struct place dir;
	int rc;

	*ret_access = 0;
	if (!level || f->n == 0)
		return 0;
	item.from = f->items[0].from;
	if (path_resolve(a, v->home, &home) < 0 ||
	    path_resolve(a, v->workdir, &dir) < 0)
		return err_errno(e, ENOMEM, "the working directory");
	if (dir.error)
		return err_errno(e, dir.error, "the working directory %s",
				 v->workdir);
	item.access = level;
	rc = check(g, a, &dir, home.resolved, &item, e);
	if (rc < 0)
		return rc;
	if (level & write && grants_protected(g, dir.resolved)) {
		const struct skipped s = {
			dir.path,
			"is not writable: the command could change its own "
			"profile",
			true, item.from
		};

		level &= ~write;
		if (grants_skip(g, a, &s) < 0)
			return err_errno(e, ENOMEM, "the working directory");
	}
	*ret_access = level;
	if ((grants_access(g, dir.resolved) & level) == level)
		return 0;
	item.path = dir.path;
	item.resolved = dir.resolved;
	item.links = dir.links;
	item.access = level;
	if (add(g, a, &item) < 0)
		return err_errno(e, ENOMEM, "the working directory");
	return 0;
}
