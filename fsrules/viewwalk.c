/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From marks to items.  The marks are sorted so that each folder comes before
 * what lies in it; then one pass with a stack of the folders above the present
 * path knows what the command may do there and what it would see there without
 * a further mount, and adds an item where the two differ.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

#define READ_WRITE ((unsigned)(ACCESS_READ | ACCESS_WRITE))

enum seen {
	SEEN_OURS, /* nothing of the host: a folder made for the view */
	SEEN_READ_ONLY,
	SEEN_WRITABLE,
};

/* A folder above the present path, or that path. */
struct level {
	const char *path;
	unsigned access;
	bool keep;
	enum seen seen;
	const char *mirror; /* the last folder that a mirror stands in for */
	struct level *above;
};

struct walk {
	struct planning *w;
	struct level *level;
};

/* The marks of one path. */
struct group {
	const struct mark *marks;
	size_t n;
	const struct mark *end; /* of all marks */
	const char *path;
};

/* "/" comes first: a folder, what is in it, its next neighbour. */
static int compare_paths(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (*a == '/' ? 1 : (unsigned char)*a) -
	       (*b == '/' ? 1 : (unsigned char)*b);
}

static int compare_marks(const void *a, const void *b)
{
	const struct mark *x = a;
	const struct mark *y = b;
	int order = compare_paths(x->path, y->path);

	return order ? order : (int)x->kind - (int)y->kind;
}

static const struct mark *find(const struct group *g, enum mark_kind kind)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->marks[i].kind == kind)
			return &g->marks[i];
	return NULL;
}

static int enter(struct walk *k, const char *path)
{
	struct level *l;

	while (k->level->above && !path_covers(k->level->path, path))
		k->level = k->level->above;
	if (strcmp(k->level->path, path) == 0)
		return 0;
	l = arena_alloc(k->w->arena, 1, sizeof(*l));
	if (!l)
		return planning_no_memory(k->w);
	*l = *k->level;
	l->path = path;
	l->above = k->level;
	k->level = l;
	return 0;
}

static int put_items(struct walk *k, const struct group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct mark *m = &g->marks[i];
		int rc;

		if (m->kind != MARK_ITEM)
			continue;
		rc = planning_emit(k->w, &m->item);
		if (rc < 0)
			return rc;
		k->level->seen = SEEN_OURS;
		if (m->item.kind != VIEW_BIND || !m->item.directory)
			continue;
		k->level->seen = SEEN_WRITABLE;
		k->level->access |= READ_WRITE;
	}
	return 0;
}

static bool has_more_below(const struct group *g)
{
	for (const struct mark *m = g->marks + g->n;
	     m < g->end && path_covers(g->path, m->path); m++)
		if (m->kind != MARK_DENIAL && m->kind != MARK_KEEP &&
		    m->kind != MARK_PIN)
			return true;
	return false;
}

static int hide(struct walk *k, const struct group *g, bool directory)
{
	struct view_item item = { .kind = VIEW_MASK,
				  .path = g->path,
				  .directory = directory };

	/* A grant inside needs a folder to be in. */
	if (directory && has_more_below(g)) {
		item.kind = VIEW_TMPFS;
		item.mode = 0755;
	}
	k->level->seen = SEEN_OURS;
	return planning_emit(k->w, &item);
}

static int put_bind(struct walk *k, const struct group *g, enum seen want)
{
	const struct mark *grant = find(g, MARK_GRANT);
	struct view_item item = { .kind = VIEW_BIND,
				  .path = g->path,
				  .source = g->path,
				  .writable = want == SEEN_WRITABLE,
				  .optional = grant != NULL };

	for (size_t i = 0; i < g->n; i++) {
		item.directory |= g->marks[i].directory;
		item.device |= g->marks[i].device;
	}
	k->level->seen = want;
	return planning_emit(k->w, &item);
}

/* True if the mirror of the folder holds the file. */
static bool in_mirror(const struct walk *k, const struct mark *grant)
{
	const char *mirror = k->level->mirror;

	return grant && grant->mirrored && mirror &&
	       k->level->seen == SEEN_OURS &&
	       path_covers(mirror, grant->path) &&
	       path_parent(grant->path, strlen(grant->path)) == strlen(mirror);
}

static void add_access(struct level *l, const struct group *g)
{
	/* Sorted: denials come before grants. */
	for (size_t i = 0; i < g->n; i++) {
		const struct mark *m = &g->marks[i];

		if (m->kind == MARK_DENIAL)
			l->access &= m->access;
		else if (m->kind == MARK_GRANT)
			l->access |= m->access;
		else if (m->kind == MARK_KEEP)
			l->keep = true;
	}
}

static int note_unlisted(struct walk *k, const char *path)
{
	struct planning *w = k->w;
	const char **all = arena_grow(w->arena, w->unlisted, w->n_unlisted,
				      &w->unlisted_room, sizeof(*all));

	if (!all)
		return planning_no_memory(w);
	w->unlisted = all;
	all[w->n_unlisted++] = path;
	return 0;
}

static enum seen wanted(const struct level *l)
{
	const unsigned write = ACCESS_WRITE | ACCESS_BIND;

	if (!l->access)
		return SEEN_OURS;
	return l->access & write && !l->keep ? SEEN_WRITABLE : SEEN_READ_ONLY;
}

/* Grants, denials and what is read-only. */
static int put_access(struct walk *k, const struct group *g)
{
	const struct mark *grant = find(g, MARK_GRANT);
	const struct mark *denial = find(g, MARK_DENIAL);
	struct level *l = k->level;
	enum seen want;
	int rc = 0;

	add_access(l, g);
	if (in_mirror(k, grant))
		return 0;
	if (!grant && l->seen == SEEN_OURS)
		return 0;
	if (grant && grant->directory && !(l->access & ACCESS_READ))
		rc = note_unlisted(k, g->path);
	want = wanted(l);
	if (rc < 0 || (want == l->seen && !find(g, MARK_PIN)))
		return rc;
	if (want == SEEN_OURS)
		return hide(k, g, denial && denial->directory);
	if (want != l->seen || want == SEEN_WRITABLE)
		return put_bind(k, g, want);
	return 0;
}

static int put_mirror(struct walk *k, const struct mark *m)
{
	const struct view_item item = { .kind = VIEW_BIND,
					.path = m->path,
					.source = m->text,
					.directory = true,
					.writable = true };

	k->level->mirror = m->path;
	return planning_emit(k->w, &item);
}

static int put_text(struct walk *k, const struct mark *m)
{
	const struct view_item item = { .kind = VIEW_TEXT,
					.path = m->path,
					.text = m->text,
					.mode = 0444 };

	return planning_emit(k->w, &item);
}

static int put_link(struct walk *k, const struct mark *m)
{
	const struct view_item item = { .kind = VIEW_LINK,
					.path = m->path,
					.text = m->text };

	return planning_emit(k->w, &item);
}

static int put_home(struct walk *k, const struct mark *m)
{
	const struct view_item item = { .kind = VIEW_DIR,
					.path = m->path,
					.mode = 0755 };

	return planning_emit(k->w, &item);
}

/* What is not about access. */
static int put_rest(struct walk *k, const struct group *g)
{
	const struct mark *text = find(g, MARK_TEXT);
	const struct mark *link = find(g, MARK_LINK);
	const struct mark *home = find(g, MARK_HOME);
	const struct mark *mirror = find(g, MARK_MIRROR);
	bool ours =
		k->level->seen == SEEN_OURS && planning_holds(k->w, g->path);

	if (text)
		return ours || text->exists ? put_text(k, text) : 0;
	if (!ours || find(g, MARK_ITEM) || strcmp(g->path, "/") == 0)
		return 0;
	if (mirror)
		return put_mirror(k, mirror);
	if (home)
		return put_home(k, home);
	return link ? put_link(k, link) : 0;
}

static int visit(struct walk *k, const struct group *g)
{
	int rc = enter(k, g->path);

	if (rc == 0)
		rc = put_items(k, g);
	if (rc == 0 && !find(g, MARK_TEXT))
		rc = put_access(k, g);
	return rc < 0 ? rc : put_rest(k, g);
}

int planning_walk(struct planning *w)
{
	struct level root = { .path = "/", .seen = SEEN_OURS };
	struct made top = { .path = "/", .holds = true };
	struct walk k = { .w = w, .level = &root };
	const struct mark *end = w->marks + w->n;
	int rc = 0;

	w->made = &top;
	qsort(w->marks, w->n, sizeof(*w->marks), compare_marks);
	for (const struct mark *m = w->marks; rc == 0 && m < end;) {
		struct group g = { .marks = m, .end = end, .path = m->path };

		while (m < end && strcmp(m->path, g.path) == 0)
			m++;
		g.n = (size_t)(m - g.marks);
		rc = visit(&k, &g);
	}
	w->made = NULL;
	return rc;
}
