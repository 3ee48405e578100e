/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every command has for itself, whatever is granted. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

#define READ_WRITE ((unsigned)(ACCESS_READ | ACCESS_WRITE))

static int put(struct planning *w, const struct view_item *item)
{
	const struct mark m = { .path = item->path,
				.kind = MARK_ITEM,
				.item = *item };

	return planning_mark(w, &m);
}

static int put_rule(struct planning *w, const char *path, unsigned access)
{
	const struct view_rule r = { .path = path,
				     .access = access,
				     .directory = true,
				     .device = strcmp(path, "/dev") == 0 };

	return planning_rule(w, &r);
}

static int put_link(struct planning *w, const char *path, const char *target)
{
	const struct mark m = { .path = path,
				.kind = MARK_LINK,
				.text = target };

	return planning_mark(w, &m);
}

/* A link of the host's that leads to another private folder (/var/run, on some
 * systems /var/tmp or /dev/shm).  *ret: it is one, and was put. */
static int put_host_link(struct planning *w, const char *path, bool *ret)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *copy;
	struct place p;

	*ret = false;
	if (n <= 0 || (size_t)n >= sizeof(target) - 1)
		return 0;
	target[n] = '\0';
	copy = arena_strdup(w->arena, target);
	if (!copy || path_resolve(w->arena, path, &p) < 0)
		return planning_no_memory(w);
	*ret = planning_private(w, p.resolved) ||
	       path_covers("/run", p.resolved);
	return *ret ? put_link(w, path, copy) : 0;
}

static int put_shared(struct planning *w, const char *path)
{
	const struct view_item item = { .kind = VIEW_BIND,
					.path = path,
					.source = path,
					.directory = true,
					.writable = true,
					.optional = true };

	return put(w, &item);
}

static int put_folders(struct planning *w)
{
	static const struct {
		const char *path;
		mode_t mode;
		bool shared; /* by share_tmp */
	} folders[] = {
		{ "/tmp", 01777, true },
		{ "/var/tmp", 01777, true },
		{ "/dev/shm", 01777, true },
		{ "/run", 0755, false },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]);
	     i++) {
		const struct view_item item = { .kind = VIEW_TMPFS,
						.path = folders[i].path,
						.writable = true,
						.optional = true,
						.mode = folders[i].mode };
		bool link;

		rc = put_host_link(w, item.path, &link);
		if (rc < 0 || link)
			continue;
		rc = w->o->share_tmp && folders[i].shared
			     ? put_shared(w, item.path)
			     : put(w, &item);
		if (rc == 0)
			rc = put_rule(w, item.path, READ_WRITE);
	}
	return rc;
}

static int put_runtime_dir(struct planning *w)
{
	const struct view_item item = { .kind = VIEW_TMPFS,
					.path = w->o->runtime_dir,
					.writable = true,
					.optional = true,
					.mode = 0700 };
	bool link;
	int rc = put_host_link(w, "/var/run", &link);

	if (rc < 0 || !item.path)
		return rc;
	rc = put(w, &item);
	return rc < 0 ? rc : put_rule(w, item.path, READ_WRITE);
}

static int put_node(struct planning *w, const char *path, const char *source)
{
	const struct view_item item = { .kind = VIEW_BIND,
					.path = path,
					.source = source,
					.writable = true,
					.device = true,
					.optional = true };

	return put(w, &item);
}

static int put_dev(struct planning *w)
{
	static const char *const nodes[] = {
		"/dev/full", "/dev/null",    "/dev/random",
		"/dev/tty",  "/dev/urandom", "/dev/zero",
	};
	static const struct {
		const char *path, *target;
	} links[] = {
		{ "/dev/fd", "/proc/self/fd" },
		{ "/dev/ptmx", "pts/ptmx" },
		{ "/dev/stderr", "/proc/self/fd/2" },
		{ "/dev/stdin", "/proc/self/fd/0" },
		{ "/dev/stdout", "/proc/self/fd/1" },
	};
	const struct view_item dev = { .kind = VIEW_TMPFS,
				       .path = "/dev",
				       .mode = 0755 };
	const struct view_item pts = { .kind = VIEW_DEVPTS,
				       .path = "/dev/pts" };
	int rc = put(w, &dev);

	for (size_t i = 0; rc == 0 && i < sizeof(nodes) / sizeof(nodes[0]); i++)
		rc = put_node(w, nodes[i], nodes[i]);
	for (size_t i = 0; rc == 0 && i < sizeof(links) / sizeof(links[0]); i++)
		rc = put_link(w, links[i].path, links[i].target);
	if (rc == 0)
		rc = put(w, &pts);
	if (rc == 0 && w->o->terminal)
		rc = put_node(w, "/dev/console", w->o->terminal);
	return rc < 0 ? rc : put_rule(w, "/dev", READ_WRITE);
}

static bool wants_sys(const struct planning *w)
{
	const struct grants *g = w->o->grants;

	if (w->o->host_files)
		return true;
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i].kind == GRANT_DIR &&
		    path_covers(g->items[i].resolved, "/sys"))
			return true;
	return false;
}

static int put_kernel(struct planning *w)
{
	const struct view_item proc = { .kind = VIEW_PROC,
					.network = w->o->capabilities,
					.path = "/proc",
					.writable = w->o->uid != 0 };
	const struct view_item sys = { .kind = VIEW_SYS, .path = "/sys" };
	int rc = put(w, &proc);

	if (rc == 0)
		rc = put_rule(w, "/proc", READ_WRITE);
	if (rc < 0 || !wants_sys(w))
		return rc;
	rc = put(w, &sys);
	return rc < 0 ? rc : put_rule(w, "/sys", ACCESS_READ);
}

/* Also where nothing of it is granted: programs look for it, and find it
 * empty. */
static int put_home(struct planning *w)
{
	struct mark m = { .kind = MARK_HOME, .directory = true };
	struct place home;
	int rc;

	if (path_resolve(w->arena, w->o->home, &home) < 0)
		return planning_no_memory(w);
	m.path = home.resolved;
	rc = planning_links(w, home.links);
	if (rc < 0 || planning_private(w, m.path))
		return rc;
	return planning_mark(w, &m);
}

int planning_private_folders(struct planning *w)
{
	static int (*const steps[])(struct planning *) = {
		put_folders, put_runtime_dir, put_dev, put_kernel, put_home,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](w);
	return rc;
}
