/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in a profile a value stands, in the words of messages:
 * "network.allow_domain[3].endpoints[0]". */
#ifndef PROFILES_PLACE_H
#define PROFILES_PLACE_H

#include <stddef.h>

struct place {
	const struct place *up; /* NULL: top level */
	const char *name;	/* NULL: an element of a list */
	size_t index;
};

#define PLACE_TEXT_MAX 256
/* The path, cut to size; "" for NULL. */
void place_text(const struct place *at, char *buf, size_t size);
/* Appends behind the first used bytes, cut to what fits; the new length. */
size_t place_add_text(char *buf, size_t size, size_t used, const char *text);

#endif
