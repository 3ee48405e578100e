/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of one allowlist entry, read strictly; what it says is in
 * allowlist.h.  Only allowlist.c and network.c need this. */
#ifndef PROFILES_PATTERN_H
#define PROFILES_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "profiles/hostname.h"

struct pattern {
	bool wildcard;
	uint16_t port;		 /* 0: any */
	char name[HOSTNAME_BUF]; /* without "*."; empty for "*" */
};

/* Returns 0 or -EINVAL with a message that quotes text and says what would be
 * right. */
int pattern_parse(const char *text, struct pattern *ret, struct err *e);

/* A decimal number in its one spelling: no sign, no leading zero. */
bool pattern_number(const char *text, unsigned min, unsigned max,
		    unsigned *ret);

/* True for the names of cloud metadata services (canonical form), which no
 * entry ever permits. */
bool pattern_is_never(const char *name);

#endif
