/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts what was blocked, by name and by address, for the summary. */
#ifndef LAUNCHER_BLOCKED_H
#define LAUNCHER_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "relay/relay.h"

struct allowlist;
struct blocked;

/* allow is borrowed; it says what is denied, which no option allows.  NULL:
 * nothing is. */
int blocked_new(struct blocked **ret, const struct allowlist *allow);
void blocked_free(struct blocked *b); /* NULL is fine */

/* is_host: name is a host name that --allow-domain would take. */
void blocked_name(struct blocked *b, const char *name, bool is_host,
		  uint64_t count);
/* An allowed name whose address is never admitted. */
void blocked_answer(struct blocked *b, const char *name, const struct addr *a,
		    uint64_t count);
/* Names below that wildcard were asked so fast that they had to wait. */
void blocked_limited(struct blocked *b, const char *rule, uint64_t count);
/* Why an address was refused, as far as the caller knows. */
enum blocked_reason {
	BLOCKED_NOT_ALLOWED,
	BLOCKED_OWN,	/* an address of this host */
	BLOCKED_DENIED, /* for a name that resolved to it */
};
void blocked_address(struct blocked *b, const char *protocol,
		     const struct addr *a, uint16_t port,
		     enum blocked_reason why);

/* What the name check refused. */
void blocked_request(struct blocked *b, const struct relay_msg_refused *m,
		     const struct addr *a, uint16_t port);

/* A few lines on stderr, most frequent first; nothing if nothing was blocked.
 * unseen: packets that were rejected beyond those reported one by one. */
void blocked_print(struct blocked *b, uint64_t unseen, uint64_t spoofed);

#endif
