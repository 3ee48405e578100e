/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unix sockets with names that this process's network namespace has: those
 * of the host, and not the command's. */
#ifndef FSRULES_HOSTSOCKETS_H
#define FSRULES_HOSTSOCKETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* name: as it was bound, absolute or relative to wherever that was; the same
 * once for each connection.  Not 0 ends it, and is returned. */
typedef int hostsockets_fn(void *arg, const char *name);

/* 0, what fn returned, or -errno with a message. */
int hostsockets_each(hostsockets_fn *fn, void *arg, struct err *e);

/* True if a socket of this network namespace was bound to the file with that
 * number, or if the kernel cannot tell (it has no CONFIG_UNIX_DIAG). */
bool hostsockets_has(ino_t ino);

#endif
