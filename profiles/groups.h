/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy groups: named sets of grants and denials (profiles/policy/
 * groups.json), each written as a fragment of a profile. */
#ifndef PROFILES_GROUPS_H
#define PROFILES_GROUPS_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/decode.h"
#include "profiles/library.h"
#include "profiles/profile.h"

struct groups;

int groups_read(const struct library *l, const struct decode_context *c,
		struct groups **ret, struct err *e);

/* Replaces groups.include and groups.exclude of p by the effective list
 * (defaults, then include, less exclude) and returns a profile that has every
 * grant and denial of those groups, each with origin.group set, behind which p
 * itself is merged.  Errors: an unknown group in include, a required one in
 * exclude. */
int groups_apply(const struct groups *g, struct arena *a,
		 const struct profile *p, const struct profile *defaults,
		 struct profile **ret, struct err *e);

#endif
