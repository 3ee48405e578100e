/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a sandbox, tried one by one by the functions that a run uses. */
#ifndef LAUNCHER_PROBESANDBOX_H
#define LAUNCHER_PROBESANDBOX_H

#include "launcher/identity.h"
#include "launcher/probe.h"

/* In child processes with namespaces of their own, which are gone on return.
 * Fills what it tries of the findings; what could not be tried, because
 * something that it needs is missing, is PROBE_UNTRIED.  -errno: no trial
 * could be made. */
int probe_sandbox(const struct identity *id,
		  struct finding f[static MEASURE__COUNT], struct err *e);

#endif
