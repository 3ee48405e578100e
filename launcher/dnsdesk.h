/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's side of the DNS filter: checks and grants its requests, many
 * with one nftables transaction, and records its decisions. */
#ifndef LAUNCHER_DNSDESK_H
#define LAUNCHER_DNSDESK_H

#include <stdbool.h>

#include "launcher/watch.h"

struct admissions;
struct allowlist;
struct cage;
struct report;

struct dnsdesk {
	struct watched filter;
	struct admissions *admissions; /* borrowed, as are the others */
	const struct cage *cage;
	const struct allowlist *allow;
	bool log_all;
	struct report *report;
};

/* Fills in filter but for loop and the owner's callbacks on_death, on_fatal;
 * the other members are set. */
void dnsdesk_init(struct dnsdesk *d);
/* The run ends: the filter leaves; its last reports are still taken. */
void dnsdesk_finish(struct dnsdesk *d);

#endif
