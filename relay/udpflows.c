/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/udpflows.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/htab.h"
#include "common/ipc.h"
#include "relay/datagrams.h"
#include "relay/relay.h"
#include "relay/unreachable.h"

/* Flows that the monitor has been asked for: more than that are a flood. */
#define ASKED_MAX 256
/* Datagrams that wait: of one flow, and bytes of all. */
#define HELD_MAX       16
#define HELD_BYTES_MAX ((size_t)4 << 20)

enum state {
	ASKED,
	UNANSWERED,
	ANSWERED,
	ENDED,
	STATES,
};

struct held {
	STAILQ_ENTRY(held) link;
	size_t len;
	uint8_t data[];
};

struct flow_key {
	struct addr dst;
	uint16_t dst_port;
	uint16_t src_port;
};

struct udp_flow {
	struct htab_node node;
	struct flow_key key;
	struct udpflows *owner;
	TAILQ_ENTRY(udp_flow) link;
	enum state state;
	uint64_t moved_ms;
	uint64_t id;
	int far;
	struct loop_source source;
	int inside; /* the socket it came by */
	struct datagram_peer client;
	uint64_t bytes_up;
	uint64_t bytes_down;
	enum relay_end end;
	size_t n_held;
	STAILQ_HEAD(held_list, held) held;
};

/* Flows of one state, by the time of their last datagram. */
struct age_list {
	TAILQ_HEAD(flow_list, udp_flow) flows;
	size_t n;
	struct loop_timer timer;
	uint32_t timeout_ms;
	struct udpflows *owner;
};

struct inside {
	struct loop_source source;
	struct udpflows *owner;
	uint16_t port;
};

struct udpflows {
	struct udpflows_config cfg;
	struct htab flows;
	struct age_list list[STATES];
	size_t held_bytes;
	bool finishing;
	struct datagrams *batch;
	size_t n_inside;
	struct inside inside[];
};

static bool key_equal(const struct htab_node *n, const void *key)
{
	const struct flow_key *a =
		&htab_entry(n, const struct udp_flow, node)->key;
	const struct flow_key *b = key;

	return a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       addr_equal(&a->dst, &b->dst);
}

static uint64_t key_hash(const struct udpflows *u, const struct flow_key *k)
{
	uint8_t flat[sizeof(k->dst.bytes) + 5];

	memcpy(flat, k->dst.bytes, sizeof(k->dst.bytes));
	flat[16] = k->dst.family;
	flat[17] = (uint8_t)(k->dst_port >> 8);
	flat[18] = (uint8_t)k->dst_port;
	flat[19] = (uint8_t)(k->src_port >> 8);
	flat[20] = (uint8_t)k->src_port;
	return htab_hash(&u->flows, flat, sizeof(flat));
}

static struct udp_flow *find(const struct udpflows *u, const struct flow_key *k)
{
	struct htab_node *n =
		htab_find(&u->flows, key_hash(u, k), key_equal, k);

	return n ? htab_entry(n, struct udp_flow, node) : NULL;
}

static void unlist(struct udp_flow *f)
{
	struct age_list *l = &f->owner->list[f->state];

	TAILQ_REMOVE(&l->flows, f, link);
	l->n--;
}

/* To the end of the list of that state, with a new age. */
static void enlist(struct udp_flow *f, enum state state)
{
	struct age_list *l = &f->owner->list[state];

	f->state = state;
	f->moved_ms = loop_now_ms(f->owner->cfg.loop);
	TAILQ_INSERT_TAIL(&l->flows, f, link);
	l->n++;
	/* Without a timer it stays until it is the oldest of too many. */
	if (l->timeout_ms && l->timer.slot == 0)
		(void)loop_timer_arm(f->owner->cfg.loop, &l->timer,
				     l->timeout_ms);
}

static void move(struct udp_flow *f, enum state state)
{
	unlist(f);
	enlist(f, state);
}

static void drop_held(struct udp_flow *f)
{
	struct held *h;

	while ((h = STAILQ_FIRST(&f->held))) {
		STAILQ_REMOVE_HEAD(&f->held, link);
		f->owner->held_bytes -= h->len;
		f->n_held--;
		free(h);
	}
}

/* Of any state; it is in no table afterwards. */
static void release(struct udp_flow *f)
{
	loop_remove(f->owner->cfg.loop, &f->source);
	fd_close(&f->far);
	drop_held(f);
	if (f->state != ENDED)
		htab_remove(&f->owner->flows, &f->node);
}

static void discard(struct udp_flow *f)
{
	release(f);
	unlist(f);
	free(f);
}

/* It stays until udpflows_flush(). */
static void end_flow(struct udp_flow *f, enum relay_end end)
{
	release(f);
	f->end = end;
	move(f, ENDED);
}

static void on_age(void *arg)
{
	struct age_list *l = arg;
	struct udpflows *u = l->owner;
	uint64_t now = loop_now_ms(u->cfg.loop);
	struct udp_flow *f;

	while ((f = TAILQ_FIRST(&l->flows)) &&
	       f->moved_ms + l->timeout_ms <= now) {
		if (f->state == ASKED)
			discard(f);
		else
			end_flow(f, RELAY_END_IDLE);
	}
	if (f)
		(void)loop_timer_arm(u->cfg.loop, &l->timer,
				     f->moved_ms + l->timeout_ms - now);
	u->cfg.changed(u->cfg.arg);
}

/* Errors that the far end, or a router, has sent for an earlier datagram. */
static bool means_end(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH ||
	       error == ENETUNREACH || error == EPROTO || error == ENOPROTOOPT;
}

/* No answer will come: what the kernel said of the far end, the command is
 * told. */
static void tell(const struct udp_flow *f, int error)
{
	const int *icmp = f->owner->cfg.relay->udp.icmp;
	struct addr client;
	uint16_t port;

	if (addr_from_sockaddr(&f->client.ss, &client, &port))
		unreachable_send(icmp[f->key.dst.family == AF_INET6], error,
				 &client, port, &f->key.dst, f->key.dst_port);
}

static void send_far(struct udp_flow *f, const void *data, size_t len)
{
	if (send(f->far, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		f->bytes_up += len;
		move(f, f->state);
	} else if (means_end(errno)) {
		tell(f, errno);
		end_flow(f, RELAY_END_RESET);
	}
}

static void on_far(void *arg, uint32_t events)
{
	struct udp_flow *f = arg;
	struct udpflows *u = f->owner;
	int n = datagrams_receive(u->batch, f->far);

	(void)events;
	if (n >= 0) {
		f->bytes_down +=
			datagrams_answer(u->batch, (size_t)n, f->inside,
					 &f->client, &f->key.dst);
		move(f, ANSWERED);
	} else if (means_end(-n)) {
		tell(f, -n);
		end_flow(f, RELAY_END_RESET);
		u->cfg.changed(u->cfg.arg);
	}
}

static void hold(struct udp_flow *f, const void *data, size_t len)
{
	struct udpflows *u = f->owner;
	struct held *h;

	if (f->n_held >= HELD_MAX || len > HELD_BYTES_MAX - u->held_bytes)
		return;
	h = malloc(sizeof(*h) + len);
	if (!h)
		return;
	h->len = len;
	memcpy(h->data, data, len);
	STAILQ_INSERT_TAIL(&f->held, h, link);
	f->n_held++;
	u->held_bytes += len;
}

static int ask(const struct udpflows *u, const struct flow_key *k)
{
	struct relay_msg_udp m;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_UDP_ASK;
	m.src_port = k->src_port;
	m.dst_port = k->dst_port;
	m.dst = k->dst;
	return ipc_send(u->cfg.relay->channel, &m, sizeof(m), NULL, 0, false);
}

static size_t count(const struct udpflows *u)
{
	size_t n = 0;

	for (size_t i = 0; i < STATES; i++)
		n += u->list[i].n;
	return n;
}

/* Room for one more flow: the one that has been silent for longest goes.  Its
 * report comes before the request for the new one, so that the monitor never
 * counts too many. */
static bool make_room(struct udpflows *u)
{
	static const enum state order[] = { UNANSWERED, ANSWERED };

	for (size_t i = 0; count(u) >= u->cfg.max_flows && i < 2; i++) {
		struct udp_flow *oldest = TAILQ_FIRST(&u->list[order[i]].flows);

		if (oldest)
			end_flow(oldest, RELAY_END_CROWDED);
		u->cfg.changed(u->cfg.arg);
	}
	return count(u) < u->cfg.max_flows && u->list[ASKED].n < ASKED_MAX;
}

static struct udp_flow *new_flow(struct udpflows *u, const struct flow_key *k)
{
	struct udp_flow *f = make_room(u) ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return NULL;
	f->key = *k;
	f->owner = u;
	f->far = -1;
	f->source = LOOP_SOURCE_NONE;
	STAILQ_INIT(&f->held);
	if (ask(u, k) < 0 ||
	    htab_insert(&u->flows, &f->node, key_hash(u, k)) < 0) {
		free(f);
		return NULL;
	}
	enlist(f, ASKED);
	return f;
}

static void take(struct inside *in, const struct datagram *d)
{
	struct udpflows *u = in->owner;
	const struct flow_key key = { d->dst, in->port, d->src_port };
	struct udp_flow *f = find(u, &key);

	if (!f)
		f = new_flow(u, &key);
	if (!f)
		return;
	f->inside = in->source.fd;
	f->client = d->peer;
	if (f->state == ASKED)
		hold(f, d->data, d->len);
	else
		send_far(f, d->data, d->len);
}

/* Returns false if nothing was there. */
static bool receive(struct inside *in)
{
	struct udpflows *u = in->owner;
	int n = datagrams_receive(u->batch, in->source.fd);

	for (int i = 0; i < n; i++) {
		struct datagram d;

		if (datagrams_get(u->batch, (size_t)i, &d))
			take(in, &d);
	}
	return n > 0;
}

static void on_inside(void *arg, uint32_t events)
{
	struct inside *in = arg;

	(void)events;
	(void)receive(in);
	in->owner->cfg.changed(in->owner->cfg.arg);
}

/* Opens f with the monitor's socket, and sends what has waited. */
static void open_flow(struct udp_flow *f, uint64_t id, int fd)
{
	struct udpflows *u = f->owner;
	struct held *h;

	f->id = id;
	f->far = fd;
	move(f, UNANSWERED);
	if (loop_add(u->cfg.loop, &f->source, fd, EPOLLIN, on_far, f) < 0) {
		end_flow(f, RELAY_END_ERROR);
		return;
	}
	while ((h = STAILQ_FIRST(&f->held))) {
		STAILQ_REMOVE_HEAD(&f->held, link);
		u->held_bytes -= h->len;
		f->n_held--;
		send_far(f, h->data, h->len);
		free(h);
	}
	if (u->finishing && f->state != ENDED)
		end_flow(f, RELAY_END_FINISH);
}

/* A socket that nobody waits for any more. */
static void report_unclaimed(struct udpflows *u, uint64_t id)
{
	struct udp_flow *f = calloc(1, sizeof(*f));

	if (!f)
		return; /* the monitor counts it until the relay ends */
	f->owner = u;
	f->id = id;
	f->far = -1;
	f->end = RELAY_END_UNCLAIMED;
	f->source = LOOP_SOURCE_NONE;
	STAILQ_INIT(&f->held);
	enlist(f, ENDED);
}

void udpflows_answered(struct udpflows *u, const struct relay_msg_udp *m,
		       int fd)
{
	const struct flow_key key = { m->dst, m->dst_port, m->src_port };
	struct udp_flow *f = u ? find(u, &key) : NULL;

	if (f && f->state == ASKED && fd >= 0) {
		open_flow(f, m->id, fd);
		fd = -1;
	} else if (f && f->state == ASKED) {
		tell(f, EACCES);
		discard(f);
	} else if (u && fd >= 0) {
		report_unclaimed(u, m->id);
	}
	fd_close(&fd);
	if (u)
		u->cfg.changed(u->cfg.arg);
}

int udpflows_flush(struct udpflows *u)
{
	struct udp_flow *f;

	while (u && (f = TAILQ_FIRST(&u->list[ENDED].flows))) {
		struct relay_msg_closed m;
		int rc;

		memset(&m, 0, sizeof(m));
		m.type = RELAY_MSG_CLOSED;
		m.end = f->end;
		m.id = f->id;
		m.bytes_up = f->bytes_up;
		m.bytes_down = f->bytes_down;
		rc = ipc_send(u->cfg.relay->channel, &m, sizeof(m), NULL, 0,
			      false);
		if (rc < 0)
			return rc;
		discard(f);
	}
	return 0;
}

void udpflows_finish(struct udpflows *u)
{
	static const enum state open[] = { UNANSWERED, ANSWERED };

	if (!u)
		return;
	for (size_t i = 0; i < u->n_inside; i++) {
		while (receive(&u->inside[i]))
			;
		loop_remove(u->cfg.loop, &u->inside[i].source);
	}
	u->finishing = true;
	for (size_t i = 0; i < 2; i++) {
		struct udp_flow *f;

		while ((f = TAILQ_FIRST(&u->list[open[i]].flows)))
			end_flow(f, RELAY_END_FINISH);
	}
}

bool udpflows_is_idle(const struct udpflows *u)
{
	return !u || count(u) == 0;
}

static void init_lists(struct udpflows *u)
{
	const struct relay_config *c = u->cfg.relay;
	const uint32_t timeouts[STATES] = {
		[ASKED] = c->udp.asked_ms,
		[UNANSWERED] = c->udp.unanswered_ms,
		[ANSWERED] = c->udp.answered_ms,
	};

	for (size_t i = 0; i < STATES; i++) {
		TAILQ_INIT(&u->list[i].flows);
		u->list[i].timeout_ms = timeouts[i];
		u->list[i].owner = u;
		u->list[i].timer.fn = on_age;
		u->list[i].timer.arg = &u->list[i];
	}
}

int udpflows_new(struct udpflows **ret, const struct udpflows_config *c,
		 struct err *e)
{
	size_t n = c->relay->udp.n;
	struct udpflows *u;
	int rc;

	*ret = NULL;
	if (n == 0)
		return 0;
	u = calloc(1, sizeof(*u) + n * sizeof(u->inside[0]));
	if (!u)
		return err_errno(e, ENOMEM, "UDP");
	u->cfg = *c;
	init_lists(u);
	rc = htab_init(&u->flows);
	if (rc == 0)
		rc = datagrams_new(&u->batch);
	for (; rc == 0 && u->n_inside < n; u->n_inside++) {
		struct inside *in = &u->inside[u->n_inside];

		in->owner = u;
		in->port = c->relay->udp.ports[u->n_inside];
		in->source = LOOP_SOURCE_NONE;
		rc = loop_add(c->loop, &in->source,
			      c->relay->udp.fds[u->n_inside], EPOLLIN,
			      on_inside, in);
	}
	if (rc < 0) {
		udpflows_free(u);
		return err_errno(e, -rc, "UDP");
	}
	*ret = u;
	return 0;
}

void udpflows_free(struct udpflows *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < STATES; i++) {
		struct udp_flow *f;

		loop_timer_stop(u->cfg.loop, &u->list[i].timer);
		while ((f = TAILQ_FIRST(&u->list[i].flows)))
			discard(f);
	}
	for (size_t i = 0; i < u->n_inside; i++)
		loop_remove(u->cfg.loop, &u->inside[i].source);
	htab_done(&u->flows);
	datagrams_free(u->batch);
	free(u);
}
