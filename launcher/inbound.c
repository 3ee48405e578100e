/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A socket belongs to the netns it was made in, and the monitor is not in the
 * agent's.  So a child enters it by the descriptors that init handed over (the
 * monitor's uid owns U, which is right enough), makes a stock of sockets,
 * sends them and exits; it stays outside of the cage's pid namespace, where
 * nothing inside can see it.
 */
#include "launcher/inbound.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "launcher/cage.h"
#include "launcher/connector.h"

#define FAMILIES     ((size_t)2)
#define STOCK_EACH   ((size_t)8) /* sockets of one family that a child makes */
#define BACKLOG	     128
#define ACCEPT_BATCH 16
/* Half connected; more wait in the backlog. */
#define CALLS_MAX 128

static const int families[FAMILIES] = { AF_INET, AF_INET6 };
static const char *const loopback[FAMILIES] = { "127.0.0.1", "::1" };

struct listener {
	struct loop_source source;
	struct inbound *owner;
	int fd; /* borrowed */
	uint16_t port;
};

/* A client of the host that waits for the command's listener. */
struct call {
	TAILQ_ENTRY(call) link;
	struct inbound *owner;
	struct loop_source source;
	struct connection conn;
	size_t family; /* being tried */
	int inside;
	int outside;
};

struct inbound {
	struct inbound_config cfg;
	struct listener *listeners;
	size_t n_listeners;
	int stock[FAMILIES][STOCK_EACH];
	size_t n_stock[FAMILIES];
	TAILQ_HEAD(call_list, call) calls;
	size_t n_calls;
	bool full;   /* no listener is read */
	bool warned; /* of the present trouble */
};

/* In the child. */
__attribute__((noreturn)) static void make_stock(const struct cage *c,
						 int channel)
{
	int fds[FAMILIES * STOCK_EACH];
	size_t n = 0;

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	if (setns(c->ready[READY_FD_USERNS], CLONE_NEWUSER) < 0 ||
	    setns(c->ready[READY_FD_NETNS], CLONE_NEWNET) < 0)
		_exit(1);
	for (size_t i = 0; i < FAMILIES * STOCK_EACH; i++) {
		fds[n] = socket(families[i / STOCK_EACH],
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		n += fds[n] >= 0; /* a kernel without IPv6 */
	}
	_exit(n > 0 && ipc_send(channel, "", 1, fds, n, true) == 0 ? 0 : 1);
}

static void sort_stock(struct inbound *in, int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int family = 0;
		socklen_t len = sizeof(family);
		size_t f;

		(void)getsockopt(fds[i], SOL_SOCKET, SO_DOMAIN, &family, &len);
		f = family == AF_INET6;
		if (in->n_stock[f] < STOCK_EACH)
			in->stock[f][in->n_stock[f]++] = fds[i];
		else
			fd_close(&fds[i]);
	}
}

/* Returns 0 or -errno.  Takes a millisecond. */
static int refill(struct inbound *in)
{
	int fds[FAMILIES * STOCK_EACH];
	size_t n = FAMILIES * STOCK_EACH;
	int pair[2] = { -1, -1 };
	struct err e;
	char byte;
	ssize_t got;
	pid_t pid;

	memset(fds, 0xff, sizeof(fds)); /* none: -1 */
	if (ipc_pair(pair, &e) < 0)
		return -e.code;
	pid = fork();
	if (pid == 0)
		make_stock(in->cfg.cage, pair[1]);
	fd_close(&pair[1]);
	got = pid < 0 ? -errno
		      : ipc_recv(pair[0], &byte, 1, fds, &n, NULL, true);
	fd_close(&pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (got <= 0)
		return got < 0 ? (int)got : -ENETDOWN;
	sort_stock(in, fds, n);
	return 0;
}

/* A fresh socket of the agent's netns, or -errno. */
static int take_socket(struct inbound *in, size_t family)
{
	int rc = in->n_stock[family] > 0 ? 0 : refill(in);

	if (rc < 0)
		return rc;
	if (in->n_stock[family] == 0)
		return -EAFNOSUPPORT;
	return in->stock[family][--in->n_stock[family]];
}

static void set_full(struct inbound *in, bool full)
{
	if (in->full == full)
		return;
	in->full = full;
	for (size_t i = 0; i < in->n_listeners; i++)
		(void)loop_modify(in->cfg.loop, &in->listeners[i].source,
				  full ? 0 : EPOLLIN);
}

static void free_call(struct call *c)
{
	struct inbound *in = c->owner;

	loop_remove(in->cfg.loop, &c->source);
	fd_close(&c->inside);
	fd_close(&c->outside);
	TAILQ_REMOVE(&in->calls, c, link);
	in->n_calls--;
	free(c);
	set_full(in, false);
}

/* The client is to see that nobody is there. */
static void fail_call(struct call *c)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->outside, SOL_SOCKET, SO_LINGER, &reset,
			 sizeof(reset));
	free_call(c);
}

static void try_next(struct call *c);

static void on_connect(void *arg, uint32_t events)
{
	struct call *c = arg;
	struct inbound *in = c->owner;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)events;
	if (getsockopt(c->inside, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	loop_remove(in->cfg.loop, &c->source);
	if (error) {
		c->family++;
		try_next(c);
		return;
	}
	if (in->cfg.connected(in->cfg.arg, &c->conn, c->inside, c->outside) <
	    0) {
		fail_call(c);
		return;
	}
	c->inside = -1;
	c->outside = -1;
	free_call(c);
}

/* Returns 0 or -errno. */
static int start_connect(struct call *c)
{
	struct inbound *in = c->owner;
	struct sockaddr_storage ss;
	struct addr to;
	socklen_t len;
	int fd = take_socket(in, c->family);

	if (fd < 0)
		return fd;
	fd_close(&c->inside);
	c->inside = fd;
	if (!addr_parse(loopback[c->family], &to))
		return -EINVAL;
	len = addr_to_sockaddr(&to, c->conn.dst_port, &ss);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return loop_add(in->cfg.loop, &c->source, fd, EPOLLOUT, on_connect, c);
}

static void try_next(struct call *c)
{
	for (; c->family < FAMILIES; c->family++) {
		int rc = start_connect(c);

		if (rc == 0)
			return;
		if (rc != -ECONNREFUSED && rc != -EAFNOSUPPORT &&
		    !c->owner->warned) {
			log_warning("listen_port %u: %s", c->conn.dst_port,
				    strerror(-rc));
			c->owner->warned = true;
		}
	}
	fail_call(c);
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct listener *l)
{
	struct inbound *in = l->owner;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct call *c;

	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	c = calloc(1, sizeof(*c));
	if (!c) {
		(void)close(fd);
		return false;
	}
	c->owner = in;
	c->source = LOOP_SOURCE_NONE;
	c->inside = -1;
	c->outside = fd;
	(void)addr_from_sockaddr(&ss, &c->conn.src, &c->conn.src_port);
	(void)addr_parse(loopback[c->conn.src.family == AF_INET6],
			 &c->conn.dst);
	c->conn.dst_port = l->port;
	c->conn.via = c->conn.dst;
	c->conn.rule = "listen_port";
	c->conn.inbound = true;
	TAILQ_INSERT_TAIL(&in->calls, c, link);
	if (++in->n_calls == CALLS_MAX)
		set_full(in, true);
	try_next(c);
	return true;
}

static void on_client(void *arg, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH && !l->owner->full; i++)
		if (!accept_one(l))
			return;
}

static int explain(int rc, const char *address, uint16_t port, struct err *e)
{
	if (rc == -EADDRINUSE)
		return err_set(e, EADDRINUSE,
			       "listen_port %u: another program listens on %s "
			       "port %u of this machine; stop it, or name "
			       "another port",
			       port, address, port);
	if (rc == -EACCES)
		return err_set(
			e, EACCES,
			"listen_port %u: ports below "
			"net.ipv4.ip_unprivileged_port_start are root's; "
			"name a higher one",
			port);
	return err_errno(e, -rc, "listen_port %u on %s", port, address);
}

/* Returns 0, also for a kernel without IPv6, or -errno. */
static int listen_on(struct inbound_sockets *in, size_t family, uint16_t port)
{
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t len;
	cleanup_fd int fd =
		socket(families[family],
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	if (!addr_parse(loopback[family], &a))
		return -EINVAL;
	len = addr_to_sockaddr(&a, port, &ss);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return errno == EADDRNOTAVAIL && family > 0 ? 0 : -errno;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	in->fds[in->n++] = fd_steal(&fd);
	return 0;
}

int inbound_listen(const struct ports *p, struct inbound_sockets *ret,
		   struct err *e)
{
	*ret = (struct inbound_sockets) { 0 };
	ret->fds = calloc(FAMILIES * ports_count(p) + 1, sizeof(*ret->fds));
	if (!ret->fds)
		return err_errno(e, ENOMEM, "listen_port");
	for (size_t i = 0; i < p->n; i++) {
		for (uint32_t port = p->ranges[i].first;
		     port <= p->ranges[i].last; port++) {
			for (size_t f = 0; f < FAMILIES; f++) {
				int rc = listen_on(ret, f, (uint16_t)port);

				if (rc < 0)
					return explain(rc, loopback[f],
						       (uint16_t)port, e);
			}
		}
	}
	return 0;
}

void inbound_unlisten(struct inbound_sockets *s)
{
	while (s->n > 0)
		(void)close(s->fds[--s->n]);
	free(s->fds);
	s->fds = NULL;
}

/* Returns 0 or -errno. */
static int add_listener(struct inbound *in, int fd)
{
	struct listener *l = &in->listeners[in->n_listeners++];
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct addr a;

	*l = (struct listener) { .source = LOOP_SOURCE_NONE,
				 .owner = in,
				 .fd = fd };
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	if (!addr_from_sockaddr(&ss, &a, &l->port))
		return -EAFNOSUPPORT;
	return loop_add(in->cfg.loop, &l->source, fd, EPOLLIN, on_client, l);
}

int inbound_new(struct inbound **ret, const struct inbound_config *c,
		struct err *e)
{
	struct inbound *in = calloc(1, sizeof(*in));
	int rc = 0;

	if (in)
		in->listeners = calloc(c->sockets->n, sizeof(*in->listeners));
	if (!in || !in->listeners) {
		free(in);
		return err_errno(e, ENOMEM, "listen_port");
	}
	in->cfg = *c;
	TAILQ_INIT(&in->calls);
	for (size_t i = 0; rc == 0 && i < c->sockets->n; i++)
		rc = add_listener(in, c->sockets->fds[i]);
	if (rc < 0) {
		inbound_free(in);
		return err_errno(e, -rc, "listen_port");
	}
	*ret = in;
	return 0;
}

void inbound_free(struct inbound *in)
{
	struct call *c;

	if (!in)
		return;
	while ((c = TAILQ_FIRST(&in->calls)))
		fail_call(c);
	for (size_t i = 0; i < in->n_listeners; i++)
		loop_remove(in->cfg.loop, &in->listeners[i].source);
	for (size_t f = 0; f < FAMILIES; f++)
		while (in->n_stock[f] > 0)
			fd_close(&in->stock[f][--in->n_stock[f]]);
	free(in->listeners);
	free(in);
}
