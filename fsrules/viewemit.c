/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items in the order of the walk, each with the folders that lead to it. */
#include <string.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

static int push(struct planning *w, const char *path, bool holds)
{
	struct made *m = arena_alloc(w->arena, 1, sizeof(*m));

	if (!m)
		return planning_no_memory(w);
	*m = (struct made) { path, holds, w->made };
	w->made = m;
	return 0;
}

/* Back to the place that path lies in. */
static void leave(struct planning *w, const char *path)
{
	while (w->made->above && !path_covers(w->made->path, path))
		w->made = w->made->above;
}

bool planning_holds(struct planning *w, const char *path)
{
	leave(w, path);
	return w->made->holds;
}

/* The folders between the last place and path. */
static int add_parents(struct planning *w, const char *path)
{
	size_t at = strlen(w->made->path);

	for (at = at > 1 ? at : 0; path[at] == '/';) {
		struct view_item item = { .kind = VIEW_DIR,
					  .own = true,
					  .mode = 0755 };
		int rc;

		at += 1 + strcspn(path + at + 1, "/");
		if (path[at] == '\0')
			return 0;
		item.path = arena_copy(w->arena, path, at);
		if (!item.path)
			return planning_no_memory(w);
		rc = planning_item(w, &item);
		if (rc == 0)
			rc = push(w, item.path, true);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int planning_emit(struct planning *w, const struct view_item *given)
{
	struct view_item item = *given;
	bool mirror = item.kind == VIEW_BIND && item.directory &&
		      strcmp(item.source, item.path) != 0;
	bool holds = item.kind == VIEW_DIR || item.kind == VIEW_TMPFS || mirror;
	int rc;

	leave(w, item.path);
	if (strcmp(w->made->path, item.path) != 0) {
		item.own = w->made->holds;
		rc = item.own ? add_parents(w, item.path) : 0;
		if (rc < 0)
			return rc;
	}
	rc = planning_item(w, &item);
	return rc < 0 ? rc : push(w, item.path, holds);
}
