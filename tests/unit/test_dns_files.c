/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's files (hosts, resolv.conf), and the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsfilter/hosts.h"
#include "dnsfilter/policy.h"
#include "dnsfilter/resolvconf.h"
#include "profiles/allowlist.h"

static char path[] = "/tmp/egress-run-test-XXXXXX";
static struct allowlist *al;

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void load(struct hosts *h)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(hosts_load(h, fd), 0);
	if (fd >= 0)
		(void)close(fd);
}

static int set_up(void **state)
{
	struct err e;
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || close(fd) < 0 || allowlist_new(&al, &e) < 0)
		return -1;
	return allowlist_add_domain(al, "www.example.org", &e) |
	       allowlist_add_domain(al, "*.example.org", &e);
}

static int tear_down(void **state)
{
	(void)state;
	allowlist_free(al);
	return unlink(path);
}

static void test_hosts(void **state)
{
	static struct dns_chain c;
	struct hosts *h;

	(void)state;
	write_file(
		"127.0.0.1 localhost\n"
		"192.0.2.1\tWWW.example.org alias.example.org # 192.0.2.9 no\n"
		"192.0.2.2 www.example.org.\n192.0.2.1 www.example.org\n"
		"2001:db8::1 www.example.org\n"
		"#192.0.2.3 www.example.org\n192.0.2.300 www.example.org\n"
		"fe80::1%lo www.example.org\n192.0.2.4\n"
		"192.0.2.5 other.test b\303\274cher.example.org\n"
		"192.0.2.6 last.example.org");
	assert_int_equal(hosts_new(&h, al), 0);
	assert_false(hosts_find(h, "www.example.org", DNS_TYPE_A, &c));
	load(h);
	assert_true(hosts_find(h, "www.example.org", DNS_TYPE_A, &c));
	assert_int_equal(c.n_addr, 2);
	assert_memory_equal(c.addr, "\300\0\2\1\300\0\2\2", 8);
	assert_int_equal(c.ttl_sec, HOSTS_TTL_SEC);
	assert_true(hosts_find(h, "www.example.org", DNS_TYPE_AAAA, &c));
	assert_int_equal(c.n_addr, 1);
	assert_true(hosts_find(h, "alias.example.org", DNS_TYPE_AAAA, &c));
	assert_int_equal(c.n_addr, 0); /* only the other family: no data */
	assert_true(hosts_find(h, "last.example.org", DNS_TYPE_A, &c));
	assert_false(hosts_find(h, "none.example.org", DNS_TYPE_A, &c));
	assert_false(hosts_find(h, "other.test", DNS_TYPE_A, &c));

	write_file("192.0.2.77 none.example.org\n");
	load(h);
	assert_true(hosts_find(h, "none.example.org", DNS_TYPE_A, &c));
	assert_int_equal(c.addr[3], 77);
	assert_false(hosts_find(h, "www.example.org", DNS_TYPE_A, &c));
	assert_int_equal(unlink(path), 0);
	load(h);
	assert_false(hosts_find(h, "none.example.org", DNS_TYPE_A, &c));
	write_file("192.0.2.78 none.example.org\n");
	load(h);
	assert_true(hosts_find(h, "none.example.org", DNS_TYPE_A, &c));
	hosts_free(h);
}

static void test_many_addresses(void **state)
{
	static struct dns_chain c;
	struct hosts *h;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		assert_true(fprintf(f, "192.0.%d.%d www.example.org\n", i / 250,
				    i % 250) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(hosts_new(&h, al), 0);
	load(h);
	assert_true(hosts_find(h, "www.example.org", DNS_TYPE_A, &c));
	assert_int_equal(c.n_addr, DNS_ADDRESSES_MAX);
	hosts_free(h);
}

static struct resolvconf parse(const char *text)
{
	struct resolvconf rc;
	char *copy = strdup(text);

	assert_non_null(copy);
	resolvconf_parse(copy, &rc);
	free(copy);
	return rc;
}

static void test_resolvconf(void **state)
{
	struct resolvconf rc;

	(void)state;
	rc = parse("nameserver 192.0.2.1\n  options timeout:2 attempts:3\n"
		   "nameserver 192.0.2.2 # options timeout:9\n"
		   "; options attempts:1\noptions rotate use-vc\n");
	assert_int_equal(rc.timeout_ms, 2000);
	assert_int_equal(rc.attempts, 3);
	assert_int_equal(rc.n_servers, 2);
	assert_true(rc.use_vc);
	assert_memory_equal(rc.server[1].bytes, "\300\0\2\2", 4);
	/* 2 servers, 1 + 2 + 4 rounds of 2 s are 28 s */
	assert_int_equal(resolvconf_fit_timeout_ms(&rc, 30000), 2000);
	assert_int_equal(resolvconf_fit_timeout_ms(&rc, 14000), 1000);
	assert_int_equal(resolvconf_fit_timeout_ms(&rc, 1), 500);

	rc = parse("options timeout:99 attempts:99\noptions timeout:x\n");
	assert_int_equal(rc.timeout_ms, 30000);
	assert_int_equal(rc.attempts, 5);
	assert_int_equal(rc.n_servers, 1);
	assert_memory_equal(rc.server[0].bytes, "\177\0\0\1", 4);
	rc = parse("options timeout:0 attempts:-1");
	assert_int_equal(rc.timeout_ms, 1000);
	assert_int_equal(rc.attempts, 2);
	rc = parse("");
	assert_int_equal(rc.timeout_ms, 5000);
	assert_int_equal(rc.n_servers, 1);
}

static void test_resolvers(void **state)
{
	struct resolvconf rc, again;

	(void)state;
	rc = parse("nameserver\nnameserver 192.0.2.1:5353\n"
		   "nameserver host.test\nnameserver 2001:db8::53\n"
		   "nameserver fe80::1%lo\nnameserver fe80::2%nowhere0\n"
		   "nameserver 192.0.2.9%lo\n");
	assert_int_equal(rc.n_servers, 2);
	assert_int_equal(rc.server[0].family, AF_INET6);
	assert_int_equal(rc.scope[0], 0);
	assert_true(rc.scope[1] > 0);
	rc = parse("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
		   "nameserver 192.0.2.3\nnameserver 192.0.2.4\n"
		   "nameserver 192.0.2.5\nnameserver 192.0.2.6\n"
		   "nameserver 192.0.2.7\nnameserver 192.0.2.8\n"
		   "nameserver 192.0.2.9\n");
	assert_int_equal(rc.n_servers, RESOLVERS_MAX);
	again = parse("nameserver 192.0.2.1 x\nnameserver 192.0.2.2\n"
		      "nameserver 192.0.2.3\nnameserver 192.0.2.4\n"
		      "nameserver 192.0.2.5\nnameserver 192.0.2.6\n"
		      "nameserver 192.0.2.7\nnameserver 192.0.2.8");
	assert_memory_equal(&rc, &again, sizeof(rc));
}

static void test_policy(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		uint16_t class;
		enum policy want;
	} cases[] = {
		{ "www.example.org", 1, 1, POLICY_RESOLVE },
		{ "a.b.example.org", 28, 1, POLICY_RESOLVE },
		{ "example.org", 1, 1, POLICY_DENY },
		{ "evilexample.org", 1, 1, POLICY_DENY },
		{ "www.example.org.test", 1, 1, POLICY_DENY },
		{ "", 1, 1, POLICY_DENY },
		{ "", 255, 1, POLICY_DENY },
		{ "www.example.org", 65, 1, POLICY_NO_DATA },
		{ "www.example.org", 16, 1, POLICY_NO_DATA },
		{ "www.example.org", 255, 1, POLICY_NO_DATA },
		{ "www.example.org", 252, 1, POLICY_REFUSE },
		{ "www.example.org", 251, 1, POLICY_REFUSE },
		{ "www.example.org", 1, 3, POLICY_REFUSE },
		{ "evil.test", 16, 1, POLICY_DENY },
		{ "localhost", 1, 1, POLICY_LOCALHOST },
		{ "a.localhost", 28, 1, POLICY_LOCALHOST },
		{ "localhost", 16, 1, POLICY_NO_DATA },
		{ "notlocalhost", 1, 1, POLICY_DENY },
		{ "localhost.test", 1, 1, POLICY_DENY },
	};
	struct allowlist *all;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(dns_policy_decide(al, cases[i].name,
						   cases[i].type,
						   cases[i].class),
				 cases[i].want);
	assert_int_equal(allowlist_new(&all, &e), 0);
	assert_int_equal(dns_policy_decide(all, "www.example.org", 1, 1),
			 POLICY_DENY);
	assert_int_equal(allowlist_add_domain(all, "*", &e), 0);
	assert_int_equal(dns_policy_decide(all, "x.test", 1, 1),
			 POLICY_RESOLVE);
	assert_int_equal(dns_policy_decide(all, "192.0.2.1", 1, 1),
			 POLICY_DENY);
	assert_int_equal(
		dns_policy_decide(all, "use-application-dns.net", 1, 1),
		POLICY_DENY);
	allowlist_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_resolvconf),
		cmocka_unit_test(test_resolvers),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
