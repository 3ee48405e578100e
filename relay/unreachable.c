/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/unreachable.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>

struct quoted4 {
	struct icmphdr icmp;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

struct quoted6 {
	struct icmp6_hdr icmp;
	struct ip6_hdr ip;
	struct udphdr udp;
} __attribute__((packed));

static const struct {
	int error;
	uint8_t code4;
	uint8_t code6;
} codes[] = {
	{ ECONNREFUSED, ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT },
	{ EHOSTUNREACH, ICMP_HOST_UNREACH, ICMP6_DST_UNREACH_ADDR },
	{ ENETUNREACH, ICMP_NET_UNREACH, ICMP6_DST_UNREACH_NOROUTE },
	{ EACCES, ICMP_PKT_FILTERED, ICMP6_DST_UNREACH_ADMIN },
};

/* RFC 1071; len is even. */
static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void send4(int fd, uint8_t code, const struct addr *src,
		  const struct addr *dst, const struct udphdr *udp)
{
	struct quoted4 q;

	memset(&q, 0, sizeof(q));
	q.icmp.type = ICMP_DEST_UNREACH;
	q.icmp.code = code;
	q.ip.version = 4;
	q.ip.ihl = sizeof(q.ip) / 4;
	q.ip.ttl = 64;
	q.ip.protocol = IPPROTO_UDP;
	q.udp = *udp;
	q.ip.tot_len = htons(sizeof(q.ip) + sizeof(q.udp));
	memcpy(&q.ip.saddr, src->bytes, 4);
	memcpy(&q.ip.daddr, dst->bytes, 4);
	q.ip.check = checksum(&q.ip, sizeof(q.ip));
	q.icmp.checksum = checksum(&q, sizeof(q));
	(void)send(fd, &q, sizeof(q), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The kernel does the checksum (RFC 3542 section 3.1). */
static void send6(int fd, uint8_t code, const struct addr *src,
		  const struct addr *dst, const struct udphdr *udp)
{
	struct quoted6 q = { .icmp = { .icmp6_type = ICMP6_DST_UNREACH,
				       .icmp6_code = code },
			     .udp = *udp };

	q.ip.ip6_vfc = 6 << 4;
	q.ip.ip6_plen = htons(sizeof(q.udp));
	q.ip.ip6_nxt = IPPROTO_UDP;
	q.ip.ip6_hlim = 64;
	memcpy(&q.ip.ip6_src, src->bytes, sizeof(q.ip.ip6_src));
	memcpy(&q.ip.ip6_dst, dst->bytes, sizeof(q.ip.ip6_dst));
	(void)send(fd, &q, sizeof(q), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void unreachable_send(int fd, int error, const struct addr *src,
		      uint16_t src_port, const struct addr *dst,
		      uint16_t dst_port)
{
	const struct udphdr udp = { .source = htons(src_port),
				    .dest = htons(dst_port),
				    .len = htons(sizeof(udp)) };

	for (size_t i = 0; fd >= 0 && i < sizeof(codes) / sizeof(codes[0]);
	     i++) {
		if (codes[i].error != error)
			continue;
		if (dst->family == AF_INET)
			send4(fd, codes[i].code4, src, dst, &udp);
		else
			send6(fd, codes[i].code6, src, dst, &udp);
	}
}
