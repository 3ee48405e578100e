/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carries a view out in the cage's mount namespace. */
#ifndef FSRULES_MOUNTS_H
#define FSRULES_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "fsrules/view.h"

/* 0 if the kernel has the calls and lets this process make them. */
int mounts_supported(struct err *e);

/* For init, with all capabilities in its user namespace and the host's tree
 * still in place: builds the new root, pivots into it, detaches the old one,
 * changes to plan->workdir.  Sources are opened without following any link
 * (openat2), so that a path that was swapped since the plan was made fails.
 * Afterwards no descriptor and no mount leads to the host's tree. */
int mounts_build(const struct view_plan *plan, struct err *e);

/* For a process in the cage's user and mount namespaces: puts the mask of that
 * path up again (the host replaced what lay under it).  -ENOENT if there is
 * nothing to hide. */
int mounts_mask(const char *path, struct err *e);
/* The same process: 0 if that file or folder lies at the path of the view, or
 * nothing does; else -ESTALE. */
int mounts_compare(const char *path, dev_t dev, ino_t ino);
/* The same as mounts_mask() for a path that is bound onto itself, to be
 * read-only or to keep its name. */
int mounts_keep(const char *path, bool read_only, struct err *e);

#endif
