/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mount on a file or folder is lost when a process outside replaces what
 * lies under it by rename (the kernel detaches mounts of other namespaces).
 * This watches the folders around every mask from the host's side, and has the
 * mask put up again.  Between the two the command can see what was hidden: a
 * denial of a single file that somebody else replaces is not airtight, a grant
 * that does not hold the file is.
 */
#ifndef FSRULES_MASKWATCH_H
#define FSRULES_MASKWATCH_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/loop.h"
#include "fsrules/view.h"

struct maskwatch;
struct notify_hub;

enum maskwatch_how {
	MASKWATCH_HIDE,	     /* a mask */
	MASKWATCH_READ_ONLY, /* bound onto itself, read-only */
	MASKWATCH_PIN,	     /* bound onto itself, so that it keeps its name */
};

/* A bound folder: what it was when it was first watched. */
struct maskwatch_base {
	const char *path; /* in the view, and on the host */
	dev_t dev;
	ino_t ino;
};

struct maskwatch_events {
	/* Puts up again what was at this path of the view; 0, -ENOENT if there
	 * is nothing any more, or -errno.  Nothing is done if it is in place:
	 * not each call means that something was lost. */
	int (*remask)(void *arg, const char *path, enum maskwatch_how how);
	/* For the report: it was replaced, or appeared, and is hidden again
	 * (error 0); or remask() failed, and it is
	 * visible: the run must not go on. */
	void (*lost)(void *arg, const char *path, int error);
	/* So many places are not watched, or not any more. */
	void (*unwatched)(void *arg, size_t n, int error);
	/* Compares with what the view has: 0, -ESTALE if something else is in
	 * one of the places, or -errno. */
	int (*compare)(void *arg, const struct maskwatch_base *bases, size_t n);
	void *arg;
};

/* Also watches for denied paths that were missing at the start.  To be called
 * before the view is built, so that nothing is missed in between; calls back
 * from maskwatch_settle() and the loop.  Plan and grants are borrowed. */
int maskwatch_start(struct maskwatch **ret, const struct view_plan *plan,
		    const struct grants *g, struct loop *loop,
		    struct notify_hub *hub, const struct maskwatch_events *ev,
		    struct err *e);
/* When the view is there and before the command is: what was replaced in the
 * meantime is hidden again, without a word, since nobody saw it; what could not
 * be watched is looked at as well.  -ESTALE if a bound folder is another than
 * the one that is watched: the start must not go on.  NULL is fine. */
int maskwatch_settle(struct maskwatch *w, struct err *e);
/* NULL is fine; not from a callback. */
void maskwatch_free(struct maskwatch *w);

#endif
