/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key of the cache and of the questions under way: name and type. */
#ifndef DNSFILTER_KEY_H
#define DNSFILTER_KEY_H

#include <stdint.h>
#include <string.h>

#include "common/htab.h"

struct name_key {
	const char *name; /* canonical */
	uint16_t type;
};

static inline uint64_t name_key_hash(const struct htab *t,
				     const struct name_key *k)
{
	return htab_hash(t, k->name, strlen(k->name)) +
	       k->type * 0x9e3779b97f4a7c15u;
}

#endif
