/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams with descriptors over a SOCK_SEQPACKET pair.  A message of the
 * wrong size, a truncated one and one with the wrong number of descriptors
 * are protocol errors: the receiver ends the session.
 */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

#define IPC_FDS_MAX 16

/* Both ends are CLOEXEC and blocking (callers use MSG_DONTWAIT by flag). */
int ipc_pair(int ret_fds[static 2], struct err *e);

/* Never raises SIGPIPE.  With block false returns -EAGAIN when the queue is
 * full.  The descriptors stay the caller's.  Returns 0 or -errno. */
int ipc_send(int fd, const void *msg, size_t len, const int *fds, size_t n_fds,
	     bool block);

/* Receives one message of at most len bytes.  *n_fds is the room in fds on
 * entry and the number received on return (the caller owns them, CLOEXEC).
 * sender, if not NULL, gets the pid from SCM_CREDENTIALS (needs SO_PASSCRED)
 * or 0.  Returns the size, 0 at end of file (also of a peer that did not read
 * all), -EAGAIN, -EPROTO (truncated: all
 * descriptors are closed) or another -errno. */
ssize_t ipc_recv(int fd, void *msg, size_t len, int *fds, size_t *n_fds,
		 pid_t *sender, bool block);

#endif
