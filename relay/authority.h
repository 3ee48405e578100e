/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host and port that a request names (RFC 9110 7.2, RFC 3986 3.2). */
#ifndef RELAY_AUTHORITY_H
#define RELAY_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/hostname.h"

/* The longest text that authority_parse() takes: name, dot and port. */
#define AUTHORITY_TEXT_MAX (HOSTNAME_MAX + 1 + 6)

struct authority {
	char host[HOSTNAME_BUF]; /* canonical name, or address as text */
	bool is_address;	 /* IPv6 without brackets */
	uint16_t port;		 /* 0: not told */
};

/* name, IPv4 or [IPv6], then ":port" (1 to 65535, no leading zero) or nothing;
 * no user, no percent-encoding, no space, ASCII only.  Returns NULL, or what is
 * wrong and leaves *ret in pieces. */
const char *authority_parse(const char *text, size_t len,
			    struct authority *ret);

/* The same host, and the same port where one that is not told is fallback. */
bool authority_equal(const struct authority *a, const struct authority *b,
		     uint16_t fallback);

#endif
