/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict on purpose: a pattern that means less or more than its writer thinks
 * is an open gate or a broken run, so everything doubtful is an error that
 * says what to write instead.  A profile has to load as it does elsewhere:
 * there the doubtful is taken as nono takes it, and noted.
 */
#include "profiles/pattern.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"
#include "profiles/nevername.h"

/* Longer than any name or address in any spelling. */
#define TEXT_MAX   1024
#define QUOTED_MAX 256

#define DNS_PORT  53
#define QUIC_PORT 443

struct quoted {
	char text[QUOTED_MAX];
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

bool pattern_take_udp(char *text)
{
	static const char suffix[] = "/udp";
	size_t len = strlen(text);
	size_t cut = sizeof(suffix) - 1;

	if (len < cut || strcmp(text + len - cut, suffix) != 0)
		return false;
	text[len - cut] = '\0';
	return true;
}

int pattern_check_udp(const char *what, const char *text, uint16_t port,
		      struct err *e)
{
	struct quoted q;

	if (port == DNS_PORT)
		return err_set(e, EINVAL,
			       "%s '%s': port 53 is the DNS filter's, which "
			       "answers for every address; remove it",
			       what, quote(text, &q));
	if (port == QUIC_PORT)
		return err_set(e, EINVAL,
			       "%s '%s': QUIC, UDP to port 443, is not let "
			       "out, since egress-run does not read the names "
			       "in it yet; programs use TCP there: leave "
			       "'/udp' out",
			       what, quote(text, &q));
	return 0;
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

bool pattern_is_address(const char *text)
{
	char base[TEXT_MAX];
	size_t len = strcspn(text, "/");

	if (strlen(text) >= sizeof(base))
		return false;
	memcpy(base, text, len);
	base[len] = '\0';
	return is_address(text) || is_address(base);
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
			       "pattern '%s' is a URL or a path, and path "
			       "rules are not supported; write only the host "
			       "name in it",
			       quote(text, &q));
	return err_set(e, EINVAL,
		       "pattern '%s' is a URL or a path, and path rules are "
		       "not supported; write only its host: '%s'",
		       quote(text, &q), copy);
}

/* p is a wildcard with a name.  Fills why if it opens more than the names of
 * one owner. */
static int check_wildcard(const char *text, const struct pattern *p,
			  struct err *why)
{
	const char *dot = strchr(p->name, '.');
	struct quoted q;

	if (!dot)
		return err_set(why, EINVAL,
			       "pattern '%s' would allow a whole top-level "
			       "domain; write '*.NAME.%s', or '*' to allow "
			       "every name",
			       quote(text, &q), p->name);
	if (strlen(dot + 1) == 2 &&
	    in_list(registry_labels,
		    sizeof(registry_labels) / sizeof(registry_labels[0]),
		    p->name, (size_t)(dot - p->name)))
		return err_set(
			why, EINVAL,
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

/* An entry that matches nothing: an error where reading is strict. */
static int inert(enum pattern_reader reader, struct pattern *ret,
		 const struct err *why, struct err *note, struct err *e)
{
	if (reader == PATTERN_FOR_FLAG || reader == PATTERN_FOR_DENIAL)
		return err_set(e, EINVAL, "%s", why->msg);
	ret->kind = PATTERN_INERT;
	(void)err_set(note, EINVAL, "%s; until then it has no effect",
		      why->msg);
	return 0;
}

/* Sets the kind and takes the stars off.  Returns what remains, or NULL if why
 * says why no name can match. */
static const char *take_star(enum pattern_reader reader, const char *text,
			     const char *name, struct pattern *ret,
			     struct err *why)
{
	bool strict =
		reader == PATTERN_FOR_FLAG || reader == PATTERN_FOR_DENIAL;
	struct quoted q;

	if (name[0] == '*' && name[1] == '.') {
		ret->kind = PATTERN_BELOW;
		name += 2;
	} else if (name[0] == '*' && !strict) {
		ret->kind = PATTERN_SUFFIX;
		name++;
	}
	if (strchr(name, '*') || (ret->kind != PATTERN_EXACT && !name[0])) {
		(void)err_set(why, EINVAL,
			      "pattern '%s': '*' stands only as the whole "
			      "first label, as in '*.example.com', or alone",
			      quote(text, &q));
		return NULL;
	}
	if (name[0] == '.' && name[1] != '\0' && ret->kind == PATTERN_EXACT) {
		(void)err_set(why, EINVAL,
			      "pattern '%s' starts with a dot; write '*%s' to "
			      "allow every name below",
			      quote(text, &q), q.text);
		return NULL;
	}
	return name;
}

/* What a name that is well formed may not be. */
static int check_name(enum pattern_reader reader, const char *text,
		      struct pattern *ret, struct err *note, struct err *e)
{
	bool deny = reader == PATTERN_FOR_DENIAL ||
		    reader == PATTERN_FOR_PROFILE_DENIAL;
	struct quoted q;

	if (deny) /* the more, the better */
		return 0;
	if (nevername_is(ret->name)) {
		struct err why;

		(void)err_set(&why, EINVAL,
			      "pattern '%s' names a cloud metadata service, "
			      "which is never reachable; remove it",
			      quote(text, &q));
		return inert(reader, ret, &why, note, e);
	}
	if (ret->kind == PATTERN_EXACT)
		return 0;
	if (reader == PATTERN_FOR_FLAG)
		return check_wildcard(text, ret, e);
	(void)check_wildcard(text, ret, note);
	return 0;
}

/* name is text without the port; text is for messages. */
static int parse_name(enum pattern_reader reader, const char *text,
		      const char *name, struct pattern *ret, struct err *note,
		      struct err *e)
{
	struct quoted q;
	struct err why;

	if (strcmp(name, "*") == 0) {
		ret->kind = PATTERN_BELOW;
		return 0;
	}
	name = take_star(reader, text, name, ret, &why);
	if (!name)
		return inert(reader, ret, &why, note, e);
	if (hostname_from_text(name, ret->name, &why) < 0)
		return refuse_name(text, name, &why, e);
	if (ret->kind == PATTERN_EXACT &&
	    !strpbrk(ret->name, ".abcdefghijklmnopqrstuvwxyz"))
		return err_set(
			e, EINVAL,
			"pattern '%s' is no host name: it has no letter; "
			"write a name such as 'example.com'",
			quote(text, &q));
	return check_name(reader, text, ret, note, e);
}

/* In one pass what most entries are: a name of ASCII letters, digits, hyphens
 * and dots, perhaps behind "*.", the last label with a letter in front (so it
 * is no address).  False: it takes a closer look.  Accepts nothing that the
 * closer look does not. */
static bool parse_plain(const char *text, struct pattern *ret)
{
	bool below = text[0] == '*' && text[1] == '.';
	const char *p = below ? text + 2 : text;
	size_t start = 0;
	size_t n = 0;

	for (; p[n]; n++) {
		char c = p[n];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (n >= HOSTNAME_MAX)
			return false;
		ret->name[n] = c;
		if (c == '.') {
			if (n == start || n - start > 63)
				return false;
			start = n + 1;
		} else if (c == '-') {
			if (n == start + 2) /* perhaps "xn--" */
				return false;
		} else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
			return false;
		}
	}
	if (n == start || n - start > 63 || ret->name[start] < 'a')
		return false;
	ret->name[n] = '\0';
	ret->kind = below ? PATTERN_BELOW : PATTERN_EXACT;
	ret->port = 0;
	ret->udp = false;
	return true;
}

static int parse_closely(enum pattern_reader reader, const char *text,
			 struct pattern *ret, struct err *note, struct err *e)
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
	memcpy(name, text, strlen(text) + 1);
	ret->udp = pattern_take_udp(name);
	if (strpbrk(name, "/@"))
		return hostname_looks_like_address(text)
			       ? refuse_address(text, e)
			       : refuse_url(text, e);
	if (is_address(name))
		return refuse_address(text, e);
	colon = strchr(name, ':');
	if (colon) {
		*colon++ = '\0';
		if (!parse_port(colon, &ret->port))
			return err_set(e, EINVAL,
				       "pattern '%s': after ':' must stand one "
				       "port, 1 to 65535",
				       quote(text, &q));
	}
	if (ret->udp && ret->port == 0)
		return err_set(e, EINVAL,
			       "pattern '%s': UDP needs a port, as in "
			       "'example.com:123/udp'",
			       quote(text, &q));
	if (ret->udp && reader != PATTERN_FOR_DENIAL &&
	    reader != PATTERN_FOR_PROFILE_DENIAL &&
	    pattern_check_udp("pattern", text, ret->port, e) < 0)
		return -EINVAL;
	return parse_name(reader, text, name, ret, note, e);
}

int pattern_parse_as(enum pattern_reader reader, const char *text,
		     struct pattern *ret, struct err *note, struct err *e)
{
	if (parse_plain(text, ret))
		return check_name(reader, text, ret, note, e);
	return parse_closely(reader, text, ret, note, e);
}

int pattern_parse(const char *text, struct pattern *ret, struct err *e)
{
	return pattern_parse_as(PATTERN_FOR_FLAG, text, ret, NULL, e);
}
