/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of the host's loopback that lead to what the command listens on:
 * 127.0.0.1:P and [::1]:P of the host are connected with 127.0.0.1:P, else
 * [::1]:P, of the agent's netns.  Where nothing listens inside, the client is
 * reset.
 */
#ifndef LAUNCHER_INBOUND_H
#define LAUNCHER_INBOUND_H

#include <stddef.h>

#include "common/addr.h"
#include "common/err.h"
#include "profiles/ports.h"

struct cage;
struct connection;
struct inbound;
struct loop;

/* Before privileges are given up and before anything is built, so that a port
 * that is taken is the first thing said.  Clients wait in the backlog.  The
 * sockets are in the heap; inbound_unlisten() closes and frees them. */
struct inbound_sockets {
	int *fds;
	size_t n;
};
int inbound_listen(const struct ports *p, struct inbound_sockets *ret,
		   struct err *e);
void inbound_unlisten(struct inbound_sockets *s);

struct inbound_config {
	struct loop *loop;
	const struct cage *cage;	       /* its U2 and A */
	const struct inbound_sockets *sockets; /* not none; borrowed */
	/* Both are connected and non-blocking.  Takes over both on 0; else
	 * -errno, and the caller keeps them. */
	int (*connected)(void *arg, const struct connection *c, int inside,
			 int outside);
	void *arg;
};

int inbound_new(struct inbound **ret, const struct inbound_config *c,
		struct err *e);
/* Resets what is half connected; NULL is fine. */
void inbound_free(struct inbound *in);

#endif
