/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address values and the table of destinations that are never permitted.
 * The table is data on purpose: every range names the reason that the user
 * reads, and a test walks its edges.
 */
#include "common/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define NEVER_METADATA "cloud metadata address"
#define NEVER_LINK     "reserved for the sandbox's own link"

struct range {
	uint8_t family;
	uint8_t prefix_len;
	uint8_t bytes[16];
	const char *reason;
};

/* Single addresses first: their reason says more than that of the range.
 * The sandbox's own link uses 192.0.0.0/29 (RFC 7335) and 2001:2::/64 out of
 * the benchmarking range (RFC 5180). */
static const struct range never[] = {
	{ AF_INET, 32, { 169, 254, 169, 254 }, NEVER_METADATA },
	{ AF_INET, 32, { 168, 63, 129, 16 }, NEVER_METADATA },	 /* Azure */
	{ AF_INET, 32, { 100, 100, 100, 200 }, NEVER_METADATA }, /* Alibaba */
	{ AF_INET, 32, { 192, 0, 0, 192 }, NEVER_METADATA },	 /* Oracle */
	{ AF_INET, 32, { 255, 255, 255, 255 }, "broadcast address" },
	{ AF_INET, 8, { 0 }, "address of \"this network\"" },
	{ AF_INET, 8, { 127 }, "loopback address" },
	{ AF_INET, 16, { 169, 254 }, "link-local address" },
	{ AF_INET, 29, { 192, 0, 0, 0 }, NEVER_LINK },
	{ AF_INET, 4, { 224 }, "multicast address" },
	{ AF_INET, 4, { 240 }, "reserved address" },
	{ AF_INET6,
	  128,
	  { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54 },
	  NEVER_METADATA }, /* AWS */
	{ AF_INET6,
	  128,
	  { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54 },
	  NEVER_METADATA }, /* Google */
	{ AF_INET6, 128, { 0 }, "unspecified address" },
	{ AF_INET6, 128, { [15] = 1 }, "loopback address" },
	{ AF_INET6, 10, { 0xfe, 0x80 }, "link-local address" },
	{ AF_INET6, 10, { 0xfe, 0xc0 }, "site-local address" },
	{ AF_INET6, 8, { 0xff }, "multicast address" },
	{ AF_INET6, 96, { 0 }, "IPv4-compatible address" },
	{ AF_INET6, 96, { [10] = 0xff, 0xff }, "IPv4-mapped address" },
	{ AF_INET6, 96, { [8] = 0xff, 0xff }, "IPv4-translated address" },
	{ AF_INET6, 96, { 0x00, 0x64, 0xff, 0x9b }, "NAT64 address" },
	{ AF_INET6,
	  48,
	  { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 },
	  "NAT64 address" }, /* RFC 8215 */
	{ AF_INET6, 16, { 0x20, 0x02 }, "6to4 address" },
	{ AF_INET6, 32, { 0x20, 0x01, 0x00, 0x00 }, "Teredo address" },
	{ AF_INET6, 64, { 0x01, 0x00 }, "discard-only address" },
	{ AF_INET6, 48, { 0x20, 0x01, 0x00, 0x02 }, NEVER_LINK },
};

/* IANA's special-purpose registries: not globally reachable.  Without the
 * blocks for documentation, at which nothing answers. */
static const struct range private[] = {
	{ AF_INET, 8, { 10 }, "private address" },
	{ AF_INET, 12, { 172, 16 }, "private address" },
	{ AF_INET, 16, { 192, 168 }, "private address" },
	{ AF_INET, 10, { 100, 64 }, "carrier-grade NAT address" },
	{ AF_INET, 24, { 192, 0, 0 }, "protocol assignment" },
	{ AF_INET, 24, { 192, 88, 99 }, "6to4 relay address" },
	{ AF_INET, 15, { 198, 18 }, "benchmarking address" },
	{ AF_INET6, 7, { 0xfc }, "unique local address" },
	{ AF_INET6, 16, { 0x5f, 0x00 }, "segment routing address" },
};

bool addr_parse(const char *text, struct addr *ret)
{
	struct in_addr v4;
	struct in6_addr v6;

	/* inet_pton() refuses leading zeros (POSIX leaves them open). */
	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret = addr_v4(&v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		*ret = addr_v6(&v6);
		return true;
	}
	return false;
}

const char *addr_format(const struct addr *a, char buf[static ADDR_TEXT_MAX])
{
	if (!inet_ntop(a->family, a->bytes, buf, ADDR_TEXT_MAX))
		buf[0] = '\0';
	return buf;
}

const char *addr_format_port(const struct addr *a, uint16_t port,
			     char buf[static ADDR_PORT_TEXT_MAX])
{
	bool v6 = a->family == AF_INET6;
	char text[ADDR_TEXT_MAX];

	(void)snprintf(buf, ADDR_PORT_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "",
		       addr_format(a, text), v6 ? "]" : "", (unsigned)port);
	return buf;
}

bool addr_is_sound(const struct addr *a)
{
	static const uint8_t none[sizeof(a->bytes) - 4];

	return a->family == AF_INET6 ||
	       (a->family == AF_INET &&
		memcmp(a->bytes + 4, none, sizeof(none)) == 0);
}

struct addr addr_v4(const void *bytes4)
{
	struct addr a = { .family = AF_INET };

	memcpy(a.bytes, bytes4, 4);
	return a;
}

struct addr addr_v6(const void *bytes16)
{
	struct addr a = { .family = AF_INET6 };

	memcpy(a.bytes, bytes16, 16);
	return a;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

bool addr_in_network(const struct addr *a, const struct addr *base,
		     unsigned prefix_len)
{
	return a->family == base->family && prefix_len <= 8 * addr_len(a) &&
	       same_prefix(a->bytes, base->bytes, prefix_len);
}

size_t addr_len(const struct addr *a)
{
	return a->family == AF_INET6 ? 16 : 4;
}

const char *addr_never(const struct addr *a)
{
	return addr_never_network(a, (unsigned)(8 * addr_len(a)));
}

static const char *reason_in(const struct range *ranges, size_t n,
			     const struct addr *base, unsigned prefix_len)
{
	for (const struct range *r = ranges; r < ranges + n; r++)
		if (r->family == base->family && r->prefix_len <= prefix_len &&
		    same_prefix(base->bytes, r->bytes, r->prefix_len))
			return r->reason;
	return NULL;
}

/* RFC 5214 6.1: an interface identifier that ends in an IPv4 address. */
static bool is_isatap(const struct addr *base, unsigned prefix_len)
{
	static const uint8_t ours[] = { 0x00, 0x00, 0x5e, 0xfe };
	static const uint8_t global[] = { 0x02, 0x00, 0x5e, 0xfe };

	return base->family == AF_INET6 && prefix_len >= 96 &&
	       (memcmp(base->bytes + 8, ours, sizeof(ours)) == 0 ||
		memcmp(base->bytes + 8, global, sizeof(global)) == 0);
}

const char *addr_never_network(const struct addr *base, unsigned prefix_len)
{
	const char *reason = reason_in(never, sizeof(never) / sizeof(never[0]),
				       base, prefix_len);

	return !reason && is_isatap(base, prefix_len) ? "ISATAP address"
						      : reason;
}

const char *addr_private(const struct addr *a)
{
	return reason_in(private, sizeof(private) / sizeof(private[0]), a,
			 (unsigned)(8 * addr_len(a)));
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port,
			   struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == AF_INET6) {
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
					     .sin6_port = htons(port) };

		memcpy(&sin6.sin6_addr, a->bytes, 16);
		memcpy(ss, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}

	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port) };

	memcpy(&sin.sin_addr, a->bytes, 4);
	memcpy(ss, &sin, sizeof(sin));
	return sizeof(sin);
}

bool addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *ret,
			uint16_t *ret_port)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	switch (ss->ss_family) {
	case AF_INET:
		memcpy(&sin, ss, sizeof(sin));
		*ret = addr_v4(&sin.sin_addr);
		*ret_port = ntohs(sin.sin_port);
		return true;
	case AF_INET6:
		memcpy(&sin6, ss, sizeof(sin6));
		*ret = IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr)
			       ? addr_v4(&sin6.sin6_addr.s6_addr[12])
			       : addr_v6(&sin6.sin6_addr);
		*ret_port = ntohs(sin6.sin6_port);
		return true;
	default:
		return false;
	}
}
