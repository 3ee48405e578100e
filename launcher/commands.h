/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command's words: from the command line, with the additions of the
 * profile, and only if the profile does not block it. */
#ifndef LAUNCHER_COMMANDS_H
#define LAUNCHER_COMMANDS_H

#include "common/err.h"

struct options;
struct prepared;

/* Sets p->command.  The check is made once, on the name given: it prevents
 * slips and is no barrier, for the command may start what it likes. */
int command_choose(struct prepared *p, const struct options *o, struct err *e);

#endif
