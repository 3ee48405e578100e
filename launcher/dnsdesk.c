/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/dnsdesk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "dnsfilter/dnsfilter.h"
#include "launcher/admission.h"
#include "launcher/cage.h"
#include "launcher/dnssocket.h"
#include "launcher/hostfiles.h"
#include "launcher/report.h"
#include "profiles/allowlist.h"

/* Requests answered with one nftables transaction. */
#define DNS_BATCH 64
/* Sockets made in one turn of the loop. */
#define SOCKET_BATCH	16
#define CONFIG_RETRY_MS 20

union dns_message {
	uint32_t type;
	struct dns_msg_admit admit;
	struct dns_msg_event event;
	struct dns_msg_refresh refresh;
	struct dns_msg_ready ready;
};

/* The files of now; a queue that is full has to wait. */
static int send_config(void *owner, struct err *e)
{
	struct dnsdesk *d = owner;
	cleanup_fd int hosts = -1;
	struct dns_msg_config m;
	int rc = hostfiles_open_hosts(&hosts);

	if (rc < 0)
		return err_errno(e, -rc, "read %s", HOSTFILES_HOSTS);
	memset(&m, 0, sizeof(m));
	m.type = DNS_MSG_CONFIG;
	m.resolvers = *hostfiles_resolvers(d->files);
	rc = ipc_send(d->filter.helper.channel, &m, sizeof(m), &hosts,
		      hosts >= 0, false);
	if (rc == -EAGAIN)
		rc = loop_timer_arm(d->filter.loop, &d->config_due,
				    CONFIG_RETRY_MS);
	/* Its end is seen, and told, elsewhere. */
	if (rc == 0 || rc == -EPIPE || rc == -ECONNRESET)
		return 0;
	return err_errno(e, -rc, "write to the DNS filter process");
}

/* Without them it would serve nobody, or by files of before. */
static bool update_filter(struct dnsdesk *d)
{
	struct err e = { 0 };
	int rc = send_config(d, &e);

	if (rc < 0)
		log_warning("%s", e.msg);
	return rc == 0;
}

static void on_files_changed(void *owner)
{
	struct dnsdesk *d = owner;

	if (watched_is_running(&d->filter) && !update_filter(d))
		watched_ended(&d->filter);
}

static void take_event(const struct dnsdesk *d, const struct dns_msg_event *ev)
{
	struct allow_ports ports;
	const char *rule = NULL;

	if (ev->name[0] && allowlist_match(d->allow, ev->name, &ports))
		rule = ports.rule;
	report_dns(d->report, ev, rule);
}

/* It goes to the user's terminal. */
static bool text_is_sound(const char text[static HOSTNAME_BUF])
{
	const char *end = memchr(text, '\0', HOSTNAME_BUF);

	for (const char *p = text; end && p < end; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return end;
}

static bool name_is_sound(const char name[static HOSTNAME_BUF])
{
	char canonical[HOSTNAME_BUF];

	return memchr(name, '\0', HOSTNAME_BUF) &&
	       (!*name || (hostname_from_text(name, canonical, NULL) == 0 &&
			   strcmp(canonical, name) == 0));
}

/* One that looks like an address, which a client may ask for as well, is no
 * name by hostname_from_text(), and denied. */
static bool is_denied_address(const struct dns_msg_event *ev)
{
	return ev->verdict == DNS_VERDICT_DENY && text_is_sound(ev->name) &&
	       hostname_looks_like_address(ev->name);
}

static bool event_is_sound(const struct dns_msg_event *ev)
{
	if (ev->verdict >= DNS_VERDICT__COUNT || ev->cached > 1 ||
	    ev->count == 0 || ev->n_addr > DNS_ADDRESSES_MAX ||
	    !(name_is_sound(ev->name) || is_denied_address(ev)) ||
	    !text_is_sound(ev->text))
		return false;
	for (uint16_t i = 0; i < ev->n_addr; i++)
		if (!addr_is_sound(&ev->addr[i]))
			return false;
	return true;
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
	if (size == sizeof(m->refresh) && m->type == DNS_MSG_REFRESH) {
		d->config_wanted = true;
		return 0;
	}
	return size == sizeof(m->ready) && m->type == DNS_MSG_READY ? 0 : -1;
}

/* The last of a turn, since the filter may end of it. */
static void answer_refresh(struct dnsdesk *d)
{
	pid_t pid = d->filter.helper.pid;

	if (d->config_wanted)
		hostfiles_sync(d->files);
	else
		hostfiles_check(d->files);
	if (d->config_wanted && d->filter.helper.pid == pid &&
	    !update_filter(d))
		watched_ended(&d->filter);
	d->config_wanted = false;
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
	if (kind < 0 || size == -EPROTO)
		watched_distrust(&d->filter);
	else if (size == 0 || (size < 0 && size != -EAGAIN))
		watched_ended(&d->filter);
	else
		answer_refresh(d);
}

/* The resolvers are known here by a reading of our own. */
static int open_socket(const struct dnsdesk *d, const struct dns_msg_socket *m)
{
	const struct resolvconf *now = hostfiles_resolvers(d->files);
	int i = dnssocket_find(now, &m->server);

	return i < 0 ? -ESTALE : dnssocket_open(now, i, m->transport);
}

/* False if no honest filter says so; one that did not yet hear of a change may
 * name a resolver of before, and gets an error. */
static bool request_is_sound(const struct dnsdesk *d,
			     const struct dns_msg_socket *m)
{
	return m->type == DNS_MSG_SOCKET &&
	       m->transport < DNS_TRANSPORT__COUNT && m->error == 0 &&
	       (dnssocket_find(hostfiles_resolvers(d->files), &m->server) >=
			0 ||
		dnssocket_find(hostfiles_resolvers_before(d->files),
			       &m->server) >= 0);
}

static void on_desk(void *owner)
{
	struct dnsdesk *d = owner;

	for (int i = 0; i < SOCKET_BATCH; i++) {
		cleanup_fd int fd = -1;
		struct dns_msg_socket m;
		ssize_t size = ipc_recv(d->filter.helper.desk, &m, sizeof(m),
					NULL, NULL, NULL, false);

		if (size == -EAGAIN)
			return;
		if (size == 0 || (size < 0 && size != -EPROTO)) {
			watched_ended(&d->filter);
			return;
		}
		if (size != sizeof(m) || !request_is_sound(d, &m)) {
			watched_distrust(&d->filter);
			return;
		}
		fd = open_socket(d, &m);
		if (fd < 0)
			m.error = -fd;
		/* One that does not read its answers gets none. */
		(void)ipc_send(d->filter.helper.desk, &m, sizeof(m), &fd,
			       fd >= 0, false);
	}
}

enum filter_fd {
	FILTER_FD_CHANGED = HELPER_FD__COUNT,
	FILTER_FD_DNS_UDP,
	FILTER_FD_DNS_UDP_LO,
	FILTER_FD_DNS_TCP,
	FILTER_FD_DNS_TCP_LO,
	FILTER_FD__END,
};

static int run_dnsfilter(void *arg, const int *fds)
{
	const struct dnsdesk *d = arg;
	const struct dnsfilter_config cfg = {
		.allowlist = d->allow,
		.proxy = d->proxy,
		.channel = fds[HELPER_FD_CHANNEL],
		.desk = fds[HELPER_FD_DESK],
		.changed = fds[FILTER_FD_CHANGED],
		.udp = { fds[FILTER_FD_DNS_UDP], fds[FILTER_FD_DNS_UDP_LO] },
		.n_udp = 2,
		.tcp = { fds[FILTER_FD_DNS_TCP], fds[FILTER_FD_DNS_TCP_LO] },
		.n_tcp = 2,
		.log_all = d->log_all,
	};

	return dnsfilter_main(&cfg);
}

int dnsdesk_init(struct dnsdesk *d, struct loop *l, struct err *e)
{
	const struct cage *c = d->cage;
	int rc;

	d->config_due.fn = on_files_changed;
	d->config_due.arg = d;
	d->filter.helper = (struct helper) {
		.name = "DNS filter",
		.comm = "egress-dns",
		.kind = CALLS_DNSFILTER,
		.run = run_dnsfilter,
		.arg = d,
		.fds = { -1, /* below */
			 c->gateway[GATEWAY_FD_DNS_UDP],
			 c->ready[READY_FD_DNS_UDP],
			 c->gateway[GATEWAY_FD_DNS_TCP],
			 c->ready[READY_FD_DNS_TCP] },
		.n_fds = FILTER_FD__END - HELPER_FD__COUNT,
		.pidfd = -1,
		.channel = -1,
		.desk = -1,
	};
	d->filter.loop = l;
	d->filter.ready_size = sizeof(struct dns_msg_ready);
	d->filter.on_message = on_message;
	d->filter.on_start = send_config;
	d->filter.on_desk = on_desk;
	d->filter.channel = LOOP_SOURCE_NONE;
	d->filter.desk = LOOP_SOURCE_NONE;
	d->filter.exit = LOOP_SOURCE_NONE;
	rc = hostfiles_new(&d->files, l, on_files_changed, d, e);
	if (rc == 0)
		d->filter.helper.fds[0] = hostfiles_signal(d->files);
	return rc;
}

void dnsdesk_done(struct dnsdesk *d)
{
	if (!d->files)
		return;
	loop_timer_stop(d->filter.loop, &d->config_due);
	hostfiles_free(d->files);
	d->files = NULL;
}

void dnsdesk_finish(struct dnsdesk *d)
{
	d->filter.ending = true;
	if (!watched_is_running(&d->filter) ||
	    shutdown(d->filter.helper.channel, SHUT_WR) < 0)
		watched_ended(&d->filter);
}
