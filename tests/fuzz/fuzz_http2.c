/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP/2 reader on any bytes behind a client's preface.  Fed whole and in
 * pieces it must tell the same; and a server of libnghttp2, fed what is
 * cleared, must not see a request that was not told, or with another host.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "relay/http2.h"

#define REQUESTS_MAX 256
#define PREFACE	     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	size_t n;
	uint32_t stream[REQUESTS_MAX];
	struct authority who[REQUESTS_MAX];
	enum http2_event last;
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

/* Pieces are of 1 to step bytes; 0: all at once.  Odd steps skip bodies. */
static void read_all(const uint8_t *data, size_t size, size_t step,
		     struct told *t)
{
	struct http1 after = { 0 };
	struct http2 h;
	size_t at = 0;
	size_t used;

	memset(t, 0, sizeof(*t));
	if (http2_init(&h, &after) < 0)
		broken("no memory");
	while (at < size && t->last != HTTP2_REFUSED && t->n < REQUESTS_MAX) {
		size_t n = step ? 1 + (at * 7 + size) % step : size;
		uint64_t body = step & 1 ? http2_body_left(&h) : 0;

		n = n < size - at ? n : size - at;
		if (body > 0) {
			n = body < n ? (size_t)body : n;
			http2_skip(&h, n);
			at += n;
			t->last = http2_read(&h, data + at, 0, &used);
		} else {
			t->last = http2_read(&h, data + at, n, &used);
			at += used;
		}
		if (h.cleared > at)
			broken("%zu bytes read, more cleared", at);
		if (t->last == HTTP2_REQUEST) {
			t->stream[t->n] = h.stream;
			t->who[t->n++] = h.authority;
			http2_approve(&h);
		}
	}
	t->reason = h.reason;
	t->cleared = h.cleared;
	http2_done(&h);
}

static void check_same(const struct told *a, const struct told *b)
{
	if (a->n != b->n || a->cleared != b->cleared || a->reason != b->reason)
		broken("%zu, %s or %zu, %s", a->n, a->reason ? a->reason : "-",
		       b->n, b->reason ? b->reason : "-");
	for (size_t i = 0; i < a->n; i++)
		if (a->stream[i] != b->stream[i] ||
		    !authority_equal(&a->who[i], &b->who[i], 0))
			broken("%s or %s", a->who[i].host, b->who[i].host);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame,
		     const uint8_t *name, size_t n_name, const uint8_t *value,
		     size_t n_value, uint8_t flags, void *arg)
{
	const struct told *t = arg;
	struct authority a;
	size_t i = 0;

	(void)s;
	(void)flags;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
	    !((n_name == 10 && memcmp(name, ":authority", 10) == 0) ||
	      (n_name == 4 && memcmp(name, "host", 4) == 0)))
		return 0;
	while (i < t->n && t->stream[i] != (uint32_t)frame->hd.stream_id)
		i++;
	if (i == t->n)
		broken("stream %d was not told", frame->hd.stream_id);
	if (authority_parse((const char *)value, n_value, &a) ||
	    !authority_equal(&a, &t->who[i], 80))
		broken("%.*s, not %s", (int)n_value, (const char *)value,
		       t->who[i].host);
	return 0;
}

static void check_server(const uint8_t *data, struct told *t)
{
	nghttp2_session_callbacks *calls;
	nghttp2_session *s;

	if (nghttp2_session_callbacks_new(&calls) != 0)
		broken("no memory");
	nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
	if (nghttp2_session_server_new(&s, calls, t) != 0)
		broken("no memory");
	nghttp2_session_callbacks_del(calls);
	if (nghttp2_session_mem_recv(s, (const uint8_t *)PREFACE, 24) == 24)
		(void)nghttp2_session_mem_recv(s, data, t->cleared);
	nghttp2_session_del(s);
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
	check_server(data, &whole);
	return 0;
}
