/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/packet.h"

#include <netinet/in.h>
#include <string.h>

#define IPV6_EXTENSIONS_MAX 8

static const struct {
	uint8_t protocol;
	bool has_ports;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, true, "tcp" },	      { IPPROTO_UDP, true, "udp" },
	{ IPPROTO_UDPLITE, true, "udplite" }, { IPPROTO_SCTP, true, "sctp" },
	{ IPPROTO_DCCP, true, "dccp" },	      { IPPROTO_ICMP, false, "icmp" },
	{ IPPROTO_ICMPV6, false, "icmpv6" },  { IPPROTO_GRE, false, "gre" },
	{ IPPROTO_IPIP, false, "ipip" },      { IPPROTO_IPV6, false, "ipv6" },
	{ IPPROTO_ESP, false, "esp" },	      { IPPROTO_IGMP, false, "igmp" },
};
#define N_PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

const char *packet_protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	return NULL;
}

static bool protocol_has_ports(uint8_t protocol)
{
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		if (protocols[i].protocol == protocol)
			return protocols[i].has_ports;
	return false;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void parse_ports(const uint8_t *data, size_t len, size_t at,
			struct packet_info *ret)
{
	if (!protocol_has_ports(ret->protocol) || at + 4 > len)
		return;
	ret->has_ports = true;
	ret->src_port = get16(data + at);
	ret->dst_port = get16(data + at + 2);
}

/* Skips the extension headers of RFC 8200 4.1 that have the common layout;
 * stops at a fragment header (its payload may be no header). */
static size_t skip_extensions(const uint8_t *data, size_t len, size_t at,
			      uint8_t *protocol)
{
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		if (*protocol != IPPROTO_HOPOPTS &&
		    *protocol != IPPROTO_ROUTING &&
		    *protocol != IPPROTO_DSTOPTS)
			break;
		if (at + 8 > len)
			break;
		*protocol = data[at];
		at += 8 + (size_t)data[at + 1] * 8;
	}
	return at;
}

bool packet_parse(const uint8_t *data, size_t len, struct packet_info *ret)
{
	size_t at;

	memset(ret, 0, sizeof(*ret));
	if (len >= 20 && data[0] >> 4 == 4 && (data[0] & 15) >= 5) {
		at = (size_t)(data[0] & 15) * 4;
		ret->protocol = data[9];
		ret->src = addr_v4(data + 12);
		ret->dst = addr_v4(data + 16);
		/* Only the first fragment has ports. */
		if ((get16(data + 6) & 0x1fff) != 0)
			return true;
	} else if (len >= 40 && data[0] >> 4 == 6) {
		ret->protocol = data[6];
		ret->src = addr_v6(data + 8);
		ret->dst = addr_v6(data + 24);
		at = skip_extensions(data, len, 40, &ret->protocol);
	} else {
		return false;
	}
	parse_ports(data, len, at, ret);
	return true;
}
