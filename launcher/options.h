/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: one table feeds parsing, --help and the tests that hold
 * the manual against it. */
#ifndef LAUNCHER_OPTIONS_H
#define LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct allowlist;

enum options_action {
	ACTION_RUN,
	ACTION_DRY_RUN,
	ACTION_HELP,
	ACTION_VERSION,
};

struct options {
	enum options_action action;
	struct allowlist *allow; /* owned */
	const char *user;	 /* --user, borrowed from argv, or NULL */
	const char *log_path;	 /* --log, borrowed, or NULL */
	uint32_t grace_sec;
	bool quiet;
	int verbose;
	char **command; /* borrowed from argv; NULL-terminated */
};

#define GRACE_DEFAULT_SEC 300
#define GRACE_MAX_SEC	  86400

/* Returns 0, or -errno with a message for the user (exit status 2). */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_done(struct options *o);

/* The text of --help; static. */
const char *options_help(void);

/* For tests: the i-th long option's name, or NULL behind the last. */
const char *options_name(size_t i);

#endif
