/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For changes.c: which files something outside executes or trusts, and where
 * they are. */
#ifndef FSRULES_TRUSTED_H
#define FSRULES_TRUSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "profiles/grants.h"

enum {
	TRUSTED_PLACE = 1, /* in a project, or anything else that is granted */
	TRUSTED_HOME = 2,
	TRUSTED_GIT = 4, /* a configuration of git: only what runs commands */
};

struct trusted_pattern {
	const char *path; /* "*": any name, "**" at the end: all files below */
	const char *why;
	unsigned flags;
};

#define TRUSTED_BY_GIT	     "run by git"
#define TRUSTED_PATTERNS_MAX 128
extern const struct trusted_pattern trusted_patterns[];
extern const size_t trusted_patterns_n;

/* A file that is there, and that the grants make writable; more than once for
 * the same one is possible.  0, or -errno to end the search. */
typedef int trusted_fn(void *arg, const char *path,
		       const struct trusted_pattern *p);

/* walk_ms: how long folders below writable ones are walked through.
 * *ret_cut: this or another bound was reached. */
int trusted_find(const struct grants *g, const char *home, unsigned walk_ms,
		 trusted_fn *fn, void *arg, bool *ret_cut);

/* The same for all files of one folder, as hooks of git. */
int trusted_hooks(const struct grants *g, const char *home, const char *folder,
		  trusted_fn *fn, void *arg);

#endif
