/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.no_proxy: which entries are accepted, and what they are about. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/noproxy.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void test_accepted(void **state)
{
	static const char *const entries[] = {
		"redis",	 "*.internal.example",
		".dev.local",	 ".svc.cluster.local",
		"127.0.0.1",	 "::1",
		"[::1]",	 "[0:0:0:0:0:0:0:1]",
		"Redis",	 "10.1.2.3",
		"b\xc3\xbcrste",
	};
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < N(entries); i++)
		if (noproxy_check(entries[i], &e) < 0)
			fail_msg("'%s' %s", entries[i], e.msg);
}

static void test_rejected(void **state)
{
	static const struct {
		const char *entry;
		const char *says;
	} cases[] = {
		{ "", "empty" },
		{ " https://dev.local", "white space" },
		{ "https://dev.local", "URL" },
		{ "user@dev.local", "user name" },
		{ "dev.local/path", "path" },
		{ "dev.local?debug=true", "path" },
		{ "dev.local,other.local", "list" },
		{ "dev.local", "'.dev.local'" },
		{ "api.openai.com", "'.api.openai.com'" },
		{ "*", "only in front" },
		{ "*corp", "only in front" },
		{ "a.*.b", "only in front" },
		{ "*.*.b", "only in front" },
		{ "*.", "must be a host" },
		{ ".", "must be a host" },
		{ "api.example.com:443", "no port" },
		{ "169.254.169.254", "metadata" },
		{ "169.254.1.2", "link-local" },
		{ "::ffff:169.254.169.254", "metadata" },
		{ "[::ffff:a9fe:a9fe]", "metadata" },
		{ "internal", "metadata" },
		{ "Internal", "metadata" },
		{ ".internal", "metadata" },
		{ "*.internal", "metadata" },
		{ "fd00:ec2::254", "metadata" },
		{ "FD00:0EC2:0:0:0:0:0:0254", "metadata" },
		{ "[fd00:ec2::254]", "metadata" },
		{ "fe80::1", "link-local" },
		{ "[fe80::1]", "link-local" },
		{ "metadata.google.internal", "metadata" },
		{ ".google.internal", "metadata" },
		{ "*.azure.internal", "metadata" },
		{ "[::1]:8443", "no port" },
		{ "[dev.local]", "brackets" },
		{ "dev.local]", "brackets" },
		{ "[127.0.0.1]", "brackets" },
		{ "0x7f.1", "address" },
		{ "2130706433", "address" },
		{ "x..y", "must be a host" },
		{ "x\x01", "must be a host" },
		{ "a b", "white space" },
	};
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		if (noproxy_check(cases[i].entry, &e) != -EINVAL)
			fail_msg("accepted: '%s'", cases[i].entry);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("'%s' %s", cases[i].entry, e.msg);
		assert_int_equal(strncmp(e.msg, "must ", 5), 0);
	}
}

static void test_matches(void **state)
{
	static const struct {
		const char *entry;
		const char *host;
		bool match;
	} cases[] = {
		{ "openai.com", "api.openai.com", false },
		{ ".openai.com", "api.openai.com", true },
		{ "*.openai.com", "api.openai.com", true },
		{ "*.openai.com", "a.b.openai.com", true },
		{ "*.openai.com", "openai.com", false },
		{ ".openai.com", "openai.com", true },
		{ ".openai.com", "evilopenai.com", false },
		{ "redis", "REDIS.", true },
		{ "redis", "a.redis", false },
		{ "[0:0:0:0:0:0:0:1]", "::1", true },
		{ "::1", "[::1]", true },
		{ "127.0.0.1", "::ffff:127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "redis", "127.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		if (noproxy_matches(cases[i].entry, cases[i].host) !=
		    cases[i].match)
			fail_msg("%s ~ %s", cases[i].entry, cases[i].host);
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *entry;
		const char *pattern;
		bool overlap;
	} cases[] = {
		{ ".dev.local", "api.dev.local", true },
		{ ".dev.local", "api.dev.local:443", true },
		{ ".dev.local", "dev.local", true },
		{ ".dev.local", "*.dev.local", true },
		{ ".dev.local", "*.local.test", false },
		{ ".dev.local", "*.a.dev.local", true },
		{ ".a.dev.local", "*.dev.local", true },
		{ "*.dev.local", "dev.local", false },
		{ "*.dev.local", "xdev.local", false },
		{ ".dev.local", "*dev.local", true },
		{ "local", "api.local", true },
		{ "redis", "redis", true },
		{ "redis", "redis.example", false },
		{ "::1", "[::1]:443", true },
		{ "::1", "::1", true },
		{ "127.0.0.1", "127.0.0.1:80", true },
		{ "127.0.0.1", "*.example", false },
		{ ".dev.local", "*", false },
		{ ".dev.local", "a.*.b", false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		if (noproxy_overlaps(cases[i].entry, cases[i].pattern) !=
		    cases[i].overlap)
			fail_msg("%s ~ %s", cases[i].entry, cases[i].pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_rejected),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_overlaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
