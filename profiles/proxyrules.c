/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/proxyrules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/hostname.h"
#include "profiles/netplace.h"

#define PATH_OF_PROXY  "network.upstream_proxy"
#define PATH_OF_BYPASS "network.upstream_bypass"

/* HOST:PORT or [IPV6]:PORT; host is filled without brackets. */
static int split(const char *text, struct arena *a, struct proxy_rules *u,
		 struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
	char *end = NULL;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
	struct addr literal;
	char *host;

	if (strstr(text, "://"))
		return err_set(e, EINVAL,
			       "'%s' is a URL; write the proxy as HOST:PORT "
			       "(it is spoken to in plain HTTP)",
			       text);
	if (!colon || colon[1] < '0' || colon[1] > '9' || *end || port < 1 ||
	    port > UINT16_MAX || len == 0)
		return err_set(e, EINVAL,
			       "'%s' is not HOST:PORT, like proxy.example:3128",
			       text);
	host = arena_alloc(a, len + 1, 1);
	if (!host)
		return err_errno(e, ENOMEM, "%s", PATH_OF_PROXY);
	if (bracketed) {
		text++;
		len -= 2;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	if (!addr_parse(host, &literal) &&
	    (bracketed || strspn(host, "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789.-_") != strlen(host)))
		return err_set(e, EINVAL,
			       "'%s' is no host name and no address%s", host,
			       strchr(host, ':') ? "; write [IPV6]:PORT" : "");
	u->host = host;
	u->port = (uint16_t)port;
	return 0;
}

static int add_bypass(struct profile *p, const struct entry *item,
		      struct arena *a, struct proxy_rules *u, struct err *e)
{
	struct err note = { 0 };
	struct err why = { 0 };
	const char *at;
	int rc = allowlist_add_profile_domain(u->bypass, item->text, &note,
					      &why);

	if (rc < 0)
		return netplace_error(a, &item->from, PATH_OF_BYPASS, &why, e);
	if (!note.msg[0])
		return 0;
	at = origin_text(a, &item->from);
	if (!at ||
	    profile_note(a, p, "%s: %s: %s", at, PATH_OF_BYPASS, note.msg) < 0)
		return err_errno(e, ENOMEM, PATH_OF_BYPASS);
	return 0;
}

int proxy_rules_compile(struct profile *p, struct arena *a,
			struct proxy_rules *ret, struct err *e)
{
	const struct field *proxy = &p->field[KEY_NET_UPSTREAM_PROXY];
	const struct field *bypass = &p->field[KEY_NET_UPSTREAM_BYPASS];
	const char *text = profile_scalar(p, KEY_NET_UPSTREAM_PROXY);
	struct err why = { 0 };
	int rc;

	*ret = (struct proxy_rules) { 0 };
	if (!text)
		return 0;
	if (split(text, a, ret, &why) < 0)
		return netplace_error(a, &proxy->items[0].from, PATH_OF_PROXY,
				      &why, e);
	ret->credential = profile_scalar(p, KEY_OWN_UPSTREAM_CREDENTIAL);
	rc = allowlist_new(&ret->bypass, e);
	for (size_t i = 0; rc == 0 && i < bypass->n; i++)
		rc = add_bypass(p, &bypass->items[i], a, ret, e);
	if (rc == 0)
		rc = allowlist_seal(ret->bypass, e);
	if (rc < 0)
		proxy_rules_done(ret);
	return rc;
}

void proxy_rules_done(struct proxy_rules *u)
{
	allowlist_free(u->bypass);
	*u = (struct proxy_rules) { 0 };
}

bool proxy_rules_take(const struct proxy_rules *u, const char *name)
{
	struct allow_ports ports;

	return u && !allowlist_match(u->bypass, name, &ports);
}

struct addr proxy_stand_in(uint32_t n)
{
	const uint8_t bytes[4] = { 198, (uint8_t)(18 + (n >> 16) % 2),
				   (uint8_t)(n >> 8), (uint8_t)n };

	return addr_v4(bytes);
}

bool proxy_is_stand_in(const struct addr *a)
{
	return a->family == AF_INET && a->bytes[0] == 198 &&
	       (a->bytes[1] == 18 || a->bytes[1] == 19);
}
