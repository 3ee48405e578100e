/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/netpolicy.h"

#include <errno.h>

#include "profiles/namefile.h"
#include "profiles/netplace.h"
#include "profiles/networks.h"

#define DNS_PORT 53
/* Each of these is two literal networks, a rule, two listening sockets. */
#define CONNECT_PORTS_MAX 64
#define OPEN_RANGES_MAX	  64
#define LISTEN_PORTS_MAX  256

#define PATH_OF_DENY  "network.deny_domain"
#define PATH_OF_ALLOW "network.allow_domain"

struct compiler {
	const struct library *library;
	const struct vars *vars;
	struct profile *profile;
	struct arena *arena;
	struct allowlist *list;
	struct networks *networks; /* NULL: not read yet */
};

/* Reads one entry's text into the list. */
typedef int add_fn(struct allowlist *al, const char *text, struct err *note,
		   struct err *e);

/* What the command line may say, and what a profile may. */
struct side {
	const char *path;
	add_fn *strict;
	add_fn *lenient;
};

static int note(struct compiler *c, const struct origin *o, const char *path,
		const char *text)
{
	const char *at = origin_text(c->arena, o);

	return at ? profile_note(c->arena, c->profile, "%s: %s: %s", at, path,
				 text)
		  : -ENOMEM;
}

static int need_networks(struct compiler *c, struct err *e)
{
	return c->networks
		       ? 0
		       : networks_read(c->library, c->arena, &c->networks, e);
}

static int add_strict_allowed(struct allowlist *al, const char *text,
			      struct err *note, struct err *e)
{
	(void)note;
	return allowlist_add_domain(al, text, e);
}

static int add_strict_denied(struct allowlist *al, const char *text,
			     struct err *note, struct err *e)
{
	(void)note;
	return allowlist_add_denied(al, text, e);
}

static const struct side allowed = { PATH_OF_ALLOW, add_strict_allowed,
				     allowlist_add_profile_domain };
static const struct side denied = { PATH_OF_DENY, add_strict_denied,
				    allowlist_add_profile_denied };

static int add_hosts(struct compiler *c, const struct side *side,
		     const char *const *hosts, struct err *e)
{
	for (; *hosts; hosts++) {
		struct err said = { 0 };
		int rc = side->lenient(c->list, *hosts, &said, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Adds an entry that is the name of a group: 1 if it was one. */
static int add_group(struct compiler *c, const struct side *side,
		     const char *text, struct err *e)
{
	const char *const *hosts;
	int rc;

	if (!networks_maybe_group(text))
		return 0;
	rc = need_networks(c, e);
	if (rc < 0)
		return rc;
	hosts = networks_group(c->networks, text);
	if (!hosts)
		return 0;
	rc = add_hosts(c, side, hosts, e);
	return rc < 0 ? rc : 1;
}

static int add_entry(struct compiler *c, const struct side *side,
		     const struct entry *item, struct err *e)
{
	add_fn *add =
		origin_is_flag(&item->from) ? side->strict : side->lenient;
	struct err said = { 0 };
	struct err why = { 0 };
	int rc;

	if (item->n_endpoints > 0)
		(void)err_set(&why, EINVAL,
			      "'%s' has rules for methods and paths; they need "
			      "TLS interception, which egress-run does not "
			      "do; write the host alone",
			      item->text);
	rc = why.code ? -why.code : add_group(c, side, item->text, &why);
	if (rc == 0)
		rc = add(c->list, item->text, &said, &why);
	if (rc < 0)
		return netplace_error(c->arena, &item->from, side->path, &why,
				      e);
	if (said.msg[0] && note(c, &item->from, side->path, said.msg) < 0)
		return err_errno(e, ENOMEM, "%s", side->path);
	return 0;
}

static int add_entries(struct compiler *c, const struct side *side,
		       const struct field *f, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->n; i++)
		rc = add_entry(c, side, &f->items[i], e);
	return rc;
}

static int add_network_profile(struct compiler *c, struct err *e)
{
	const struct field *f = &c->profile->field[KEY_NET_PROFILE];
	const char *name = profile_scalar(c->profile, KEY_NET_PROFILE);
	const char *const *groups;
	struct err why;
	int rc;

	if (!name)
		return 0;
	rc = need_networks(c, e);
	if (rc < 0)
		return rc;
	rc = networks_profile(c->networks, name, &groups, &why);
	if (rc < 0)
		return netplace_error(c->arena, &f->items[0].from,
				      "network.network_profile", &why, e);
	for (; rc == 0 && *groups; groups++)
		rc = add_hosts(c, &allowed,
			       networks_group(c->networks, *groups), e);
	return rc;
}

/* The lists under egress_run that are read strictly wherever they stand. */
static int add_own(struct compiler *c, enum profile_key key, const char *path,
		   int (*add)(struct allowlist *al, const char *text,
			      struct err *e),
		   struct err *e)
{
	const struct field *f = &c->profile->field[key];
	struct err why;

	for (size_t i = 0; i < f->n; i++)
		if (add(c->list, f->items[i].text, &why) < 0)
			return netplace_error(c->arena, &f->items[i].from, path,
					      &why, e);
	return 0;
}

/* Relative to the folder of the file that names it; for a flag, to where the
 * user stands. */
static const char *resolve(struct compiler *c, const char *path,
			   const struct origin *o)
{
	const char *folder;

	if (path[0] == '/' || origin_is_flag(o))
		return path;
	folder = library_folder(c->arena, o->file);
	return folder ? arena_printf(c->arena, "%s/%s", folder, path) : NULL;
}

static int add_files(struct compiler *c, struct err *e)
{
	const struct field *f = &c->profile->field[KEY_OWN_ALLOW_DOMAIN_FILE];

	for (size_t i = 0; i < f->n; i++) {
		const struct entry *item = &f->items[i];
		const char *path;
		struct err why;
		int rc =
			vars_expand(c->vars, c->arena, item->text, &path, &why);

		if (rc < 0)
			return netplace_error(c->arena, &item->from,
					      "egress_run.allow_domain_file",
					      &why, e);
		path = resolve(c, path, &item->from);
		if (!path)
			return err_errno(e, ENOMEM, "%s", item->text);
		rc = namefile_read(c->list, path, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What --allow-net stands for; addr_never() holds against it. */
static int add_everything(struct compiler *c, struct err *e)
{
	int rc = allowlist_add_domain(c->list, "*", e);

	if (rc == 0)
		rc = allowlist_add_address(c->list, "0.0.0.0/0", e);
	if (rc == 0)
		rc = allowlist_add_address(c->list, "::/0", e);
	return rc;
}

/* Every address, on those ports. */
static int add_connect_ports(struct compiler *c, struct err *e)
{
	static const char *const everywhere[] = { "0.0.0.0/0", "[::/0]" };
	struct ports ports;
	int rc = ports_compile(c->profile, KEY_NET_CONNECT_PORT,
			       KEY_NET_CONNECT_PORT, c->arena, &ports, e);

	if (rc < 0)
		return rc;
	if (ports_count(&ports) > CONNECT_PORTS_MAX)
		return err_set(e, E2BIG,
			       "network.connect_port has %zu ports; at most "
			       "%d may be open to every address",
			       ports_count(&ports), CONNECT_PORTS_MAX);
	for (size_t i = 0; i < ports.n; i++) {
		for (uint32_t port = ports.ranges[i].first;
		     port <= ports.ranges[i].last; port++) {
			for (size_t f = 0; rc == 0 && f < 2; f++) {
				const char *text = arena_printf(
					c->arena, "%s:%u", everywhere[f], port);

				rc = text ? allowlist_add_address(c->list, text,
								  e)
					  : err_errno(e, ENOMEM, "ports");
			}
		}
	}
	return rc;
}

static int add_listed(struct compiler *c, struct err *e)
{
	int rc = add_network_profile(c, e);

	if (rc == 0)
		rc = add_entries(c, &allowed,
				 &c->profile->field[KEY_NET_ALLOW_DOMAIN], e);
	if (rc == 0)
		rc = add_own(c, KEY_OWN_ALLOW_ADDRESS,
			     "egress_run.allow_address", allowlist_add_address,
			     e);
	if (rc == 0)
		rc = add_files(c, e);
	if (rc == 0)
		rc = add_connect_ports(c, e);
	return rc;
}

/* The host's resolver answers on its loopback: what asked it there would go
 * around the filter. */
static int compile_local(struct compiler *c, struct netpolicy *n, struct err *e)
{
	int rc = ports_compile(c->profile, KEY_NET_OPEN_PORT,
			       KEY_NET_OPEN_PORT_RANGE, c->arena, &n->open, e);

	if (rc == 0)
		rc = ports_compile(c->profile, KEY_NET_LISTEN_PORT,
				   KEY_NET_LISTEN_PORT_RANGE, c->arena,
				   &n->listen, e);
	if (rc < 0)
		return rc;
	if (ports_has(&n->open, DNS_PORT) || ports_has(&n->listen, DNS_PORT))
		return err_set(e, EINVAL,
			       "network.open_port and listen_port cannot have "
			       "port 53: it is the DNS filter's; leave it out");
	if (n->open.n > OPEN_RANGES_MAX)
		return err_set(e, E2BIG,
			       "network.open_port has %zu ranges; at most %d "
			       "are possible: join neighbours",
			       n->open.n, OPEN_RANGES_MAX);
	if (ports_count(&n->listen) > LISTEN_PORTS_MAX)
		return err_set(e, E2BIG,
			       "network.listen_port has %zu ports; at most %d "
			       "can be listened on: name those that are used",
			       ports_count(&n->listen), LISTEN_PORTS_MAX);
	/* The host's port of that number leads back to the command. */
	return ports_subtract(&n->open, &n->listen, c->arena, &n->open) < 0
		       ? err_errno(e, ENOMEM, "ports")
		       : 0;
}

static enum netpolicy_kind kind_of(const struct profile *p, bool open)
{
	static const enum profile_key listing[] = {
		KEY_NET_PROFILE, KEY_NET_ALLOW_DOMAIN, KEY_OWN_ALLOW_ADDRESS,
		KEY_OWN_ALLOW_DOMAIN_FILE, KEY_NET_CONNECT_PORT
	};

	if (open)
		return NETPOLICY_OPEN;
	if (profile_true(p, KEY_NET_BLOCK))
		return NETPOLICY_BLOCKED;
	for (size_t i = 0; i < sizeof(listing) / sizeof(listing[0]); i++)
		if (p->field[listing[i]].n > 0)
			return NETPOLICY_LIST;
	return NETPOLICY_NOTHING;
}

/* No network at all is a promise of the profile: a flag that breaks it is an
 * error, as for what opens only a part. */
static int check_open(const struct profile *p, struct arena *a, struct err *e)
{
	const char *at;

	if (!profile_true(p, KEY_NET_BLOCK))
		return 0;
	at = origin_text(a, &p->field[KEY_NET_BLOCK].items[0].from);
	return err_set(e, EINVAL,
		       "network.block and --allow-net contradict each other: "
		       "no network at all (%s), and all of it; remove one of "
		       "them",
		       at ? at : "a profile");
}

int netpolicy_compile(const struct library *l, struct profile *p,
		      const struct vars *v, bool open, struct arena *a,
		      struct netpolicy *ret, struct err *e)
{
	struct compiler c = {
		.library = l, .vars = v, .profile = p, .arena = a
	};
	int rc;

	*ret = (struct netpolicy) { .kind = kind_of(p, open) };
	rc = open ? check_open(p, a, e) : 0;
	if (rc < 0)
		return rc;
	rc = allowlist_new(&ret->allow, e);
	if (rc < 0)
		return rc;
	c.list = ret->allow;
	rc = add_entries(&c, &denied, &p->field[KEY_NET_DENY_DOMAIN], e);
	if (rc == 0)
		rc = add_own(&c, KEY_OWN_ALLOW_PRIVATE,
			     "egress_run.allow_private", allowlist_add_private,
			     e);
	if (rc == 0)
		rc = add_own(&c, KEY_OWN_DNS_TYPES, "egress_run.dns_types",
			     allowlist_add_record_type, e);
	if (rc == 0 && ret->kind == NETPOLICY_OPEN)
		rc = add_everything(&c, e);
	if (rc == 0 && ret->kind == NETPOLICY_LIST)
		rc = add_listed(&c, e);
	if (rc == 0)
		rc = compile_local(&c, ret, e);
	if (rc == 0)
		rc = proxy_rules_compile(p, a, &ret->proxy, e);
	if (rc == 0)
		rc = allowlist_seal(ret->allow, e);
	if (rc < 0)
		netpolicy_done(ret);
	return rc;
}

void netpolicy_done(struct netpolicy *n)
{
	proxy_rules_done(&n->proxy);
	allowlist_free(n->allow);
	n->allow = NULL;
}
