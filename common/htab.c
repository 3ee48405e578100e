/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hash is SipHash-1-3 (Aumasson and Bernstein; one round a word and three
 * at the end suffice for tables, where the output is not shown).  A node keeps
 * its hash, so that growing never calls back into the owner.
 */
#include "common/htab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_BUCKETS 16

int htab_init(struct htab *t)
{
	ssize_t n;

	*t = (struct htab) { 0 };
	/* Up to 256 bytes come whole; EINTR only before the pool is ready. */
	do
		n = getrandom(t->key, sizeof(t->key), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(t->key) ? 0 : -EIO;
}

void htab_done(struct htab *t)
{
	free(t->buckets);
	*t = (struct htab) { 0 };
}

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
}

/* Words are read in host order: hashes never leave the process. */
static uint64_t siphash13(const uint64_t key[2], const uint8_t *p, size_t len)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575,
			  key[1] ^ 0x646f72616e646f6d,
			  key[0] ^ 0x6c7967656e657261,
			  key[1] ^ 0x7465646279746573 };
	uint64_t tail = (uint64_t)len << 56;
	uint64_t m;

	for (; len >= sizeof(m); p += sizeof(m), len -= sizeof(m)) {
		memcpy(&m, p, sizeof(m));
		sip_word(v, m);
	}
	for (size_t i = 0; i < len; i++)
		tail |= (uint64_t)p[i] << (8 * i);
	sip_word(v, tail);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t htab_hash(const struct htab *t, const void *data, size_t len)
{
	return siphash13(t->key, data, len);
}

static struct htab_node **bucket(const struct htab *t, uint64_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

static void grow(struct htab *t)
{
	size_t n_old = t->n_buckets;
	struct htab_node **old = t->buckets;
	size_t n = n_old ? n_old * 2 : FIRST_BUCKETS;
	struct htab_node **fresh = calloc(n, sizeof(struct htab_node *));

	if (!fresh)
		return; /* longer chains until the next insert */
	t->buckets = fresh;
	t->n_buckets = n;
	for (size_t i = 0; i < n_old; i++) {
		struct htab_node *next;

		for (struct htab_node *node = old[i]; node; node = next) {
			struct htab_node **b = bucket(t, node->hash);

			next = node->next;
			node->next = *b;
			*b = node;
		}
	}
	free(old);
}

int htab_insert(struct htab *t, struct htab_node *n, uint64_t hash)
{
	struct htab_node **b;

	if (t->n_nodes >= t->n_buckets)
		grow(t);
	if (t->n_buckets == 0)
		return -ENOMEM;
	b = bucket(t, hash);
	n->hash = hash;
	n->next = *b;
	*b = n;
	t->n_nodes++;
	return 0;
}

struct htab_node *htab_find(const struct htab *t, uint64_t hash,
			    htab_equal_fn *equal, const void *key)
{
	if (t->n_buckets == 0)
		return NULL;
	for (struct htab_node *n = *bucket(t, hash); n; n = n->next)
		if (n->hash == hash && equal(n, key))
			return n;
	return NULL;
}

void htab_remove(struct htab *t, struct htab_node *n)
{
	struct htab_node **p = bucket(t, n->hash);

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	n->next = NULL;
	t->n_nodes--;
}

void htab_each(struct htab *t, htab_visit_fn *fn, void *arg)
{
	for (size_t i = 0; i < t->n_buckets; i++) {
		struct htab_node *next;

		for (struct htab_node *n = t->buckets[i]; n; n = next) {
			next = n->next;
			fn(n, arg);
		}
	}
}
