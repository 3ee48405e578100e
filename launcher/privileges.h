/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cage's processes give up before the command starts, and a monitor
 * that is root after it has built the cage. */
#ifndef LAUNCHER_PRIVILEGES_H
#define LAUNCHER_PRIVILEGES_H

#include "common/err.h"

/* For good: every capability set and the bounding set emptied, root made an
 * ordinary uid (locked securebits), no_new_privs. */
int privileges_drop(struct err *e);

/* A seccomp filter against the ways out that namespaces leave open.  Needs
 * no_new_privs.
 *
 * Keystrokes pushed into the shared terminal, which the shell outside would
 * run: TIOCSTI (CVE-2017-5226) and TIOCLINUX (CVE-2023-28100), compared in the
 * low 32 bits as the kernel does.  Socket families other than UNIX, INET,
 * INET6 and NETLINK: vsock and others know no network namespace.  io_uring,
 * which would go around both, and foreign ABIs likewise. */
int privileges_filter_calls(struct err *e);

#endif
