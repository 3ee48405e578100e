/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/banner.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "launcher/options.h"
#include "launcher/prepare.h"
#include "profiles/keys.h"

#define LINE_MAX_BYTES 900
#define NAME_MAX_BYTES 40
#define PATH_MAX_BYTES 200

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

/* Text of a file must not push the rest out of the line, nor end its quotes. */
static void add_cut(struct line *l, const char *text, size_t max, char quote)
{
	size_t len = strnlen(text, max + 1);
	bool cut = len > max;

	if (cut)
		len = max;
	/* Not within a character of UTF-8. */
	while (cut && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
		add(l, "%c", quote && text[i] == quote ? '?' : text[i]);
	if (cut)
		add(l, "...");
}

static bool allows_every_name(const struct allowlist *al)
{
	for (size_t i = 0; i < allowlist_n_domains(al); i++)
		if (strcmp(allowlist_domain(al, i), "*") == 0)
			return true;
	return false;
}

static void add_denied(struct line *l, const struct netpolicy *net)
{
	size_t n = allowlist_n_denied(net->allow);

	if (n > 0)
		add(l, " less %zu denied", n);
}

static void add_network(struct line *l, const struct netpolicy *net)
{
	size_t names = allowlist_n_domains(net->allow);
	size_t networks = allowlist_n_networks(net->allow);

	switch (net->kind) {
	case NETPOLICY_OPEN:
		add(l, "every name and address allowed");
		break;
	case NETPOLICY_LIST:
		if (allows_every_name(net->allow))
			add(l, "every name");
		else
			add(l, "%zu name%s", names, names == 1 ? "" : "s");
		if (networks > 0)
			add(l, " and %zu address%s", networks,
			    networks == 1 ? "" : "es");
		add(l, " allowed");
		break;
	default:
		add(l, "no network");
		return;
	}
	add_denied(l, net);
}

static void add_workdir(struct line *l, const struct prepared *p)
{
	static const char *const level[] = {
		[ACCESS_READ] = "read-only",
		[ACCESS_WRITE] = "write-only",
		[ACCESS_READ | ACCESS_WRITE] = "read-write",
	};

	if (p->workdir_access > 0 &&
	    p->workdir_access < sizeof(level) / sizeof(level[0])) {
		add(l, "; working directory ");
		add_cut(l, p->base.vars.workdir, PATH_MAX_BYTES, 0);
		add(l, " %s", level[p->workdir_access]);
	}
}

static void say_profile(const struct prepared *p)
{
	struct line l = { .len = 0 };

	add(&l, "profile '");
	add_cut(&l, p->loaded.name, NAME_MAX_BYTES, '\'');
	add(&l, "' (");
	add_cut(&l, p->loaded.path ? p->loaded.path : "built in",
		PATH_MAX_BYTES, 0);
	add(&l, "): ");
	add_network(&l, &p->net);
	add_workdir(&l, p);
	if (p->credentials[0])
		add(&l, "; %s", p->credentials);
	log_notice("%s", l.text);
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
}
