/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address values, and each edge of the never-permitted ranges from both
 * sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "common/addr.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct addr parse(const char *text)
{
	struct addr a;

	if (!addr_parse(text, &a))
		fail_msg("not parsed: %s", text);
	return a;
}

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"",	     "1",	   "1.2.3",	    "192.0.2.01",
		"0x7f.1",    "2130706433", "127.1",	    "1.2.3.4.5",
		"1.2.3.256", " 1.2.3.4",   "1.2.3.4 ",	    "1.2.3.4\n",
		"::1%lo",    "[::1]",	   "1::2::3",	    ":::",
		"12345::",   "::1.2.3.04", "1:2:3:4:5:6:7", "example.com",
		"1.2.3.4/8", "::/0",	   "+1.2.3.4",	    "1.2.3.-4",
	};
	struct addr a = { .family = 77 };
	char buf[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		if (addr_parse(bad[i], &a))
			fail_msg("parsed: '%s'", bad[i]);
		assert_int_equal(a.family, 77);
	}
	a = parse("192.0.2.1");
	assert_int_equal(a.family, AF_INET);
	assert_int_equal(addr_len(&a), 4);
	assert_string_equal(addr_format(&a, buf), "192.0.2.1");
	a = parse("2001:DB8:0:0::00a1");
	assert_int_equal(addr_len(&a), 16);
	assert_string_equal(addr_format(&a, buf), "2001:db8::a1");
}

static void test_format_port(void **state)
{
	char buf[ADDR_PORT_TEXT_MAX];
	struct addr a = parse("192.0.2.1");

	(void)state;
	assert_string_equal(addr_format_port(&a, 443, buf), "192.0.2.1:443");
	assert_string_equal(addr_format_port(&a, 0, buf), "192.0.2.1:0");
	a = parse("2001:db8::1");
	assert_string_equal(addr_format_port(&a, 65535, buf),
			    "[2001:db8::1]:65535");
	memset(a.bytes, 0xff, sizeof(a.bytes));
	assert_string_equal(addr_format_port(&a, 65535, buf),
			    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void test_equal(void **state)
{
	struct addr a = parse("192.0.2.1");
	struct addr b = parse("192.0.2.2");
	struct addr zero4 = parse("0.0.0.0");
	struct addr zero6 = parse("::");

	(void)state;
	assert_true(addr_equal(&a, &a));
	assert_false(addr_equal(&a, &b));
	assert_false(addr_equal(&zero4, &zero6));
}

static void test_in_network(void **state)
{
	static const struct {
		const char *a;
		const char *base;
		unsigned len;
		bool in;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.0", 24, true },
		{ "192.0.3.1", "192.0.2.0", 24, false },
		{ "192.0.3.1", "192.0.2.0", 23, true },
		{ "192.0.2.127", "192.0.2.0", 25, true },
		{ "192.0.2.128", "192.0.2.0", 25, false },
		{ "192.0.2.1", "192.0.2.1", 32, true },
		{ "192.0.2.2", "192.0.2.1", 32, false },
		{ "203.0.113.9", "0.0.0.0", 0, true },
		{ "203.0.113.9", "128.0.0.0", 1, true },
		{ "192.0.2.1", "192.0.2.1", 33, false },
		{ "2001:db8::1", "::", 0, true },
		{ "2001:db8::1", "0.0.0.0", 0, false },
		{ "192.0.2.1", "::", 0, false },
		{ "2001:db8:0:1::", "2001:db8::", 64, false },
		{ "2001:db8::ffff", "2001:db8::", 64, true },
		{ "2001:db8::1", "2001:db8::1", 128, true },
		{ "2001:db8::1", "2001:db8::1", 129, false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct addr a = parse(cases[i].a);
		struct addr base = parse(cases[i].base);

		if (addr_in_network(&a, &base, cases[i].len) != cases[i].in)
			fail_msg("%s in %s/%u", cases[i].a, cases[i].base,
				 cases[i].len);
	}
}

static void test_never(void **state)
{
	/* first, last, reason; the neighbours outside follow in test_usable */
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{ "0.0.0.0", "address of \"this network\"" },
		{ "0.255.255.255", "address of \"this network\"" },
		{ "127.0.0.0", "loopback address" },
		{ "127.255.255.255", "loopback address" },
		{ "169.254.0.0", "link-local address" },
		{ "169.254.255.255", "link-local address" },
		{ "169.254.169.254", "cloud metadata address" },
		{ "168.63.129.16", "cloud metadata address" },
		{ "100.100.100.200", "cloud metadata address" },
		{ "192.0.0.192", "cloud metadata address" },
		{ "192.0.0.0", "reserved for the sandbox's own link" },
		{ "192.0.0.7", "reserved for the sandbox's own link" },
		{ "224.0.0.0", "multicast address" },
		{ "239.255.255.255", "multicast address" },
		{ "240.0.0.0", "reserved address" },
		{ "255.255.255.254", "reserved address" },
		{ "255.255.255.255", "broadcast address" },
		{ "::", "unspecified address" },
		{ "::1", "loopback address" },
		{ "::2", "IPv4-compatible address" },
		{ "::127.0.0.1", "IPv4-compatible address" },
		{ "::255.255.255.255", "IPv4-compatible address" },
		{ "::ffff:0.0.0.0", "IPv4-mapped address" },
		{ "::ffff:198.51.100.1", "IPv4-mapped address" },
		{ "::ffff:255.255.255.255", "IPv4-mapped address" },
		{ "::ffff:0:0:0", "IPv4-translated address" },
		{ "::ffff:0:ffff:ffff", "IPv4-translated address" },
		{ "64:ff9b::", "NAT64 address" },
		{ "64:ff9b::a9fe:a9fe", "NAT64 address" },
		{ "64:ff9b::ffff:ffff", "NAT64 address" },
		{ "64:ff9b:1::", "NAT64 address" },
		{ "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64 address" },
		{ "100::", "discard-only address" },
		{ "100::ffff:ffff:ffff:ffff", "discard-only address" },
		{ "2001::", "Teredo address" },
		{ "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo address" },
		{ "2001:2::", "reserved for the sandbox's own link" },
		{ "2001:2:0:ffff:ffff:ffff:ffff:ffff",
		  "reserved for the sandbox's own link" },
		{ "2002::", "6to4 address" },
		{ "2002:7f00:1::", "6to4 address" },
		{ "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4 address" },
		{ "fd00:ec2::254", "cloud metadata address" },
		{ "fd20:ce::254", "cloud metadata address" },
		{ "fe80::", "link-local address" },
		{ "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "link-local address" },
		{ "fec0::", "site-local address" },
		{ "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "site-local address" },
		{ "2001:db8::5efe:10.0.0.1", "ISATAP address" },
		{ "2600::200:5efe:198.51.100.1", "ISATAP address" },
		{ "ff00::", "multicast address" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "multicast address" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct addr a = parse(cases[i].text);
		const char *reason = addr_never(&a);

		if (!reason || strcmp(reason, cases[i].reason) != 0)
			fail_msg("%s: %s", cases[i].text,
				 reason ? reason : "(usable)");
	}
}

static void test_usable(void **state)
{
	static const char *const usable[] = {
		/* just outside each range above */
		"1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "168.63.129.15", "168.63.129.17",
		"100.100.100.199", "100.100.100.201", "192.0.0.191",
		"192.0.0.193", "191.255.255.255", "192.0.0.8",
		"223.255.255.255", "::1:0:0", "::fffe:ffff:ffff", "::1:0:0:0",
		"::fffe:ffff:ffff:ffff", "::ffff:1:0:0",
		"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::1:0:0",
		"64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
		"64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"100:0:0:1::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:2:1::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:db8::100:5efe:a00:1", "2001:db8::5eff:a00:1",
		"2001:db8:5efe::1", "2003::", "fd00:ec2::253", "fd00:ec2::255",
		"fd20:ce::253", "fd20:ce::255",
		"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		/* documentation and private ranges are for others to judge */
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1",
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
		"fc00::1", "fd00::1"
	};

	(void)state;
	for (size_t i = 0; i < N(usable); i++) {
		struct addr a = parse(usable[i]);
		const char *reason = addr_never(&a);

		if (reason)
			fail_msg("%s: %s", usable[i], reason);
	}
}

static void test_private(void **state)
{
	/* first and last of each, then what is just outside */
	static const char *const private[] = {
		"10.0.0.0",    "10.255.255.255",
		"172.16.0.0",  "172.31.255.255",
		"192.168.0.0", "192.168.255.255",
		"100.64.0.0",  "100.127.255.255",
		"192.0.0.8",   "192.0.0.255",
		"192.88.99.0", "192.88.99.255",
		"198.18.0.0",  "198.19.255.255",
		"fc00::",      "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"5f00::",      "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	static const char *const public[] = {
		"9.255.255.255",
		"11.0.0.0",
		"172.15.255.255",
		"172.32.0.0",
		"192.167.255.255",
		"192.169.0.0",
		"100.63.255.255",
		"100.128.0.0",
		"192.0.1.0",
		"192.88.98.255",
		"192.88.100.0",
		"198.17.255.255",
		"198.20.0.0",
		"fbff::1",
		"fe00::",
		"5eff::",
		"5f01::",
		"2606:4700::1111",
		/* nothing answers there, and it is the lab's internet */
		"192.0.2.1",
		"198.51.100.1",
		"203.0.113.1",
		"2001:db8::1",
	};

	(void)state;
	for (size_t i = 0; i < N(private); i++) {
		struct addr a = parse(private[i]);

		if (!addr_private(&a))
			fail_msg("%s is private", private[i]);
	}
	for (size_t i = 0; i < N(public); i++) {
		struct addr a = parse(public[i]);

		if (addr_private(&a))
			fail_msg("%s: %s", public[i], addr_private(&a));
	}
}

static void test_never_network(void **state)
{
	static const struct {
		const char *base;
		unsigned len;
		bool never;
	} cases[] = {
		{ "127.0.0.0", 8, true },
		{ "127.0.0.0", 9, true },
		{ "127.0.0.1", 32, true },
		{ "126.0.0.0", 7, false },
		{ "0.0.0.0", 8, true },
		{ "0.0.0.0", 7, false },
		{ "0.0.0.0", 0, false },
		{ "::", 0, false },
		{ "::", 96, true },
		{ "::", 95, false },
		{ "::", 128, true },
		{ "fe80::", 10, true },
		{ "fe80::", 9, false },
		{ "fe80::", 64, true },
		{ "169.254.169.0", 24, true },
		{ "168.63.129.0", 24, false },
		{ "168.63.129.16", 32, true },
		{ "2001:2::", 47, false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct addr a = parse(cases[i].base);

		if (!addr_never_network(&a, cases[i].len) == cases[i].never)
			fail_msg("%s/%u", cases[i].base, cases[i].len);
	}
}

static void test_sockaddr(void **state)
{
	struct sockaddr_storage ss;
	struct addr a = parse("192.0.2.1");
	struct addr back;
	uint16_t port;

	(void)state;
	assert_int_equal(addr_to_sockaddr(&a, 443, &ss),
			 sizeof(struct sockaddr_in));
	assert_true(addr_from_sockaddr(&ss, &back, &port));
	assert_true(addr_equal(&a, &back));
	assert_int_equal(port, 443);

	a = parse("2001:db8::1");
	assert_int_equal(addr_to_sockaddr(&a, 65535, &ss),
			 sizeof(struct sockaddr_in6));
	assert_true(addr_from_sockaddr(&ss, &back, &port));
	assert_true(addr_equal(&a, &back));
	assert_int_equal(port, 65535);

	a = parse("::ffff:192.0.2.1");
	(void)addr_to_sockaddr(&a, 1, &ss);
	a = parse("192.0.2.1");
	assert_true(addr_from_sockaddr(&ss, &back, &port));
	assert_true(addr_equal(&a, &back));

	memset(&ss, 0, sizeof(ss));
	ss.ss_family = AF_UNIX;
	assert_false(addr_from_sockaddr(&ss, &back, &port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format_port),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_in_network),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_never_network),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
