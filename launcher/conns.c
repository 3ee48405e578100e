/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/conns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/htab.h"
#include "launcher/admission.h"
#include "launcher/connector.h"

struct entry {
	struct htab_node node;
	LIST_ENTRY(entry) list;
	uint64_t id;
	struct conn conn;
};

struct conns {
	struct htab table;
	LIST_HEAD(entry_list, entry) all;
	uint64_t last_id;
	size_t n_udp;
};

int conns_new(struct conns **ret, struct err *e)
{
	struct conns *cs = calloc(1, sizeof(*cs));
	int rc;

	if (!cs)
		return err_errno(e, ENOMEM, "connections");
	rc = htab_init(&cs->table);
	if (rc < 0) {
		free(cs);
		return err_errno(e, -rc, "connections");
	}
	*ret = cs;
	return 0;
}

void conns_free(struct conns *cs, struct admissions *a)
{
	struct conn conn;
	uint64_t id;

	if (!cs)
		return;
	while (conns_any(cs, &id) && conns_take(cs, id, &conn)) {
		if (conn.admission)
			admission_release(a, conn.admission);
		free(conn.name);
	}
	htab_done(&cs->table);
	free(cs);
}

int conns_add(struct conns *cs, const struct connection *c, uint64_t now_ms,
	      const char *name, uint64_t *ret_id)
{
	struct entry *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	n->id = ++cs->last_id;
	n->conn = (struct conn) { .admission = c->admission,
				  .dst = c->dst,
				  .dst_port = c->dst_port,
				  .udp = c->udp,
				  .started_ms = now_ms };
	if (name && !(n->conn.name = strdup(name))) {
		free(n);
		return -ENOMEM;
	}
	rc = htab_insert(&cs->table, &n->node,
			 htab_hash(&cs->table, &n->id, sizeof(n->id)));
	if (rc < 0) {
		free(n->conn.name);
		free(n);
		return rc;
	}
	LIST_INSERT_HEAD(&cs->all, n, list);
	cs->n_udp += c->udp;
	*ret_id = n->id;
	return 0;
}

static bool id_equal(const struct htab_node *n, const void *key)
{
	return htab_entry(n, const struct entry, node)->id ==
	       *(const uint64_t *)key;
}

static struct htab_node *find(const struct conns *cs, uint64_t id)
{
	return htab_find(&cs->table, htab_hash(&cs->table, &id, sizeof(id)),
			 id_equal, &id);
}

bool conns_get(const struct conns *cs, uint64_t id, struct conn *ret)
{
	const struct htab_node *n = find(cs, id);

	if (n)
		*ret = htab_entry(n, const struct entry, node)->conn;
	return n != NULL;
}

bool conns_take(struct conns *cs, uint64_t id, struct conn *ret)
{
	struct htab_node *n = find(cs, id);
	struct entry *found;

	if (!n)
		return false;
	found = htab_entry(n, struct entry, node);
	*ret = found->conn;
	htab_remove(&cs->table, n);
	LIST_REMOVE(found, list);
	cs->n_udp -= found->conn.udp;
	free(found);
	return true;
}

size_t conns_n_udp(const struct conns *cs)
{
	return cs->n_udp;
}

bool conns_any(struct conns *cs, uint64_t *ret_id)
{
	const struct entry *first = LIST_FIRST(&cs->all);

	if (!first)
		return false;
	*ret_id = first->id;
	return true;
}
