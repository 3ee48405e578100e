/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the relay process share: relay.c starts, pauses and ends
 * it, channel.c talks to the monitor, accept.c to the command.
 *
 * The life of a connection, counted against max_conns until its report is sent:
 *
 *	waiting (far end handed over) -> open (a flow) -> ended (to be reported)
 */
#ifndef RELAY_INTERNAL_H
#define RELAY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/loop.h"
#include "relay/flow.h"
#include "relay/relay.h"
#include "relay/udpflows.h"
#include "relay/waiting.h"

struct conn {
	struct flow flow;	/* open */
	struct waiting waiting; /* waiting */
	TAILQ_ENTRY(conn) link; /* open, ended */
	uint64_t id;
	int far; /* waiting; then the flow's */
	bool by_address;
	bool port_named;
	enum relay_end end;
};

TAILQ_HEAD(conn_list, conn);

struct relay_watch {
	struct loop_source source;
	struct relay *relay; /* of a listener */
	uint32_t events;     /* asked for at present */
};

struct relay {
	struct loop *loop;
	const struct relay_config *config;
	struct relay_watch channel;
	struct relay_watch listeners[RELAY_LISTENERS];
	struct waiting_table waiting;
	struct flow_set flows;
	struct conn_list open;
	struct conn_list ended;
	struct udpflows *udp; /* NULL: none */
	size_t n_conns;
	size_t max_conns;
	struct loop_timer resume;
	struct loop_timer finish;
	bool paused;	   /* neither channel nor listeners are read */
	bool warned;	   /* of the present burst of connections */
	bool channel_full; /* ended connections wait for EPOLLOUT */
	bool finish_asked;
	bool stopped;
	int status;
};

/* Ends the loop; the first status counts. */
void relay_stop(struct relay *r, int status);
/* True if no CONN is to be read in advance. */
bool relay_is_full(const struct relay *r);
/* Not when full, except for those that are expected. */
bool relay_may_accept(const struct relay *r);
/* To be called whenever an answer of these two may have changed. */
void relay_update_watches(struct relay *r);
/* Out of descriptors: nothing is read until a connection ends or a timer
 * fires. */
void relay_pause(struct relay *r, int errnum);
void relay_resume(struct relay *r);
/* Last thing of every callback that reads the channel: honours FINISH. */
void relay_settle(struct relay *r);

void channel_event(void *arg, uint32_t events);
int channel_send_ready(const struct relay *r);
void channel_read(struct relay *r); /* until empty or relay_is_full() */
/* False if there is no message or none can be taken now. */
bool channel_read_one(struct relay *r);
/* Reports what has ended as far as the channel has room. */
void channel_flush(struct relay *r);

/* The command's end is there; c->far is its far end.  Takes over both. */
void conn_open(struct relay *r, struct conn *c, int client,
	       const struct inspect_target *target);
/* c is neither waiting nor open any more. */
void conn_end(struct relay *r, struct conn *c, enum relay_end end);
struct conn *conn_of_waiting(struct waiting *w);

/* listening, prepared and in the loop; fd may be -1.  Returns 0 or -errno. */
int accept_start(struct relay *r, size_t listener, int fd);
/* Takes what the queue holds and stops listening. */
void accept_finish(struct relay *r, size_t listener);

#endif
