/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE (64u << 10)

struct arena_block {
	struct arena_block *before;
	size_t used;
	size_t size;
	max_align_t data[];
};

static struct arena_block *new_block(struct arena *a, size_t need)
{
	size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE;
	struct arena_block *b;

	if (size > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->used = 0;
	b->size = size;
	/* A big block goes behind the one that still has room. */
	if (a->last && need > BLOCK_SIZE / 4) {
		b->before = a->last->before;
		a->last->before = b;
	} else {
		b->before = a->last;
		a->last = b;
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	const size_t align = sizeof(max_align_t);
	struct arena_block *b = a->last;
	size_t need;
	void *p;

	if (__builtin_mul_overflow(n, size, &need) ||
	    __builtin_add_overflow(need, align - 1, &need))
		return NULL;
	need -= need % align;
	if (!b || b->size - b->used < need)
		b = new_block(a, need);
	if (!b)
		return NULL;
	p = (char *)b->data + b->used;
	b->used += need;
	return memset(p, 0, need);
}

char *arena_copy(struct arena *a, const char *text, size_t len)
{
	char *p = len < SIZE_MAX ? arena_alloc(a, len + 1, 1) : NULL;

	if (p && len > 0)
		memcpy(p, text, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_copy(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	va_list again;
	char *p = NULL;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	if (len >= 0)
		p = arena_alloc(a, (size_t)len + 1, 1);
	if (p)
		(void)vsnprintf(p, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(args);
	return p;
}

void *arena_grow(struct arena *a, void *array, size_t n, size_t *room,
		 size_t size)
{
	size_t more = *room ? *room * 2 : 8;
	void *p;

	if (n < *room)
		return array;
	p = arena_alloc(a, more, size);
	if (!p)
		return NULL;
	if (n > 0)
		memcpy(p, array, n * size);
	*room = more;
	return p;
}

void arena_free(struct arena *a)
{
	while (a->last) {
		struct arena_block *b = a->last;

		a->last = b->before;
		free(b);
	}
}
