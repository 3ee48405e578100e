/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages from and to the monitor.  A message that is not exactly what
 * relay.h says ends the process: the two are of one program, so it is a fault
 * and not an input.
 */
#include "relay/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "relay/socket.h"

/* Descriptors with one message, at most. */
#define CHANNEL_FDS 2

/* Room for the largest message that the monitor sends. */
union message {
	uint32_t type;
	struct relay_msg_conn conn;
	struct relay_msg_pair pair;
	struct relay_msg_udp udp;
};

/* handle() owns the descriptors and returns 0 or -errno, which ends the
 * process. */
struct message_kind {
	size_t size;
	size_t n_fds;
	int (*handle)(struct relay *r, const union message *m, int *fds);
};

int channel_send_ready(const struct relay *r)
{
	struct relay_msg_ready m;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_READY;
	return ipc_send(r->config->channel, &m, sizeof(m), NULL, 0, true);
}

static int send_closed(const struct relay *r, const struct conn *c)
{
	const struct inspect_verdict *v = c->flow.hold.refusal;
	struct relay_msg_refused m;
	size_t size = sizeof(m.closed);

	memset(&m, 0, sizeof(m));
	m.closed.type = RELAY_MSG_CLOSED;
	m.closed.end = c->end;
	m.closed.id = c->id;
	m.closed.bytes_up = c->flow.dir[FLOW_CLIENT].bytes;
	m.closed.bytes_down = c->flow.dir[FLOW_FAR].bytes;
	if (v) {
		m.closed.type = RELAY_MSG_REFUSED;
		m.reason = v->reason;
		m.protocol = v->protocol;
		memcpy(m.name, v->name, sizeof(m.name));
		(void)snprintf(m.detail, sizeof(m.detail), "%s",
			       v->detail ? v->detail : "");
		size = sizeof(m);
	}
	return ipc_send(r->config->channel, &m, size, NULL, 0, false);
}

void channel_flush(struct relay *r)
{
	struct conn *c;
	int rc = 0;

	while ((c = TAILQ_FIRST(&r->ended)) && (rc = send_closed(r, c)) == 0) {
		TAILQ_REMOVE(&r->ended, c, link);
		hold_done(&c->flow);
		free(c);
		r->n_conns--;
		relay_resume(r);
	}
	if (rc == 0)
		rc = udpflows_flush(r->udp);
	r->channel_full = c != NULL || rc == -EAGAIN;
	if (rc < 0 && rc != -EAGAIN) {
		relay_stop(r, 0); /* the monitor is gone */
		return;
	}
	relay_update_watches(r);
	if (r->flows.finishing && r->n_conns == 0 && udpflows_is_idle(r->udp))
		relay_stop(r, 0);
}

void conn_end(struct relay *r, struct conn *c, enum relay_end end)
{
	fd_close(&c->far);
	c->end = end;
	TAILQ_INSERT_TAIL(&r->ended, c, link);
	channel_flush(r);
}

void conn_open(struct relay *r, struct conn *c, int client,
	       const struct inspect_target *target)
{
	int rc = flow_open(&c->flow, &r->flows, client, fd_steal(&c->far),
			   target);

	if (rc < 0) {
		log_warning("relay: new connection: %s", strerror(-rc));
		conn_end(r, c, RELAY_END_ERROR);
		return;
	}
	TAILQ_INSERT_TAIL(&r->open, c, link);
}

struct conn *conn_of_waiting(struct waiting *w)
{
	return htab_entry(w, struct conn, waiting);
}

static int handle_conn(struct relay *r, const union message *m, int *fds)
{
	cleanup_fd int far = fd_steal(&fds[0]);
	struct waiting *old;
	struct conn *c;
	int rc = socket_prepare(far);

	if (rc < 0)
		return rc;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	r->n_conns++;
	c->id = m->conn.id;
	c->far = fd_steal(&far);
	c->waiting.key.dst = m->conn.dst;
	c->waiting.key.src_port = m->conn.src_port;
	c->waiting.key.dst_port = m->conn.dst_port;
	c->by_address = m->conn.by_address;
	c->port_named = m->conn.port_named;
	old = waiting_take(&r->waiting, &c->waiting.key);
	if (old)
		conn_end(r, conn_of_waiting(old), RELAY_END_UNCLAIMED);
	if (r->flows.finishing || waiting_add(&r->waiting, &c->waiting) < 0)
		conn_end(r, c, RELAY_END_UNCLAIMED);
	return 0;
}

static int handle_pair(struct relay *r, const union message *m, int *fds)
{
	/* The command is the server: what it is asked is its own affair. */
	const struct inspect_target unchecked = { .mode = VERIFY_OFF };
	cleanup_fd int client = fd_steal(&fds[0]);
	cleanup_fd int far = fd_steal(&fds[1]);
	struct conn *c;
	int rc = socket_prepare(client);

	if (rc == 0)
		rc = socket_prepare(far);
	if (rc < 0)
		return rc;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	r->n_conns++;
	c->id = m->pair.id;
	c->far = fd_steal(&far);
	if (r->flows.finishing)
		conn_end(r, c, RELAY_END_UNCLAIMED);
	else
		conn_open(r, c, fd_steal(&client), &unchecked);
	return 0;
}

static int handle_udp(struct relay *r, const union message *m, int *fds)
{
	udpflows_answered(r->udp, &m->udp, fd_steal(&fds[0]));
	return 0;
}

/* relay_settle() does the work: a connection may be half accepted now. */
static int handle_finish(struct relay *r, const union message *m, int *fds)
{
	(void)m;
	(void)fds;
	r->finish_asked = true;
	return 0;
}

static const struct message_kind kinds[] = {
	[RELAY_MSG_CONN] = { sizeof(struct relay_msg_conn), 1, handle_conn },
	[RELAY_MSG_PAIR] = { sizeof(struct relay_msg_pair), 2, handle_pair },
	[RELAY_MSG_FINISH] = { sizeof(struct relay_msg_finish), 0,
			       handle_finish },
	[RELAY_MSG_UDP] = { sizeof(struct relay_msg_udp), 1, handle_udp },
	[RELAY_MSG_UDP_DENY] = { sizeof(struct relay_msg_udp), 0, handle_udp },
};

static int handle_message(struct relay *r, const union message *m, size_t size,
			  int fds[static CHANNEL_FDS], size_t n_fds)
{
	const struct message_kind *k = NULL;

	if (size >= sizeof(m->type) &&
	    m->type < sizeof(kinds) / sizeof(*kinds) && kinds[m->type].handle)
		k = &kinds[m->type];
	if (k && size == k->size && n_fds == k->n_fds)
		return k->handle(r, m, fds);
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	return -EPROTO;
}

/* A message that finds no free descriptor is lost with its sockets. */
static bool has_descriptors(const struct relay *r)
{
	int probe[CHANNEL_FDS];
	int n = 0;
	int error;

	while (n < CHANNEL_FDS &&
	       (probe[n] = fcntl(r->config->channel, F_DUPFD_CLOEXEC, 0)) >= 0)
		n++;
	error = errno;
	for (int i = 0; i < n; i++)
		(void)close(probe[i]);
	errno = error; /* says why, if it is one too few */
	return n == CHANNEL_FDS;
}

static ssize_t read_message(struct relay *r)
{
	union message m = { 0 };
	size_t n_fds = CHANNEL_FDS;
	int fds[CHANNEL_FDS] = { -1, -1 };
	ssize_t n = ipc_recv(r->config->channel, &m, sizeof(m), fds, &n_fds,
			     NULL, false);

	if (n <= 0)
		return n;
	return handle_message(r, &m, (size_t)n, fds, n_fds) < 0 ? -EPROTO : 1;
}

bool channel_read_one(struct relay *r)
{
	ssize_t n;

	if (r->stopped || r->paused)
		return false;
	if (!has_descriptors(r)) {
		relay_pause(r, errno);
		return false;
	}
	n = read_message(r);
	if (n > 0)
		return true;
	if (n == -EAGAIN)
		return false;
	if (n == 0) {
		relay_stop(r, 0); /* the monitor is gone */
		return false;
	}
	log_error("relay: message from the monitor: %s", strerror((int)-n));
	relay_stop(r, 1);
	return false;
}

void channel_read(struct relay *r)
{
	while (!relay_is_full(r) && channel_read_one(r))
		;
}

void channel_event(void *arg, uint32_t events)
{
	struct relay *r = arg;

	if (events & (EPOLLHUP | EPOLLERR)) {
		relay_stop(r, 0); /* the monitor is gone */
		return;
	}
	if (events & EPOLLOUT)
		channel_flush(r);
	if (events & EPOLLIN)
		channel_read(r);
	relay_settle(r);
}
