/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a name or path to the whole profile: file, bases by `extends`,
 * platform_overrides, the implicit profile `default`, groups.
 */
#ifndef PROFILES_LOAD_H
#define PROFILES_LOAD_H

#include "common/arena.h"
#include "common/err.h"
#include "profiles/library.h"
#include "profiles/profile.h"
#include "profiles/when.h"

#define LOAD_DEPTH_MAX 10
#define LOAD_FILES_MAX 256 /* in all, one that is reached twice counted so */
#define LOAD_BYTES_MAX (8u << 20) /* of these files */

struct loader {
	struct arena *arena;
	const struct library *library;
	struct system_id os;
};

struct loaded {
	/* merged, without groups: what the files and the flags say */
	struct profile *profile;
	/* the same over the grants of its groups: what applies */
	struct profile *effective;
	const char *name; /* meta.name or the file's, for people */
	const char *path; /* of the file */
	bool shipped;	  /* a user-authored one if false */
};

int loader_init(struct loader *l, struct arena *a, const struct library *lib,
		struct err *e);

/* name: as --profile takes it, NULL for the shipped `default` alone, without
 * its groups of dangerous commands: what is run was just typed.  extends:
 * values of
 * --extends, put in front of the file's own (NULL-terminated, may be NULL).
 * flags: what the command line adds, merged last, or NULL. */
int load_profile(const struct loader *l, const char *name,
		 const char *const *extends, const struct profile *flags,
		 struct loaded *ret, struct err *e);

/* Says in *e, as an error, the first key that asks for something egress-run
 * does not do (EFFECT_REFUSED), or has too many entries. */
int load_check(struct arena *a, const struct profile *p, struct err *e);

#endif
