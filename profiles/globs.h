/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns of paths: "*" is any text within one component (a dot in front
 * included), "**" alone between slashes any number of folders.  Everything in
 * front of the first component with a "*" is a plain path.  "?" and "[" from
 * there on are refused.
 */
#ifndef PROFILES_GLOBS_H
#define PROFILES_GLOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/paths.h"

/* Of all patterns of one run. */
#define GLOB_MATCHES_MAX 100000
#define GLOB_VISITS_MAX	 5000000 /* folders opened and entries looked at */
#define GLOB_DEPTH_MAX	 128	 /* folders below the root */

struct glob_matches {
	struct place *items; /* sorted by path */
	size_t n, room;
};

/* What was spent; zero in the beginning. */
struct glob_budget {
	size_t matches;
	size_t visits;
};

struct glob {
	struct glob_budget *budget;
	const char *root;    /* the plain part: an absolute path */
	const char *pattern; /* the rest, from the first component with "*" */
	/* A folder that matches stands for all below it: only links are
	 * looked for there. */
	bool covers;
	/* A folder below the root that cannot be listed is a match. */
	bool unlistable;
};

/* True for a text that is a pattern. */
bool glob_is(const char *text);
/* Where the pattern part of such a text begins. */
size_t glob_split(const char *text);
/* Appends what matches now; links are followed where a component other than
 * "**" matches them.  A root that is not there has no matches.  -EINVAL
 * with what is wrong with the pattern, -E2BIG past a bound. */
int glob_expand(const struct glob *g, struct arena *a, struct glob_matches *ret,
		struct err *e);

#endif
