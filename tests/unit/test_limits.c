/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of memory and processes, in a user namespace as the command's. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "forked.h"
#include "ns.h"

#include "launcher/cgroup.h"
#include "launcher/limits.h"

#define PROCESSES 6
#define OTHERS	  12

static void test_parse_size(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t n;
	} table[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "65536K", 0, 65536ULL << 10 },
		{ "512M", 0, 512ULL << 20 },
		{ "2G", 0, 2ULL << 30 },
		{ "1T", 0, 1ULL << 40 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "16777216T", -ERANGE, 0 },
		{ "16777215T", 0, 16777215ULL << 40 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1m", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t n = 0;

		assert_int_equal(limits_parse_size(table[i].text, &n),
				 table[i].rc);
		assert_true(n == table[i].n);
	}
}

static void core_off(void *arg)
{
	const struct limits none = { 0 };
	struct rlimit l;

	(void)arg;
	CHECK(limits_apply_self(&none, NULL) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &l) == 0);
	CHECK(l.rlim_cur == 1 && l.rlim_max == 1);
	CHECK(getrlimit(RLIMIT_NPROC, &l) == 0);
	CHECK(l.rlim_max > 1000);
}

static void test_core_dumps(void **state)
{
	(void)state;
	forked(core_off, NULL);
}

/* A process, until its parent closes the pipe or ends. */
static void stay(const int *until)
{
	char byte;

	(void)close(until[1]);
	_exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
}

/* Many processes of the same user outside of the namespace do not count, those
 * inside do. */
static void processes(void *arg)
{
	const struct limits l = { .processes = PROCESSES };
	const uid_t uid = 12345;
	int until[2];
	int n = 0;

	(void)arg;
	CHECK(pipe(until) == 0);
	/* The machine's root has no such limit. */
	if (geteuid() == 0)
		CHECK(setresgid(uid, uid, uid) == 0 &&
		      setresuid(uid, uid, uid) == 0 &&
		      prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) == 0);
	for (int i = 0; i < OTHERS; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			stay(until);
	}
	CHECK(ns_enter());
	CHECK(limits_apply_self(&l, NULL) == 0);
	while (n < PROCESSES + 4) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			stay(until);
		n++;
	}
	CHECK(errno == EAGAIN);
	CHECK(n == PROCESSES);
}

static void test_processes(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(ns_enter() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		skip();
	if (!forked_has_userns())
		skip();
	forked(processes, NULL);
}

/* A caller's lower limit stays. */
static void lower(void *arg)
{
	const struct limits l = { .processes = 100 };
	const struct rlimit own = { 5, 50 };
	struct rlimit now;

	(void)arg;
	CHECK(setrlimit(RLIMIT_NPROC, &own) == 0);
	CHECK(limits_apply_self(&l, NULL) == 0);
	CHECK(getrlimit(RLIMIT_NPROC, &now) == 0);
	CHECK(now.rlim_cur == 5 && now.rlim_max == 50);
}

static void test_lower_limit_stays(void **state)
{
	(void)state;
	forked(lower, NULL);
}

struct apply {
	int go[2];
	int done[2];
};

/* What init and the command see of it: too much memory is refused, or ends the
 * process. */
static void use_memory(void *arg)
{
	const struct apply *a = arg;
	const size_t size = 256U << 20;
	char byte;
	char *p;

	CHECK(read(a->go[0], &byte, 1) == 1);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(errno == ENOMEM ? 42 : 1);
	memset(p, 1, size);
	_exit(0);
}

static void test_memory(void **state)
{
	struct limits l = { .memory = 64U << 20 };
	struct apply a;
	struct err e = { 0 };
	const char *how;
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(pipe(a.go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		use_memory(&a);
	assert_int_equal(limits_apply(&l, pid, &how, &e), 0);
	assert_non_null(how);
	assert_int_equal(write(a.go[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (l.cgroup[0]) {
		assert_true(WIFSIGNALED(status));
		assert_true(limits_ran_out(&l));
	} else {
		assert_non_null(strstr(how, "for each process alone"));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 42);
	}
	limits_done(&l);
	assert_int_equal(l.cgroup[0], 0);
	(void)close(a.go[0]);
	(void)close(a.go[1]);
}

static void test_none(void **state)
{
	struct limits l = { 0 };
	const char *how = "";

	(void)state;
	assert_int_equal(limits_apply(&l, getpid(), &how, NULL), 0);
	assert_null(how);
	assert_false(limits_ran_out(&l));
	limits_done(&l);
}

/* The parts of a group that need no controller. */
static void test_group(void **state)
{
	char own[PATH_MAX];
	char around[PATH_MAX];
	char path[PATH_MAX];
	char self[PATH_MAX];
	struct stat st;
	bool is_root;
	pid_t pid;
	FILE *f;

	(void)state;
	if (cgroup_find_own(own, &is_root) < 0)
		skip();
	assert_true(snprintf(around, sizeof(around), "%s/egress-run-test.%d",
			     own, getpid()) < (int)sizeof(around));
	assert_int_equal(stat(own, &st), 0);
	if (mkdir(around, 0755) < 0)
		skip(); /* not delegated */
	assert_true(snprintf(path, sizeof(path), "%s/x", around) <
		    (int)sizeof(path));
	/* Where it could not be removed again, none is made: the very root. */
	assert_int_equal(chmod(around, 0555), 0);
	assert_int_equal(cgroup_make(path, 0, 0, getpid()), -EACCES);
	assert_int_equal(chmod(around, 0755), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			(void)pause();
	/* A group of this number that a killed run has left. */
	assert_int_equal(cgroup_make(path, 0, 0, pid), 0);
	(void)snprintf(self, sizeof(self), "/proc/%d/cgroup", pid);
	f = fopen(self, "r");
	assert_non_null(f);
	is_root = false;
	while (fgets(self, sizeof(self), f))
		if (strncmp(self, "0::", 3) == 0)
			is_root = strstr(self, "egress-run-test.") != NULL;
	(void)fclose(f);
	assert_true(is_root);
	assert_int_equal(cgroup_count(path, "cgroup.events", "populated"), 1);
	assert_int_equal(cgroup_count(path, "cgroup.events", "popul"), 0);
	assert_int_equal(cgroup_count(path, "nothing", "populated"), 0);
	/* Ends what is in it. */
	cgroup_remove(path);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(stat(path, &st) < 0 && errno == ENOENT);
	/* A limit that cannot be set leaves nothing behind. */
	assert_true(cgroup_make(path, 0, 0, -5) < 0);
	assert_true(stat(path, &st) < 0 && errno == ENOENT);
	assert_int_equal(rmdir(around), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_core_dumps),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_lower_limit_stays),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
