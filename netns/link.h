/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The veth pair, its addresses and routes, through libnl-3. */
#ifndef NETNS_LINK_H
#define NETNS_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* In the gateway netns (caller has CAP_NET_ADMIN over both): makes the pair
 * with the agent's end in the netns of process agent_pid, and brings the
 * gateway's end up with its addresses and a fixed neighbour entry.
 * *ret_ipv6 tells whether the kernel has IPv6. */
int link_setup_gateway(pid_t agent_pid, bool *ret_ipv6, struct err *e);

/* In the agent's netns: lo and eth0 up, addresses, default routes, fixed
 * neighbour entry. */
int link_setup_agent(struct err *e);

#endif
