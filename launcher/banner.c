/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/banner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "launcher/options.h"
#include "launcher/prepare.h"
#include "profiles/keys.h"

#define LINE_MAX_BYTES 900

/* A line that grows; what does not fit is cut. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l,
						      const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= sizeof(l->text))
		l->len = sizeof(l->text) - 1;
}

static void add_network(struct line *l, const struct netpolicy *net)
{
	size_t names = allowlist_n_domains(net->allow);
	size_t networks = allowlist_n_networks(net->allow);

	switch (net->kind) {
	case NETPOLICY_OPEN:
		add(l, "every name and address allowed");
		return;
	case NETPOLICY_LIST:
		add(l, "%zu name%s", names, names == 1 ? "" : "s");
		if (networks > 0)
			add(l, " and %zu address%s", networks,
			    networks == 1 ? "" : "es");
		add(l, " allowed");
		return;
	default:
		add(l, "no network");
	}
}

static void add_workdir(struct line *l, const struct prepared *p)
{
	static const char *const level[] = {
		[ACCESS_READ] = "read-only",
		[ACCESS_WRITE] = "write-only",
		[ACCESS_READ | ACCESS_WRITE] = "read-write",
	};

	if (p->workdir_access > 0 &&
	    p->workdir_access < sizeof(level) / sizeof(level[0]))
		add(l, "; working directory %s %s", p->base.vars.workdir,
		    level[p->workdir_access]);
}

static void say_profile(const struct prepared *p)
{
	struct line l = { .len = 0 };

	add(&l, "profile %s (%s): ", p->loaded.name, p->loaded.path);
	add_network(&l, &p->net);
	add_workdir(&l, p);
	if (p->credentials[0])
		add(&l, "; %s", p->credentials);
	log_notice("%s", l.text);
}

/* True if the profile or the command line grants files; the groups that every
 * run has do not count. */
static bool grants_files(const struct profile *p)
{
	for (int k = KEY_FS_ALLOW; k <= KEY_FS_UNIX_SOCKET_SUBTREE_BIND; k++)
		if (p->field[k].n > 0)
			return true;
	return false;
}

/* To be removed with the step that enforces them. */
static void say_files_not_enforced(const struct prepared *p)
{
	if (grants_files(p->loaded.profile) || p->workdir_access > 0)
		log_warning("file grants are not enforced yet: the command "
			    "reads and writes what its user may; --dry-run "
			    "lists the grants");
}

/* Keys of the profile on which a run does not act. */
static void say_noted(const struct profile *p)
{
	for (int k = 0; k < KEY__COUNT; k++) {
		const struct key_spec *spec = key_spec((enum profile_key)k);
		const struct field *f = &p->field[k];

		if (spec->effect != EFFECT_NOTED ||
		    !key_asks((enum profile_key)k, f))
			continue;
		log_info("%s:%u: %s is not acted on: %s", f->from.file,
			 f->from.line, spec->path, spec->why);
	}
}

void banner_print(const struct options *o, const struct prepared *p)
{
	for (size_t i = 0; i < o->ignored.n; i++)
		log_info("%s", o->ignored.items[i]);
	say_noted(p->loaded.profile);
	if (p->named)
		say_profile(p);
	if (p->net.kind == NETPOLICY_NOTHING)
		log_notice("nothing is reachable: no name is allowed; "
			   "--allow-domain NAME, --network-profile developer "
			   "or --allow-net change that");
	say_files_not_enforced(p);
}
