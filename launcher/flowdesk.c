/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/flowdesk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/loop.h"
#include "launcher/admission.h"
#include "launcher/connector.h"
#include "launcher/conns.h"
#include "launcher/report.h"
#include "netns/route.h"
#include "profiles/allowlist.h"

/* Sets admission and rule; false if the flow may not be, and why. */
static bool is_permitted(const struct flowdesk *d, struct connection *c,
			 enum blocked_reason *ret_why)
{
	const struct allow_network *net;

	*ret_why = BLOCKED_NOT_ALLOWED;
	if (addr_never(&c->dst))
		return false;
	if (route_lookup(d->route_fd, &c->dst) == ROUTE_LOCAL) {
		*ret_why = BLOCKED_OWN;
		return false;
	}
	if (admissions_denies_udp(d->admissions, &c->dst, c->dst_port)) {
		*ret_why = BLOCKED_DENIED;
		return false;
	}
	c->admission = admissions_find_udp(d->admissions, &c->dst, c->dst_port);
	if (c->admission) {
		c->rule = admission_rule(c->admission);
		return true;
	}
	net = allowlist_match_address_udp(d->allow, &c->dst, c->dst_port);
	c->rule = net ? net->text : NULL;
	return net != NULL;
}

/* Returns the socket or -errno. */
static int connect_to(const struct addr *a, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, port, &ss);
	cleanup_fd int fd =
		socket(a->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	return fd_steal(&fd);
}

static void deny(int channel, const struct relay_msg_udp *ask)
{
	struct relay_msg_udp m = *ask;

	m.type = RELAY_MSG_UDP_DENY;
	/* If there is no room the flow ends by its time. */
	(void)ipc_send(channel, &m, sizeof(m), NULL, 0, false);
}

static void grant(const struct flowdesk *d, int channel,
		  const struct relay_msg_udp *ask, const struct connection *c,
		  int fd)
{
	const char *name = c->admission ? admission_name(c->admission) : "";
	struct relay_msg_udp m = *ask;

	m.type = RELAY_MSG_UDP;
	if (conns_add(d->conns, c, loop_now_ms(d->loop),
		      d->log_all ? name : NULL, &m.id) < 0)
		return;
	if (ipc_send(channel, &m, sizeof(m), &fd, 1, false) < 0) {
		struct conn conn;

		if (conns_take(d->conns, m.id, &conn))
			free(conn.name);
		return;
	}
	if (c->admission)
		admission_hold(c->admission);
	report_connect(d->report, m.id, c, name, 0, BLOCKED_NOT_ALLOWED);
}

bool flowdesk_ask(const struct flowdesk *d, int channel,
		  const struct relay_msg_udp *m)
{
	struct connection c = { .src_port = m->src_port,
				.dst = m->dst,
				.dst_port = m->dst_port,
				.via = m->dst,
				.udp = true };
	enum blocked_reason why;
	cleanup_fd int fd = -1;

	if (!addr_is_sound(&m->dst) || m->src_port == 0 || m->dst_port == 0 ||
	    m->id != 0)
		return false;
	/* Those that it has given up may not all be reported yet. */
	if (conns_n_udp(d->conns) >= UDP_FLOWS_MAX)
		return true;
	if (!is_permitted(d, &c, &why)) {
		report_connect(d->report, 0, &c, NULL, EPERM, why);
		deny(channel, m);
		return true;
	}
	fd = connect_to(&c.dst, c.dst_port);
	if (fd >= 0) {
		grant(d, channel, m, &c, fd);
		return true;
	}
	report_connect(d->report, 0, &c,
		       c.admission ? admission_name(c.admission) : NULL,
		       fd == -EPERM ? EACCES : -fd, BLOCKED_NOT_ALLOWED);
	deny(channel, m);
	return true;
}
