/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files during a run: keeps mirrors and masks true, and says what was
 * lost. */
#ifndef LAUNCHER_FILEWATCH_H
#define LAUNCHER_FILEWATCH_H

#include "common/err.h"
#include "common/loop.h"
#include "launcher/files.h"
#include "profiles/grants.h"

struct cage;
struct filewatch;

/* Something denied is visible to the command and could not be hidden again: the
 * run has to end.  text is for the user; called from the loop. */
typedef void filewatch_open_fn(void *arg, const char *text);

/* Before the sandbox is built: nothing that happens meanwhile is missed.  All
 * is borrowed. */
int filewatch_start(struct filewatch **ret, const struct files *f,
		    const struct grants *g, struct loop *loop, struct err *e);
/* Before GO: what was replaced since is hidden again, and the watch goes on in
 * the loop. */
int filewatch_settle(struct filewatch *w, const struct cage *c,
		     filewatch_open_fn *left_open, void *arg, struct err *e);
/* When the command is dead and the loop still there; NULL is fine. */
void filewatch_finish(struct filewatch *w);

#endif
