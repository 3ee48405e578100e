/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proxy that connections go through, ready to be dialled. */
#ifndef LAUNCHER_PROXY_H
#define LAUNCHER_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/addr.h"
#include "common/err.h"
#include "launcher/identity.h"
#include "launcher/secret.h"
#include "profiles/grants.h"
#include "profiles/proxyrules.h"

#define PROXY_ADDRESSES_MAX 4

struct proxy {
	const struct proxy_rules *rules; /* NULL: there is no proxy */
	struct addr addr[PROXY_ADDRESSES_MAX];
	size_t n;
	struct secret credential; /* USER:PASSWORD and a NUL, or empty */
};

/* Resolves the proxy's name by the host's own means, once, and reads the
 * credential; one that cannot be had is a warning, with require an error.
 * Nothing is done without a proxy. */
int proxy_open(struct proxy *ret, const struct proxy_rules *u,
	       const struct identity *id, const struct grants *g, bool require,
	       struct err *e);
void proxy_done(struct proxy *p);

/* The credential for tunnel_new(), or NULL. */
const char *proxy_credential(const struct proxy *p);

#endif
