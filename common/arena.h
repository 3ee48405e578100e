/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is freed all at once: what a profile is made of is never freed
 * piece by piece.  Not for secrets. */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *last; /* zero-initialised: empty */
};

/* Zeroed, aligned for any type; NULL without memory. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
/* A NUL-terminated copy of len bytes. */
char *arena_copy(struct arena *a, const char *text, size_t len);
char *arena_strdup(struct arena *a, const char *text);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a,
							 const char *fmt, ...);
/* An array grown by doubling: returns it with room for one more element of
 * size bytes behind the n there are, moved if need be; NULL without memory. */
void *arena_grow(struct arena *a, void *array, size_t n, size_t *room,
		 size_t size);
void arena_free(struct arena *a);

#endif
