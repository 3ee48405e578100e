/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash against known values, and the table against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/htab.h"

struct item {
	struct htab_node node;
	unsigned value;
	unsigned visits;
};

static bool same_value(const struct htab_node *n, const void *key)
{
	const struct item *item = htab_entry(n, const struct item, node);

	return item->value == *(const unsigned *)key;
}

static struct item *find(const struct htab *t, uint64_t hash, unsigned value)
{
	struct htab_node *n = htab_find(t, hash, same_value, &value);

	return n ? htab_entry(n, struct item, node) : NULL;
}

static struct item *add(struct htab *t, uint64_t hash, unsigned value)
{
	struct item *item = calloc(1, sizeof(*item));

	assert_non_null(item);
	item->value = value;
	assert_int_equal(htab_insert(t, &item->node, hash), 0);
	return item;
}

static uint64_t hash_of(const struct htab *t, unsigned value)
{
	return htab_hash(t, &value, sizeof(value));
}

/* SipHash-1-3 of the bytes 0, 1, ... n - 1 with an all-zero key. */
static void test_hash_vectors(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{ 1, 0x68a914128e01e473 },  { 7, 0x2f098ab0c751325a },
		{ 8, 0xead411e67ebe2eea },  { 9, 0x75927f9d95124362 },
		{ 15, 0xf30eb725bb91c9ea }, { 16, 0x8972188433a5c5b7 },
		{ 31, 0x169739443111d49b },
	};
	struct htab t = { 0 };
	uint8_t data[32];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(htab_hash(&t, data, vectors[i].len) ==
			    vectors[i].hash);
}

static void test_key_differs(void **state)
{
	struct htab a;
	struct htab b;

	(void)state;
	assert_int_equal(htab_init(&a), 0);
	assert_int_equal(htab_init(&b), 0);
	assert_true(htab_hash(&a, "x", 1) != htab_hash(&b, "x", 1));
	assert_true(htab_hash(&a, "x", 1) != htab_hash(&a, "x\0", 2));
	htab_done(&a);
	htab_done(&b);
}

static void test_empty(void **state)
{
	struct htab t;
	unsigned key = 1;

	(void)state;
	assert_int_equal(htab_init(&t), 0);
	assert_null(htab_find(&t, 1, same_value, &key));
	assert_int_equal(t.n_buckets, 0);
	htab_done(&t);
	htab_done(&t);
}

static void free_item(struct htab_node *n, void *arg)
{
	htab_remove(arg, n);
	free(htab_entry(n, struct item, node));
}

/* One chain: equal hashes, and hashes that differ above the bucket bits. */
static void test_collisions(void **state)
{
	struct htab t;
	struct item *items[100];

	(void)state;
	assert_int_equal(htab_init(&t), 0);
	for (unsigned i = 0; i < 100; i++)
		items[i] = add(&t, i < 50 ? 7 : 7 | (uint64_t)i << 40, i);
	for (unsigned i = 0; i < 50; i++)
		assert_ptr_equal(find(&t, 7, i), items[i]);
	assert_ptr_equal(find(&t, 7 | (uint64_t)70 << 40, 70), items[70]);
	assert_null(find(&t, 7, 70));
	assert_null(find(&t, 7, 1000));

	/* First, middle and last of the chain. */
	for (unsigned i = 0; i < 50; i += 7) {
		htab_remove(&t, &items[i]->node);
		assert_null(find(&t, 7, i));
		free(items[i]);
	}
	assert_ptr_equal(find(&t, 7, 1), items[1]);
	assert_int_equal(t.n_nodes, 92);
	htab_each(&t, free_item, &t);
	assert_int_equal(t.n_nodes, 0);
	htab_done(&t);
}

static void test_growth(void **state)
{
	const unsigned n = 100000;
	struct htab t;

	(void)state;
	assert_int_equal(htab_init(&t), 0);
	for (unsigned i = 0; i < n; i++)
		(void)add(&t, hash_of(&t, i), i);
	assert_int_equal(t.n_nodes, n);
	assert_true(t.n_buckets >= n);
	assert_int_equal(t.n_buckets & (t.n_buckets - 1), 0);
	for (unsigned i = 0; i < n; i++)
		assert_non_null(find(&t, hash_of(&t, i), i));
	assert_null(find(&t, hash_of(&t, n), n));
	htab_each(&t, free_item, &t);
	assert_int_equal(t.n_nodes, 0);
	htab_done(&t);
}

struct sweep {
	struct htab *t;
	unsigned n_seen;
};

static void remove_odd(struct htab_node *n, void *arg)
{
	struct sweep *sweep = arg;
	struct item *item = htab_entry(n, struct item, node);

	sweep->n_seen++;
	assert_int_equal(item->visits++, 0);
	if (item->value % 2 == 0)
		return;
	htab_remove(sweep->t, n);
	free(item);
}

static void test_remove_in_each(void **state)
{
	struct htab t;
	struct sweep sweep = { .t = &t };

	(void)state;
	assert_int_equal(htab_init(&t), 0);
	for (unsigned i = 0; i < 1000; i++)
		(void)add(&t, i % 10, i); /* long chains */
	htab_each(&t, remove_odd, &sweep);
	assert_int_equal(sweep.n_seen, 1000);
	assert_int_equal(t.n_nodes, 500);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(!find(&t, i % 10, i) == (i % 2 == 1));
	htab_each(&t, free_item, &t);
	htab_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_vectors),
		cmocka_unit_test(test_key_differs),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_remove_in_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
