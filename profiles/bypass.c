/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bypass_protection: what it gives back, by the grants that the profile has
 * for the same path. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/granting.h"

struct bypass {
	const struct entry *entry;
	const struct place *place;
	unsigned access;
};

struct bypasses {
	struct bypass *items;
	size_t n, room;
};

static int add_bypass(struct granting *w, struct bypasses *b,
		      const struct bypass *item)
{
	const char *paths[] = { item->place->path, item->place->resolved };
	struct bypass *items =
		arena_grow(w->arena, b->items, b->n, &b->room, sizeof(*items));

	if (!items)
		return granting_no_memory(w);
	b->items = items;
	items[b->n++] = *item;
	for (size_t i = 0; i < 2; i++) {
		size_t *access = pathmap_put(&w->map, paths[i], TAG_BYPASS, 0);

		if (!access)
			return granting_no_memory(w);
		*access |= item->access;
	}
	return 0;
}

static int read_bypass(struct granting *w, struct bypasses *b,
		       const struct entry_places *x, const struct place *p)
{
	const struct entry *item = x->entry;
	const char *text = x->pattern ? p->path : item->text;
	const char *folder = granting_planted(w, p->links, p->resolved);
	struct bypass bypass = { .entry = item, .place = p };

	if (p->error)
		return granting_skip(w, item, text, true, granting_why(w, p));
	if (folder)
		return granting_skip_planted(w, item, text, p->resolved,
					     folder);
	bypass.access = granting_own_access(w, p->resolved);
	if (bypass.access)
		return add_bypass(w, b, &bypass);
	if (x->pattern)
		return 0;
	return granting_fail(w, x->key, item,
			     "bypass_protection \"%s\" has no matching grant "
			     "of the profile or the command line: add the path "
			     "to filesystem.read or filesystem.allow, or say "
			     "--read or --allow",
			     item->text);
}

static int read_bypasses(struct granting *w, struct bypasses *b)
{
	const struct field *f = &w->profile->field[KEY_FS_BYPASS_PROTECTION];

	for (size_t i = 0; i < f->n; i++) {
		struct entry_places x;
		int rc = granting_expand(w, KEY_FS_BYPASS_PROTECTION,
					 &f->items[i], 0, &x);

		for (size_t j = 0; rc == 0 && j < x.matches.n; j++)
			rc = read_bypass(w, b, &x, &x.matches.items[j]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool denied_above(const struct granting *w, const char *path)
{
	return granting_denied_at(w, path, path_parent(path, strlen(path))) !=
	       0;
}

/* What a bypass gives back inside of a denied folder becomes a grant of its
 * own, since the denial stays. */
static int grant_bypasses(struct granting *w, const struct bypasses *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct place *p = b->items[i].place;
		const struct grant grant = {
			.path = p->path,
			.resolved = p->resolved,
			.links = p->links,
			.kind = S_ISDIR(p->mode) ? GRANT_DIR : GRANT_FILE,
			.access = b->items[i].access,
			.from = b->items[i].entry->from,
		};
		int rc;

		if (!denied_above(w, p->path) && !denied_above(w, p->resolved))
			continue;
		rc = granting_add(w, &grant);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < w->grants->n_denials; i++) {
		struct denial *d = &w->grants->denials[i];

		d->bypassed = granting_given_back(w, d->path, d->resolved);
	}
	return 0;
}

int granting_bypasses(struct granting *w)
{
	struct bypasses b = { 0 };
	int rc = read_bypasses(w, &b);

	return rc < 0 ? rc : grant_bypasses(w, &b);
}
