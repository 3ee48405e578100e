/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What contradicts itself in the network part of a profile. */
#include "profiles/netpolicy.h"

#include <errno.h>

#include "profiles/netplace.h"
#include "profiles/noproxy.h"

/* The flag, or the key. */
static const char *said_by(const struct origin *o, const char *path)
{
	return origin_is_flag(o) ? o->file : path;
}

static int contradict(struct arena *a, const struct origin *block,
		      const struct origin *other, const char *path,
		      struct err *e)
{
	const char *at = origin_text(a, block);
	const char *other_at = origin_text(a, other);

	return err_set(e, EINVAL,
		       "%s and %s contradict each other: no network at all "
		       "(%s), and some of it (%s); remove one of them",
		       said_by(block, "network.block"), said_by(other, path),
		       at ? at : "", other_at ? other_at : "");
}

static int check_block(const struct profile *p, struct arena *a, struct err *e)
{
	static const struct {
		enum profile_key key;
		const char *path;
	} others[] = {
		{ KEY_NET_PROFILE, "network.network_profile" },
		{ KEY_NET_ALLOW_DOMAIN, "network.allow_domain" },
		{ KEY_NET_CREDENTIALS, "network.credentials" },
		{ KEY_NET_UPSTREAM_PROXY, "network.upstream_proxy" },
		{ KEY_NET_CONNECT_PORT, "network.connect_port" },
		{ KEY_OWN_ALLOW_ADDRESS, "egress_run.allow_address" },
		{ KEY_OWN_ALLOW_DOMAIN_FILE, "egress_run.allow_domain_file" },
	};

	if (!profile_true(p, KEY_NET_BLOCK))
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct field *f = &p->field[others[i].key];

		if (f->n > 0)
			return contradict(
				a, &p->field[KEY_NET_BLOCK].items[0].from,
				&f->items[0].from, others[i].path, e);
	}
	return 0;
}

/* Of no_proxy and allow_domain that are held against each other. */
#define PAIRS_MAX 4000000

/* load_check() bounds no_proxy alone. */
static int check_pairs(const struct profile *p, struct arena *a, struct err *e)
{
	const struct field *no_proxy = &p->field[KEY_NET_NO_PROXY];
	const struct field *allow = &p->field[KEY_NET_ALLOW_DOMAIN];

	if (no_proxy->n == 0 || allow->n <= PAIRS_MAX / no_proxy->n)
		return 0;
	return err_set(e, E2BIG,
		       "%s: network.no_proxy with %zu entries is too long for "
		       "network.allow_domain with %zu: put long lists of names "
		       "into a file of egress_run.allow_domain_file",
		       origin_text(a, &no_proxy->items[0].from), no_proxy->n,
		       allow->n);
}

static int check_no_proxy(const struct profile *p, struct arena *a,
			  const struct entry *item, struct err *e)
{
	const struct field *allow = &p->field[KEY_NET_ALLOW_DOMAIN];
	struct err reason;
	struct err why;

	if (noproxy_check(item->text, &reason) < 0) {
		(void)err_set(&why, EINVAL, "'%s' %s", item->text, reason.msg);
		return netplace_error(a, &item->from, "network.no_proxy", &why,
				      e);
	}
	for (size_t i = 0; i < allow->n; i++) {
		const char *at = NULL;

		if (!noproxy_overlaps(item->text, allow->items[i].text))
			continue;
		at = origin_text(a, &allow->items[i].from);
		(void)err_set(&why, EINVAL,
			      "'%s' overlaps with '%s' of %s (%s): what is "
			      "allowed by name is not to bypass the filter; "
			      "remove one of them",
			      item->text, allow->items[i].text,
			      "network.allow_domain", at ? at : "");
		return netplace_error(a, &item->from, "network.no_proxy", &why,
				      e);
	}
	return 0;
}

int netpolicy_check(const struct profile *p, struct arena *a, struct err *e)
{
	const struct field *bypass = &p->field[KEY_NET_UPSTREAM_BYPASS];
	const struct field *no_proxy = &p->field[KEY_NET_NO_PROXY];
	int rc = check_block(p, a, e);

	if (rc == 0 && bypass->n > 0 &&
	    !profile_scalar(p, KEY_NET_UPSTREAM_PROXY)) {
		struct err why;

		(void)err_set(&why, EINVAL,
			      "needs network.upstream_proxy, which is not set; "
			      "remove it");
		return netplace_error(a, &bypass->items[0].from,
				      "network.upstream_bypass", &why, e);
	}
	if (rc == 0)
		rc = check_pairs(p, a, e);
	for (size_t i = 0; rc == 0 && i < no_proxy->n; i++)
		rc = check_no_proxy(p, a, &no_proxy->items[i], e);
	return rc;
}
