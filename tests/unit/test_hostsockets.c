/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's sockets: their names, and the files they were bound to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fsrules/hostsockets.h"
#include "tests/unit/tree.h"

static int bound(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(name) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, name, strlen(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int count(void *arg, const char *name)
{
	unsigned *n = arg;

	assert_true(name[0] && name[0] != '@');
	*n += strcmp(name, "egress relative.s") == 0;
	return 0;
}

static int stop(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "egress relative.s") == 0 ? 7 : 0;
}

static void test_names_and_files(void **state)
{
	struct tree *t = *state;
	struct err e = { 0 };
	struct stat st;
	unsigned n = 0;
	int fd;

	assert_int_equal(chdir(t->root), 0);
	fd = bound("egress relative.s");
	assert_int_equal(hostsockets_each(count, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(hostsockets_each(stop, NULL, &e), 7);
	assert_int_equal(stat("egress relative.s", &st), 0);
	assert_true(hostsockets_has(st.st_ino));
	assert_int_equal(close(fd), 0);
	n = 0;
	assert_int_equal(hostsockets_each(count, &n, &e), 0);
	assert_int_equal(n, 0);
	/* Only the file is left; the kernel may be unable to tell. */
	if (hostsockets_has((ino_t)0xfffffff1))
		skip();
	assert_false(hostsockets_has(st.st_ino));
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_and_files,
						tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
