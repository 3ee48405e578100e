/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/pathmap.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiles/paths.h"

struct item {
	struct htab_node node;
	const char *path;
	size_t len;
	unsigned tag;
	size_t number;
};

struct key {
	const char *path;
	size_t len;
	unsigned tag;
};

int pathmap_init(struct pathmap *m, struct arena *a)
{
	m->arena = a;
	return htab_init(&m->table);
}

void pathmap_done(struct pathmap *m)
{
	htab_done(&m->table);
}

static bool has_key(const struct htab_node *n, const void *arg)
{
	const struct item *item = htab_entry(n, const struct item, node);
	const struct key *key = arg;

	return item->tag == key->tag && item->len == key->len &&
	       memcmp(item->path, key->path, key->len) == 0;
}

static uint64_t hash(const struct pathmap *m, const struct key *key)
{
	return htab_hash(&m->table, key->path, key->len) ^ key->tag;
}

static size_t *find(const struct pathmap *m, const struct key *key)
{
	struct htab_node *n = htab_find(&m->table, hash(m, key), has_key, key);

	return n ? &htab_entry(n, struct item, node)->number : NULL;
}

size_t *pathmap_at(const struct pathmap *m, const char *path, size_t len,
		   unsigned tag)
{
	const struct key key = { path, len, tag };

	return find(m, &key);
}

size_t *pathmap_put(struct pathmap *m, const char *path, unsigned tag,
		    size_t number)
{
	const struct key key = { path, strlen(path), tag };
	size_t *there = find(m, &key);
	struct item *item;

	if (there)
		return there;
	item = arena_alloc(m->arena, 1, sizeof(*item));
	if (!item)
		return NULL;
	item->path = path;
	item->len = key.len;
	item->tag = tag;
	item->number = number;
	if (htab_insert(&m->table, &item->node, hash(m, &key)) < 0)
		return NULL;
	return &item->number;
}

size_t pathmap_above(const struct pathmap *m, const char *path, unsigned tag)
{
	size_t all = 0;
	size_t len = strlen(path);

	for (; len > 0; len = path_parent(path, len)) {
		const size_t *number = pathmap_at(m, path, len, tag);

		if (number)
			all |= *number;
	}
	return all;
}
