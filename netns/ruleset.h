/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate: the static nftables rules of the gateway netns, and the sets whose
 * elements open it. */
#ifndef NETNS_RULESET_H
#define NETNS_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

/* What UDP besides DNS needs: its destinations are addresses of the gateway's
 * netns (link_own_everything()), whose sockets get what the gate lets by. */
struct ruleset_udp {
	const uint16_t *net_ports; /* those that literal networks open */
	size_t n_net_ports;
};

/* Installs the whole table in one transaction.  fd: nft_open() in the gateway
 * netns.  relay_port: where admitted TCP is redirected to.  udp: NULL if no
 * UDP but DNS will be let by. */
int ruleset_install(int fd, uint16_t relay_port, const struct ruleset_udp *udp,
		    struct err *e);

/* Inclusive ranges that are open from the start (literal networks); sorted,
 * disjoint, not adjacent, of one family. */
struct addr_range {
	struct addr first;
	struct addr last;
};
int ruleset_add_ranges(int fd, int family, bool udp,
		       const struct addr_range *ranges, size_t n,
		       struct err *e);

/* One address to admit for timeout_ms from now; port 0: every TCP port.  An
 * element that exists is refreshed to the new time. */
struct ruleset_element {
	struct addr addr;
	uint16_t port;
	bool udp; /* the port is of UDP */
	uint64_t timeout_ms;
};
/* All in one transaction, acknowledged by the kernel on return.  The elements
 * must be distinct.  Returns 0 or -errno; on error none is in force (those
 * that existed keep their time). */
int ruleset_admit(int fd, const struct ruleset_element *elements, size_t n);

enum ruleset_counter {
	RULESET_COUNTER_DENIED,	 /* rejected: destination not admitted */
	RULESET_COUNTER_SPOOFED, /* dropped: source is not the agent's */
	RULESET_COUNTER__COUNT,
};
/* Packets counted so far. */
int ruleset_read_counter(int fd, enum ruleset_counter which,
			 uint64_t *ret_packets);

#endif
