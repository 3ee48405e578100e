/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command's ends.  The monitor sends CONN before it lets the SYN through,
 * so an accepted connection whose message is neither in the table nor in the
 * channel is nobody's and is reset.  When max_conns is reached the channel is
 * read no more in advance, but still in search of one that has been accepted;
 * the two come in nearly the same order.
 */
#include "relay/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/log.h"
#include "relay/socket.h"

#define ACCEPT_BATCH 64

static struct conn *claim(struct relay *r, int fd,
			  const struct sockaddr_storage *from)
{
	struct waiting_key key;
	struct waiting *w;
	struct addr peer;
	int rc;

	memset(&key, 0, sizeof(key));
	if (!addr_from_sockaddr(from, &peer, &key.src_port))
		return NULL;
	rc = socket_original_dst(fd, from->ss_family, &key.dst, &key.dst_port);
	if (rc < 0) {
		log_debug("relay: original destination: %s", strerror(-rc));
		return NULL;
	}
	w = waiting_take(&r->waiting, &key);
	while (!w && channel_read_one(r))
		w = waiting_take(&r->waiting, &key);
	/* A client may use one source port to several destinations; behind
	 * the redirect those would be one connection, so NAT gives all but the
	 * first another port.  Fresh connections to one destination are as
	 * good as each other. */
	if (!w)
		w = waiting_take_any_port(&r->waiting, &key);
	return w ? conn_of_waiting(w) : NULL;
}

static struct inspect_target target_of(const struct relay *r,
				       const struct conn *c)
{
	return (struct inspect_target) {
		.allow = r->config->allow,
		.mode = r->config->verify,
		.port = c->waiting.key.dst_port,
		.by_address = c->by_address,
		.port_named = c->port_named,
	};
}

/* Returns false when there is nothing more to accept now. */
static bool accept_one(struct relay *r, int listener)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	cleanup_fd int fd = accept4(listener, (struct sockaddr *)&from, &len,
				    SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct inspect_target target;
	struct conn *c;

	if (fd < 0) {
		if (errno == ECONNABORTED || errno == EINTR)
			return true;
		if (errno != EAGAIN)
			relay_pause(r, errno);
		else if (!relay_is_full(r))
			r->warned = false;
		return false;
	}
	c = claim(r, fd, &from);
	if (!c) {
		log_debug("relay: reset a connection that nobody announced");
		return true; /* closing is a RST, see socket_prepare() */
	}
	target = target_of(r, c);
	conn_open(r, c, fd_steal(&fd), &target);
	return true;
}

static void on_listener(void *arg, uint32_t events)
{
	struct relay_watch *w = arg;
	struct relay *r = w->relay;

	(void)events;
	channel_read(r);
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		if (r->stopped || !relay_may_accept(r) ||
		    !accept_one(r, w->source.fd))
			break;
	}
	relay_settle(r);
}

int accept_start(struct relay *r, size_t listener, int fd)
{
	int rc;

	if (fd < 0)
		return 0;
	rc = socket_prepare(fd);
	if (rc < 0)
		return rc;
	socket_prefer_unpaced(fd);
	r->listeners[listener].events = EPOLLIN;
	r->listeners[listener].relay = r;
	return loop_add(r->loop, &r->listeners[listener].source, fd, EPOLLIN,
			on_listener, &r->listeners[listener]);
}

void accept_finish(struct relay *r, size_t listener)
{
	struct loop_source *s = &r->listeners[listener].source;

	while (s->fd >= 0 && !r->stopped && accept_one(r, s->fd))
		;
	loop_remove(r->loop, s);
}
