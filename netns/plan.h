/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The constants of the link between the gateway and the agent's netns.  Both
 * namespaces are private to a run, so every run uses the same addresses: they
 * come from ranges that are never a destination (RFC 7335 service continuity,
 * RFC 5180 benchmarking) and that addr_never() refuses.  2001:2:: rather than
 * a ULA, since RFC 6724 would sort every IPv6 destination last behind a ULA
 * source.
 */
#ifndef NETNS_PLAN_H
#define NETNS_PLAN_H

#include <stdint.h>

#include "common/addr.h"

#define GATEWAY_IFNAME "agent0"
#define AGENT_IFNAME   "eth0"
#define GATEWAY_IPV4   "192.0.0.1"
#define AGENT_IPV4     "192.0.0.2"
#define LINK_PREFIX4   30
#define GATEWAY_IPV6   "2001:2::1"
#define AGENT_IPV6     "2001:2::2"
#define LINK_PREFIX6   64
/* veth's largest sensible MTU: fewer segments; the far side of the relay is
 * another TCP connection with its own path MTU. */
#define LINK_MTU 65520

#define NFT_TABLE	 "egress_run"
#define DNS_PORT	 53
#define SYN_QUEUE	 0
#define DENIED_LOG_GROUP 1
/* Elements a set may hold: the monitor's own limit is lower. */
#define ELEMENTS_MAX 262144

/* What the monitor answers about a held SYN; the ruleset's outcome chain turns
 * the mark into the packet that a router would have sent. */
enum syn_mark {
	SYN_MARK_NONE = 0,
	SYN_MARK_REFUSED,      /* tcp reset -> ECONNREFUSED */
	SYN_MARK_HOST_UNREACH, /* icmp host unreachable -> EHOSTUNREACH */
	SYN_MARK_NET_UNREACH,  /* icmp no route -> ENETUNREACH */
	SYN_MARK_RELAY,	       /* on the agent's loopback: to the relay */
	SYN_MARK__COUNT,
};

#endif
