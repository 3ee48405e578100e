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

/* There, for UDP besides DNS: every address but the agent's is an address of
 * the gateway, so that sockets get what was sent to any. */
int link_own_everything(struct err *e);

/* The kernel lets a packet out of the gateway's end only after a worker has
 * seen the carrier, some time after both ends are up; until then packets are
 * dropped in silence.  Open before the link exists, in the gateway netns. */
int link_watch_open(int *ret_fd, struct err *e);
/* 0 when packets pass, or -errno (-ETIMEDOUT). */
int link_watch_wait(int fd, int timeout_ms);

/* In the gateway netns: a rejection for every packet, not one a second.  Best
 * effort: where /proc/sys is read-only, as in some containers, programs wait
 * for their own timeouts instead, and nothing more gets out. */
void link_unlimit_icmp(void);

/* In the agent's netns: lo and eth0 up, addresses, default routes, fixed
 * neighbour entry. */
int link_setup_agent(struct err *e);

#endif
