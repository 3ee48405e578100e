/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An attempt is one held SYN with the sockets that are connecting for it:
 *
 *   start -> [next candidate] -> connected (-> tunnel open) -> handed on
 *              ^  |  silent 1 s, or failed
 *              +--+  none left and none pending -> failed
 *
 * A retransmitted SYN replaces the one that is held (the older is dropped).
 */
#include "launcher/connector.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/htab.h"
#include "common/log.h"
#include "common/loop.h"
#include "launcher/admission.h"
#include "launcher/destination.h"
#include "launcher/proxy.h"
#include "launcher/tunnel.h"
#include "netns/queue.h"
#include "netns/route.h"

/* Held SYNs with a connection under way; more are dropped and come again.
 * One dead destination must not use up all: destinations share buckets. */
#define ATTEMPTS_MAX	    8192
#define BUCKETS		    256
#define ATTEMPTS_PER_BUCKET 1024
#define STAGGER_MS	    1000
/* The command's kernel repeats a SYN after 1, 2, 4 ... seconds.  When the next
 * one is this much overdue, the command has given up. */
#define GIVEN_UP_MS 5000

struct candidate {
	struct addr addr;
	struct loop_source source;
	struct attempt *attempt;
	struct tunnel *tunnel; /* the proxy is being asked */
	int fd;		       /* -1: not started, or failed */
};

struct attempt_key {
	struct addr src, dst;
	uint16_t src_port, dst_port;
};

struct attempt {
	struct htab_node node;
	struct connector *owner;
	struct connection conn;
	uint32_t packet_id;
	int first_error; /* of the address that the command dialled */
	size_t n_candidates;
	size_t n_started;
	size_t n_pending;
	struct candidate candidates[DESTINATIONS_MAX];
	struct loop_timer stagger;
	struct loop_timer life;
	uint64_t started_ms;
	uint64_t last_syn_ms;
	uint8_t bucket;
};

struct connector {
	struct connector_config cfg;
	struct htab attempts;
	size_t attempts_max;
	uint16_t n_in_bucket[BUCKETS];
	struct loop_source source;
	char said[128]; /* the proxy's last trouble */
};

static uint64_t key_hash(const struct connector *c, const struct attempt_key *k)
{
	uint8_t flat[2 * 17 + 4];

	memcpy(flat, k->src.bytes, 16);
	memcpy(flat + 16, k->dst.bytes, 16);
	flat[32] = k->src.family;
	flat[33] = (uint8_t)(k->src_port >> 8);
	flat[34] = (uint8_t)k->src_port;
	flat[35] = (uint8_t)(k->dst_port >> 8);
	flat[36] = (uint8_t)k->dst_port;
	flat[37] = 0;
	return htab_hash(&c->attempts, flat, sizeof(flat));
}

static bool key_equal(const struct htab_node *n, const void *key)
{
	const struct connection *c =
		&htab_entry(n, const struct attempt, node)->conn;
	const struct attempt_key *k = key;

	return c->src_port == k->src_port && c->dst_port == k->dst_port &&
	       addr_equal(&c->dst, &k->dst) && addr_equal(&c->src, &k->src);
}

static void close_candidate(struct candidate *cand)
{
	if (cand->fd < 0)
		return;
	loop_remove(cand->attempt->owner->cfg.loop, &cand->source);
	(void)close(cand->fd);
	cand->fd = -1;
	tunnel_free(cand->tunnel);
	cand->tunnel = NULL;
	cand->attempt->n_pending--;
}

static void free_attempt(struct attempt *t)
{
	struct connector *c = t->owner;

	for (size_t i = 0; i < t->n_candidates; i++)
		close_candidate(&t->candidates[i]);
	loop_timer_stop(c->cfg.loop, &t->stagger);
	loop_timer_stop(c->cfg.loop, &t->life);
	c->n_in_bucket[t->bucket]--;
	htab_remove(&c->attempts, &t->node);
	if (t->conn.admission)
		admission_release(c->cfg.admissions, t->conn.admission);
	free(t);
}

/* What a router would have answered to the SYN. */
static enum syn_mark mark_of(int error, bool *ret_accept)
{
	static const struct {
		int error;
		enum syn_mark mark;
	} marks[] = {
		{ ECONNREFUSED, SYN_MARK_REFUSED },
		{ ECONNRESET, SYN_MARK_REFUSED },
		{ EHOSTUNREACH, SYN_MARK_HOST_UNREACH },
		{ EHOSTDOWN, SYN_MARK_HOST_UNREACH },
		{ EACCES, SYN_MARK_HOST_UNREACH },
		{ EPERM, SYN_MARK_HOST_UNREACH },
		{ ENETUNREACH, SYN_MARK_NET_UNREACH },
		{ ENETDOWN, SYN_MARK_NET_UNREACH },
		{ EAFNOSUPPORT, SYN_MARK_NET_UNREACH },
		{ EINVAL, SYN_MARK_NET_UNREACH },
	};

	*ret_accept = true;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i].error == error)
			return marks[i].mark;
	/* No answer, or the host is short of something: try again. */
	*ret_accept = false;
	return SYN_MARK_NONE;
}

static void fail_attempt(struct attempt *t)
{
	struct connector *c = t->owner;
	bool accept = true;
	enum syn_mark mark =
		c->cfg.local ? SYN_MARK_NONE : mark_of(t->first_error, &accept);

	(void)queue_verdict(c->cfg.syn_fd, t->packet_id, accept, mark);
	c->cfg.events.failed(c->cfg.events.arg, &t->conn, t->first_error);
	free_attempt(t);
}

static void succeed(struct attempt *t, struct candidate *cand)
{
	struct connector *c = t->owner;
	int fd = cand->fd;
	int rc;

	loop_remove(c->cfg.loop, &cand->source);
	cand->fd = -1;
	tunnel_free(cand->tunnel);
	cand->tunnel = NULL;
	t->n_pending--;
	t->conn.via = cand->addr;
	rc = c->cfg.events.connected(c->cfg.events.arg, &t->conn, fd);
	if (rc == 0)
		t->conn.admission = NULL; /* handed over */
	else
		(void)close(fd);
	(void)queue_verdict(c->cfg.syn_fd, t->packet_id, rc == 0,
			    c->cfg.local ? SYN_MARK_RELAY : SYN_MARK_NONE);
	free_attempt(t);
}

static void start_next(struct attempt *t);

static void candidate_failed(struct candidate *cand, int error)
{
	struct attempt *t = cand->attempt;

	if (cand == &t->candidates[0] || t->first_error == 0)
		t->first_error = error;
	close_candidate(cand);
	if (t->n_started < t->n_candidates)
		start_next(t);
	else if (t->n_pending == 0)
		fail_attempt(t);
}

static void go_on_asking(struct candidate *cand)
{
	struct connector *c = cand->attempt->owner;
	const struct connection *conn = &cand->attempt->conn;
	uint32_t events = 0;
	struct err e = { 0 };
	int rc = tunnel_step(cand->tunnel, cand->fd, &events, &e);

	if (rc == 0)
		rc = loop_modify(c->cfg.loop, &cand->source, events);
	if (rc > 0) {
		succeed(cand->attempt, cand);
		return;
	}
	if (rc == 0)
		return;
	/* Once for each trouble: a command may try thousands of times. */
	if (strncmp(c->said, e.msg, sizeof(c->said) - 1) != 0)
		log_warning(
			"upstream proxy %s:%u: %s: %s",
			c->cfg.proxy->rules->host, c->cfg.proxy->rules->port,
			conn->admission ? admission_name(conn->admission) : "?",
			e.msg);
	(void)snprintf(c->said, sizeof(c->said), "%.*s",
		       (int)sizeof(c->said) - 1, e.msg);
	candidate_failed(cand, -rc);
}

static void on_tunnel(void *arg, uint32_t events)
{
	(void)events;
	go_on_asking(arg);
}

static void ask_proxy(struct candidate *cand)
{
	struct attempt *t = cand->attempt;
	struct connector *c = t->owner;
	int rc = tunnel_new(&cand->tunnel, admission_name(t->conn.admission),
			    t->conn.dst_port, proxy_credential(c->cfg.proxy));

	loop_remove(c->cfg.loop, &cand->source);
	if (rc == 0)
		rc = loop_add(c->cfg.loop, &cand->source, cand->fd, EPOLLOUT,
			      on_tunnel, cand);
	if (rc < 0)
		candidate_failed(cand, -rc);
	else
		go_on_asking(cand);
}

static void on_connect(void *arg, uint32_t events)
{
	struct candidate *cand = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)events;
	if (getsockopt(cand->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		candidate_failed(cand, error);
	else if (cand->attempt->conn.proxied)
		ask_proxy(cand);
	else
		succeed(cand->attempt, cand);
}

static void on_stagger(void *arg)
{
	start_next(arg);
}

/* The SYN comes again as long as somebody waits for the answer. */
static void on_life(void *arg)
{
	struct attempt *t = arg;
	struct connector *c = t->owner;
	uint64_t now = loop_now_ms(c->cfg.loop);
	uint64_t age = t->last_syn_ms - t->started_ms;
	uint64_t until = t->last_syn_ms + 2 * age + GIVEN_UP_MS;

	if (now < until &&
	    loop_timer_arm(c->cfg.loop, &t->life, until - now) == 0)
		return;
	(void)queue_verdict(c->cfg.syn_fd, t->packet_id, false, SYN_MARK_NONE);
	free_attempt(t);
}

/* Starts connecting to the candidate; 0 or -errno. */
static int start_candidate(struct candidate *cand, uint16_t port)
{
	const struct connector_config *cfg = &cand->attempt->owner->cfg;
	/* Both may be on this very host, by the user's word. */
	bool trusted = cfg->local || cand->attempt->conn.proxied;
	struct loop *loop = cfg->loop;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&cand->addr, port, &ss);
	int fd = socket(cand->addr.family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	/* The host may have gained the address since it was admitted. */
	if (!trusted &&
	    (addr_never(&cand->addr) ||
	     route_lookup(cfg->route_fd, &cand->addr) == ROUTE_LOCAL))
		rc = -EACCES;
	else if (connect(fd, (struct sockaddr *)&ss, len) < 0 &&
		 errno != EINPROGRESS)
		rc = -errno;
	if (rc == 0)
		rc = loop_add(loop, &cand->source, fd, EPOLLOUT, on_connect,
			      cand);
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	cand->fd = fd;
	cand->attempt->n_pending++;
	return 0;
}

static void start_next(struct attempt *t)
{
	struct candidate *cand = &t->candidates[t->n_started++];
	int rc;

	/* Armed for this candidate, which may have its turn early. */
	loop_timer_stop(t->owner->cfg.loop, &t->stagger);
	rc = start_candidate(cand, t->conn.proxied
					   ? t->owner->cfg.proxy->rules->port
					   : t->conn.dst_port);

	if (rc == 0 && t->n_started < t->n_candidates)
		rc = loop_timer_arm(t->owner->cfg.loop, &t->stagger,
				    STAGGER_MS);
	if (rc < 0)
		candidate_failed(cand, -rc);
}

static void add_candidates(struct attempt *t)
{
	struct addr addr[DESTINATIONS_MAX];

	t->n_candidates = destination_list(&t->owner->cfg, &t->conn, addr);
	for (size_t i = 0; i < t->n_candidates; i++)
		t->candidates[i] = (struct candidate) {
			.addr = addr[i],
			.attempt = t,
			.fd = -1,
			.source = LOOP_SOURCE_NONE,
		};
}

static void start_attempt(struct connector *c, const struct connection *conn,
			  uint64_t hash, uint32_t packet_id)
{
	uint8_t bucket = (uint8_t)htab_hash(&c->attempts, conn->dst.bytes,
					    sizeof(conn->dst.bytes));
	struct attempt *t = NULL;

	if (c->attempts.n_nodes < c->attempts_max &&
	    c->n_in_bucket[bucket] < ATTEMPTS_PER_BUCKET)
		t = calloc(1, sizeof(*t));
	if (t) {
		t->life.fn = on_life;
		t->life.arg = t;
		t->owner = c;
		t->started_ms = loop_now_ms(c->cfg.loop);
		t->last_syn_ms = t->started_ms;
	}
	if (!t || loop_timer_arm(c->cfg.loop, &t->life, GIVEN_UP_MS) < 0 ||
	    htab_insert(&c->attempts, &t->node, hash) < 0) {
		if (t)
			loop_timer_stop(c->cfg.loop, &t->life);
		free(t);
		(void)queue_verdict(c->cfg.syn_fd, packet_id, false,
				    SYN_MARK_NONE);
		return;
	}
	t->bucket = bucket;
	c->n_in_bucket[bucket]++;
	t->conn = *conn;
	t->packet_id = packet_id;
	t->stagger.fn = on_stagger;
	t->stagger.arg = t;
	if (conn->admission)
		admission_hold(conn->admission);
	add_candidates(t);
	start_next(t);
}

static void on_syn(void *arg, uint32_t id, const struct packet_info *p)
{
	struct connector *c = arg;
	const struct attempt_key key = { p->src, p->dst, p->src_port,
					 p->dst_port };
	struct connection conn = { .src = p->src,
				   .src_port = p->src_port,
				   .dst = p->dst,
				   .dst_port = p->dst_port,
				   .via = p->dst };
	uint64_t hash = key_hash(c, &key);
	struct htab_node *n = htab_find(&c->attempts, hash, key_equal, &key);

	if (n) {
		struct attempt *t = htab_entry(n, struct attempt, node);

		(void)queue_verdict(c->cfg.syn_fd, t->packet_id, false,
				    SYN_MARK_NONE);
		t->packet_id = id;
		t->last_syn_ms = loop_now_ms(c->cfg.loop);
		return;
	}
	if (p->protocol != IPPROTO_TCP || !p->has_ports ||
	    !destination_permit(&c->cfg, &conn)) {
		(void)queue_verdict(c->cfg.syn_fd, id, true,
				    c->cfg.local ? SYN_MARK_NONE
						 : SYN_MARK_REFUSED);
		if (c->cfg.local)
			return;
		c->cfg.events.denied(c->cfg.events.arg, &conn);
		return;
	}
	start_attempt(c, &conn, hash, id);
}

static void on_readable(void *arg, uint32_t events)
{
	struct connector *c = arg;

	(void)events;
	(void)queue_read(c->cfg.syn_fd, on_syn, c, NULL);
}

static size_t limit_of_descriptors(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1024 : limit.rlim_cur;
}

/* The other half is for helpers and the log. */
static size_t attempts_for(size_t descriptors)
{
	return descriptors / 2 < ATTEMPTS_MAX ? descriptors / 2 : ATTEMPTS_MAX;
}

int connector_new(struct connector **ret, const struct connector_config *cfg,
		  struct err *e)
{
	struct connector *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_errno(e, ENOMEM, "connector");
	c->cfg = *cfg;
	c->attempts_max = attempts_for(limit_of_descriptors());
	c->source = LOOP_SOURCE_NONE;
	rc = htab_init(&c->attempts);
	if (rc == 0)
		rc = loop_add(cfg->loop, &c->source, cfg->syn_fd, EPOLLIN,
			      on_readable, c);
	if (rc < 0) {
		htab_done(&c->attempts);
		free(c);
		return err_errno(e, -rc, "connector");
	}
	*ret = c;
	return 0;
}

static void free_node(struct htab_node *n, void *arg)
{
	(void)arg;
	free_attempt(htab_entry(n, struct attempt, node));
}

void connector_free(struct connector *c)
{
	if (!c)
		return;
	loop_remove(c->cfg.loop, &c->source);
	htab_each(&c->attempts, free_node, NULL);
	htab_done(&c->attempts);
	free(c);
}
