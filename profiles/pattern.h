/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of one allowlist entry; what it says is in allowlist.h.  Only
 * profiles/ and the summary of blocked names need this. */
#ifndef PROFILES_PATTERN_H
#define PROFILES_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "profiles/hostname.h"

enum pattern_kind {
	PATTERN_EXACT,	/* "x.y" */
	PATTERN_BELOW,	/* "*.x.y"; "*" with an empty name */
	PATTERN_SUFFIX, /* "*x.y": every name that ends so, "evilx.y" too */
	PATTERN_INERT,	/* matches nothing */
};

struct pattern {
	enum pattern_kind kind;
	uint16_t port;		 /* 0: any of TCP */
	bool udp;		 /* the port is of UDP */
	char name[HOSTNAME_BUF]; /* without "*." or "*" */
};

/* Whom the text is read for.  The command line and files of names are read
 * strictly; entries of a profile mean what nono takes them for. */
enum pattern_reader {
	PATTERN_FOR_FLAG,
	PATTERN_FOR_PROFILE,
	PATTERN_FOR_DENIAL,	    /* from the command line */
	PATTERN_FOR_PROFILE_DENIAL, /* from a profile */
};

/* Strict: PATTERN_EXACT or PATTERN_BELOW.  Returns 0 or -EINVAL with a message
 * that quotes text and says what would be right. */
int pattern_parse(const char *text, struct pattern *ret, struct err *e);

/* The same as reader wants it.  note->msg, empty on entry, is filled when the
 * entry is accepted but means less, or more, than its writer may think. */
int pattern_parse_as(enum pattern_reader reader, const char *text,
		     struct pattern *ret, struct err *note, struct err *e);

/* True for text that is or resembles an address or network, with or without a
 * port: it is none of a name. */
bool pattern_is_address(const char *text);

/* Cuts "/udp" off the end of text.  True if it was there. */
bool pattern_take_udp(char *text);
/* Of an entry that allows: -EINVAL with a message if that UDP port is not to
 * be had.  what says what text is: "pattern". */
int pattern_check_udp(const char *what, const char *text, uint16_t port,
		      struct err *e);

/* A decimal number in its one spelling: no sign, no leading zero. */
bool pattern_number(const char *text, unsigned min, unsigned max,
		    unsigned *ret);

#endif
