/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/gatekeeper.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "dnsfilter/dnsfilter.h"
#include "launcher/admission.h"
#include "launcher/cage.h"
#include "launcher/connector.h"
#include "launcher/conns.h"
#include "launcher/helper.h"
#include "launcher/options.h"
#include "launcher/report.h"
#include "netns/queue.h"
#include "netns/route.h"
#include "netns/ruleset.h"
#include "profiles/allowlist.h"
#include "relay/relay.h"

/* Requests answered with one nft transaction. */
#define DNS_BATCH 64
/* More deaths of one helper than this within the window end the run. */
#define RESTARTS_MAX	  8
#define RESTART_WINDOW_MS 10000
#define CLAIM_TIMEOUT_MS  10000
/* After the command's end: without progress, and in all. */
#define FINISH_IDLE_MS 2000
#define FINISH_MAX_MS  30000

struct watched {
	struct helper helper;
	struct gatekeeper *owner;
	struct loop_source channel;
	struct loop_source exit;
	loop_fd_fn *on_message;
	size_t ready_size;
	unsigned n_deaths;
	uint64_t window_ms;
};

struct gatekeeper {
	struct gatekeeper_config cfg;
	int route_fd;
	struct admissions *admissions;
	struct connector *connector;
	struct conns *conns;
	struct watched dns;
	struct watched relay;
	struct loop_source denied;
	struct loop_timer deadline;
	bool finishing;
};

union dns_message {
	uint32_t type;
	struct dns_msg_admit admit;
	struct dns_msg_event event;
};

static int watched_start(struct watched *w, struct err *e);

static void conns_lost(struct gatekeeper *g);

/* A helper ended: expected at the end of the run, else it is replaced. */
static void watched_ended(struct watched *w)
{
	struct gatekeeper *g = w->owner;
	uint64_t now = loop_now_ms(g->cfg.loop);
	struct err e = { 0 };
	int status;

	loop_remove(g->cfg.loop, &w->channel);
	loop_remove(g->cfg.loop, &w->exit);
	status = helper_stop(&w->helper);
	if (w == &g->relay)
		conns_lost(g);
	if (g->finishing) {
		if (!g->dns.helper.pid && !g->relay.helper.pid)
			g->cfg.finished(g->cfg.arg);
		return;
	}
	if (now - w->window_ms > RESTART_WINDOW_MS) {
		w->window_ms = now;
		w->n_deaths = 0;
	}
	log_warning("the %s process ended (%s %d); starting it again",
		    w->helper.name, WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
	if (++w->n_deaths > RESTARTS_MAX)
		(void)err_set(&e, ECHILD, "the %s process keeps dying",
			      w->helper.name);
	else if (watched_start(w, &e) == 0)
		return;
	g->cfg.fatal(g->cfg.arg, &e);
}

static void on_helper_exit(void *arg, uint32_t events)
{
	struct watched *w = arg;

	(void)events;
	/* What it said last comes first. */
	w->on_message(w->owner, EPOLLIN);
	if (w->helper.pid > 0)
		watched_ended(w);
}

static int watched_start(struct watched *w, struct err *e)
{
	struct gatekeeper *g = w->owner;
	int rc = helper_start(&w->helper, e);

	if (rc < 0)
		return rc;
	rc = loop_add(g->cfg.loop, &w->channel, w->helper.channel, EPOLLIN,
		      w->on_message, g);
	if (rc == 0)
		rc = loop_add(g->cfg.loop, &w->exit, w->helper.pidfd, EPOLLIN,
			      on_helper_exit, w);
	return rc < 0 ? err_errno(e, -rc, "watch the %s process",
				  w->helper.name)
		      : 0;
}

/* It spoke nonsense or fell silent: out of trust. */
static void distrust(struct watched *w, const char *why)
{
	log_warning("the %s process %s", w->helper.name, why);
	watched_ended(w);
}

/* DNS filter */

static void take_event(struct gatekeeper *g, const struct dns_msg_event *ev)
{
	struct allow_ports ports;
	const char *rule = NULL;

	if (ev->name[0] && ev->verdict != DNS_VERDICT_DENY &&
	    allowlist_match(g->cfg.options->allow, ev->name, &ports))
		rule = ports.rule;
	report_dns(g->cfg.report, ev, rule);
}

static bool event_is_sound(const struct dns_msg_event *ev)
{
	return ev->verdict < DNS_VERDICT__COUNT &&
	       ev->n_addr <= DNS_ADDRESSES_MAX &&
	       memchr(ev->name, '\0', sizeof(ev->name)) &&
	       memchr(ev->text, '\0', sizeof(ev->text));
}

static void send_replies(struct gatekeeper *g, struct dns_msg_admitted *replies,
			 size_t n)
{
	int commit = admissions_commit(g->admissions);

	for (size_t i = 0; i < n; i++) {
		if (commit < 0 && replies[i].granted) {
			replies[i].granted = 0;
			replies[i].error = -commit;
		}
		/* A filter that does not read its answers lets the query time
		 * out: closed, not open. */
		(void)ipc_send(g->dns.helper.channel, &replies[i],
			       sizeof(replies[i]), NULL, 0, false);
	}
	if (commit < 0)
		log_warning("cannot admit addresses: %s; look-ups fail",
			    strerror(-commit));
}

/* One message: 1 if it asked to admit (reply filled), 0 if not, -1 if it is
 * no message of the protocol. */
static int take_dns_message(struct gatekeeper *g, const union dns_message *m,
			    size_t size, struct dns_msg_admitted *reply)
{
	if (size == sizeof(m->admit) && m->type == DNS_MSG_ADMIT)
		return admissions_stage(g->admissions, &m->admit, reply) < 0
			       ? -1
			       : 1;
	if (size == sizeof(m->event) && m->type == DNS_MSG_EVENT &&
	    event_is_sound(&m->event)) {
		take_event(g, &m->event);
		return 0;
	}
	return size == sizeof(struct dns_msg_ready) && m->type == DNS_MSG_READY
		       ? 0
		       : -1;
}

static void on_dns(void *arg, uint32_t events)
{
	struct gatekeeper *g = arg;
	struct dns_msg_admitted replies[DNS_BATCH];
	union dns_message m;
	size_t n = 0;
	int kind = 0;
	ssize_t size = -EAGAIN;

	(void)events;
	while (n < DNS_BATCH && kind >= 0) {
		size = ipc_recv(g->dns.helper.channel, &m, sizeof(m), NULL,
				NULL, NULL, false);
		if (size <= 0)
			break;
		kind = take_dns_message(g, &m, (size_t)size, &replies[n]);
		if (kind > 0)
			n++;
	}
	send_replies(g, replies, n);
	if (kind < 0)
		distrust(&g->dns, "broke the protocol");
	else if (size == 0 || (size < 0 && size != -EAGAIN))
		watched_ended(&g->dns);
}

static int run_dnsfilter(void *arg, int channel)
{
	const struct gatekeeper *g = arg;
	const struct cage *c = g->cfg.cage;
	const struct dnsfilter_config cfg = {
		.allowlist = g->cfg.options->allow,
		.channel = channel,
		.udp = { c->gateway[GATEWAY_FD_DNS_UDP], c->loopback_udp },
		.n_udp = 2,
		.tcp = { c->gateway[GATEWAY_FD_DNS_TCP], c->loopback_tcp },
		.n_tcp = 2,
		.resolv_conf = "/etc/resolv.conf",
		.hosts = "/etc/hosts",
		.log_all = g->cfg.options->log_path != NULL,
	};

	return dnsfilter_main(&cfg);
}

/* Relay and connections */

static void conn_closed(struct gatekeeper *g, const struct relay_msg_closed *m)
{
	struct conn conn;

	if (!conns_take(g->conns, m->id, &conn))
		return;
	report_close(g->cfg.report, m, &conn.dst, conn.dst_port, conn.name,
		     loop_now_ms(g->cfg.loop) - conn.started_ms);
	if (conn.admission)
		admission_release(g->admissions, conn.admission);
	free(conn.name);
}

/* The relay died and its connections with it. */
static void conns_lost(struct gatekeeper *g)
{
	struct relay_msg_closed m = { .end = RELAY_END_ERROR };

	while (conns_any(g->conns, &m.id))
		conn_closed(g, &m);
}

static void on_relay(void *arg, uint32_t events)
{
	struct gatekeeper *g = arg;
	union {
		uint32_t type;
		struct relay_msg_closed closed;
		struct relay_msg_ready ready;
	} m;

	(void)events;
	for (;;) {
		ssize_t size = ipc_recv(g->relay.helper.channel, &m, sizeof(m),
					NULL, NULL, NULL, false);

		if (size == -EAGAIN)
			return;
		if (size <= 0) {
			watched_ended(&g->relay);
			return;
		}
		if (size == sizeof(m.closed) && m.type == RELAY_MSG_CLOSED &&
		    m.closed.end < RELAY_END__COUNT) {
			conn_closed(g, &m.closed);
		} else if (size != sizeof(m.ready) ||
			   m.type != RELAY_MSG_READY) {
			distrust(&g->relay, "broke the protocol");
			return;
		}
	}
}

static int run_relay(void *arg, int channel)
{
	const struct gatekeeper *g = arg;
	const struct cage *c = g->cfg.cage;
	const struct relay_config cfg = {
		.channel = channel,
		.listener4 = c->gateway[GATEWAY_FD_RELAY4],
		.listener6 = c->gateway[GATEWAY_FD_RELAY6],
		.claim_timeout_ms = CLAIM_TIMEOUT_MS,
		.finish_timeout_ms = FINISH_IDLE_MS,
	};

	return relay_main(&cfg);
}

static const char *name_of(const struct connection *c)
{
	return c->admission ? admission_name(c->admission) : "";
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
	rc = conns_add(g->conns, c, loop_now_ms(g->cfg.loop),
		       g->cfg.options->log_path ? name_of(c) : NULL, &m.id);
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
	report_connect(g->cfg.report, m.id, c, name_of(c), 0);
	return 0;
}

static void on_failed(void *arg, const struct connection *c, int error)
{
	struct gatekeeper *g = arg;

	report_connect(g->cfg.report, 0, c, name_of(c),
		       error == EPERM ? EACCES : error);
}

static void on_refused(void *arg, const struct connection *c)
{
	struct gatekeeper *g = arg;

	report_connect(g->cfg.report, 0, c, NULL, EPERM);
}

/* Rejected packets */

static void take_denied(void *arg, uint32_t id, const struct packet_info *p)
{
	struct gatekeeper *g = arg;

	(void)id;
	report_packet(g->cfg.report, p,
		      admissions_find(g->admissions, &p->dst, p->dst_port) !=
			      NULL);
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

	if (g->relay.helper.pid > 0)
		watched_ended(&g->relay);
	if (g->dns.helper.pid > 0)
		watched_ended(&g->dns);
}

static void init_watched(struct gatekeeper *g)
{
	const struct cage *c = g->cfg.cage;

	g->dns = (struct watched) {
		.helper = { .name = "DNS filter",
			    .comm = "egress-dns",
			    .run = run_dnsfilter,
			    .arg = g,
			    .fds = { c->gateway[GATEWAY_FD_DNS_UDP],
				     c->gateway[GATEWAY_FD_DNS_TCP],
				     c->loopback_udp, c->loopback_tcp, -1, -1,
				     -1, -1 },
			    .pidfd = -1,
			    .channel = -1 },
		.owner = g,
		.channel = LOOP_SOURCE_NONE,
		.exit = LOOP_SOURCE_NONE,
		.on_message = on_dns,
		.ready_size = sizeof(struct dns_msg_ready),
	};
	g->relay = (struct watched) {
		.helper = { .name = "relay",
			    .comm = "egress-relay",
			    .run = run_relay,
			    .arg = g,
			    .fds = { c->gateway[GATEWAY_FD_RELAY4],
				     c->gateway[GATEWAY_FD_RELAY6], -1, -1, -1,
				     -1, -1, -1 },
			    .pidfd = -1,
			    .channel = -1 },
		.owner = g,
		.channel = LOOP_SOURCE_NONE,
		.exit = LOOP_SOURCE_NONE,
		.on_message = on_relay,
		.ready_size = sizeof(struct relay_msg_ready),
	};
}

static int start_connector(struct gatekeeper *g, struct err *e)
{
	const struct admissions_config admissions = {
		.loop = g->cfg.loop,
		.allowlist = g->cfg.options->allow,
		.nft_fd = g->cfg.cage->gateway[GATEWAY_FD_NFT],
		.route_fd = g->route_fd,
		.grace_ms = (uint64_t)g->cfg.options->grace_sec * 1000,
	};
	struct connector_config connector = {
		.loop = g->cfg.loop,
		.syn_fd = g->cfg.cage->gateway[GATEWAY_FD_SYN],
		.route_fd = g->route_fd,
		.allowlist = g->cfg.options->allow,
		.events = { on_connected, on_failed, on_refused, g },
	};
	int rc = admissions_new(&g->admissions, &admissions, e);

	if (rc < 0)
		return rc;
	connector.admissions = g->admissions;
	rc = connector_new(&g->connector, &connector, e);
	if (rc < 0)
		return rc;
	rc = loop_add(g->cfg.loop, &g->denied,
		      g->cfg.cage->gateway[GATEWAY_FD_DENIED], EPOLLIN,
		      on_denied, g);
	return rc < 0 ? err_errno(e, -rc, "watch rejected packets") : 0;
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
	init_watched(g);
	rc = conns_new(&g->conns, e);
	if (rc == 0)
		rc = watched_start(&g->dns, e);
	if (rc == 0)
		rc = watched_start(&g->relay, e);
	if (rc == 0)
		rc = route_open(&g->route_fd, e);
	if (rc == 0)
		rc = start_connector(g, e);
	if (rc == 0)
		rc = helper_wait_ready(&g->dns.helper, g->dns.ready_size, e);
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
	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_FINISH;
	on_denied(g, EPOLLIN);
	if (ruleset_read_counter(nft_fd, RULESET_COUNTER_DENIED, &denied) ==
		    0 &&
	    ruleset_read_counter(nft_fd, RULESET_COUNTER_SPOOFED, &spoofed) ==
		    0)
		report_totals(g->cfg.report, denied, spoofed);
	if (loop_timer_arm(g->cfg.loop, &g->deadline, FINISH_MAX_MS) < 0 ||
	    ipc_send(g->relay.helper.channel, &m, sizeof(m), NULL, 0, false) <
		    0)
		watched_ended(&g->relay);
	/* End of file: the filter leaves, its last reports stay readable. */
	if (g->dns.helper.channel < 0 ||
	    shutdown(g->dns.helper.channel, SHUT_WR) < 0)
		watched_ended(&g->dns);
}

void gatekeeper_free(struct gatekeeper *g)
{
	if (!g)
		return;
	loop_timer_stop(g->cfg.loop, &g->deadline);
	loop_remove(g->cfg.loop, &g->denied);
	loop_remove(g->cfg.loop, &g->dns.channel);
	loop_remove(g->cfg.loop, &g->dns.exit);
	loop_remove(g->cfg.loop, &g->relay.channel);
	loop_remove(g->cfg.loop, &g->relay.exit);
	(void)helper_stop(&g->dns.helper);
	(void)helper_stop(&g->relay.helper);
	connector_free(g->connector);
	conns_free(g->conns, g->admissions);
	admissions_free(g->admissions);
	fd_close(&g->route_fd);
	free(g);
}
