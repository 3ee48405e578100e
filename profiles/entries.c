/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/entries.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "profiles/json.h"

/* Up to here a look at every entry is faster than a table. */
#define FEW	  16
#define SLOTS_MIN 256

#define HASH_BASIS 0xcbf29ce484222325U
#define HASH_PRIME 0x100000001b3U

static bool by_name(enum key_merge merge)
{
	return merge == MERGE_MAP || merge == MERGE_DESTINATION;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_json(const struct json *a, const struct json *b);

static bool same_members(const struct json *a, const struct json *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct json *other = &b->items[i];

		if (a->type == JSON_OBJECT &&
		    strcmp(a->items[i].key, other->key) != 0)
			other = json_get(b, a->items[i].key);

		if (!other || !same_json(&a->items[i], other))
			return false;
	}
	return true;
}

static bool same_json(const struct json *a, const struct json *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_NUMBER:
		return !(a->number < b->number) && !(a->number > b->number);
	case JSON_STRING:
		return strcmp(a->string, b->string) == 0;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return same_members(a, b);
	default:
		return true;
	}
}

/* A group, a file or the command line: a grant of one weighs more than the
 * same grant of another (grants.h), so both are kept. */
static bool same_weight(const struct origin *a, const struct origin *b)
{
	return !a->group == !b->group && (a->line == 0) == (b->line == 0);
}

static bool same_entry(enum key_merge merge, const struct entry *a,
		       const struct entry *b)
{
	if (by_name(merge))
		return same_text(a->key, b->key);
	if (merge == MERGE_DOMAINS)
		return strcasecmp(a->text, b->text) == 0;
	return same_text(a->key, b->key) && same_text(a->text, b->text) &&
	       same_json(a->value, b->value) && same_weight(&a->from, &b->from);
}

/* FNV-1a; case is folded for all rules. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++) {
		hash ^= (unsigned char)tolower((unsigned char)*text);
		hash *= HASH_PRIME;
	}
	return hash;
}

/* By value, as a number may be spelt in many ways; 0 and -0 are one. */
static uint64_t hash_number(double number)
{
	uint64_t bits;

	number += 0.0;
	memcpy(&bits, &number, sizeof(bits));
	bits *= HASH_PRIME;
	return bits ^ bits >> 32;
}

static uint64_t hash_json(const struct json *v)
{
	uint64_t hash = HASH_BASIS + (unsigned)v->type;

	if (v->type == JSON_NUMBER)
		return hash_number(v->number);
	if (v->type == JSON_STRING)
		return hash_text(hash, v->string);
	if (v->type == JSON_BOOL)
		return hash + (v->boolean ? HASH_PRIME : 0);
	for (size_t i = 0; i < v->n; i++) {
		const struct json *m = &v->items[i];

		/* The order of members does not matter, so it is a sum. */
		if (v->type == JSON_OBJECT)
			hash += hash_text(hash_json(m), m->key);
		else
			hash = (hash ^ hash_json(m)) * HASH_PRIME;
	}
	return hash;
}

/* Of what same_entry() compares. */
static size_t hash_entry(enum key_merge merge, const struct entry *item)
{
	uint64_t hash = HASH_BASIS;

	if (by_name(merge))
		hash = hash_text(hash, item->key);
	else if (item->text || !item->value)
		hash = hash_text(hash, item->text);
	else
		hash = hash_text(hash_json(item->value), item->key);
	return (size_t)(hash ^ hash >> 32);
}

/* The slot of an equal entry, or the free one where it would go. */
static size_t find_slot(const struct entries *l, const struct entry *item)
{
	size_t mask = l->n_slots - 1;
	size_t slot = hash_entry(l->merge, item) & mask;

	while (l->slots[slot] &&
	       !same_entry(l->merge, &l->field->items[l->slots[slot] - 1],
			   item))
		slot = (slot + 1) & mask;
	return slot;
}

static int grow_slots(struct entries *l)
{
	size_t n = SLOTS_MIN;

	if (l->field->n >= UINT32_MAX)
		return -ENOMEM;
	while (n < l->field->n * 4)
		n *= 2;
	free(l->slots);
	l->slots = calloc(n, sizeof(*l->slots));
	l->n_slots = l->slots ? n : 0;
	if (!l->slots)
		return -ENOMEM;
	for (size_t i = 0; i < l->field->n; i++)
		l->slots[find_slot(l, &l->field->items[i])] = (uint32_t)i + 1;
	return 0;
}

void entries_begin(struct entries *l, struct arena *a, struct field *f,
		   enum key_merge merge)
{
	*l = (struct entries) { .arena = a, .field = f, .merge = merge };
}

void entries_end(struct entries *l)
{
	free(l->slots);
	l->slots = NULL;
}

struct entry *entries_find(const struct entries *l, const struct entry *item)
{
	uint32_t index;

	if (!l->slots) {
		for (size_t i = 0; i < l->field->n; i++) {
			if (same_entry(l->merge, &l->field->items[i], item))
				return &l->field->items[i];
		}
		return NULL;
	}
	index = l->slots[find_slot(l, item)];
	return index ? &l->field->items[index - 1] : NULL;
}

static bool has_endpoint(const struct endpoint *list, size_t n,
			 const struct endpoint *one)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].method, one->method) == 0 &&
		    strcmp(list[i].path, one->path) == 0)
			return true;
	}
	return false;
}

/* Two entries of one domain.  Rules are narrower than none, so an entry with
 * endpoints wins over a plain one; the first that has some lends its place. */
static int combine(struct arena *a, const struct entry *one,
		   const struct entry *other, struct entry *ret)
{
	size_t room = one->n_endpoints + other->n_endpoints;
	struct endpoint *list;
	size_t n = one->n_endpoints;

	*ret = n > 0 || other->n_endpoints == 0 ? *one : *other;
	if (n == 0 || other->n_endpoints == 0)
		return 0;
	list = arena_alloc(a, room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list, one->endpoints, n * sizeof(*list));
	for (size_t i = 0; i < other->n_endpoints; i++) {
		if (!has_endpoint(list, n, &other->endpoints[i]))
			list[n++] = other->endpoints[i];
	}
	ret->endpoints = list;
	ret->n_endpoints = n;
	return 0;
}

/* An array without room may belong to others as well. */
static int own_items(struct entries *l)
{
	struct field *f = l->field;
	struct entry *items;

	if (f->room > f->n || f->n == 0)
		return 0;
	items = arena_grow(l->arena, f->items, f->n, &f->room, sizeof(*items));
	if (!items)
		return -ENOMEM;
	f->items = items;
	return 0;
}

static int add_again(struct entries *l, struct entry *old,
		     const struct entry *item)
{
	size_t index = (size_t)(old - l->field->items);
	struct entry now = *item;
	int rc = 0;

	if (l->merge == MERGE_DOMAINS)
		rc = combine(l->arena, old, item, &now);
	else if (!by_name(l->merge))
		return 0;
	if (rc == 0)
		rc = own_items(l);
	if (rc == 0)
		l->field->items[index] = now;
	return rc;
}

int entries_add(struct entries *l, const struct entry *item)
{
	struct entry *old;
	size_t slot = 0;
	int rc = 0;

	/* First, since it may be that there are many and no new one comes. */
	if (l->field->n >= FEW && l->field->n * 2 >= l->n_slots)
		rc = grow_slots(l);
	if (rc < 0)
		return rc;
	old = entries_find(l, item);
	if (old)
		return add_again(l, old, item);
	if (l->slots)
		slot = find_slot(l, item);
	rc = profile_append(l->arena, l->field, item);
	if (rc == 0 && l->slots)
		l->slots[slot] = (uint32_t)l->field->n;
	return rc;
}
