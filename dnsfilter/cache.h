/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers by canonical name and type, until their TTL has passed.  Bounded in
 * entries and bytes; the one unused for longest goes first.  The caller gives
 * the time (milliseconds of any monotonic clock).
 */
#ifndef DNSFILTER_CACHE_H
#define DNSFILTER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsfilter/message.h"

struct cache;

struct cache_answer {
	uint16_t rcode;
	uint32_t ttl_sec;	    /* what is left of it */
	struct dns_records records; /* borrowed until the next call */
};

int cache_new(struct cache **ret, size_t entries_max, size_t bytes_max);
void cache_free(struct cache *c); /* NULL is fine */

bool cache_find(struct cache *c, const char *name, uint16_t type,
		uint64_t now_ms, struct cache_answer *ret);
/* Replaces what is there.  A ttl_sec of 0 is not kept; running out of memory
 * is no error. */
void cache_put(struct cache *c, const char *name, uint64_t now_ms,
	       const struct cache_answer *answer);
size_t cache_size(const struct cache *c);

#endif
