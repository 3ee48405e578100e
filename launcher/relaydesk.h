/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's side of the relay: hands it connected sockets, checks and
 * records what it says of them, and grants its requests for UDP. */
#ifndef LAUNCHER_RELAYDESK_H
#define LAUNCHER_RELAYDESK_H

#include <stdbool.h>

#include "common/err.h"
#include "launcher/watch.h"
#include "relay/inspect.h"

struct admissions;
struct allowlist;
struct cage;
struct connection;
struct conns;
struct loop;
struct report;

struct relaydesk {
	struct watched relay;
	struct loop *loop; /* borrowed, as are the others */
	const struct cage *cage;
	const struct allowlist *allow;
	enum verify_mode verify;
	bool log_all; /* names of connections are kept for their end */
	struct report *report;
	struct admissions *admissions; /* set before the loop runs */
	int route_fd;		       /* likewise */

	/* Private: */
	struct conns *conns;
};

/* Fills in relay but for the owner's callbacks on_death, on_fatal; the other
 * members are set.  relay.owner is the desk. */
void relaydesk_init(struct relaydesk *d);
int relaydesk_start(struct relaydesk *d, struct err *e);
void relaydesk_done(struct relaydesk *d); /* idempotent; the relay is stopped */

/* A connection to the far end, for the command's end that is about to come.
 * Takes over fd and the hold on the admission; non-zero: it does not. */
int relaydesk_connected(struct relaydesk *d, const struct connection *c,
			int fd);
/* The same for a client from the host; both ends are there already. */
int relaydesk_called(struct relaydesk *d, const struct connection *c,
		     int inside, int outside);
/* The relay died and its connections with it. */
void relaydesk_lost(struct relaydesk *d);
/* Asks the relay to deliver the last bytes and leave; -errno: it cannot be
 * asked. */
int relaydesk_finish(struct relaydesk *d);

#endif
