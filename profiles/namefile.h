/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of patterns, one a line, for allowlists too long for a profile. */
#ifndef PROFILES_NAMEFILE_H
#define PROFILES_NAMEFILE_H

#include "common/err.h"
#include "profiles/allowlist.h"

/* Adds each line to al, read as strictly as --allow-domain.  '#' begins a
 * comment; blank lines and CR at the end are passed over.  The file gives
 * rights: one that somebody else could have written is refused.
 * Errors say "PATH:LINE: what is wrong". */
int namefile_read(struct allowlist *al, const char *path, struct err *e);

#endif
