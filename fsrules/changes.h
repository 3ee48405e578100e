/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that something outside would execute or trust later: a stamp of them
 * at the start, and what is new or changed at the end.  Not a protection: a
 * list for the person who reads the summary.
 */
#ifndef FSRULES_CHANGES_H
#define FSRULES_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/grants.h"

struct changes;

/* Looks through the writable grants (bounded in depth, number and time).  The
 * grants are borrowed until changes_free(). */
int changes_begin(const struct grants *g, const char *home,
		  struct changes **ret, struct err *e);
struct change {
	const char *path;
	const char *why; /* "run by git", "read by direnv" ...; static */
	bool is_new;
};
/* The list lives in the arena, sorted by path; at most max items, *ret_more how
 * many are left out.  Once; 0 or -ENOMEM. */
int changes_end(struct changes *c, struct arena *a, struct change **ret,
		size_t *ret_n, size_t max, size_t *ret_more);
void changes_free(struct changes *c); /* NULL is fine */

#endif
