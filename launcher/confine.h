/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helpers parse hostile bytes: before the first one they lose the file
 * system and every system call that they do not use. */
#ifndef LAUNCHER_CONFINE_H
#define LAUNCHER_CONFINE_H

#include "common/err.h"
#include "launcher/calls.h"

/* Its descriptors are those n_fds from first_fd and nothing else below
 * calls_fds_fixed() (calls.h).  Needs no_new_privs.  A kernel without Landlock
 * leaves the filter of system calls, which lets nothing be opened either. */
int confine_helper(enum calls_helper kind, int first_fd, size_t n_fds,
		   struct err *e);

#endif
