/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admissions against a real gate and real routes, in namespaces of their own:
 *
 *   own addresses  198.51.100.1/24, 2001:db8:1::1/64
 *   routed         203.0.113.0/25, 2001:db8:2::/48
 *   unreachable    203.0.113.128/25; everything else has no route
 */
#ifndef TESTS_UNIT_ADMISSION_DESK_H
#define TESTS_UNIT_ADMISSION_DESK_H

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

#include "tests/unit/ns.h"

#include "common/loop.h"
#include "launcher/admission.h"
#include "netns/nft.h"
#include "netns/route.h"
#include "netns/ruleset.h"
#include "profiles/allowlist.h"

#define GRACE_MS    300
#define LIFE_MIN_MS 2000 /* of an answer whose TTL is 0 */
#define SLACK_MS    2000 /* what admissions add for the kernel's clock */

struct desk {
	bool ready;
	struct loop *loop;
	struct allowlist *allow;
	struct admissions *a;
	int nft_fd;
	int route_fd;
	struct loop_timer slice;
	char out[65536];
};

static inline int desk_enter(void **state)
{
	*state = ns_enter() ? state : NULL;
	return 0;
}

static inline void desk_on_slice(void *arg)
{
	loop_stop(arg);
}

static inline bool desk_make_network(struct desk *d)
{
	static const char *const lines[] = {
		"ip link add v0 up type veth peer name v1",
		"ip link set v1 up",
		"ip addr add 198.51.100.1/24 dev v0",
		"ip route add 203.0.113.0/25 dev v0",
		"ip route add unreachable 203.0.113.128/25",
		"ip -6 addr add 2001:db8:1::1/64 dev v0 nodad",
		"ip -6 route add 2001:db8:2::/48 dev v0",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (ns_shell(d->out, sizeof(d->out), lines[i]) != 0)
			return false;
	return ns_shell(d->out, sizeof(d->out), "nft -v") == 0;
}

static inline bool desk_make_admissions(struct desk *d, struct err *e)
{
	static const char *const patterns[] = {
		"a.example",	    "b.example",     "c.example:443",
		"c.example:22",	    "*.any.example", "c.example:123/udp",
		"u.example:123/udp"
	};
	struct admissions_config cfg = { .grace_ms = GRACE_MS };
	const struct ruleset_udp udp = { NULL, 0 };

	if (nft_open(&d->nft_fd, e) < 0 || route_open(&d->route_fd, e) < 0 ||
	    ruleset_install(d->nft_fd, 9040, &udp, e) < 0 ||
	    loop_new(&d->loop, e) < 0 || allowlist_new(&d->allow, e) < 0)
		return false;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (allowlist_add_domain(d->allow, patterns[i], e) < 0)
			return false;
	d->slice.fn = desk_on_slice;
	d->slice.arg = d->loop;
	cfg.loop = d->loop;
	cfg.allowlist = d->allow;
	cfg.nft_fd = d->nft_fd;
	cfg.route_fd = d->route_fd;
	return admissions_new(&d->a, &cfg, e) == 0;
}

static inline int desk_setup(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	bool entered = *state;
	struct err e;

	if (!d)
		return -1;
	*state = d;
	d->nft_fd = -1;
	d->route_fd = -1;
	if (!entered || !ns_fresh_net() || !desk_make_network(d))
		return 0;
	d->ready = desk_make_admissions(d, &e);
	if (!d->ready)
		print_error("%s\n", e.msg);
	return d->ready ? 0 : -1;
}

static inline int desk_teardown(void **state)
{
	struct desk *d = *state;

	admissions_free(d->a);
	allowlist_free(d->allow);
	loop_free(d->loop);
	fd_close(&d->nft_fd);
	fd_close(&d->route_fd);
	free(d);
	return 0;
}

static inline struct desk *desk_ready(void **state)
{
	struct desk *d = *state;

	if (!d->ready)
		skip();
	return d;
}

/* Lets at least this much of the loop's time go by. */
static inline uint64_t desk_run(struct desk *d, uint64_t ms)
{
	assert_int_equal(loop_timer_arm(d->loop, &d->slice, ms), 0);
	assert_int_equal(loop_run(d->loop), 0);
	return loop_now_ms(d->loop);
}

static inline struct dns_msg_admit
desk_request(const char *name, uint32_t ttl_sec, const char *const *addrs)
{
	struct dns_msg_admit m;

	memset(&m, 0, sizeof(m));
	m.type = DNS_MSG_ADMIT;
	m.id = 0x1122334455667788;
	m.ttl_sec = ttl_sec;
	assert_true(strlen(name) < sizeof(m.name));
	memcpy(m.name, name, strlen(name));
	for (; *addrs; addrs++)
		m.addr[m.n++] = ns_addr(*addrs);
	return m;
}

static inline struct dns_msg_admitted desk_stage(struct desk *d,
						 const struct dns_msg_admit *m)
{
	struct dns_msg_admitted reply;

	assert_int_equal(admissions_stage(d->a, m, &reply), 0);
	assert_int_equal(reply.type, DNS_MSG_ADMITTED);
	assert_true(reply.id == m->id);
	assert_true((reply.granted & reply.forbidden) == 0);
	return reply;
}

#define LIST(...) ((const char *const[]) { __VA_ARGS__, NULL })

/* Every address is granted and in the kernel. */
static inline void desk_admit(struct desk *d, const char *name,
			      uint32_t ttl_sec, const char *const *addrs)
{
	struct dns_msg_admit m = desk_request(name, ttl_sec, addrs);
	struct dns_msg_admitted reply = desk_stage(d, &m);

	assert_int_equal(reply.error, 0);
	assert_true(reply.granted == (1ULL << m.n) - 1);
	assert_int_equal(admissions_commit(d->a), 0);
}

static inline struct admission *desk_find(struct desk *d, const char *text,
					  uint16_t port)
{
	struct addr a = ns_addr(text);

	return admissions_find(d->a, &a, port);
}

#endif
