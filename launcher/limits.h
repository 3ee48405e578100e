/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and processes of the command: a cgroup v2 of its own where one is
 * delegated, resource limits otherwise. */
#ifndef LAUNCHER_LIMITS_H
#define LAUNCHER_LIMITS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct limits {
	uint64_t memory;       /* bytes; 0: none */
	uint64_t processes;    /* 0: none */
	char cgroup[PATH_MAX]; /* "" without one */
	/* What was asked for and could not be had. */
	bool memory_each;    /* of each process alone */
	bool processes_free; /* none at all */
};

/* "512M", "2G", "65536K", "1T", bytes; -EINVAL, -ERANGE.  "0": no limit. */
int limits_parse_size(const char *text, uint64_t *ret);
/* The monitor, before init has started the command: makes the cgroup and puts
 * init into it; without one, sets init's resource limits.  *ret_how: static
 * text for the log, NULL without limits. */
int limits_apply(struct limits *l, pid_t init, const char **ret_how,
		 struct err *e);
/* Main, before a privilege is given up: a hard limit of 0 for core dumps, which
 * would have a handler that core_pattern pipes to run outside, is raised to 1
 * if it can be. */
void limits_raise_core(void);
/* init, for itself and the command: core dumps off, also those that are piped
 * to a handler, and the number of processes (beside the cgroup, which init
 * does not know of). */
int limits_apply_self(const struct limits *l, struct err *e);
/* True if the kernel ended the command because its memory was used up: init
 * goes with it.  Before limits_done(). */
bool limits_ran_out(const struct limits *l);
/* When init is reaped: removes the cgroup. */
void limits_done(struct limits *l);

#endif
