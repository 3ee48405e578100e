/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing here names an address to the kernel: datagrams are written to
 * connected sockets, which the filter of system calls demands.
 *
 * c-ares seeds the generator of its query numbers from /dev/urandom, which is
 * out of reach here, and then from rand().  So a random mask of each socket,
 * which is that of one or a few questions, goes over the numbers on their way
 * out and back.  TCP does not need it: nobody else can answer there.
 */
#include "dnsfilter/transport.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"

#define ID_LEN	  2
#define QUERY_MAX 512 /* 12 + 255 + 4 and OPT */
/* No descriptor's number, in case that one is taken for it. */
#define HANDLE_MIN (1 << 30)

struct connection {
	LIST_ENTRY(connection) link;
	struct transport *t;
	ares_socket_t handle;
	int fd; /* -1: not yet */
	enum dns_transport kind;
	struct addr server;
	uint8_t mask[ID_LEN];
	struct loop_source src;
};

struct transport {
	struct loop *loop;
	struct sockets *sockets;
	transport_ready_fn *ready;
	void *arg;
	ares_socket_t last_handle;
	LIST_HEAD(connection_list, connection) connections;
};

static struct connection *find(const struct transport *t, ares_socket_t handle)
{
	struct connection *c;

	LIST_FOREACH(c, &t->connections, link)
	if (c->handle == handle)
		return c;
	errno = EBADF;
	return NULL;
}

static void on_ready(void *arg, uint32_t events)
{
	struct connection *c = arg;

	/* c may be gone after this */
	c->t->ready(c->t->arg, c->handle, events);
}

void transport_watch(void *arg, ares_socket_t handle, int in, int out)
{
	struct transport *t = arg;
	struct connection *c = find(t, handle);
	uint32_t events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
	int rc = 0;

	if (!c)
		return;
	if (events == 0)
		loop_remove(t->loop, &c->src);
	else if (c->src.fd >= 0)
		rc = loop_modify(t->loop, &c->src, events);
	else
		rc = loop_add(t->loop, &c->src, c->fd, events, on_ready, c);
	if (rc < 0)
		log_warning("dns: cannot watch a socket"); /* times out */
}

static ares_socket_t make(int family, int type, int protocol, void *arg)
{
	struct transport *t = arg;
	struct connection *c = calloc(1, sizeof(*c));

	(void)family;
	(void)protocol;
	if (!c) {
		errno = ENOMEM;
		return ARES_SOCKET_BAD;
	}
	c->t = t;
	c->fd = -1;
	c->src = LOOP_SOURCE_NONE;
	c->kind = type == SOCK_STREAM ? DNS_TCP : DNS_UDP;
	do
		t->last_handle = t->last_handle == INT_MAX ? HANDLE_MIN
							   : t->last_handle + 1;
	while (find(t, t->last_handle));
	c->handle = t->last_handle;
	LIST_INSERT_HEAD(&t->connections, c, link);
	return c->handle;
}

static int discard(ares_socket_t handle, void *arg)
{
	struct transport *t = arg;
	struct connection *c = find(t, handle);

	if (!c)
		return -1;
	loop_remove(t->loop, &c->src);
	LIST_REMOVE(c, link);
	fd_close(&c->fd);
	free(c);
	return 0;
}

static struct addr address_of(const struct sockaddr *sa)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		return addr_v6(&v6.sin6_addr);
	}
	memcpy(&v4, sa, sizeof(v4));
	return addr_v4(&v4.sin_addr);
}

static int join(ares_socket_t handle, const struct sockaddr *to,
		ares_socklen_t len, void *arg)
{
	struct transport *t = arg;
	struct connection *c = find(t, handle);

	(void)len;
	if (!c)
		return -1;
	c->server = address_of(to);
	if (getrandom(c->mask, sizeof(c->mask), 0) != sizeof(c->mask))
		return -1;
	c->fd = sockets_take(t->sockets, &c->server, c->kind);
	if (c->fd >= 0)
		return 0;
	errno = -c->fd;
	c->fd = -1;
	return -1;
}

static void mask_id(const struct connection *c, uint8_t *msg)
{
	for (size_t i = 0; i < ID_LEN; i++)
		msg[i] ^= c->mask[i];
}

/* c-ares compares the sender with the server: the kernel has. */
static void put_sender(const struct connection *c, struct sockaddr *from,
		       ares_socklen_t *len)
{
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&c->server, DNS_PORT, &ss);

	if (!from || !len)
		return;
	memcpy(from, &ss, n < *len ? n : *len);
	*len = n;
}

static ares_ssize_t take(ares_socket_t handle, void *buf, size_t size,
			 int flags, struct sockaddr *from,
			 ares_socklen_t *from_len, void *arg)
{
	const struct connection *c = find(arg, handle);
	ssize_t n;

	(void)flags;
	if (!c)
		return -1;
	n = read(c->fd, buf, size);
	if (n >= ID_LEN && c->kind == DNS_UDP)
		mask_id(c, buf);
	if (n >= 0)
		put_sender(c, from, from_len);
	return n;
}

static ares_ssize_t give(ares_socket_t handle, const struct iovec *iov, int n,
			 void *arg)
{
	const struct connection *c = find(arg, handle);
	uint8_t query[QUERY_MAX];
	size_t len = 0;

	if (!c)
		return -1;
	if (c->kind == DNS_TCP)
		return writev(c->fd, iov, n);
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > sizeof(query) - len) {
			errno = EMSGSIZE;
			return -1;
		}
		memcpy(query + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	if (len >= ID_LEN)
		mask_id(c, query);
	return write(c->fd, query, len);
}

void transport_attach(struct transport *t, ares_channel channel)
{
	static const struct ares_socket_functions functions = {
		.asocket = make,
		.aclose = discard,
		.aconnect = join,
		.arecvfrom = take,
		.asendv = give,
	};

	ares_set_socket_functions(channel, &functions, t);
}

int transport_new(struct transport **ret, struct loop *l,
		  struct sockets *sockets, transport_ready_fn *ready, void *arg)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->last_handle = HANDLE_MIN;
	t->loop = l;
	t->sockets = sockets;
	t->ready = ready;
	t->arg = arg;
	LIST_INIT(&t->connections);
	*ret = t;
	return 0;
}

void transport_free(struct transport *t)
{
	struct connection *c;

	while (t && (c = LIST_FIRST(&t->connections)))
		(void)discard(c->handle, t);
	free(t);
}
