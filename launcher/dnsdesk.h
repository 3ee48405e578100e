/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's side of the DNS filter: checks and grants its requests, many
 * with one nftables transaction, and records its decisions; reads the host's
 * files and makes sockets to the resolvers for it. */
#ifndef LAUNCHER_DNSDESK_H
#define LAUNCHER_DNSDESK_H

#include <stdbool.h>

#include "common/loop.h"
#include "launcher/watch.h"

struct admissions;
struct allowlist;
struct cage;
struct hostfiles;
struct proxy_rules;
struct report;

struct dnsdesk {
	struct watched filter;
	struct admissions *admissions; /* borrowed, as are the others */
	const struct cage *cage;
	const struct allowlist *allow;
	const struct proxy_rules *proxy;
	bool log_all;
	struct report *report;

	/* Private: */
	struct hostfiles *files;
	struct loop_timer config_due; /* its queue was full */
	bool config_wanted;
};

/* Fills in filter but for the owner's callbacks on_death, on_fatal; the other
 * members are set. */
int dnsdesk_init(struct dnsdesk *d, struct loop *l, struct err *e);
void dnsdesk_done(struct dnsdesk *d); /* idempotent */
/* The run ends: the filter leaves; its last reports are still taken. */
void dnsdesk_finish(struct dnsdesk *d);

#endif
