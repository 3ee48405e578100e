/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of entries in the making, without duplicates, whatever its length. */
#ifndef PROFILES_ENTRIES_H
#define PROFILES_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "profiles/keys.h"
#include "profiles/profile.h"

struct entries {
	struct arena *arena;
	struct field *field;  /* what is being filled */
	enum key_merge merge; /* what makes two entries one */
	uint32_t *slots;      /* index + 1 by hash; NULL while few */
	size_t n_slots;	      /* a power of two */
};

/* field may have entries already.  If other profiles share them its room must
 * be n, so that they are copied before the first change. */
void entries_begin(struct entries *l, struct arena *a, struct field *f,
		   enum key_merge merge);
/* An equal entry is dropped; MERGE_DOMAINS: its endpoints are appended; maps:
 * it takes the other's place.  -ENOMEM. */
int entries_add(struct entries *l, const struct entry *item);
/* The entry that stands for item, or NULL. */
struct entry *entries_find(const struct entries *l, const struct entry *item);
void entries_end(struct entries *l);

#endif
