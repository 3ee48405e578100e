/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that run outside the sandbox and are found by PATH: never one that
 * the command could have put there. */
#ifndef LAUNCHER_SEARCHPATH_H
#define LAUNCHER_SEARCHPATH_H

#include "common/arena.h"
#include "common/err.h"
#include "profiles/grants.h"

struct searchpath {
	const char *program; /* absolute, the folder's links followed */
	/* Ours, with a PATH of the folders that are left: what the program
	 * starts is found in them, too. */
	char **envp;
};

/* Relative folders of PATH and those that g lets the command write are passed
 * over.  -ENOENT: in none of the folders; -EPERM: only in one of those passed
 * over. */
int searchpath_find(struct arena *a, const char *name, const struct grants *g,
		    struct searchpath *ret, struct err *e);

#endif
