/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For maskwatch.c: which places of a view depend on what the host has under
 * them. */
#ifndef FSRULES_MASKTARGETS_H
#define FSRULES_MASKTARGETS_H

#include "common/arena.h"
#include "fsrules/maskwatch.h"

struct mask_target {
	const char *path; /* in the view, and on the host */
	enum maskwatch_how how;
	/* The bound folder around it, by which the view holds on to what the
	 * host has. */
	const char *base;
};

/* Sorted: folders before what is in them.  0 or -ENOMEM. */
int mask_targets(const struct view_plan *plan, const struct grants *g,
		 struct arena *a, struct mask_target **ret, size_t *ret_n);

#endif
