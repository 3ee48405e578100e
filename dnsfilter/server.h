/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All listeners of the filter as one. */
#ifndef DNSFILTER_SERVER_H
#define DNSFILTER_SERVER_H

#include <stdbool.h>

#include "common/loop.h"
#include "dnsfilter/client.h"
#include "dnsfilter/dnsfilter.h"

struct server;

int server_new(struct server **ret, struct loop *l,
	       const struct dnsfilter_config *config,
	       const struct listener_ops *ops);
void server_free(struct server *s); /* NULL is fine */
/* While paused no query is read.  After -errno that is not sure. */
int server_pause(struct server *s, bool paused);

/* The answer to client's query will come later: exactly one of the two
 * others follows. */
void server_hold(const struct dns_client *client);
void server_reply(const struct dns_client *client, const uint8_t *msg,
		  size_t len);
void server_forget(const struct dns_client *client);

#endif
