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

/* The relay's listeners and UDP sockets are the most. */
#define HELPER_FDS_MAX 80

enum helper_fd {
	HELPER_FD_CHANNEL, /* SEQPACKET to the monitor */
	HELPER_FD_DESK,	   /* another */
	HELPER_FD__COUNT,  /* here helper.fds begin */
};

struct helper {
	const char *name;	/* for messages */
	const char *comm;	/* what ps shows */
	enum calls_helper kind; /* how it is confined */
	/* Runs in the child with its descriptors: those of enum helper_fd,
	 * then fds in their order; returns an exit status. */
	int (*run)(void *arg, const int *fds);
	void *arg;
	int fds[HELPER_FDS_MAX]; /* borrowed; the child gets them; -1: none */
	size_t n_fds;
	pid_t pid; /* 0: not running */
	int pidfd;
	int channel; /* ours */
	int desk;    /* ours */
};

/* Starts it; pid, pidfd and channel are set.  Does not wait. */
int helper_start(struct helper *h, struct err *e);
/* Waits for the helper's first message of msg_size bytes: it is serving. */
int helper_wait_ready(struct helper *h, size_t msg_size, struct err *e);
/* Closes the channels, kills if still there, reaps; returns the wait status. */
int helper_stop(struct helper *h);

#endif
