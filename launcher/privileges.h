/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cage's processes give up before the command starts, and a monitor
 * that is root after it has built the cage. */
#ifndef LAUNCHER_PRIVILEGES_H
#define LAUNCHER_PRIVILEGES_H

#include "common/err.h"

/* For good: every capability set and the bounding set emptied, root made an
 * ordinary uid (locked securebits), no_new_privs. */
int privileges_drop(struct err *e);

/* For tests inside the cage of what needs root, as nft and tcpdump: keeps, for
 * init and the command whatever its uid is, the capabilities over the cage's
 * own namespaces, less those with which it could undo the cage (mounts,
 * init's memory) or leave a file behind that is privileged outside.
 * no_new_privs and locked securebits all the same. */
int privileges_keep_namespace(struct err *e);

/* A session keyring of its own and empty, instead of the caller's.  Before the
 * filter of system calls, which forbids it.  1 if there is none to be had: a
 * kernel without keys, an administrator who forbids them, a quota used up; the
 * filter keeps the command from every key. */
int privileges_new_keyring(struct err *e);

#endif
