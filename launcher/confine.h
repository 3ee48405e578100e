/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helpers parse hostile bytes: before the first one they lose the file
 * system and every system call that they do not use. */
#ifndef LAUNCHER_CONFINE_H
#define LAUNCHER_CONFINE_H

#include "common/err.h"
#include "launcher/calls.h"

/* The DNS filter re-reads resolv.conf and hosts, in whatever folder they are
 * now and replaced files included, and connects to port 53; the relay reads
 * nothing and connects to nobody.  Needs no_new_privs.  A kernel without
 * Landlock leaves the filter of system calls. */
int confine_helper(enum calls_helper kind, struct err *e);

#endif
