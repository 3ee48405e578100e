/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP/1 reader on any bytes.  Fed whole and in pieces it must tell the
 * same; and what it clears is read again by a parser as lenient as any in use
 * (bare LF, spaces before the colon, the last of several fields, the first
 * digits of a number), which must find the same requests with the same hosts.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/http1.h"

#define REQUESTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	size_t n;
	struct authority who[REQUESTS_MAX];
	enum http1_event last;
	const char *reason;
	uint64_t cleared;
};

__attribute__((noreturn, format(printf, 1, 2))) static void
broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	abort();
}

static void approve(struct http1 *r, struct told *t)
{
	uint64_t before = r->cleared;

	if (t->n == REQUESTS_MAX)
		return;
	t->who[t->n++] = r->authority;
	http1_approve(r);
	if (r->cleared <= before)
		broken("an approval that clears nothing");
}

/* Pieces are of 1 to step bytes; 0: all at once.  Odd steps skip bodies. */
static void read_all(const uint8_t *data, size_t size, size_t step,
		     struct told *t)
{
	struct http1 r;
	size_t at = 0;
	size_t used;

	memset(t, 0, sizeof(*t));
	http1_init(&r);
	while (at < size && t->last < HTTP1_HTTP2 && t->n < REQUESTS_MAX) {
		size_t n = step ? 1 + (at * 7 + size) % step : size;
		uint64_t body = step & 1 ? http1_body_left(&r) : 0;

		n = n < size - at ? n : size - at;
		if (body > 0) {
			n = body < n ? (size_t)body : n;
			http1_skip(&r, n);
			at += n;
			continue;
		}
		t->last = http1_read(&r, data + at, n, &used);
		at += used;
		if (r.seen != at || r.cleared > at)
			broken("%zu bytes read, counted otherwise", at);
		if (t->last == HTTP1_REQUEST)
			approve(&r, t);
		else if (t->last == HTTP1_WAIT)
			http1_answered(&r, size & 1);
	}
	t->reason = r.reason;
	t->cleared = r.cleared;
}

static void check_same(const struct told *a, const struct told *b)
{
	if (a->n != b->n || a->cleared != b->cleared || a->reason != b->reason)
		broken("%zu, %s or %zu, %s", a->n, a->reason ? a->reason : "-",
		       b->n, b->reason ? b->reason : "-");
	for (size_t i = 0; i < a->n; i++)
		if (!authority_equal(&a->who[i], &b->who[i], 0))
			broken("%s or %s", a->who[i].host, b->who[i].host);
}

/* The lenient reader. */
struct lenient {
	const char *p;
	const char *end;
	char host[1024];
	unsigned long long length;
	bool chunked;
	bool websocket;
};

/* Without CR, cut to size; false at the end of what there is. */
static bool line(struct lenient *l, char *ret, size_t size)
{
	const char *lf = memchr(l->p, '\n', (size_t)(l->end - l->p));
	size_t n;

	if (!lf)
		return false;
	n = (size_t)(lf - l->p);
	if (n > 0 && l->p[n - 1] == '\r')
		n--;
	n = n < size - 1 ? n : size - 1;
	memcpy(ret, l->p, n);
	ret[n] = '\0';
	l->p = lf + 1;
	return true;
}

static void field(struct lenient *l, char *text)
{
	char *colon = strchr(text, ':');
	char *value = colon + 1;
	size_t n;

	if (!colon)
		return;
	*colon = '\0';
	n = strcspn(text, " \t");
	text[n] = '\0';
	value += strspn(value, " \t\v\f\r");
	for (n = strlen(value); n > 0 && strchr(" \t", value[n - 1]); n--)
		value[n - 1] = '\0';
	for (char *c = text; *c; c++)
		*c = *c == '_' ? '-' : *c;
	if (strcasecmp(text, "host") == 0)
		(void)snprintf(l->host, sizeof(l->host), "%s", value);
	else if (strcasecmp(text, "content-length") == 0)
		l->length = strtoull(value, NULL, 10);
	else if (strcasecmp(text, "transfer-encoding") == 0)
		l->chunked |= strcasestr(value, "chunked") != NULL;
	else if (strcasecmp(text, "upgrade") == 0)
		l->websocket |= strcasestr(value, "websocket") != NULL;
}

static bool lenient_head(struct lenient *l)
{
	static char text[HTTP1_HEAD_MAX + 2];

	l->length = 0;
	l->host[0] = '\0';
	l->chunked = l->websocket = false;
	do
		if (!line(l, text, sizeof(text)))
			return false;
	while (text[0] == '\0');
	while (line(l, text, sizeof(text))) {
		if (text[0] == '\0')
			return true;
		field(l, text);
	}
	return false;
}

static bool skip(struct lenient *l, unsigned long long n)
{
	if (n > (size_t)(l->end - l->p))
		return false;
	l->p += n;
	return true;
}

static bool lenient_body(struct lenient *l)
{
	char text[64];
	unsigned long long n;

	if (!l->chunked)
		return skip(l, l->length);
	do {
		if (!line(l, text, sizeof(text)))
			return false;
		n = strtoull(text, NULL, 16);
		if (!skip(l, n))
			return false;
	} while ((n == 0 || line(l, text, sizeof(text))) && n > 0);
	while (line(l, text, sizeof(text)))
		if (text[0] == '\0')
			return true;
	return false;
}

static void check_lenient(const uint8_t *data, const struct told *t)
{
	struct lenient l = { .p = (const char *)data,
			     .end = (const char *)data + t->cleared };
	size_t n = 0;

	while (lenient_head(&l) && strncmp(l.host, "", 1) != 0) {
		struct authority a;

		if (n == t->n)
			broken("one request more, for %s", l.host);
		if (authority_parse(l.host, strlen(l.host), &a) ||
		    !authority_equal(&a, &t->who[n], 0))
			broken("%s, not %s", l.host, t->who[n].host);
		n++;
		if (l.websocket && t->last == HTTP1_OPAQUE && n == t->n)
			break;
		if (!lenient_body(&l))
			break;
	}
	if (n != t->n)
		broken("%zu requests, not %zu", n, t->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct told whole;
	static struct told pieces;

	read_all(data, size, 0, &whole);
	for (size_t step = 1; step < 5; step++) {
		read_all(data, size, step * step, &pieces);
		check_same(&whole, &pieces);
	}
	check_lenient(data, &whole);
	(void)http1_sniff(data, size);
	for (size_t cut = 0; cut <= size && cut < 64; cut += 5) {
		struct http1_answer a;
		struct http1_answer b;
		enum http1_answer_event e;

		http1_answer_init(&a);
		http1_answer_init(&b);
		e = http1_answer_read(&a, data, cut);
		if (e == HTTP1_ANSWER_MORE)
			e = http1_answer_read(&a, data + cut, size - cut);
		if (e != http1_answer_read(&b, data, size))
			broken("an answer cut at %zu", cut);
	}
	return 0;
}
