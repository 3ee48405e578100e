/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network part of a profile, compiled. */
#ifndef PROFILES_NETPOLICY_H
#define PROFILES_NETPOLICY_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/allowlist.h"
#include "profiles/library.h"
#include "profiles/ports.h"
#include "profiles/profile.h"
#include "profiles/proxyrules.h"
#include "profiles/vars.h"

enum netpolicy_kind {
	NETPOLICY_NOTHING, /* no key asks for anything: nothing is reachable */
	NETPOLICY_BLOCKED, /* network.block */
	NETPOLICY_LIST,	   /* an allowlist */
	NETPOLICY_OPEN,	   /* --allow-net: every name and address, never the
			    * metadata and other addr_never() ones */
};

struct netpolicy {
	enum netpolicy_kind kind;
	struct allowlist *allow; /* owned; netpolicy_done() frees it */
	struct ports open;	 /* of the host, reached from inside; arena */
	struct ports listen;	 /* of the host, leading inside; arena */
	struct proxy_rules proxy;
};

/* The names of network groups and network profiles come from
 * policy/networks.json of the library, read only if an entry might be one.
 * open: --allow-net.  Notes (an inert pattern, a whole top-level domain) are
 * added to p.  Errors name the place of the entry. */
int netpolicy_compile(const struct library *l, struct profile *p,
		      const struct vars *v, bool open, struct arena *a,
		      struct netpolicy *ret, struct err *e);
void netpolicy_done(struct netpolicy *n);

/* Contradictions within `network`, as nono has them: block with an allowlist,
 * network_profile, credentials or upstream_proxy; upstream_bypass without
 * upstream_proxy; a no_proxy entry that is malformed or overlaps with
 * allow_domain. */
int netpolicy_check(const struct profile *p, struct arena *a, struct err *e);

#endif
