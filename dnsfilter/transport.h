/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * c-ares' sockets.  It asks for a socket first and says what it is for when it
 * connects it, so what it gets is a handle; the socket is had from the monitor
 * at that moment.
 */
#ifndef DNSFILTER_TRANSPORT_H
#define DNSFILTER_TRANSPORT_H

#include <ares.h>
#include <stdint.h>

#include "common/loop.h"
#include "dnsfilter/sockets.h"

struct transport;

/* handle is what ares_process_fd() takes. */
typedef void transport_ready_fn(void *arg, ares_socket_t handle,
				uint32_t events);

/* sockets is borrowed. */
int transport_new(struct transport **ret, struct loop *l,
		  struct sockets *sockets, transport_ready_fn *ready,
		  void *arg);
/* After the last channel.  NULL is fine. */
void transport_free(struct transport *t);
/* Makes channel use it. */
void transport_attach(struct transport *t, ares_channel channel);
/* The channel's sock_state_cb, with the transport as its data. */
void transport_watch(void *arg, ares_socket_t handle, int in, int out);

#endif
