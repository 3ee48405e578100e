/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A proxy that the network demands (network.upstream_proxy), and what goes
 * around it (network.upstream_bypass).  Names that go through it are not
 * resolved here: the proxy does that.  The command gets a stand-in for each,
 * an address out of a range that is never a real destination, and the proxy is
 * asked for the name.
 */
#ifndef PROFILES_PROXYRULES_H
#define PROFILES_PROXYRULES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/arena.h"
#include "common/err.h"
#include "profiles/allowlist.h"
#include "profiles/profile.h"

struct proxy_rules {
	const char *host;	  /* in the arena; NULL: there is none */
	uint16_t port;		  /* host order */
	struct allowlist *bypass; /* owned */
	const char *credential;	  /* reference; borrowed; may be NULL */
};

/* Errors name the place of the entry. */
int proxy_rules_compile(struct profile *p, struct arena *a,
			struct proxy_rules *ret, struct err *e);
void proxy_rules_done(struct proxy_rules *u);

/* Whether connections to this canonical name go through the proxy; NULL: there
 * is none. */
bool proxy_rules_take(const struct proxy_rules *u, const char *name);

/* 198.18.0.0/15 (RFC 2544): number n of the stand-ins, which repeat. */
#define STAND_INS 131072u
struct addr proxy_stand_in(uint32_t n);
bool proxy_is_stand_in(const struct addr *a);

#endif
