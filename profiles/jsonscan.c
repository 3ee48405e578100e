/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recursive descent over RFC 8259 plus comments and trailing commas.  The
 * depth is bounded before each descent.  Inside strings every byte is looked
 * at here, because cJSON takes some things for granted and mends others.
 */
#include "profiles/jsonscan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/jsontext.h"

#define KEY_SHOWN 80

struct scan {
	const struct json_text *t;
	struct json_scan *out;
	size_t room; /* tokens */
	size_t at;
	unsigned depth;
	struct err *e;
};

static struct json_pos pos_of(const struct scan *s, size_t offset)
{
	struct json_pos at = { .line = 1, .column = 1 };

	json_advance(s->t->text, 0, offset, &at);
	return at;
}

__attribute__((format(printf, 3, 4))) static int
fault(const struct scan *s, size_t offset, const char *fmt, ...)
{
	struct json_pos at = pos_of(s, offset);
	char why[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return json_fault(s->t->file, &at, s->e, "%s", why);
}

static bool at_end(const struct scan *s)
{
	return s->at == s->t->len;
}

/* The byte there, or NUL at the end; a NUL in the text is no token either. */
static char peek(const struct scan *s)
{
	if (at_end(s))
		return '\0';
	return s->t->text[s->at];
}

/* What stands there, for "but there is ...". */
static const char *found(const struct scan *s, char buf[static 16])
{
	unsigned char c;
	size_t n;

	if (at_end(s))
		return "the end of the file";
	c = (unsigned char)peek(s);
	if (c < 0x20 || c == 0x7f) {
		(void)snprintf(buf, 16, "the byte 0x%02x", c);
		return buf;
	}
	n = json_utf8_len(s->t->text + s->at, s->t->len - s->at);
	(void)snprintf(buf, 16, "'%.*s'", (int)n, s->t->text + s->at);
	return buf;
}

/* Replaces by spaces; newlines stay. */
static void blank(struct scan *s, size_t from, size_t to)
{
	for (; from < to; from++)
		if (s->out->plain[from] != '\n')
			s->out->plain[from] = ' ';
}

static int skip_comment(struct scan *s)
{
	const char *p = s->t->text + s->at;
	size_t left = s->t->len - s->at;
	const char *end;
	size_t n;

	if (left >= 2 && p[1] == '/') {
		end = memchr(p, '\n', left);
		n = end ? (size_t)(end - p) : left;
	} else if (left >= 2 && p[1] == '*') {
		end = memmem(p + 2, left - 2, "*/", 2);
		if (!end)
			return fault(s, s->at,
				     "the comment that begins here is not "
				     "closed: '*/' is missing");
		n = (size_t)(end - p) + 2;
	} else {
		return fault(s, s->at,
			     "'/' alone is nothing; a comment begins with // "
			     "or /*");
	}
	blank(s, s->at, s->at + n);
	s->at += n;
	return 0;
}

static int skip_space(struct scan *s)
{
	while (!at_end(s)) {
		int rc;

		switch (peek(s)) {
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			s->at++;
			break;
		case '/':
			rc = skip_comment(s);
			if (rc < 0)
				return rc;
			break;
		case '#':
			return fault(s, s->at,
				     "'#' begins no comment here; use //");
		default:
			return 0;
		}
	}
	return 0;
}

static int add_token(struct scan *s)
{
	struct json_scan *out = s->out;

	if (out->n_tokens == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		uint32_t *p = realloc(out->tokens, room * sizeof(*p));

		if (!p)
			return err_errno(s->e, ENOMEM, "%s", s->t->file);
		out->tokens = p;
		s->room = room;
	}
	out->tokens[out->n_tokens++] = (uint32_t)s->at;
	return 0;
}

static int scan_string(struct scan *s)
{
	struct json_lexeme l;
	int rc = add_token(s);

	if (rc < 0)
		return rc;
	if (!json_lex_string(s->t->text + s->at, s->t->len - s->at, &l))
		return fault(s, s->at + l.at, "%s%.*s%s", l.before,
			     (int)l.n_quote, l.quote, l.after);
	s->at += l.len;
	return 0;
}

static int scan_word(struct scan *s)
{
	struct json_lexeme l;
	int rc;

	if (!json_lex_word(s->t->text + s->at, s->t->len - s->at, &l))
		return fault(s, s->at, "%s%.*s%s", l.before, (int)l.n_quote,
			     l.quote, l.after);
	rc = add_token(s);
	s->at += l.len;
	return rc;
}

static int scan_value(struct scan *s);

static int scan_member(struct scan *s)
{
	const char *key = s->t->text + s->at;
	char buf[16];
	size_t len;
	int rc;

	if (peek(s) != '"')
		return fault(s, s->at,
			     "expected a key in double quotes or '}', but "
			     "there is %s",
			     found(s, buf));
	rc = scan_string(s);
	len = (size_t)(s->t->text + s->at - key);
	if (rc == 0)
		rc = skip_space(s);
	if (rc < 0)
		return rc;
	if (peek(s) != ':')
		return fault(s, s->at,
			     "expected ':' behind the key %.*s, but there is "
			     "%s",
			     (int)(len < KEY_SHOWN ? len : KEY_SHOWN), key,
			     found(s, buf));
	s->at++;
	rc = skip_space(s);
	return rc < 0 ? rc : scan_value(s);
}

static int no_separator(const struct scan *s, size_t open, char close)
{
	struct json_pos from = pos_of(s, open);
	char buf[16];

	return fault(s, s->at,
		     "expected ',' or '%c' (of the '%c' in line %u, column "
		     "%u), but there is %s",
		     close, s->t->text[open], from.line, from.column,
		     found(s, buf));
}

/* Behind an element: a comma, or the closing bracket, which stays. */
static int scan_separator(struct scan *s, size_t open, char close)
{
	size_t comma = s->at;
	int rc;

	if (peek(s) == close)
		return 0;
	if (at_end(s))
		return fault(s, open,
			     "the '%c' here is not closed: the file ends "
			     "without its '%c'",
			     s->t->text[open], close);
	if (peek(s) != ',')
		return no_separator(s, open, close);
	s->at++;
	rc = skip_space(s);
	if (rc < 0)
		return rc;
	if (peek(s) == ',')
		return fault(s, s->at, "there is a comma too many");
	if (peek(s) == close)
		blank(s, comma, comma + 1);
	return 0;
}

/* An array or an object. */
static int scan_container(struct scan *s)
{
	const char close = peek(s) == '{' ? '}' : ']';
	const size_t open = s->at;
	int rc = add_token(s);

	if (rc < 0)
		return rc;
	if (s->depth == JSON_DEPTH_MAX)
		return fault(s, s->at,
			     "is nested deeper than %d arrays and objects",
			     JSON_DEPTH_MAX);
	s->depth++;
	s->at++;
	rc = skip_space(s);
	while (rc == 0 && peek(s) != close) {
		if (at_end(s))
			return scan_separator(s, open, close);
		rc = close == '}' ? scan_member(s) : scan_value(s);
		if (rc == 0)
			rc = skip_space(s);
		if (rc == 0)
			rc = scan_separator(s, open, close);
	}
	s->at++;
	s->depth--;
	return rc;
}

static int scan_value(struct scan *s)
{
	char buf[16];
	char c = peek(s);

	if (c == '{' || c == '[')
		return scan_container(s);
	if (c == '"')
		return scan_string(s);
	if (json_is_word_byte(c))
		return scan_word(s);
	if (c == '\'')
		return fault(s, s->at,
			     "strings stand in double quotes, not in single "
			     "ones");
	return fault(s, s->at,
		     "expected a value (an object, an array, a string, a "
		     "number, true, false or null), but there is %s",
		     found(s, buf));
}

static int scan_text(struct scan *s)
{
	bool comments;
	char buf[16];
	int rc = skip_space(s);

	if (rc < 0)
		return rc;
	comments = memcmp(s->out->plain, s->t->text, s->t->len) != 0;
	if (at_end(s))
		return fault(s, 0, "%s; expected a value such as {}",
			     comments ? "has nothing but comments"
				      : "is empty");
	rc = scan_value(s);
	if (rc == 0)
		rc = skip_space(s);
	if (rc < 0)
		return rc;
	if (!at_end(s))
		return fault(s, s->at,
			     "expected the end of the file behind the value, "
			     "but there is %s",
			     found(s, buf));
	return 0;
}

int json_scan(const struct json_text *t, struct json_scan *ret, struct err *e)
{
	struct scan s = { .t = t, .out = ret, .e = e };
	size_t ok;

	*ret = (struct json_scan) { .len = t->len };
	if (t->len > JSON_SIZE_MAX)
		return fault(&s, 0, "is larger than %u MiB",
			     JSON_SIZE_MAX >> 20);
	ok = json_utf8_valid(t->text, t->len);
	if (ok < t->len)
		return fault(&s, ok,
			     "the byte 0x%02x is not UTF-8; save the file as "
			     "UTF-8",
			     (unsigned char)t->text[ok]);
	ret->plain = malloc(t->len + 1);
	if (!ret->plain)
		return err_errno(e, ENOMEM, "%s", t->file);
	memcpy(ret->plain, t->text, t->len);
	ret->plain[t->len] = '\0';
	return scan_text(&s);
}

void json_scan_done(struct json_scan *s)
{
	free(s->plain);
	free(s->tokens);
	*s = (struct json_scan) { 0 };
}
