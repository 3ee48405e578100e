/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names, their references, and the addresses of their last answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "launcher/names.h"

#define LIMIT 65536 /* NAMES_MAX */

static int setup(void **state)
{
	return names_new((struct names **)state);
}

static int teardown(void **state)
{
	names_free(*state);
	return 0;
}

static struct addr address(const char *prefix, unsigned i)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s%u", prefix, i);
	assert_true(addr_parse(text, &a));
	return a;
}

static size_t count(const struct name *n)
{
	size_t i = 0;

	while (name_address(n, i))
		i++;
	return i;
}

static void test_identity(void **state)
{
	static const char rule[] = "*.example.com";
	struct names *ns = *state;
	struct name *a = names_get(ns, "a.example.com", rule);
	struct name *b = names_get(ns, "b.example.com", rule);

	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(names_get(ns, "a.example.com", rule), a);
	assert_string_equal(name_text(a), "a.example.com");
	assert_ptr_equal(name_rule(a), rule);
	assert_null(name_address(a, 0));

	names_release(ns, a);
	names_release(ns, b);
	/* One reference to a is left. */
	assert_string_equal(name_text(a), "a.example.com");
	names_release(ns, a);
}

/* The last release forgets the addresses. */
static void test_references(void **state)
{
	struct names *ns = *state;
	struct name *n = names_get(ns, "a.example.com", "r");
	struct addr a = address("192.0.2.", 1);

	assert_non_null(n);
	names_set_addresses(n, &a, 1, 1);
	names_hold(n);
	names_release(ns, n);
	assert_true(name_has_address(n, &a));
	assert_ptr_equal(names_get(ns, "a.example.com", "r"), n);
	names_release(ns, n);
	names_release(ns, n);

	n = names_get(ns, "a.example.com", "r");
	assert_non_null(n);
	assert_int_equal(count(n), 0);
	names_release(ns, n);
}

static void test_addresses(void **state)
{
	struct names *ns = *state;
	struct name *n = names_get(ns, "a.example.com", "r");
	struct addr v4[3], v6[2], other = address("192.0.2.", 9);

	assert_non_null(n);
	for (unsigned i = 0; i < 3; i++)
		v4[i] = address("192.0.2.", i + 1);
	for (unsigned i = 0; i < 2; i++)
		v6[i] = address("2001:db8::", i + 1);

	/* Only what was granted. */
	names_set_addresses(n, v4, 3, 0x5);
	assert_int_equal(count(n), 2);
	assert_true(name_has_address(n, &v4[0]));
	assert_false(name_has_address(n, &v4[1]));
	assert_true(name_has_address(n, &v4[2]));

	/* The other family stays. */
	names_set_addresses(n, v6, 2, 0x3);
	assert_int_equal(count(n), 4);
	assert_true(name_has_address(n, &v4[0]));
	assert_true(name_has_address(n, &v6[1]));

	/* A new answer replaces the old one of its family. */
	names_set_addresses(n, &other, 1, 1);
	assert_int_equal(count(n), 3);
	assert_false(name_has_address(n, &v4[0]));
	assert_true(name_has_address(n, &other));
	assert_true(name_has_address(n, &v6[0]));

	/* Nothing granted: none of the family is left. */
	names_set_addresses(n, v6, 2, 0);
	assert_int_equal(count(n), 1);
	names_set_addresses(n, v4, 3, 0);
	assert_int_equal(count(n), 0);
	names_release(ns, n);
}

/* Answers of 64, of both families, over and over: the room is bounded. */
static void test_many_addresses(void **state)
{
	struct names *ns = *state;
	struct name *n = names_get(ns, "a.example.com", "r");
	struct addr v4[64], v6[64], mixed[64];

	assert_non_null(n);
	for (unsigned i = 0; i < 64; i++) {
		v4[i] = address("192.0.2.", i);
		v6[i] = address("2001:db8::", i);
		mixed[i] = i % 2 ? v4[i] : v6[i];
	}
	for (int round = 0; round < 3; round++) {
		names_set_addresses(n, v4, 64, UINT64_MAX);
		names_set_addresses(n, v6, 64, UINT64_MAX);
		names_set_addresses(n, mixed, 64, UINT64_MAX);
		assert_true(count(n) <= 16);
	}
	/* The last bit counts. */
	names_set_addresses(n, v4, 64, 1ULL << 63);
	assert_true(name_has_address(n, &v4[63]));
	assert_false(name_has_address(n, &v4[0]));
	names_release(ns, n);
}

/* A name above the limit is refused; one that is known is not, and one that
 * goes makes room. */
static void test_limit(void **state)
{
	struct names *ns = *state;
	struct name **all = calloc(LIMIT, sizeof(*all));
	struct name *again;
	char text[32];

	assert_non_null(all);
	for (unsigned i = 0; i < LIMIT; i++) {
		(void)snprintf(text, sizeof(text), "n%u.example", i);
		all[i] = names_get(ns, text, "*.example");
		assert_non_null(all[i]);
	}
	assert_null(names_get(ns, "one-more.example", "*.example"));
	again = names_get(ns, "n7.example", "*.example");
	assert_ptr_equal(again, all[7]);
	names_release(ns, again);
	assert_null(names_get(ns, "one-more.example", "*.example"));
	names_release(ns, all[7]);
	again = names_get(ns, "one-more.example", "*.example");
	assert_non_null(again);
	assert_null(names_get(ns, "n7.example", "*.example"));
	for (unsigned i = 0; i < LIMIT; i++)
		if (i != 7)
			names_release(ns, all[i]);
	names_release(ns, again);
	free(all);
}

/* names_free() takes what was not released; the sanitizer watches. */
static void test_free_all(void **state)
{
	struct names *ns = *state;
	char text[32];

	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "n%u.example", i);
		assert_non_null(names_get(ns, text, "*.example"));
	}
	names_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define NAMES_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		NAMES_TEST(test_identity),  NAMES_TEST(test_references),
		NAMES_TEST(test_addresses), NAMES_TEST(test_many_addresses),
		NAMES_TEST(test_limit),	    NAMES_TEST(test_free_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
