/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/masktargets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/paths.h"

struct targets {
	const struct view_plan *plan;
	struct arena *arena;
	struct mask_target *items;
	size_t n, room;
};

/* What path lies in, as far as items before the given one go. */
static const struct view_item *around(const struct view_plan *plan,
				      const char *path, size_t before)
{
	while (before-- > 0) {
		const struct view_item *x = &plan->items[before];

		if (path_covers(x->path, path) && strcmp(x->path, path) != 0)
			return x;
	}
	return NULL;
}

/* A folder of the host at its own place; not a mirror. */
static bool is_host_folder(const struct view_item *x)
{
	return x && x->kind == VIEW_BIND && x->directory &&
	       strcmp(x->source, x->path) == 0;
}

static int add(struct targets *t, const char *path, enum maskwatch_how how,
	       const char *base)
{
	struct mask_target *items =
		arena_grow(t->arena, t->items, t->n, &t->room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	t->items = items;
	items[t->n++] = (struct mask_target) { path, how, base };
	return 0;
}

/* A bind inside a bind of the same tree is itself a mount that can be lost: the
 * outermost one is the base.  Those between that keep a name in place are put
 * up again as well. */
static int add_below(struct targets *t, const char *path,
		     enum maskwatch_how how, size_t before)
{
	const struct view_item *in = around(t->plan, path, before);
	const struct view_item *base = in;
	int rc = 0;

	if (!is_host_folder(in))
		return 0;
	for (;;) {
		const struct view_item *up = around(
			t->plan, base->path, (size_t)(base - t->plan->items));

		if (!is_host_folder(up))
			break;
		base = up;
	}
	for (; rc == 0 && how == MASKWATCH_READ_ONLY && in != base;
	     in = around(t->plan, in->path, (size_t)(in - t->plan->items)))
		if (in->writable)
			rc = add(t, in->path, MASKWATCH_PIN, base->path);
	return rc < 0 ? rc : add(t, path, how, base->path);
}

static int add_item(struct targets *t, size_t i)
{
	const struct view_item *x = &t->plan->items[i];
	const struct view_item *in = around(t->plan, x->path, i);

	if (x->own)
		return 0;
	if (x->kind == VIEW_MASK || (x->kind == VIEW_TMPFS && !x->writable))
		return add_below(t, x->path, MASKWATCH_HIDE, i);
	if (is_host_folder(x) && !x->writable && in && in->writable)
		return add_below(t, x->path, MASKWATCH_READ_ONLY, i);
	return 0;
}

static bool has_item(const struct view_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n; i++)
		if (strcmp(plan->items[i].path, path) == 0)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct mask_target *x = a;
	const struct mask_target *y = b;

	return strcmp(x->path, y->path);
}

int mask_targets(const struct view_plan *plan, const struct grants *g,
		 struct arena *a, struct mask_target **ret, size_t *ret_n)
{
	struct targets t = { .plan = plan, .arena = a };
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < plan->n; i++)
		rc = add_item(&t, i);
	for (size_t i = 0; rc == 0 && i < g->n_denials; i++) {
		const struct denial *d = &g->denials[i];

		if (!d->exists && !(d->bypassed & ACCESS_READ) &&
		    !has_item(plan, d->resolved))
			rc = add_below(&t, d->resolved, MASKWATCH_HIDE,
				       plan->n);
	}
	if (rc < 0)
		return rc;
	if (t.n > 0)
		qsort(t.items, t.n, sizeof(*t.items), compare);
	for (size_t i = 0; i < t.n; i++)
		if (n == 0 || compare(&t.items[n - 1], &t.items[i]) != 0)
			t.items[n++] = t.items[i];
	*ret = t.items;
	*ret_n = n;
	return 0;
}
