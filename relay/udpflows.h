/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams.  A flow is what one source port of the command sends to one
 * destination, and a connected socket of the host that the monitor makes when
 * it is asked for it:
 *
 *	asked -> unanswered -> answered -> ended (to be reported)
 *
 * Each state but the last has a time that may pass without a datagram.  What
 * comes while a flow is asked for waits, within bounds; whatever cannot go on
 * at once otherwise is dropped, as a router would.  Answers leave from the
 * address that the command sent to.
 */
#ifndef RELAY_UDPFLOWS_H
#define RELAY_UDPFLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/loop.h"

struct relay_config;
struct relay_msg_udp;
struct udpflows;

struct udpflows_config {
	struct loop *loop;
	const struct relay_config *relay; /* borrowed */
	size_t max_flows;
	/* udpflows_flush() may have something to report, or udpflows_is_idle()
	 * may have become true. */
	void (*changed)(void *arg);
	void *arg;
};

/* *ret is NULL if the relay has no UDP sockets. */
int udpflows_new(struct udpflows **ret, const struct udpflows_config *c,
		 struct err *e);
void udpflows_free(struct udpflows *u); /* NULL is fine, here and below */

/* The monitor's answer; fd is taken over, -1: refused. */
void udpflows_answered(struct udpflows *u, const struct relay_msg_udp *m,
		       int fd);
/* Reports flows that have ended; 0, -EAGAIN if the channel is full (some are
 * left), or -errno. */
int udpflows_flush(struct udpflows *u);
/* Passes on what the command has sent, then ends all flows; answers are not
 * waited for. */
void udpflows_finish(struct udpflows *u);
/* Nothing is left to be asked, sent or reported. */
bool udpflows_is_idle(const struct udpflows *u);

#endif
