/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/htab.h"

#define NAMES_MAX 65536
/* Per family: enough to try another one. */
#define ADDRESSES_MAX 8

struct name {
	struct htab_node node;
	unsigned refs;
	const char *rule;
	size_t n_addrs;
	struct addr addrs[2 * ADDRESSES_MAX];
	char text[];
};

struct names {
	struct htab table;
};

static bool text_equal(const struct htab_node *n, const void *key)
{
	return strcmp(htab_entry(n, const struct name, node)->text, key) == 0;
}

int names_new(struct names **ret)
{
	struct names *ns = calloc(1, sizeof(*ns));
	int rc;

	if (!ns)
		return -ENOMEM;
	rc = htab_init(&ns->table);
	if (rc < 0) {
		free(ns);
		return rc;
	}
	*ret = ns;
	return 0;
}

static void free_node(struct htab_node *n, void *arg)
{
	struct names *ns = arg;

	htab_remove(&ns->table, n);
	free(htab_entry(n, struct name, node));
}

void names_free(struct names *ns)
{
	if (!ns)
		return;
	htab_each(&ns->table, free_node, ns);
	htab_done(&ns->table);
	free(ns);
}

struct name *names_get(struct names *ns, const char *text, const char *rule)
{
	size_t len = strlen(text);
	uint64_t hash = htab_hash(&ns->table, text, len);
	struct htab_node *found = htab_find(&ns->table, hash, text_equal, text);
	struct name *n;

	if (found) {
		n = htab_entry(found, struct name, node);
		n->refs++;
		return n;
	}
	if (ns->table.n_nodes >= NAMES_MAX)
		return NULL;
	n = calloc(1, sizeof(*n) + len + 1);
	if (!n)
		return NULL;
	memcpy(n->text, text, len + 1);
	n->rule = rule;
	n->refs = 1;
	if (htab_insert(&ns->table, &n->node, hash) < 0) {
		free(n);
		return NULL;
	}
	return n;
}

void names_hold(struct name *n)
{
	n->refs++;
}

void names_release(struct names *ns, struct name *n)
{
	if (--n->refs > 0)
		return;
	htab_remove(&ns->table, &n->node);
	free(n);
}

void names_set_addresses(struct name *n, const struct addr *addrs, size_t count,
			 uint64_t granted)
{
	uint8_t family = addrs[0].family;
	size_t kept = 0;
	size_t added = 0;

	for (size_t i = 0; i < n->n_addrs; i++)
		if (n->addrs[i].family != family)
			n->addrs[kept++] = n->addrs[i];
	n->n_addrs = kept;
	for (size_t i = 0; i < count && added < ADDRESSES_MAX; i++) {
		if (!(granted & 1ULL << i) || addrs[i].family != family)
			continue;
		n->addrs[n->n_addrs++] = addrs[i];
		added++;
	}
}

bool name_has_address(const struct name *n, const struct addr *a)
{
	for (size_t i = 0; i < n->n_addrs; i++)
		if (addr_equal(&n->addrs[i], a))
			return true;
	return false;
}

const struct addr *name_address(const struct name *n, size_t i)
{
	return i < n->n_addrs ? &n->addrs[i] : NULL;
}

const char *name_text(const struct name *n)
{
	return n->text;
}

const char *name_rule(const struct name *n)
{
	return n->rule;
}
