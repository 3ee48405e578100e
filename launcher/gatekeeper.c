/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/gatekeeper.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/htab.h"
#include "common/loop.h"
#include "launcher/admission.h"
#include "launcher/cage.h"
#include "launcher/connector.h"
#include "launcher/conns.h"
#include "launcher/dnsdesk.h"
#include "launcher/flowdesk.h"
#include "launcher/inbound.h"
#include "launcher/proxy.h"
#include "launcher/report.h"
#include "launcher/watch.h"
#include "netns/queue.h"
#include "netns/route.h"
#include "netns/ruleset.h"
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
/* After the command's end: without progress, and in all. */
#define FINISH_IDLE_MS 2000
#define FINISH_MAX_MS  30000
/* The filter has nothing to deliver but its last reports. */
#define FILTER_MAX_MS 2000

struct gatekeeper {
	struct gatekeeper_config cfg;
	int route_fd;
	struct admissions *admissions;
	struct connector *connector;
	struct connector *local; /* to the host's loopback, or NULL */
	struct inbound *inbound; /* from there, or NULL */
	struct conns *conns;
	struct dnsdesk dns;
	struct watched relay;
	struct loop_source denied;
	struct loop_timer deadline;
	struct loop_timer filter_deadline;
	bool finishing;
};

/* A helper ended; at the end of the run that is what is waited for. */
static void helper_gone(struct gatekeeper *g)
{
	if (g->finishing && !watched_is_running(&g->dns.filter) &&
	    !watched_is_running(&g->relay))
		g->cfg.finished(g->cfg.arg);
}

static void on_filter_death(void *owner)
{
	struct dnsdesk *d = owner;

	helper_gone(htab_entry(d, struct gatekeeper, dns));
}

static void on_filter_fatal(void *owner, const struct err *e)
{
	struct dnsdesk *d = owner;
	const struct gatekeeper *g = htab_entry(d, struct gatekeeper, dns);

	g->cfg.fatal(g->cfg.arg, e);
}

/* Relay and connections */

static void conn_closed(struct gatekeeper *g, const struct relay_msg_closed *m)
{
	struct conn conn;

	if (!conns_take(g->conns, m->id, &conn))
		return;
	report_close(g->cfg.report, m, &conn,
		     loop_now_ms(g->cfg.loop) - conn.started_ms);
	if (conn.admission)
		admission_release(g->admissions, conn.admission);
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

static void conn_refused(struct gatekeeper *g,
			 const struct relay_msg_refused *m)
{
	struct conn conn;

	if (conns_get(g->conns, m->closed.id, &conn))
		report_refused(g->cfg.report, m, &conn.dst, conn.dst_port);
	conn_closed(g, &m->closed);
}

/* The relay died and its connections with it. */
static void conns_lost(struct gatekeeper *g)
{
	struct relay_msg_closed m = { .end = RELAY_END_ERROR };

	while (conns_any(g->conns, &m.id))
		conn_closed(g, &m);
}

static void on_relay_death(void *owner)
{
	struct gatekeeper *g = owner;

	conns_lost(g);
	helper_gone(g);
}

static void on_relay_fatal(void *owner, const struct err *e)
{
	const struct gatekeeper *g = owner;

	g->cfg.fatal(g->cfg.arg, e);
}

static bool udp_asked(struct gatekeeper *g, const struct relay_msg_udp *m)
{
	const struct flowdesk desk = { .loop = g->cfg.loop,
				       .allow = g->cfg.allow,
				       .admissions = g->admissions,
				       .conns = g->conns,
				       .report = g->cfg.report,
				       .route_fd = g->route_fd,
				       .log_all = g->cfg.log_all };

	return flowdesk_ask(&desk, g->relay.helper.channel, m);
}

static void on_relay(void *owner)
{
	struct gatekeeper *g = owner;
	union {
		uint32_t type;
		struct relay_msg_closed closed;
		struct relay_msg_refused refused;
		struct relay_msg_ready ready;
		struct relay_msg_udp udp;
	} m;

	for (int i = 0; i < RELAY_BATCH; i++) {
		ssize_t size = ipc_recv(g->relay.helper.channel, &m, sizeof(m),
					NULL, NULL, NULL, false);

		if (size == -EAGAIN)
			return;
		if (size == -EPROTO) {
			watched_distrust(&g->relay);
			return;
		}
		if (size <= 0) {
			watched_ended(&g->relay);
			return;
		}
		if (size == sizeof(m.closed) && m.type == RELAY_MSG_CLOSED &&
		    m.closed.end < RELAY_END__COUNT) {
			conn_closed(g, &m.closed);
		} else if (size == sizeof(m.refused) &&
			   is_refused(&m.refused)) {
			conn_refused(g, &m.refused);
		} else if (size == sizeof(m.udp) &&
			   m.type == RELAY_MSG_UDP_ASK &&
			   udp_asked(g, &m.udp)) {
			continue;
		} else if (size != sizeof(m.ready) ||
			   m.type != RELAY_MSG_READY) {
			watched_distrust(&g->relay);
			return;
		}
	}
}

static int run_relay(void *arg, const int *fds)
{
	const struct gatekeeper *g = arg;
	const uint16_t *udp_ports;
	size_t n_udp = allowlist_udp_ports(g->cfg.allow, &udp_ports);
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
		.allow = g->cfg.allow,
		.verify = g->cfg.verify,
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

static bool is_own(const struct gatekeeper *g, const struct addr *a)
{
	return route_lookup(g->route_fd, a) == ROUTE_LOCAL;
}

static int on_connected(void *arg, const struct connection *c, int fd)
{
	struct gatekeeper *g = arg;
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
		(!c->proxied && allowlist_match_address(g->cfg.allow, &c->via,
							c->dst_port) != NULL);
	m.port_named =
		c->admission && admission_names_port(c->admission, c->dst_port);
	rc = conns_add(g->conns, c, loop_now_ms(g->cfg.loop),
		       g->cfg.log_all ? name_of(c) : NULL, &m.id);
	if (rc < 0)
		return rc;
	rc = ipc_send(g->relay.helper.channel, &m, sizeof(m), &fd, 1, false);
	if (rc < 0) {
		struct conn conn;

		if (conns_take(g->conns, m.id, &conn))
			free(conn.name);
		return rc;
	}
	(void)close(fd);
	report_connect(g->cfg.report, m.id, c, name_of(c), 0,
		       BLOCKED_NOT_ALLOWED);
	return 0;
}

/* The same for a client from the host; both ends are there already. */
static int on_called(void *arg, const struct connection *c, int inside,
		     int outside)
{
	struct gatekeeper *g = arg;
	const int fds[] = { inside, outside };
	struct relay_msg_pair m;
	int rc;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_PAIR;
	rc = conns_add(g->conns, c, loop_now_ms(g->cfg.loop), NULL, &m.id);
	if (rc < 0)
		return rc;
	rc = ipc_send(g->relay.helper.channel, &m, sizeof(m), fds, 2, false);
	if (rc < 0) {
		struct conn conn;

		(void)conns_take(g->conns, m.id, &conn);
		return rc;
	}
	(void)close(inside);
	(void)close(outside);
	report_connect(g->cfg.report, m.id, c, NULL, 0, BLOCKED_NOT_ALLOWED);
	return 0;
}

static void on_failed(void *arg, const struct connection *c, int error)
{
	struct gatekeeper *g = arg;

	report_connect(g->cfg.report, 0, c, name_of(c),
		       error == EPERM ? EACCES : error, BLOCKED_NOT_ALLOWED);
}

static void on_refused(void *arg, const struct connection *c)
{
	struct gatekeeper *g = arg;

	enum blocked_reason why = BLOCKED_NOT_ALLOWED;

	if (is_own(g, &c->dst))
		why = BLOCKED_OWN;
	else if (admissions_denies(g->admissions, &c->dst, c->dst_port))
		why = BLOCKED_DENIED;
	report_connect(g->cfg.report, 0, c, NULL, EPERM, why);
}

/* Rejected packets */

static void take_denied(void *arg, uint32_t id, const struct packet_info *p)
{
	struct gatekeeper *g = arg;

	(void)id;
	report_packet(g->cfg.report, p,
		      admissions_find(g->admissions, &p->dst, p->dst_port) !=
			      NULL,
		      is_own(g, &p->dst));
}

static void on_denied(void *arg, uint32_t events)
{
	struct gatekeeper *g = arg;

	(void)events;
	(void)queue_read(g->cfg.cage->gateway[GATEWAY_FD_DENIED], take_denied,
			 g, NULL);
}

/* Life cycle */

static void on_deadline(void *arg)
{
	struct gatekeeper *g = arg;

	if (watched_is_running(&g->relay))
		watched_ended(&g->relay);
}

static void on_filter_deadline(void *arg)
{
	struct gatekeeper *g = arg;

	if (watched_is_running(&g->dns.filter))
		watched_ended(&g->dns.filter);
}

static int init_helpers(struct gatekeeper *g, struct err *e)
{
	const struct cage *c = g->cfg.cage;

	g->dns.cage = c;
	g->dns.allow = g->cfg.allow;
	g->dns.proxy = g->cfg.proxy->rules;
	g->dns.log_all = g->cfg.log_all;
	g->dns.report = g->cfg.report;
	g->dns.filter.on_death = on_filter_death;
	g->dns.filter.on_fatal = on_filter_fatal;
	g->dns.filter.owner = &g->dns;
	g->relay = (struct watched) {
		.helper = { .name = "relay",
			    .comm = "egress-relay",
			    .kind = CALLS_RELAY,
			    .run = run_relay,
			    .arg = g,
			    .fds = { c->gateway[GATEWAY_FD_RELAY4],
				     c->gateway[GATEWAY_FD_RELAY6],
				     c->ready[READY_FD_LOOP_RELAY4],
				     c->ready[READY_FD_LOOP_RELAY6] },
			    .n_fds = RELAY_LISTENERS,
			    .pidfd = -1,
			    .channel = -1,
			    .desk = -1 },
		.loop = g->cfg.loop,
		.ready_size = sizeof(struct relay_msg_ready),
		.on_message = on_relay,
		.on_death = on_relay_death,
		.on_fatal = on_relay_fatal,
		.owner = g,
		.channel = LOOP_SOURCE_NONE,
		.desk = LOOP_SOURCE_NONE,
		.exit = LOOP_SOURCE_NONE,
	};
	for (size_t i = 0; c->n_udp > 0 && i < 2; i++)
		g->relay.helper.fds[g->relay.helper.n_fds++] = c->icmp[i];
	for (size_t i = 0; i < c->n_udp; i++)
		g->relay.helper.fds[g->relay.helper.n_fds++] = c->udp[i];
	return dnsdesk_init(&g->dns, g->cfg.loop, e);
}

static int start_connector(struct gatekeeper *g, struct err *e)
{
	const struct admissions_config admissions = {
		.loop = g->cfg.loop,
		.allowlist = g->cfg.allow,
		.proxy = g->cfg.proxy->rules,
		.nft_fd = g->cfg.cage->gateway[GATEWAY_FD_NFT],
		.route_fd = g->route_fd,
		.grace_ms = (uint64_t)g->cfg.grace_sec * 1000,
	};
	struct connector_config connector = {
		.loop = g->cfg.loop,
		.syn_fd = g->cfg.cage->gateway[GATEWAY_FD_SYN],
		.route_fd = g->route_fd,
		.allowlist = g->cfg.allow,
		.proxy = g->cfg.proxy,
		.events = { on_connected, on_failed, on_refused, g },
	};
	int rc = admissions_new(&g->admissions, &admissions, e);

	if (rc < 0)
		return rc;
	g->dns.admissions = g->admissions;
	connector.admissions = g->admissions;
	rc = connector_new(&g->connector, &connector, e);
	if (rc < 0)
		return rc;
	rc = loop_add(g->cfg.loop, &g->denied,
		      g->cfg.cage->gateway[GATEWAY_FD_DENIED], EPOLLIN,
		      on_denied, g);
	return rc < 0 ? err_errno(e, -rc, "watch rejected packets") : 0;
}

/* The host's loopback, as far as ports of it are open. */
static int start_local(struct gatekeeper *g, struct err *e)
{
	const struct connector_config out = {
		.loop = g->cfg.loop,
		.syn_fd = g->cfg.cage->ready[READY_FD_LOOP_SYN],
		.route_fd = g->route_fd,
		.admissions = g->admissions,
		.allowlist = g->cfg.allow,
		.local = g->cfg.open,
		.events = { on_connected, on_failed, on_refused, g },
	};
	const struct inbound_config in = { .loop = g->cfg.loop,
					   .cage = g->cfg.cage,
					   .sockets = g->cfg.listen,
					   .connected = on_called,
					   .arg = g };
	int rc = 0;

	if (g->cfg.open->n > 0)
		rc = connector_new(&g->local, &out, e);
	if (rc == 0 && g->cfg.listen->n > 0)
		rc = inbound_new(&g->inbound, &in, e);
	return rc;
}

int gatekeeper_start(struct gatekeeper **ret, const struct gatekeeper_config *c,
		     struct err *e)
{
	struct gatekeeper *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return err_errno(e, ENOMEM, "gatekeeper");
	g->cfg = *c;
	g->route_fd = -1;
	g->denied = LOOP_SOURCE_NONE;
	g->deadline.fn = on_deadline;
	g->deadline.arg = g;
	g->filter_deadline.fn = on_filter_deadline;
	g->filter_deadline.arg = g;
	rc = init_helpers(g, e);
	if (rc == 0)
		rc = conns_new(&g->conns, e);
	if (rc == 0)
		rc = watched_start(&g->dns.filter, e);
	if (rc == 0)
		rc = watched_start(&g->relay, e);
	if (rc == 0)
		rc = route_open(&g->route_fd, e);
	if (rc == 0)
		rc = start_connector(g, e);
	if (rc == 0)
		rc = start_local(g, e);
	if (rc == 0)
		rc = helper_wait_ready(&g->dns.filter.helper,
				       g->dns.filter.ready_size, e);
	if (rc == 0)
		rc = helper_wait_ready(&g->relay.helper, g->relay.ready_size,
				       e);
	if (rc < 0) {
		gatekeeper_free(g);
		return rc;
	}
	*ret = g;
	return 0;
}

void gatekeeper_finish(struct gatekeeper *g)
{
	struct relay_msg_finish m;
	uint64_t denied = 0;
	uint64_t spoofed = 0;
	int nft_fd = g->cfg.cage->gateway[GATEWAY_FD_NFT];

	if (g->finishing)
		return;
	g->finishing = true;
	inbound_free(g->inbound);
	g->inbound = NULL;
	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_FINISH;
	on_denied(g, EPOLLIN);
	if (ruleset_read_counter(nft_fd, RULESET_COUNTER_DENIED, &denied) ==
		    0 &&
	    ruleset_read_counter(nft_fd, RULESET_COUNTER_SPOOFED, &spoofed) ==
		    0)
		report_totals(g->cfg.report, denied, spoofed);
	g->relay.ending = true;
	if (loop_timer_arm(g->cfg.loop, &g->deadline, FINISH_MAX_MS) < 0 ||
	    !watched_is_running(&g->relay) ||
	    ipc_send(g->relay.helper.channel, &m, sizeof(m), NULL, 0, false) <
		    0)
		watched_ended(&g->relay);
	dnsdesk_finish(&g->dns);
	if (loop_timer_arm(g->cfg.loop, &g->filter_deadline, FILTER_MAX_MS) < 0)
		on_filter_deadline(g);
}

void gatekeeper_free(struct gatekeeper *g)
{
	if (!g)
		return;
	loop_timer_stop(g->cfg.loop, &g->deadline);
	loop_timer_stop(g->cfg.loop, &g->filter_deadline);
	loop_remove(g->cfg.loop, &g->denied);
	watched_stop(&g->dns.filter);
	watched_stop(&g->relay);
	dnsdesk_done(&g->dns);
	inbound_free(g->inbound);
	connector_free(g->local);
	connector_free(g->connector);
	conns_free(g->conns, g->admissions);
	admissions_free(g->admissions);
	fd_close(&g->route_fd);
	free(g);
}
