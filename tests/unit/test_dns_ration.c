/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much names below a wildcard may carry; the time is the test's. */
#include "dnsfilter/ration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RULE	"*.example.com"
#define NAME	"%030u.example.com" /* 30 bytes below the wildcard */
#define COST	(30 + RATION_NAME_BYTES)
#define AT_ONCE (RATION_BURST_BYTES / COST)

static struct ration *r;
static uint64_t now_ms;
static unsigned serial;

static int setup(void **state)
{
	(void)state;
	now_ms = 1000;
	serial = 0;
	return ration_new(&r);
}

static int teardown(void **state)
{
	(void)state;
	ration_free(r);
	return 0;
}

static int take(const char *rule, const char *name, bool *ret_report)
{
	return ration_take(r, rule, name, now_ms, ret_report);
}

/* A name that nobody has asked; reports are not looked at. */
static int take_new(const char *rule)
{
	char name[64];
	bool report;

	(void)snprintf(name, sizeof(name), NAME, serial++);
	return take(rule, name, &report);
}

/* Until it must not go; how many had to wait. */
static unsigned exhaust(void)
{
	unsigned n = 0;
	int last = 0;

	for (;;) {
		int wait = take_new(RULE);

		if (wait < 0) {
			assert_int_equal(wait, -EDQUOT);
			return n;
		}
		assert_true(wait >= last && wait <= RATION_WAIT_MAX_MS);
		last = wait;
		n += wait > 0;
		assert_true(serial < 100000);
	}
}

static void test_burst_then_rate(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < AT_ONCE; i++)
		assert_int_equal(take_new(RULE), 0);
	assert_in_range(
		exhaust(), RATION_BYTES_SEC * RATION_WAIT_MAX_MS / 1000 / COST,
		RATION_BYTES_SEC * RATION_WAIT_MAX_MS / 1000 / COST + 1);
	/* An hour of asking as fast as one can. */
	for (; now_ms < 3600000; now_ms += 10)
		n += take_new(RULE) >= 0;
	assert_in_range(n, RATION_BYTES_SEC * 3590 / COST,
			RATION_BYTES_SEC * 3600 / COST + 1);
}

static void test_full_again(void **state)
{
	(void)state;
	(void)exhaust();
	now_ms += 1000ull * RATION_BURST_BYTES / RATION_BYTES_SEC +
		  RATION_WAIT_MAX_MS;
	for (unsigned i = 0; i < AT_ONCE; i++)
		assert_int_equal(take_new(RULE), 0);
	assert_true(take_new(RULE) > 0);
}

static void test_length_costs(void **state)
{
	char name[254];
	unsigned n = 0;
	bool report;

	(void)state;
	do {
		memset(name, 'x', 200);
		(void)snprintf(name + 200, 50, "%03u.example.com", n++);
	} while (take(RULE, name, &report) == 0);
	assert_int_equal(n, RATION_BURST_BYTES / (203 + RATION_NAME_BYTES) + 1);
}

static void test_asked_lately(void **state)
{
	bool report;

	(void)state;
	for (unsigned i = 0; i < RATION_BURST_BYTES / RATION_AGAIN_BYTES / 2;
	     i++)
		assert_int_equal(take(RULE, "www.example.com", &report), 0);
	/* What was refused is not remembered. */
	(void)exhaust();
	assert_int_equal(
		take(RULE, "a.long.name.of.some.sort.example.com", &report),
		-EDQUOT);
	assert_int_equal(
		take(RULE, "a.long.name.of.some.sort.example.com", &report),
		-EDQUOT);
}

static void test_what_is_not_limited(void **state)
{
	static const char *const rules[] = { "www.example.com", "*", "*:443",
					     "www.example.com:443", "" };

	(void)state;
	for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++)
		for (unsigned i = 0; i < 10 * AT_ONCE; i++)
			assert_int_equal(take_new(rules[k]), 0);
}

static void test_each_rule_has_its_own(void **state)
{
	(void)state;
	(void)exhaust();
	assert_int_equal(take_new("*.example.org"), 0);
	assert_int_equal(take_new("*example.net"), 0);
	/* A port makes no other name of it. */
	assert_int_equal(take_new(RULE ":443"), -EDQUOT);
}

static void test_reported_once(void **state)
{
	unsigned n = 0;
	bool report;
	char name[64];

	(void)state;
	for (int round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < 10 * AT_ONCE; i++, now_ms += 5) {
			(void)snprintf(name, sizeof(name), NAME, serial++);
			(void)take(RULE, name, &report);
			n += report;
		}
		assert_int_equal(n, round);
		now_ms += 100000;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_burst_then_rate, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_full_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_length_costs, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_asked_lately, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_limited, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_each_rule_has_its_own,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_reported_once, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
