/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/relaydesk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/loop.h"
#include "launcher/admission.h"
#include "launcher/cage.h"
#include "launcher/connector.h"
#include "launcher/conns.h"
#include "launcher/flowdesk.h"
#include "launcher/report.h"
#include "profiles/allowlist.h"
#include "relay/relay.h"

/* Messages of the relay in one turn of the loop. */
#define RELAY_BATCH	 256
#define CLAIM_TIMEOUT_MS 10000
/* As long as servers commonly wait for a hello or a head; browsers connect long
 * before they have something to say. */
#define PARTIAL_TIMEOUT_MS 60000
#define SILENT_TIMEOUT_MS  600000
/* RFC 4787 section 4.3 asks for two minutes at least; a question that has no
 * answer yet gets as long as the kernel's connection tracking gives it. */
#define UDP_ASKED_MS	  5000
#define UDP_UNANSWERED_MS 30000
#define UDP_ANSWERED_MS	  180000
/* After the command's end, without progress. */
#define FINISH_IDLE_MS 2000

static void conn_closed(struct relaydesk *d, const struct relay_msg_closed *m)
{
	struct conn conn;

	if (!conns_take(d->conns, m->id, &conn))
		return;
	report_close(d->report, m, &conn,
		     loop_now_ms(d->loop) - conn.started_ms);
	if (conn.admission)
		admission_release(d->admissions, conn.admission);
	free(conn.name);
}

static bool is_refused(const struct relay_msg_refused *m)
{
	return m->closed.type == RELAY_MSG_REFUSED &&
	       m->closed.end == RELAY_END_REFUSED &&
	       m->reason < INSPECT_REASON__COUNT &&
	       m->protocol < INSPECT_PROTOCOL__COUNT &&
	       memchr(m->name, '\0', sizeof(m->name)) &&
	       memchr(m->detail, '\0', sizeof(m->detail));
}

static void conn_refused(struct relaydesk *d, const struct relay_msg_refused *m)
{
	struct conn conn;

	if (conns_get(d->conns, m->closed.id, &conn))
		report_refused(d->report, m, &conn.dst, conn.dst_port);
	conn_closed(d, &m->closed);
}

void relaydesk_lost(struct relaydesk *d)
{
	struct relay_msg_closed m = { .end = RELAY_END_ERROR };

	while (conns_any(d->conns, &m.id))
		conn_closed(d, &m);
}

static bool udp_asked(struct relaydesk *d, const struct relay_msg_udp *m)
{
	const struct flowdesk desk = { .loop = d->loop,
				       .allow = d->allow,
				       .admissions = d->admissions,
				       .conns = d->conns,
				       .report = d->report,
				       .route_fd = d->route_fd,
				       .log_all = d->log_all };

	return flowdesk_ask(&desk, d->relay.helper.channel, m);
}

static void on_relay(void *owner)
{
	struct relaydesk *d = owner;
	union {
		uint32_t type;
		struct relay_msg_closed closed;
		struct relay_msg_refused refused;
		struct relay_msg_ready ready;
		struct relay_msg_udp udp;
	} m;

	for (int i = 0; i < RELAY_BATCH; i++) {
		ssize_t size = ipc_recv(d->relay.helper.channel, &m, sizeof(m),
					NULL, NULL, NULL, false);

		if (size == -EAGAIN)
			return;
		if (size == -EPROTO) {
			watched_distrust(&d->relay);
			return;
		}
		if (size <= 0) {
			watched_ended(&d->relay);
			return;
		}
		if (size == sizeof(m.closed) && m.type == RELAY_MSG_CLOSED &&
		    m.closed.end < RELAY_END__COUNT) {
			conn_closed(d, &m.closed);
		} else if (size == sizeof(m.refused) &&
			   is_refused(&m.refused)) {
			conn_refused(d, &m.refused);
		} else if (size == sizeof(m.udp) &&
			   m.type == RELAY_MSG_UDP_ASK &&
			   udp_asked(d, &m.udp)) {
			continue;
		} else if (size != sizeof(m.ready) ||
			   m.type != RELAY_MSG_READY) {
			watched_distrust(&d->relay);
			return;
		}
	}
}

static int run_relay(void *arg, const int *fds)
{
	const struct relaydesk *d = arg;
	const uint16_t *udp_ports;
	size_t n_udp = allowlist_udp_ports(d->allow, &udp_ports);
	const int *udp_fds = fds + HELPER_FD__COUNT + RELAY_LISTENERS;
	const struct relay_config cfg = {
		.channel = fds[HELPER_FD_CHANNEL],
		.listeners = { fds[HELPER_FD__COUNT], fds[HELPER_FD__COUNT + 1],
			       fds[HELPER_FD__COUNT + 2],
			       fds[HELPER_FD__COUNT + 3] },
		.claim_timeout_ms = CLAIM_TIMEOUT_MS,
		.finish_timeout_ms = FINISH_IDLE_MS,
		.partial_timeout_ms = PARTIAL_TIMEOUT_MS,
		.silent_timeout_ms = SILENT_TIMEOUT_MS,
		.allow = d->allow,
		.verify = d->verify,
		.udp = { .icmp = { n_udp ? udp_fds[0] : -1,
				   n_udp ? udp_fds[1] : -1 },
			 .fds = udp_fds + 2,
			 .ports = udp_ports,
			 .n = n_udp,
			 .asked_ms = UDP_ASKED_MS,
			 .unanswered_ms = UDP_UNANSWERED_MS,
			 .answered_ms = UDP_ANSWERED_MS },
	};

	return relay_main(&cfg);
}

static const char *name_of(const struct connection *c)
{
	return c->admission ? admission_name(c->admission) : "";
}

int relaydesk_connected(struct relaydesk *d, const struct connection *c, int fd)
{
	struct relay_msg_conn m;
	int rc;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_CONN;
	m.src_port = c->src_port;
	m.dst_port = c->dst_port;
	m.dst = c->dst;
	/* An address that is allowed as such is, whatever name leads to it:
	 * the one that was connected, not the one that was dialled.  A proxy
	 * is neither. */
	m.by_address =
		c->local ||
		(!c->proxied && allowlist_match_address(d->allow, &c->via,
							c->dst_port) != NULL);
	m.port_named =
		c->admission && admission_names_port(c->admission, c->dst_port);
	rc = conns_add(d->conns, c, loop_now_ms(d->loop),
		       d->log_all ? name_of(c) : NULL, &m.id);
	if (rc < 0)
		return rc;
	rc = ipc_send(d->relay.helper.channel, &m, sizeof(m), &fd, 1, false);
	if (rc < 0) {
		struct conn conn;

		if (conns_take(d->conns, m.id, &conn))
			free(conn.name);
		return rc;
	}
	(void)close(fd);
	report_connect(d->report, m.id, c, name_of(c), 0, BLOCKED_NOT_ALLOWED);
	return 0;
}

int relaydesk_called(struct relaydesk *d, const struct connection *c,
		     int inside, int outside)
{
	const int fds[] = { inside, outside };
	struct relay_msg_pair m;
	int rc;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_PAIR;
	rc = conns_add(d->conns, c, loop_now_ms(d->loop), NULL, &m.id);
	if (rc < 0)
		return rc;
	rc = ipc_send(d->relay.helper.channel, &m, sizeof(m), fds, 2, false);
	if (rc < 0) {
		struct conn conn;

		(void)conns_take(d->conns, m.id, &conn);
		return rc;
	}
	(void)close(inside);
	(void)close(outside);
	report_connect(d->report, m.id, c, NULL, 0, BLOCKED_NOT_ALLOWED);
	return 0;
}

void relaydesk_init(struct relaydesk *d)
{
	const struct cage *c = d->cage;

	d->relay = (struct watched) {
		.helper = { .name = "relay",
			    .comm = "egress-relay",
			    .kind = CALLS_RELAY,
			    .run = run_relay,
			    .arg = d,
			    .fds = { c->gateway[GATEWAY_FD_RELAY4],
				     c->gateway[GATEWAY_FD_RELAY6],
				     c->ready[READY_FD_LOOP_RELAY4],
				     c->ready[READY_FD_LOOP_RELAY6] },
			    .n_fds = RELAY_LISTENERS,
			    .pidfd = -1,
			    .channel = -1,
			    .desk = -1 },
		.loop = d->loop,
		.ready_size = sizeof(struct relay_msg_ready),
		.on_message = on_relay,
		.owner = d,
		.channel = LOOP_SOURCE_NONE,
		.desk = LOOP_SOURCE_NONE,
		.exit = LOOP_SOURCE_NONE,
	};
	for (size_t i = 0; c->n_udp > 0 && i < 2; i++)
		d->relay.helper.fds[d->relay.helper.n_fds++] = c->icmp[i];
	for (size_t i = 0; i < c->n_udp; i++)
		d->relay.helper.fds[d->relay.helper.n_fds++] = c->udp[i];
}

int relaydesk_start(struct relaydesk *d, struct err *e)
{
	int rc = conns_new(&d->conns, e);

	return rc < 0 ? rc : watched_start(&d->relay, e);
}

void relaydesk_done(struct relaydesk *d)
{
	conns_free(d->conns, d->admissions);
	d->conns = NULL;
}

int relaydesk_finish(struct relaydesk *d)
{
	struct relay_msg_finish m;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_FINISH;
	d->relay.ending = true;
	if (!watched_is_running(&d->relay))
		return -ESRCH;
	return ipc_send(d->relay.helper.channel, &m, sizeof(m), NULL, 0, false);
}
