/* SPDX-License-Identifier: GPL-2.0-or-later */
/* egress_run.create_folders: folders for the state of a program, which are to
 * be there before they are granted, as they would be made by the program. */
#ifndef LAUNCHER_HOMEFOLDERS_H
#define LAUNCHER_HOMEFOLDERS_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/profile.h"
#include "profiles/vars.h"

/* Makes those that are missing, with the folders above them, for the user
 * alone; his rights are ours.  What cannot be made is a warning: then it is not
 * granted either.  dry makes none.  -EINVAL for an entry that is not below the
 * home folder, -ENOMEM. */
int homefolders_make(const struct profile *p, const struct vars *v,
		     struct arena *a, bool dry, struct err *e);

/* The path of entry i if it is missing, NULL otherwise or without memory. */
const char *homefolders_missing(const struct profile *p, const struct vars *v,
				struct arena *a, size_t i);

#endif
