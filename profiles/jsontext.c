/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/jsontext.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* cJSON copies a number into a buffer of 64 bytes. */
#define NUMBER_MAX 60
#define QUOTE_MAX  40

#define N(array) (sizeof(array) / sizeof((array)[0]))

void json_advance(const char *text, size_t from, size_t to, struct json_pos *at)
{
	for (; from < to; from++) {
		unsigned char c = (unsigned char)text[from];

		if (c == '\n') {
			at->line++;
			at->column = 1;
		} else if ((c & 0xc0) != 0x80) {
			at->column++;
		}
	}
}

int json_fault(const char *file, const struct json_pos *at, struct err *e,
	       const char *fmt, ...)
{
	char why[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return err_set(e, EINVAL, "%s:%u:%u: %s", file, at->line, at->column,
		       why);
}

/* One row a length: the first byte masked, and the least code point. */
static const struct {
	unsigned char mask;
	unsigned char lead;
	unsigned long least;
} sequences[] = {
	{ 0x80, 0x00, 0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

size_t json_utf8_len(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t n = 1; n <= N(sequences) && n <= len; n++) {
		unsigned long code;

		if ((p[0] & sequences[n - 1].mask) != sequences[n - 1].lead)
			continue;
		code = p[0] & (unsigned char)~sequences[n - 1].mask;
		for (size_t i = 1; i < n; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (p[i] & 0x3f);
		}
		if (code < sequences[n - 1].least || code > 0x10ffff ||
		    (code >= 0xd800 && code <= 0xdfff))
			return 0;
		return n;
	}
	return 0;
}

size_t json_utf8_valid(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t n = json_utf8_len(text + at, len - at);

		if (n == 0)
			break;
		at += n;
	}
	return at;
}

static bool wrong(struct json_lexeme *l, const char *before, const char *quote,
		  size_t n_quote, const char *after)
{
	l->before = before;
	l->quote = quote;
	l->n_quote = n_quote;
	l->after = after;
	return false;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of \uXXXX; -1 if they are not there. */
static long unit(const char *p, size_t left)
{
	long code = 0;

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_value(p[i]);

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

static bool is_high(long code)
{
	return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low(long code)
{
	return code >= 0xdc00 && code <= 0xdfff;
}

static bool lex_unicode(const char *p, size_t left, struct json_lexeme *l)
{
	long code = unit(p, left);
	long next;

	if (code < 0)
		return wrong(l, "'\\u' needs four hexadecimal digits", "", 0,
			     "");
	if (code == 0)
		return wrong(l, "\\u0000 cannot be part of a string", "", 0,
			     "");
	l->len = 6;
	if (!is_high(code) && !is_low(code))
		return true;
	next = unit(p + 6, left - 6);
	if (is_low(code) || !is_low(next))
		return wrong(l, "", p, 6,
			     " is half of a surrogate pair without the other "
			     "half");
	l->len = 12;
	return true;
}

/* One escape; l->len is its length. */
static bool lex_escape(const char *p, size_t left, struct json_lexeme *l)
{
	l->len = 2;
	if (left < 2)
		return true; /* the end of the text follows: not closed */
	if (p[1] == 'u')
		return lex_unicode(p, left, l);
	if (p[1] != '\0' && strchr("\"\\/bfnrt", p[1]))
		return true;
	if ((unsigned char)p[1] < 0x20)
		return wrong(l, "a '\\' must be followed by one of \"\\/bfnrtu",
			     "", 0, "");
	return wrong(l, "'", p, 1 + json_utf8_len(p + 1, left - 1),
		     "' is no escape; a backslash itself is written \\\\");
}

bool json_lex_string(const char *text, size_t len, struct json_lexeme *ret)
{
	size_t at = 1;

	while (at < len && text[at] != '"') {
		unsigned char c = (unsigned char)text[at];

		ret->at = at;
		if (c == '\n' || c == '\r') {
			ret->at = 0;
			return wrong(ret,
				     "the string that begins here is not "
				     "closed in its line (a line break is "
				     "written \\n)",
				     "", 0, "");
		}
		if (c < 0x20)
			return wrong(ret,
				     "a control character in a string; write "
				     "it as an escape (\\t, \\u001b)",
				     "", 0, "");
		if (c != '\\') {
			at++;
			continue;
		}
		if (!lex_escape(text + at, len - at, ret))
			return false;
		at += ret->len;
	}
	ret->at = 0;
	if (at >= len)
		return wrong(ret,
			     "the string that begins here is not closed: '\"' "
			     "is missing",
			     "", 0, "");
	ret->len = at + 1;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool json_is_word_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '+' ||
	       c == '.' || c == '$';
}

static size_t digits(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_digit(p[n]))
		n++;
	return n;
}

/* [ minus ] int [ frac ] [ exp ], the whole of it. */
static bool is_number(const char *p, size_t len)
{
	size_t at = len > 0 && p[0] == '-';
	size_t n = digits(p + at, len - at);

	if (n == 0 || (n > 1 && p[at] == '0'))
		return false;
	at += n;
	if (at < len && p[at] == '.') {
		n = digits(p + at + 1, len - at - 1);
		if (n == 0)
			return false;
		at += 1 + n;
	}
	if (at < len && (p[at] == 'e' || p[at] == 'E')) {
		at++;
		at += at < len && (p[at] == '+' || p[at] == '-');
		n = digits(p + at, len - at);
		if (n == 0)
			return false;
		at += n;
	}
	return at == len;
}

static bool is_literal(const char *p, size_t len)
{
	return (len == 4 &&
		(memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0)) ||
	       (len == 5 && memcmp(p, "false", 5) == 0);
}

bool json_lex_word(const char *text, size_t len, struct json_lexeme *ret)
{
	size_t n = 0;
	size_t shown;

	while (n < len && json_is_word_byte(text[n]))
		n++;
	ret->len = n;
	ret->at = 0;
	shown = n < QUOTE_MAX ? n : QUOTE_MAX;
	if (is_literal(text, n))
		return true;
	if (is_number(text, n) && n <= NUMBER_MAX)
		return true;
	if (is_number(text, n))
		return wrong(ret, "the number ", text, shown,
			     "... has more than 60 characters");
	if (is_digit(text[0]) || strchr("-+.", text[0]))
		return wrong(ret, "'", text, shown,
			     "' is no number of JSON (numbers look like 8080, "
			     "-1, 0.5, 1e3)");
	return wrong(ret, "'", text, shown,
		     "' is no value; strings stand in double quotes, and the "
		     "words are true, false and null");
}
