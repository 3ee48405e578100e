/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a profile from its file; only library.c needs this. */
#ifndef PROFILES_SOURCE_H
#define PROFILES_SOURCE_H

#include <sys/stat.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/library.h"

/* Opens a regular file of bearable size and asks fstat(2).  Returns the
 * descriptor; -ENOENT if there is no such file (a link to nothing is another
 * error: a profile of less weight must not take its place). */
int source_open(const char *path, struct stat *st, struct err *e);
/* Reads it, unless somebody else could have written it.  fd stays the
 * caller's. */
int source_read(int fd, const struct stat *st, struct arena *a,
		const char *path, bool shipped, struct library_file *ret,
		struct err *e);

#endif
