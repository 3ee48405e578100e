/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the relay asks for when the command sends datagrams to a destination
 * for the first time: a socket of the host that is connected with it.  Each
 * request is checked as if it were hostile.
 */
#ifndef LAUNCHER_FLOWDESK_H
#define LAUNCHER_FLOWDESK_H

#include <stdbool.h>

#include "relay/relay.h"

struct admissions;
struct allowlist;
struct conns;
struct loop;
struct report;

struct flowdesk { /* all borrowed */
	struct loop *loop;
	const struct allowlist *allow;
	struct admissions *admissions;
	struct conns *conns;
	struct report *report;
	int route_fd;
	bool log_all;
};

/* Answers by the relay's channel, unless that is full or there are too many
 * flows.  False if no honest relay sends this. */
bool flowdesk_ask(const struct flowdesk *d, int channel,
		  const struct relay_msg_udp *m);

#endif
