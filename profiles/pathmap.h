/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers by path: what is said of a path and of the folders above it is found
 * in one look-up a component, however many entries there are. */
#ifndef PROFILES_PATHMAP_H
#define PROFILES_PATHMAP_H

#include <stddef.h>

#include "common/arena.h"
#include "common/htab.h"

struct pathmap {
	struct htab table;
	struct arena *arena;
};

/* Returns 0 or -errno. */
int pathmap_init(struct pathmap *m, struct arena *a);
void pathmap_done(struct pathmap *m);

/* The number of the first len bytes of path under a tag, or NULL. */
size_t *pathmap_at(const struct pathmap *m, const char *path, size_t len,
		   unsigned tag);
/* The same of the whole path; one that is new has the number given.  NULL
 * without memory.  The map borrows path. */
size_t *pathmap_put(struct pathmap *m, const char *path, unsigned tag,
		    size_t number);
/* The numbers of path and of everything above it, OR-ed. */
size_t pathmap_above(const struct pathmap *m, const char *path, unsigned tag);

#endif
