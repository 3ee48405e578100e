/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which system calls the command and the helpers may make. */
#ifndef LAUNCHER_CALLS_H
#define LAUNCHER_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct calls_options {
	bool user_namespaces; /* egress_run.user_namespaces */
	bool capabilities;    /* egress_run.capabilities "namespace": packet
			       * and raw sockets, netlink of all kinds */
};

/* The command and init.  Needs no_new_privs; adds to what namespaces,
 * capabilities and Landlock forbid, and closes the ways around them:
 *
 * Keystrokes pushed into the shared terminal, which the shell outside would
 * run: TIOCSTI (CVE-2017-5226) and TIOCLINUX (CVE-2023-28100), compared in the
 * low 32 bits as the kernel does.  Socket families other than UNIX, INET,
 * INET6 and NETLINK (routes and addresses): vsock and others know no network
 * namespace.  io_uring, which would go around both, and foreign ABIs likewise.
 * New namespaces and what only an administrator needs: the kernel behind them
 * has had many holes.
 *
 * user_namespaces lifts the ban on new namespaces; mounts stay forbidden, here
 * and by Landlock. */
int calls_filter_command(const struct calls_options *o, struct err *e);

enum calls_helper { CALLS_DNSFILTER, CALLS_RELAY };

/* A helper's descriptors below this number are all open, and it can neither
 * close nor replace them: so a rule may name one by its number. */
#define CALLS_FDS_FIXED 16
/* The same for a helper that has more of them. */
#define CALLS_FDS_FIXED_MANY 128
/* Which of the two for n descriptors from first_fd. */
int calls_fds_fixed(int first_fd, size_t n_fds);

/* A helper: nothing but what it uses; all else kills it.  Foreign ABIs too.
 * Messages with addresses or descriptors can be sent by way of the n_fds
 * descriptors from first_fd alone. */
int calls_filter_helper(enum calls_helper kind, int first_fd, size_t n_fds,
			struct err *e);

#endif
