/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections and flows that the relay carries at present. */
#ifndef LAUNCHER_CONNS_H
#define LAUNCHER_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

struct admission;
struct admissions;
struct connection;
struct conns;

struct conn {
	struct admission *admission; /* held, or NULL */
	struct addr dst;
	uint16_t dst_port;
	bool udp;
	uint64_t started_ms;
	char *name; /* owned, or NULL */
};

int conns_new(struct conns **ret, struct err *e);
/* Drops the holds of those that are left. */
void conns_free(struct conns *cs, struct admissions *a);

/* name may be NULL.  Returns 0 or -errno. */
int conns_add(struct conns *cs, const struct connection *c, uint64_t now_ms,
	      const char *name, uint64_t *ret_id);
/* A copy, which owns nothing; false if there is none. */
bool conns_get(const struct conns *cs, uint64_t id, struct conn *ret);
/* Removes it and hands over hold and name; false if there is none. */
bool conns_take(struct conns *cs, uint64_t id, struct conn *ret);
/* How many of them are flows of datagrams. */
size_t conns_n_udp(const struct conns *cs);
/* The id of any connection; false if there is none. */
bool conns_any(struct conns *cs, uint64_t *ret_id);

#endif
