/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules by which a child profile overlays its base. */
#ifndef PROFILES_MERGE_H
#define PROFILES_MERGE_H

#include "common/arena.h"
#include "common/err.h"
#include "profiles/profile.h"

/* A new profile; base and child stay as they are.  `extends` of either is
 * gone, notes of both are kept, ->override is NULL.  -ENOMEM. */
int merge_profiles(struct arena *a, const struct profile *base,
		   const struct profile *child, struct profile **ret,
		   struct err *e);

/* The same for what is no profile of its own (a fragment of
 * platform_overrides, the command line): without `meta` it leaves the base's
 * as it is. */
int merge_patch(struct arena *a, const struct profile *base,
		const struct profile *patch, struct profile **ret,
		struct err *e);

/* Appends an entry to a list unless one with the same name, text and content
 * is there. */
int merge_append(struct arena *a, struct field *f, const struct entry *item);

#endif
