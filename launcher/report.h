/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user learns of decisions: a line of JSON each in the log (--log),
 * and a short summary of what was blocked at the end of the run.
 */
#ifndef LAUNCHER_REPORT_H
#define LAUNCHER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "dnsfilter/dnsfilter.h"
#include "launcher/blocked.h"
#include "launcher/connector.h"
#include "launcher/conns.h"
#include "netns/packet.h"
#include "relay/relay.h"

struct allowlist;
struct report;

/* log_path: NULL for none; the file is opened for appending, made with mode
 * 0600 if new.  allow: borrowed, for the summary; may be NULL. */
int report_new(struct report **ret, const char *log_path,
	       const struct allowlist *allow, struct err *e);
void report_free(struct report *r); /* NULL is fine */

void report_dns(struct report *r, const struct dns_msg_event *ev,
		const char *rule);
/* error 0: connected; EPERM: refused for that reason; else the errno of the far
 * end. */
void report_connect(struct report *r, uint64_t id, const struct connection *c,
		    const char *name, int error, enum blocked_reason why);
void report_close(struct report *r, const struct relay_msg_closed *m,
		  const struct conn *conn, uint64_t duration_ms);
/* The name check has refused it; the close is reported beside this. */
void report_refused(struct report *r, const struct relay_msg_refused *m,
		    const struct addr *dst, uint16_t port);
/* A packet that the gate rejected.  admitted: its address is open for TCP;
 * own: it is an address of this host. */
void report_packet(struct report *r, const struct packet_info *p, bool admitted,
		   bool own);
/* How many packets the gate rejected and dropped in all. */
void report_totals(struct report *r, uint64_t denied, uint64_t spoofed);
/* Start and end of the run. */
void report_start(struct report *r, char *const *command);
void report_end(struct report *r, int exit_status);

/* Prints the summary on stderr; nothing if nothing was blocked. */
void report_summary(struct report *r);

#endif
