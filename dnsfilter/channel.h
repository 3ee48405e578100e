/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter's end of the channel to the monitor.  Nothing handed to it is ever
 * dropped: what the socket does not take at once waits in order, and the owner
 * stops reading clients until it is gone (that bounds the queue).
 */
#ifndef DNSFILTER_CHANNEL_H
#define DNSFILTER_CHANNEL_H

#include <stdbool.h>

#include "common/loop.h"
#include "dnsfilter/dnsfilter.h"

struct dns_channel;

struct dns_channel_ops {
	/* Returns false if the message makes no sense: ends the process. */
	bool (*admitted)(void *arg, const struct dns_msg_admitted *m);
	/* hosts is borrowed; -1: none. */
	void (*config)(void *arg, const struct dns_msg_config *m, int hosts);
	void (*blocked)(void *arg);  /* the queue is no longer empty */
	void (*writable)(void *arg); /* it is empty again */
	/* End of file (status 0) or a broken protocol (1). */
	void (*closed)(void *arg, int status);
	void *arg;
};

/* fd stays the caller's and is used without blocking. */
int dns_channel_new(struct dns_channel **ret, struct loop *l, int fd,
		    const struct dns_channel_ops *ops);
void dns_channel_free(struct dns_channel *c); /* NULL is fine */

void dns_channel_send(struct dns_channel *c, const void *msg, size_t len);
/* Identical events one after the other become one with a larger count; the
 * last is held back until dns_channel_flush(). */
void dns_channel_event(struct dns_channel *c, const struct dns_msg_event *m);
void dns_channel_flush(struct dns_channel *c);

#endif
