/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pattern part of globs.h, taken apart; for globs.c only. */
#ifndef PROFILES_GLOBPARTS_H
#define PROFILES_GLOBPARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define GLOB_PARTS_MAX 32 /* components from the first "*" on */

struct glob_part {
	const char *text; /* len bytes of the pattern */
	size_t len;
	bool any_depth; /* "**" */
	bool plain;	/* no "*" */
};

/* "**" never follows another one, nor is it the last. */
struct glob_parts {
	struct glob_part part[GLOB_PARTS_MAX + 1];
	unsigned n;
};

int glob_parts_parse(const char *pattern, struct glob_parts *ret,
		     struct err *e);
/* The parts that may match a name in the root: bit i for part i. */
uint64_t glob_parts_first(const struct glob_parts *p);
/* Of set, the parts that may match below name, bit n for a match of name
 * itself; *ret_deep has those that are there by way of "**". */
uint64_t glob_parts_advance(const struct glob_parts *p, uint64_t set,
			    const char *name, uint64_t *ret_deep);

#endif
