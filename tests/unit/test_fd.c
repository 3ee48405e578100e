/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which descriptors survive.  Each case runs in a child of its own, as the
 * harness needs its descriptors. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/fd.h"

#define FIRST 3
#define LAST  60

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool contains(const int *list, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == fd)
			return true;
	return false;
}

/* The number of the step that failed, or 0. */
static int run_case(const int *keep, size_t n)
{
	int sorted[32];
	bool was_open[FIRST];

	for (int fd = FIRST; fd <= LAST; fd++)
		if (dup2(STDERR_FILENO, fd) < 0)
			return 1;
	for (int fd = 0; fd < FIRST; fd++)
		was_open[fd] = is_open(fd);
	for (size_t i = 0; i < n; i++)
		sorted[i] = keep[i];
	if (fd_close_others(sorted, n) != 0)
		return 2;
	for (int fd = 0; fd < FIRST; fd++)
		if (is_open(fd) != was_open[fd])
			return 3;
	for (int fd = FIRST; fd <= LAST; fd++)
		if (is_open(fd) != contains(keep, n, fd))
			return 4;
	return 0;
}

static void check(const int *keep, size_t n)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_case(keep, n));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_close_others(void **state)
{
	static const int one[] = { 17 };
	static const int edges[] = { LAST, FIRST };
	static const int unsorted[] = { 40, 5, 39, 41, 4, 20 };
	static const int standard[] = { 2, 0, 1, 3 };
	static const int absent[] = { -1, 10, -1, -1 };
	static const int twice[] = { 10, 10, 9, 11, 9 };

	(void)state;
	check(NULL, 0);
	check(one, 1);
	check(edges, 2);
	check(unsorted, 6);
	check(standard, 4);
	check(absent, 4);
	check(twice, 5);
}

static void test_most(void **state)
{
	int keep[32];

	(void)state;
	for (int i = 0; i < 32; i++)
		keep[i] = FIRST + 2 * (31 - i) % (LAST - FIRST);
	check(keep, 32);
}

static int high_descriptor(void)
{
	struct rlimit limit;
	int keep[1];
	int high;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 256)
		return 1;
	high = (int)(limit.rlim_cur < 100000 ? limit.rlim_cur : 100000) - 1;
	if (dup2(STDERR_FILENO, high) != high)
		return 2;
	keep[0] = high;
	if (fd_close_others(keep, 1) != 0 || !is_open(high))
		return 3;
	if (fd_close_others(keep, 0) != 0 || is_open(high))
		return 4;
	return 0;
}

/* Far beyond the number of open ones. */
static void test_high(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(high_descriptor());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_ownership(void **state)
{
	int fd = dup(STDERR_FILENO);
	int taken;

	(void)state;
	assert_true(fd >= FIRST);
	taken = fd_steal(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	assert_true(is_open(taken));
	{
		cleanup_fd int scoped = taken;
		cleanup_free char *text = malloc(16);

		assert_true(is_open(scoped));
		assert_non_null(text);
	}
	assert_false(is_open(taken));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_others),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_high),
		cmocka_unit_test(test_ownership),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
