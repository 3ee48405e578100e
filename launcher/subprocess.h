/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a program that reads a secret for us (secret-tool, op, bw), bound
 * in time and in what it may answer.  Its standard output goes straight into
 * the pages of a secret; it has no standard input, no other descriptor, dumps
 * no core and does not outlive us.
 */
#ifndef LAUNCHER_SUBPROCESS_H
#define LAUNCHER_SUBPROCESS_H

#include <stddef.h>

#include "common/err.h"
#include "launcher/secret.h"

#define SUBPROCESS_SAID_MAX 200

struct subprocess {
	const char *name; /* for messages */
	/* A program; path: absolute, NULL if argv[0] is it. */
	const char *path;
	const char *const *argv;
	char *const *envp;
	/* Or a function of ours, which writes to standard output and returns
	 * the exit status; then argv is NULL.  What it leaves in memory goes
	 * with its process. */
	int (*run)(const void *arg);
	const void *arg;
	unsigned timeout_s;
	const char *waiting; /* said once after a second, or NULL */
};

struct subprocess_end {
	int status;			/* as waitpid() tells it */
	char said[SUBPROCESS_SAID_MAX]; /* first line of stderr, or "" */
};

/* Runs it; out is made by the call and never holds more than max bytes.
 * 0 if it ended by itself, with whatever status.  -ENOENT: there is no such
 * program; -ETIMEDOUT, -EFBIG: it was killed for that. */
int subprocess_run(const struct subprocess *s, size_t max, struct secret *out,
		   struct subprocess_end *ret, struct err *e);

#endif
