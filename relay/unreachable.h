/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ICMP error that a router or the far end would have sent for a datagram,
 * so that the program that waits for an answer learns that none will come. */
#ifndef RELAY_UNREACHABLE_H
#define RELAY_UNREACHABLE_H

#include <stdint.h>

#include "common/addr.h"

/* fd: sockets_open_icmp() of dst's family; -1: nothing is sent.  error:
 * ECONNREFUSED, EHOSTUNREACH, ENETUNREACH or EACCES; of others nothing is
 * said.  Best effort, as of any router. */
void unreachable_send(int fd, int error, const struct addr *src,
		      uint16_t src_port, const struct addr *dst,
		      uint16_t dst_port);

#endif
