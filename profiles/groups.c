/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/groups.h"

#include <errno.h>
#include <string.h>

#include "profiles/entries.h"
#include "profiles/json.h"
#include "profiles/merge.h"
#include "profiles/suggest.h"

struct group {
	const char *name;
	const struct json *node;
	bool required; /* cannot be excluded */
};

struct groups {
	struct decode_context context;
	struct group *items;
	size_t n;
};

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "policy groups");
}

static const struct group *find(const struct groups *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->items[i].name, name) == 0)
			return &g->items[i];
	return NULL;
}

static const char *near_group(const struct groups *g, const char *name)
{
	struct suggest s;

	suggest_begin(&s, name);
	for (size_t i = 0; i < g->n; i++)
		suggest_offer(&s, g->items[i].name);
	return s.best;
}

int groups_read(const struct library *l, const struct decode_context *c,
		struct groups **ret, struct err *e)
{
	struct library_file file = { 0 };
	struct groups *g = arena_alloc(c->arena, 1, sizeof(*g));
	struct json *root;
	int rc;

	if (!g)
		return no_memory(e);
	rc = library_read_policy(l, c->arena, "groups", &file, e);
	if (rc == 0)
		rc = json_parse(c->arena, file.path, file.text, file.len, &root,
				e);
	if (rc)
		return rc;
	g->context = *c;
	g->context.file = file.path;
	g->items = arena_alloc(c->arena, root->n, sizeof(*g->items));
	if (!g->items)
		return no_memory(e);
	for (; g->n < root->n; g->n++) {
		const struct json *node = &root->items[g->n];
		const struct json *required = json_get(node, "required");

		g->items[g->n] = (struct group) {
			.name = node->key,
			.node = node,
			.required = required && required->boolean,
		};
	}
	*ret = g;
	return 0;
}

/* What a group says as a profile: only those that are asked for are decoded. */
static int decode_group(const struct groups *g, const struct group *group,
			struct profile **ret, struct err *e)
{
	struct decode_context c = g->context;
	struct json body = *group->node;
	size_t n = body.n;

	body.items = arena_alloc(c.arena, n, sizeof(*body.items));
	if (!body.items)
		return no_memory(e);
	body.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct json *member = &group->node->items[i];

		if (strcmp(member->key, "description") != 0 &&
		    strcmp(member->key, "required") != 0)
			body.items[body.n++] = *member;
	}
	c.group = group->name;
	return decode_profile(&c, &body, ret, e);
}

static bool has(const struct field *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->items[i].text, name) == 0)
			return true;
	return false;
}

static int check_excluded(const struct groups *g, struct arena *a,
			  const struct field *exclude, struct err *e)
{
	for (size_t i = 0; i < exclude->n; i++) {
		const struct entry *item = &exclude->items[i];
		const struct group *group = find(g, item->text);

		if (group && group->required)
			return err_set(e, EINVAL,
				       "%s: cannot exclude required groups: "
				       "'%s'; for one path of it use "
				       "filesystem.bypass_protection",
				       origin_text(a, &item->from), item->text);
	}
	return 0;
}

/* Adds the groups of one list to those that apply. */
static int include(const struct groups *g, struct arena *a,
		   const struct field *from, const struct field *exclude,
		   struct field *list, struct err *e)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct entry *item = &from->items[i];
		const char *near;

		if (!find(g, item->text)) {
			near = near_group(g, item->text);
			return err_set(e, EINVAL,
				       "%s: unknown policy group: '%s'%s%s%s",
				       origin_text(a, &item->from), item->text,
				       near ? "; did you mean '" : "",
				       near ? near : "", near ? "'?" : "");
		}
		if (has(exclude, item->text) || has(list, item->text))
			continue;
		if (profile_append(a, list, item))
			return no_memory(e);
	}
	return 0;
}

/* The lists of all groups, one behind the other. */
static int sum_up(struct arena *a, struct profile *const *groups, size_t n,
		  struct profile *sum, struct err *e)
{
	int rc = 0;

	for (size_t key = 0; rc == 0 && key < KEY__COUNT; key++) {
		struct entries list;

		entries_begin(&list, a, &sum->field[key], MERGE_APPEND);
		for (size_t i = 0; rc == 0 && i < n; i++) {
			const struct field *from = &groups[i]->field[key];

			for (size_t j = 0; rc == 0 && j < from->n; j++)
				rc = entries_add(&list, &from->items[j]);
		}
		entries_end(&list);
	}
	return rc ? no_memory(e) : 0;
}

static int add_up(const struct groups *g, struct arena *a,
		  const struct field *list, struct profile **ret, struct err *e)
{
	struct profile **groups =
		arena_alloc(a, list->n, sizeof(struct profile *));

	*ret = profile_new(a);
	if (!groups || !*ret)
		return no_memory(e);
	for (size_t i = 0; i < list->n; i++) {
		const struct group *group = find(g, list->items[i].text);
		int rc = decode_group(g, group, &groups[i], e);

		if (rc)
			return rc;
	}
	return sum_up(a, groups, list->n, *ret, e);
}

/* A misspelt name here would leave the group in silently.  The first is enough
 * to look at the list. */
static int note_unknown(const struct groups *g, struct arena *a,
			const struct field *exclude, struct profile *p,
			struct err *e)
{
	for (size_t i = 0; i < exclude->n; i++) {
		const struct entry *item = &exclude->items[i];
		const char *near;

		if (find(g, item->text))
			continue;
		near = near_group(g, item->text);
		return profile_note(
			       a, p,
			       "%s: groups.exclude names a group that does "
			       "not exist: '%s'%s%s%s",
			       origin_text(a, &item->from), item->text,
			       near ? "; did you mean '" : "", near ? near : "",
			       near ? "'?" : "")
			       ? no_memory(e)
			       : 0;
	}
	return 0;
}

int groups_apply(const struct groups *g, struct arena *a,
		 const struct profile *p, const struct profile *defaults,
		 struct profile **ret, struct err *e)
{
	const struct field *exclude = &p->field[KEY_GROUPS_EXCLUDE];
	struct field list = { .state = FIELD_SET };
	struct profile *sum;
	int rc = check_excluded(g, a, exclude, e);

	if (rc == 0)
		rc = include(g, a, &defaults->field[KEY_GROUPS_INCLUDE],
			     exclude, &list, e);
	if (rc == 0)
		rc = include(g, a, &p->field[KEY_GROUPS_INCLUDE], exclude,
			     &list, e);
	if (rc == 0)
		rc = add_up(g, a, &list, &sum, e);
	if (rc == 0)
		rc = merge_profiles(a, sum, p, ret, e);
	if (rc)
		return rc;
	list.from = p->field[KEY_GROUPS_INCLUDE].from;
	(*ret)->field[KEY_GROUPS_INCLUDE] = list;
	(*ret)->field[KEY_GROUPS_EXCLUDE] = (struct field) { 0 };
	return note_unknown(g, a, exclude, *ret, e);
}
