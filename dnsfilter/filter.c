/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation.  A query is decided in this order:
 *
 *	read ---- no query: dropped
 *	  |------ malformed or unsupported: RCODE at once
 *	policy -- not allowed: NXDOMAIN at once, event
 *	  |------ localhost, other types than addresses: answered at once
 *	cache --- fresh: answered at once
 *	waiting - on the same question if it is under way already
 *	  hosts - has the name: to "admit"
 *	  ask --- upstream: failed: SERVFAIL, event
 *	  |       no such name, no data: to the cache, answered
 *	  admit - addresses are with the monitor; they are in the kernel's set
 *	  |       when its message comes back, and only then
 *	  answer  to all who wait, with the granted addresses; to the cache
 *
 * Invariants: an address leaves towards a client only after the monitor has
 * granted it for at least the TTL told (a cached one was, and its TTL runs
 * down); a decision is reported before its answer is sent; when the monitor
 * does not keep up, clients are not read, so that no report is lost; nor are
 * they before the files that the monitor reads for us are known to be current.
 */
#include "dnsfilter/filter.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dnsfilter/cache.h"
#include "dnsfilter/channel.h"
#include "dnsfilter/policy.h"
#include "dnsfilter/report.h"
#include "dnsfilter/resolve.h"
#include "dnsfilter/server.h"

#define CACHE_ENTRIES_MAX 16384
#define CACHE_BYTES_MAX	  (8u << 20)
#define BLOCKED_TTL_SEC	  5
#define LOCALHOST_TTL_SEC 3600
#define WARN_EVERY_MS	  10000

struct filter {
	struct loop *loop;
	const struct dnsfilter_config *config;
	struct dns_channel *channel;
	struct server *server;
	struct cache *cache;
	struct resolver *resolver;
	uint64_t warn_at_ms; /* not before */
	bool configured;
	bool is_ready;	 /* faults are no longer the start's */
	bool is_current; /* the files as they were a moment ago are in use */
	bool refreshing; /* the monitor was asked for them */
	bool blocked;	 /* it does not keep up */
	bool closed;
	int status;
};

struct query {
	const struct dns_client *from;
	struct dns_question asked;
	char name[HOSTNAME_BUF]; /* canonical, or "" */
};

static size_t answer_now(const struct query *qy, const struct dns_reply *r,
			 uint8_t *answer)
{
	return dns_build_reply(&qy->asked, r,
			       dns_reply_limit(qy->from, &qy->asked), answer);
}

/* Policy: answers that need nobody else. */

static size_t answer_refuse(struct filter *f, const struct query *qy,
			    uint8_t *answer)
{
	struct dns_reply r = { .rcode = DNS_RCODE_REFUSED,
			       .ede = DNS_EDE_NOT_SUPPORTED };
	struct decision d = { .verdict = DNS_VERDICT_DENY,
			      .type = qy->asked.type,
			      .rcode = r.rcode,
			      .name = qy->name,
			      .wire = &qy->asked.name,
			      .count = 1 };

	dns_report(f->channel, f->config->log_all, &d);
	return answer_now(qy, &r, answer);
}

/* Why a name is not resolved. */
static const char *denial(const struct filter *f, const char *name)
{
	struct allow_ports ports;

	if (name[0] == '\0')
		return "is not a host name";
	if (!allowlist_match(f->config->allowlist, name, &ports) &&
	    ports.deny_rule)
		return "is denied";
	return "is not on the allowlist";
}

static size_t answer_deny(struct filter *f, const struct query *qy,
			  uint8_t *answer)
{
	char text[DNS_EDE_TEXT_MAX];
	struct dns_reply r = { .rcode = DNS_RCODE_NXDOMAIN,
			       .ttl_sec = BLOCKED_TTL_SEC,
			       .soa = true,
			       .ede = DNS_EDE_BLOCKED,
			       .ede_text = text };
	struct decision d = { .verdict = DNS_VERDICT_DENY,
			      .type = qy->asked.type,
			      .rcode = r.rcode,
			      .name = qy->name,
			      .wire = &qy->asked.name,
			      .count = 1 };

	(void)snprintf(text, sizeof(text), "egress-run: %s %s",
		       qy->name[0] ? qy->name : "this", denial(f, qy->name));
	dns_report(f->channel, f->config->log_all, &d);
	return answer_now(qy, &r, answer);
}

static size_t answer_no_data(struct filter *f, const struct query *qy,
			     uint8_t *answer)
{
	struct dns_reply r = { .ttl_sec = BLOCKED_TTL_SEC,
			       .soa = true,
			       .ede = DNS_EDE_NONE };
	struct decision d = { .verdict = DNS_VERDICT_EMPTY,
			      .type = qy->asked.type,
			      .name = qy->name,
			      .count = 1 };

	dns_report(f->channel, f->config->log_all, &d);
	return answer_now(qy, &r, answer);
}

static size_t answer_localhost(struct filter *f, const struct query *qy,
			       uint8_t *answer)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	static const uint8_t v6[16] = { [15] = 1 };
	bool is_v6 = qy->asked.type == DNS_TYPE_AAAA;
	struct dns_records records = { .type = qy->asked.type,
				       .n_addr = 1,
				       .addr = is_v6 ? v6 : v4 };
	struct dns_reply r = { .ttl_sec = LOCALHOST_TTL_SEC,
			       .records = &records,
			       .ede = DNS_EDE_NONE };
	struct decision d = { .verdict = DNS_VERDICT_ALLOW,
			      .type = qy->asked.type,
			      .name = qy->name,
			      .count = 1,
			      .records = &records,
			      .mask = 1 };

	dns_report(f->channel, f->config->log_all, &d);
	return answer_now(qy, &r, answer);
}

static size_t answer_overload(struct filter *f, const struct query *qy,
			      uint8_t *answer)
{
	struct dns_reply r = { .rcode = DNS_RCODE_SERVFAIL,
			       .ede = DNS_EDE_OTHER,
			       .ede_text = "egress-run: too many questions "
					   "at once" };
	struct decision d = { .verdict = DNS_VERDICT_FAILED,
			      .type = qy->asked.type,
			      .rcode = r.rcode,
			      .name = qy->name,
			      .count = 1 };
	uint64_t now = loop_now_ms(f->loop);

	if (now >= f->warn_at_ms) {
		log_warning("dns: too many questions at once, some are "
			    "answered with an error");
		f->warn_at_ms = now + WARN_EVERY_MS;
	}
	dns_report(f->channel, f->config->log_all, &d);
	return answer_now(qy, &r, answer);
}

static size_t answer_cached(struct filter *f, const struct query *qy,
			    const struct cache_answer *c, uint8_t *answer)
{
	bool empty = dns_records_empty(&c->records);
	struct dns_reply r = { .rcode = c->rcode,
			       .ttl_sec = c->ttl_sec,
			       .soa = empty,
			       .records = &c->records,
			       .ede = DNS_EDE_NONE };
	struct decision d = { .verdict = empty ? DNS_VERDICT_EMPTY
					       : DNS_VERDICT_ALLOW,
			      .type = qy->asked.type,
			      .rcode = r.rcode,
			      .name = qy->name,
			      .cached = true,
			      .count = 1,
			      .records = &c->records,
			      .mask = UINT64_MAX };

	dns_report(f->channel, f->config->log_all, &d);
	return answer_now(qy, &r, answer);
}

static size_t answer_resolve(struct filter *f, const struct query *qy,
			     uint8_t *answer)
{
	struct cache_answer cached;

	if (cache_find(f->cache, qy->name, qy->asked.type, loop_now_ms(f->loop),
		       &cached))
		return answer_cached(f, qy, &cached, answer);
	if (resolver_ask(f->resolver, qy->name, &qy->asked, qy->from) < 0)
		return answer_overload(f, qy, answer);
	return 0;
}

static size_t (*const answer_by_policy[POLICY__COUNT])(struct filter *f,
						       const struct query *qy,
						       uint8_t *answer) = {
	[POLICY_RESOLVE] = answer_resolve,
	[POLICY_NO_DATA] = answer_no_data,
	[POLICY_LOCALHOST] = answer_localhost,
	[POLICY_DENY] = answer_deny,
	[POLICY_REFUSE] = answer_refuse,
};

static size_t on_query(void *arg, const struct dns_client *from,
		       const uint8_t *msg, size_t len, uint8_t *answer)
{
	struct filter *f = arg;
	struct query qy;
	int rcode;

	if (f->closed)
		return 0;
	qy.from = from;
	rcode = dns_parse_query(msg, len, &qy.asked);
	if (rcode < 0)
		return 0;
	if (rcode != DNS_RCODE_NOERROR) {
		struct dns_reply r = { .rcode = (uint16_t)rcode,
				       .ede = DNS_EDE_NONE };

		return answer_now(&qy, &r, answer);
	}
	if (!hostname_from_wire(qy.asked.name.bytes, qy.name))
		qy.name[0] = '\0';
	return answer_by_policy[dns_policy_decide(
		f->config->allowlist, qy.name, qy.asked.type, qy.asked.class)](
		f, &qy, answer);
}

static void stop(struct filter *f, int status)
{
	f->closed = true;
	f->status = status;
	loop_stop(f->loop);
}

static void before_send(void *arg)
{
	struct filter *f = arg;

	dns_channel_flush(f->channel);
}

static void pause_clients(struct filter *f)
{
	int rc = server_pause(f->server,
			      f->blocked || f->refreshing || !f->configured);

	if (rc == 0)
		return;
	log_msg(f->is_ready ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		"dns: cannot watch the listeners: %s", strerror(-rc));
	stop(f, 1);
}

static void refresh(struct filter *f)
{
	const struct dns_msg_refresh m = { .type = DNS_MSG_REFRESH };

	f->refreshing = true;
	pause_clients(f);
	dns_channel_send(f->channel, &m, sizeof(m));
}

/* Asked before clients are read, so that a question is answered by the files
 * as they are when it comes.  A change shows in the descriptor at once, until
 * the monitor has dealt with it; then its message is in the channel. */
static bool may_read(void *arg)
{
	struct filter *f = arg;
	struct pollfd p[] = {
		{ .fd = f->config->channel, .events = POLLIN },
		{ .fd = f->config->changed, .events = POLLIN },
	};

	if (f->closed || f->refreshing || !f->configured)
		return false;
	if (poll(p, 2, 0) <= 0) {
		f->is_current = false;
		return true;
	}
	if (p[0].revents)
		return false; /* first; the loop has it next */
	if (!f->is_current) {
		refresh(f);
		return false;
	}
	f->is_current = false;
	return true;
}

static void on_config(void *arg, const struct dns_msg_config *m, int hosts)
{
	const struct dns_msg_ready ready = { .type = DNS_MSG_READY };
	struct filter *f = arg;

	if (resolver_configure(f->resolver, &m->resolvers, hosts) < 0) {
		log_error("dns: out of memory");
		stop(f, 1);
		return;
	}
	f->configured = true;
	f->is_current = f->refreshing;
	f->refreshing = false;
	pause_clients(f);
	if (f->is_ready || f->closed)
		return;
	f->is_ready = true;
	dns_channel_send(f->channel, &ready, sizeof(ready));
}

static bool on_admitted(void *arg, const struct dns_msg_admitted *m)
{
	struct filter *f = arg;

	return resolver_admitted(f->resolver, m);
}

static void on_blocked(void *arg)
{
	struct filter *f = arg;

	f->blocked = true;
	pause_clients(f);
}

static void on_writable(void *arg)
{
	struct filter *f = arg;

	f->blocked = false;
	pause_clients(f);
}

static void on_closed(void *arg, int status)
{
	stop(arg, status);
}

int filter_status(const struct filter *f)
{
	return f->status;
}

static int set_up(struct filter *f, struct err *e)
{
	const struct dnsfilter_config *c = f->config;
	struct dns_channel_ops channel_ops = { .admitted = on_admitted,
					       .config = on_config,
					       .blocked = on_blocked,
					       .writable = on_writable,
					       .closed = on_closed,
					       .arg = f };
	struct listener_ops listener_ops = { .query = on_query,
					     .may_read = may_read,
					     .before_send = before_send,
					     .arg = f };
	int rc = cache_new(&f->cache, CACHE_ENTRIES_MAX, CACHE_BYTES_MAX);

	if (rc < 0)
		return err_errno(e, -rc, "dns filter: cache");
	rc = dns_channel_new(&f->channel, f->loop, c->channel, &channel_ops);
	if (rc < 0)
		return err_errno(e, -rc, "dns filter: channel to the monitor");
	rc = resolver_new(&f->resolver, f->loop, c, f->channel, f->cache);
	if (rc < 0)
		return err_errno(e, -rc, "dns filter: resolver");
	rc = server_new(&f->server, f->loop, c, &listener_ops);
	if (rc < 0)
		return err_errno(e, -rc, "dns filter: listeners");
	pause_clients(f);
	return 0;
}

int filter_new(struct filter **ret, struct loop *l,
	       const struct dnsfilter_config *config, struct err *e)
{
	struct filter *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return err_errno(e, ENOMEM, "dns filter");
	f->loop = l;
	f->config = config;
	rc = set_up(f, e);
	if (rc < 0) {
		filter_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	resolver_free(f->resolver);
	server_free(f->server);
	dns_channel_free(f->channel);
	cache_free(f->cache);
	free(f);
}
