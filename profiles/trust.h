/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else could have written a file that gives rights. */
#ifndef PROFILES_TRUST_H
#define PROFILES_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/err.h"

/* path has been opened; st is what fstat(2) says of it.  Walks path as the
 * kernel does, link by link, and refuses (-EPERM) if anybody but root and the
 * caller could have written the file, made a link on the way, or put something
 * else into a folder on the way.  The message names what is wrong and the
 * command that mends it. */
int trust_check(const char *path, const struct stat *st, struct err *e);

/* True if uid is root or the caller. */
bool trust_owner(uid_t uid);

#endif
