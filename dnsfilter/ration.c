/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token buckets in the form of virtual scheduling (ITU-T I.371): all that is
 * kept of one is when it will be full again.  The tables have a fixed size and
 * keyed hashes, so that a command can neither grow them nor choose its place.
 */
#include "dnsfilter/ration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/htab.h"

#define US_PER_BYTE (1000000 / RATION_BYTES_SEC)
#define BURST_US    ((uint64_t)RATION_BURST_BYTES * US_PER_BYTE)
#define WAIT_MAX_US ((uint64_t)RATION_WAIT_MAX_MS * 1000)

struct bucket {
	uint64_t full_at_us;
	bool is_reported;
};

struct ration {
	struct htab key; /* its key for hashing; holds nothing */
	struct bucket buckets[RATION_BUCKETS];
	uint64_t names[RATION_NAMES]; /* hashes of what was asked lately */
};

int ration_new(struct ration **ret)
{
	struct ration *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	rc = htab_init(&r->key);
	if (rc < 0) {
		free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void ration_free(struct ration *r)
{
	if (!r)
		return;
	htab_done(&r->key);
	free(r);
}

int ration_take(struct ration *r, const char *rule, const char *name,
		uint64_t now_ms, bool *ret_report)
{
	/* ".x.y" of "*.x.y:443" */
	size_t suffix = rule[0] == '*' ? strcspn(rule + 1, ":") : 0;
	size_t len = strlen(name);
	uint64_t now = now_ms * 1000;
	uint64_t full_at, wait, hash;
	uint64_t *lately;
	struct bucket *b;
	size_t cost;

	*ret_report = false;
	if (suffix == 0)
		return 0;
	hash = htab_hash(&r->key, rule, suffix + 1);
	b = &r->buckets[hash & (RATION_BUCKETS - 1)];
	hash = htab_hash(&r->key, name, len);
	lately = &r->names[hash & (RATION_NAMES - 1)];
	cost = *lately == hash ? RATION_AGAIN_BYTES
			       : RATION_NAME_BYTES + len - suffix;

	if (b->full_at_us <= now) {
		b->full_at_us = now;
		b->is_reported = false;
	}
	full_at = b->full_at_us + cost * US_PER_BYTE;
	wait = full_at - now > BURST_US ? full_at - now - BURST_US : 0;
	*ret_report = wait > 0 && !b->is_reported;
	b->is_reported |= wait > 0;
	if (wait > WAIT_MAX_US)
		return -EDQUOT;
	b->full_at_us = full_at;
	*lately = hash;
	return (int)((wait + 999) / 1000);
}
