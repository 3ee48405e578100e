/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/destination.h"

#include <string.h>

#include "launcher/admission.h"
#include "launcher/proxy.h"
#include "netns/route.h"
#include "profiles/allowlist.h"
#include "profiles/ports.h"

/* The other family's loopback: a server listens on one of them, or on both. */
static bool other_loopback(const struct addr *a, struct addr *ret)
{
	static const char *const text[] = { "127.0.0.1", "::1" };
	struct addr loopback[2];

	for (int i = 0; i < 2; i++)
		if (!addr_parse(text[i], &loopback[i]))
			return false;
	for (int i = 0; i < 2; i++) {
		if (addr_equal(a, &loopback[i])) {
			*ret = loopback[!i];
			return true;
		}
	}
	return false;
}

static bool is_local_permitted(const struct connector_config *c,
			       struct connection *conn)
{
	struct addr other;

	conn->rule = "open_port";
	conn->local = true;
	return other_loopback(&conn->dst, &other) &&
	       ports_has(c->local, conn->dst_port);
}

bool destination_permit(const struct connector_config *c,
			struct connection *conn)
{
	const struct allow_network *net;

	if (c->local)
		return is_local_permitted(c, conn);
	/* A denied port is shut for literal networks too. */
	if (addr_never(&conn->dst) ||
	    admissions_denies(c->admissions, &conn->dst, conn->dst_port) ||
	    route_lookup(c->route_fd, &conn->dst) == ROUTE_LOCAL)
		return false;
	conn->admission =
		admissions_find(c->admissions, &conn->dst, conn->dst_port);
	if (conn->admission) {
		conn->rule = admission_rule(conn->admission);
		conn->proxied =
			c->proxy &&
			proxy_rules_take(c->proxy->rules,
					 admission_name(conn->admission));
	} else {
		net = allowlist_match_address(c->allowlist, &conn->dst,
					      conn->dst_port);
		if (!net)
			return false;
		conn->rule = net->text;
	}
	return true;
}

size_t destination_list(const struct connector_config *c,
			const struct connection *conn,
			struct addr ret[static DESTINATIONS_MAX])
{
	struct addr *others = ret + 1;

	ret[0] = conn->dst;
	if (conn->proxied) {
		size_t n = c->proxy->n < DESTINATIONS_MAX ? c->proxy->n
							  : DESTINATIONS_MAX;

		memcpy(ret, c->proxy->addr, n * sizeof(*ret));
		return n;
	}
	if (conn->admission)
		return 1 + admissions_alternatives(c->admissions,
						   conn->admission, &conn->dst,
						   conn->dst_port, others,
						   DESTINATIONS_MAX - 1);
	return conn->local && other_loopback(&conn->dst, others) ? 2 : 1;
}
