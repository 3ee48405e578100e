/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets, made in the netns of the caller and meant to be passed
 * on: a socket stays in the namespace it was made in. */
#ifndef NETNS_SOCKETS_H
#define NETNS_SOCKETS_H

#include <stdint.h>

#include "common/err.h"

/* UDP and TCP on port 53 of every local address, IPv4 and IPv6 (dual stack
 * where the kernel has IPv6).  device: bound to this interface, or NULL. */
int sockets_listen_dns(const char *device, int *ret_udp, int *ret_tcp,
		       struct err *e);

/* TCP on one port of the kernel's choice, IPv4 and IPv6 apart (the original
 * destination is asked per family).  *ret_fd6 is -1 without IPv6.  device: as
 * above. */
int sockets_listen_relay(const char *device, int *ret_fd4, int *ret_fd6,
			 uint16_t *ret_port, struct err *e);

/* One UDP socket on this port of every address, for link_own_everything():
 * dual stack as above, tells where each datagram was sent to (IP_PKTINFO or
 * IPV6_PKTINFO) and may answer from there. */
int sockets_open_udp(uint16_t port, int *ret_fd, struct err *e);

/* For ICMP errors to the agent, IPv4 and IPv6: connected with it, and deaf. The
 * link must be there.  *ret_fd6 is -1 without IPv6. */
int sockets_open_icmp(int *ret_fd4, int *ret_fd6, struct err *e);

#endif
