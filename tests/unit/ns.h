/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces of a test's own, and programs run in them.  ns_enter() makes the
 * user namespace once; each test then has a network namespace to itself, with
 * no way out of it.
 */
#ifndef TESTS_UNIT_NS_H
#define TESTS_UNIT_NS_H

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/addr.h"
#include "common/fd.h"
#include "netns/plan.h"

#define NS_PROGRAM_SEC 60 /* a program that takes longer is killed */

static inline uint64_t ns_clock_ms(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline struct addr ns_addr(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

static inline bool ns_write_file(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 &&
	       write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Root in a new user namespace; false if the system refuses it.  Real root
 * needs none. */
static inline bool ns_enter(void)
{
	char uid_map[32];
	char gid_map[32];

	(void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
	(void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER) < 0)
		return geteuid() == 0;
	return ns_write_file("/proc/self/setgroups", "deny") &&
	       ns_write_file("/proc/self/uid_map", uid_map) &&
	       ns_write_file("/proc/self/gid_map", gid_map);
}

static inline bool ns_fresh_net(void)
{
	return unshare(CLONE_NEWNET) == 0;
}

static inline void ns_exec(int out, const char *const *words)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char *const *argv;

	memcpy(&argv, &words, sizeof(argv)); /* execvp() changes nothing */
	(void)alarm(NS_PROGRAM_SEC);
	if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO &&
	    dup2(null, STDERR_FILENO) == STDERR_FILENO &&
	    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) == 0)
		(void)execvp(argv[0], argv);
	_exit(127);
}

/* Runs a program and takes what it prints, which must fit and is
 * NUL-terminated.  Returns its exit status; 127: there is no such program. */
static inline int ns_run(char *out, size_t size, const char *const *argv)
{
	int fds[2];
	size_t used = 0;
	ssize_t n;
	int status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		ns_exec(fds[1], argv);
	assert_int_equal(close(fds[1]), 0);
	do {
		n = read(fds[0], out + used, size - 1 - used);
		assert_true(n >= 0);
		used += (size_t)n;
		assert_true(used < size - 1);
	} while (n > 0);
	out[used] = '\0';
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* argv out of one line, with nothing quoted in it. */
static inline int ns_shell(char *out, size_t size, const char *line)
{
	char copy[512];
	const char *argv[32];
	char *save = NULL;
	size_t n = 0;

	assert_true(strlen(line) < sizeof(copy));
	memcpy(copy, line, strlen(line) + 1);
	for (char *word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(n < 31);
		argv[n++] = word;
	}
	argv[n] = NULL;
	return ns_run(out, size, argv);
}

/* The gate's sets, as nft(8) prints them. */

/* "1m3s992ms" in milliseconds. */
static inline uint64_t ns_read_time(const char *p)
{
	uint64_t total = 0;
	char *end;

	for (; *p >= '0' && *p <= '9'; p = end) {
		uint64_t n = strtoul(p, &end, 10);

		if (strncmp(end, "ms", 2) == 0) {
			total += n;
			end += 2;
		} else {
			static const char units[] = "smhd";
			static const uint64_t each[] = { 1000, 60000, 3600000,
							 86400000 };
			const char *unit = strchr(units, *end++);

			assert_true(unit && *unit);
			total += n * each[unit - units];
		}
	}
	return total;
}

static inline const char *ns_list_set(char *out, size_t size, const char *set)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "nft list set inet " NFT_TABLE " %s",
		       set);
	assert_int_equal(ns_shell(out, size, line), 0);
	return out;
}

/* What is left of an element's time, 0 if it is not there. */
static inline uint64_t ns_expires(char *out, size_t size, const char *set,
				  const char *key)
{
	char want[128];
	const char *p = ns_list_set(out, size, set);

	(void)snprintf(want, sizeof(want), " %s timeout ", key);
	p = strstr(p, want);
	if (!p)
		return 0;
	p = strstr(p, " expires ");
	assert_non_null(p);
	return ns_read_time(p + strlen(" expires "));
}

/* True if the set holds the key, the way a packet would find it. */
static inline bool ns_holds(const char *set, const char *key)
{
	char out[1024];
	char braced[128];
	const char *const argv[] = { "nft",	"get", "element", "inet",
				     NFT_TABLE, set,   braced,	  NULL };

	(void)snprintf(braced, sizeof(braced), "{ %s }", key);
	return ns_run(out, sizeof(out), argv) == 0;
}

#endif
