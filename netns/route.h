/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's routing tables say of a destination. */
#ifndef NETNS_ROUTE_H
#define NETNS_ROUTE_H

#include "common/addr.h"
#include "common/err.h"

enum route_kind {
	ROUTE_FORWARD, /* leaves the host */
	ROUTE_LOCAL,   /* an address of the host itself, broadcast, multicast */
	ROUTE_NONE,    /* no route, or one that rejects */
};

/* A route netlink socket in the current netns; the caller owns *ret_fd. */
int route_open(int *ret_fd, struct err *e);
/* One request to the kernel, a few microseconds.  Any doubt is ROUTE_LOCAL:
 * the caller refuses it. */
enum route_kind route_lookup(int fd, const struct addr *dst);

#endif
