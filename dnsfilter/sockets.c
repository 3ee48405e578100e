/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every answer of the monitor goes into the stock, in whatever order, and
 * sockets_take() takes from there.  It may wait: the monitor never waits for
 * this process, so neither can hold up the other for longer than WAIT_MS.
 */
#include "dnsfilter/sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"

#define WAIT_MS	  2000
#define STOCK_MAX 16
/* A connected socket keeps the source address of the day: a stale one would ask
 * from an address that the host has lost. */
#define STOCK_MS 3000

struct spare {
	int fd;
	struct dns_msg_socket about;
};

struct sockets {
	struct loop *loop;
	struct loop_source src;
	struct loop_timer timer;
	int desk;
	unsigned n_asked; /* without answer yet */
	unsigned n_stock;
	struct spare stock[STOCK_MAX];
};

static bool is_for(const struct dns_msg_socket *m, const struct addr *server,
		   enum dns_transport transport)
{
	return m->transport == transport && addr_equal(&m->server, server);
}

void sockets_drop(struct sockets *s)
{
	while (s->n_stock > 0)
		fd_close(&s->stock[--s->n_stock].fd);
	loop_timer_stop(s->loop, &s->timer);
}

static void on_stale(void *arg)
{
	sockets_drop(arg);
}

static void put(struct sockets *s, const struct dns_msg_socket *m, int fd)
{
	if (s->n_stock == STOCK_MAX ||
	    (s->timer.slot == 0 &&
	     loop_timer_arm(s->loop, &s->timer, STOCK_MS) < 0)) {
		fd_close(&fd);
		return;
	}
	s->stock[s->n_stock++] = (struct spare) { .fd = fd, .about = *m };
}

/* One answer: 0, -EAGAIN: there is none, -EPROTO.  One that is an error is no
 * stock. */
static int receive(struct sockets *s, struct dns_msg_socket *ret)
{
	int fd = -1;
	size_t n_fds = 1;
	ssize_t n =
		ipc_recv(s->desk, ret, sizeof(*ret), &fd, &n_fds, NULL, false);

	if (n == -EAGAIN)
		return -EAGAIN;
	if (n != sizeof(*ret) || ret->type != DNS_MSG_SOCKET ||
	    (ret->error == 0) != (n_fds == 1)) {
		if (n > 0 && n_fds == 1)
			fd_close(&fd);
		return -EPROTO;
	}
	if (s->n_asked > 0)
		s->n_asked--;
	if (ret->error == 0)
		put(s, ret, fd);
	return 0;
}

static int request(struct sockets *s, const struct addr *server,
		   enum dns_transport transport)
{
	struct dns_msg_socket m;
	int rc;

	memset(&m, 0, sizeof(m));
	m.type = DNS_MSG_SOCKET;
	m.transport = transport;
	m.server = *server;
	rc = ipc_send(s->desk, &m, sizeof(m), NULL, 0, false);
	if (rc == 0)
		s->n_asked++;
	return rc;
}

static void on_answer(void *arg, uint32_t events)
{
	struct sockets *s = arg;
	struct dns_msg_socket m;
	int rc;

	(void)events;
	do
		rc = receive(s, &m);
	while (rc == 0);
	/* The channel says so too, and that is acted on. */
	if (rc != -EAGAIN)
		loop_remove(s->loop, &s->src);
}

static int from_stock(struct sockets *s, const struct addr *server,
		      enum dns_transport transport)
{
	for (unsigned i = 0; i < s->n_stock; i++) {
		int fd = s->stock[i].fd;

		if (!is_for(&s->stock[i].about, server, transport))
			continue;
		s->stock[i] = s->stock[--s->n_stock];
		return fd;
	}
	return -ENOENT;
}

static int64_t clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Asks and waits for that answer; what else comes is stock. */
static int wait_for(struct sockets *s, const struct addr *server,
		    enum dns_transport transport)
{
	int64_t deadline = clock_ms() + WAIT_MS;
	int rc = request(s, server, transport);

	while (rc == 0) {
		struct pollfd p = { .fd = s->desk, .events = POLLIN };
		int64_t left = deadline - clock_ms();
		struct dns_msg_socket m;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -ETIMEDOUT;
		rc = receive(s, &m);
		if (rc == 0 && is_for(&m, server, transport))
			return m.error ? -m.error
				       : from_stock(s, server, transport);
		if (rc == -EAGAIN)
			rc = 0;
	}
	return rc;
}

int sockets_take(struct sockets *s, const struct addr *server,
		 enum dns_transport transport)
{
	int fd = from_stock(s, server, transport);

	if (fd == -ENOENT)
		fd = wait_for(s, server, transport);
	if (fd == -ETIMEDOUT)
		log_warning("dns: no socket from the monitor in time");
	/* While this one is in use the next one comes. */
	if (fd >= 0 && transport == DNS_UDP && s->n_asked == 0)
		(void)request(s, server, transport);
	return fd;
}

int sockets_new(struct sockets **ret, struct loop *l, int desk)
{
	struct sockets *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->desk = desk;
	s->src = LOOP_SOURCE_NONE;
	s->timer.fn = on_stale;
	s->timer.arg = s;
	rc = loop_add(l, &s->src, desk, EPOLLIN, on_answer, s);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void sockets_free(struct sockets *s)
{
	if (!s)
		return;
	sockets_drop(s);
	loop_remove(s->loop, &s->src);
	free(s);
}
