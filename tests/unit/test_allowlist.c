/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Name patterns: what is accepted, what matches, and what an error tells the
 * user to write. */
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

#define L10 "abcdefghij"
#define L63 L10 L10 L10 L10 L10 L10 "klm"

static void test_names(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool match;
	} cases[] = {
		{ "*.allowed.test", "evilallowed.test", false },
		{ "*.allowed.test", "evil.test&x=.allowed.test", false },
		{ "*.allowed.test", "API.Allowed.TEST", true },
		{ "*.allowed.test", "api.allowed.test.", true },
		{ "*.allowed.test", "allowed.test", false },
		{ "*.allowed.test", "a.b.allowed.test", true },
		{ "*.allowed.test", "allowed.test.evil.test", false },
		{ "*.allowed.test", "x.allowed.test.evil.test", false },
		{ "*.allowed.test", "xallowed-test", false },
		{ "*.allowed.test", "x.allowed-test", false },
		{ "*.allowed.test", "..allowed.test", false },
		{ "*.allowed.test", ".allowed.test", false },
		{ "*.allowed.test", "", false },
		{ "*.allowed.test", ".", false },
		{ "*.allowed.test", L63 "x.allowed.test", false },
		{ "*.allowed.test", L63 ".allowed.test", true },
		{ "*.allowed.test", "x.\xd0\xb0llowed.test", false },
		{ "*.allowed.test", "_dmarc.x.allowed.test", true },
		{ "*.allowed.test", "_https._tcp.allowed.test", true },
		{ "*.allowed.test", "x.allowed\xe3\x80\x82test", true },
		{ "*.allowed.test", "192.0.2.10", false },
		{ "*.Allowed.TEST.", "x.allowed.test", true },
		{ "allowed.test", "allowed.test", true },
		{ "allowed.test", "ALLOWED.test.", true },
		{ "allowed.test", "x.allowed.test", false },
		{ "allowed.test", "allowedxtest", false },
		{ "allowed.test", "allowed.tes", false },
		{ "allowed.test", "\xd0\xb0llowed.test", false },
		{ "allowed.test.", "allowed.test", true },
		{ "db", "db", true },
		{ "db", "x.db", false },
		{ "b\xc3\xbc"
		  "cher.example",
		  "xn--bcher-kva.example", true },
		{ "*.b\xc3\xbc"
		  "cher.example",
		  "a.b\xc3\xbc"
		  "cher.example",
		  true },
		{ "xn--bcher-kva.example",
		  "B\xc3\x9c"
		  "CHER.example",
		  true },
		{ "*", "anything.test", true },
		{ "*", "db", true },
		{ "*", "192.0.2.10", false },
		{ "*", "[::1]", false },
		{ "*", "0x7f.1", false },
		{ "*", "2130706433", false },
		{ "*", "", false },
		{ "*", "metadata.google.internal", false },
		{ "*", "Metadata.Google.Internal.", false },
		{ "*", "metadata.azure.internal", false },
		{ "*", "instance-data", false },
		{ "*.ec2.internal", "instance-data.ec2.internal", false },
		{ "*.ec2.internal", "ip-10-0-0-1.ec2.internal", true },
		{ "*.google.internal", "metadata.google.internal", false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct allowlist *al;

		assert_int_equal(allowlist_new(&al, NULL), 0);
		add(al, cases[i].pattern);
		if ((rule_for(al, cases[i].text) != NULL) != cases[i].match)
			fail_msg("%s ~ %s", cases[i].pattern, cases[i].text);
		allowlist_free(al);
	}
}

/* What reaches the list without hostname_from_text(): nothing of it may match
 * by accident. */
static void test_not_canonical(void **state)
{
	static const char *const names[] = {
		"",	  "192.0.2.10", "[::1]",	"::1",
		"0x7f.1", "2130706433", "instance-data"
	};
	struct allow_ports ports;

	add(*state, "*");
	for (size_t i = 0; i < N(names); i++)
		if (allowlist_match(*state, names[i], &ports))
			fail_msg("%s", names[i]);
}

static void test_empty(void **state)
{
	assert_null(rule_for(*state, "allowed.test"));
	assert_int_equal(allowlist_n_domains(*state), 0);
	allowlist_free(NULL);
}

static void test_bad_patterns(void **state)
{
	static const struct {
		const char *pattern;
		const char *says;
	} cases[] = {
		{ "", "empty" },
		{ ":443", "is empty" },
		{ ".", "is empty" },
		{ "https://github.com/org/repo", "its host: 'github.com'" },
		{ "https://github.com/org/**", "path rules are not supported" },
		{ "https://github.com:8443/x", "host: 'github.com:8443'" },
		{ "https://me:pw@github.com", "its host: 'github.com'" },
		{ "github.com/org", "its host: 'github.com'" },
		{ "git@github.com:org/x.git", "its host: 'github.com'" },
		{ "git@github.com:org", "its host: 'github.com'" },
		{ "https://*.x.test/", "its host: '*.x.test'" },
		{ "https://*.com/", "only the host name" },
		{ "https://", "only the host name" },
		{ "/", "only the host name" },
		{ "http://192.0.2.1:80/x", "--allow-address" },
		{ "http://[2001:db8::1]:80/x", "--allow-address" },
		{ "192.0.2.1", "--allow-address" },
		{ "192.0.2.1:443", "--allow-address" },
		{ "192.0.2.0/24", "--allow-address" },
		{ "0x7f.1", "--allow-address" },
		{ "2130706433", "--allow-address" },
		{ "::1", "--allow-address" },
		{ "[::1]:443", "--allow-address" },
		{ "2001:db8::/32", "--allow-address" },
		{ "[2001:db8::/32]:443", "--allow-address" },
		{ "*.0x7f.1", "--allow-address" },
		{ "\xef\xbc\x91.0.0.1", "--allow-address" },
		{ "*x.test", "whole first label" },
		{ "a.*.b.test", "whole first label" },
		{ "a*b.test", "whole first label" },
		{ "*.*", "whole first label" },
		{ "*.*.test", "whole first label" },
		{ "**.x.test", "whole first label" },
		{ "**", "whole first label" },
		{ "*.", "whole first label" },
		{ "x.test*", "whole first label" },
		{ "*.com", "top-level domain; write '*.NAME.com', or '*'" },
		{ "*.test", "top-level domain" },
		{ "*.test.:443", "top-level domain" },
		{ "*.co.uk", "registry; write '*.NAME.co.uk', or '*'" },
		{ "*.com.au", "registry" },
		{ "*.ac.jp", "registry" },
		{ "*.gov.br", "registry" },
		{ "*.CO.UK.", "registry" },
		{ "x.test:0", "port" },
		{ "x.test:65536", "port" },
		{ "x.test:", "port" },
		{ "x.test:https", "port" },
		{ "x.test:+1", "port" },
		{ "x.test: 1", "port" },
		{ "x.test:0443", "port" },
		{ "x.test:443:80", "port" },
		{ "x.test:18446744073709551617", "port" },
		{ "x .test", "own" },
		{ "x.test y.test", "own" },
		{ "x.test,y.test", "own" },
		{ "x.test\n", "own" },
		{ "x\x01.test", "character" },
		{ "\"x.test\"", "character" },
		{ "'x.test'", "character" },
		{ "[a-z].test", "character" },
		{ "?x.test", "character" },
		{ "x;y.test", "character" },
		{ "x#y.test", "character" },
		{ "x\\y.test", "character" },
		{ "\\*.test", "whole first label" },
		{ ".x.test", "write '*.x.test'" },
		{ "x..test", "empty label" },
		{ "*..x.test", "empty label" },
		{ "x.test..", "empty label" },
		{ L63 "n.test", "63" },
		{ L63 "." L63 "." L63 "." L63, "253" },
		{ "_", "no letter" },
		{ "-", "no letter" },
		{ "xn--99999999.test", "xn--" },
		{ "metadata.google.internal", "metadata" },
		{ "metadata.azure.internal.", "metadata" },
		{ "Instance-Data", "metadata" },
		{ "instance-data.ec2.internal:80", "metadata" },
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct err e = { 0 };
		int rc = allowlist_add_domain(*state, cases[i].pattern, &e);

		if (rc != -EINVAL || e.code != EINVAL)
			fail_msg("accepted: '%s'", cases[i].pattern);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("%s", e.msg);
		for (const char *p = e.msg; *p; p++)
			assert_in_range((unsigned char)*p, 0x20, 0x7e);
	}
	assert_int_equal(allowlist_n_domains(*state), 0);
}

/* The message holds the pattern, escaped and bounded. */
static void test_quoting(void **state)
{
	struct err e = { 0 };
	char text[5000];

	assert_int_equal(allowlist_add_domain(*state, "x\x1b[2J\xff.test", &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "'x\\x1b[2J\\xff.test'"));
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(allowlist_add_domain(*state, text, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "253"));
	memcpy(text, "http://", 7);
	assert_int_equal(allowlist_add_domain(*state, text, &e), -EINVAL);
	assert_int_equal(allowlist_add_domain(*state, text, NULL), -EINVAL);
}

/* Canonical text, each entry once, in the order of adding. */
static void test_listing(void **state)
{
	static const struct {
		const char *pattern;
		const char *listed;
	} cases[] = {
		{ "X.Test.", "x.test" },
		{ "x.test:443", "x.test:443" },
		{ "*.X.test.:65535", "*.x.test:65535" },
		{ "*", "*" },
		{ "*:1", "*:1" },
		{ "b\xc3\xbc"
		  "cher.example:80",
		  "xn--bcher-kva.example:80" },
	};

	for (int twice = 0; twice < 2; twice++)
		for (size_t i = 0; i < N(cases); i++)
			add(*state, cases[i].pattern);
	assert_int_equal(allowlist_n_domains(*state), N(cases));
	for (size_t i = 0; i < N(cases); i++)
		assert_string_equal(allowlist_domain(*state, i),
				    cases[i].listed);
}

static void test_ports(void **state)
{
	struct allow_ports ports;

	add(*state, "x.test:443");
	add(*state, "x.test:22");
	add(*state, "*.test.example:80");
	add(*state, "*.a.test.example:443");
	add(*state, "b.a.test.example:8080");
	assert_true(has_port(*state, "x.test", 443));
	assert_true(has_port(*state, "x.test", 22));
	assert_false(has_port(*state, "x.test", 80));
	assert_false(has_port(*state, "x.test", 0));
	assert_false(has_port(*state, "y.test", 443));

	/* The union over all entries, sorted; the most specific names it. */
	assert_true(allowlist_match(*state, "b.a.test.example", &ports));
	assert_false(ports.any);
	assert_int_equal(ports.n, 3);
	assert_int_equal(ports.port[0], 80);
	assert_int_equal(ports.port[1], 443);
	assert_int_equal(ports.port[2], 8080);
	assert_string_equal(ports.rule, "b.a.test.example:8080");
	assert_string_equal(rule_for(*state, "c.a.test.example"),
			    "*.a.test.example:443");
	assert_string_equal(rule_for(*state, "a.test.example"),
			    "*.test.example:80");

	add(*state, "*:25");
	assert_true(has_port(*state, "b.a.test.example", 25));
	assert_string_equal(rule_for(*state, "elsewhere.org"), "*:25");
	add(*state, "x.test");
	assert_true(allowlist_match(*state, "x.test", &ports));
	assert_true(ports.any);
	assert_int_equal(ports.n, 0);
	assert_true(has_port(*state, "x.test", 12345));
}

static void test_ports_limit(void **state)
{
	struct allow_ports ports;
	struct err e = { 0 };
	char text[64];

	for (int i = 0; i < ALLOW_PORTS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "a.x.test:%d", 2000 + i);
		add(*state, text);
	}
	add(*state, "a.x.test:2000"); /* there already */
	assert_int_equal(allowlist_add_domain(*state, "a.x.test:1", &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "'a.x.test:1'"));
	/* A union keeps the ports of the more specific entry. */
	add(*state, "*.x.test:1");
	assert_true(allowlist_match(*state, "a.x.test", &ports));
	assert_int_equal(ports.n, ALLOW_PORTS_MAX);
	assert_false(allow_ports_has(&ports, 1));
	assert_true(allow_ports_has(&ports, 2000));
	assert_true(allow_ports_has(&ports, 2063));
	assert_true(has_port(*state, "b.x.test", 1));
	add(*state, "a.x.test");
	assert_true(has_port(*state, "a.x.test", 1));
}

/* The longest names that exist, of one and of 127 labels' depth. */
static void test_long_names(void **state)
{
	char name[HOSTNAME_BUF] = "";
	char pattern[HOSTNAME_BUF + 16];

	for (int i = 0; i < 126; i++)
		memcpy(name + 2 * i, "a.", 2);
	memcpy(name + 252, "b", 2);
	assert_int_equal(strlen(name), HOSTNAME_MAX);
	(void)snprintf(pattern, sizeof(pattern), "%s.:65535", name);
	add(*state, pattern);
	(void)snprintf(pattern, sizeof(pattern), "*.%s:65535", name);
	add(*state, pattern); /* matches nothing, and does no harm */
	assert_true(has_port(*state, name, 65535));
	assert_false(has_port(*state, name + 2, 65535));
	add(*state, "*.a.a.b:1");
	assert_true(has_port(*state, name + 2, 1));
	assert_false(has_port(*state, "a.a.b", 1));
}

static void test_million(void **state)
{
	const int n = 1000000;
	char text[64];

	for (int i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "%sh%d.example.test",
			       i % 2 ? "*." : "", i);
		add(*state, text);
	}
	assert_int_equal(allowlist_n_domains(*state), n);
	for (int i = 0; i < n; i += 997) {
		(void)snprintf(text, sizeof(text), "%sh%d.example.test",
			       i % 2 ? "a.b." : "", i);
		assert_non_null(rule_for(*state, text));
		(void)snprintf(text, sizeof(text), "%sh%d.example.test",
			       i % 2 ? "" : "a.", i);
		assert_null(rule_for(*state, text));
	}
	assert_null(rule_for(*state, "h1000000.example.test"));
}

/* What is added; may name resolve to that address? */
static void check_private(const char *entry, bool literal, const char *name,
			  const char *address, bool expected)
{
	struct allowlist *al;
	struct addr a;
	struct err e;

	assert_true(addr_parse(address, &a));
	assert_int_equal(allowlist_new(&al, &e), 0);
	if (entry)
		assert_int_equal(
			(literal ? allowlist_add_address
				 : allowlist_add_private)(al, entry, &e),
			0);
	assert_int_equal(allowlist_seal(al, &e), 0);
	if (allowlist_may_resolve(al, name, &a) != expected)
		fail_msg("%s: %s -> %s", entry ? entry : "(nothing)", name,
			 address);
	allowlist_free(al);
}

static void test_private(void **state)
{
	static const struct {
		const char *entry;
		const char *name;
		const char *address;
		bool literal;
		bool expected;
	} cases[] = {
		{ NULL, "a.test", "10.0.0.1", false, false },
		{ NULL, "a.test", "fd00::1", false, false },
		{ NULL, "a.test", "192.0.2.1", false, true },
		{ "a.test", "a.test", "10.0.0.1", false, true },
		{ "a.test", "b.a.test", "10.0.0.1", false, false },
		{ "*.a.test", "b.a.test", "fd00::1", false, true },
		{ "*.a.test", "a.test", "10.0.0.1", false, false },
		{ "*", "a.test", "100.64.0.1", false, true },
		{ "10.0.0.0/8", "a.test", "10.255.0.1", false, true },
		{ "10.0.0.0/8", "a.test", "172.16.0.1", false, false },
		{ "fd00::/8", "a.test", "fd12::1", false, true },
		{ "fd00::/8", "a.test", "10.0.0.1", false, false },
		{ "10.0.0.1", "a.test", "10.0.0.1", false, true },
		{ "10.0.0.0/8", "a.test", "10.0.0.1", true, true },
		{ "10.0.0.0/8:443", "a.test", "10.0.0.1", true, false },
		{ "0.0.0.0/0", "a.test", "192.168.0.1", true, true },
	};
	static const char *const bad[] = {
		"",
		"a.test:80",
		"10.0.0.0/8:80",
		"10.0.0.1/8",
		"127.0.0.1",
		"*.com",
		"a.*.test",
		"::ffff:10.0.0.1",
		"169.254.0.0/16",
		"http://a.test/",
		"64:ff9b::/96",
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		check_private(cases[i].entry, cases[i].literal, cases[i].name,
			      cases[i].address, cases[i].expected);
	for (size_t i = 0; i < N(bad); i++) {
		struct allowlist *al;
		struct err e = { 0 };

		assert_int_equal(allowlist_new(&al, &e), 0);
		assert_int_equal(allowlist_add_private(al, bad[i], &e),
				 -EINVAL);
		assert_non_null(strstr(e.msg, bad[i]));
		assert_int_equal(allowlist_n_private(al), 0);
		allowlist_free(al);
	}
}

static void test_record_types(void **state)
{
	static const char *const bad[] = { "", "A", "HTTPS", "mx", "TXT " };
	struct allowlist *al;
	struct err e;

	(void)state;
	assert_int_equal(allowlist_new(&al, &e), 0);
	assert_false(allowlist_has_record_type(al, 16));
	assert_int_equal(allowlist_add_record_type(al, "TXT", &e), 0);
	assert_int_equal(allowlist_add_record_type(al, "CAA", &e), 0);
	assert_true(allowlist_has_record_type(al, 16));
	assert_true(allowlist_has_record_type(al, 257));
	assert_false(allowlist_has_record_type(al, 15));
	assert_false(allowlist_has_record_type(al, 65));
	for (size_t i = 0; i < N(bad); i++) {
		assert_int_equal(allowlist_add_record_type(al, bad[i], &e),
				 -EINVAL);
		assert_non_null(strstr(e.msg, "\"TXT\""));
	}
	allowlist_free(al);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_record_types),
		cmocka_unit_test_setup_teardown(test_not_canonical, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_patterns, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_quoting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports_limit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_long_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_million, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
