/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket options of the two ends of a relayed connection. */
#ifndef RELAY_SOCKET_H
#define RELAY_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/addr.h"

/* No delay, keepalive, and SO_LINGER 0: any close that is not announced by
 * socket_close_orderly(), the death of the process included, is a RST, so that
 * a truncated stream never looks like a complete one.  A listener hands all
 * of it down to the sockets it accepts.  Returns 0 or -errno (not TCP). */
int socket_prepare(int fd);

/* For the side towards the command, a link without loss or queue: a
 * congestion control that does not pace.  Best effort. */
void socket_prefer_unpaced(int listener);

/* Closes with FIN instead; what is in the send queue is still delivered. */
void socket_close_orderly(int *fd);

/* The destination before the redirection.  family is that of the socket.
 * Returns 0 or -errno (-ENOENT without connection tracking). */
int socket_original_dst(int fd, sa_family_t family, struct addr *ret,
			uint16_t *ret_port);

#endif
