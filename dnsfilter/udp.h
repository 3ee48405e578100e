/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bound UDP socket: queries are read and answered in batches, without
 * allocation, each answer from the address that was asked.
 */
#ifndef DNSFILTER_UDP_H
#define DNSFILTER_UDP_H

#include <stdbool.h>

#include "common/loop.h"
#include "dnsfilter/client.h"

struct udp_socket;

/* fd stays the caller's. */
int udp_new(struct udp_socket **ret, struct loop *l, int fd,
	    const struct listener_ops *ops);
void udp_free(struct udp_socket *u); /* NULL is fine */
void udp_reply(const struct dns_client *to, const uint8_t *msg, size_t len);
/* While paused nothing is read.  0 or -errno. */
int udp_pause(struct udp_socket *u, bool paused);

#endif
