/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host names in one canonical form: lower-case ASCII (A-labels for IDNA), no
 * trailing dot, labels of 1 to 63 bytes out of letters, digits, hyphen and
 * underscore, at most 253 bytes in all (RFC 1035 2.3.4, RFC 8552 for _).
 */
#ifndef PROFILES_HOSTNAME_H
#define PROFILES_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define HOSTNAME_MAX 253
#define HOSTNAME_BUF (HOSTNAME_MAX + 1)

/* From text (a profile, the command line, an SNI): folds case, drops one
 * trailing dot, converts U-labels by UTS 46 through libidn2 (loaded only when
 * a byte outside ASCII is present).  Returns 0 or -EINVAL with the reason. */
int hostname_from_text(const char *text, char ret[static HOSTNAME_BUF],
		       struct err *e);

/* From uncompressed labels in wire form (length byte, bytes, ..., 0), which
 * the caller has bounds-checked to at most 255 bytes in all.  False if a label
 * has a byte that is not a letter, digit, hyphen or underscore, or for the
 * root: such a name matches nothing. */
bool hostname_from_wire(const uint8_t *wire, char ret[static HOSTNAME_BUF]);

/* True if text looks like an IPv4 or IPv6 address in any spelling that a
 * resolver or URL parser might take for one (192.0.2.1, 0x7f.1, 2130706433,
 * [::1], ::1): such a text is never a name. */
bool hostname_looks_like_address(const char *text);

#endif
