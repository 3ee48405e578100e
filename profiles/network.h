/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of one literal address or network; only allowlist.c needs this. */
#ifndef PROFILES_NETWORK_H
#define PROFILES_NETWORK_H

#include "common/err.h"
#include "profiles/allowlist.h"

/* Fills all but ret->text.  Returns 0 or -EINVAL with a message that quotes
 * text and says what would be right. */
int network_parse(const char *text, struct allow_network *ret, struct err *e);
/* The same for an entry that denies: addresses that are never permitted are
 * fine, and IPv4 in IPv6 clothes is IPv4. */
int network_parse_denied(const char *text, struct allow_network *ret,
			 struct err *e);

#endif
