/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * c-ares 1.18 in our loop.  What to know about it:
 * - A callback may run inside ares_query() and ares_process_fd(), and may start
 *   the next query there; the channel must not be destroyed there.  depth
 *   counts how deep we are in such a call.
 * - ares_destroy() ends each query with ARES_EDESTRUCTION.  A changed
 *   configuration makes a new channel first; the old one's questions then move
 * to it from that callback.
 * - After one FORMERR without OPT the channel stops using EDNS; other questions
 *   that were under way then get FORMERR for good, and are asked once more.
 * - With the servers, domains, look-ups, sort list and numbers all given it
 *   reads no file but /dev/urandom, and does without that (transport.c).
 * - It closes its sockets when no question is left, and opens new ones, with
 *   new ports, for the next.
 * - SERVFAIL, NOTIMP and REFUSED make it try the next server, and end as
 *   ARES_ECONNREFUSED without a message.
 */
#include "dnsfilter/upstream.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/time.h>

#include "common/log.h"
#include "dnsfilter/sockets.h"
#include "dnsfilter/transport.h"

struct asked {
	TAILQ_ENTRY(asked) link; /* while fn is set */
	struct upstream *u;
	upstream_fn *fn; /* NULL: the deadline is over, nobody waits */
	void *arg;
	uint64_t deadline_ms;
	uint16_t type;
	bool repeated;
	char name[HOSTNAME_BUF];
};

struct upstream {
	struct loop *loop;
	struct sockets *sockets;
	struct transport *transport;
	ares_channel channel; /* NULL: not configured */
	struct resolvconf resolvers;
	struct loop_timer retry_timer; /* c-ares' own timeouts */
	struct loop_timer deadline_timer;
	TAILQ_HEAD(asked_list, asked) waiting; /* by deadline */
	size_t n_outstanding;
	size_t outstanding_max;
	unsigned depth;
	bool closing;
};

static void start(struct asked *a);

static void arm_timers(struct upstream *u)
{
	struct asked *first = TAILQ_FIRST(&u->waiting);
	uint64_t now = loop_now_ms(u->loop);
	struct timeval room;
	struct timeval *next =
		u->channel ? ares_timeout(u->channel, NULL, &room) : NULL;

	if (!next)
		loop_timer_stop(u->loop, &u->retry_timer);
	else if (loop_timer_arm(u->loop, &u->retry_timer,
				(uint64_t)next->tv_sec * 1000 +
					(uint64_t)next->tv_usec / 1000 + 1) < 0)
		log_warning("dns: out of memory for a timer");
	if (!first)
		loop_timer_stop(u->loop, &u->deadline_timer);
	else if (u->deadline_timer.slot == 0 &&
		 loop_timer_arm(u->loop, &u->deadline_timer,
				first->deadline_ms > now
					? first->deadline_ms - now
					: 0) < 0)
		log_warning("dns: out of memory for a timer");
}

static void process(struct upstream *u, ares_socket_t in, ares_socket_t out)
{
	u->depth++;
	ares_process_fd(u->channel, in, out);
	u->depth--;
	arm_timers(u);
}

static void on_retry_timer(void *arg)
{
	process(arg, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket_ready(void *arg, ares_socket_t handle, uint32_t events)
{
	process(arg,
		(events & (EPOLLIN | EPOLLERR | EPOLLHUP)) ? handle
							   : ARES_SOCKET_BAD,
		(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ? handle
							    : ARES_SOCKET_BAD);
}

static void finish(struct asked *a, const struct dns_chain *answer,
		   const struct upstream_failure *failure)
{
	upstream_fn *fn = a->fn;

	a->fn = NULL;
	if (!fn)
		return;
	TAILQ_REMOVE(&a->u->waiting, a, link);
	if (!a->u->closing)
		fn(a->arg, answer, failure);
}

static void fail(struct asked *a, int status)
{
	static const struct upstream_failure timeout = {
		DNS_EDE_NO_REACHABLE_AUTHORITY,
		"egress-run: no resolver answered in time"
	};
	static const struct upstream_failure refused = {
		DNS_EDE_NETWORK_ERROR,
		"egress-run: no resolver could be reached, or all reported "
		"an error"
	};
	static const struct upstream_failure bad = {
		DNS_EDE_INVALID_DATA,
		"egress-run: the resolver's answer is malformed"
	};

	finish(a, NULL,
	       status == ARES_ETIMEOUT	 ? &timeout
	       : status == ARES_EBADRESP ? &bad
					 : &refused);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *msg,
		      int len)
{
	struct asked *a = arg;
	struct upstream *u = a->u;
	struct dns_chain answer;

	(void)timeouts;
	if (a->fn && !u->closing &&
	    (status == ARES_EDESTRUCTION ||
	     (status == ARES_EFORMERR && !a->repeated))) {
		a->repeated = status == ARES_EFORMERR;
		start(a);
		return;
	}
	if (msg && len > 0 &&
	    (status == ARES_SUCCESS || status == ARES_ENODATA ||
	     status == ARES_ENOTFOUND)) {
		if (dns_parse_answer(msg, (size_t)len, a->name, a->type,
				     &answer) == 0)
			finish(a, &answer, NULL);
		else
			fail(a, ARES_EBADRESP);
	} else if (status == ARES_ENOTFOUND) { /* .onion: RFC 7686 */
		dns_chain_init(&answer, a->type, DNS_NEG_TTL_MAX_SEC);
		answer.rcode = DNS_RCODE_NXDOMAIN;
		finish(a, &answer, NULL);
	} else {
		fail(a, status);
	}
	u->n_outstanding--;
	free(a);
}

static void start(struct asked *a)
{
	struct upstream *u = a->u;

	u->depth++;
	ares_query(u->channel, a->name, DNS_CLASS_IN, a->type, on_answer, a);
	u->depth--; /* a may be gone */
}

static void on_deadline(void *arg)
{
	struct upstream *u = arg;
	struct asked *a;

	while ((a = TAILQ_FIRST(&u->waiting)) &&
	       a->deadline_ms <= loop_now_ms(u->loop))
		fail(a, ARES_ETIMEOUT);
	arm_timers(u);
}

static int set_servers(ares_channel channel, const struct resolvconf *rc)
{
	struct ares_addr_node node[RESOLVERS_MAX];

	memset(node, 0, sizeof(node));
	for (int i = 0; i < rc->n_servers; i++) {
		const struct addr *a = &rc->server[i];

		node[i].family = a->family;
		memcpy(&node[i].addr, a->bytes, addr_len(a));
		if (i > 0)
			node[i - 1].next = &node[i];
	}
	return ares_set_servers(channel, node);
}

static int open_channel(struct upstream *u, const struct resolvconf *rc,
			ares_channel *ret)
{
	struct in_addr first = { .s_addr = htonl(INADDR_LOOPBACK) };
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | (rc->use_vc ? ARES_FLAG_USEVC : 0),
		.ednspsz = DNS_UDP_MAX,
		.tries = rc->attempts,
		.timeout = resolvconf_fit_timeout_ms(rc, UPSTREAM_DEADLINE_MS),
		.ndots = 1,
		.servers = &first, /* replaced below */
		.nservers = 1,
		.sock_state_cb = transport_watch,
		.sock_state_cb_data = u->transport,
	};
	/* All that would be read from files, were it missing. */
	const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TRIES |
			 ARES_OPT_TIMEOUTMS | ARES_OPT_SOCK_STATE_CB |
			 ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
			 ARES_OPT_SERVERS | ARES_OPT_NDOTS | ARES_OPT_SORTLIST;
	char lookups[] = "b";
	int status;

	o.lookups = lookups;
	status = ares_init_options(ret, &o, mask);
	if (status != ARES_SUCCESS)
		return status;
	transport_attach(u->transport, *ret);
	status = set_servers(*ret, rc);
	if (status != ARES_SUCCESS)
		ares_destroy(*ret);
	return status;
}

int upstream_configure(struct upstream *u, const struct resolvconf *rc)
{
	ares_channel old = u->channel;
	ares_channel fresh;

	if (old && memcmp(rc, &u->resolvers, sizeof(*rc)) == 0)
		return 0;
	if (open_channel(u, rc, &fresh) != ARES_SUCCESS)
		return -ENOMEM;
	sockets_drop(u->sockets);
	u->channel = fresh;
	u->resolvers = *rc;
	u->depth++;
	if (old)
		ares_destroy(old);
	u->depth--;
	arm_timers(u);
	return 0;
}

int upstream_ask(struct upstream *u, const char *name, uint16_t type,
		 upstream_fn *fn, void *arg)
{
	struct asked *a;

	if (u->n_outstanding >= u->outstanding_max)
		return -EBUSY;
	if (!u->channel)
		return -EIO;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->u = u;
	a->fn = fn;
	a->arg = arg;
	a->type = type;
	memcpy(a->name, name, strnlen(name, HOSTNAME_MAX));
	a->deadline_ms = loop_now_ms(u->loop) + UPSTREAM_DEADLINE_MS;
	TAILQ_INSERT_TAIL(&u->waiting, a, link);
	u->n_outstanding++;
	start(a);
	arm_timers(u);
	return 0;
}

int upstream_new(struct upstream **ret, struct loop *l, int desk,
		 size_t outstanding_max)
{
	struct upstream *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		free(u);
		return -ENOMEM;
	}
	u->loop = l;
	u->outstanding_max = outstanding_max;
	u->retry_timer.fn = on_retry_timer;
	u->retry_timer.arg = u;
	u->deadline_timer.fn = on_deadline;
	u->deadline_timer.arg = u;
	TAILQ_INIT(&u->waiting);
	rc = sockets_new(&u->sockets, l, desk);
	if (rc == 0)
		rc = transport_new(&u->transport, l, u->sockets,
				   on_socket_ready, u);
	if (rc < 0) {
		upstream_free(u);
		return rc;
	}
	*ret = u;
	return 0;
}

void upstream_free(struct upstream *u)
{
	if (!u)
		return;
	u->closing = true;
	if (u->channel)
		ares_destroy(u->channel);
	transport_free(u->transport);
	sockets_free(u->sockets);
	loop_timer_stop(u->loop, &u->retry_timer);
	loop_timer_stop(u->loop, &u->deadline_timer);
	ares_library_cleanup();
	free(u);
}
