/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second lock: the view's rules once more, as Landlock rules. */
#ifndef FSRULES_LANDLOCK_H
#define FSRULES_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "fsrules/view.h"

/* The ABI of the running kernel, or -errno: ENOSYS not built, EOPNOTSUPP not
 * enabled, EPERM forbidden. */
int landlock_abi(void);
/* Bits of the corrections that the kernel has, or -errno: EINVAL, it cannot
 * tell (before 6.15, where they were not taken back). */
int landlock_errata(void);
/* What landlock_abi() means for a run: "what is missing; what to do"; NULL:
 * nothing is.  Static. */
const char *landlock_lack(int abi);

/* True if that ABI stops connect() to sockets with a name that were made
 * outside. */
bool landlock_holds_sockets(int abi);

/* Restricts this process and all it starts, with every right to files that the
 * running ABI knows, and the scopes for signals and abstract sockets (ports
 * are the gate's).  Paths are opened now, in the view; one that is not there,
 * or is a link, is passed over.  A kernel without Landlock, or with its first
 * version, which would forbid every rename between folders: 0, *ret_abi 0 (the
 * view stands alone); *ret_abi may be NULL.  Needs no_new_privs. */
int landlock_restrict(const struct view_rule *rules, size_t n, int *ret_abi,
		      struct err *e);

/* A helper: nothing that Landlock knows of, neither files nor connections.
 * Returns and *ret_abi as above, but the first version is used as well. */
int landlock_restrict_helper(int *ret_abi, struct err *e);

#endif
