/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connects out for the command.  The gate holds each SYN to an admitted
 * address until the far end has answered the monitor's own connection, so that
 * the command sees what it would see without a sandbox:
 *
 *   connected     the socket goes to the relay, then the SYN goes on
 *   refused       tcp reset                -> ECONNREFUSED
 *   unreachable   icmp host / net unreachable -> EHOSTUNREACH / ENETUNREACH
 *   no answer     the SYN is dropped, as on the way; the command's own
 *                 timeouts apply
 *
 * If the address fails, or is silent for a second, other addresses of the same
 * name are tried beside it; the first that answers wins.
 */
#ifndef LAUNCHER_CONNECTOR_H
#define LAUNCHER_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

struct admission;
struct admissions;
struct allowlist;
struct connector;
struct loop;
struct ports;
struct proxy;

/* A connection the command asked for. */
struct connection {
	struct addr src; /* the command's */
	uint16_t src_port;
	struct addr dst; /* what it dialled */
	uint16_t dst_port;
	struct addr via; /* what was connected: dst or an alternative */
	struct admission *admission; /* held for it; NULL: literal network */
	const char *rule;	     /* borrowed */
	bool proxied;		     /* via is the proxy's */
	bool local;		     /* to the host's loopback */
	bool inbound;		     /* somebody of the host asked for it */
	bool udp;		     /* a flow of datagrams */
};

struct connector_events {
	/* The far end is connected; takes over fd and the hold on the
	 * admission.  Non-zero: could not be handed on; the connector cleans
	 * up and the command's SYN is dropped, to be tried again. */
	int (*connected)(void *arg, const struct connection *c, int fd);
	/* Failed with this errno. */
	void (*failed)(void *arg, const struct connection *c, int error);
	/* Not admitted (any more). */
	void (*denied)(void *arg, const struct connection *c);
	void *arg;
};

struct connector_config {
	struct loop *loop;
	int syn_fd;   /* borrowed */
	int route_fd; /* borrowed */
	struct admissions *admissions;
	const struct allowlist *allowlist;
	/* Not NULL: the queue is that of the agent's loopback, and leads to
	 * these ports of the host's.  What fails there goes on to what the
	 * command itself serves. */
	const struct ports *local;
	/* Names that it takes are asked of it; NULL: none. */
	const struct proxy *proxy;
	struct connector_events events;
};

int connector_new(struct connector **ret, const struct connector_config *c,
		  struct err *e);
void connector_free(struct connector *c); /* NULL is fine */

#endif
