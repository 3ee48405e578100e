/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A helper process that is kept alive: what it says is passed on, and when it
 * ends it is started again on its sockets, unless the run is ending. */
#ifndef LAUNCHER_WATCH_H
#define LAUNCHER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "launcher/helper.h"

struct watched {
	/* Set by the owner before watched_start(): */
	struct helper helper;
	struct loop *loop;
	size_t ready_size; /* of its first message */
	/* The channel is readable.  Calls watched_ended() at end of file and
	 * watched_distrust() for nonsense, and touches nothing after that. */
	void (*on_message)(void *owner);
	/* It was started, for the first time or again; may be NULL. */
	int (*on_start)(void *owner, struct err *e);
	/* Likewise for desk; NULL: it is not used. */
	void (*on_desk)(void *owner);
	/* It ended: before it is started again, or for good. */
	void (*on_death)(void *owner);
	/* It keeps dying or cannot be started. */
	void (*on_fatal)(void *owner, const struct err *e);
	void *owner;
	/* No more starts: the run is ending. */
	bool ending;

	/* Private: */
	struct loop_source channel;
	struct loop_source desk;
	struct loop_source exit;
	unsigned n_deaths;
	uint64_t window_ms;
};

int watched_start(struct watched *w, struct err *e);
bool watched_is_running(const struct watched *w);
void watched_ended(struct watched *w);
/* It broke the protocol: killed, and started again. */
void watched_distrust(struct watched *w);
/* For good and in silence; idempotent. */
void watched_stop(struct watched *w);

#endif
