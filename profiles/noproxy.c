/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/noproxy.h"

#include <errno.h>
#include <string.h>

#include "common/addr.h"
#include "profiles/hostname.h"
#include "profiles/nevername.h"

/* Longer than any name; what is longer is none. */
#define TEXT_MAX 512

/* An entry or a host, taken apart. */
struct host {
	enum {
		HOST_BAD,
		HOST_ADDRESS,
		HOST_NAME,  /* "x", "x.y" */
		HOST_BELOW, /* "*.x.y": below it */
		HOST_TREE,  /* ".x.y": below it, and itself */
	} kind;
	struct addr addr;
	char name[HOSTNAME_BUF];
};

/* Bytes that show what somebody meant to write. */
static const struct {
	const char *bytes;
	const char *fault;
} misuse[] = {
	{ " \t\r\n\v\f", "must not have white space" },
	{ ",", "must be one host, not a list; give each on its own" },
	{ "@", "must not have a user name; write the host alone" },
	{ "/?#", "must not be a URL or a path; write the host alone" },
};

/* IPv6 with or without brackets; an IPv4-mapped one is IPv4. */
static bool take_address(const char *text, struct addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	char copy[ADDR_TEXT_MAX + 2];
	size_t len = strlen(text);
	bool brackets = text[0] == '[';

	if (len >= sizeof(copy) || (brackets && text[len - 1] != ']'))
		return false;
	memcpy(copy, text + brackets, len + 1 - brackets);
	if (brackets)
		copy[len - 2] = '\0';
	if (!addr_parse(copy, ret) || (brackets && ret->family != AF_INET6))
		return false;
	if (ret->family == AF_INET6 &&
	    memcmp(ret->bytes, mapped, sizeof(mapped)) == 0)
		*ret = addr_v4(ret->bytes + sizeof(mapped));
	return true;
}

static void take_host(const char *text, struct host *ret, struct err *why)
{
	ret->kind = HOST_NAME;
	if (take_address(text, &ret->addr)) {
		ret->kind = HOST_ADDRESS;
		return;
	}
	if (text[0] == '*' && text[1] == '.')
		ret->kind = HOST_BELOW;
	else if (text[0] == '.')
		ret->kind = HOST_TREE;
	text += ret->kind == HOST_BELOW ? 2 : ret->kind == HOST_TREE;
	if (hostname_from_text(text, ret->name, why) < 0)
		ret->kind = HOST_BAD;
}

static int check_address(const struct addr *a, struct err *e)
{
	static const struct {
		const char *base;
		unsigned prefix_len;
	} refused[] = {
		{ "169.254.0.0", 16 },
		{ "fe80::", 10 },
		{ "fd00:ec2::254", 128 },
	};
	struct addr base;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (addr_parse(refused[i].base, &base) &&
		    addr_in_network(a, &base, refused[i].prefix_len))
			return err_set(e, EINVAL,
				       "must not be a link-local or cloud "
				       "metadata address; remove it");
	return 0;
}

static int check_text(const char *entry, struct err *e)
{
	if (entry[0] == '\0')
		return err_set(e, EINVAL, "must not be empty");
	for (size_t i = 0; i < sizeof(misuse) / sizeof(misuse[0]); i++)
		if (strpbrk(entry, misuse[i].bytes))
			return err_set(e, EINVAL, "%s", misuse[i].fault);
	if (strchr(entry + (strncmp(entry, "*.", 2) == 0), '*'))
		return err_set(e, EINVAL,
			       "must have '*' only in front, as in "
			       "'*.example.com'");
	return 0;
}

int noproxy_check(const char *entry, struct err *e)
{
	struct host h;
	struct err why = { 0 };
	int rc = check_text(entry, e);

	if (rc < 0)
		return rc;
	take_host(entry, &h, &why);
	if (h.kind == HOST_ADDRESS)
		return check_address(&h.addr, e);
	if (strpbrk(entry, ":[]"))
		return err_set(e, EINVAL,
			       "must have no port, and brackets only around an "
			       "IPv6 address");
	if (h.kind == HOST_BAD)
		return err_set(e, EINVAL, "must be a host: it %s", why.msg);
	if (nevername_under(h.name))
		return err_set(e, EINVAL,
			       "must not cover a cloud metadata service; "
			       "remove it");
	if (h.kind == HOST_NAME && strchr(h.name, '.'))
		return err_set(e, EINVAL,
			       "must not be a bare name with dots, which some "
			       "programs take for all names below it; write "
			       "'.%s'",
			       h.name);
	return 0;
}

/* name lies below suffix. */
static bool is_below(const char *name, const char *suffix)
{
	size_t len = strlen(name);
	size_t n = strlen(suffix);

	return len > n + 1 && name[len - n - 1] == '.' &&
	       strcmp(name + len - n, suffix) == 0;
}

bool noproxy_matches(const char *entry, const char *host)
{
	struct host x;
	struct host y;
	struct err why;

	take_host(entry, &x, &why);
	take_host(host, &y, &why);
	if (x.kind == HOST_BAD || y.kind == HOST_BAD)
		return false;
	if (x.kind == HOST_ADDRESS || y.kind == HOST_ADDRESS)
		return x.kind == y.kind && addr_equal(&x.addr, &y.addr);
	if (x.kind != HOST_BELOW && strcmp(x.name, y.name) == 0)
		return true;
	return x.kind != HOST_NAME && is_below(y.name, x.name);
}

/* Without the port, if text has one. */
static bool strip_port(const char *text, char host[static TEXT_MAX])
{
	const char *bracket = strrchr(text, ']');
	const char *colon = strchr(bracket ? bracket : text, ':');
	size_t len = strlen(text);

	if (colon && !strchr(colon + 1, ':'))
		len = (size_t)(colon - text);
	if (len >= TEXT_MAX)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

bool noproxy_overlaps(const char *entry, const char *pattern)
{
	char host[TEXT_MAX];
	struct host x;
	struct host y;
	struct err why;

	/* "*" has something in common with everything; it is no contradiction
	 * to bypass a proxy that lets everything pass. */
	if (!strip_port(pattern, host) || strcmp(host, "*") == 0)
		return false;
	if (noproxy_matches(entry, host))
		return true;
	take_host(entry, &x, &why);
	take_host(host + (host[0] == '*' && host[1] != '.'), &y, &why);
	/* What ends in "y.z" may lie below "y.z". */
	if (host[0] == '*' && y.kind == HOST_NAME)
		y.kind = HOST_BELOW;
	if (x.kind <= HOST_ADDRESS || y.kind <= HOST_ADDRESS)
		return false;
	/* Some programs take a bare word for a suffix. */
	if (is_below(y.name, x.name))
		return true;
	return y.kind == HOST_BELOW && x.kind != HOST_NAME &&
	       (strcmp(x.name, y.name) == 0 || is_below(x.name, y.name));
}
