/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The idlest connection is the one without progress for longest; progress is a
 * complete query or bytes that the client took, not bytes of half a query.  A
 * connection is freed when it is closed and no answer is pending.  Queries that
 * were read but may not be handed on yet (limits, pause) are resumed from a
 * timer, never from within tcp_reply().
 */
#include "dnsfilter/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/log.h"
#include "dnsfilter/dnsfilter.h"
#include "dnsfilter/message.h"

#define PREFIX_LEN	2
#define UNSENT_STOP	(8u << 10)  /* read no more queries beyond this */
#define UNSENT_MAX	(64u << 10) /* the connection is closed */
#define ACCEPT_BATCH	32
#define ACCEPT_PAUSE_MS 100

struct tcp_conn {
	bool to_resume;
	bool is_running; /* in run(): not freed */
	struct tcp *t;
	struct loop_source src;
	int fd;		    /* -1: closed */
	size_t at;	    /* in tcp.conn, while open */
	unsigned n_pending; /* answers to come */
	uint64_t progress_ms;
	uint32_t events;
	bool eof; /* the client sends no more */
	size_t n_in;
	uint8_t *out;
	size_t n_out; /* in out, of which sent: */
	size_t n_sent;
	size_t room;
	uint8_t in[PREFIX_LEN + DNS_QUERY_MAX];
};

struct tcp {
	struct loop *loop;
	struct listener_ops ops;
	int n_listeners;
	struct listener {
		struct tcp *t;
		struct loop_source src;
		int fd;
	} listener[DNS_LISTENERS_MAX];
	size_t n_conns;
	struct tcp_conn *conn[TCP_CONNS_MAX]; /* the open ones */
	bool paused;
	struct loop_timer idle_timer;
	struct loop_timer resume_timer;
	struct loop_timer accept_timer;
	uint8_t answer[DNS_ANSWER_MAX];
};

static void arm(struct tcp *t, struct loop_timer *timer, uint64_t delay_ms)
{
	if (timer->slot == 0 && loop_timer_arm(t->loop, timer, delay_ms) < 0)
		log_warning("dns: out of memory for a timer");
}

static void release(struct tcp_conn *c)
{
	if (c->fd < 0 && c->n_pending == 0 && !c->is_running)
		free(c);
}

/* Closes what is open; the caller releases. */
static void shut(struct tcp_conn *c)
{
	struct tcp *t = c->t;

	loop_remove(t->loop, &c->src);
	fd_close(&c->fd);
	t->conn[c->at] = t->conn[--t->n_conns];
	t->conn[c->at]->at = c->at;
	free(c->out);
	c->out = NULL;
	c->n_out = c->n_sent = c->room = 0;
}

static void drop(struct tcp_conn *c)
{
	shut(c);
	release(c);
}

static void note_progress(struct tcp_conn *c)
{
	c->progress_ms = loop_now_ms(c->t->loop);
}

static size_t unsent(const struct tcp_conn *c)
{
	return c->n_out - c->n_sent;
}

/* False if the connection has to be closed. */
static bool append(struct tcp_conn *c, const uint8_t *msg, size_t len)
{
	uint8_t prefix[PREFIX_LEN] = { (uint8_t)(len >> 8), (uint8_t)len };
	size_t need = unsent(c) + PREFIX_LEN + len;

	if (need > UNSENT_MAX)
		return false;
	if (c->n_sent > 0) {
		c->n_out = unsent(c);
		memmove(c->out, c->out + c->n_sent, c->n_out);
		c->n_sent = 0;
	}
	if (need > c->room) {
		size_t room = need < 2 * c->room ? 2 * c->room : need;
		uint8_t *grown = realloc(c->out, room);

		if (!grown)
			return false;
		c->out = grown;
		c->room = room;
	}
	memcpy(c->out + c->n_out, prefix, PREFIX_LEN);
	memcpy(c->out + c->n_out + PREFIX_LEN, msg, len);
	c->n_out = need;
	return true;
}

static bool send_out(struct tcp_conn *c)
{
	while (unsent(c) > 0) {
		ssize_t n = send(c->fd, c->out + c->n_sent, unsent(c),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		c->n_sent += (size_t)n;
		note_progress(c);
	}
	free(c->out);
	c->out = NULL;
	c->n_out = c->n_sent = c->room = 0;
	return true;
}

static bool may_serve(const struct tcp_conn *c)
{
	return !c->t->paused && c->n_pending < TCP_PENDING_MAX &&
	       unsent(c) < UNSENT_STOP;
}

/* Watches for what can be used now; closes what is of no more use. */
static void settle(struct tcp_conn *c)
{
	uint32_t events = 0;

	if (c->fd < 0)
		return;
	if (c->eof && c->n_pending == 0 && c->n_out == 0 && may_serve(c)) {
		shut(c);
		return;
	}
	if (!c->eof && may_serve(c))
		events |= EPOLLIN;
	if (unsent(c) > 0)
		events |= EPOLLOUT;
	if (events == c->events)
		return;
	c->events = events;
	if (loop_modify(c->t->loop, &c->src, events) < 0)
		shut(c);
}

/* The length of the complete query at in + at, 0 if there is none yet, or -1:
 * longer than any query, or too short. */
static int query_len(const struct tcp_conn *c, size_t at)
{
	size_t len;

	if (c->n_in - at < PREFIX_LEN)
		return 0;
	len = (size_t)c->in[at] << 8 | c->in[at + 1];
	if (len < DNS_HEADER_LEN || len > DNS_QUERY_MAX)
		return -1;
	return c->n_in - at < PREFIX_LEN + len ? 0 : (int)len;
}

/* Hands on the queries that are complete, then sends their answers. */
static bool serve(struct tcp_conn *c)
{
	struct tcp *t = c->t;
	struct dns_client client = { .conn = c };
	size_t at = 0;
	bool ok = true;
	int len = 0;

	while (ok && may_serve(c) && (len = query_len(c, at)) > 0) {
		size_t n = t->ops.query(t->ops.arg, &client,
					c->in + at + PREFIX_LEN, (size_t)len,
					t->answer);

		if (c->fd < 0) /* an answer that came at once found it broken */
			return false;
		at += PREFIX_LEN + (size_t)len;
		note_progress(c);
		ok = n == 0 || append(c, t->answer, n);
	}
	c->n_in -= at;
	memmove(c->in, c->in + at, c->n_in);
	t->ops.before_send(t->ops.arg);
	return ok && len >= 0 && send_out(c);
}

static bool receive(struct tcp_conn *c)
{
	ssize_t n;

	if (c->n_in == sizeof(c->in)) /* full of a query that must wait */
		return true;
	n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		c->eof = true;
	c->n_in += (size_t)n;
	return true;
}

/* Everything that a wake-up of the connection may ask for. */
static void run(struct tcp_conn *c, bool readable)
{
	bool ok;

	c->is_running = true;
	ok = send_out(c);
	if (ok && readable && may_serve(c))
		ok = receive(c);
	if (ok)
		ok = serve(c);
	c->is_running = false;
	if (!ok && c->fd >= 0)
		shut(c);
	settle(c);
	release(c);
}

static void on_ready(void *arg, uint32_t events)
{
	struct tcp_conn *c = arg;

	if (events & (EPOLLERR | EPOLLHUP)) {
		drop(c);
		return;
	}
	run(c, events & EPOLLIN);
}

static void queue_resume(struct tcp_conn *c)
{
	c->to_resume = true;
	arm(c->t, &c->t->resume_timer, 0);
}

/* From the last to the first: closing one moves the last to its place. */
static void on_resume(void *arg)
{
	struct tcp *t = arg;

	for (size_t i = t->n_conns; i-- > 0;) {
		if (i >= t->n_conns || !t->conn[i]->to_resume)
			continue;
		t->conn[i]->to_resume = false;
		run(t->conn[i], false);
	}
}

static void on_idle(void *arg)
{
	struct tcp *t = arg;
	uint64_t now = loop_now_ms(t->loop);
	uint64_t next_ms = TCP_IDLE_MS;

	for (size_t i = t->n_conns; i-- > 0;) {
		struct tcp_conn *c = t->conn[i];
		uint64_t idle_ms;

		if (c->n_pending > 0 || t->paused) /* waits for us */
			note_progress(c);
		idle_ms = now - c->progress_ms;
		if (idle_ms >= TCP_IDLE_MS)
			drop(c);
		else if (TCP_IDLE_MS - idle_ms < next_ms)
			next_ms = TCP_IDLE_MS - idle_ms;
	}
	if (t->n_conns > 0)
		arm(t, &t->idle_timer, next_ms);
}

static void drop_idlest(struct tcp *t)
{
	struct tcp_conn *idlest = NULL;

	for (size_t i = 0; i < t->n_conns; i++)
		if (!idlest || t->conn[i]->progress_ms < idlest->progress_ms)
			idlest = t->conn[i];
	if (idlest)
		drop(idlest);
}

/* Takes fd. */
static void add_conn(struct tcp *t, int fd)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)close(fd);
		return;
	}
	c->t = t;
	c->fd = fd;
	c->events = EPOLLIN;
	c->progress_ms = loop_now_ms(t->loop);
	if (loop_add(t->loop, &c->src, fd, c->events, on_ready, c) < 0) {
		(void)close(fd);
		free(c);
		return;
	}
	if (t->n_conns == TCP_CONNS_MAX)
		drop_idlest(t);
	c->at = t->n_conns++;
	t->conn[c->at] = c;
	arm(t, &t->idle_timer, TCP_IDLE_MS);
}

static int watch_listeners(struct tcp *t, uint32_t events)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < t->n_listeners; i++)
		rc = loop_modify(t->loop, &t->listener[i].src, events);
	return rc;
}

static void on_accept_again(void *arg)
{
	struct tcp *t = arg;

	if (!t->paused && watch_listeners(t, EPOLLIN) < 0)
		arm(t, &t->accept_timer, ACCEPT_PAUSE_MS);
}

/* Out of descriptors or memory: give back what is least in use, and let the
 * backlog wait. */
static void relieve(struct tcp *t)
{
	drop_idlest(t);
	(void)watch_listeners(t, 0); /* then it is asked again */
	arm(t, &t->accept_timer, ACCEPT_PAUSE_MS);
}

static void on_connect(void *arg, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	if (!l->t->ops.may_read(l->t->ops.arg))
		return;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(l->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			add_conn(l->t, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			relieve(l->t);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void tcp_hold(struct tcp_conn *conn)
{
	conn->n_pending++;
}

void tcp_forget(struct tcp_conn *conn)
{
	conn->n_pending--;
	release(conn);
}

void tcp_reply(struct tcp_conn *conn, const uint8_t *msg, size_t len)
{
	conn->n_pending--;
	if (conn->fd >= 0) {
		if (append(conn, msg, len) && send_out(conn))
			queue_resume(conn);
		else
			shut(conn);
	}
	release(conn);
}

int tcp_pause(struct tcp *t, bool paused)
{
	int rc = watch_listeners(t, paused ? 0 : EPOLLIN);

	t->paused = paused;
	if (rc < 0 || paused) /* connections notice when they wake up */
		return rc;
	for (size_t i = 0; i < t->n_conns; i++)
		queue_resume(t->conn[i]);
	return 0;
}

int tcp_new(struct tcp **ret, struct loop *l, const int *fds, int n_fds,
	    const struct listener_ops *ops)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->loop = l;
	t->ops = *ops;
	t->idle_timer = (struct loop_timer) { .fn = on_idle, .arg = t };
	t->resume_timer = (struct loop_timer) { .fn = on_resume, .arg = t };
	t->accept_timer =
		(struct loop_timer) { .fn = on_accept_again, .arg = t };
	for (int i = 0; i < n_fds && i < DNS_LISTENERS_MAX; i++) {
		struct listener *li = &t->listener[i];
		int rc;

		*li = (struct listener) { .t = t, .fd = fds[i] };
		rc = loop_add(l, &li->src, fds[i], EPOLLIN, on_connect, li);
		if (rc < 0) {
			tcp_free(t);
			return rc;
		}
		t->n_listeners++;
	}
	*ret = t;
	return 0;
}

/* The filter has let go of all pending answers by now. */
void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->n_listeners; i++)
		loop_remove(t->loop, &t->listener[i].src);
	while (t->n_conns > 0)
		drop(t->conn[t->n_conns - 1]);
	loop_timer_stop(t->loop, &t->idle_timer);
	loop_timer_stop(t->loop, &t->resume_timer);
	loop_timer_stop(t->loop, &t->accept_timer);
	free(t);
}
