/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/portshut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/htab.h"

/* What names resolve to is up to others. */
#define SHUT_MAX 65536

struct shut_key {
	struct addr addr;
	uint16_t port;
	bool udp;
};

struct shut {
	struct htab_node node;
	struct shut_key key;
};

struct portshut {
	struct htab table;
};

static bool key_equal(const struct htab_node *n, const void *key)
{
	const struct shut *s = htab_entry(n, const struct shut, node);
	const struct shut_key *k = key;

	return s->key.port == k->port && s->key.udp == k->udp &&
	       addr_equal(&s->key.addr, &k->addr);
}

static uint64_t key_hash(const struct portshut *s, const struct shut_key *k)
{
	uint8_t flat[sizeof(k->addr.bytes) + 4];

	memcpy(flat, k->addr.bytes, sizeof(k->addr.bytes));
	flat[16] = k->addr.family;
	flat[17] = (uint8_t)(k->port >> 8);
	flat[18] = (uint8_t)k->port;
	flat[19] = k->udp;
	return htab_hash(&s->table, flat, sizeof(flat));
}

int portshut_new(struct portshut **ret)
{
	struct portshut *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	rc = htab_init(&s->table);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

static void free_node(struct htab_node *n, void *arg)
{
	(void)arg;
	free(htab_entry(n, struct shut, node));
}

void portshut_free(struct portshut *s)
{
	if (!s)
		return;
	htab_each(&s->table, free_node, NULL);
	htab_done(&s->table);
	free(s);
}

static int add(struct portshut *s, const struct shut_key *k)
{
	uint64_t hash = key_hash(s, k);
	struct shut *new;

	if (htab_find(&s->table, hash, key_equal, k))
		return 0;
	if (s->table.n_nodes >= SHUT_MAX)
		return -ENOSPC;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->key = *k;
	if (htab_insert(&s->table, &new->node, hash) < 0) {
		free(new);
		return -ENOMEM;
	}
	return 0;
}

int portshut_add(struct portshut *s, const struct addr *a, bool udp,
		 const uint16_t *port, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct shut_key k = { *a, port[i], udp };

		rc = add(s, &k);
	}
	return rc;
}

bool portshut_has(const struct portshut *s, const struct addr *a, bool udp,
		  uint16_t port)
{
	const struct shut_key k = { *a, port, udp };

	return htab_find(&s->table, key_hash(s, &k), key_equal, &k) != NULL;
}
