/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors about an entry of the network part, with its place. */
#ifndef PROFILES_NETPLACE_H
#define PROFILES_NETPLACE_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/profile.h"

static inline bool origin_is_flag(const struct origin *o)
{
	return o->line == 0;
}

/* *e = why, with place and key in front of it; returns -why->code.  Messages
 * about flags quote the value and need no place. */
int netplace_error(struct arena *a, const struct origin *o, const char *path,
		   const struct err *why, struct err *e);

#endif
