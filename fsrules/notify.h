/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inotify in the monitor's loop, for folders in which a hostile process can
 * make as many events as it likes: they are read in small batches, with a
 * pause after a full one. */
#ifndef FSRULES_NOTIFY_H
#define FSRULES_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"

struct notify;

struct notify_events {
	/* name is "" for events of the folder itself. */
	void (*event)(void *arg, int wd, uint32_t mask, const char *name);
	/* Events were lost: anything may have happened. */
	void (*overflow)(void *arg);
	/* After each batch. */
	void (*turn)(void *arg);
	void *arg;
};

/* None of the callbacks may free it. */
int notify_new(struct notify **ret, struct loop *loop,
	       const struct notify_events *ev, struct err *e);
/* The folder that fd (O_PATH is enough) stands for; a watch descriptor, the
 * same for the same folder, or -errno. */
int notify_watch(struct notify *n, int fd, uint32_t mask);
/* One batch of events without waiting; false: there were none. */
bool notify_read(struct notify *n);
void notify_unwatch(struct notify *n, int wd);
/* Ends the watches, for good, and comes back at once, while notify_free() waits
 * for a grace period of the kernel: one for all that were stopped before.  The
 * loop is not needed any more then.  NULL is fine for both. */
void notify_stop(struct notify *n);
void notify_free(struct notify *n);

#endif
