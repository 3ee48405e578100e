/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions for addresses of allowed names: /etc/hosts, then upstream, then
 * admission by the monitor, then the answer to all who wait.
 */
#ifndef DNSFILTER_RESOLVE_H
#define DNSFILTER_RESOLVE_H

#include <stdbool.h>

#include "common/loop.h"
#include "dnsfilter/cache.h"
#include "dnsfilter/channel.h"
#include "dnsfilter/client.h"
#include "dnsfilter/dnsfilter.h"
#include "dnsfilter/message.h"

struct resolver;

/* All arguments are borrowed. */
int resolver_new(struct resolver **ret, struct loop *l,
		 const struct dnsfilter_config *config,
		 struct dns_channel *channel, struct cache *cache);
/* Before the first question, and at changes.  hosts_fd is borrowed; -1: none.
 * -ENOMEM: as before, at least in part. */
int resolver_configure(struct resolver *r, const struct resolvconf *rc,
		       int hosts_fd);
/* Clients that wait get no answer.  Before server_free().  NULL is fine. */
void resolver_free(struct resolver *r);

/* Answers client later, or within this call.  -EBUSY or -ENOMEM: it will not.
 */
int resolver_ask(struct resolver *r, const char *name,
		 const struct dns_question *asked,
		 const struct dns_client *client);
/* False if the message fits no question. */
bool resolver_admitted(struct resolver *r, const struct dns_msg_admitted *m);

#endif
