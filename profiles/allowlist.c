/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: one set of what is allowed, one of what is denied (nameset.h).
 * Networks: plain arrays in the order of adding, searched from the front;
 * lists of them are short, and the kernel's set does the matching of packets.
 */
#include "profiles/allowlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "profiles/hostname.h"
#include "profiles/nameset.h"
#include "profiles/nevername.h"
#include "profiles/network.h"
#include "profiles/pattern.h"

#define QUOTED_MAX 256

_Static_assert(NAME_PORTS_MAX == ALLOW_PORTS_MAX, "both are per name");
_Static_assert(NAME_UDP_MAX == ALLOW_UDP_MAX, "both are per name");

struct network {
	struct allow_network allow;
	char *text; /* what allow.text borrows */
};

struct netlist {
	struct network *list;
	size_t n;
	size_t room;
};

struct allowlist {
	struct nameset allowed;
	struct nameset denied;
	struct nameset private;
	struct netlist open;
	struct netlist shut;
	unsigned record_types; /* bit i: record_types[i] */
	struct netlist inside; /* private answers are fine there */
	size_t n_udp; /* distinct, of names and networks that are open */
	uint16_t udp[ALLOW_UDP_ALL];
};

int allowlist_new(struct allowlist **ret, struct err *e)
{
	struct allowlist *al = calloc(1, sizeof(*al));
	int rc;

	if (!al)
		return err_errno(e, ENOMEM, "allowlist");
	rc = nameset_init(&al->allowed);
	if (rc == 0)
		rc = nameset_init(&al->denied);
	if (rc == 0)
		rc = nameset_init(&al->private);
	if (rc < 0) {
		allowlist_free(al);
		return err_errno(e, -rc, "allowlist: getrandom");
	}
	*ret = al;
	return 0;
}

static void free_networks(struct netlist *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		free(ns->list[i].text);
	free(ns->list);
}

void allowlist_free(struct allowlist *al)
{
	if (!al)
		return;
	nameset_done(&al->allowed);
	nameset_done(&al->denied);
	nameset_done(&al->private);
	free_networks(&al->open);
	free_networks(&al->shut);
	free_networks(&al->inside);
	free(al);
}

static int add_name(struct nameset *s, const struct pattern *p,
		    const char *text, struct err *e)
{
	char quoted[QUOTED_MAX];
	int rc = nameset_add(s, p);

	if (rc == 0)
		return 0;
	text_escape(text, strlen(text), quoted, sizeof(quoted));
	if (rc == -ENOSPC)
		return err_set(e, EINVAL,
			       p->udp ? "pattern '%s': more than %d UDP ports "
					"for one name; remove some"
				      : "pattern '%s': more than %d ports for "
					"one name; leave the port out to mean "
					"every port",
			       quoted,
			       p->udp ? ALLOW_UDP_MAX : ALLOW_PORTS_MAX);
	return err_errno(e, -rc, "allowlist: no room for '%s'", quoted);
}

static int add_network(struct netlist *ns, const struct allow_network *n,
		       const char *text, struct err *e)
{
	struct network *place;

	for (size_t i = 0; i < ns->n; i++) {
		const struct allow_network *old = &ns->list[i].allow;

		if (addr_equal(&old->base, &n->base) && old->port == n->port &&
		    old->udp == n->udp && old->prefix_len == n->prefix_len)
			return 0;
	}
	if (ns->n == ns->room) {
		size_t room = ns->room ? ns->room * 2 : 16;
		struct network *list =
			reallocarray(ns->list, room, sizeof(*list));

		if (!list)
			return err_errno(e, ENOMEM, "allowlist");
		ns->list = list;
		ns->room = room;
	}
	place = &ns->list[ns->n];
	place->text = strdup(text);
	if (!place->text)
		return err_errno(e, ENOMEM, "allowlist");
	place->allow = *n;
	place->allow.text = place->text;
	ns->n++;
	return 0;
}

/* Each is a socket of the gateway's. */
static int open_udp(struct allowlist *al, uint16_t port, const char *text,
		    struct err *e)
{
	char quoted[QUOTED_MAX];

	for (size_t i = 0; i < al->n_udp; i++)
		if (al->udp[i] == port)
			return 0;
	if (al->n_udp < ALLOW_UDP_ALL) {
		al->udp[al->n_udp++] = port;
		return 0;
	}
	text_escape(text, strlen(text), quoted, sizeof(quoted));
	return err_set(e, EINVAL,
		       "'%s': more than %d different UDP ports in all; remove "
		       "some",
		       quoted, ALLOW_UDP_ALL);
}

static int allow_name(struct allowlist *al, const struct pattern *p,
		      const char *text, struct err *e)
{
	int rc = 0;

	if (p->udp && p->kind != PATTERN_INERT)
		rc = open_udp(al, p->port, text, e);
	return rc < 0 ? rc : add_name(&al->allowed, p, text, e);
}

static int allow_network(struct allowlist *al, const struct allow_network *n,
			 const char *text, struct err *e)
{
	int rc = n->udp ? open_udp(al, n->port, text, e) : 0;

	return rc < 0 ? rc : add_network(&al->open, n, text, e);
}

int allowlist_add_domain(struct allowlist *al, const char *pattern,
			 struct err *e)
{
	struct pattern p;
	int rc = pattern_parse(pattern, &p, e);

	return rc < 0 ? rc : allow_name(al, &p, pattern, e);
}

int allowlist_add_address(struct allowlist *al, const char *text, struct err *e)
{
	struct allow_network n = { 0 };
	int rc = network_parse(text, &n, e);

	return rc < 0 ? rc : allow_network(al, &n, text, e);
}

/* nono takes a literal for a name of its own, which only the same text
 * matches: a network or an odd spelling opens nothing. */
static int add_literal(struct allowlist *al, const char *text, struct err *note,
		       struct err *e)
{
	struct allow_network n = { 0 };
	struct err why;

	if (network_parse(text, &n, &why) < 0) {
		(void)err_set(note, EINVAL, "%s; until then it has no effect",
			      why.msg);
		return 0;
	}
	if (n.prefix_len < 8 * addr_len(&n.base)) {
		char quoted[QUOTED_MAX];

		text_escape(text, strlen(text), quoted, sizeof(quoted));
		(void)err_set(note, EINVAL,
			      "'%s' is a network and no name; write it under "
			      "egress_run.allow_address; here it has no effect",
			      quoted);
		return 0;
	}
	return allow_network(al, &n, text, e);
}

int allowlist_add_profile_domain(struct allowlist *al, const char *text,
				 struct err *note, struct err *e)
{
	struct pattern p;
	int rc;

	if (pattern_is_address(text))
		return add_literal(al, text, note, e);
	rc = pattern_parse_as(PATTERN_FOR_PROFILE, text, &p, note, e);
	return rc < 0 ? rc : allow_name(al, &p, text, e);
}

static int add_denied(struct allowlist *al, enum pattern_reader reader,
		      const char *text, struct err *note, struct err *e)
{
	struct allow_network n = { 0 };
	struct pattern p;
	int rc;

	if (pattern_is_address(text)) {
		rc = network_parse_denied(text, &n, e);
		return rc < 0 ? rc : add_network(&al->shut, &n, text, e);
	}
	rc = pattern_parse_as(reader, text, &p, note, e);
	return rc < 0 ? rc : add_name(&al->denied, &p, text, e);
}

int allowlist_add_denied(struct allowlist *al, const char *text, struct err *e)
{
	return add_denied(al, PATTERN_FOR_DENIAL, text, NULL, e);
}

int allowlist_add_profile_denied(struct allowlist *al, const char *text,
				 struct err *note, struct err *e)
{
	return add_denied(al, PATTERN_FOR_PROFILE_DENIAL, text, note, e);
}

int allowlist_add_private(struct allowlist *al, const char *text, struct err *e)
{
	struct allow_network n = { 0 };
	struct pattern p = { 0 };
	bool literal = pattern_is_address(text);
	int rc = literal ? network_parse(text, &n, e)
			 : pattern_parse(text, &p, e);
	char quoted[QUOTED_MAX];

	if (rc < 0)
		return rc;
	if (n.port == 0 && p.port == 0)
		return literal ? add_network(&al->inside, &n, text, e)
			       : add_name(&al->private, &p, text, e);
	text_escape(text, strlen(text), quoted, sizeof(quoted));
	return err_set(e, EINVAL,
		       "'%s' has a port; which ports may be reached is said "
		       "where the name is allowed; leave it out here",
		       quoted);
}

/* RFC 1035, 2782, 8659.  None that carries addresses or keys: HTTPS and SVCB
 * would hand out both behind the filter's back. */
static const struct {
	const char *word;
	uint16_t type;
} record_types[] = {
	{ "CAA", 257 }, { "MX", 15 },  { "PTR", 12 },
	{ "SRV", 33 },	{ "TXT", 16 },
};

#define N_RECORD_TYPES (sizeof(record_types) / sizeof(record_types[0]))

int allowlist_add_record_type(struct allowlist *al, const char *word,
			      struct err *e)
{
	char quoted[QUOTED_MAX];

	for (size_t i = 0; i < N_RECORD_TYPES; i++) {
		if (strcmp(record_types[i].word, word) != 0)
			continue;
		al->record_types |= 1u << i;
		return 0;
	}
	text_escape(word, strlen(word), quoted, sizeof(quoted));
	return err_set(e, EINVAL,
		       "'%s' is no type of record that is looked up; write "
		       "\"CAA\", \"MX\", \"PTR\", \"SRV\" or \"TXT\"; "
		       "addresses need no entry",
		       quoted);
}

bool allowlist_has_record_type(const struct allowlist *al, uint16_t type)
{
	for (size_t i = 0; i < N_RECORD_TYPES; i++)
		if (record_types[i].type == type)
			return al->record_types >> i & 1;
	return false;
}

int allowlist_seal(struct allowlist *al, struct err *e)
{
	int rc = nameset_seal(&al->allowed);

	if (rc == 0)
		rc = nameset_seal(&al->denied);
	if (rc == 0)
		rc = nameset_seal(&al->private);
	return rc < 0 ? err_errno(e, -rc, "allowlist") : 0;
}

static bool has_port(const uint16_t *list, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == port)
			return true;
	return false;
}

static bool denies_port(const struct allow_ports *p, uint16_t port)
{
	return has_port(p->denied, p->n_denied, port);
}

/* True if the whole name is denied. */
static bool match_denied(const struct allowlist *al, const char *name,
			 struct allow_ports *ret)
{
	struct name_match m;

	if (al->denied.n == 0)
		return false;
	nameset_match(&al->denied, name, &m);
	/* More ports than fit: rather the whole name than a port too few. */
	if (m.whole || m.cut) {
		ret->deny_rule = m.whole ? m.whole : m.rule;
		return true;
	}
	memcpy(ret->denied, m.port, m.n * sizeof(m.port[0]));
	ret->n_denied = m.n;
	memcpy(ret->denied_udp, m.udp, m.n_udp * sizeof(m.udp[0]));
	ret->n_denied_udp = m.n_udp;
	return false;
}

bool allowlist_match(const struct allowlist *al, const char *name,
		     struct allow_ports *ret)
{
	struct name_match m;

	ret->any = false;
	ret->n = 0;
	ret->n_denied = 0;
	ret->n_udp = 0;
	ret->n_denied_udp = 0;
	ret->rule = NULL;
	ret->deny_rule = NULL;
	/* No rule, not even "*", opens these. */
	if (name[0] == '\0' || hostname_looks_like_address(name) ||
	    nevername_is(name) || match_denied(al, name, ret))
		return false;
	nameset_match(&al->allowed, name, &m);
	ret->rule = m.rule;
	ret->any = m.whole != NULL;
	/* Of too many ports some are left out: too little is allowed then. */
	for (size_t i = 0; !ret->any && i < m.n; i++)
		if (!denies_port(ret, m.port[i]))
			ret->port[ret->n++] = m.port[i];
	for (size_t i = 0; i < m.n_udp; i++)
		if (!has_port(ret->denied_udp, ret->n_denied_udp, m.udp[i]))
			ret->udp[ret->n_udp++] = m.udp[i];
	return ret->rule != NULL;
}

bool allowlist_names_port(const struct allowlist *al, const char *name,
			  uint16_t port)
{
	struct name_match m;

	nameset_match(&al->allowed, name, &m);
	for (size_t i = 0; i < m.n; i++)
		if (m.port[i] == port)
			return true;
	return false;
}

bool allow_ports_has(const struct allow_ports *p, uint16_t port)
{
	return has_port(p->port, p->n, port) ||
	       (p->any && !denies_port(p, port));
}

bool allow_ports_has_udp(const struct allow_ports *p, uint16_t port)
{
	return has_port(p->udp, p->n_udp, port);
}

/* Entries for the port, and those for all. */
static const struct allow_network *find_network(const struct netlist *ns,
						const struct addr *a,
						uint16_t port, bool udp)
{
	for (size_t i = 0; i < ns->n; i++) {
		const struct allow_network *n = &ns->list[i].allow;

		if ((n->port == 0 || (n->port == port && n->udp == udp)) &&
		    addr_in_network(a, &n->base, n->prefix_len))
			return n;
	}
	return NULL;
}

const struct allow_network *allowlist_denies_address(const struct allowlist *al,
						     const struct addr *a,
						     uint16_t port)
{
	return find_network(&al->shut, a, port, false);
}

const struct allow_network *allowlist_match_address(const struct allowlist *al,
						    const struct addr *a,
						    uint16_t port)
{
	if (addr_never(a) || allowlist_denies_address(al, a, port))
		return NULL;
	return find_network(&al->open, a, port, false);
}

const struct allow_network *
allowlist_denies_address_udp(const struct allowlist *al, const struct addr *a,
			     uint16_t port)
{
	return find_network(&al->shut, a, port, true);
}

/* No entry for all ports is one for UDP. */
const struct allow_network *
allowlist_match_address_udp(const struct allowlist *al, const struct addr *a,
			    uint16_t port)
{
	if (addr_never(a) || allowlist_denies_address_udp(al, a, port))
		return NULL;
	for (size_t i = 0; i < al->open.n; i++) {
		const struct allow_network *n = &al->open.list[i].allow;

		if (n->udp && n->port == port &&
		    addr_in_network(a, &n->base, n->prefix_len))
			return n;
	}
	return NULL;
}

size_t allowlist_udp_ports(const struct allowlist *al, const uint16_t **ret)
{
	*ret = al->udp;
	return al->n_udp;
}

bool allowlist_may_resolve(const struct allowlist *al, const char *name,
			   const struct addr *a)
{
	struct name_match m;

	if (!addr_private(a) || find_network(&al->inside, a, 0, false) ||
	    find_network(&al->open, a, 0, false))
		return true;
	nameset_match(&al->private, name, &m);
	return m.rule != NULL;
}

size_t allowlist_n_networks(const struct allowlist *al)
{
	return al->open.n;
}

const struct allow_network *allowlist_network(const struct allowlist *al,
					      size_t i)
{
	return &al->open.list[i].allow;
}

size_t allowlist_n_domains(const struct allowlist *al)
{
	return al->allowed.n;
}

const char *allowlist_domain(const struct allowlist *al, size_t i)
{
	return nameset_text(&al->allowed, i);
}

size_t allowlist_n_denied(const struct allowlist *al)
{
	return al->denied.n + al->shut.n;
}

const char *allowlist_denied(const struct allowlist *al, size_t i)
{
	return i < al->denied.n ? nameset_text(&al->denied, i)
				: al->shut.list[i - al->denied.n].text;
}

size_t allowlist_n_private(const struct allowlist *al)
{
	return al->private.n + al->inside.n;
}

const char *allowlist_private(const struct allowlist *al, size_t i)
{
	return i < al->private.n ? nameset_text(&al->private, i)
				 : al->inside.list[i - al->private.n].text;
}
