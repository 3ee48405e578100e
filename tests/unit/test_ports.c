/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "profiles/ports.h"

static struct port_range parsed(const char *text)
{
	struct port_range r = { 0, 0 };

	assert_true(port_range_parse(text, &r));
	return r;
}

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"",	   "0",		  "65536", "-1",    "1-",   "-",  "9-8",
		"1-65536", "1-2-3",	  " 1",	   "1 ",    "0x10", "+1", "1.0",
		"80,81",   "99999999999", "0-5",   "1 - 2", "http"
	};
	struct port_range r;

	(void)state;
	assert_int_equal(parsed("1").first, 1);
	assert_int_equal(parsed("65535").last, 65535);
	r = parsed("8000-8010");
	assert_int_equal(r.first, 8000);
	assert_int_equal(r.last, 8010);
	assert_int_equal(parsed("7-7").last, 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (port_range_parse(bad[i], &r))
			fail_msg("'%s' was taken", bad[i]);
}

/* single and ranges: words apart by spaces. */
static struct ports compile(struct arena *a, const char *single,
			    const char *ranges)
{
	struct profile *p = profile_new(a);
	const enum profile_key keys[] = { KEY_NET_OPEN_PORT,
					  KEY_NET_OPEN_PORT_RANGE };
	const char *const words[] = { single, ranges };
	struct ports ret = { 0 };
	struct err e = { 0 };

	assert_non_null(p);
	for (size_t i = 0; i < 2; i++) {
		char *list = arena_strdup(a, words[i]);
		char *save = NULL;

		for (char *w = strtok_r(list, " ", &save); w;
		     w = strtok_r(NULL, " ", &save)) {
			const struct entry item = { .text = w };

			assert_int_equal(
				profile_append(a, &p->field[keys[i]], &item),
				0);
		}
	}
	assert_int_equal(ports_compile(p, keys[0], keys[1], a, &ret, &e), 0);
	return ret;
}

static const char *shown(struct arena *a, const struct ports *p)
{
	const char *text = "";

	for (size_t i = 0; i < p->n; i++)
		text = arena_printf(a, "%s%s%u-%u", text, i ? " " : "",
				    p->ranges[i].first, p->ranges[i].last);
	return text;
}

static void test_union(void **state)
{
	struct arena a = { 0 };
	struct ports p =
		compile(&a, "9 3 4 65535 3", "5-7 1-1 65000-65534 6-8");

	(void)state;
	assert_string_equal(shown(&a, &p), "1-1 3-9 65000-65535");
	assert_int_equal(ports_count(&p), 1 + 7 + 536);
	for (unsigned port = 0; port <= 65535; port++)
		assert_int_equal(ports_has(&p, (uint16_t)port),
				 port == 1 || (port >= 3 && port <= 9) ||
					 port >= 65000);
	p = compile(&a, "", "");
	assert_int_equal(p.n, 0);
	assert_false(ports_has(&p, 80));
	arena_free(&a);
}

static void test_subtract(void **state)
{
	static const struct {
		const char *from, *less, *left;
	} rows[] = {
		{ "10-20", "", "10-20" },
		{ "10-20", "15-15", "10-14 16-20" },
		{ "10-20", "10-10 20-20", "11-19" },
		{ "10-20", "1-100", "" },
		{ "10-20", "1-15", "16-20" },
		{ "10-20", "15-65535", "10-14" },
		{ "10-20 30-40", "12-13 18-32 39-39",
		  "10-11 14-17 33-38 40-40" },
		{ "1-65535", "1-1 65535-65535", "2-65534" },
		{ "", "5-6", "" },
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ports from = compile(&a, "", rows[i].from);
		struct ports less = compile(&a, "", rows[i].less);
		struct ports left;

		assert_int_equal(ports_subtract(&from, &less, &a, &left), 0);
		assert_string_equal(shown(&a, &left), rows[i].left);
	}
	arena_free(&a);
}

static void test_bad_entry(void **state)
{
	const struct entry item = {
		.text = "x",
		.from = { .file = "p.json", .line = 3, .column = 7 }
	};
	struct arena a = { 0 };
	struct profile *p = profile_new(&a);
	struct ports ports;
	struct err e = { 0 };

	(void)state;
	assert_non_null(p);
	assert_int_equal(
		profile_append(&a, &p->field[KEY_NET_LISTEN_PORT], &item), 0);
	assert_int_equal(ports_compile(p, KEY_NET_LISTEN_PORT,
				       KEY_NET_LISTEN_PORT_RANGE, &a, &ports,
				       &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "p.json:3:7: network.listen_port: 'x'"));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_union),
		cmocka_unit_test(test_subtract),
		cmocka_unit_test(test_bad_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
