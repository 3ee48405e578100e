/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to the host's resolvers through c-ares (transport only: servers,
 * retries, TCP after truncation).  Each question is built from the canonical
 * name, so that no byte of a client goes out.  Nothing wakes up while no
 * question is outstanding.
 */
#ifndef DNSFILTER_UPSTREAM_H
#define DNSFILTER_UPSTREAM_H

#include <stdint.h>

#include "common/loop.h"
#include "dnsfilter/chain.h"
#include "dnsfilter/resolvconf.h"

#define UPSTREAM_DEADLINE_MS 30000

struct upstream;

struct upstream_failure {
	int ede; /* enum dns_ede */
	const char *text;
};

/* Exactly one of the two is not NULL; both are borrowed for the call. */
typedef void upstream_fn(void *arg, const struct dns_chain *answer,
			 const struct upstream_failure *failure);

/* desk gives sockets (sockets.h).  outstanding_max counts questions that c-ares
 * has not given up, also those whose deadline is over. */
int upstream_new(struct upstream **ret, struct loop *l, int desk,
		 size_t outstanding_max);
/* The resolvers from now on; questions under way are put to them anew.
 * -ENOMEM: as before. */
int upstream_configure(struct upstream *u, const struct resolvconf *rc);
/* Calls no callback.  NULL is fine. */
void upstream_free(struct upstream *u);

/* fn is called once, within UPSTREAM_DEADLINE_MS, perhaps before this returns
 * 0.  After an error (-ENOMEM, -EBUSY, -EIO: not configured) it is not called.
 */
int upstream_ask(struct upstream *u, const char *name, uint16_t type,
		 upstream_fn *fn, void *arg);

#endif
