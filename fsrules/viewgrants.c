/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fsrules/mirror.h"
#include "fsrules/viewplan.h"
#include "profiles/paths.h"

/* The group whose folders are those for temporary files. */
#define GROUP_TEMPORARY "system_write_linux"

#define READ_WRITE ((unsigned)(ACCESS_READ | ACCESS_WRITE))

bool planning_private(const struct planning *w, const char *path)
{
	static const char *const places[] = {
		"/dev",	     "/dev/console", "/dev/fd",	   "/dev/full",
		"/dev/null", "/dev/ptmx",    "/dev/pts",   "/dev/random",
		"/dev/shm",  "/dev/stderr",  "/dev/stdin", "/dev/stdout",
		"/dev/tty",  "/dev/urandom", "/dev/zero",  "/run",
		"/tmp",	     "/var/run",     "/var/tmp",
	};
	static const char *const trees[] = { "/dev/fd", "/dev/pts", "/proc" };

	(void)w;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(places[i], path) == 0)
			return true;
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		if (path_covers(trees[i], path))
			return true;
	return false;
}

unsigned planning_access(const struct planning *w, const char *path)
{
	const struct grants *g = w->o->grants;
	unsigned access = grants_access(g, path);

	if (!w->o->host_files)
		return access;
	if (!grants_denial(g, path, ACCESS_READ))
		access |= ACCESS_READ;
	if (!grants_denial(g, path, ACCESS_WRITE) && !grants_protected(g, path))
		access |= ACCESS_WRITE;
	return access;
}

static bool is_folder(const struct grant *g)
{
	return g->kind != GRANT_FILE && g->kind != GRANT_SOCKET;
}

/* Only nodes below /dev work as devices. */
static bool is_device(const struct grant *g)
{
	struct stat st;

	if (!path_covers("/dev", g->resolved))
		return false;
	return is_folder(g) || (lstat(g->resolved, &st) == 0 &&
				(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)));
}

static int add_ways(struct planning *w, const struct grant *g)
{
	int rc = planning_links(w, g->links);

	for (const struct grant_alias *a = g->aliases; rc == 0 && a;
	     a = a->next)
		rc = planning_links(w, a->links);
	return rc;
}

/* A folder for temporary files elsewhere than /tmp, which nothing else opens:
 * private as well. */
static int add_temporary(struct planning *w, const struct grant *g)
{
	const struct mark m = { .path = g->resolved,
				.kind = MARK_ITEM,
				.item = { .kind = VIEW_TMPFS,
					  .path = g->resolved,
					  .writable = true,
					  .mode = 0700 } };
	const struct view_rule r = { .path = g->resolved,
				     .access = READ_WRITE,
				     .directory = true };
	int rc = planning_mark(w, &m);

	return rc < 0 ? rc : planning_rule(w, &r);
}

static bool is_temporary(const struct planning *w, const struct grant *g)
{
	return g->kind == GRANT_DIR && g->from.group &&
	       strcmp(g->from.group, GROUP_TEMPORARY) == 0 &&
	       !(planning_access(w, g->resolved) & ACCESS_READ);
}

/* The mirror of the folder around a file, if it has one. */
static int add_mirror(struct planning *w, const char *path, bool *ret_held)
{
	struct mark m = { .kind = MARK_MIRROR, .directory = true };
	struct view_rule r = { .access = READ_WRITE, .directory = true };
	int rc;

	m.path = arena_copy(w->arena, path, path_parent(path, strlen(path)));
	if (!m.path)
		return planning_no_memory(w);
	m.text = mirrors_source(w->o->mirrors, m.path);
	if (!m.text)
		return 0;
	*ret_held = mirrors_holds(w->o->mirrors, path);
	r.path = m.path;
	rc = planning_mark(w, &m);
	return rc < 0 ? rc : planning_rule(w, &r);
}

/* Landlock's rights hold for all that is below, those of this kind of grant do
 * not: folders in it are read-only. */
static int add_folders_of_sockets(struct planning *w, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *d;
	int rc = 0;

	while (dir && rc == 0 && (d = readdir(dir))) {
		struct mark m = { .kind = MARK_DENIAL,
				  .access = ~(unsigned)ACCESS_BIND,
				  .directory = true };
		struct stat st;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		m.path = arena_printf(w->arena, "%s/%s", path, d->d_name);
		if (!m.path)
			rc = planning_no_memory(w);
		else if (lstat(m.path, &st) == 0 && S_ISDIR(st.st_mode))
			rc = planning_mark(w, &m);
	}
	if (dir)
		(void)closedir(dir);
	return rc;
}

static int add_grant(struct planning *w, const struct grant *g)
{
	struct mark m = { .path = g->resolved,
			  .kind = MARK_GRANT,
			  .access = g->access,
			  .directory = is_folder(g),
			  .device = is_device(g) };
	const struct view_rule r = { .path = g->resolved,
				     .access = g->access,
				     .directory = m.directory,
				     .device = m.device };
	struct stat st;
	int rc = add_ways(w, g);

	if (rc < 0)
		return rc;
	if (g->kind == GRANT_SOCKET && lstat(g->resolved, &st) < 0)
		return 0; /* its folder is granted */
	if (is_temporary(w, g)) {
		if (!w->o->share_tmp)
			return add_temporary(w, g);
		m.access = READ_WRITE;
	}
	if (g->kind == GRANT_SOCKET_DIR && g->access & ACCESS_BIND)
		rc = add_folders_of_sockets(w, g->resolved);
	if (rc == 0 && w->o->mirrors && g->kind == GRANT_FILE &&
	    g->access & ACCESS_WRITE)
		rc = add_mirror(w, m.path, &m.mirrored);
	if (rc == 0)
		rc = planning_mark(w, &m);
	return rc < 0 ? rc : planning_rule(w, &r);
}

/* The files of systemd's resolver go with the private /run; its socket there
 * would lead around the filter. */
static bool is_resolver(const struct grant *g)
{
	return (g->kind == GRANT_DIR || g->kind == GRANT_FILE) &&
	       path_covers("/run/systemd/resolve", g->resolved);
}

static int add_everything(struct planning *w)
{
	const struct grant all = { .path = "/",
				   .resolved = "/",
				   .kind = GRANT_DIR,
				   .access = READ_WRITE };
	const struct grant dir = { .path = w->o->workdir,
				   .resolved = w->o->workdir,
				   .kind = GRANT_DIR,
				   .access = READ_WRITE };
	int rc = add_grant(w, &all);

	if (rc == 0 && !planning_private(w, dir.path) &&
	    planning_access(w, dir.path) & ACCESS_WRITE)
		rc = add_grant(w, &dir);
	return rc;
}

static int add_denials(struct planning *w)
{
	const struct grants *g = w->o->grants;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_denials; i++) {
		const struct denial *d = &g->denials[i];
		const struct mark m = { .path = d->resolved,
					.kind = MARK_DENIAL,
					.access = d->bypassed,
					.directory = d->directory };

		if (d->exists)
			rc = planning_mark(w, &m);
	}
	return rc;
}

int planning_grants(struct planning *w)
{
	const struct grants *g = w->o->grants;
	int rc = w->o->host_files ? add_everything(w) : 0;

	for (size_t i = 0; rc == 0 && i < g->n; i++) {
		const struct grant *item = &g->items[i];

		if (!planning_private(w, item->resolved) &&
		    strcmp(item->resolved, "/sys") != 0 && !is_resolver(item) &&
		    !planning_is_text(w, item))
			rc = add_grant(w, item);
	}
	/* Where files that are not there yet may be made. */
	for (size_t i = 0; rc == 0 && w->o->mirrors && i < g->n_absent; i++) {
		const char *path = g->absent[i].resolved;
		bool held;

		if (!planning_private(w, path))
			rc = add_mirror(w, path, &held);
	}
	return rc < 0 ? rc : add_denials(w);
}

/* Landlock adds up what its rules give along a path, and the folders that the
 * command has of its own it may read. */
static const struct view_rule *reads(const struct planning *w, const char *path)
{
	for (size_t i = 0; i < w->plan->n_rules; i++) {
		const struct view_rule *r = &w->plan->rules[i];

		if (r->access & ACCESS_READ && path_covers(r->path, path))
			return r;
	}
	return NULL;
}

int view_check_write_only(const struct view_options *o, struct arena *a,
			  struct view_plan *plan, struct err *e)
{
	const struct planning w = { .o = o, .arena = a, .plan = plan, .e = e };
	const struct grants *g = o->grants;

	for (size_t i = 0; i < g->n; i++) {
		const struct grant *x = &g->items[i];
		const struct view_rule *r;
		const char *place;

		if ((x->kind != GRANT_DIR && x->kind != GRANT_FILE) ||
		    x->implied || x->from.group ||
		    !(x->access & ACCESS_WRITE) ||
		    planning_private(&w, x->resolved) ||
		    planning_access(&w, x->resolved) & ACCESS_READ)
			continue;
		r = reads(&w, x->resolved);
		place = r ? origin_text(a, &x->from) : NULL;
		if (r)
			return err_set(e, EINVAL,
				       "%s: %s cannot be granted for writing "
				       "alone: the command has %s for itself, "
				       "and may read what is in it; grant it "
				       "for reading as well (allow)",
				       place ? place : "filesystem.write",
				       x->path, r->path);
	}
	return 0;
}
