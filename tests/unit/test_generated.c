/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fsrules/generated.h"

static struct generated make(struct arena *a, const struct generated_user *u)
{
	struct generated g;
	struct err e = { 0 };

	assert_int_equal(generated_make(u, a, &g, &e), 0);
	return g;
}

static void test_users(void **state)
{
	static const struct {
		struct generated_user user;
		const char *passwd, *group;
	} rows[] = {
		{ { 1000, 100, "ann", "/home/ann", "/bin/bash" },
		  "root:x:0:0::/root:/bin/sh\n"
		  "ann:x:1000:100::/home/ann:/bin/bash\n"
		  "nobody:x:65534:65534::/:/bin/sh\n",
		  "root:x:0:\nann:x:100:\nnogroup:x:65534:\n" },
		{ { 0, 0, "root", "/root", "/bin/sh" },
		  "root:x:0:0::/root:/bin/sh\n"
		  "nobody:x:65534:65534::/:/bin/sh\n",
		  "root:x:0:\nnogroup:x:65534:\n" },
		{ { 65534, 65534, "nobody", "/nonexistent", "" },
		  "root:x:0:0::/root:/bin/sh\n"
		  "nobody:x:65534:65534::/nonexistent:/bin/sh\n",
		  "root:x:0:\nnogroup:x:65534:\n" },
		/* unknown, or what would be another line or another user */
		{ { 1000, 1000, "", "", "" },
		  "root:x:0:0::/root:/bin/sh\n"
		  "user:x:1000:1000::/:/bin/sh\n"
		  "nobody:x:65534:65534::/:/bin/sh\n",
		  "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n" },
		{ { 1000, 1000, "a\nroot2:x:0", "/h:/bin/x", "/b\n" },
		  "root:x:0:0::/root:/bin/sh\n"
		  "user:x:1000:1000::/:/bin/sh\n"
		  "nobody:x:65534:65534::/:/bin/sh\n",
		  "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n" },
		{ { 1000, 0, "root", "/h", "/b" },
		  "root:x:0:0::/root:/bin/sh\n"
		  "user:x:1000:0::/h:/b\n"
		  "nobody:x:65534:65534::/:/bin/sh\n",
		  "root:x:0:\nnogroup:x:65534:\n" },
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct generated g = make(&a, &rows[i].user);

		assert_string_equal(g.passwd, rows[i].passwd);
		assert_string_equal(g.group, rows[i].group);
		assert_string_equal(g.hostname, "egress-run\n");
	}
	arena_free(&a);
}

static void test_machine_id(void **state)
{
	const struct generated_user u = { 1000, 1000, "u", "/", "/bin/sh" };
	struct arena a = { 0 };
	struct generated one = make(&a, &u);
	struct generated two = make(&a, &u);

	(void)state;
	assert_int_equal(strlen(one.machine_id), 33);
	assert_int_equal(strspn(one.machine_id, "0123456789abcdef"), 32);
	assert_int_equal(one.machine_id[32], '\n');
	assert_int_equal(one.machine_id[12], '4');
	assert_string_not_equal(one.machine_id, two.machine_id);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_machine_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
