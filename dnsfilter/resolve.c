/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of this file is from the last step of a question to the first. */
#include "dnsfilter/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dnsfilter/hosts.h"
#include "dnsfilter/question.h"
#include "dnsfilter/ration.h"
#include "dnsfilter/report.h"
#include "dnsfilter/server.h"
#include "dnsfilter/upstream.h"
#include "profiles/proxyrules.h"

#define UNROUTABLE_TTL_SEC 5 /* the host may get a route */
#define STAND_IN_TTL_SEC   600
#define FILTERED_TTL_SEC   5

struct resolver {
	const struct proxy_rules *proxy;
	uint32_t next_stand_in;
	struct loop *loop;
	struct dns_channel *channel;
	struct cache *cache;
	const struct allowlist *allowlist;
	bool log_all;
	struct upstream *upstream;
	struct hosts *hosts;
	struct ration *ration;
	struct questions questions;
	uint8_t answer[DNS_ANSWER_MAX];
};

/* Answers all who wait; q is gone afterwards. */
static void finish(struct resolver *r, struct question *q,
		   const struct dns_reply *reply)
{
	struct waiter *w;

	question_detach(&r->questions, q);
	dns_channel_flush(r->channel);
	while ((w = question_pop_waiter(&r->questions, q))) {
		size_t n = dns_build_reply(
			&w->asked, reply,
			dns_reply_limit(&w->client, &w->asked), r->answer);

		server_reply(&w->client, r->answer, n);
		free(w);
	}
	question_free(q);
}

static void finish_failed(struct resolver *r, struct question *q, int ede,
			  const char *text)
{
	struct dns_reply reply = { .rcode = DNS_RCODE_SERVFAIL,
				   .ede = ede,
				   .ede_text = text };
	struct decision d = { .verdict = DNS_VERDICT_FAILED,
			      .type = q->type,
			      .rcode = reply.rcode,
			      .name = q->name,
			      .count = q->n_waiters };

	dns_report(r->channel, r->log_all, &d);
	finish(r, q, &reply);
}

/* Tells what q->chain says, and keeps it for the next who asks. */
static void finish_answer(struct resolver *r, struct question *q)
{
	struct cache_answer keep = { .rcode = q->chain.rcode,
				     .ttl_sec = q->chain.ttl_sec,
				     .records = dns_chain_records(&q->chain) };
	bool empty = dns_records_empty(&keep.records);
	struct dns_reply reply = { .rcode = keep.rcode,
				   .ttl_sec = keep.ttl_sec,
				   .soa = empty,
				   .records = &keep.records,
				   .ede = DNS_EDE_NONE };
	struct decision d = { .verdict = empty ? DNS_VERDICT_EMPTY
					       : DNS_VERDICT_ALLOW,
			      .type = q->type,
			      .rcode = reply.rcode,
			      .name = q->name,
			      .count = q->n_waiters,
			      .records = &keep.records,
			      .mask = UINT64_MAX };

	cache_put(r->cache, q->name, loop_now_ms(r->loop), &keep);
	dns_report(r->channel, r->log_all, &d);
	finish(r, q, &reply);
}

/* private: an option would have let one of them pass. */
static void finish_filtered(struct resolver *r, struct question *q,
			    bool private)
{
	struct dns_reply reply = {
		.ttl_sec = FILTERED_TTL_SEC,
		.soa = true,
		.ede = DNS_EDE_FILTERED,
		.ede_text = private ? "egress-run: the name has only "
				      "private addresses; "
				      "--allow-private lets it"
				    : "egress-run: the name has only "
				      "addresses that are never "
				      "allowed"
	};

	finish(r, q, &reply);
}

/* True if one is refused for nothing but being private. */
static bool has_private(const struct resolver *r, const struct question *q)
{
	for (unsigned i = 0; i < q->chain.n_addr; i++) {
		struct addr a = dns_chain_addr(&q->chain, i);

		if (!addr_never(&a) &&
		    !allowlist_denies_address(r->allowlist, &a, 0) &&
		    !allowlist_may_resolve(r->allowlist, q->name, &a))
			return true;
	}
	return false;
}

bool resolver_admitted(struct resolver *r, const struct dns_msg_admitted *m)
{
	struct question *q = question_by_id(&r->questions, m->id);
	bool private;
	uint64_t all;

	if (!q || !q->admitting)
		return false;
	all = UINT64_MAX >> (64 - q->chain.n_addr);
	if ((m->granted | m->forbidden) & ~all)
		return false;
	if (m->error != 0) {
		finish_failed(r, q, DNS_EDE_OTHER,
			      "egress-run: the addresses could not be "
			      "admitted");
		return true;
	}
	if (m->forbidden) {
		struct dns_records records = dns_chain_records(&q->chain);
		struct decision d = { .verdict = DNS_VERDICT_REFUSED_ADDRESS,
				      .type = q->type,
				      .name = q->name,
				      .count = q->n_waiters,
				      .records = &records,
				      .mask = m->forbidden };

		dns_report(r->channel, r->log_all, &d);
	}
	private = m->forbidden && has_private(r, q);
	dns_chain_keep(&q->chain, m->granted & ~m->forbidden);
	if (q->chain.n_addr == 0 && m->forbidden) {
		finish_filtered(r, q, private);
		return true;
	}
	if (q->chain.n_addr == 0) {
		q->chain.n_hops = 0;
		q->chain.hops_len = 0;
		q->chain.ttl_sec = UNROUTABLE_TTL_SEC;
	}
	finish_answer(r, q);
	return true;
}

static void admit(struct resolver *r, struct question *q)
{
	struct dns_msg_admit m;

	memset(&m, 0, sizeof(m));
	m.type = DNS_MSG_ADMIT;
	m.id = q->id;
	m.ttl_sec = q->chain.ttl_sec;
	m.n = q->chain.n_addr;
	memcpy(m.name, q->name, sizeof(m.name));
	for (unsigned i = 0; i < q->chain.n_addr; i++)
		m.addr[i] = dns_chain_addr(&q->chain, i);
	q->admitting = true;
	dns_channel_send(r->channel, &m, sizeof(m));
}

static void use_chain(struct resolver *r, struct question *q)
{
	if (q->chain.n_addr > 0)
		admit(r, q);
	else
		finish_answer(r, q);
}

static void on_upstream(void *arg, const struct dns_chain *answer,
			const struct upstream_failure *failure)
{
	struct question *q = arg;
	struct resolver *r = q->owner;

	if (failure) {
		finish_failed(r, q, failure->ede, failure->text);
		return;
	}
	q->chain = *answer;
	use_chain(r, q);
}

/* The proxy will look the name up; until then any address will do that leads
 * to it and to no other name. */
static void use_stand_in(struct resolver *r, struct question *q)
{
	struct addr a = proxy_stand_in(r->next_stand_in);

	dns_chain_init(&q->chain, q->type, STAND_IN_TTL_SEC);
	if (q->type == DNS_TYPE_A) {
		r->next_stand_in = (r->next_stand_in + 1) % STAND_INS;
		dns_chain_add(&q->chain, a.bytes);
	}
	use_chain(r, q);
}

static void ask_upstream(void *arg)
{
	struct question *q = arg;
	struct resolver *r = q->owner;

	if (proxy_rules_take(r->proxy, q->name)) {
		use_stand_in(r, q);
		return;
	}
	if (upstream_ask(r->upstream, q->name, q->type, on_upstream, q) < 0)
		finish_failed(r, q, DNS_EDE_NETWORK_ERROR,
			      "egress-run: no resolver can be asked now");
}

static void finish_limited(struct resolver *r, struct question *q,
			   const char *rule)
{
	char text[DNS_EDE_TEXT_MAX];
	struct dns_reply reply = { .rcode = DNS_RCODE_REFUSED,
				   .ede = DNS_EDE_PROHIBITED,
				   .ede_text = text };

	(void)snprintf(text, sizeof(text),
		       "egress-run: too many new names under %s; wait some "
		       "seconds",
		       rule);
	finish(r, q, &reply);
}

/* Once for each time that the ration runs out: a client may ask on for ever. */
static void report_limited(struct resolver *r, const struct question *q)
{
	struct decision d = { .verdict = DNS_VERDICT_LIMITED,
			      .type = q->type,
			      .name = q->name,
			      .count = 1 };

	dns_report(r->channel, r->log_all, &d);
	dns_channel_flush(r->channel);
}

/* Upstream, when the ration of the rule that allows the name permits it. */
static void ask_in_time(struct resolver *r, struct question *q)
{
	struct allow_ports ports;
	bool report;
	int wait_ms;

	if (!allowlist_match(r->allowlist, q->name, &ports))
		ports.rule = "";
	wait_ms = ration_take(r->ration, ports.rule, q->name,
			      loop_now_ms(r->loop), &report);
	if (report)
		report_limited(r, q);
	if (wait_ms == 0) {
		ask_upstream(q);
		return;
	}
	q->timer.fn = ask_upstream;
	q->timer.arg = q;
	if (wait_ms < 0 ||
	    loop_timer_arm(r->loop, &q->timer, (uint64_t)wait_ms) < 0)
		finish_limited(r, q, ports.rule);
}

static void look_up(struct resolver *r, struct question *q)
{
	q->owner = r;
	if (dns_type_is_address(q->type) &&
	    !proxy_rules_take(r->proxy, q->name) &&
	    hosts_find(r->hosts, q->name, q->type, &q->chain))
		use_chain(r, q);
	else
		ask_in_time(r, q);
}

int resolver_ask(struct resolver *r, const char *name,
		 const struct dns_question *asked,
		 const struct dns_client *client)
{
	struct question *q = question_find(&r->questions, name, asked->type);
	bool is_fresh = !q;
	int rc = 0;

	if (is_fresh)
		rc = question_add(&r->questions, name, asked->type, &q);
	if (rc < 0)
		return rc;
	rc = question_wait(&r->questions, q, client, asked);
	if (rc < 0 && is_fresh) {
		question_detach(&r->questions, q);
		question_free(q);
	}
	if (rc < 0)
		return rc;
	server_hold(client);
	if (is_fresh)
		look_up(r, q);
	return 0;
}

int resolver_new(struct resolver **ret, struct loop *l,
		 const struct dnsfilter_config *config,
		 struct dns_channel *channel, struct cache *cache)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->channel = channel;
	r->cache = cache;
	r->allowlist = config->allowlist;
	r->proxy = config->proxy;
	r->log_all = config->log_all;
	/* Not where the filter before this one, if any, has begun. */
	if (getrandom(&r->next_stand_in, sizeof(r->next_stand_in), 0) !=
	    sizeof(r->next_stand_in)) {
		free(r);
		return -EIO;
	}
	r->next_stand_in %= STAND_INS;
	rc = questions_init(&r->questions);
	if (rc == 0)
		rc = hosts_new(&r->hosts, config->allowlist);
	if (rc == 0)
		rc = ration_new(&r->ration);
	if (rc == 0)
		rc = upstream_new(&r->upstream, l, config->desk, QUESTIONS_MAX);
	if (rc < 0) {
		resolver_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

int resolver_configure(struct resolver *r, const struct resolvconf *rc,
		       int hosts_fd)
{
	int status = hosts_load(r->hosts, hosts_fd);

	return status < 0 ? status : upstream_configure(r->upstream, rc);
}

void resolver_free(struct resolver *r)
{
	struct question *q;
	struct waiter *w;

	if (!r)
		return;
	upstream_free(r->upstream);
	while ((q = question_any(&r->questions))) {
		question_detach(&r->questions, q);
		loop_timer_stop(r->loop, &q->timer);
		while ((w = question_pop_waiter(&r->questions, q))) {
			server_forget(&w->client);
			free(w);
		}
		question_free(q);
	}
	questions_done(&r->questions);
	hosts_free(r->hosts);
	ration_free(r->ration);
	free(r);
}
