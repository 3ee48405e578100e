/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/blocked.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/htab.h"
#include "common/log.h"
#include "profiles/allowlist.h"
#include "profiles/pattern.h"

/* The command chooses what is counted: a bound on distinct lines. */
#define LINES_MAX   4096
#define LINES_SHOWN 10
#define TEXT_MAX    400

struct line {
	struct htab_node node;
	uint64_t count;
	const char *unit; /* "query", "packet" */
	char remedy[TEXT_MAX];
	char what[TEXT_MAX];
};

struct blocked {
	const struct allowlist *allow;
	struct htab lines;
	uint64_t n_uncounted; /* beyond LINES_MAX */
};

int blocked_new(struct blocked **ret, const struct allowlist *allow)
{
	struct blocked *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return -ENOMEM;
	b->allow = allow;
	rc = htab_init(&b->lines);
	if (rc < 0) {
		free(b);
		return rc;
	}
	*ret = b;
	return 0;
}

static void free_node(struct htab_node *n, void *arg)
{
	(void)arg;
	free(htab_entry(n, struct line, node));
}

void blocked_free(struct blocked *b)
{
	if (!b)
		return;
	htab_each(&b->lines, free_node, NULL);
	htab_done(&b->lines);
	free(b);
}

static bool line_equal(const struct htab_node *n, const void *key)
{
	return strcmp(htab_entry(n, const struct line, node)->what, key) == 0;
}

/* The line of that text, new or not; NULL if there are too many. */
static struct line *get_line(struct blocked *b, const char *what)
{
	uint64_t hash = htab_hash(&b->lines, what, strlen(what));
	struct htab_node *n = htab_find(&b->lines, hash, line_equal, what);
	struct line *l;

	if (n)
		return htab_entry(n, struct line, node);
	if (b->lines.n_nodes >= LINES_MAX)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l || htab_insert(&b->lines, &l->node, hash) < 0) {
		free(l);
		return NULL;
	}
	(void)snprintf(l->what, sizeof(l->what), "%s", what);
	return l;
}

static void add(struct blocked *b, const char *what, const char *unit,
		const char *remedy, uint64_t count)
{
	struct line *l = get_line(b, what);

	if (!l) {
		b->n_uncounted += count;
		return;
	}
	l->count += count;
	l->unit = unit;
	(void)snprintf(l->remedy, sizeof(l->remedy), "%s", remedy);
}

void blocked_name(struct blocked *b, const char *name, bool is_host,
		  uint64_t count)
{
	char remedy[TEXT_MAX] = "";
	struct allow_ports ports = { 0 };
	struct pattern pattern;

	if (b->allow)
		(void)allowlist_match(b->allow, name, &ports);
	/* Some names are never allowed (metadata, addresses). */
	if (ports.deny_rule)
		(void)snprintf(remedy, sizeof(remedy), "denied by %s",
			       ports.deny_rule);
	else if (is_host && pattern_parse(name, &pattern, NULL) == 0)
		(void)snprintf(remedy, sizeof(remedy),
			       "allow with --allow-domain %s", name);
	add(b, name, "look-up", remedy, count);
}

/* The text of the entry that denies the address, or NULL. */
static const char *denial_of(const struct blocked *b, const struct addr *a,
			     uint16_t port)
{
	const struct allow_network *n =
		b->allow ? allowlist_denies_address(b->allow, a, port) : NULL;

	return n ? n->text : NULL;
}

void blocked_answer(struct blocked *b, const char *name, const struct addr *a,
		    uint64_t count)
{
	char text[ADDR_TEXT_MAX];
	char what[TEXT_MAX];
	char remedy[TEXT_MAX] = "never allowed";
	const char *reason = addr_never(a);

	if (!reason && denial_of(b, a, 0))
		reason = "a denied address";
	if (!reason && b->allow && !allowlist_may_resolve(b->allow, name, a)) {
		reason = addr_private(a);
		(void)snprintf(remedy, sizeof(remedy),
			       "allow with --allow-private %s", name);
	}
	(void)snprintf(what, sizeof(what), "%s -> %s (%s)", name,
		       addr_format(a, text),
		       reason ? reason : "an address of this host");
	add(b, what, "look-up", remedy, count);
}

void blocked_limited(struct blocked *b, const char *rule, uint64_t count)
{
	char what[TEXT_MAX];

	(void)snprintf(what, sizeof(what), "too many new names under %s", rule);
	add(b, what, "time", "slowed down, as they can carry data out", count);
}

void blocked_address(struct blocked *b, const char *protocol,
		     const struct addr *a, uint16_t port,
		     enum blocked_reason why)
{
	char text[ADDR_PORT_TEXT_MAX];
	char what[TEXT_MAX];
	char remedy[TEXT_MAX] = "";
	const char *reason = addr_never(a);

	const char *denial = denial_of(b, a, port);

	if (!reason && why == BLOCKED_OWN)
		reason = "address of this host";
	(void)snprintf(what, sizeof(what), "%s %s",
		       port ? addr_format_port(a, port, text)
			    : addr_format(a, text),
		       protocol);
	if (reason)
		(void)snprintf(remedy, sizeof(remedy), "never allowed: %s",
			       reason);
	else if (denial)
		(void)snprintf(remedy, sizeof(remedy), "denied by %s", denial);
	else if (why == BLOCKED_DENIED)
		(void)snprintf(remedy, sizeof(remedy),
			       "denied for a name that resolved to it");
	else if (strcmp(protocol, "tcp") == 0)
		(void)snprintf(remedy, sizeof(remedy),
			       "allow the name it belongs to, or "
			       "--allow-address %s",
			       text);
	else if (strcmp(protocol, "udp") == 0 && port == 443)
		(void)snprintf(remedy, sizeof(remedy),
			       "QUIC; programs use TCP instead");
	else if (strcmp(protocol, "udp") == 0)
		(void)snprintf(remedy, sizeof(remedy),
			       "allow NAME:%u/udp, or --allow-address %s/udp",
			       port, text);
	else
		(void)snprintf(remedy, sizeof(remedy),
			       "only TCP and UDP are let out");
	add(b, what, "packet", remedy, 1);
}

static void remedy_of_request(const struct blocked *b,
			      const struct relay_msg_refused *m,
			      const char *where, char ret[static TEXT_MAX])
{
	struct allow_ports ports = { 0 };
	char name[HOSTNAME_BUF];

	ret[0] = '\0';
	if (m->reason == INSPECT_NAME_NOT_ALLOWED &&
	    hostname_from_text(m->name, name, NULL) == 0) {
		if (b->allow)
			(void)allowlist_match(b->allow, name, &ports);
		if (ports.deny_rule)
			(void)snprintf(ret, TEXT_MAX, "denied by %s",
				       ports.deny_rule);
		else
			(void)snprintf(ret, TEXT_MAX,
				       "allow with --allow-domain %s", name);
	} else if (m->reason == INSPECT_NAME_HIDDEN) {
		(void)snprintf(ret, TEXT_MAX, "--verify names lets it pass");
	} else if (m->reason != INSPECT_INCOMPLETE) {
		(void)snprintf(ret, TEXT_MAX,
			       "--allow-address %s lets it pass unchecked",
			       where);
	}
}

void blocked_request(struct blocked *b, const struct relay_msg_refused *m,
		     const struct addr *a, uint16_t port)
{
	static const char *const speaks[INSPECT_PROTOCOL__COUNT] = {
		[INSPECT_UNKNOWN] = "",	    [INSPECT_TLS] = "TLS: ",
		[INSPECT_HTTP1] = "HTTP: ", [INSPECT_HTTP2] = "HTTP/2: ",
		[INSPECT_OTHER] = "",
	};
	char where[ADDR_PORT_TEXT_MAX];
	char what[TEXT_MAX];
	char remedy[TEXT_MAX];

	(void)addr_format_port(a, port, where);
	(void)snprintf(what, sizeof(what), "%s%s%s tcp (%s%s)", m->name,
		       m->name[0] ? " at " : "", where, speaks[m->protocol],
		       m->detail[0] ? m->detail
				    : inspect_reason_text(m->reason));
	remedy_of_request(b, m, where, remedy);
	add(b, what, "connection", remedy, 1);
}

struct collecting {
	const struct line **lines;
	size_t n;
};

static void collect(struct htab_node *n, void *arg)
{
	struct collecting *c = arg;

	c->lines[c->n++] = htab_entry(n, struct line, node);
}

static int by_count(const void *x, const void *y)
{
	const struct line *a = *(const struct line *const *)x;
	const struct line *b = *(const struct line *const *)y;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->what, b->what);
}

static void print_lines(const struct collecting *c)
{
	size_t shown = c->n < LINES_SHOWN ? c->n : LINES_SHOWN;

	for (size_t i = 0; i < shown; i++) {
		const struct line *l = c->lines[i];

		log_notice("  %s (%" PRIu64 " %s%s)%s%s", l->what, l->count,
			   l->unit, l->count == 1 ? "" : "s",
			   l->remedy[0] ? "; " : "", l->remedy);
	}
	if (c->n > shown)
		log_notice("  and %zu more; --log FILE lists everything",
			   c->n - shown);
}

void blocked_print(struct blocked *b, uint64_t unseen, uint64_t spoofed)
{
	struct collecting c = { 0 };

	if (b->lines.n_nodes == 0 && unseen == 0 && spoofed == 0)
		return;
	c.lines = calloc(b->lines.n_nodes + 1, sizeof(struct line *));
	if (!c.lines)
		return;
	htab_each(&b->lines, collect, &c);
	qsort(c.lines, c.n, sizeof(struct line *), by_count);
	log_notice("blocked:");
	print_lines(&c);
	if (b->n_uncounted + unseen > 0)
		log_notice("  and %" PRIu64 " packets or look-ups more",
			   b->n_uncounted + unseen);
	if (spoofed > 0)
		log_notice("  %" PRIu64 " packets with a forged source address",
			   spoofed);
	free(c.lines);
}
