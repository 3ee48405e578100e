/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets to the host's resolvers, made for a DNS filter that can make none. */
#ifndef LAUNCHER_DNSSOCKET_H
#define LAUNCHER_DNSSOCKET_H

#include <stdbool.h>

#include "dnsfilter/dnsfilter.h"

/* The place of that address in rc, or -1. */
int dnssocket_find(const struct resolvconf *rc, const struct addr *a);
/* Connected (TCP: on the way) to that one's port 53, non-blocking; the
 * caller's, or -errno. */
int dnssocket_open(const struct resolvconf *rc, int i,
		   enum dns_transport transport);

#endif
