/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that something outside binds below a granted folder during the run,
 * on kernels whose Landlock cannot hold connect() back (before ABI 9).  There
 * is nothing that would tell of them, so the host's list is read once a second;
 * and at once when a socket appears in a folder where that is likely: at the
 * top of a granted folder, or where one was hidden before.  Sockets of the
 * command itself are in its own network namespace and not in that list.
 */
#ifndef FSRULES_SOCKWATCH_H
#define FSRULES_SOCKWATCH_H

#include "common/err.h"
#include "common/loop.h"
#include "fsrules/view.h"

struct notify_hub;
struct sockwatch;

struct sockwatch_events {
	/* Hides this path of the view; 0, -ENOENT if it is not there any more,
	 * or -errno. */
	int (*hide)(void *arg, const char *path);
	/* It was visible for a moment; error: hide() failed, and it is now: the
	 * run must not go on. */
	void (*hidden)(void *arg, const char *path, int error);
	void *arg;
};

/* Before the view is built.  Plan and grants are borrowed. */
int sockwatch_start(struct sockwatch **ret, const struct view_plan *plan,
		    const struct grants *g, struct loop *loop,
		    struct notify_hub *hub, const struct sockwatch_events *ev,
		    struct err *e);
/* When the view is there and before the command is: what was bound in the
 * meantime is hidden without a word.  NULL is fine. */
int sockwatch_settle(struct sockwatch *w, struct err *e);
/* NULL is fine; not from a callback. */
void sockwatch_free(struct sockwatch *w);

#endif
