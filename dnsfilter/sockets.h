/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets to the resolvers.  This process can make none: the monitor does, and
 * hands them over already connected.  One for UDP is kept in stock for each
 * resolver that is in use, asked for as soon as the last one was taken, so that
 * a question does not wait for the monitor; each is used by one c-ares
 * connection alone, so that the source port stays fresh.
 */
#ifndef DNSFILTER_SOCKETS_H
#define DNSFILTER_SOCKETS_H

#include "common/addr.h"
#include "common/loop.h"
#include "dnsfilter/dnsfilter.h"

struct sockets;

/* desk stays the caller's. */
int sockets_new(struct sockets **ret, struct loop *l, int desk);
void sockets_free(struct sockets *s); /* NULL is fine */

/* A descriptor, the caller's, or -errno: that of connect(), -ESTALE (no
 * resolver of ours), -ETIMEDOUT (the monitor did not answer in time).  Waits if
 * there is none in stock. */
int sockets_take(struct sockets *s, const struct addr *server,
		 enum dns_transport transport);
/* The resolvers changed: nothing in stock is of use. */
void sockets_drop(struct sockets *s);

#endif
