/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The working directory and what the profile grants of it. */
#ifndef PROFILES_WORKDIR_H
#define PROFILES_WORKDIR_H

#include "common/arena.h"
#include "common/err.h"
#include "profiles/grants.h"
#include "profiles/profile.h"
#include "profiles/vars.h"

/* What workdir.access asks for. */
unsigned workdir_level(const struct profile *p);

/* Adds the grant that workdir.access of p asks for to g, unless it is covered
 * already.  The user's home folder itself, the folders of settings and keys in
 * it, /, and system folders are refused (-EPERM, with the flag that grants
 * them) unless grants from the command line cover them; so is a folder that is
 * denied.  *ret_access: the level, 0 for none; without write in a folder of
 * profiles, which is added to g->skipped. */
int workdir_grant(const struct profile *p, const struct vars *v,
		  struct arena *a, struct grants *g, unsigned *ret_access,
		  struct err *e);

#endif
