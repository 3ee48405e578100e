/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inotify in the monitor's loop, for folders in which a hostile process can
 * make as many events as it likes: they are read in small batches, with a
 * pause after a full one.
 *
 * A user has 128 instances for all programs together, so all watchers of a run
 * share the one of a hub.
 */
#ifndef FSRULES_NOTIFY_H
#define FSRULES_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"

struct notify_hub;
struct notify;

struct notify_events {
	/* name is "" for events of the folder itself. */
	void (*event)(void *arg, int wd, uint32_t mask, const char *name);
	/* Events were lost: anything may have happened. */
	void (*overflow)(void *arg);
	/* After each batch in which there was one of these. */
	void (*turn)(void *arg);
	void *arg;
};

/* The instance; its users are gone before it is freed, and NULL is fine. */
int notify_hub_new(struct notify_hub **ret, struct loop *loop, struct err *e);
void notify_hub_free(struct notify_hub *h);

/* A user of it.  None of the callbacks may free it.  -ENOMEM. */
int notify_new(struct notify **ret, struct notify_hub *h,
	       const struct notify_events *ev);
/* The folder that fd (O_PATH is enough) stands for; a watch descriptor, the
 * same for the same folder, or -errno. */
int notify_watch(struct notify *n, int fd, uint32_t mask);
/* One batch of events of the hub without waiting; false: there were none. */
bool notify_read(struct notify *n);
void notify_unwatch(struct notify *n, int wd);
/* Ends the user's watches and comes back at once, while notify_hub_free() waits
 * for a grace period of the kernel: one for all that ended before.  NULL is
 * fine. */
void notify_free(struct notify *n);

#endif
