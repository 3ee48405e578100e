/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --dry-run: the plan in words, on stdout; nothing is made or asked. */
#ifndef LAUNCHER_DRYRUN_H
#define LAUNCHER_DRYRUN_H

struct netfiles;
struct prepared;

/* Returns 0, or -EIO if stdout did not take it all. */
int dryrun_print(struct prepared *p);

#endif
