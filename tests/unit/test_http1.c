/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests in HTTP/1: each message fed whole, byte by byte and cut at every
 * place, and read the same; each refusal by its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/http1.h"

#define GET	"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define HOST	"Host: a.test\r\n"
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define UPGRADE(to) \
	"GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: " to "\r\n"
#define C(chunks) \
	"PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n" chunks

/* What was told, in order: "a.test ", "b.test:81 ", then how it ended. */
struct told {
	char text[1024];
	uint64_t cleared;
};

struct feed {
	const char *data;
	size_t len;
	bool switched; /* the server's answer to websocket */
	bool skip;     /* count bodies instead of reading them */
};

static void say(struct told *t, const char *host, unsigned port)
{
	size_t n = strlen(t->text);

	if (port)
		(void)snprintf(t->text + n, sizeof(t->text) - n, "%s:%u ", host,
			       port);
	else
		(void)snprintf(t->text + n, sizeof(t->text) - n, "%s ", host);
}

/* Reads one piece and does what a caller does; false once it is over. */
static bool feed_piece(struct http1 *r, const struct feed *f, const char *p,
		       size_t len, struct told *t)
{
	while (len > 0) {
		uint64_t body = f->skip ? http1_body_left(r) : 0;
		size_t used = body < len ? (size_t)body : len;
		enum http1_event e = HTTP1_MORE;

		if (used > 0)
			http1_skip(r, used);
		else
			e = http1_read(r, p, len, &used);
		p += used;
		len -= used;
		if (e == HTTP1_REQUEST) {
			say(t, r->authority.host, r->authority.port);
			http1_approve(r);
			if (http1_read(r, p, 0, &used) == HTTP1_WAIT) {
				say(t, "(wait)", 0);
				http1_answered(r, f->switched);
			}
		} else if (e == HTTP1_HTTP2 || e == HTTP1_OPAQUE ||
			   e == HTTP1_REFUSED) {
			say(t,
			    e == HTTP1_HTTP2	? "HTTP/2"
			    : e == HTTP1_OPAQUE ? "opaque"
						: r->reason,
			    0);
			return false;
		}
	}
	return true;
}

/* In pieces of n bytes, the first one of first bytes. */
static struct told told_of(const struct feed *f, size_t first, size_t n)
{
	struct told t = { 0 };
	struct http1 r;
	size_t at = 0;
	size_t piece = first;

	http1_init(&r);
	while (at < f->len) {
		/* Exact: a sanitizer sees a byte too many. */
		size_t len = piece < f->len - at ? piece : f->len - at;
		char *copy = malloc(len + 1);
		bool more;

		assert_non_null(copy);
		memcpy(copy, f->data + at, len);
		more = feed_piece(&r, f, copy, len, &t);
		free(copy);
		if (!more)
			break;
		at += len;
		piece = n;
	}
	t.cleared = r.cleared;
	return t;
}

static void all_ways(struct feed f, const char *want, uint64_t cleared)
{
	for (int skip = 0; skip < 2; skip++) {
		struct told t;

		f.skip = skip;
		for (size_t i = 1; i <= f.len; i += 1 + f.len / 512) {
			t = told_of(&f, i, f.len);
			assert_string_equal(t.text, want);
			assert_int_equal(t.cleared, cleared);
		}
		t = told_of(&f, 1, 1);
		assert_string_equal(t.text, want);
		assert_int_equal(t.cleared, cleared);
	}
}

static void test_accepted(void **state)
{
	static const struct {
		const char *stream;
		const char *want;
	} rows[] = {
		{ GET, "a.test " },
		{ GET GET GET, "a.test a.test a.test " },
		{ GET "GET /b HTTP/1.1\r\nHost: b.test\r\n\r\n",
		  "a.test b.test " },
		{ "GET /x?y={z}|\"\\ HTTP/1.1\r\nHost: A.Test.:8080\r\n"
		  "X: \ty  z\t\r\nEmpty:\r\nA.B_c: 1\r\n\r\n",
		  "a.test:8080 " },
		{ "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", "a.test " },
		{ "GET / HTTP/1.1\r\nhOST:a.test  \r\n\r\n", "a.test " },
		{ "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n",
		  "192.0.2.1:80 " },
		{ "GET / HTTP/1.1\r\nHost: [2001:DB8:0::1]:80\r\n\r\n",
		  "2001:db8::1:80 " },
		{ "GET http://a.test HTTP/1.1\r\n" HOST "\r\n", "a.test " },
		{ "GET HTTP://A.test:80/x HTTP/1.1\r\n" HOST "\r\n",
		  "a.test " },
		{ "GET http://a.test?q HTTP/1.1\r\nHost: a.test:80\r\n\r\n",
		  "a.test:80 " },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "a.test " },
		{ "M-SEARCH / HTTP/1.1\r\n" HOST "\r\n", "a.test " },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n" GET,
		  "a.test a.test " },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 38\r\n\r\n"
		  "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n..." GET,
		  "a.test a.test " },
		{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		  "5\r\nabcde\r\n00A\r\n0123456789\r\n0\r\n\r\n" GET,
		  "a.test a.test " },
		{ "GET / HTTP/1.1\r\n" HOST
		  "Connection: close , TE\r\n\r\n" GET,
		  "a.test a.test " },
		{ PREFACE "..", "HTTP/2 " },
		{ UPGRADE("h2c") "\r\n" PREFACE "x", "a.test HTTP/2 " },
		{ UPGRADE("h2c") "Content-Length: 2\r\n\r\nab" PREFACE "x",
		  "a.test HTTP/2 " },
		{ UPGRADE("h2c") "\r\n" GET, "a.test a.test " },
		{ "GET /\xc3\xa0?\xe9 HTTP/1.1\r\n" HOST
		  "X: caf\xc3\xa9\r\n\r\n",
		  "a.test " },
		/* A line's end too many, in front or behind a body. */
		{ "\r\n" GET "\r\n" GET, "a.test a.test " },
		{ C("0\r\nX: y\r\nTrailer-2:\r\n\r\n") GET, "a.test a.test " },
		{ GET UPGRADE("websocket") "\r\n" GET,
		  "a.test a.test a.test " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *s = rows[i].stream;
		struct feed f = { .data = s, .len = strlen(s) };
		size_t cleared = f.len;

		if (strstr(rows[i].want, "HTTP/2"))
			cleared = (size_t)(strstr(s, "SM\r\n\r\n") - s) + 6;
		all_ways(f, rows[i].want, cleared);
	}
}

static void test_body_is_opaque(void **state)
{
	static const char stream[] =
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
		"Expect: 100-continue\r\n\r\n\r\n\0\n " GET;
	struct feed f = { .data = stream, .len = sizeof(stream) - 1 };

	(void)state;
	all_ways(f, "a.test a.test ", f.len);
}

#define R(line)	 line "\r\n" HOST "\r\n"
#define F(field) "GET / HTTP/1.1\r\n" HOST field "\r\n\r\n"
#define H(host)	 "GET / HTTP/1.1\r\nHost: " host "\r\n\r\n"

#define METHOD	   "a malformed method"
#define TARGET	   "a malformed target"
#define PROTOCOL   "a version other than HTTP/1.0 and HTTP/1.1"
#define NAME	   "a malformed field name"
#define VALUE	   "a byte in a field's value that is not printable"
#define NOT_ASCII  "not ASCII in a field that frames the message"
#define TRAILER	   "a trailer that frames the message"
#define MALFORMED  "a malformed host"
#define PORT	   "a malformed port"
#define LENGTH	   "a malformed Content-Length"
#define ENCODING   "a Transfer-Encoding other than chunked"
#define CONNECTION "a Connection field with an unknown option"
#define CHUNK	   "a malformed chunk size"
#define LIKE	   "a field name like one that frames the message"
#define DIFFER	   "a target and a Host that differ"
#define NO_CRLF	   "a chunk that does not end with CR LF"
#define BARE_CR	   "a CR without LF"

static const struct refusal {
	const char *stream;
	const char *reason;
} refusals[] = {
	{ "\n" GET, METHOD },
	{ " " GET, METHOD },
	{ R("get / HTTP/1.1"), METHOD },
	{ R("-X / HTTP/1.1"), METHOD },
	{ R("G@T / HTTP/1.1"), METHOD },
	{ R("GET\t/ HTTP/1.1"), METHOD },
	{ "\x16\x03\x01", METHOD },
	{ R("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1"),
	  "a method that is too long" },
	{ R("CONNECT a.test:443 HTTP/1.1"), "CONNECT to a server" },
	{ R("GET  / HTTP/1.1"), TARGET },
	{ R("GET * HTTP/1.1"), TARGET },
	{ R("OPTIONS ** HTTP/1.1"), TARGET },
	{ R("GET a.test HTTP/1.1"), TARGET },
	{ R("GET ?x HTTP/1.1"), TARGET },
	{ R("GET /# HTTP/1.1"), TARGET },
	{ R("GET /\x7f HTTP/1.1"), TARGET },
	{ R("GET /\x85 HTTP/1.1"), TARGET },
	{ "\r\n\r\n" GET, METHOD },
	{ "\r" GET, BARE_CR },
	{ R("GET /\t HTTP/1.1"), TARGET },
	{ R("GET /"), TARGET },
	{ R("GET https://a.test/ HTTP/1.1"),
	  "a target with a scheme other than http" },
	{ R("GET http:/a.test/ HTTP/1.1"),
	  "a target with a scheme other than http" },
	{ R("GET http://b.test/ HTTP/1.1"), DIFFER },
	{ R("GET http://a.test:81/ HTTP/1.1"), DIFFER },
	{ R("GET http://x@a.test/ HTTP/1.1"), MALFORMED },
	{ R("GET http://b.test\\@a.test/ HTTP/1.1"), MALFORMED },
	{ R("GET http://a.test#/ HTTP/1.1"), MALFORMED },
	{ R("GET http:/// HTTP/1.1"), "an empty host" },
	{ "GET http://a.test/ HTTP/1.1\r\n\r\n", "no Host" },
	{ R("GET /  HTTP/1.1"), PROTOCOL },
	{ R("GET / x HTTP/1.1"), PROTOCOL },
	{ R("GET / HTTP/1.2"), PROTOCOL },
	{ R("GET / HTTP/2.0"), PROTOCOL },
	{ R("GET / HTTP/0.9"), PROTOCOL },
	{ R("GET / http/1.1"), PROTOCOL },
	{ R("GET / HTTP/1.10"), PROTOCOL },
	{ R("GET / HTTP/01.1"), PROTOCOL },
	{ R("GET / HTTP/1.1 "), PROTOCOL },
	{ "GET / HTTP/1.1\nHost: a.test\r\n\r\n", PROTOCOL },
	{ "GET / HTTP/1.1\rHost: a.test\r\n\r\n", BARE_CR },
	{ "GET / HTTP/1.1\r\nHost: a.test\n\r\n", VALUE },
	{ "GET / HTTP/1.1\r\nHost: a.test\r\r\n", BARE_CR },
	{ "GET / HTTP/1.1\r\nHost: a.test\r\n\rX", BARE_CR },
	{ "GET / HTTP/1.1\r\nHost: a.test\r\n\n", NAME },
	{ "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", "a folded field" },
	{ F("X: y\r\n z"), "a folded field" },
	{ F("X: y\r\n\tz"), "a folded field" },
	{ F("X : y"), "a space in a field's name" },
	{ F("X\t: y"), "a space in a field's name" },
	{ F("X y: z"), "a space in a field's name" },
	{ F(": y"), NAME },
	{ F("X"), NAME },
	{ F("X\x80: y"), NAME },
	{ F("X;: y"), NAME },
	{ F("X: \x01"), VALUE },
	{ F("X: \x7f"), VALUE },
	{ F("X: \x85"), VALUE },
	{ F("Expect: 100-continue\xa0"), NOT_ASCII },
	{ F("X: a\rb"), BARE_CR },
	{ F("X: a\nb"), VALUE },
	{ F("X: a\vb"), VALUE },
	{ "GET / HTTP/1.1\r\n\r\n", "no Host" },
	{ "GET / HTTP/1.0\r\n\r\n", "no Host" },
	{ F("Host: a.test"), "two Host fields" },
	{ F("hoST: b.test"), "two Host fields" },
	{ H(""), "an empty host" },
	{ H(":80"), "an empty host" },
	{ H("a.test,b.test"), MALFORMED },
	{ H("a.test b.test"), MALFORMED },
	{ H("a.test\tb.test"), "a tab in a field that frames the message" },
	{ H("\ta.test"), "a tab in a field that frames the message" },
	{ H("x@a.test"), MALFORMED },
	{ H("a%2etest"), MALFORMED },
	{ H("a.test/"), MALFORMED },
	{ H("a..test"), MALFORMED },
	{ H(".a.test"), MALFORMED },
	{ H("a.test.."), MALFORMED },
	{ H("."), MALFORMED },
	{ H("\"a.test\""), MALFORMED },
	{ H("xn--\x62-.test"), MALFORMED },
	{ H("a\xc3\xa4.test"), NOT_ASCII },
	{ H("a.test:"), PORT },
	{ H("a.test:0"), PORT },
	{ H("a.test:080"), PORT },
	{ H("a.test:65536"), PORT },
	{ H("a.test:+80"), PORT },
	{ H("a.test:80:80"), PORT },
	{ H("a.test: 80"), PORT },
	{ H("a.test:80x"), PORT },
	{ H("2001:db8::1"), MALFORMED },
	{ H("[2001:db8::1"), MALFORMED },
	{ H("[2001:db8::1]80"), MALFORMED },
	{ H("[2001:db8::1%eth0]"), MALFORMED },
	{ H("[192.0.2.1]"), MALFORMED },
	{ H("[v1.a]"), MALFORMED },
	{ H("[]"), "an empty host" },
	{ H("192.0.2.01"), MALFORMED },
	{ H("0x7f.1"), MALFORMED },
	{ H("2130706433"), MALFORMED },
	{ F("Content-Length: 1\r\nContent-Length: 1"),
	  "two Content-Length fields" },
	{ F("Content-Length: "), LENGTH },
	{ F("Content-Length: 1,1"), LENGTH },
	{ F("Content-Length: +1"), LENGTH },
	{ F("Content-Length: -1"), LENGTH },
	{ F("Content-Length: 0x1"), LENGTH },
	{ F("Content-Length: 01"), LENGTH },
	{ F("Content-Length: 1 0"), LENGTH },
	{ F("Content-Length: 1000000000000000000"), LENGTH },
	{ F("Content_Length: 1"), LIKE },
	{ F("Transfer.Encoding: chunked"), LIKE },
	{ "GET / HTTP/1.1\r\nHost: a.test\r\nhost_: x\r\nUpgrade_: x\r\n"
	  "up_grade: x\r\nContent-Length: 1\r\ncontent_length: 1\r\n\r\n",
	  LIKE },
	{ F("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
	  "two Transfer-Encoding fields" },
	{ F("Transfer-Encoding: identity"), ENCODING },
	{ F("Transfer-Encoding: gzip, chunked"), ENCODING },
	{ F("Transfer-Encoding: chunked, chunked"), ENCODING },
	{ F("Transfer-Encoding: Chunked"), ENCODING },
	{ F("Transfer-Encoding: chunked;x"), ENCODING },
	{ F("Transfer-Encoding: xchunked"), ENCODING },
	{ F("Transfer-Encoding:"), ENCODING },
	{ F("Transfer-Encoding: \tchunked"),
	  "a tab in a field that frames the message" },
	{ F("Transfer-Encoding: \vchunked"), VALUE },
	{ F("Transfer-Encoding: chunked\r\nContent-Length: 1"),
	  "both Content-Length and Transfer-Encoding" },
	{ F("Content-Length: 0\r\nTransfer-Encoding: chunked"),
	  "both Content-Length and Transfer-Encoding" },
	{ "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
	  "a Transfer-Encoding or Expect in HTTP/1.0" },
	{ "POST / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\n\r\n",
	  "a Transfer-Encoding or Expect in HTTP/1.0" },
	{ F("Expect: x"), "a malformed Expect" },
	{ F("Expect: 100-continue\r\nExpect: 100-continue"),
	  "two Expect fields" },
	{ F("Connection: Host"), CONNECTION },
	{ F("Connection: close, Content-Length"), CONNECTION },
	{ F("Connection: close,"), CONNECTION },
	{ F("Connection: close\r\nConnection: close"),
	  "two Connection fields" },
	{ F("Upgrade: TLS/1.0"), "an Upgrade other than h2c or websocket" },
	{ F("Upgrade: h2c, websocket"),
	  "an Upgrade other than h2c or websocket" },
	{ F("Upgrade: h2c\r\nUpgrade: h2c"), "two Upgrade fields" },
	{ "GET / HTTP/1.0\r\n" HOST "Upgrade: h2c\r\n\r\n",
	  "an Upgrade in HTTP/1.0" },
	{ "POST / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n",
	  "a websocket request that is no plain GET" },
	{ F("Upgrade: websocket\r\nContent-Length: 1"),
	  "a websocket request that is no plain GET" },
	{ F("Upgrade: websocket\r\nTransfer-Encoding: chunked"),
	  "a websocket request that is no plain GET" },
	{ R("PRI / HTTP/2.0"), "a malformed HTTP/2 preface" },
	{ "PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n", "a malformed HTTP/2 preface" },
};

static const struct refusal later[] = {
	{ GET "\r\n\r\n" GET, METHOD },
	{ GET "\r" GET, BARE_CR },
	{ UPGRADE("h2c") "\r\n\r\n" PREFACE,
	  "HTTP/2 that no request asked for" },
	{ GET PREFACE, "HTTP/2 that no request asked for" },
	{ C("\r\n"), CHUNK },
	{ C("0x5\r\n"), CHUNK },
	{ C("5;a=b\r\n"), CHUNK },
	{ C("5 \r\n"), CHUNK },
	{ C(" 5\r\n"), CHUNK },
	{ C("-5\r\n"), CHUNK },
	{ C("5\n"), CHUNK },
	{ C("1234567890abcdef\r\n"), "a chunk size that is too long" },
	{ C("5\rx"), NO_CRLF },
	{ C("1\r\nab\r\n"), NO_CRLF },
	{ C("1\r\na\n"), NO_CRLF },
	{ C("1\r\na\r\r"), NO_CRLF },
	{ C("0\r\n\n"), NAME },
	{ C("0\r\n\rX"), BARE_CR },
	{ C("0\r\nX: y\r\nHost: b.test\r\n\r\n"), TRAILER },
	{ C("0\r\nTransfer-Encoding: chunked\r\n\r\n"), TRAILER },
	{ C("0\r\nContent_Length: 1\r\n\r\n"), LIKE },
	{ C("0\r\nX : y\r\n\r\n"), "a space in a field's name" },
	{ C("0\r\nGET / HTTP/1.1\r\n\r\n"), "a space in a field's name" },
	{ C("0\r\n X: y\r\n\r\n"), "a folded field" },
	{ C("0\r\nX: y\nz: z\r\n\r\n"), VALUE },
};

static void refused(const char *stream, size_t len, const char *before,
		    const char *reason, uint64_t cleared)
{
	struct feed f = { .data = stream, .len = len };
	char want[256];

	assert_true(snprintf(want, sizeof(want), "%s%s ", before, reason) <
		    (int)sizeof(want));
	all_ways(f, want, cleared);
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		refused(refusals[i].stream, strlen(refusals[i].stream), "",
			refusals[i].reason, 0);
	refused("GET /\0 HTTP/1.1\r\n", 17, "", TARGET, 0);
	refused("GET / HTTP/1.1\r\nX: \0", 20, "", VALUE, 0);
	refused("GET / HTTP/1.1\r\nX\0: ", 20, "", NAME, 0);
}

/* Nothing of what is refused goes on, and all in front of it may. */
static void test_refused_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		const char *s = later[i].stream;
		struct feed f = { .data = s, .len = strlen(s) };
		struct told t = told_of(&f, f.len, f.len);
		size_t head = (size_t)(strstr(s, "\r\n\r\n") - s) + 4;
		uint64_t at_most = f.len - 1;

		assert_true(t.cleared >= head && t.cleared <= at_most);
		refused(s, f.len, "a.test ", later[i].reason, t.cleared);
	}
}

static void test_not_approved(void **state)
{
	struct http1 r;
	size_t used;

	(void)state;
	http1_init(&r);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(http1_read(&r, GET GET, i ? 9 : 40, &used),
				 HTTP1_REQUEST);
		assert_int_equal(used, i ? 0 : strlen(GET));
		assert_int_equal(r.cleared, 0);
	}
	http1_approve(&r);
	assert_int_equal(r.cleared, strlen(GET));
}

static void test_long_head(void **state)
{
	static const char line[] = "GET / HTTP/1.1\r\n" HOST "X: ";
	size_t room = HTTP1_HEAD_MAX - (sizeof(line) - 1) - 4;
	char *s = malloc(HTTP1_HEAD_MAX + 1);

	(void)state;
	assert_non_null(s);
	memcpy(s, line, sizeof(line) - 1);
	memset(s + sizeof(line) - 1, 'x', room + 1);
	memcpy(s + HTTP1_HEAD_MAX - 4, "\r\n\r\n", 4);
	all_ways((struct feed) { .data = s, .len = HTTP1_HEAD_MAX }, "a.test ",
		 HTTP1_HEAD_MAX);
	memcpy(s + HTTP1_HEAD_MAX - 4, "x\r\n\r\n", 5);
	refused(s, HTTP1_HEAD_MAX + 1, "", "a head of more than 64 KiB", 0);
	free(s);
}

static void test_websocket(void **state)
{
	static const char s[] = UPGRADE("WebSocket") "\r\n" GET "\x81";
	struct feed f = { .data = s, .len = sizeof(s) - 1, .switched = true };

	(void)state;
	all_ways(f, "a.test (wait) opaque ", f.len - strlen(GET) - 1);
	f.switched = false;
	f.len--;
	all_ways(f, "a.test (wait) a.test ", f.len);
}

/* What may begin a frame decides, and nothing else does. */
static void test_websocket_later(void **state)
{
	static const char s[] = GET UPGRADE("websocket") "\r\n";
	const size_t n = sizeof(s) - 1;
	char buf[sizeof(s) + 2];
	struct feed f = { .data = buf, .len = n + 2 };

	(void)state;
	memcpy(buf, s, n);
	for (unsigned first = 0; first < 256; first++) {
		unsigned opcode = first & 0x0f;
		bool frame = (opcode == 1 || opcode == 2 ||
			      (opcode >= 8 && opcode <= 10)) &&
			     !(first & 0x30);

		buf[n] = (char)first;
		buf[n + 1] = '\x80';
		if (frame)
			all_ways(f, "a.test a.test opaque ", n + 2);
		else
			assert_int_equal(told_of(&f, f.len, 1).cleared, n);
		buf[n + 1] = '\x7f';
		assert_int_equal(told_of(&f, f.len, 1).cleared, n);
	}
}

static void test_answer(void **state)
{
	static const struct {
		const char *text;
		enum http1_answer_event want;
	} rows[] = {
		{ "HTTP/1.1 101 Switching Protocols\r\n",
		  HTTP1_ANSWER_SWITCHED },
		{ "HTTP/1.1 101\r", HTTP1_ANSWER_SWITCHED },
		{ "HTTP/1.1 101", HTTP1_ANSWER_MORE },
		{ "HTTP/1.1 1012", HTTP1_ANSWER_OTHER },
		{ "HTTP/1.1 200 101 \r\n", HTTP1_ANSWER_OTHER },
		{ "HTTP/1.1 426 No\r\n\r\nHTTP/1.1 101 x", HTTP1_ANSWER_OTHER },
		{ "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 101 x",
		  HTTP1_ANSWER_SWITCHED },
		{ "HTTP/1.1 103\r\n\r\nHTTP/1.1 404 x", HTTP1_ANSWER_OTHER },
		{ "HTTP/1.1 103\r\nX: HTTP/1.1 101 x\r\n", HTTP1_ANSWER_MORE },
		{ "HTTP/2.0 101 x", HTTP1_ANSWER_OTHER },
		{ "\r\nHTTP/1.1 101 x", HTTP1_ANSWER_OTHER },
		{ "", HTTP1_ANSWER_MORE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);

		for (size_t cut = 0; cut <= len; cut++) {
			struct http1_answer a;
			enum http1_answer_event e;

			http1_answer_init(&a);
			e = http1_answer_read(&a, rows[i].text, cut);
			if (e == HTTP1_ANSWER_MORE)
				e = http1_answer_read(&a, rows[i].text + cut,
						      len - cut);
			assert_int_equal(e, rows[i].want);
		}
	}
}

static void test_sniff(void **state)
{
	static const struct {
		const char *text;
		enum http1_sniff want;
	} rows[] = {
		{ "", HTTP1_SNIFF_MORE },
		{ "G", HTTP1_SNIFF_MORE },
		{ "GET ", HTTP1_SNIFF_MORE },
		{ "GET /", HTTP1_SNIFF_YES },
		{ "\r\n\r\n get\t /", HTTP1_SNIFF_YES },
		{ "GET htt", HTTP1_SNIFF_MORE },
		{ "GET HTTPS", HTTP1_SNIFF_MORE },
		{ "GET hTTp:", HTTP1_SNIFF_YES },
		{ "USER httpd", HTTP1_SNIFF_NO },
		{ "USER harry", HTTP1_SNIFF_NO },
		{ "OPTIONS *", HTTP1_SNIFF_YES },
		{ "PRI * HTTP/2.0", HTTP1_SNIFF_YES },
		{ "CONNECT a.test:443", HTTP1_SNIFF_YES },
		{ "CONNECT {\"verbose\"", HTTP1_SNIFF_NO },
		{ "SSH-2.0-OpenSSH_9.2", HTTP1_SNIFF_NO },
		{ "PING\r\n", HTTP1_SNIFF_NO },
		{ "EHLO a.test\r\n", HTTP1_SNIFF_NO },
		{ "\x16\x03\x01", HTTP1_SNIFF_NO },
		{ "*1\r\n$4\r\nPING\r\n", HTTP1_SNIFF_NO },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", HTTP1_SNIFF_NO },
		{ "                                                          "
		  "              ",
		  HTTP1_SNIFF_YES },
		{ "GET                                                         "
		  "http",
		  HTTP1_SNIFF_YES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *s = rows[i].text;

		assert_int_equal(http1_sniff(s, strlen(s)), rows[i].want);
		assert_true(rows[i].want != HTTP1_SNIFF_MORE ||
			    strlen(s) < HTTP1_SNIFF_MAX);
		/* An answer holds whatever follows. */
		for (size_t n = 0; n < strlen(s); n++)
			if (http1_sniff(s, n) != HTTP1_SNIFF_MORE)
				assert_int_equal(http1_sniff(s, n),
						 rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_body_is_opaque),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_later),
		cmocka_unit_test(test_not_approved),
		cmocka_unit_test(test_long_head),
		cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_websocket_later),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_sniff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
