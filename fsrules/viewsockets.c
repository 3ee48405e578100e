/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock does not stop connect() to a socket with a name before its ABI 9,
 * nor does a read-only mount. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fsrules/hostsockets.h"
#include "fsrules/viewplan.h"
#include "profiles/paths.h"

/* The last item that lies over the path. */
static const struct view_item *item_over(const struct view_plan *plan,
					 const char *path)
{
	const struct view_item *last = NULL;

	for (size_t i = 0; i < plan->n; i++)
		if (path_covers(plan->items[i].path, path))
			last = &plan->items[i];
	return last;
}

bool view_shows_socket(const struct view_plan *plan, const struct grants *g,
		       const char *path)
{
	const struct view_item *item = item_over(plan, path);
	struct stat st;

	return item && item->kind == VIEW_BIND &&
	       strcmp(item->source, item->path) == 0 && lstat(path, &st) == 0 &&
	       S_ISSOCK(st.st_mode) &&
	       !(grants_access(g, path) &
		 (unsigned)(ACCESS_CONNECT | ACCESS_BIND));
}

static int mask(struct planning *w, const char *name)
{
	struct view_item item = { .kind = VIEW_MASK };
	struct place p;

	if (path_resolve(w->arena, name, &p) < 0)
		return planning_no_memory(w);
	if (p.error || !view_shows_socket(w->plan, w->o->grants, p.resolved))
		return 0;
	item.path = p.resolved;
	return planning_item(w, &item);
}

static bool is_bound_folder(const struct view_item *item)
{
	return item->kind == VIEW_BIND && item->directory &&
	       strcmp(item->source, item->path) == 0;
}

/* A relative name says less than it seems; nobody knows where its owner was.
 * The top of each granted folder is where it would be. */
static int take(void *arg, const char *name)
{
	struct planning *w = arg;
	size_t n = w->plan->n; /* without those that are added */
	int rc = 0;

	if (name[0] == '/')
		return mask(w, name);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct view_item *item = &w->plan->items[i];
		const char *path;
		struct stat st;

		if (!is_bound_folder(item))
			continue;
		path = arena_printf(w->arena, "%s/%s", item->path, name);
		if (!path)
			return planning_no_memory(w);
		if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		    hostsockets_has(st.st_ino))
			rc = mask(w, path);
	}
	return rc;
}

int view_mask_sockets(const struct view_options *o, struct arena *a,
		      struct view_plan *plan, struct err *e)
{
	struct planning w = { .o = o, .arena = a, .plan = plan, .e = e };

	return hostsockets_each(take, &w, e);
}
