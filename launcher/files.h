/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command gets to see of the file system, and what it may use of the
 * machine: decided before the sandbox is built. */
#ifndef LAUNCHER_FILES_H
#define LAUNCHER_FILES_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"
#include "fsrules/changes.h"
#include "fsrules/generated.h"
#include "fsrules/mirror.h"
#include "fsrules/netfiles.h"
#include "fsrules/view.h"
#include "launcher/calls.h"
#include "launcher/limits.h"
#include "profiles/profile.h"

struct options;
struct prepared;

struct files {
	struct netfiles netfiles;
	struct generated generated;
	struct mirrors *mirrors;
	struct changes *changes;
	struct view_plan plan;
	struct limits limits;
	struct calls_options calls;
	bool allow_degraded; /* also without a watch on what is hidden */
};

/* From the grants of p, and for what its environment must say of the view:
 * PWD, TMPDIR, and no variable that leads to a hidden socket.  dry: nothing is
 * made on the host. */
int files_prepare(struct files *f, const struct options *o, struct prepared *p,
		  bool dry, struct err *e);
void files_done(struct files *f);

/* egress_run.memory and .processes; errors name the place. */
int files_limits(struct arena *a, const struct profile *p, struct limits *ret,
		 struct err *e);

#endif
