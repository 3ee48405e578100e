/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/view.h"

#include <errno.h>
#include <string.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

int planning_no_memory(struct planning *w)
{
	return err_errno(w->e, ENOMEM, "plan the command's files");
}

int planning_mark(struct planning *w, const struct mark *m)
{
	struct mark *marks =
		arena_grow(w->arena, w->marks, w->n, &w->room, sizeof(*marks));

	if (!marks)
		return planning_no_memory(w);
	w->marks = marks;
	marks[w->n++] = *m;
	return 0;
}

int planning_links(struct planning *w, const struct path_link *l)
{
	int rc = 0;

	for (; rc == 0 && l; l = l->next) {
		const struct mark m = { .path = l->path,
					.kind = MARK_LINK,
					.text = l->target };

		if (!planning_private(w, l->path))
			rc = planning_mark(w, &m);
	}
	return rc;
}

int planning_item(struct planning *w, const struct view_item *item)
{
	struct view_plan *plan = w->plan;
	struct view_item *items = arena_grow(w->arena, plan->items, plan->n,
					     &plan->room, sizeof(*items));

	if (!items)
		return planning_no_memory(w);
	plan->items = items;
	items[plan->n++] = *item;
	return 0;
}

int planning_rule(struct planning *w, const struct view_rule *r)
{
	struct view_plan *plan = w->plan;
	struct view_rule *rules =
		arena_grow(w->arena, plan->rules, plan->n_rules,
			   &plan->rules_room, sizeof(*rules));

	if (!rules)
		return planning_no_memory(w);
	plan->rules = rules;
	rules[plan->n_rules++] = *r;
	return 0;
}

/* What the view has at the path: the last item that lies over it. */
static const struct view_item *item_over(const struct view_plan *plan,
					 const char *path)
{
	const struct view_item *last = NULL;

	for (size_t i = 0; i < plan->n; i++)
		if (path_covers(plan->items[i].path, path))
			last = &plan->items[i];
	return last;
}

bool view_is_private(const struct view_plan *plan, const char *path)
{
	const struct view_item *item = item_over(plan, path);

	return item && item->kind == VIEW_TMPFS;
}

/* A bind has the place, a mask hides it, and what was made for the view (or
 * stands in) has just what was made. */
static bool has_folder(const struct view_plan *plan, const char *path)
{
	const struct view_item *item = item_over(plan, path);

	if (!item)
		return strcmp(path, "/") == 0;
	if (item->kind == VIEW_BIND)
		return item->directory &&
		       (strcmp(item->source, item->path) == 0 ||
			strcmp(item->path, path) == 0);
	return item->kind != VIEW_MASK && strcmp(item->path, path) == 0;
}

static int choose_workdir(struct planning *w)
{
	const char *dir = w->o->workdir;
	bool there = (planning_access(w, dir) &
		      (unsigned)(ACCESS_READ | ACCESS_WRITE)) ||
		     planning_private(w, dir);

	w->plan->workdir = there && has_folder(w->plan, dir) ? dir : "/";
	return 0;
}

int view_plan(const struct view_options *o, struct arena *a,
	      struct view_plan *ret, struct err *e)
{
	static int (*const steps[])(struct planning *) = {
		planning_grants,	  planning_kept,
		planning_foreign,	  planning_texts,
		planning_private_folders, planning_walk,
		planning_rules,		  choose_workdir,
	};
	struct planning w = { .o = o, .arena = a, .plan = ret, .e = e };
	int rc = 0;

	*ret = (struct view_plan) { 0 };
	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](&w);
	return rc;
}
