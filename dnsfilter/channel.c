/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"

#define RECEIVE_BATCH 64

struct queued {
	STAILQ_ENTRY(queued) link;
	size_t len;
	uint8_t msg[];
};

struct dns_channel {
	struct loop *loop;
	struct loop_source src;
	int fd;
	struct dns_channel_ops ops;
	STAILQ_HEAD(queued_list, queued) queue;
	struct dns_msg_event held; /* count 0: none */
	bool has_received;	   /* faults are no longer the start's */
	bool is_closed;
};

static void close_down(struct dns_channel *c, int status)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	loop_remove(c->loop, &c->src);
	c->ops.closed(c->ops.arg, status);
}

/* The monitor's end is gone: that is how it ends us. */
static bool is_gone(ssize_t rc)
{
	return rc == 0 || rc == -EPIPE || rc == -ECONNRESET;
}

static void close_failed(struct dns_channel *c, int rc)
{
	if (!is_gone(rc))
		log_error("dns: write to the monitor: %s", strerror(-rc));
	close_down(c, is_gone(rc) ? 0 : 1);
}

union message {
	uint32_t type;
	struct dns_msg_admitted admitted;
	struct dns_msg_config config;
};

static bool take(struct dns_channel *c, const union message *m, size_t size,
		 int fd)
{
	if (size == sizeof(m->admitted) && m->type == DNS_MSG_ADMITTED)
		return fd < 0 && c->ops.admitted(c->ops.arg, &m->admitted);
	if (size != sizeof(m->config) || m->type != DNS_MSG_CONFIG)
		return false;
	c->ops.config(c->ops.arg, &m->config, fd);
	return true;
}

static void receive(struct dns_channel *c)
{
	for (int i = 0; i < RECEIVE_BATCH && !c->is_closed; i++) {
		cleanup_fd int fd = -1;
		size_t n_fds = 1;
		union message m;
		ssize_t n = ipc_recv(c->fd, &m, sizeof(m), &fd, &n_fds, NULL,
				     false);

		if (n <= 0)
			fd = -1;
		if (n == -EAGAIN)
			return;
		if (is_gone(n)) {
			close_down(c, 0);
			return;
		}
		if (n < 0 && n != -EPROTO) {
			log_msg(c->has_received ? LOG_LEVEL_DEBUG
						: LOG_LEVEL_ERROR,
				"dns: read from the monitor: %s",
				strerror((int)-n));
			close_down(c, 1);
			return;
		}
		if (n < 0 || !take(c, &m, (size_t)n, fd)) {
			log_error("dns: unexpected message on the channel");
			close_down(c, 1);
		}
		c->has_received = true;
	}
}

static void watch(struct dns_channel *c)
{
	uint32_t events =
		STAILQ_EMPTY(&c->queue) ? EPOLLIN : EPOLLIN | EPOLLOUT;

	if (!c->is_closed && loop_modify(c->loop, &c->src, events) < 0)
		close_down(c, 1);
}

static void send_queued(struct dns_channel *c)
{
	struct queued *q;

	while ((q = STAILQ_FIRST(&c->queue))) {
		int rc = ipc_send(c->fd, q->msg, q->len, NULL, 0, false);

		if (rc == -EAGAIN)
			return;
		if (rc < 0) {
			close_failed(c, rc);
			return;
		}
		STAILQ_REMOVE_HEAD(&c->queue, link);
		free(q);
	}
	watch(c);
	if (!c->is_closed)
		c->ops.writable(c->ops.arg);
}

static void on_ready(void *arg, uint32_t events)
{
	struct dns_channel *c = arg;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(c);
	if (!c->is_closed && (events & EPOLLOUT))
		send_queued(c);
}

static void enqueue(struct dns_channel *c, const void *msg, size_t len)
{
	bool was_empty = STAILQ_EMPTY(&c->queue);
	struct queued *q = malloc(sizeof(*q) + len);

	if (!q) {
		log_error("dns: out of memory");
		close_down(c, 1);
		return;
	}
	q->len = len;
	memcpy(q->msg, msg, len);
	STAILQ_INSERT_TAIL(&c->queue, q, link);
	if (!was_empty)
		return;
	watch(c);
	c->ops.blocked(c->ops.arg);
}

static void send_or_queue(struct dns_channel *c, const void *msg, size_t len)
{
	int rc;

	if (c->is_closed)
		return;
	if (!STAILQ_EMPTY(&c->queue)) {
		enqueue(c, msg, len);
		return;
	}
	rc = ipc_send(c->fd, msg, len, NULL, 0, false);
	if (rc == -EAGAIN)
		enqueue(c, msg, len);
	else if (rc < 0)
		close_failed(c, rc);
}

void dns_channel_flush(struct dns_channel *c)
{
	if (c->held.count == 0)
		return;
	send_or_queue(c, &c->held, sizeof(c->held));
	c->held.count = 0;
}

void dns_channel_send(struct dns_channel *c, const void *msg, size_t len)
{
	dns_channel_flush(c);
	send_or_queue(c, msg, len);
}

static bool is_same(const struct dns_msg_event *a,
		    const struct dns_msg_event *b)
{
	return memcmp(a, b, offsetof(struct dns_msg_event, count)) == 0 &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->text, b->text) == 0 &&
	       memcmp(a->addr, b->addr, a->n_addr * sizeof(a->addr[0])) == 0;
}

void dns_channel_event(struct dns_channel *c, const struct dns_msg_event *m)
{
	if (c->held.count > 0 && is_same(&c->held, m) &&
	    c->held.count <= UINT32_MAX - m->count) {
		c->held.count += m->count;
		return;
	}
	dns_channel_flush(c);
	c->held = *m;
}

int dns_channel_new(struct dns_channel **ret, struct loop *l, int fd,
		    const struct dns_channel_ops *ops)
{
	struct dns_channel *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->fd = fd;
	c->ops = *ops;
	c->src = LOOP_SOURCE_NONE;
	STAILQ_INIT(&c->queue);
	rc = loop_add(l, &c->src, fd, EPOLLIN, on_ready, c);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void dns_channel_free(struct dns_channel *c)
{
	struct queued *q;

	if (!c)
		return;
	while ((q = STAILQ_FIRST(&c->queue))) {
		STAILQ_REMOVE_HEAD(&c->queue, link);
		free(q);
	}
	loop_remove(c->loop, &c->src);
	free(c);
}
