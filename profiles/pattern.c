/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict on purpose: a pattern that means less or more than its writer thinks
 * is an open gate or a broken run, so everything doubtful is an error that
 * says what to write instead.
 */
#include "profiles/pattern.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"

/* Longer than any name or address in any spelling. */
#define TEXT_MAX   1024
#define QUOTED_MAX 256

struct quoted {
	char text[QUOTED_MAX];
};

static const char *const never_names[] = {
	"instance-data",
	"instance-data.ec2.internal",
	"metadata.azure.internal",
	"metadata.google.internal",
};

/* Second-level labels under which country registries hand out names. */
static const char *const registry_labels[] = {
	"ac", "co",  "com", "edu", "go",  "gov", "mil",
	"ne", "net", "nom", "or",  "org", "sch",
};

static const char *quote(const char *text, struct quoted *q)
{
	text_escape(text, strlen(text), q->text, sizeof(q->text));
	return q->text;
}

static bool in_list(const char *const *list, size_t n, const char *word,
		    size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], word, len) == 0)
			return true;
	return false;
}

bool pattern_is_never(const char *name)
{
	return in_list(never_names,
		       sizeof(never_names) / sizeof(never_names[0]), name,
		       strlen(name));
}

bool pattern_number(const char *text, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t v;

	if ((text[0] == '0' && text[1] != '\0') ||
	    !text_to_uint(text, min, max, &v))
		return false;
	*ret = (unsigned)v;
	return true;
}

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned v;

	if (!pattern_number(text, 1, UINT16_MAX, &v))
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* With or without a port. */
static bool is_address(const char *text)
{
	char name[TEXT_MAX];
	size_t len = strcspn(text, ":");

	memcpy(name, text, len);
	name[len] = '\0';
	return hostname_looks_like_address(text) ||
	       hostname_looks_like_address(name);
}

static int refuse_address(const char *text, struct err *e)
{
	struct quoted q;

	return err_set(e, EINVAL,
		       "pattern '%s' is or resembles an address; addresses "
		       "and networks belong to --allow-address",
		       quote(text, &q));
}

/* text has a scheme, a path or user information. */
static int refuse_url(const char *text, struct err *e)
{
	const char *scheme = strstr(text, "://");
	const char *host = scheme ? scheme + 3 : text;
	size_t len = strcspn(host, "/?#\\");
	const char *at = memrchr(host, '@', len);
	struct pattern p;
	struct quoted q;
	char copy[TEXT_MAX];
	char *colon;

	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	memcpy(copy, host, len);
	copy[len] = '\0';
	if (is_address(copy))
		return refuse_address(text, e);
	/* git@host:path */
	colon = strchr(copy, ':');
	if (colon && !parse_port(colon + 1, &p.port))
		*colon = '\0';
	if (pattern_parse(copy, &p, NULL) < 0)
		return err_set(e, EINVAL,
			       "pattern '%s' is a URL or a path; write only "
			       "the host name in it",
			       quote(text, &q));
	return err_set(e, EINVAL,
		       "pattern '%s' is a URL or a path; write only its host: "
		       "'%s'",
		       quote(text, &q), copy);
}

/* p is a wildcard with a name. */
static int check_wildcard(const char *text, const struct pattern *p,
			  struct err *e)
{
	const char *dot = strchr(p->name, '.');
	struct quoted q;

	if (!dot)
		return err_set(e, EINVAL,
			       "pattern '%s' would allow a whole top-level "
			       "domain; write '*.NAME.%s', or '*' to allow "
			       "every name",
			       quote(text, &q), p->name);
	if (strlen(dot + 1) == 2 &&
	    in_list(registry_labels,
		    sizeof(registry_labels) / sizeof(registry_labels[0]),
		    p->name, (size_t)(dot - p->name)))
		return err_set(
			e, EINVAL,
			"pattern '%s' would allow every name of a public "
			"registry; write '*.NAME.%s', or '*' to allow "
			"every name",
			quote(text, &q), p->name);
	return 0;
}

static int refuse_name(const char *text, const char *name,
		       const struct err *why, struct err *e)
{
	struct quoted q;

	return err_set(
		e, EINVAL, "pattern '%s' %s%s", quote(text, &q), why->msg,
		strpbrk(name, ", \t\r\n") ? "; give each pattern on its own"
					  : "");
}

/* name is text without the port; text is for messages. */
static int parse_name(const char *text, const char *name, struct pattern *ret,
		      struct err *e)
{
	struct quoted q;
	struct err why;

	if (strcmp(name, "*") == 0) {
		ret->wildcard = true;
		return 0;
	}
	if (name[0] == '*' && name[1] == '.') {
		ret->wildcard = true;
		name += 2;
	}
	if (strchr(name, '*') || (ret->wildcard && name[0] == '\0'))
		return err_set(e, EINVAL,
			       "pattern '%s': '*' stands only as the whole "
			       "first label, as in '*.example.com', or alone",
			       quote(text, &q));
	if (name[0] == '.' && name[1] != '\0' && !ret->wildcard)
		return err_set(e, EINVAL,
			       "pattern '%s' starts with a dot; write '*%s' to "
			       "allow every name below",
			       quote(text, &q), q.text);
	if (hostname_from_text(name, ret->name, &why) < 0)
		return refuse_name(text, name, &why, e);
	if (!ret->wildcard &&
	    !strpbrk(ret->name, ".abcdefghijklmnopqrstuvwxyz"))
		return err_set(
			e, EINVAL,
			"pattern '%s' is no host name: it has no letter; "
			"write a name such as 'example.com'",
			quote(text, &q));
	if (pattern_is_never(ret->name))
		return err_set(e, EINVAL,
			       "pattern '%s' names a cloud metadata service, "
			       "which is never reachable; remove it",
			       quote(text, &q));
	return ret->wildcard ? check_wildcard(text, ret, e) : 0;
}

int pattern_parse(const char *text, struct pattern *ret, struct err *e)
{
	char name[TEXT_MAX];
	struct quoted q;
	char *colon;

	*ret = (struct pattern) { 0 };
	if (text[0] == '\0')
		return err_set(e, EINVAL,
			       "pattern '' is empty; write a host name, "
			       "'*.example.com' or '*'");
	if (strlen(text) >= sizeof(name))
		return err_set(e, EINVAL,
			       "pattern '%s' is too long: a name has at most "
			       "253 bytes",
			       quote(text, &q));
	if (strpbrk(text, "/@"))
		return hostname_looks_like_address(text)
			       ? refuse_address(text, e)
			       : refuse_url(text, e);
	if (is_address(text))
		return refuse_address(text, e);
	memcpy(name, text, strlen(text) + 1);
	colon = strchr(name, ':');
	if (colon) {
		*colon++ = '\0';
		if (!parse_port(colon, &ret->port))
			return err_set(e, EINVAL,
				       "pattern '%s': after ':' must stand one "
				       "port, 1 to 65535",
				       quote(text, &q));
	}
	return parse_name(text, name, ret, e);
}
