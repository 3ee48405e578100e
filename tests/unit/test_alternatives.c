/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which other addresses a connection may go to: only those that every name it
 * may be meant for resolved to. */
#include "tests/unit/admission_desk.h"

#define NAMES_KEPT 16 /* GRANTS_MAX */

static size_t others(struct desk *d, const char *text, uint16_t port,
		     struct addr *ret, size_t max)
{
	struct addr dst = ns_addr(text);
	const struct admission *m = admissions_find(d->a, &dst, port);

	assert_non_null(m);
	return admissions_alternatives(d->a, m, &dst, port, ret, max);
}

static void test_alternatives(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];
	struct addr five = ns_addr("203.0.113.5");

	desk_admit(d, "a.example", 60,
		   LIST("203.0.113.5", "203.0.113.6", "203.0.113.7"));
	desk_admit(d, "a.example", 60, LIST("2001:db8:2::5"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 3);
	for (size_t i = 0; i < 3; i++)
		assert_false(addr_equal(&list[i], &five));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 2), 2);
	assert_int_equal(others(d, "203.0.113.5", 443, list, 0), 0);
	/* Another name with the same addresses changes nothing. */
	desk_admit(d, "b.example", 60,
		   LIST("203.0.113.7", "203.0.113.5", "203.0.113.6"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 2);
	/* On a port that only one of the addresses is open for. */
	desk_admit(d, "c.example", 60, LIST("203.0.113.8"));
	desk_admit(d, "x.any.example", 60, LIST("203.0.113.9"));
	assert_int_equal(others(d, "203.0.113.8", 443, list, 8), 0);
}

/* Two services share an address: a connection to it may be meant for either,
 * so that the other addresses of one are no way to the other. */
static void test_alternatives_shared(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];
	struct addr five = ns_addr("203.0.113.5");

	desk_admit(d, "a.example", 60, LIST("203.0.113.5", "203.0.113.6"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 1);
	desk_admit(d, "b.example", 60, LIST("203.0.113.5", "203.0.113.7"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 0);
	/* What is one service's alone may stand in for it. */
	assert_int_equal(others(d, "203.0.113.6", 443, list, 8), 1);
	assert_true(addr_equal(&list[0], &five));
	assert_int_equal(others(d, "203.0.113.7", 443, list, 8), 1);
	assert_true(addr_equal(&list[0], &five));
}

/* The same if one of the names is allowed on that port only, so that the two
 * have an admission each. */
static void test_alternatives_shared_by_port(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];

	desk_admit(d, "a.example", 60, LIST("203.0.113.5", "203.0.113.6"));
	desk_admit(d, "c.example", 60, LIST("203.0.113.5", "203.0.113.7"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 0);
	assert_int_equal(others(d, "203.0.113.5", 22, list, 8), 0);
	/* Nothing but the first is open there. */
	assert_int_equal(others(d, "203.0.113.5", 80, list, 8), 1);
}

/* A new answer takes the place of the old one. */
static void test_changed_answer(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];
	struct addr six = ns_addr("203.0.113.6");

	desk_admit(d, "a.example", 60, LIST("203.0.113.5", "203.0.113.7"));
	desk_admit(d, "a.example", 60, LIST("203.0.113.5", "203.0.113.6"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 1);
	assert_true(addr_equal(&list[0], &six));
}

/* An address that has expired is no way out. */
static void test_expired_alternative(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];

	(void)desk_run(d, 0);
	desk_admit(d, "a.example", 0, LIST("203.0.113.5", "203.0.113.6"));
	admission_hold(desk_find(d, "203.0.113.5", 443));
	(void)desk_run(d, LIFE_MIN_MS + 50);
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 0);
}

/* Names keep addresses apart beyond the time of their answers: programs keep
 * addresses longer than they were told to. */
static void test_shared_and_expired(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];

	(void)desk_run(d, 0);
	desk_admit(d, "a.example", 0, LIST("203.0.113.5", "203.0.113.6"));
	desk_admit(d, "b.example", 60, LIST("203.0.113.5", "203.0.113.7"));
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 0);
	(void)desk_run(d, LIFE_MIN_MS + 50);
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 0);
}

/* More names on one address than are remembered. */
static void test_shared_by_many(void **state)
{
	struct desk *d = desk_ready(state);
	struct addr list[8];

	desk_admit(d, "first.any.example", 60,
		   LIST("203.0.113.5", "203.0.113.6"));
	for (unsigned i = 0; i < NAMES_KEPT; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%u.any.example", i);
		desk_admit(d, name, 120, LIST("203.0.113.5", "203.0.113.7"));
	}
	assert_int_equal(others(d, "203.0.113.5", 443, list, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define DESK_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, desk_setup, desk_teardown)
		DESK_TEST(test_alternatives),
		DESK_TEST(test_alternatives_shared),
		DESK_TEST(test_alternatives_shared_by_port),
		DESK_TEST(test_changed_answer),
		DESK_TEST(test_expired_alternative),
		DESK_TEST(test_shared_and_expired),
		DESK_TEST(test_shared_by_many),
	};

	return cmocka_run_group_tests(tests, desk_enter, NULL);
}
