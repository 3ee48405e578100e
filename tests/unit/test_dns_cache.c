/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t hop[] = "\3cdn\4test";
static const uint8_t addr[] = { 192, 0, 2, 1, 192, 0, 2, 2 };

static void put(struct cache *c, const char *name, uint16_t type, uint32_t ttl,
		uint64_t now)
{
	struct cache_answer a = { .ttl_sec = ttl,
				  .records = { .type = type,
					       .n_hops = 1,
					       .n_addr = 2,
					       .hops_len = 10,
					       .hops = hop,
					       .addr = addr } };

	if (type == DNS_TYPE_AAAA)
		a.records.n_addr = 0;
	cache_put(c, name, now, &a);
}

static void test_expiry(void **state)
{
	struct cache_answer a;
	struct cache *c;

	(void)state;
	assert_int_equal(cache_new(&c, 10, 100000), 0);
	assert_false(cache_find(c, "a.test", DNS_TYPE_A, 0, &a));
	put(c, "a.test", DNS_TYPE_A, 60, 1000);
	assert_true(cache_find(c, "a.test", DNS_TYPE_A, 1000, &a));
	assert_int_equal(a.ttl_sec, 60);
	assert_int_equal(a.records.n_addr, 2);
	assert_memory_equal(a.records.addr, addr, sizeof(addr));
	assert_int_equal(a.records.n_hops, 1);
	assert_memory_equal(a.records.hops, hop, 10);
	assert_false(cache_find(c, "a.test", DNS_TYPE_AAAA, 1000, &a));
	assert_false(cache_find(c, "a.tes", DNS_TYPE_A, 1000, &a));
	assert_true(cache_find(c, "a.test", DNS_TYPE_A, 31500, &a));
	assert_int_equal(a.ttl_sec, 29);
	assert_true(cache_find(c, "a.test", DNS_TYPE_A, 60999, &a));
	assert_int_equal(a.ttl_sec, 0);
	assert_false(cache_find(c, "a.test", DNS_TYPE_A, 61000, &a));
	assert_int_equal(cache_size(c), 0);

	put(c, "a.test", DNS_TYPE_AAAA, 5, 0);
	assert_true(cache_find(c, "a.test", DNS_TYPE_AAAA, 0, &a));
	assert_int_equal(a.records.n_addr, 0);
	put(c, "a.test", DNS_TYPE_AAAA, 0, 0); /* replaced by nothing */
	assert_false(cache_find(c, "a.test", DNS_TYPE_AAAA, 0, &a));
	cache_free(c);
}

static void test_least_recently_used(void **state)
{
	struct cache_answer a;
	struct cache *c;

	(void)state;
	assert_int_equal(cache_new(&c, 3, 100000), 0);
	put(c, "a.test", DNS_TYPE_A, 60, 0);
	put(c, "b.test", DNS_TYPE_A, 60, 0);
	put(c, "c.test", DNS_TYPE_A, 60, 0);
	assert_true(cache_find(c, "a.test", DNS_TYPE_A, 0, &a));
	put(c, "d.test", DNS_TYPE_A, 60, 0);
	assert_int_equal(cache_size(c), 3);
	assert_false(cache_find(c, "b.test", DNS_TYPE_A, 0, &a));
	assert_true(cache_find(c, "a.test", DNS_TYPE_A, 0, &a));
	put(c, "a.test", DNS_TYPE_A, 90, 0);
	assert_int_equal(cache_size(c), 3);
	assert_true(cache_find(c, "a.test", DNS_TYPE_A, 0, &a));
	assert_int_equal(a.ttl_sec, 90);
	cache_free(c);
}

static void test_bounds(void **state)
{
	struct cache *c;
	char name[32];

	(void)state;
	assert_int_equal(cache_new(&c, 1000, 5000), 0);
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "n%d.test", i);
		put(c, name, DNS_TYPE_A, 60, 0);
	}
	assert_in_range(cache_size(c), 10, 100); /* bounded by bytes */
	cache_free(c);
	assert_int_equal(cache_new(&c, 0, 0), 0); /* keeps nothing */
	put(c, "a.test", DNS_TYPE_A, 60, 0);
	assert_int_equal(cache_size(c), 0);
	cache_free(c);
	cache_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_least_recently_used),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
