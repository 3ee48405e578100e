/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ADDRESS[/PREFIX][:PORT], in the one spelling that inet_pton(3) knows.  A
 * network with host bits is refused and not rounded: its writer meant either
 * one address or another network.
 */
#include "profiles/network.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"
#include "profiles/hostname.h"
#include "profiles/pattern.h"

/* "[" address "/128]:65535" and some room to find what is wrong. */
#define TEXT_MAX   128
#define QUOTED_MAX 256

/* Pointers into a copy of the text. */
struct parts {
	char *address;
	char *prefix; /* NULL if absent */
	char *port;   /* NULL if absent */
};

static int refuse(const char *text, struct err *e, const char *why)
{
	char quoted[QUOTED_MAX];

	text_escape(text, strlen(text), quoted, sizeof(quoted));
	return err_set(e, EINVAL, "address '%s' %s", quoted, why);
}

/* Cuts s at the first c; returns what follows it or NULL. */
static char *cut(char *s, char c)
{
	char *at = strchr(s, c);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

static const char *split(char *s, struct parts *ret)
{
	*ret = (struct parts) { .address = s };
	if (*s == '[') {
		char *rest = cut(++s, ']');

		if (!rest || !strchr(s, ':'))
			return "has brackets around something that is not "
			       "IPv6; write '[2001:db8::1]:443'";
		if (*rest == '/')
			return "has its prefix outside the brackets; write "
			       "'[2001:db8::/32]:443'";
		if (*rest == ':')
			ret->port = rest + 1;
		else if (*rest != '\0')
			return "has text after the bracket; write "
			       "'[2001:db8::1]:443'";
		ret->address = s;
	} else if (strchr(s, ':') == strrchr(s, ':')) {
		ret->port = cut(s, ':');
	}
	ret->prefix = cut(ret->address, '/');
	if (ret->prefix && strchr(ret->prefix, ':'))
		return "needs brackets for a port; write "
		       "'[2001:db8::/32]:443'";
	return NULL;
}

static const char *no_address(const char *text)
{
	char name[HOSTNAME_BUF];

	if (strchr(text, '%'))
		return "has a scope; link-local addresses are never reachable";
	if (strchr(text, '*') || hostname_from_text(text, name, NULL) == 0)
		return "is no address; host names belong to --allow-domain";
	return "is no address; write four decimal numbers without leading "
	       "zeros, '192.0.2.1', or IPv6, '2001:db8::1'";
}

static struct addr mask(const struct addr *a, unsigned prefix_len)
{
	struct addr base = *a;

	for (unsigned i = 0; i < addr_len(a); i++) {
		unsigned keep = prefix_len > 8 * i ? prefix_len - 8 * i : 0;

		if (keep < 8)
			base.bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
	return base;
}

static int refuse_host_bits(const char *text, const struct addr *a,
			    const struct addr *base, unsigned prefix_len,
			    struct err *e)
{
	char quoted[QUOTED_MAX];
	char one[ADDR_TEXT_MAX];
	char net[ADDR_TEXT_MAX];

	text_escape(text, strlen(text), quoted, sizeof(quoted));
	return err_set(e, EINVAL,
		       "address '%s' has bits set after its prefix; write "
		       "'%s/%u' for the network or '%s' for the one address",
		       quoted, addr_format(base, net), prefix_len,
		       addr_format(a, one));
}

static int refuse_never(const char *text, const char *reason, struct err *e)
{
	char quoted[QUOTED_MAX];

	text_escape(text, strlen(text), quoted, sizeof(quoted));
	return err_set(e, EINVAL,
		       "address '%s' is never permitted (%s); remove it",
		       quoted, reason);
}

static int parse(const char *text, struct allow_network *ret, struct err *e)
{
	char copy[TEXT_MAX];
	struct parts parts;
	struct addr a;
	struct addr base;
	const char *why;
	unsigned bits;
	unsigned port = 0;
	unsigned prefix_len;

	if (strlen(text) >= sizeof(copy))
		return refuse(text, e, "is too long for an address");
	memcpy(copy, text, strlen(text) + 1);
	ret->udp = pattern_take_udp(copy);
	why = split(copy, &parts);
	if (why)
		return refuse(text, e, why);
	if (!addr_parse(parts.address, &a))
		return refuse(text, e, no_address(parts.address));
	bits = (unsigned)(8 * addr_len(&a));
	prefix_len = bits;
	if (parts.prefix && !pattern_number(parts.prefix, 0, bits, &prefix_len))
		return refuse(
			text, e,
			bits == 32 ? "has no valid prefix; write /0 to /32"
				   : "has no valid prefix; write /0 to /128");
	if (parts.port && !pattern_number(parts.port, 1, UINT16_MAX, &port))
		return refuse(text, e,
			      "has no valid port; write ':1' to ':65535'");
	if (ret->udp && !parts.port)
		return refuse(text, e,
			      "needs a port for UDP; write '192.0.2.1:123/udp' "
			      "or '[2001:db8::1]:123/udp'");
	base = mask(&a, prefix_len);
	if (!addr_equal(&base, &a))
		return refuse_host_bits(text, &a, &base, prefix_len, e);
	ret->base = base;
	ret->prefix_len = prefix_len;
	ret->port = (uint16_t)port;
	return 0;
}

int network_parse(const char *text, struct allow_network *ret, struct err *e)
{
	int rc = parse(text, ret, e);
	const char *why;

	if (rc < 0)
		return rc;
	why = addr_never_network(&ret->base, ret->prefix_len);
	if (why)
		return refuse_never(text, why, e);
	return ret->udp ? pattern_check_udp("address", text, ret->port, e) : 0;
}

int network_parse_denied(const char *text, struct allow_network *ret,
			 struct err *e)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	int rc = parse(text, ret, e);

	if (rc == 0 && ret->base.family == AF_INET6 && ret->prefix_len >= 96 &&
	    memcmp(ret->base.bytes, mapped, sizeof(mapped)) == 0) {
		ret->base = addr_v4(ret->base.bytes + sizeof(mapped));
		ret->prefix_len -= 96;
	}
	return rc;
}
