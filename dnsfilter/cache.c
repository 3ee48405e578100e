/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/htab.h"
#include "dnsfilter/key.h"

/* data: the name with its NUL, the hops, the addresses or other records. */
struct entry {
	struct htab_node node;
	TAILQ_ENTRY(entry) link;
	uint64_t expires_ms;
	uint16_t type;
	uint16_t rcode;
	uint16_t hops_len;
	uint8_t n_hops;
	uint8_t n_addr;
	uint8_t n_rdata;
	uint16_t name_size;
	uint16_t rdata_len;
	uint16_t size; /* of data */
	uint8_t data[];
};

TAILQ_HEAD(entries, entry);

struct cache {
	struct htab table;
	struct entries by_use; /* the one unused for longest first */
	size_t entries_max;
	size_t bytes_max;
	size_t bytes;
};

int cache_new(struct cache **ret, size_t entries_max, size_t bytes_max)
{
	struct cache *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	rc = htab_init(&c->table);
	if (rc < 0) {
		free(c);
		return rc;
	}
	TAILQ_INIT(&c->by_use);
	c->entries_max = entries_max;
	c->bytes_max = bytes_max;
	*ret = c;
	return 0;
}

static void drop(struct cache *c, struct entry *e)
{
	htab_remove(&c->table, &e->node);
	TAILQ_REMOVE(&c->by_use, e, link);
	c->bytes -= sizeof(*e) + e->size;
	free(e);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->by_use))
		drop(c, TAILQ_FIRST(&c->by_use));
	htab_done(&c->table);
	free(c);
}

static bool entry_equal(const struct htab_node *node, const void *key)
{
	const struct entry *e = (const void *)((const char *)node -
					       offsetof(struct entry, node));
	const struct name_key *k = key;

	return e->type == k->type &&
	       strcmp((const char *)e->data, k->name) == 0;
}

static struct entry *find(struct cache *c, const struct name_key *k)
{
	struct htab_node *n = htab_find(&c->table, name_key_hash(&c->table, k),
					entry_equal, k);

	return n ? htab_entry(n, struct entry, node) : NULL;
}

bool cache_find(struct cache *c, const char *name, uint16_t type,
		uint64_t now_ms, struct cache_answer *ret)
{
	struct name_key key = { .name = name, .type = type };
	struct entry *e = find(c, &key);

	if (!e)
		return false;
	if (now_ms >= e->expires_ms) {
		drop(c, e);
		return false;
	}
	TAILQ_REMOVE(&c->by_use, e, link);
	TAILQ_INSERT_TAIL(&c->by_use, e, link);
	*ret = (struct cache_answer) {
		.rcode = e->rcode,
		.ttl_sec = (uint32_t)((e->expires_ms - now_ms) / 1000),
		.records = { .type = type,
			     .n_hops = e->n_hops,
			     .n_addr = e->n_addr,
			     .n_rdata = e->n_rdata,
			     .hops_len = e->hops_len,
			     .rdata_len = e->rdata_len,
			     .hops = e->data + e->name_size,
			     .addr = e->data + e->name_size + e->hops_len,
			     .rdata = e->data + e->name_size + e->hops_len },
	};
	return true;
}

void cache_put(struct cache *c, const char *name, uint64_t now_ms,
	       const struct cache_answer *answer)
{
	const struct dns_records *r = &answer->records;
	struct name_key key = { .name = name, .type = r->type };
	size_t name_size = strlen(name) + 1;
	bool is_address = dns_type_is_address(r->type);
	size_t last_size =
		is_address ? r->n_addr * dns_addr_width(r->type) : r->rdata_len;
	size_t size = name_size + r->hops_len + last_size;
	struct entry *e = find(c, &key);

	if (e)
		drop(c, e);
	if (answer->ttl_sec == 0)
		return;
	e = malloc(sizeof(*e) + size);
	if (!e)
		return;
	*e = (struct entry) {
		.expires_ms = now_ms + (uint64_t)answer->ttl_sec * 1000,
		.type = r->type,
		.rcode = answer->rcode,
		.hops_len = r->hops_len,
		.n_hops = r->n_hops,
		.n_addr = r->n_addr,
		.n_rdata = r->n_rdata,
		.name_size = (uint16_t)name_size,
		.rdata_len = r->rdata_len,
		.size = (uint16_t)size,
	};
	memcpy(e->data, name, name_size);
	if (r->hops_len > 0)
		memcpy(e->data + name_size, r->hops, r->hops_len);
	if (last_size > 0)
		memcpy(e->data + name_size + r->hops_len,
		       is_address ? r->addr : r->rdata, last_size);
	if (htab_insert(&c->table, &e->node, name_key_hash(&c->table, &key)) <
	    0) {
		free(e);
		return;
	}
	TAILQ_INSERT_TAIL(&c->by_use, e, link);
	c->bytes += sizeof(*e) + size;
	while (c->table.n_nodes > c->entries_max || c->bytes > c->bytes_max)
		drop(c, TAILQ_FIRST(&c->by_use));
}

size_t cache_size(const struct cache *c)
{
	return c->table.n_nodes;
}
