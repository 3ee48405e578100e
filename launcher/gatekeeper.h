/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network side of the monitor: the two helpers, what they ask, the held
 * SYNs and the rejected packets.  Whatever a helper says is checked here; one
 * that breaks the protocol is killed and started again on its sockets.
 */
#ifndef LAUNCHER_GATEKEEPER_H
#define LAUNCHER_GATEKEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "relay/inspect.h"

struct allowlist;
struct inbound_sockets;
struct ports;
struct proxy;
struct cage;
struct gatekeeper;
struct loop;
struct report;

struct gatekeeper_config {
	struct loop *loop;
	const struct cage *cage;       /* borrowed */
	const struct allowlist *allow; /* borrowed */
	const struct ports *open;      /* of the host, reached from inside */
	/* Of the host, leading inside. */
	const struct inbound_sockets *listen;
	const struct proxy *proxy;
	uint32_t grace_sec;
	enum verify_mode verify;
	bool log_all; /* every decision is recorded, not only refusals */
	struct report *report; /* borrowed */
	/* A helper cannot be kept alive: the run must end. */
	void (*fatal)(void *arg, const struct err *e);
	/* gatekeeper_finish() is through. */
	void (*finished)(void *arg);
	void *arg;
};

/* Starts the helpers and serves as soon as the loop runs; both helpers are
 * ready on return. */
int gatekeeper_start(struct gatekeeper **ret, const struct gatekeeper_config *c,
		     struct err *e);
/* The command has ended: delivers what it sent, collects the last reports,
 * then calls finished. */
void gatekeeper_finish(struct gatekeeper *g);
void gatekeeper_free(struct gatekeeper *g); /* NULL is fine */

#endif
