/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The little that is read of a packet the kernel hands up. */
#ifndef NETNS_PACKET_H
#define NETNS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

struct packet_info {
	struct addr src;
	struct addr dst;
	uint8_t protocol; /* IPPROTO_*: the last header that was recognised */
	bool has_ports;	  /* TCP, UDP, UDP-Lite, SCTP, DCCP */
	uint16_t src_port;
	uint16_t dst_port;
};

/* data starts at the IP header; len may be less than the packet.  False if
 * that is no IPv4 or IPv6 header. */
bool packet_parse(const uint8_t *data, size_t len, struct packet_info *ret);

/* "tcp", "icmp" ... or NULL. */
const char *packet_protocol_name(uint8_t protocol);

#endif
