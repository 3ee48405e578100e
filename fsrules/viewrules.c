/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock adds up what its rules give along a path, so reading the names in
 * "/" would be reading them everywhere: if a bound folder is not to be read,
 * each folder made for the view that does not lead there has its own rule.
 */
#include <string.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

static int list(struct planning *w, const char *path)
{
	const struct view_rule r = { .path = path,
				     .directory = true,
				     .list_only = true };

	return planning_rule(w, &r);
}

static bool leads_to_unlisted(const struct planning *w, const char *path)
{
	for (size_t i = 0; i < w->n_unlisted; i++)
		if (path_covers(path, w->unlisted[i]))
			return true;
	return false;
}

static bool is_skeleton(const struct view_item *item)
{
	return item->kind == VIEW_DIR ||
	       (item->kind == VIEW_TMPFS && !item->writable);
}

int planning_rules(struct planning *w)
{
	const struct view_plan *plan = w->plan;
	const char *last = NULL; /* what it holds is listed as well */
	int rc = 0;

	if (w->n_unlisted == 0)
		return list(w, "/");
	for (size_t i = 0; rc == 0 && i < plan->n; i++) {
		const struct view_item *item = &plan->items[i];

		if (!is_skeleton(item) ||
		    (last && path_covers(last, item->path)) ||
		    leads_to_unlisted(w, item->path))
			continue;
		last = item->path;
		rc = list(w, last);
	}
	return rc;
}
