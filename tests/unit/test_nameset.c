/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The set of patterns against a plain list of them, and what it costs. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/nameset.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int setup(void **state)
{
	struct nameset *s = calloc(1, sizeof(*s));

	*state = s;
	return s ? nameset_init(s) : -1;
}

static int teardown(void **state)
{
	nameset_done(*state);
	free(*state);
	return 0;
}

static int add(struct nameset *s, enum pattern_kind kind, const char *name,
	       uint16_t port)
{
	struct pattern p = { .kind = kind, .port = port };

	assert_true(strlen(name) < sizeof(p.name));
	memcpy(p.name, name, strlen(name) + 1);
	return nameset_add(s, &p);
}

static void test_empty(void **state)
{
	struct nameset *s = *state;
	struct name_match m;

	nameset_match(s, "x.test", &m);
	assert_null(m.rule);
	assert_int_equal(nameset_seal(s), 0);
	assert_int_equal(add(s, PATTERN_INERT, "x.test", 0), 0);
	assert_int_equal(s->n, 0);
	nameset_match(s, "x.test", &m);
	assert_null(m.rule);
}

/* Names that are none of a canonical form do no harm. */
static void test_odd_names(void **state)
{
	struct name_match m;
	char dots[600];

	memset(dots, '.', sizeof(dots) - 1);
	dots[sizeof(dots) - 1] = '\0';
	assert_int_equal(add(*state, PATTERN_BELOW, "", 0), 0);
	assert_int_equal(add(*state, PATTERN_BELOW, "test", 0), 0);
	nameset_match(*state, dots, &m);
	assert_null(m.rule);
	nameset_match(*state, dots + sizeof(dots) - 254, &m);
	assert_null(m.rule);
	nameset_match(*state, "*.test:443", &m);
	assert_string_equal(m.rule, "*");
}

/* One key in four kinds, each for itself. */
static void test_kinds(void **state)
{
	struct name_match m;

	assert_int_equal(add(*state, PATTERN_EXACT, "x.test", 1), 0);
	assert_int_equal(add(*state, PATTERN_BELOW, "x.test", 2), 0);
	assert_int_equal(add(*state, PATTERN_SUFFIX, "x.test", 3), 0);
	assert_int_equal(add(*state, PATTERN_BELOW, "", 4), 0);
	nameset_match(*state, "x.test", &m);
	assert_string_equal(m.rule, "x.test:1");
	assert_int_equal(m.n, 3);
	nameset_match(*state, "a.x.test", &m);
	assert_string_equal(m.rule, "*.x.test:2");
	assert_int_equal(m.n, 3);
	assert_int_equal(m.port[0], 2);
	nameset_match(*state, "ax.test", &m);
	assert_string_equal(m.rule, "*x.test:3");
	assert_int_equal(m.n, 2);
	nameset_match(*state, "test", &m);
	assert_string_equal(m.rule, "*:4");
	assert_null(m.whole);
	assert_int_equal(add(*state, PATTERN_BELOW, "", 0), 0);
	nameset_match(*state, "test", &m);
	assert_string_equal(m.rule, "*:4");
	assert_string_equal(m.whole, "*");
}

static void check_order(const struct nameset *s)
{
	struct name_match m;

	for (int i = 0; i < 2000; i++) {
		char name[32];
		char text[48];

		(void)snprintf(name, sizeof(name), "h%d.test", i);
		(void)snprintf(text, sizeof(text), "%s:7", name);
		nameset_match(s, name, &m);
		assert_string_equal(m.rule, text);
		assert_string_equal(m.whole, name);
		assert_int_equal(m.n, 2);
		assert_string_equal(nameset_text(s, (size_t)i * 3), text);
		(void)snprintf(name, sizeof(name), "g%d.test", i);
		nameset_match(s, name, &m);
		assert_null(m.rule);
	}
}

/* The first of a key names it, however often the table has grown, and in
 * whatever order the texts are. */
static void test_order(void **state)
{
	struct nameset *s = *state;
	char name[32];

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "h%d.test", i);
		assert_int_equal(add(s, PATTERN_EXACT, name, 7), 0);
		assert_int_equal(add(s, PATTERN_EXACT, name, 3), 0);
		assert_int_equal(add(s, PATTERN_EXACT, name, 7), 0);
		assert_int_equal(add(s, PATTERN_EXACT, name, 0), 0);
	}
	assert_int_equal(s->n, 6000);
	check_order(s);
	assert_int_equal(nameset_seal(s), 0);
	check_order(s);
	assert_int_equal(nameset_seal(s), 0);
	assert_int_equal(add(s, PATTERN_EXACT, "new.test", 0), -EROFS);
	assert_int_equal(s->n, 6000);
}

/* A name is not taken for one that begins like it, even where byte and slot of
 * the hash agree: with another key each time, they do now and then. */
static void test_prefixes(void **state)
{
	(void)state;
	for (int i = 0; i < 40000; i++) {
		struct nameset s;
		struct name_match m;

		assert_int_equal(nameset_init(&s), 0);
		assert_int_equal(add(&s, PATTERN_EXACT, "x.testa", 0), 0);
		if (i % 2)
			assert_int_equal(nameset_seal(&s), 0);
		nameset_match(&s, "x.test", &m);
		assert_null(m.rule);
		nameset_match(&s, "x.testab", &m);
		assert_null(m.rule);
		nameset_done(&s);
	}
}

/* Every length of suffix at once: more questions than one batch holds. */
static void test_many_questions(void **state)
{
	struct name_match m;
	char name[HOSTNAME_BUF] = "";

	for (int i = 0; i < 60; i++)
		memcpy(name + 2 * i, "a.", 2);
	memcpy(name + 120, "b", 2);
	for (uint16_t i = 0; i < 60; i++) {
		assert_int_equal(
			add(*state, PATTERN_BELOW, name + 120 - 2 * i, 0), 0);
		assert_int_equal(add(*state, PATTERN_SUFFIX, name + 120 - 2 * i,
				     (uint16_t)(i + 1)),
				 0);
	}
	assert_int_equal(nameset_seal(*state), 0);
	nameset_match(*state, name, &m);
	assert_int_equal(m.n, 60);
	assert_int_equal(m.port[59], 60);
	assert_false(m.cut);
	/* The longest suffix is the most specific. */
	assert_int_equal(strlen(m.rule), 2 + strlen(name) - 2);
}

static void test_ports_limit(void **state)
{
	struct name_match m;

	for (uint16_t i = 1; i <= NAME_PORTS_MAX; i++)
		assert_int_equal(add(*state, PATTERN_EXACT, "x.test", i), 0);
	assert_int_equal(add(*state, PATTERN_EXACT, "x.test", 99), -ENOSPC);
	assert_int_equal(add(*state, PATTERN_EXACT, "x.test", 1), 0);
	nameset_match(*state, "x.test", &m);
	assert_int_equal(m.n, NAME_PORTS_MAX);
	assert_false(m.cut);
	assert_int_equal(add(*state, PATTERN_BELOW, "", 99), 0);
	nameset_match(*state, "x.test", &m);
	assert_true(m.cut);
}

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static size_t resident_bytes(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	size_t pages = 0;

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sscanf(text, "%*u %zu", &pages), 1);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A million names of a usual length; the sanitizers keep books of their own. */
static void test_memory(void **state)
{
	const size_t n = 1000000;
	struct nameset *s = *state;
	size_t before = resident_bytes();
	char name[64];

	if (SANITIZED)
		skip();
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "host%zu.example-%zu.com",
			       i % 1000, i);
		assert_int_equal(
			add(s, i % 5 ? PATTERN_EXACT : PATTERN_BELOW, name, 0),
			0);
	}
	assert_int_equal(s->n, n);
	assert_in_range((resident_bytes() - before) / n, 1, 63);
	assert_int_equal(nameset_seal(s), 0);
	assert_in_range((resident_bytes() - before) / n, 1, 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SET_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		SET_TEST(test_memory),	       SET_TEST(test_empty),
		SET_TEST(test_odd_names),      SET_TEST(test_kinds),
		SET_TEST(test_order),	       cmocka_unit_test(test_prefixes),
		SET_TEST(test_many_questions), SET_TEST(test_ports_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
