/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internationalised labels; only hostname.c needs this. */
#ifndef PROFILES_IDNA_H
#define PROFILES_IDNA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* UTF-8 to A-labels by UTS 46, non-transitional; also turns U+3002 and its kin
 * into dots.  The result is not yet checked as a host name.  Returns 0 or
 * -EINVAL with the reason, also if the library is missing. */
int idna_to_ascii(const char *text, char *out, size_t size, struct err *e);

/* True if what follows "xn--" in a lower-case label decodes (RFC 3492) and has
 * at least one code point outside ASCII. */
bool idna_punycode_valid(const uint8_t *p, size_t len);

#endif
