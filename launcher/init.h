/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pid 1 of the cage. */
#ifndef LAUNCHER_INIT_H
#define LAUNCHER_INIT_H

#include "launcher/cage.h"

/* Runs in the process cloned into the cage's namespaces; never returns.
 * channel: to the monitor.  link_ready: reads one byte when eth0 exists. */
__attribute__((noreturn)) void init_main(const struct cage_plan *plan,
					 int channel, int link_ready);

#endif
