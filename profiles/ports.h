/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of TCP ports: those of the host's loopback that the command reaches, or
 * is reached on. */
#ifndef PROFILES_PORTS_H
#define PROFILES_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/profile.h"

struct port_range {
	uint16_t first;
	uint16_t last; /* inclusive */
};

struct ports {
	const struct port_range *ranges; /* sorted, disjoint, not adjacent */
	size_t n;
};

/* The union of a key of single ports and one of ranges; entries are "PORT" or
 * "FIRST-LAST", in the arena.  Errors name the place of the entry. */
int ports_compile(const struct profile *p, enum profile_key single,
		  enum profile_key range, struct arena *a, struct ports *ret,
		  struct err *e);

/* What of p is not in less, in the arena. */
int ports_subtract(const struct ports *p, const struct ports *less,
		   struct arena *a, struct ports *ret);

bool ports_has(const struct ports *p, uint16_t port);
/* How many ports there are. */
size_t ports_count(const struct ports *p);

/* "PORT" or "FIRST-LAST"; false for anything else, 0 included. */
bool port_range_parse(const char *text, struct port_range *ret);

#endif
