/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of network.no_proxy: what programs inside shall reach without their
 * proxy.  There is no proxy in egress-run, but a profile that is refused
 * elsewhere shall not pass here.
 */
#ifndef PROFILES_NOPROXY_H
#define PROFILES_NOPROXY_H

#include <stdbool.h>

#include "common/err.h"

/* One entry: a name without dots, ".x.y", "*.x.y", or an address.  A name with
 * dots is refused, because programs differ on whether it means the names below
 * it, and so is whatever covers a cloud metadata service.  -EINVAL with the
 * reason ("must ..."). */
int noproxy_check(const char *entry, struct err *e);

/* Whether a well-formed entry is about that host. */
bool noproxy_matches(const char *entry, const char *host);

/* Whether a well-formed entry and a pattern of an allowlist, with or without a
 * port, have a host in common. */
bool noproxy_overlaps(const char *entry, const char *pattern);

#endif
