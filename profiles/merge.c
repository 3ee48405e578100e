/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function a rule.  All of them are associative but two, which nono
 * defines so: the [] of MERGE_APPEND_CLEAR clears only what was merged under
 * it before, and MERGE_DESTINATION removes by what is there at the time.
 * Hence merging goes from the bases to the child, as load.h has it.
 */
#include "profiles/merge.h"

#include <errno.h>
#include <string.h>

#include "profiles/entries.h"
#include "profiles/keys.h"

/* What a rule works on; out is zero. */
struct pair {
	struct arena *arena;
	const struct field *base;
	const struct field *child;
	enum key_merge merge;
};

typedef int merge_fn(const struct pair *p, struct field *out);

static bool is_set(const struct field *f)
{
	return f->state == FIELD_SET;
}

static bool says(const struct field *f, const char *text)
{
	return is_set(f) && f->n > 0 && strcmp(f->items[0].text, text) == 0;
}

static int take(struct field *out, const struct field *f)
{
	*out = *f;
	out->room = out->n; /* shared from now on: growing moves it */
	return 0;
}

/* The child says nothing: null stays visible only over nothing. */
static int take_base(const struct pair *p, struct field *out)
{
	bool absent = p->base->state == FIELD_ABSENT;

	return take(out, absent ? p->child : p->base);
}

static int merge_consumed(const struct pair *p, struct field *out)
{
	(void)p;
	(void)out;
	return 0;
}

static int merge_child(const struct pair *p, struct field *out)
{
	return is_set(p->child) ? take(out, p->child) : take_base(p, out);
}

static int merge_child_null(const struct pair *p, struct field *out)
{
	bool said = p->child->state != FIELD_ABSENT;

	return take(out, said ? p->child : p->base);
}

static int merge_always(const struct pair *p, struct field *out)
{
	return take(out, p->child);
}

static int merge_or(const struct pair *p, struct field *out)
{
	if (says(p->base, "true"))
		return take(out, p->base);
	return merge_child(p, out);
}

static int merge_not_none(const struct pair *p, struct field *out)
{
	bool silent = !is_set(p->child) || says(p->child, "none");

	return take(out, silent && is_set(p->base) ? p->base : p->child);
}

/* Base, then child; items of the child by the rule that p names. */
static int merge_lists(const struct pair *p, struct field *out)
{
	struct entries list;
	int rc = 0;

	if (!is_set(p->child))
		return take_base(p, out);
	if (!is_set(p->base))
		return take(out, p->child);
	(void)take(out, p->base);
	entries_begin(&list, p->arena, out, p->merge);
	for (size_t i = 0; i < p->child->n && rc == 0; i++)
		rc = entries_add(&list, &p->child->items[i]);
	entries_end(&list);
	return rc;
}

static int merge_append_clear(const struct pair *p, struct field *out)
{
	if (is_set(p->child) && p->child->n == 0)
		return take(out, p->child);
	return merge_lists(p, out);
}

static bool has_destination(const struct field *f, const struct entry *item)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->items[i].text, item->text) == 0 ||
		    strcmp(f->items[i].key, item->key) == 0)
			return true;
	}
	return false;
}

static int merge_destination(const struct pair *p, struct field *out)
{
	int rc = 0;

	if (!is_set(p->child) || !is_set(p->base))
		return merge_lists(p, out);
	*out = (struct field) { .state = FIELD_SET, .from = p->base->from };
	for (size_t i = 0; i < p->base->n && rc == 0; i++) {
		if (!has_destination(p->child, &p->base->items[i]))
			rc = profile_append(p->arena, out, &p->base->items[i]);
	}
	for (size_t i = 0; i < p->child->n && rc == 0; i++)
		rc = profile_append(p->arena, out, &p->child->items[i]);
	return rc;
}

static merge_fn *const rules[MERGE__COUNT] = {
	[MERGE_CONSUMED] = merge_consumed,
	[MERGE_CHILD] = merge_child,
	[MERGE_CHILD_NULL] = merge_child_null,
	[MERGE_ALWAYS] = merge_always,
	[MERGE_OR] = merge_or,
	[MERGE_NOT_NONE] = merge_not_none,
	[MERGE_APPEND] = merge_lists,
	[MERGE_APPEND_CLEAR] = merge_append_clear,
	[MERGE_DOMAINS] = merge_lists,
	[MERGE_MAP] = merge_lists,
	[MERGE_DESTINATION] = merge_destination,
};

static bool has_note(const struct profile_note *notes, const char *text)
{
	for (; notes; notes = notes->next) {
		if (strcmp(notes->text, text) == 0)
			return true;
	}
	return false;
}

/* Copies, as the nodes of a list have one successor.  A base that is reached
 * by two ways says its notes once. */
static int copy_notes(struct arena *a, struct profile *p,
		      const struct profile_note *notes)
{
	for (; notes; notes = notes->next) {
		int rc = has_note(p->notes, notes->text)
				 ? 0
				 : profile_note(a, p, "%s", notes->text);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int merge(struct arena *a, const struct profile *base,
		 const struct profile *child, struct profile *out)
{
	int rc;

	for (size_t key = 0; key < KEY__COUNT; key++) {
		struct pair p = {
			.arena = a,
			.base = &base->field[key],
			.child = &child->field[key],
			.merge = key_table[key].merge,
		};

		rc = rules[p.merge](&p, &out->field[key]);
		if (rc < 0)
			return rc;
	}
	rc = copy_notes(a, out, base->notes);
	return rc < 0 ? rc : copy_notes(a, out, child->notes);
}

int merge_profiles(struct arena *a, const struct profile *base,
		   const struct profile *child, struct profile **ret,
		   struct err *e)
{
	struct profile *out = profile_new(a);
	int rc = out ? merge(a, base, child, out) : -ENOMEM;

	if (rc < 0)
		return err_errno(e, -rc, "merging profiles");
	*ret = out;
	return 0;
}

int merge_patch(struct arena *a, const struct profile *base,
		const struct profile *patch, struct profile **ret,
		struct err *e)
{
	int rc = merge_profiles(a, base, patch, ret, e);

	if (rc == 0 && patch->field[KEY_META].state != FIELD_SET)
		(void)take(&(*ret)->field[KEY_META], &base->field[KEY_META]);
	return rc;
}

int merge_append(struct arena *a, struct field *f, const struct entry *item)
{
	struct entries list;
	int rc;

	entries_begin(&list, a, f, MERGE_APPEND);
	rc = entries_add(&list, item);
	entries_end(&list);
	return rc;
}
