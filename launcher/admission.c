/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/admission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/htab.h"
#include "common/loop.h"
#include "launcher/names.h"
#include "launcher/portshut.h"
#include "netns/route.h"
#include "netns/ruleset.h"
#include "profiles/allowlist.h"
#include "profiles/proxyrules.h"

/* Both sides of the bound are hostile: names under a wildcard and what their
 * servers answer. */
#define ADMISSIONS_MAX 200000
/* Names remembered for one address; the one that expires first gives way. */
#define GRANTS_MAX  16
#define TTL_MAX_SEC 3600
/* How much longer the kernel keeps an element than the table does. */
#define KERNEL_SLACK_MS 2000
/* An answer with TTL 0 and no grace is still to be used once. */
#define LIFE_MIN_MS 2000
/* Elements of one transaction. */
#define COMMIT_CHUNK 512

struct grant {
	struct name *name;
	uint64_t expires_ms;
};

struct admission_key {
	struct addr addr;
	uint16_t port;
	bool udp;
};

struct admission {
	struct htab_node node;
	struct admission_key key;
	struct admissions *owner;
	struct loop_timer timer;
	uint64_t expires_ms; /* in force; 0: not yet in the kernel */
	uint64_t wanted_ms;  /* staged; later than expires_ms */
	struct admission *next_staged;
	unsigned n_users;
	bool names_lost; /* more than GRANTS_MAX resolved to it */
	size_t n_grants;
	struct grant *grants;
};

struct admissions {
	struct admissions_config cfg;
	struct htab table;
	struct names *names;
	struct portshut *shut;
	struct admission *staged;
	size_t n_staged;
};

static uint64_t key_hash(const struct admissions *a,
			 const struct admission_key *k)
{
	uint8_t flat[sizeof(k->addr.bytes) + 4];

	memcpy(flat, k->addr.bytes, sizeof(k->addr.bytes));
	flat[16] = k->addr.family;
	flat[17] = (uint8_t)(k->port >> 8);
	flat[18] = (uint8_t)k->port;
	flat[19] = k->udp;
	return htab_hash(&a->table, flat, sizeof(flat));
}

static bool key_equal(const struct htab_node *n, const void *key)
{
	const struct admission *m = htab_entry(n, const struct admission, node);
	const struct admission_key *k = key;

	return m->key.port == k->port && m->key.udp == k->udp &&
	       addr_equal(&m->key.addr, &k->addr);
}

static struct admission *lookup(struct admissions *a,
				const struct admission_key *k)
{
	struct htab_node *n =
		htab_find(&a->table, key_hash(a, k), key_equal, k);

	return n ? htab_entry(n, struct admission, node) : NULL;
}

int admissions_new(struct admissions **ret, const struct admissions_config *c,
		   struct err *e)
{
	struct admissions *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return err_errno(e, ENOMEM, "admissions");
	a->cfg = *c;
	rc = htab_init(&a->table);
	if (rc == 0)
		rc = names_new(&a->names);
	if (rc == 0)
		rc = portshut_new(&a->shut);
	if (rc < 0) {
		names_free(a->names);
		htab_done(&a->table);
		free(a);
		return err_errno(e, -rc, "admissions");
	}
	*ret = a;
	return 0;
}

static void drop(struct admission *m)
{
	struct admissions *a = m->owner;

	for (size_t i = 0; i < m->n_grants; i++)
		names_release(a->names, m->grants[i].name);
	loop_timer_stop(a->cfg.loop, &m->timer);
	htab_remove(&a->table, &m->node);
	free(m->grants);
	free(m);
}

static void drop_node(struct htab_node *n, void *arg)
{
	(void)arg;
	drop(htab_entry(n, struct admission, node));
}

void admissions_free(struct admissions *a)
{
	if (!a)
		return;
	htab_each(&a->table, drop_node, NULL);
	htab_done(&a->table);
	names_free(a->names);
	portshut_free(a->shut);
	free(a);
}

static void stage(struct admission *m, uint64_t until_ms)
{
	struct admissions *a = m->owner;

	if (until_ms <= m->expires_ms || until_ms <= m->wanted_ms)
		return;
	if (m->wanted_ms <= m->expires_ms) {
		m->next_staged = a->staged;
		a->staged = m;
		a->n_staged++;
	}
	m->wanted_ms = until_ms;
}

/* In use: go on for another grace time.  Otherwise: gone. */
static void expire(void *arg)
{
	struct admission *m = arg;
	struct admissions *a = m->owner;
	uint64_t now = loop_now_ms(a->cfg.loop);

	if (m->n_users == 0) {
		drop(m);
		return;
	}
	stage(m, now + a->cfg.grace_ms + KERNEL_SLACK_MS);
	/* If the kernel refuses, new connections fail; those that exist live
	 * on, and the last release drops the entry. */
	if (admissions_commit(a) < 0)
		m->expires_ms = now;
}

static struct admission *create(struct admissions *a,
				const struct admission_key *k)
{
	struct admission *m;

	if (a->table.n_nodes >= ADMISSIONS_MAX)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->key = *k;
	m->owner = a;
	m->timer.fn = expire;
	m->timer.arg = m;
	if (htab_insert(&a->table, &m->node, key_hash(a, k)) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

/* A place for one more grant: new, or that of the one which expires first;
 * NULL if there is no memory. */
static struct grant *grant_place(struct admission *m)
{
	struct grant *oldest = m->grants;
	struct grant *grown;

	if (m->n_grants < GRANTS_MAX) {
		grown = reallocarray(m->grants, m->n_grants + 1,
				     sizeof(struct grant));
		if (!grown)
			return NULL;
		m->grants = grown;
		return &m->grants[m->n_grants++];
	}
	for (size_t i = 1; i < m->n_grants; i++)
		if (m->grants[i].expires_ms < oldest->expires_ms)
			oldest = &m->grants[i];
	names_release(m->owner->names, oldest->name);
	m->names_lost = true;
	return oldest;
}

/* Remembers that name resolved to m; false if there is no memory. */
static bool add_grant(struct admission *m, struct name *name, uint64_t until_ms)
{
	struct grant *place;

	for (size_t i = 0; i < m->n_grants; i++) {
		struct grant *g = &m->grants[i];

		if (g->name == name) {
			if (until_ms > g->expires_ms)
				g->expires_ms = until_ms;
			return true;
		}
	}
	place = grant_place(m);
	if (!place)
		return false;
	names_hold(name);
	*place = (struct grant) { name, until_ms };
	return true;
}

static int stage_key(struct admissions *a, struct name *name,
		     const struct admission_key *k, uint64_t until_ms)
{
	struct admission *m = lookup(a, k);

	if (!m)
		m = create(a, k);
	if (!m)
		return -ENOSPC;
	if (!add_grant(m, name, until_ms)) {
		if (m->timer.slot == 0 && m->wanted_ms == 0)
			drop(m); /* made just now */
		return -ENOMEM;
	}
	stage(m, until_ms);
	return 0;
}

static int stage_address(struct admissions *a, struct name *name,
			 const struct addr *addr,
			 const struct allow_ports *ports, uint64_t until_ms)
{
	static const uint16_t every_port;
	const uint16_t *list = ports->any ? &every_port : ports->port;
	size_t n = ports->any ? 1 : ports->n;
	/* Before anything is open. */
	int rc = portshut_add(a->shut, addr, false, ports->denied,
			      ports->n_denied);

	if (rc == 0)
		rc = portshut_add(a->shut, addr, true, ports->denied_udp,
				  ports->n_denied_udp);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct admission_key k = { *addr, list[i], false };

		rc = stage_key(a, name, &k, until_ms);
	}
	for (size_t i = 0; rc == 0 && i < ports->n_udp; i++) {
		const struct admission_key k = { *addr, ports->udp[i], true };

		rc = stage_key(a, name, &k, until_ms);
	}
	return rc;
}

static bool well_formed(const struct dns_msg_admit *r)
{
	char canonical[HOSTNAME_BUF];

	if (r->n < 1 || r->n > DNS_ADDRESSES_MAX ||
	    !memchr(r->name, '\0', sizeof(r->name)) ||
	    hostname_from_text(r->name, canonical, NULL) < 0 ||
	    strcmp(canonical, r->name) != 0)
		return false;
	for (uint32_t i = 0; i < r->n; i++)
		if (!addr_is_sound(&r->addr[i]))
			return false;
	return true;
}

int admissions_stage(struct admissions *a, const struct dns_msg_admit *request,
		     struct dns_msg_admitted *reply)
{
	uint64_t ttl_sec =
		request->ttl_sec < TTL_MAX_SEC ? request->ttl_sec : TTL_MAX_SEC;
	uint64_t life_ms = ttl_sec * 1000 + a->cfg.grace_ms;
	uint64_t until_ms = loop_now_ms(a->cfg.loop) +
			    (life_ms > LIFE_MIN_MS ? life_ms : LIFE_MIN_MS);
	struct allow_ports ports;
	struct name *name;
	bool proxied;
	int rc = 0;

	memset(reply, 0, sizeof(*reply));
	reply->type = DNS_MSG_ADMITTED;
	reply->id = request->id;
	if (!well_formed(request) ||
	    !allowlist_match(a->cfg.allowlist, request->name, &ports))
		return -EPROTO;
	proxied = proxy_rules_take(a->cfg.proxy, request->name);
	name = names_get(a->names, request->name, ports.rule);
	if (!name)
		rc = -ENOSPC;
	for (uint32_t i = 0; rc == 0 && i < request->n; i++) {
		const struct addr *addr = &request->addr[i];
		enum route_kind kind;

		/* A stand-in leads nowhere but to the proxy, by TCP. */
		if (proxied && proxy_is_stand_in(addr)) {
			ports.n_udp = 0;
			rc = stage_address(a, name, addr, &ports, until_ms);
			if (rc == 0)
				reply->granted |= 1ULL << i;
			continue;
		}
		if (proxied || addr_never(addr) ||
		    allowlist_denies_address(a->cfg.allowlist, addr, 0) ||
		    !allowlist_may_resolve(a->cfg.allowlist, request->name,
					   addr)) {
			reply->forbidden |= 1ULL << i;
			continue;
		}
		kind = route_lookup(a->cfg.route_fd, addr);
		if (kind == ROUTE_LOCAL)
			reply->forbidden |= 1ULL << i;
		if (kind != ROUTE_FORWARD)
			continue;
		rc = stage_address(a, name, addr, &ports, until_ms);
		if (rc == 0)
			reply->granted |= 1ULL << i;
	}
	if (name) {
		names_set_addresses(name, request->addr, request->n,
				    reply->granted);
		names_release(a->names, name);
	}
	if (rc < 0) {
		reply->granted = 0;
		reply->error = -rc;
	}
	return 0;
}

static int commit_elements(struct admissions *a)
{
	static const size_t each = sizeof(struct ruleset_element);
	struct ruleset_element *elements = calloc(COMMIT_CHUNK, each);
	uint64_t now = loop_now_ms(a->cfg.loop);
	size_t n = 0;
	int rc = elements ? 0 : -ENOMEM;

	for (const struct admission *m = a->staged; rc == 0 && m;
	     m = m->next_staged) {
		elements[n++] = (struct ruleset_element) {
			.addr = m->key.addr,
			.port = m->key.port,
			.udp = m->key.udp,
			.timeout_ms = m->wanted_ms - now + KERNEL_SLACK_MS,
		};
		if (n == COMMIT_CHUNK || !m->next_staged) {
			rc = ruleset_admit(a->cfg.nft_fd, elements, n);
			n = 0;
		}
	}
	free(elements);
	return rc;
}

/* What was staged is in force, or is as it was before. */
static void settle(struct admission *m, bool committed)
{
	struct admissions *a = m->owner;
	uint64_t now = loop_now_ms(a->cfg.loop);

	if (committed) {
		m->expires_ms = m->wanted_ms;
		committed = loop_timer_arm(a->cfg.loop, &m->timer,
					   m->wanted_ms - now) == 0;
	}
	m->wanted_ms = 0;
	/* Without a timer it would stay for ever: rather not at all. */
	if (!committed && m->n_users == 0 && m->timer.slot == 0)
		drop(m);
}

int admissions_commit(struct admissions *a)
{
	struct admission *m = a->staged;
	int rc = m ? commit_elements(a) : 0;

	a->staged = NULL;
	a->n_staged = 0;
	while (m) {
		struct admission *next = m->next_staged;

		m->next_staged = NULL;
		settle(m, rc == 0);
		m = next;
	}
	return rc;
}

/* In use it stays, unless the kernel refused it (then it has no timer): a loop
 * that is late may deliver events before it renews. */
static bool in_force(const struct admission *m, uint64_t now)
{
	return m->expires_ms > now || (m->n_users > 0 && m->timer.slot != 0);
}

bool admissions_denies(const struct admissions *a, const struct addr *dst,
		       uint16_t port)
{
	return portshut_has(a->shut, dst, false, port) ||
	       allowlist_denies_address(a->cfg.allowlist, dst, port);
}

bool admissions_denies_udp(const struct admissions *a, const struct addr *dst,
			   uint16_t port)
{
	return portshut_has(a->shut, dst, true, port) ||
	       allowlist_denies_address_udp(a->cfg.allowlist, dst, port);
}

struct admission *admissions_find(struct admissions *a, const struct addr *dst,
				  uint16_t port)
{
	uint64_t now = loop_now_ms(a->cfg.loop);
	const uint16_t candidates[] = { port, 0 };

	if (admissions_denies(a, dst, port))
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		const struct admission_key k = { *dst, candidates[i], false };
		struct admission *m = lookup(a, &k);

		if (m && in_force(m, now))
			return m;
	}
	return NULL;
}

struct admission *admissions_find_udp(struct admissions *a,
				      const struct addr *dst, uint16_t port)
{
	const struct admission_key k = { *dst, port, true };
	struct admission *m = lookup(a, &k);

	return m && in_force(m, loop_now_ms(a->cfg.loop)) &&
			       !admissions_denies_udp(a, dst, port)
		       ? m
		       : NULL;
}

void admission_hold(struct admission *m)
{
	m->n_users++;
}

void admission_release(struct admissions *a, struct admission *m)
{
	uint64_t now = loop_now_ms(a->cfg.loop);

	if (--m->n_users > 0)
		return;
	if (m->timer.slot == 0) {
		drop(m);
		return;
	}
	stage(m, now + a->cfg.grace_ms);
	(void)admissions_commit(a); /* on failure it ends earlier */
}

static const struct grant *latest(const struct admission *m)
{
	const struct grant *best = NULL;

	for (size_t i = 0; i < m->n_grants; i++)
		if (!best || m->grants[i].expires_ms >= best->expires_ms)
			best = &m->grants[i];
	return best;
}

bool admission_names_port(const struct admission *m, uint16_t port)
{
	for (size_t i = 0; i < m->n_grants; i++)
		if (allowlist_names_port(m->owner->cfg.allowlist,
					 name_text(m->grants[i].name), port))
			return true;
	return false;
}

const char *admission_name(const struct admission *m)
{
	const struct grant *g = latest(m);

	return g ? name_text(g->name) : "";
}

const char *admission_rule(const struct admission *m)
{
	const struct grant *g = latest(m);

	return g ? name_rule(g->name) : "";
}

/* Names whose answers have expired count: programs keep addresses. */
static bool all_names_have(const struct admission *m, const struct addr *addr)
{
	if (!m)
		return true;
	for (size_t i = 0; i < m->n_grants; i++)
		if (!name_has_address(m->grants[i].name, addr))
			return false;
	return !m->names_lost;
}

size_t admissions_alternatives(struct admissions *a, const struct admission *m,
			       const struct addr *dst, uint16_t port,
			       struct addr *ret, size_t max)
{
	uint64_t now = loop_now_ms(a->cfg.loop);
	/* Names may have opened this port, or every port. */
	const struct admission_key narrow = { *dst, port, false };
	const struct admission_key wide = { *dst, 0, false };
	const struct admission *on_port = lookup(a, &narrow);
	const struct admission *on_all = lookup(a, &wide);
	const struct grant *g = latest(m);
	size_t n = 0;

	if (!g || g->expires_ms <= now)
		return 0;
	for (size_t i = 0; n < max; i++) {
		const struct addr *other = name_address(g->name, i);

		if (!other)
			break;
		if (!addr_equal(other, dst) && all_names_have(on_port, other) &&
		    all_names_have(on_all, other) &&
		    admissions_find(a, other, port))
			ret[n++] = *other;
	}
	return n;
}
