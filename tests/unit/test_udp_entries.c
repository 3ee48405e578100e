/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries for UDP: what they open, what opens none, what denies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "allowlist_text.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static bool has_udp(const struct allowlist *al, const char *name, uint16_t port)
{
	struct allow_ports ports;

	return allowlist_match(al, name, &ports) &&
	       allow_ports_has_udp(&ports, port);
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

static bool opens_udp(const struct allowlist *al, const char *text,
		      uint16_t port)
{
	struct addr a = address(text);

	return allowlist_match_address_udp(al, &a, port) != NULL;
}

static bool opens_tcp(const struct allowlist *al, const char *text,
		      uint16_t port)
{
	struct addr a = address(text);

	return allowlist_match_address(al, &a, port) != NULL;
}

/* Before and after the list is sealed, whose look-ups are two. */
static void test_names(void **state)
{
	struct allowlist *al = *state;

	add(al, "a.test:123/udp");
	add(al, "a.test:443");
	add(al, "*.b.test:3478/udp");
	add(al, "*.b.test");
	add(al, "c.test:1/udp");
	add(al, "C.test.:1/udp");
	for (int i = 0; i < 2; i++) {
		assert_true(has_udp(al, "a.test", 123));
		assert_false(has_udp(al, "a.test", 443));
		assert_false(has_port(al, "a.test", 123));
		assert_true(has_port(al, "a.test", 443));
		assert_true(has_udp(al, "x.b.test", 3478));
		assert_false(has_udp(al, "x.b.test", 3479));
		assert_false(has_udp(al, "b.test", 3478));
		assert_true(has_port(al, "x.b.test", 3478));
		assert_true(has_udp(al, "c.test", 1));
		assert_false(has_port(al, "c.test", 1));
		assert_string_equal(rule_for(al, "c.test"), "c.test:1/udp");
		assert_false(allowlist_names_port(al, "c.test", 1));
		assert_int_equal(allowlist_seal(al, NULL), 0);
	}
	assert_int_equal(allowlist_n_domains(al), 5);
	assert_string_equal(allowlist_domain(al, 0), "a.test:123/udp");
}

static void test_others_open_none(void **state)
{
	struct allowlist *al = *state;

	add(al, "*");
	assert_int_equal(allowlist_add_address(al, "0.0.0.0/0", NULL), 0);
	assert_int_equal(allowlist_add_address(al, "192.0.2.1:123", NULL), 0);
	assert_false(has_udp(al, "a.test", 123));
	assert_false(opens_udp(al, "192.0.2.1", 123));
}

static void test_addresses(void **state)
{
	struct allowlist *al = *state;

	assert_int_equal(allowlist_add_address(al, "192.0.2.1:123/udp", NULL),
			 0);
	assert_int_equal(
		allowlist_add_address(al, "[2001:db8::/32]:3478/udp", NULL), 0);
	assert_true(opens_udp(al, "192.0.2.1", 123));
	assert_false(opens_udp(al, "192.0.2.1", 124));
	assert_false(opens_udp(al, "192.0.2.2", 123));
	assert_false(opens_tcp(al, "192.0.2.1", 123));
	assert_true(opens_udp(al, "2001:db8::7", 3478));
	assert_int_equal(allowlist_add_denied(al, "192.0.2.1:123", NULL), 0);
	assert_true(opens_udp(al, "192.0.2.1", 123));
	assert_int_equal(allowlist_add_denied(al, "192.0.2.1:123/udp", NULL),
			 0);
	assert_false(opens_udp(al, "192.0.2.1", 123));
	assert_int_equal(allowlist_add_denied(al, "2001:db8::7", NULL), 0);
	assert_false(opens_udp(al, "2001:db8::7", 3478));
	assert_true(opens_udp(al, "2001:db8::8", 3478));
}

static void test_denied_names(void **state)
{
	struct allowlist *al = *state;
	struct allow_ports ports;

	add(al, "*.d.test:123/udp");
	add(al, "*.d.test:124/udp");
	add(al, "*.d.test");
	assert_int_equal(allowlist_add_denied(al, "a.d.test:123/udp", NULL), 0);
	assert_int_equal(allowlist_add_denied(al, "b.d.test:123", NULL), 0);
	assert_int_equal(allowlist_add_denied(al, "c.d.test", NULL), 0);
	/* Pointless, and fine. */
	assert_int_equal(allowlist_add_denied(al, "d.d.test:443/udp", NULL), 0);
	assert_false(has_udp(al, "a.d.test", 123));
	assert_true(has_udp(al, "a.d.test", 124));
	assert_true(has_port(al, "a.d.test", 123));
	assert_true(has_udp(al, "b.d.test", 123));
	assert_false(has_port(al, "b.d.test", 123));
	assert_false(allowlist_match(al, "c.d.test", &ports));
	assert_true(allowlist_match(al, "a.d.test", &ports));
	assert_int_equal(ports.n_denied_udp, 1);
	assert_int_equal(ports.denied_udp[0], 123);
}

static void test_bad_entries(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} names[] = {
		{ "a.test/udp", "needs a port" },
		{ "a.test:/udp", "one port" },
		{ "a.test:0/udp", "one port" },
		{ "a.test:65536/udp", "one port" },
		{ "a.test:1/UDP", "write only" },
		{ "a.test:1/tcp", "write only" },
		{ "a.test:1/udp/udp", "write only" },
		{ "a.test:53/udp", "DNS filter" },
		{ "a.test:443/udp", "QUIC" },
		{ "*:443/udp", "QUIC" },
		{ "192.0.2.1:1/udp", "--allow-address" },
	}, addresses[] = {
		{ "192.0.2.1/udp", "needs a port" },
		{ "192.0.2.0/24/udp", "needs a port" },
		{ "192.0.2.1:53/udp", "DNS filter" },
		{ "[2001:db8::1]:443/udp", "QUIC" },
		{ "127.0.0.1:1/udp", "never permitted" },
	};
	struct err e;

	for (size_t i = 0; i < N(names); i++) {
		assert_int_equal(
			allowlist_add_domain(*state, names[i].text, &e),
			-EINVAL);
		assert_non_null(strstr(e.msg, names[i].said));
	}
	for (size_t i = 0; i < N(addresses); i++) {
		assert_int_equal(
			allowlist_add_address(*state, addresses[i].text, &e),
			-EINVAL);
		assert_non_null(strstr(e.msg, addresses[i].said));
	}
	assert_int_equal(allowlist_add_private(*state, "a.test:1/udp", &e),
			 -EINVAL);
}

static void test_limits(void **state)
{
	struct allowlist *al = *state;
	const uint16_t *ports;
	char text[64];
	struct err e;

	for (int i = 0; i < ALLOW_UDP_MAX; i++) {
		(void)snprintf(text, sizeof(text), "a.test:%d/udp", 1000 + i);
		add(al, text);
	}
	assert_int_equal(allowlist_add_domain(al, "a.test:999/udp", &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "16 UDP ports"));
	add(al, "a.test:999"); /* TCP has its own count */
	for (int i = 0; allowlist_udp_ports(al, &ports) < ALLOW_UDP_ALL; i++) {
		(void)snprintf(text, sizeof(text), "192.0.2.1:%d/udp",
			       2000 + i);
		assert_int_equal(allowlist_add_address(al, text, NULL), 0);
	}
	add(al, "b.test:2000/udp");
	assert_int_equal(allowlist_add_domain(al, "b.test:1/udp", &e), -EINVAL);
	assert_non_null(strstr(e.msg, "64 different UDP ports"));
	assert_int_equal(allowlist_udp_ports(al, &ports), ALLOW_UDP_ALL);
	assert_int_equal(ports[0], 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIST_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		LIST_TEST(test_names),	     LIST_TEST(test_others_open_none),
		LIST_TEST(test_addresses),   LIST_TEST(test_denied_names),
		LIST_TEST(test_bad_entries), LIST_TEST(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
