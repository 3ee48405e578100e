/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of the host's loopback, reached from the agent's own.  A SYN to one of
 * them is held like those at the gate (SYN_QUEUE of the agent's netns); with
 * SYN_MARK_RELAY it goes on to the relay's listeners, without a mark to what
 * the command itself serves there, if anything.
 */
#ifndef NETNS_LOOPBACK_H
#define NETNS_LOOPBACK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct loopback_range {
	uint16_t first;
	uint16_t last; /* inclusive */
};

struct loopback_fds {
	int syn;
	int relay4;
	int relay6; /* -1 without IPv6 */
};

/* In the agent's netns, with CAP_NET_ADMIN over it.  The descriptors may be
 * passed on and go on working. */
int loopback_open(const struct loopback_range *ranges, size_t n,
		  struct loopback_fds *ret, struct err *e);

#endif
