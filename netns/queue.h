/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that the gate hands to the monitor: held SYNs (nfnetlink_queue) and
 * copies of rejected packets (nfnetlink_log). */
#ifndef NETNS_QUEUE_H
#define NETNS_QUEUE_H

#include <stdint.h>

#include "common/err.h"
#include "netns/packet.h"
#include "netns/plan.h"

/* In the gateway netns: a socket bound to SYN_QUEUE, or to DENIED_LOG_GROUP.
 * The descriptor may be passed on; it stays bound. */
int queue_open_syn(int *ret_fd, struct err *e);
int queue_open_denied(int *ret_fd, struct err *e);

typedef void queue_packet_fn(void *arg, uint32_t id,
			     const struct packet_info *packet);

/* Reads what is queued without blocking (at most some dozens of packets) and
 * calls fn for each; id is 0 for logged packets.  *lost, if not NULL, is
 * increased when the kernel reports that packets were dropped for lack of
 * buffer.  Returns the number of packets, or -errno. */
int queue_read(int fd, queue_packet_fn *fn, void *arg, uint64_t *lost);

/* The verdict on a held SYN: accept false drops it silently (the sender tries
 * again); else it goes on with the mark.  Returns 0 or -errno. */
int queue_verdict(int fd, uint32_t id, bool accept, enum syn_mark mark);

#endif
