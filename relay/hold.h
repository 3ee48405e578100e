/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a flow holds back until the name check (inspect.h) has let it go.  The
 * bytes stay in the sockets' queues: they are peeked at, and spliced from there
 * when they may go, so a connection that is held costs no memory here beside
 * the state of its inspection.
 */
#ifndef RELAY_HOLD_H
#define RELAY_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/loop.h"
#include "relay/inspect.h"

struct flow;
struct flow_set;

enum hold_kind {
	HOLD_NONE,
	HOLD_PARTIAL, /* in the middle of a hello or head */
	HOLD_SILENT,  /* not a word, where the client has to speak first */
	HOLD__KINDS,
};

/* Those that wait equally long, by age; one timer serves them. */
struct hold_queue {
	TAILQ_HEAD(hold_list, flow) flows;
	struct loop_timer timer;
	struct flow_set *set;
	enum hold_kind kind;
	uint32_t timeout_ms;
};

/* Of one flow. */
struct hold {
	struct inspect *inspect; /* NULL: everything may pass */
	uint64_t granted;	 /* the client's next bytes that may go */
	size_t shown;		 /* the server's next bytes that it has seen */
	size_t want;
	enum hold_kind kind;
	TAILQ_ENTRY(flow) link;
	uint64_t until_ms;
	struct inspect_verdict *refusal; /* set once it is refused */
};

void hold_set_init(struct flow_set *s, uint32_t partial_ms, uint32_t silent_ms);
void hold_set_done(struct flow_set *s);

/* Starts the inspection; no inspection if t needs none.  Returns 0 or -errno,
 * and the flow must not be used then. */
int hold_start(struct flow *f, const struct inspect_target *t);
/* Ends it: whatever is here or comes may pass.  Idempotent. */
void hold_release(struct flow *f);
/* Releases everything, the refusal included. */
void hold_done(struct flow *f);

/* Before bytes are taken from a side whose flow has an inspection.  1: at most
 * *ret_max may be taken; 0: none now, an event will tell, or the direction has
 * ended; -ECANCELED: refused; or -errno. */
int hold_client(struct flow *f, size_t *ret_max);
int hold_server(struct flow *f, size_t *ret_max);
/* n bytes were taken from the side. */
void hold_taken(struct flow *f, bool from_client, size_t n);

#endif
