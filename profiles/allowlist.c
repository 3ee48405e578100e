/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: one hash table keyed by the name after "*." and a wildcard bit, so a
 * look-up asks once for the exact name and once for each suffix of it.
 * Entries that differ only in the port hang together behind the first.
 * Networks: a plain array in the order of adding, searched from the front;
 * lists of them are short, and the kernel's set does the matching of packets.
 */
#include "profiles/allowlist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/htab.h"
#include "common/text.h"
#include "profiles/hostname.h"
#include "profiles/network.h"
#include "profiles/pattern.h"

/* "*." name ":65535" */
#define PATTERN_TEXT_MAX (2 + HOSTNAME_MAX + 6 + 1)

/* The key is the part of text between "*." and ":PORT". */
struct domain {
	struct htab_node node; /* only the first of a key is in the table */
	struct domain *more;   /* the same key, another port */
	uint16_t port;	       /* 0: any */
	bool wildcard;
	uint8_t key_at;
	uint8_t key_len;
	char text[];
};

struct key {
	const char *name;
	size_t len;
	bool wildcard;
};

struct network {
	struct allow_network allow;
	char *text; /* what allow.text borrows */
};

struct allowlist {
	struct htab by_key;
	struct domain **domains; /* in the order of adding */
	size_t n_domains;
	size_t domains_room;
	struct network *networks;
	size_t n_networks;
	size_t networks_room;
};

int allowlist_new(struct allowlist **ret, struct err *e)
{
	struct allowlist *al = calloc(1, sizeof(*al));
	int rc;

	if (!al)
		return err_errno(e, ENOMEM, "allowlist");
	rc = htab_init(&al->by_key);
	if (rc < 0) {
		free(al);
		return err_errno(e, -rc, "allowlist: getrandom");
	}
	*ret = al;
	return 0;
}

void allowlist_free(struct allowlist *al)
{
	if (!al)
		return;
	for (size_t i = 0; i < al->n_domains; i++)
		free(al->domains[i]);
	for (size_t i = 0; i < al->n_networks; i++)
		free(al->networks[i].text);
	free(al->domains);
	free(al->networks);
	htab_done(&al->by_key);
	free(al);
}

/* Returns the array with room for one more element, or NULL. */
static void *with_room(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 16;
	void *p;

	if (n < *room)
		return array;
	p = reallocarray(array, more, size);
	if (p)
		*room = more;
	return p;
}

static bool has_key(const struct htab_node *n, const void *arg)
{
	const struct key *key = arg;
	const struct domain *d = htab_entry(n, const struct domain, node);

	return d->wildcard == key->wildcard && d->key_len == key->len &&
	       memcmp(d->text + d->key_at, key->name, key->len) == 0;
}

static uint64_t hash_key(const struct allowlist *al, const struct key *key)
{
	return htab_hash(&al->by_key, key->name, key->len) ^ key->wildcard;
}

static struct domain *find(const struct allowlist *al, const struct key *key)
{
	struct htab_node *n =
		htab_find(&al->by_key, hash_key(al, key), has_key, key);

	return n ? htab_entry(n, struct domain, node) : NULL;
}

static struct domain *domain_new(const struct pattern *p)
{
	char text[PATTERN_TEXT_MAX];
	const char *star = !p->wildcard ? "" : p->name[0] ? "*." : "*";
	char port[sizeof(":65535")] = "";
	struct domain *d;
	int len;

	if (p->port)
		(void)snprintf(port, sizeof(port), ":%u", (unsigned)p->port);
	len = snprintf(text, sizeof(text), "%s%s%s", star, p->name, port);
	if (len < 0)
		return NULL;
	d = calloc(1, sizeof(*d) + (size_t)len + 1);
	if (!d)
		return NULL;
	d->port = p->port;
	d->wildcard = p->wildcard;
	d->key_at = (uint8_t)strlen(star);
	d->key_len = (uint8_t)strlen(p->name);
	memcpy(d->text, text, (size_t)len + 1);
	return d;
}

/* Looks through the entries of one key.  Returns 1 if port is there already,
 * 0 if it may be added, -ENOSPC if there are ports enough. */
static int check_ports(const struct domain *d, uint16_t port)
{
	size_t n = 0;

	for (; d; d = d->more) {
		if (d->port == port)
			return 1;
		n += d->port != 0;
	}
	return port != 0 && n >= ALLOW_PORTS_MAX ? -ENOSPC : 0;
}

static int too_many_ports(const char *pattern, struct err *e)
{
	char quoted[PATTERN_TEXT_MAX];

	text_escape(pattern, strlen(pattern), quoted, sizeof(quoted));
	return err_set(e, EINVAL,
		       "pattern '%s': more than %d ports for one name; leave "
		       "the port out to allow every port",
		       quoted, ALLOW_PORTS_MAX);
}

static int link_domain(struct allowlist *al, struct domain *first,
		       struct domain *d, const struct key *key)
{
	if (!first)
		return htab_insert(&al->by_key, &d->node, hash_key(al, key));
	d->more = first->more;
	first->more = d;
	return 0;
}

int allowlist_add_domain(struct allowlist *al, const char *pattern,
			 struct err *e)
{
	struct pattern p;
	struct key key;
	struct domain *first;
	struct domain *d;
	struct domain **domains;
	int rc = pattern_parse(pattern, &p, e);

	if (rc < 0)
		return rc;
	key = (struct key) { p.name, strlen(p.name), p.wildcard };
	first = find(al, &key);
	rc = check_ports(first, p.port);
	if (rc < 0)
		return too_many_ports(pattern, e);
	if (rc > 0)
		return 0;
	domains = with_room(al->domains, al->n_domains, &al->domains_room,
			    sizeof(struct domain *));
	if (!domains)
		return err_errno(e, ENOMEM, "allowlist");
	al->domains = domains;
	d = domain_new(&p);
	if (!d)
		return err_errno(e, ENOMEM, "allowlist");
	rc = link_domain(al, first, d, &key);
	if (rc < 0) {
		free(d);
		return err_errno(e, -rc, "allowlist");
	}
	al->domains[al->n_domains++] = d;
	return 0;
}

int allowlist_add_address(struct allowlist *al, const char *text, struct err *e)
{
	struct allow_network n = { 0 };
	struct network *networks;
	char *copy;
	int rc = network_parse(text, &n, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < al->n_networks; i++) {
		const struct allow_network *old = &al->networks[i].allow;

		if (addr_equal(&old->base, &n.base) && old->port == n.port &&
		    old->prefix_len == n.prefix_len)
			return 0;
	}
	networks = with_room(al->networks, al->n_networks, &al->networks_room,
			     sizeof(*networks));
	if (!networks)
		return err_errno(e, ENOMEM, "allowlist");
	al->networks = networks;
	copy = strdup(text);
	if (!copy)
		return err_errno(e, ENOMEM, "allowlist");
	n.text = copy;
	al->networks[al->n_networks++] = (struct network) { n, copy };
	return 0;
}

/* Keeps port[] sorted and distinct.  A port beyond the last slot is dropped:
 * too little is allowed then, never too much. */
static void add_port(struct allow_ports *p, uint16_t port)
{
	size_t i = 0;

	while (i < p->n && p->port[i] < port)
		i++;
	if (p->n == ALLOW_PORTS_MAX || (i < p->n && p->port[i] == port))
		return;
	memmove(&p->port[i + 1], &p->port[i], (p->n - i) * sizeof(p->port[0]));
	p->port[i] = port;
	p->n++;
}

static void collect(const struct allowlist *al, const char *name, bool wildcard,
		    struct allow_ports *ret)
{
	struct key key = { name, strlen(name), wildcard };
	const struct domain *d = find(al, &key);

	if (d && !ret->rule)
		ret->rule = d->text;
	for (; d; d = d->more) {
		if (d->port == 0)
			ret->any = true;
		else
			add_port(ret, d->port);
	}
}

bool allowlist_match(const struct allowlist *al, const char *name,
		     struct allow_ports *ret)
{
	*ret = (struct allow_ports) { 0 };
	/* No rule, not even "*", opens these. */
	if (name[0] == '\0' || hostname_looks_like_address(name) ||
	    pattern_is_never(name))
		return false;
	/* From the most to the least specific. */
	collect(al, name, false, ret);
	for (const char *p = strchr(name, '.'); p; p = strchr(p, '.'))
		collect(al, ++p, true, ret);
	collect(al, "", true, ret);
	if (ret->any)
		ret->n = 0;
	return ret->rule != NULL;
}

bool allow_ports_has(const struct allow_ports *p, uint16_t port)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->port[i] == port)
			return true;
	return p->any;
}

const struct allow_network *allowlist_match_address(const struct allowlist *al,
						    const struct addr *a,
						    uint16_t port)
{
	if (addr_never(a))
		return NULL;
	for (size_t i = 0; i < al->n_networks; i++) {
		const struct allow_network *n = &al->networks[i].allow;

		if ((n->port == 0 || n->port == port) &&
		    addr_in_network(a, &n->base, n->prefix_len))
			return n;
	}
	return NULL;
}

size_t allowlist_n_networks(const struct allowlist *al)
{
	return al->n_networks;
}

const struct allow_network *allowlist_network(const struct allowlist *al,
					      size_t i)
{
	return &al->networks[i].allow;
}

size_t allowlist_n_domains(const struct allowlist *al)
{
	return al->n_domains;
}

const char *allowlist_domain(const struct allowlist *al, size_t i)
{
	return al->domains[i]->text;
}
