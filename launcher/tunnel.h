/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CONNECT through an HTTP proxy (RFC 9110 9.3.6) on a connected, non-blocking
 * socket.  Not a byte of the tunnel is taken: what the far end says first,
 * right behind the proxy's answer, stays in the socket.
 */
#ifndef LAUNCHER_TUNNEL_H
#define LAUNCHER_TUNNEL_H

#include <stdint.h>

#include "common/err.h"

struct tunnel;

/* host: a canonical name or an address in text form, not bracketed.
 * credential: USER:PASSWORD, or NULL.  -errno; -ENOMEM. */
int tunnel_new(struct tunnel **ret, const char *host, uint16_t port,
	       const char *credential);
void tunnel_free(struct tunnel *t); /* NULL is fine */

/* Goes on as far as the socket lets it.  1: the tunnel is open; 0: call again
 * at *ret_events (EPOLLIN or EPOLLOUT); -errno with a message that quotes the
 * proxy's answer: -ECONNREFUSED if it will not, -EHOSTUNREACH if it cannot. */
int tunnel_step(struct tunnel *t, int fd, uint32_t *ret_events, struct err *e);

#endif
