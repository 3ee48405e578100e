/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intrusive chained hash table with a per-table random SipHash key: names and
 * addresses come from the other side, so the order of buckets must not be
 * predictable.  Grows by doubling; never shrinks.
 */
#ifndef COMMON_HTAB_H
#define COMMON_HTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct htab_node {
	struct htab_node *next;
	uint64_t hash;
};

/* True if the node's key equals key. */
typedef bool htab_equal_fn(const struct htab_node *node, const void *key);

struct htab {
	struct htab_node **buckets;
	size_t n_buckets; /* power of two, or 0 before the first insert */
	size_t n_nodes;
	uint64_t key[2];
};

/* Returns 0 or -errno (getrandom failed). */
int htab_init(struct htab *t);
void htab_done(struct htab *t); /* frees the buckets, not the nodes */

uint64_t htab_hash(const struct htab *t, const void *data, size_t len);
/* -ENOMEM only when there are no buckets at all; a failed growth is not an
 * error.  The caller has checked that the key is absent. */
int htab_insert(struct htab *t, struct htab_node *n, uint64_t hash);
struct htab_node *htab_find(const struct htab *t, uint64_t hash,
			    htab_equal_fn *equal, const void *key);
/* The node must be in the table. */
void htab_remove(struct htab *t, struct htab_node *n);

/* Visits every node; fn may remove and free the node it is given. */
typedef void htab_visit_fn(struct htab_node *n, void *arg);
void htab_each(struct htab *t, htab_visit_fn *fn, void *arg);

/* ptr may be const: an htab_equal_fn is given such a node. */
#define htab_entry(ptr, type, member) \
	((type *)((uintptr_t)(ptr)-offsetof(type, member)))

#endif
