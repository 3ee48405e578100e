/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The admitted addresses: what the monitor knows of each element of the gate's
 * sets.  The table is the authority; the kernel's elements outlive their
 * entries here by a moment, never the other way round by design, and a SYN
 * that the kernel holds is checked against the table once more.
 *
 * An admission is keyed by address and port (0: every port).  It carries the
 * names that resolved to the address, so that a connection can be named in the
 * log, and so that another address of the same name can be tried.
 */
#ifndef LAUNCHER_ADMISSION_H
#define LAUNCHER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "dnsfilter/dnsfilter.h"

struct allowlist;
struct loop;
struct proxy_rules;
struct admissions;
struct admission;

struct admissions_config {
	struct loop *loop;
	const struct allowlist *allowlist;
	const struct proxy_rules *proxy; /* its names have stand-ins */
	int nft_fd;			 /* borrowed */
	int route_fd;			 /* borrowed */
	uint64_t grace_ms;		 /* beyond TTL and last use */
};

int admissions_new(struct admissions **ret, const struct admissions_config *c,
		   struct err *e);
void admissions_free(struct admissions *a); /* NULL is fine */

/* Checks one request of the DNS filter and stages what it grants; reply is
 * valid (but not to be sent) until admissions_commit(), which may turn it into
 * a failure.  Returns 0, or -EPROTO if the request is not one that an honest
 * filter sends. */
int admissions_stage(struct admissions *a, const struct dns_msg_admit *request,
		     struct dns_msg_admitted *reply);
/* Puts all that is staged into the kernel's sets in one transaction.  On
 * -errno nothing of it is admitted. */
int admissions_commit(struct admissions *a);

/* True if dst:port is denied: as an address, or as a port of a name that
 * resolved to it in this run.  Asked for every SYN, because the kernel's
 * element for every port of an address, or a literal network, lets it come
 * this far. */
bool admissions_denies(const struct admissions *a, const struct addr *dst,
		       uint16_t port);
/* The admission that opens dst:port, or NULL; NULL also if it is denied. */
struct admission *admissions_find(struct admissions *a, const struct addr *dst,
				  uint16_t port);
/* The same for UDP, whose admissions are apart and always for one port. */
bool admissions_denies_udp(const struct admissions *a, const struct addr *dst,
			   uint16_t port);
struct admission *admissions_find_udp(struct admissions *a,
				      const struct addr *dst, uint16_t port);
/* A connection uses it: it stays until the last release plus grace. */
void admission_hold(struct admission *m);
void admission_release(struct admissions *a, struct admission *m);
/* One of the names that resolved to it has an entry for this very port. */
bool admission_names_port(const struct admission *m, uint16_t port);
/* The name resolved to it last, and the rule that allowed that name; both
 * borrowed until the loop goes on. */
const char *admission_name(const struct admission *m);
const char *admission_rule(const struct admission *m);

/* Other admitted addresses, open for port, that every name of dst's admission
 * resolved to: a connection to one of them reaches the same service whichever
 * of the names was meant.  Returns how many of at most max. */
size_t admissions_alternatives(struct admissions *a, const struct admission *m,
			       const struct addr *dst, uint16_t port,
			       struct addr *ret, size_t max);

#endif
