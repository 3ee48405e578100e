/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be undone is done in a child, which tells by its exit status. */
#ifndef TESTS_UNIT_FORKED_H
#define TESTS_UNIT_FORKED_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In the child: ends it and says where. */
#define CHECK(condition)                                                   \
	do {                                                               \
		if (!(condition)) {                                        \
			(void)fprintf(stderr, "%s:%d: %s: %m\n", __FILE__, \
				      __LINE__, #condition);               \
			_exit(1);                                          \
		}                                                          \
	} while (0)

/* The call fails, and so. */
#define CHECK_FAILS(error, call)           \
	do {                               \
		errno = 0;                 \
		CHECK((long)(call) == -1); \
		CHECK(errno == (error));   \
	} while (0)

typedef void forked_fn(void *arg);

/* Returns the wait status. */
static inline int forked_status(forked_fn *fn, void *arg)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0);
		fn(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* False in a chroot, and in a container that forbids it: what needs a user
 * namespace of its own is skipped then. */
static inline bool forked_has_userns(void)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static inline void forked(forked_fn *fn, void *arg)
{
	assert_int_equal(forked_status(fn, arg), 0);
}

static inline void forked_killed(forked_fn *fn, void *arg, int sig)
{
	int status = forked_status(fn, arg);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), sig);
}

#endif
