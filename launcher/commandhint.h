/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to say when the command is not found inside. */
#ifndef LAUNCHER_COMMANDHINT_H
#define LAUNCHER_COMMANDHINT_H

struct prepared;

/* If the user has the command and the grants leave it out: where it is and
 * which options grant it, for people, in the arena of p; NULL otherwise, or
 * without memory. */
const char *command_hint(struct prepared *p);

#endif
