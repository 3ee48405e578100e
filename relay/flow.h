/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One relayed connection: two sockets and what is on the way between them.
 * flow.c explains the states. */
#ifndef RELAY_FLOW_H
#define RELAY_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/loop.h"
#include "relay/hold.h"
#include "relay/pipes.h"
#include "relay/relay.h"

/* A direction is named by the side its bytes come from. */
enum flow_side_id {
	FLOW_CLIENT, /* the command's end; direction "up" starts here */
	FLOW_FAR,
	FLOW__SIDES,
};

struct flow_side {
	struct loop_source source;
	bool readable; /* not known to be empty */
	bool writable; /* not known to be full */
	bool urgent;   /* EPOLLPRI seen: splice may be stuck */
	bool failed;   /* EPOLLERR seen, SO_ERROR not yet read */
	bool ended;    /* EPOLLRDHUP seen: no more bytes will come */
};

enum flow_dir_state {
	FLOW_DIR_OPEN,
	FLOW_DIR_ENDING, /* end of file read; bytes may be in the pipe */
	FLOW_DIR_DONE,	 /* FIN passed on */
};

struct flow_dir {
	struct pipe pipe;
	uint32_t in_pipe;
	enum flow_dir_state state;
	uint64_t bytes; /* handed to the other side's socket */
};

struct flow {
	struct flow_set *set;
	struct flow_side side[FLOW__SIDES];
	struct flow_dir dir[FLOW__SIDES];
	struct hold hold;
	TAILQ_ENTRY(flow) starved_link;
	bool starved;
};

/* f has released its sockets and pipes; the callback may free it. */
typedef void flow_ended_fn(struct flow *f, enum relay_end end, void *arg);

/* What the flows of a process share. */
struct flow_set {
	struct loop *loop;
	struct pipes pipes;
	TAILQ_HEAD(flow_list, flow) starved; /* could not get a pipe */
	struct loop_timer retry;
	bool warned;	   /* of the present lack of pipes */
	bool finishing;	   /* flow_set_finish() was called */
	uint64_t moved_ms; /* finishing: when a byte last moved up */
	struct hold_queue held[HOLD__KINDS];
	uint8_t *peeked; /* INSPECT_HELD_MAX bytes, or NULL */
	flow_ended_fn *ended;
	void *arg;
};

void flow_set_init(struct flow_set *s, struct loop *loop, flow_ended_fn *ended,
		   void *arg);
void flow_set_done(struct flow_set *s); /* all flows are closed */
/* From now on flows only deliver what the command has sent. */
void flow_set_finish(struct flow_set *s);

/* Takes over both sockets, prepared by socket_prepare().  Nothing moves and
 * nothing ends before the loop runs.  On failure closes both, does not call
 * ended, and returns -errno. */
int flow_open(struct flow *f, struct flow_set *s, int client, int far,
	      const struct inspect_target *t);
/* Moves what can be moved; may end f. */
void flow_run(struct flow *f);
/* Ends f, which the callback may free. */
void flow_give_up(struct flow *f, enum relay_end end);
/* Has the present state of a side reported anew, behind the events that are
 * already queued.  Returns 0 or -errno. */
int flow_wake(struct flow *f, enum flow_side_id id);
/* Releases sockets and pipes without calling ended; idempotent. */
void flow_close(struct flow *f, enum relay_end end);

#endif
