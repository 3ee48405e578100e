/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv4 and IPv6 addresses as plain values. */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* family is AF_INET or AF_INET6; an IPv4 address fills bytes[0..3] in network
 * order and the rest is zero, so that equal addresses are equal bytes. */
struct addr {
	uint8_t family;
	uint8_t bytes[16];
};

#define ADDR_TEXT_MAX	   46 /* INET6_ADDRSTRLEN */
#define ADDR_PORT_TEXT_MAX (ADDR_TEXT_MAX + 8)

/* The strict forms of inet_pton() only: no octal, hex or short IPv4.
 * Returns false and leaves *ret alone if text is no address. */
bool addr_parse(const char *text, struct addr *ret);
const char *addr_format(const struct addr *a, char buf[static ADDR_TEXT_MAX]);
/* "192.0.2.1:443" or "[2001:db8::1]:443". */
const char *addr_format_port(const struct addr *a, uint16_t port,
			     char buf[static ADDR_PORT_TEXT_MAX]);

struct addr addr_v4(const void *bytes4);
struct addr addr_v6(const void *bytes16);
/* False for a struct that none of these functions makes: of another family, or
 * an IPv4 address with something behind it.  For what comes from elsewhere. */
bool addr_is_sound(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* True if a lies in base/prefix_len (bits; same family). */
bool addr_in_network(const struct addr *a, const struct addr *base,
		     unsigned prefix_len);
/* 4 or 16. */
size_t addr_len(const struct addr *a);

/* An address that is never a permitted destination, whatever names it:
 * unspecified and "this network", loopback, link-local, multicast, broadcast
 * and reserved, cloud metadata, and IPv6 forms that embed an IPv4 address
 * (mapped, compatible, NAT64, 6to4, Teredo, ISATAP).  Private ranges are not
 * among them.
 * Returns a short reason ("loopback address") or NULL. */
const char *addr_never(const struct addr *a);
/* The same for a network that lies wholly inside one such range; NULL for a
 * wider one that only contains some of them. */
const char *addr_never_network(const struct addr *base, unsigned prefix_len);
/* An address that means something else in every network (RFC 1918, RFC 4193,
 * RFC 6598, benchmarking ...): no stranger's name shall lead to it.  Returns a
 * short reason ("private address") or NULL. */
const char *addr_private(const struct addr *a);

/* Returns the length of the filled sockaddr. */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port,
			   struct sockaddr_storage *ss);
/* v4-mapped IPv6 becomes IPv4.  False if neither AF_INET nor AF_INET6. */
bool addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *ret,
			uint16_t *ret_port);

#endif
