/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ~ and $NAME in paths and values of a profile. */
#ifndef PROFILES_VARS_H
#define PROFILES_VARS_H

#include <sys/types.h>

#include "common/arena.h"
#include "common/err.h"

struct vars {
	const char *home;    /* absolute */
	const char *workdir; /* absolute */
	uid_t uid;
	/* The environment that is asked for names: "NAME=value", ...  */
	char *const *environ;
};

/* Profile entries: any $NAME of the environment, then the built-in names; an
 * unknown one stays as it is.  $HOME is always home.  What a variable holds is
 * not expanded again.  -EINVAL for a variable that must be an absolute path
 * and is not, for ${NAME} and for ~user. */
int vars_expand(const struct vars *v, struct arena *a, const char *text,
		const char **ret, struct err *e);
/* Entries of groups: ~, $HOME, $TMPDIR; another $NAME must be set. */
int vars_expand_group(const struct vars *v, struct arena *a, const char *text,
		      const char **ret, struct err *e);
/* Values that are no paths (environment.set_vars, command_args): as
 * vars_expand(), but ${ and ~user are text like any other. */
int vars_expand_value(const struct vars *v, struct arena *a, const char *text,
		      const char **ret, struct err *e);

#endif
