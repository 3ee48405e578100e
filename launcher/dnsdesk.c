/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/dnsdesk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/ipc.h"
#include "common/log.h"
#include "dnsfilter/dnsfilter.h"
#include "launcher/admission.h"
#include "launcher/cage.h"
#include "launcher/report.h"
#include "profiles/allowlist.h"

/* Requests answered with one nftables transaction. */
#define DNS_BATCH 64

union dns_message {
	uint32_t type;
	struct dns_msg_admit admit;
	struct dns_msg_event event;
};

static void take_event(const struct dnsdesk *d, const struct dns_msg_event *ev)
{
	struct allow_ports ports;
	const char *rule = NULL;

	if (ev->name[0] && allowlist_match(d->allow, ev->name, &ports))
		rule = ports.rule;
	report_dns(d->report, ev, rule);
}

static bool event_is_sound(const struct dns_msg_event *ev)
{
	return ev->verdict < DNS_VERDICT__COUNT &&
	       ev->n_addr <= DNS_ADDRESSES_MAX &&
	       memchr(ev->name, '\0', sizeof(ev->name)) &&
	       memchr(ev->text, '\0', sizeof(ev->text));
}

static void send_replies(struct dnsdesk *d, struct dns_msg_admitted *replies,
			 size_t n)
{
	int commit = admissions_commit(d->admissions);

	for (size_t i = 0; i < n; i++) {
		if (commit < 0 && replies[i].granted) {
			replies[i].granted = 0;
			replies[i].error = -commit;
		}
		/* A filter that does not read its answers lets the query time
		 * out: closed, not open. */
		(void)ipc_send(d->filter.helper.channel, &replies[i],
			       sizeof(replies[i]), NULL, 0, false);
	}
	if (commit < 0)
		log_warning("cannot admit addresses: %s; look-ups fail",
			    strerror(-commit));
}

/* One message: 1 if it asked to admit (reply filled), 0 if not, -1 if it is
 * no message of the protocol. */
static int take_message(struct dnsdesk *d, const union dns_message *m,
			size_t size, struct dns_msg_admitted *reply)
{
	if (size == sizeof(m->admit) && m->type == DNS_MSG_ADMIT)
		return admissions_stage(d->admissions, &m->admit, reply) < 0
			       ? -1
			       : 1;
	if (size == sizeof(m->event) && m->type == DNS_MSG_EVENT &&
	    event_is_sound(&m->event)) {
		take_event(d, &m->event);
		return 0;
	}
	return size == sizeof(struct dns_msg_ready) && m->type == DNS_MSG_READY
		       ? 0
		       : -1;
}

static void on_message(void *owner)
{
	struct dnsdesk *d = owner;
	struct dns_msg_admitted replies[DNS_BATCH];
	union dns_message m;
	size_t n = 0;
	int kind = 0;
	ssize_t size = -EAGAIN;

	while (n < DNS_BATCH && kind >= 0) {
		size = ipc_recv(d->filter.helper.channel, &m, sizeof(m), NULL,
				NULL, NULL, false);
		if (size <= 0)
			break;
		kind = take_message(d, &m, (size_t)size, &replies[n]);
		if (kind > 0)
			n++;
	}
	send_replies(d, replies, n);
	if (kind < 0)
		watched_distrust(&d->filter);
	else if (size == 0 || (size < 0 && size != -EAGAIN))
		watched_ended(&d->filter);
}

static int run_dnsfilter(void *arg, int channel)
{
	const struct dnsdesk *d = arg;
	const struct cage *c = d->cage;
	const struct dnsfilter_config cfg = {
		.allowlist = d->allow,
		.channel = channel,
		.udp = { c->gateway[GATEWAY_FD_DNS_UDP],
			 c->ready[READY_FD_DNS_UDP] },
		.n_udp = 2,
		.tcp = { c->gateway[GATEWAY_FD_DNS_TCP],
			 c->ready[READY_FD_DNS_TCP] },
		.n_tcp = 2,
		.resolv_conf = "/etc/resolv.conf",
		.hosts = "/etc/hosts",
		.log_all = d->log_all,
	};

	return dnsfilter_main(&cfg);
}

void dnsdesk_init(struct dnsdesk *d)
{
	const struct cage *c = d->cage;

	d->filter.helper = (struct helper) {
		.name = "DNS filter",
		.comm = "egress-dns",
		.kind = CALLS_DNSFILTER,
		.run = run_dnsfilter,
		.arg = d,
		.fds = { c->gateway[GATEWAY_FD_DNS_UDP],
			 c->gateway[GATEWAY_FD_DNS_TCP],
			 c->ready[READY_FD_DNS_UDP],
			 c->ready[READY_FD_DNS_TCP] },
		.n_fds = 4,
		.pidfd = -1,
		.channel = -1,
	};
	d->filter.ready_size = sizeof(struct dns_msg_ready);
	d->filter.again_status = DNSFILTER_EXIT_AGAIN;
	d->filter.on_message = on_message;
	d->filter.channel = LOOP_SOURCE_NONE;
	d->filter.exit = LOOP_SOURCE_NONE;
}

void dnsdesk_finish(struct dnsdesk *d)
{
	d->filter.ending = true;
	if (!watched_is_running(&d->filter) ||
	    shutdown(d->filter.helper.channel, SHUT_WR) < 0)
		watched_ended(&d->filter);
}
