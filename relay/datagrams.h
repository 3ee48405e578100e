/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams by the batch, and the addresses of those inside. */
#ifndef RELAY_DATAGRAMS_H
#define RELAY_DATAGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/addr.h"

struct datagrams;

/* Who sent it, as the socket names it. */
struct datagram_peer {
	struct sockaddr_storage ss;
	socklen_t len;
};

struct datagram {
	const void *data; /* until the next call that receives */
	size_t len;
	struct datagram_peer peer;
	uint16_t src_port;
	struct addr dst; /* where it was sent to */
};

int datagrams_new(struct datagrams **ret); /* 0 or -errno */
void datagrams_free(struct datagrams *b);  /* NULL is fine */

/* Takes what has arrived, as far as the batch goes: how many, or -errno. */
int datagrams_receive(struct datagrams *b, int fd);
/* The i-th of them; false if it does not tell where it was sent to. */
bool datagrams_get(const struct datagrams *b, size_t i, struct datagram *ret);
/* Sends the first n to the peer, from src; what the socket does not take is
 * dropped.  Returns the bytes sent. */
uint64_t datagrams_answer(struct datagrams *b, size_t n, int fd,
			  const struct datagram_peer *to,
			  const struct addr *src);

#endif
