/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of a profile, which mean what nono takes them for, and what is denied
 * whatever allows it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "allowlist_text.h"
#include "profiles/allowlist.h"
#include "profiles/hostname.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Entries of a profile, by the rules of nono. */
static void test_profile_names(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool match;
	} cases[] = {
		{ "*.x.com", "a.x.com", true },
		{ "*.x.com", "a.b.x.com", true },
		{ "*.x.com", "x.com", false },
		{ "*.x.com", "evilx.com", false },
		{ "*x.com", "evilx.com", true },
		{ "*x.com", "x.com", true },
		{ "*x.com", "a.x.com", true },
		{ "*x.com", "a.evilx.com", true },
		{ "*x.com", "x.com.org", false },
		{ "*x.com", "y.com", false },
		{ "*-cdn.x.com", "eu-cdn.x.com", true },
		{ "*-cdn.x.com", "cdn.x.com", false },
		{ "*X.Com.", "EvilX.com", true },
		{ "*", "any.thing", true },
		{ "*", "db", true },
		{ "*", "metadata.google.internal", false },
		{ "*internal", "metadata.google.internal", false },
		{ "a.*.b", "a.x.b", false },
		{ "a.*.b", "a.*.b", false },
		{ "**", "x.com", false },
		{ "*.*.com", "a.b.com", false },
		{ "x.*", "x.com", false },
		{ ".x.com", "a.x.com", false },
		{ ".x.com", "x.com", false },
		{ "*.com", "x.com", true },
		{ "*.com", "a.x.com", true },
		{ "*.com", "com", false },
		{ "*.co.uk", "x.co.uk", true },
		{ "x.com", "x.com.", true },
		{ "X.COM.", "x.com", true },
		{ "x.com:443", "x.com", true },
		{ "b\xc3\xbc"
		  "cher.example",
		  "xn--bcher-kva.example", true },
		{ "a\xe3\x80\x82"
		  "b.example",
		  "a.b.example", true },
		{ "metadata.google.internal", "metadata.google.internal",
		  false },
		{ "192.0.2.1", "192.0.2.1", false },
		{ "10.0.0.0/8", "10.0.0.0", false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct err e = { 0 };
		struct err note = { 0 };
		struct allowlist *al;

		assert_int_equal(allowlist_new(&al, NULL), 0);
		if (allowlist_add_profile_domain(al, cases[i].pattern, &note,
						 &e) < 0)
			fail_msg("%s", e.msg);
		if ((rule_for(al, cases[i].text) != NULL) != cases[i].match)
			fail_msg("%s ~ %s", cases[i].pattern, cases[i].text);
		allowlist_free(al);
	}
}

/* What an entry of a profile says about itself; "" is nothing. */
static void test_profile_notes(void **state)
{
	static const struct {
		const char *pattern;
		const char *says;
		bool deny;
	} cases[] = {
		{ "x.com", "", false },
		{ "*.x.com", "", false },
		{ "*x.com", "", false },
		{ "*", "", false },
		{ "x.com:443", "", false },
		{ "192.0.2.1", "", false },
		{ "192.0.2.1:443", "", false },
		{ "[2001:db8::1]", "", false },
		{ "2001:db8::1", "", false },
		{ "a.*.b", "first label", false },
		{ "**", "first label", false },
		{ ".x.com", "'*.x.com'", false },
		{ "*.com", "top-level domain", false },
		{ "*com", "top-level domain", false },
		{ "*.co.uk", "registry", false },
		{ "metadata.google.internal", "metadata", false },
		{ "Metadata.Azure.Internal.", "metadata", false },
		{ "169.254.169.254", "never permitted", false },
		{ "[fd00:ec2::254]", "never permitted", false },
		{ "127.0.0.1", "never permitted", false },
		{ "10.0.0.0/8", "allow_address", false },
		{ "0x7f.1", "no address", false },
		{ "x.com", "", true },
		{ "*.com", "", true },
		{ "*", "", true },
		{ "a.*.b", "first label", true },
		{ ".x.com", "'*.x.com'", true },
		{ "metadata.google.internal", "", true },
		{ "169.254.169.254", "", true },
		{ "10.0.0.0/8", "", true },
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct err e = { 0 };
		struct err note = { 0 };
		int rc = cases[i].deny
				 ? allowlist_add_profile_denied(
					   *state, cases[i].pattern, &note, &e)
				 : allowlist_add_profile_domain(
					   *state, cases[i].pattern, &note, &e);

		if (rc < 0)
			fail_msg("%s", e.msg);
		if (!cases[i].says[0] && note.msg[0])
			fail_msg("%s", note.msg);
		if (!strstr(note.msg, cases[i].says))
			fail_msg("'%s' says '%s'", cases[i].pattern, note.msg);
		if (note.msg[0] && !strstr(note.msg, "no effect") &&
		    !strstr(note.msg, "would allow"))
			fail_msg("%s", note.msg);
	}
}

static void test_bad_profile_entries(void **state)
{
	static const char *const bad[] = { "",
					   "x..com",
					   "x.com:0",
					   "x.com:https",
					   "x y",
					   "x,y",
					   "https://github.com/org/**",
					   "github.com/org",
					   "*..x.com",
					   "x.com:99999",
					   "x\x01.com" };
	static const char *const bad_denials[] = {
		"",	  "x..com",	"x.com:0",     "https://x.com/",
		"0x7f.1", "10.0.0.1/8", "192.0.2.1:0", "[192.0.2.1]"
	};
	struct err note;
	struct err e;

	for (size_t i = 0; i < N(bad); i++)
		if (allowlist_add_profile_domain(*state, bad[i], &note, &e) !=
		    -EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
	for (size_t i = 0; i < N(bad_denials); i++)
		if (allowlist_add_profile_denied(*state, bad_denials[i], &note,
						 &e) != -EINVAL)
			fail_msg("accepted: '%s'", bad_denials[i]);
	/* The command line is stricter. */
	assert_int_equal(allowlist_add_denied(*state, "*x.com", &e), -EINVAL);
	assert_int_equal(allowlist_add_denied(*state, "a.*.b", &e), -EINVAL);
	assert_int_equal(allowlist_n_domains(*state), 0);
	assert_int_equal(allowlist_n_denied(*state), 0);
}

static void deny(struct allowlist *al, const char *text)
{
	struct err e = { 0 };

	if (allowlist_add_denied(al, text, &e) < 0)
		fail_msg("%s", e.msg);
}

static bool opens(const struct allowlist *al, const char *text, uint16_t port)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return allowlist_match_address(al, &a, port) != NULL;
}

static void test_deny_names(void **state)
{
	struct allow_ports ports;

	add(*state, "*");
	add(*state, "x.test");
	add(*state, "a.y.test");
	deny(*state, "X.test.");
	deny(*state, "*.y.test");
	deny(*state, "*.com");
	deny(*state, "metadata.google.internal");
	assert_false(allowlist_match(*state, "x.test", &ports));
	assert_string_equal(ports.deny_rule, "x.test");
	assert_null(ports.rule);
	/* More specific or not: deny beats allow. */
	assert_false(allowlist_match(*state, "a.y.test", &ports));
	assert_string_equal(ports.deny_rule, "*.y.test");
	assert_false(allowlist_match(*state, "github.com", &ports));
	assert_true(allowlist_match(*state, "y.test", &ports));
	assert_null(ports.deny_rule);
	assert_true(allowlist_match(*state, "a.x.test", &ports));
	assert_true(allowlist_match(*state, "ax.test", &ports));
	assert_int_equal(allowlist_n_denied(*state), 4);
	assert_string_equal(allowlist_denied(*state, 1), "*.y.test");
}

static void test_deny_everything(void **state)
{
	add(*state, "x.test");
	deny(*state, "*");
	assert_null(rule_for(*state, "x.test"));
}

static void test_deny_ports(void **state)
{
	struct allow_ports ports;

	add(*state, "*");
	deny(*state, "x.test:25");
	deny(*state, "*.test:22");
	assert_true(allowlist_match(*state, "x.test", &ports));
	assert_true(ports.any);
	assert_null(ports.deny_rule);
	assert_int_equal(ports.n_denied, 2);
	assert_int_equal(ports.denied[0], 22);
	assert_int_equal(ports.denied[1], 25);
	assert_false(allow_ports_has(&ports, 25));
	assert_false(allow_ports_has(&ports, 22));
	assert_true(allow_ports_has(&ports, 443));
	assert_false(has_port(*state, "y.test", 22));
	assert_true(has_port(*state, "y.test", 25));
	assert_true(has_port(*state, "test", 22));
	/* Denied altogether beats both. */
	deny(*state, "x.test");
	assert_false(allowlist_match(*state, "x.test", &ports));
	assert_string_equal(ports.deny_rule, "x.test");
}

/* The same port allowed and denied: the name resolves, nothing is open. */
static void test_deny_allowed_port(void **state)
{
	struct allow_ports ports;

	add(*state, "x.test:443");
	add(*state, "x.test:22");
	deny(*state, "x.test:443");
	assert_true(allowlist_match(*state, "x.test", &ports));
	assert_int_equal(ports.n, 1);
	assert_int_equal(ports.port[0], 22);
	deny(*state, "x.test:22");
	assert_true(allowlist_match(*state, "x.test", &ports));
	assert_int_equal(ports.n, 0);
	assert_false(ports.any);
	assert_false(allow_ports_has(&ports, 22));
}

/* More denied ports than fit into the answer: the whole name. */
static void test_deny_too_many_ports(void **state)
{
	struct allow_ports ports;
	struct err e = { 0 };
	char text[64];

	add(*state, "*");
	for (int i = 0; i < ALLOW_PORTS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "a.x.test:%d", 2000 + i);
		deny(*state, text);
	}
	assert_true(allowlist_match(*state, "a.x.test", &ports));
	assert_int_equal(ports.n_denied, ALLOW_PORTS_MAX);
	assert_int_equal(allowlist_add_denied(*state, "a.x.test:1", &e),
			 -EINVAL);
	deny(*state, "*.x.test:1");
	assert_false(allowlist_match(*state, "a.x.test", &ports));
	assert_non_null(ports.deny_rule);
	assert_true(allowlist_match(*state, "b.x.test", &ports));
}

static void test_deny_addresses(void **state)
{
	static const char *const open[] = { "0.0.0.0/0", "::/0" };
	struct addr a;

	for (size_t i = 0; i < N(open); i++)
		assert_int_equal(allowlist_add_address(*state, open[i], NULL),
				 0);
	deny(*state, "192.0.2.1");
	deny(*state, "192.0.2.2:25");
	deny(*state, "198.51.100.0/24");
	deny(*state, "203.0.113.0/24:22");
	deny(*state, "2001:db8::1");
	deny(*state, "[2001:db8::2]");
	deny(*state, "[2001:db8::3]:443");
	deny(*state, "[2001:db8:1::/48]:80");
	deny(*state, "::ffff:192.0.2.9");
	deny(*state, "169.254.169.254");
	assert_false(opens(*state, "192.0.2.1", 443));
	assert_true(opens(*state, "192.0.2.2", 443));
	assert_false(opens(*state, "192.0.2.2", 25));
	assert_true(opens(*state, "192.0.2.3", 25));
	assert_false(opens(*state, "198.51.100.255", 1));
	assert_true(opens(*state, "198.51.101.0", 1));
	assert_false(opens(*state, "203.0.113.9", 22));
	assert_true(opens(*state, "203.0.113.9", 23));
	assert_false(opens(*state, "2001:db8::1", 443));
	assert_false(opens(*state, "2001:db8::2", 443));
	assert_false(opens(*state, "2001:db8::3", 443));
	assert_true(opens(*state, "2001:db8::3", 444));
	assert_false(opens(*state, "2001:db8:1::5", 80));
	assert_false(opens(*state, "192.0.2.9", 80));
	assert_int_equal(allowlist_n_denied(*state), 10);
	assert_string_equal(allowlist_denied(*state, 1), "192.0.2.2:25");
	/* Port 0 asks about every port. */
	assert_true(addr_parse("192.0.2.2", &a));
	assert_null(allowlist_denies_address(*state, &a, 0));
	assert_true(addr_parse("198.51.100.7", &a));
	assert_string_equal(allowlist_denies_address(*state, &a, 0)->text,
			    "198.51.100.0/24");
}

static void test_profile_addresses(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "192.0.2.2:443",
					     "2001:db8::1", "[2001:db8::2]",
					     "[2001:db8::3]:22" };
	struct err note = { 0 };

	for (size_t i = 0; i < N(texts); i++)
		assert_int_equal(allowlist_add_profile_domain(*state, texts[i],
							      &note, NULL),
				 0);
	assert_string_equal(note.msg, "");
	assert_int_equal(allowlist_n_networks(*state), N(texts));
	assert_true(opens(*state, "192.0.2.1", 1));
	assert_true(opens(*state, "192.0.2.2", 443));
	assert_false(opens(*state, "192.0.2.2", 22));
	assert_false(opens(*state, "192.0.2.3", 443));
	assert_true(opens(*state, "2001:db8::1", 1));
	assert_true(opens(*state, "2001:db8::2", 1));
	assert_true(opens(*state, "2001:db8::3", 22));
	assert_false(opens(*state, "2001:db8::3", 23));
	assert_int_equal(allowlist_add_profile_domain(*state, "169.254.169.254",
						      &note, NULL),
			 0);
	assert_int_equal(allowlist_n_networks(*state), N(texts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIST_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		cmocka_unit_test(test_profile_names),
		LIST_TEST(test_profile_notes),
		LIST_TEST(test_bad_profile_entries),
		LIST_TEST(test_deny_names),
		LIST_TEST(test_deny_everything),
		LIST_TEST(test_deny_ports),
		LIST_TEST(test_deny_allowed_port),
		LIST_TEST(test_deny_too_many_ports),
		LIST_TEST(test_deny_addresses),
		LIST_TEST(test_profile_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
