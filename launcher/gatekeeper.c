/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/gatekeeper.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/htab.h"
#include "common/loop.h"
#include "launcher/admission.h"
#include "launcher/cage.h"
#include "launcher/connector.h"
#include "launcher/dnsdesk.h"
#include "launcher/inbound.h"
#include "launcher/proxy.h"
#include "launcher/relaydesk.h"
#include "launcher/report.h"
#include "launcher/watch.h"
#include "netns/queue.h"
#include "netns/route.h"
#include "netns/ruleset.h"
#include "profiles/allowlist.h"

/* After the command's end, in all. */
#define FINISH_MAX_MS 30000
/* The filter has nothing to deliver but its last reports. */
#define FILTER_MAX_MS 2000

struct gatekeeper {
	struct gatekeeper_config cfg;
	int route_fd;
	struct admissions *admissions;
	struct connector *connector;
	struct connector *local; /* to the host's loopback, or NULL */
	struct inbound *inbound; /* from there, or NULL */
	struct dnsdesk dns;
	struct relaydesk relay;
	struct loop_source denied;
	struct loop_timer deadline;
	struct loop_timer filter_deadline;
	bool finishing;
};

/* A helper ended; at the end of the run that is what is waited for. */
static void helper_gone(struct gatekeeper *g)
{
	if (g->finishing && !watched_is_running(&g->dns.filter) &&
	    !watched_is_running(&g->relay.relay))
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

static struct gatekeeper *of_relay(void *owner)
{
	struct relaydesk *d = owner;

	return htab_entry(d, struct gatekeeper, relay);
}

static void on_relay_death(void *owner)
{
	relaydesk_lost(owner);
	helper_gone(of_relay(owner));
}

static void on_relay_fatal(void *owner, const struct err *e)
{
	const struct gatekeeper *g = of_relay(owner);

	g->cfg.fatal(g->cfg.arg, e);
}

static const char *name_of(const struct connection *c)
{
	return c->admission ? admission_name(c->admission) : "";
}

static bool is_own(const struct gatekeeper *g, const struct addr *a)
{
	return route_lookup(g->route_fd, a) == ROUTE_LOCAL;
}

/* Connections */

static int on_connected(void *arg, const struct connection *c, int fd)
{
	struct gatekeeper *g = arg;

	return relaydesk_connected(&g->relay, c, fd);
}

static int on_called(void *arg, const struct connection *c, int inside,
		     int outside)
{
	struct gatekeeper *g = arg;

	return relaydesk_called(&g->relay, c, inside, outside);
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

	if (watched_is_running(&g->relay.relay))
		watched_ended(&g->relay.relay);
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
	g->relay.loop = g->cfg.loop;
	g->relay.cage = c;
	g->relay.allow = g->cfg.allow;
	g->relay.verify = g->cfg.verify;
	g->relay.log_all = g->cfg.log_all;
	g->relay.report = g->cfg.report;
	relaydesk_init(&g->relay);
	g->relay.relay.on_death = on_relay_death;
	g->relay.relay.on_fatal = on_relay_fatal;
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
	g->relay.admissions = g->admissions;
	g->relay.route_fd = g->route_fd;
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
		rc = watched_start(&g->dns.filter, e);
	if (rc == 0)
		rc = relaydesk_start(&g->relay, e);
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
		rc = helper_wait_ready(&g->relay.relay.helper,
				       g->relay.relay.ready_size, e);
	if (rc < 0) {
		gatekeeper_free(g);
		return rc;
	}
	*ret = g;
	return 0;
}

void gatekeeper_finish(struct gatekeeper *g)
{
	uint64_t denied = 0;
	uint64_t spoofed = 0;
	int nft_fd = g->cfg.cage->gateway[GATEWAY_FD_NFT];

	if (g->finishing)
		return;
	g->finishing = true;
	inbound_free(g->inbound);
	g->inbound = NULL;
	on_denied(g, EPOLLIN);
	if (ruleset_read_counter(nft_fd, RULESET_COUNTER_DENIED, &denied) ==
		    0 &&
	    ruleset_read_counter(nft_fd, RULESET_COUNTER_SPOOFED, &spoofed) ==
		    0)
		report_totals(g->cfg.report, denied, spoofed);
	if (relaydesk_finish(&g->relay) < 0 ||
	    loop_timer_arm(g->cfg.loop, &g->deadline, FINISH_MAX_MS) < 0)
		watched_ended(&g->relay.relay);
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
	watched_stop(&g->relay.relay);
	dnsdesk_done(&g->dns);
	inbound_free(g->inbound);
	connector_free(g->local);
	connector_free(g->connector);
	relaydesk_done(&g->relay);
	admissions_free(g->admissions);
	fd_close(&g->route_fd);
	free(g);
}
