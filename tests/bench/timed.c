/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times from start to end, one JSON object.
 *
 *	timed run COUNT PARALLEL COMMAND...
 *		microseconds of each of COUNT runs, at most PARALLEL at a time,
 *		their output thrown away; "wall_us" is all of them together
 *	timed open PATH COUNT
 *		nanoseconds of one open() and close() of PATH
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_RUNS 10000

struct run {
	pid_t pid;
	uint64_t begin;
	uint64_t ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int start(struct run *r, char **argv)
{
	posix_spawn_file_actions_t quiet;
	int rc;

	if (posix_spawn_file_actions_init(&quiet) != 0)
		return -1;
	rc = posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDWR,
					      0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&quiet, 0, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&quiet, 0, 2);
	r->begin = now_ns();
	if (rc == 0)
		rc = posix_spawnp(&r->pid, argv[0], &quiet, NULL, argv,
				  environ);
	(void)posix_spawn_file_actions_destroy(&quiet);
	return rc == 0 ? 0 : -1;
}

/* Waits for one; its status. */
static int finish(struct run *runs, int n)
{
	int status = -1;
	pid_t pid = wait(&status);
	uint64_t end = now_ns();

	for (int i = 0; i < n; i++)
		if (runs[i].pid == pid)
			runs[i].ns = end - runs[i].begin;
	return status;
}

static int many(int count, int parallel, char **argv)
{
	struct run *runs = calloc((size_t)count, sizeof(*runs));
	uint64_t begin = now_ns();
	int started = 0;
	int failed = 0;

	if (!runs)
		return 1;
	for (int done = 0; done < count; done++) {
		while (started < count && started - done < parallel)
			if (start(&runs[started++], argv) < 0)
				return 1;
		failed += finish(runs, started) != 0;
	}
	(void)printf("{\"wall_us\": %.1f, \"failed\": %d, \"us\": [",
		     (double)(now_ns() - begin) / 1e3, failed);
	for (int i = 0; i < count; i++)
		(void)printf("%s%.1f", i ? ", " : "", (double)runs[i].ns / 1e3);
	(void)puts("]}");
	free(runs);
	return failed != 0;
}

static int open_loop(const char *path, int count)
{
	uint64_t begin = now_ns();

	for (int i = 0; i < count; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			perror(path);
			return 1;
		}
		(void)close(fd);
	}
	(void)printf("{\"ns\": %.1f}\n", (double)(now_ns() - begin) / count);
	return 0;
}

static int number(const char *text)
{
	long n = strtol(text, NULL, 10);

	return n > 0 && n < 100000000 ? (int)n : 0;
}

int main(int argc, char **argv)
{
	int count =
		argc > 3 ? number(argv[strcmp(argv[1], "open") ? 2 : 3]) : 0;

	if (argc > 4 && strcmp(argv[1], "run") == 0 && count > 0 &&
	    count <= MAX_RUNS)
		return many(count, number(argv[3]), argv + 4);
	if (argc == 4 && strcmp(argv[1], "open") == 0 && count > 0)
		return open_loop(argv[2], count);
	(void)fputs("usage: timed run|open ...\n", stderr);
	return 2;
}
