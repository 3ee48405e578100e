/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two helper processes.  They are forks of the monitor (nothing is
 * executed at the start), bound to its life, keep only the descriptors named,
 * and are in a session of their own so that the terminal's signals pass them
 * by.
 */
#ifndef LAUNCHER_HELPER_H
#define LAUNCHER_HELPER_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "launcher/calls.h"

#define HELPER_FDS_MAX 8

struct helper {
	const char *name;	/* for messages */
	const char *comm;	/* what ps shows */
	enum calls_helper kind; /* how it is confined */
	/* Runs in the child with its end of the channel; returns an exit
	 * status. */
	int (*run)(void *arg, int channel);
	void *arg;
	int fds[HELPER_FDS_MAX]; /* kept open in the child; -1: none */
	size_t n_fds;
	pid_t pid; /* 0: not running */
	int pidfd;
	int channel; /* ours */
};

/* Starts it; pid, pidfd and channel are set.  Does not wait. */
int helper_start(struct helper *h, struct err *e);
/* Waits for the helper's first message of msg_size bytes: it is serving. */
int helper_wait_ready(struct helper *h, size_t msg_size, struct err *e);
/* Closes the channel, kills if still there, reaps; returns the wait status. */
int helper_stop(struct helper *h);

#endif
