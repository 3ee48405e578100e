/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Absolute paths as text, and what they lead to. */
#ifndef PROFILES_PATHS_H
#define PROFILES_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/arena.h"

/* A symbolic link on the way. */
struct path_link {
	const char *path;   /* where it lies; nothing above it is a link */
	const char *target; /* its text */
	const struct path_link *next; /* the one met before it */
};

/* Where a path leads. */
struct place {
	const char *path;     /* as asked: absolute, normalised */
	const char *resolved; /* without links; from the first component on
			       * that cannot be looked at, as it is written */
	const struct path_link *links; /* the last one first */
	int error;		       /* 0, or errno: why it is not there */
	mode_t mode;		       /* of what is there */
};

/* True if path is dir or lies below it; component by component. */
bool path_covers(const char *dir, const char *path);
/* The length of the parent of the first len bytes of path: "/a/b" has "/a",
 * "/a" has "/", and behind "/" comes 0. */
size_t path_parent(const char *path, size_t len);

/* Without ".", "..", empty components and a slash at the end, by the text
 * alone.  path is absolute.  NULL without memory. */
char *path_normalise(struct arena *a, const char *path);

/* Follows an absolute path as the kernel does, ".." behind a link included.
 * /proc/self stays as it is, since it will be another process that looks
 * there; links below it are not followed.  -ENOMEM, else 0 with ret->error. */
int path_resolve(struct arena *a, const char *path, struct place *ret);

#endif
