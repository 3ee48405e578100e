/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Literal addresses and networks in the allowlist. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/allowlist.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int setup(void **state)
{
	return allowlist_new((struct allowlist **)state, NULL);
}

static int teardown(void **state)
{
	allowlist_free(*state);
	return 0;
}

static void add_address(struct allowlist *al, const char *text)
{
	struct err e = { 0 };

	if (allowlist_add_address(al, text, &e) < 0)
		fail_msg("%s", e.msg);
}

static bool address_ok(const struct allowlist *al, const char *text,
		       uint16_t port)
{
	struct addr a;

	if (!addr_parse(text, &a))
		fail_msg("%s", text);
	return allowlist_match_address(al, &a, port) != NULL;
}

static void test_empty(void **state)
{
	assert_false(address_ok(*state, "192.0.2.1", 443));
	assert_int_equal(allowlist_n_networks(*state), 0);
}

static void test_bad_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{ "", "no address" },
		{ "example.com", "--allow-domain" },
		{ "example.com:443", "--allow-domain" },
		{ "*.example.com", "--allow-domain" },
		{ "192.0.2.01", "leading zeros" },
		{ "0300.0.2.1", "leading zeros" },
		{ "0xc0.0.2.1", "no address" },
		{ "192.0.2", "no address" },
		{ "3221225985", "no address" },
		{ " 192.0.2.1", "no address" },
		{ "192.0.2.1 ", "no address" },
		{ "192.0.2.0/33", "/0 to /32" },
		{ "192.0.2.0/", "/0 to /32" },
		{ "192.0.2.0/024", "/0 to /32" },
		{ "192.0.2.0/-1", "/0 to /32" },
		{ "192.0.2.0/255.255.255.0", "/0 to /32" },
		{ "2001:db8::/129", "/0 to /128" },
		{ "192.0.2.5/24", "'192.0.2.0/24' for the network" },
		{ "192.0.2.5/24", "'192.0.2.5' for the one" },
		{ "192.0.2.129/25:443", "'192.0.2.128/25'" },
		{ "192.0.2.1/0", "'0.0.0.0/0'" },
		{ "2001:db8::1/64", "'2001:db8::/64'" },
		{ "2001:db8:8000::/32", "'2001:db8::/32'" },
		{ "192.0.2.1:0", "port" },
		{ "192.0.2.1:65536", "port" },
		{ "192.0.2.1:", "port" },
		{ "192.0.2.1:x", "port" },
		{ "[2001:db8::1]:", "port" },
		{ "2001:db8::/32:443", "brackets" },
		{ "[2001:db8::]/32", "'[2001:db8::/32]:443'" },
		{ "[2001:db8::1", "brackets" },
		{ "[192.0.2.1]:443", "brackets" },
		{ "[2001:db8::1]443", "bracket" },
		{ "fe80::1%eth0", "scope" },
		{ "127.0.0.1", "loopback" },
		{ "127.0.0.0/8", "loopback" },
		{ "169.254.169.254", "metadata" },
		{ "168.63.129.16:80", "metadata" },
		{ "169.254.0.0/17", "link-local" },
		{ "0.0.0.0", "never permitted" },
		{ "224.0.0.0/4", "multicast" },
		{ "255.255.255.255", "broadcast" },
		{ "::1", "loopback" },
		{ "::", "unspecified" },
		{ "::/96", "compatible" },
		{ "::ffff:192.0.2.1", "mapped" },
		{ "64:ff9b::/96", "NAT64" },
		{ "2002::/16", "6to4" },
		{ "fe80::/10", "link-local" },
		{ "ff02::1", "multicast" },
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct err e = { 0 };
		int rc = allowlist_add_address(*state, cases[i].text, &e);

		if (rc != -EINVAL)
			fail_msg("accepted: '%s'", cases[i].text);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("%s", e.msg);
	}
	assert_int_equal(allowlist_n_networks(*state), 0);
}

static void test_quoting(void **state)
{
	struct err e = { 0 };
	char text[5000];

	assert_int_equal(allowlist_add_address(*state, "1\x1b[2J", &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "'1\\x1b[2J'"));
	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(allowlist_add_address(*state, text, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "too long"));
	assert_int_equal(allowlist_add_address(*state, text, NULL), -EINVAL);
}

static void test_addresses(void **state)
{
	struct addr a;

	add_address(*state, "192.0.2.1");
	add_address(*state, "192.0.2.1");
	add_address(*state, "198.51.100.0/24:443");
	add_address(*state, "2001:db8::/32");
	add_address(*state, "[2001:db8:1::1]:22");
	add_address(*state, "[fd00::/8]:8080");
	add_address(*state, "10.0.0.0/8");
	add_address(*state, "[fc00::1]");
	assert_int_equal(allowlist_n_networks(*state), 7);
	assert_string_equal(allowlist_network(*state, 1)->text,
			    "198.51.100.0/24:443");
	assert_int_equal(allowlist_network(*state, 1)->prefix_len, 24);
	assert_int_equal(allowlist_network(*state, 1)->port, 443);
	assert_int_equal(allowlist_network(*state, 4)->prefix_len, 8);

	assert_true(address_ok(*state, "192.0.2.1", 1));
	assert_false(address_ok(*state, "192.0.2.2", 1));
	assert_true(address_ok(*state, "198.51.100.255", 443));
	assert_false(address_ok(*state, "198.51.100.255", 80));
	assert_false(address_ok(*state, "198.51.101.0", 443));
	assert_true(address_ok(*state, "2001:db8:ffff::1", 80));
	assert_false(address_ok(*state, "2001:db9::1", 80));
	assert_false(address_ok(*state, "::ffff:192.0.2.1", 1));
	assert_false(address_ok(*state, "fd00:ec2::254", 8080));
	assert_true(address_ok(*state, "fd00:ec2::253", 8080));
	assert_true(addr_parse("2001:db8:1::1", &a));
	assert_ptr_equal(allowlist_match_address(*state, &a, 22),
			 allowlist_network(*state, 2)); /* the first wins */
}

/* A network wider than a never-permitted range opens nothing inside it. */
static void test_wide_networks(void **state)
{
	static const char *const never[] = {
		"127.0.0.1",	     "0.0.0.0",
		"169.254.169.254",   "168.63.129.16",
		"224.0.0.1",	     "192.0.0.1",
		"255.255.255.255",   "::1",
		"fe80::1",	     "ff02::1",
		"::ffff:192.0.2.1",  "2001:2::1",
		"64:ff9b::c000:201",
	};

	add_address(*state, "0.0.0.0/0");
	add_address(*state, "::/0");
	assert_true(address_ok(*state, "203.0.113.1", 443));
	assert_true(address_ok(*state, "2001:db8::1", 443));
	for (size_t i = 0; i < N(never); i++)
		if (address_ok(*state, never[i], 443))
			fail_msg("%s", never[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_addresses, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_quoting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_wide_networks, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
