/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS over TCP (RFC 7766): length-prefixed queries, pipelined, answered in any
 * order.  A client can hold no more than its share: connections, queries under
 * way, bytes not yet taken and idle time are all bounded.  When every slot is
 * taken, a new connection replaces the one idle longest.
 */
#ifndef DNSFILTER_TCP_H
#define DNSFILTER_TCP_H

#include <stdbool.h>

#include "common/loop.h"
#include "dnsfilter/client.h"

#define TCP_CONNS_MAX	256
#define TCP_PENDING_MAX 32 /* queries of one connection without answer */
#define TCP_IDLE_MS	10000

struct tcp;

/* One object for all listening sockets; the descriptors stay the caller's. */
int tcp_new(struct tcp **ret, struct loop *l, const int *fds, int n_fds,
	    const struct listener_ops *ops);
void tcp_free(struct tcp *t); /* NULL is fine */
/* An answer will come later: keeps conn valid until tcp_reply(), or
 * tcp_forget(): there will be none. */
void tcp_hold(struct tcp_conn *conn);
void tcp_forget(struct tcp_conn *conn);
/* Does not call back.  A connection that is closed by now is fine. */
void tcp_reply(struct tcp_conn *conn, const uint8_t *msg, size_t len);
/* While paused nothing is read and no query is handed on.  0 or -errno. */
int tcp_pause(struct tcp *t, bool paused);

#endif
