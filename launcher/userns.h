/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User namespaces: entering one, mapping oneself, and why it was refused. */
#ifndef LAUNCHER_USERNS_H
#define LAUNCHER_USERNS_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* fork() into new namespaces: returns 0 in the child, the pid in the parent,
 * or -errno.  flags: CLONE_NEW* and CLONE_PARENT. */
pid_t userns_clone(uint64_t flags);

/* In the child, before anything else: maps uid and gid to themselves. */
int userns_map_self(uid_t uid, gid_t gid, struct err *e);

/* There, in a new mount namespace: what is mounted inside stays inside. */
int userns_private_mounts(struct err *e);

/* Turns a refusal of userns_clone() or userns_map_self() into a message with
 * the cause found on this host and the remedy.  Returns -errnum. */
int userns_explain(int errnum, struct err *e);

#endif
