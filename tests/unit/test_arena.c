/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that goes at once: alignment, zeroes, growth, sizes that overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Zeroed, aligned, and its own: filled, so that a later one that overlaps is
 * seen to be not zero. */
static unsigned char *take(struct arena *a, size_t n, size_t size)
{
	unsigned char *p = arena_alloc(a, n, size);

	assert_non_null(p);
	assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
	for (size_t i = 0; i < n * size; i++)
		assert_int_equal(p[i], 0);
	memset(p, 0xa5, n * size);
	return p;
}

static void test_alloc(void **state)
{
	static const size_t sizes[] = { 1,     0,     7,     16,    4096,
					16384, 16385, 65535, 65536, 65537,
					1,     60000, 5000,  200000 };
	unsigned char *p[N(sizes) * 20];
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < N(p); i++)
		p[i] = take(&a, 1, sizes[i % N(sizes)]);
	for (size_t i = 0; i < N(p); i++)
		for (size_t j = 0; j < sizes[i % N(sizes)]; j++)
			assert_int_equal(p[i][j], 0xa5);
	arena_free(&a);
	assert_null(a.last);
	arena_free(&a);
	(void)take(&a, 3, 5);
	arena_free(&a);
}

/* A big piece does not waste the room that is left in the block. */
static void test_big_piece(void **state)
{
	struct arena a = { 0 };
	unsigned char *first;
	unsigned char *second;

	(void)state;
	first = take(&a, 1, 64);
	(void)take(&a, 1, 1 << 20);
	second = take(&a, 1, 64);
	assert_ptr_equal(second, first + 64);
	arena_free(&a);
}

static void test_overflow(void **state)
{
	static const size_t cases[][2] = {
		{ SIZE_MAX, 1 },	 { SIZE_MAX, 2 },
		{ SIZE_MAX / 2 + 1, 2 }, { SIZE_MAX - 7, 1 },
		{ SIZE_MAX - 15, 1 },	 { SIZE_MAX - 31, 1 },
		{ (size_t)1 << 62, 8 },
	};
	struct arena a = { 0 };
	size_t room = 0;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_null(arena_alloc(&a, cases[i][0], cases[i][1]));
		(void)take(&a, 1, 1);
	}
	assert_null(arena_copy(&a, "", SIZE_MAX));
	assert_null(arena_grow(&a, NULL, 0, &room, SIZE_MAX / 2));
	assert_int_equal(room, 0);
	arena_free(&a);
}

static void test_text(void **state)
{
	struct arena a = { 0 };
	char *long_text = malloc(100001);
	char *p;

	(void)state;
	assert_non_null(long_text);
	memset(long_text, 'x', 100000);
	long_text[100000] = '\0';
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_string_equal(arena_copy(&a, "abcdef", 3), "abc");
	assert_string_equal(arena_copy(&a, NULL, 0), "");
	p = arena_copy(&a, "a\0b", 3);
	assert_memory_equal(p, "a\0b", 4);
	assert_string_equal(arena_printf(&a, "%s:%d", "f", 7), "f:7");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	p = arena_printf(&a, "<%s>", long_text);
	assert_int_equal(strlen(p), 100002);
	assert_string_equal(p + 100000, "x>");
	assert_string_equal(arena_strdup(&a, long_text), long_text);
	arena_free(&a);
	free(long_text);
}

static void test_grow(void **state)
{
	struct arena a = { 0 };
	uint32_t *array = NULL;
	size_t room = 0;
	size_t moves = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t *p = arena_grow(&a, array, i, &room, sizeof(*array));

		assert_non_null(p);
		assert_true(room > i);
		moves += p != array;
		array = p;
		assert_int_equal(array[i], 0);
		array[i] = i + 1;
	}
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(array[i], i + 1);
	assert_in_range(moves, 10, 20);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_big_piece),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
