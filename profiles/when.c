/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of nono, as strict: an identifier that is not known is false, a
 * form that is not known is an error.  Whole conditions are checked on every
 * system, so that a profile does not break where it was not tried.
 */
#include "profiles/when.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/text.h"
#include "profiles/span.h"

#define PARTS_MAX 4
#define QUOTE_MAX 100

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* One segment against another.  What is no number and not the same sorts
 * lower, whichever side it is on: so does nono, and a profile must mean the
 * same in both. */
static int compare_segment(struct span a, struct span b)
{
	char text[2][24];
	uint64_t number[2];

	if (a.len == b.len && memcmp(a.p, b.p, a.len) == 0)
		return 0;
	if (a.len >= sizeof(text[0]) || b.len >= sizeof(text[1]))
		return -1;
	memcpy(text[0], a.p, a.len);
	memcpy(text[1], b.p, b.len);
	text[0][a.len] = '\0';
	text[1][b.len] = '\0';
	if (!text_to_uint(text[0], 0, UINT64_MAX, &number[0]) ||
	    !text_to_uint(text[1], 0, UINT64_MAX, &number[1]))
		return -1;
	return number[0] < number[1] ? -1 : number[0] > number[1];
}

int version_compare(const char *a, const char *b)
{
	for (;;) {
		struct span x = { a, strcspn(a, ".") };
		struct span y = { b, strcspn(b, ".") };
		int diff = compare_segment(x, y);

		if (diff != 0)
			return diff;
		a += x.len;
		b += y.len;
		if (*a == '\0' || *b == '\0')
			return (*a != '\0') - (*b != '\0');
		a++;
		b++;
	}
}

/* The longer spellings first.  A bit for each sign of the comparison. */
enum { LESS = 1, SAME = 2, MORE = 4 };

static const struct {
	const char *text;
	unsigned accepts;
} operators[] = {
	{ "==", SAME }, { ">=", MORE | SAME }, { "<=", LESS | SAME },
	{ ">", MORE },	{ "<", LESS },
};

/* The parts of a condition; what is said about them. */
struct condition {
	const char *text; /* the whole, for messages */
	struct span part[PARTS_MAX];
	size_t n;
	bool negated;
	struct err *e;
};

static int refuse(const struct condition *c, struct span what, const char *why)
{
	return err_set(c->e, EINVAL,
		       "condition '%.*s': '%.*s' %s; conditions look like "
		       "linux, linux:debian, linux:rhel-like, "
		       "linux:fedora:>=42:workstation, !macos",
		       QUOTE_MAX, c->text,
		       (int)(what.len < QUOTE_MAX ? what.len : QUOTE_MAX),
		       what.p, why);
}

static bool is_identifier(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char ch = s.p[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		      (ch >= '0' && ch <= '9') || ch == '_' || ch == '-' ||
		      ch == '.'))
			return false;
	}
	return s.len > 0;
}

static int check_identifier(const struct condition *c, struct span s)
{
	if (is_identifier(s))
		return 0;
	return refuse(c, s,
		      s.len == 0 ? "is empty"
				 : "has a character other than letters, "
				   "digits, '_', '-' and '.'");
}

/* [operator] version; ret is the set of signs that it accepts. */
static int parse_version(const struct condition *c, struct span s,
			 struct span *ret_version, unsigned *ret)
{
	struct span version = s;

	*ret = SAME;
	for (size_t i = 0; i < N(operators); i++) {
		size_t len = strlen(operators[i].text);

		if (s.len < len || memcmp(s.p, operators[i].text, len) != 0)
			continue;
		version.p += len;
		version.len -= len;
		*ret = operators[i].accepts;
		break;
	}
	if (version.len == 0)
		return refuse(c, s, "has no version");
	if (!is_identifier(version) ||
	    (version.p == s.p && strchr("_-.", s.p[0])))
		return refuse(c, s,
			      "is no version with ==, >=, <=, > or < in front");
	*ret_version = version;
	return 0;
}

static int version_holds(const struct condition *c, struct span s,
			 const char *actual, bool *ret, struct err *e)
{
	char wanted[SYSTEM_ID_MAX];
	struct span version;
	unsigned accepts;
	int diff;
	int rc = parse_version(c, s, &version, &accepts);

	if (rc < 0)
		return rc;
	if (version.len >= sizeof(wanted))
		return err_set(e, EINVAL,
			       "condition '%.*s': the version is longer than "
			       "%d bytes",
			       QUOTE_MAX, c->text, SYSTEM_ID_MAX - 1);
	memcpy(wanted, version.p, version.len);
	wanted[version.len] = '\0';
	diff = version_compare(actual, wanted);
	/* Nothing is known about a system that does not tell its version. */
	*ret = actual[0] != '\0' && (accepts & (diff < 0   ? LESS
						: diff > 0 ? MORE
							   : SAME));
	return 0;
}

static bool has_word(const char *words, struct span word)
{
	while (*words) {
		struct span w = { words, strcspn(words, " \t") };

		if (w.len == word.len && memcmp(w.p, word.p, w.len) == 0)
			return w.len > 0;
		words += w.len;
		words += strspn(words, " \t");
	}
	return false;
}

static bool id_holds(struct span id, const struct system_id *os)
{
	const size_t n = strlen("-like");

	if (id.len <= n || memcmp(id.p + id.len - n, "-like", n) != 0)
		return span_is(id, os->id);
	id.len -= n;
	return span_is(id, os->id) || has_word(os->id_like, id);
}

static int linux_holds(const struct condition *c, const struct system_id *os,
		       bool *ret)
{
	bool version = true;
	int rc = 0;

	if (c->n > 1)
		rc = check_identifier(c, c->part[1]);
	if (rc == 0 && c->n > 2)
		rc = version_holds(c, c->part[2], os->version_id, &version,
				   c->e);
	if (rc == 0 && c->n > 3)
		rc = check_identifier(c, c->part[3]);
	if (rc < 0)
		return rc;
	*ret = (c->n < 2 || id_holds(c->part[1], os)) && version &&
	       (c->n < 4 || span_is(c->part[3], os->variant_id));
	return 0;
}

/* macos[:version], windows[:version[:build]]. */
static int other_holds(const struct condition *c, const struct system_id *os,
		       bool *ret)
{
	(void)os;
	*ret = false;
	for (size_t i = 1; i < c->n; i++) {
		struct span version;
		unsigned accepts;
		int rc = parse_version(c, c->part[i], &version, &accepts);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int unknown_holds(const struct condition *c, const struct system_id *os,
			 bool *ret)
{
	(void)os;
	*ret = false;
	for (size_t i = 0; i < c->n; i++) {
		int rc = check_identifier(c, c->part[i]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static const struct system {
	const char *name;
	size_t max_parts;
	int (*holds)(const struct condition *c, const struct system_id *os,
		     bool *ret);
} systems[] = {
	{ "linux", 4, linux_holds },
	{ "macos", 2, other_holds },
	{ "windows", 3, other_holds },
	{ NULL, PARTS_MAX, unknown_holds },
};

static const struct system *find_system(struct span name)
{
	const struct system *s = systems;

	while (s->name && !span_is(name, s->name))
		s++;
	return s;
}

static int split(struct condition *c, struct span body)
{
	const struct span whole = body;

	for (;;) {
		const char *colon = memchr(body.p, ':', body.len);
		struct span part = body;

		if (colon)
			part.len = (size_t)(colon - body.p);
		if (part.len == 0)
			return refuse(c, whole, "has an empty part");
		if (c->n == PARTS_MAX)
			return refuse(c, body, "is a part too many");
		c->part[c->n++] = part;
		if (!colon)
			return 0;
		body.p = colon + 1;
		body.len -= part.len + 1;
	}
}

int when_holds(const char *condition, const struct system_id *os, bool *ret,
	       struct err *e)
{
	struct span body =
		span_trim((struct span) { condition, strlen(condition) });
	struct condition c = { .text = condition, .part = { body }, .e = e };
	const struct system *s;
	int rc;

	if (body.len > 0 && body.p[0] == '!') {
		c.negated = true;
		body.p++;
		body.len--;
	}
	if (body.len == 0)
		return err_set(e, EINVAL,
			       "condition '%.*s' is empty; leave `when` out "
			       "for an entry that always holds",
			       QUOTE_MAX, condition);
	rc = split(&c, body);
	if (rc < 0)
		return rc;
	s = find_system(c.part[0]);
	if (c.n > s->max_parts)
		return refuse(&c, c.part[s->max_parts], "is a part too many");
	rc = s->holds(&c, os, ret);
	if (rc == 0 && c.negated)
		*ret = !*ret;
	return rc;
}
