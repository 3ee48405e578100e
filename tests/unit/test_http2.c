/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests in HTTP/2, built from frames by hand and header blocks of literals:
 * each stream fed whole, byte by byte and cut at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/http2.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION,
};

#define ACK	    0x1
#define END_STREAM  0x1
#define END_HEADERS 0x4
#define PADDED	    0x8
#define PRIO	    0x20
#define WHOLE	    (END_STREAM | END_HEADERS)

/* RFC 7541 appendix A: static entries, and literals without indexing. */
#define GET	  "\x82"
#define POST	  "\x83"
#define PATH	  "\x84"
#define HTTP	  "\x86"
#define AUTHORITY "\x01"
#define A_TEST           \
	AUTHORITY "\x06" \
		  "a.test"
#define B_TEST           \
	AUTHORITY "\x06" \
		  "b.test"
#define REQUEST	  GET HTTP PATH A_TEST
#define LENGTH(n) "\x0f\x0d\x01" n
#define HOST(h)	  "\x0f\x17\x06" h

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct stream {
	uint8_t bytes[140000];
	size_t len;
	size_t mark; /* where the first byte that must not be cleared is */
};

struct told {
	char text[512];
	uint64_t cleared;
};

/* n bytes of which fewer than 0x100000 are given in text. */
static void frame(struct stream *s, uint8_t type, uint8_t flags, uint32_t id,
		  const char *payload, size_t len)
{
	uint8_t header[9] = { (uint8_t)(len >> 16),
			      (uint8_t)(len >> 8),
			      (uint8_t)len,
			      type,
			      flags,
			      (uint8_t)(id >> 24),
			      (uint8_t)(id >> 16),
			      (uint8_t)(id >> 8),
			      (uint8_t)id };

	assert_true(s->len + 9 + len <= sizeof(s->bytes));
	memcpy(s->bytes + s->len, header, 9);
	if (len > 0)
		memcpy(s->bytes + s->len + 9, payload, len);
	s->len += 9 + len;
}

#define FRAME(s, type, flags, id, text) \
	frame(s, type, flags, id, text, sizeof(text) - 1)

static void begin(struct stream *s)
{
	memcpy(s->bytes, PREFACE, 24);
	s->len = 24;
	FRAME(s, SETTINGS, 0, 0, "");
}

static struct told told_of(const struct stream *s, size_t first, size_t n)
{
	struct told t = { 0 };
	struct http2 h;
	size_t piece = first;
	size_t used;

	assert_int_equal(http2_init(&h, NULL), 0);
	for (size_t at = 0; at < s->len; at += used) {
		size_t len = piece < s->len - at ? piece : s->len - at;
		enum http2_event e = http2_read(&h, s->bytes + at, len, &used);
		size_t end = strlen(t.text);

		piece = used < len ? len - used : n;
		if (e == HTTP2_REQUEST) {
			(void)snprintf(t.text + end, sizeof(t.text) - end,
				       "%u:%s ", h.stream, h.authority.host);
			assert_true(h.cleared < at + used);
			http2_approve(&h);
			assert_int_equal(h.cleared, at + used);
		} else if (e == HTTP2_REFUSED) {
			(void)snprintf(t.text + end, sizeof(t.text) - end, "%s",
				       h.reason);
			break;
		}
	}
	t.cleared = h.cleared;
	http2_done(&h);
	return t;
}

static void all_ways(const struct stream *s, const char *want)
{
	struct told t = told_of(s, 1, 1);

	assert_string_equal(t.text, want);
	assert_int_equal(t.cleared, s->mark ? s->mark : s->len);
	for (size_t i = 1; i <= s->len; i += 1 + s->len / 512) {
		t = told_of(s, i, s->len);
		assert_string_equal(t.text, want);
		assert_int_equal(t.cleared, s->mark ? s->mark : s->len);
	}
}

static void test_requests(void **state)
{
	static struct stream s;

	(void)state;
	begin(&s);
	FRAME(&s, SETTINGS, ACK, 0, "");
	FRAME(&s, WINDOW_UPDATE, 0, 0, "\0\0\0\x01");
	FRAME(&s, PRIORITY, 0, 3, "\0\0\0\0\x01");
	FRAME(&s, HEADERS, WHOLE, 1, REQUEST);
	FRAME(&s, HEADERS, WHOLE, 5, GET HTTP PATH B_TEST HOST("b.test"));
	FRAME(&s, RST_STREAM, 0, 5, "\0\0\0\x08");
	FRAME(&s, HEADERS, WHOLE, 7, GET HTTP PATH HOST("a.test"));
	FRAME(&s, PING, 0, 0, "12345678");
	FRAME(&s, 0x10, 0, 0, "\0\0\0\x01u=1");
	FRAME(&s, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye");
	all_ways(&s, "1:a.test 5:b.test 7:a.test ");
}

static void test_blocks_in_pieces(void **state)
{
	static struct stream s;

	(void)state;
	begin(&s);
	FRAME(&s, HEADERS, PADDED | PRIO | WHOLE, 1,
	      "\x03"
	      "\0\0\0\0\x01" REQUEST "\0\0\0");
	FRAME(&s, HEADERS, END_STREAM, 3, GET HTTP "\x04");
	FRAME(&s, CONTINUATION, 0, 3, "");
	FRAME(&s, CONTINUATION, 0, 3,
	      "\x02/x" AUTHORITY "\x06"
	      "a.");
	FRAME(&s, CONTINUATION, END_HEADERS, 3, "test");
	FRAME(&s, HEADERS, END_STREAM, 5, "");
	FRAME(&s, CONTINUATION, END_HEADERS, 5, REQUEST);
	all_ways(&s, "1:a.test 3:a.test 5:a.test ");
}

/* An authority enters the table and is named by its index later. */
static void test_dynamic_table(void **state)
{
	static struct stream s;

	(void)state;
	begin(&s);
	FRAME(&s, HEADERS, WHOLE, 1,
	      GET HTTP PATH "\x41\x06"
			    "a.test");
	FRAME(&s, HEADERS, WHOLE, 3,
	      GET HTTP PATH "\x41\x06"
			    "b.test");
	FRAME(&s, HEADERS, WHOLE, 5, GET HTTP PATH "\xbf"); /* 63 */
	FRAME(&s, HEADERS, WHOLE, 7, GET HTTP PATH "\xbe"); /* 62 */
	/* Huffman: "www.example.com" of RFC 7541 C.4.1. */
	FRAME(&s, HEADERS, WHOLE, 9,
	      GET HTTP PATH "\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90"
			    "\xf4\xff");
	/* The table's size goes to 0 and back to 4096: it is empty. */
	FRAME(&s, HEADERS, WHOLE, 11, "\x20\x3f\xe1\x1f" REQUEST);
	s.mark = s.len;
	FRAME(&s, HEADERS, WHOLE, 13, GET HTTP PATH "\xbe");
	all_ways(&s, "1:a.test 3:b.test 5:a.test 7:b.test 9:www.example.com "
		     "11:a.test a header block that cannot be decoded");
}

static void test_bodies(void **state)
{
	static struct stream s;

	(void)state;
	begin(&s);
	FRAME(&s, HEADERS, END_HEADERS, 1, POST HTTP PATH A_TEST LENGTH("5"));
	FRAME(&s, DATA, 0, 1, "hel");
	FRAME(&s, HEADERS, END_HEADERS, 3, POST HTTP PATH B_TEST);
	FRAME(&s, DATA, PADDED, 1, "\x03lo\0\0\0");
	FRAME(&s, DATA, 0, 3, PREFACE);
	FRAME(&s, HEADERS, WHOLE, 1, "\0\x01x\x01y");
	FRAME(&s, DATA, END_STREAM, 3, "");
	all_ways(&s, "1:a.test 3:b.test ");
}

/* Two frames of one stream and what is wrong with the second. */
struct refusal {
	uint8_t type;
	uint8_t flags;
	uint32_t id;
	const char *payload;
	size_t len;
	const char *reason;
};

#define ROW(type, flags, id, text, reason)                      \
	{                                                       \
		type, flags, id, text, sizeof(text) - 1, reason \
	}
#define BLOCK(text, reason) ROW(HEADERS, WHOLE, 3, text, reason)

#define STREAM	  "a frame on a stream that it does not belong to"
#define SIZE	  "a frame of a wrong length"
#define TYPE	  "a frame of a type that no client sends"
#define BETWEEN	  "a header block that other frames interrupt"
#define MANY_PAD  "more padding than payload"
#define DECODE	  "a header block that cannot be decoded"
#define TWICE	  "a field that must not come twice"
#define LACKS	  "a request without method, scheme or path"
#define TRAILER	  "a request's field in a trailer"
#define NAME	  "a malformed field name"
#define VALUE	  "a byte in a field's value that is not printable"
#define SPACE	  "a space around a field's value"
#define MALFORMED "a malformed host"
#define METHOD	  "a malformed method"
#define PATHS	  "a malformed path"
#define CONN	  "a field that belongs to an HTTP/1 connection"
#define BODY	  "a content-length that is not that of the body"
#define DIFFER	  "an authority and a host that differ"
#define BAD_LEN	  "a malformed content-length"

static const struct refusal refusals[] = {
	ROW(DATA, 0, 0, "x", STREAM),
	ROW(DATA, 0, 2, "x", STREAM),
	ROW(DATA, 0, 3, "x", STREAM),
	ROW(HEADERS, WHOLE, 0, REQUEST, STREAM),
	ROW(HEADERS, WHOLE, 2, REQUEST, STREAM),
	ROW(RST_STREAM, 0, 3, "\0\0\0\0", STREAM),
	ROW(SETTINGS, 0, 1, "", STREAM),
	ROW(PING, 0, 1, "12345678", STREAM),
	ROW(GOAWAY, 0, 1, "12345678", STREAM),
	ROW(WINDOW_UPDATE, 0, 2, "\0\0\0\x01", STREAM),
	ROW(PRIORITY, 0, 0, "\0\0\0\0\0", STREAM),
	ROW(PRIORITY, 0, 3, "\0\0\0\0", SIZE),
	ROW(RST_STREAM, 0, 1, "\0\0\0\0\0", SIZE),
	ROW(SETTINGS, 0, 0, "\0\0\0\0\0", SIZE),
	ROW(SETTINGS, ACK, 0, "\0\0\0\0\0\0", SIZE),
	ROW(PING, 0, 0, "1234567", SIZE),
	ROW(GOAWAY, 0, 0, "1234567", SIZE),
	ROW(WINDOW_UPDATE, 0, 0, "", SIZE),
	ROW(DATA, PADDED, 1, "", SIZE),
	ROW(HEADERS, WHOLE | PRIO, 3, "\0\0\0\0", SIZE),
	ROW(HEADERS, WHOLE | PRIO, 3, "", SIZE),
	ROW(PUSH_PROMISE, 0, 1, "\0\0\0\x02", TYPE),
	ROW(0xa, 0, 0, "", TYPE),
	ROW(0xff, 0, 0, "", TYPE),
	ROW(HEADERS, WHOLE, 0x80000003U, REQUEST,
	    "a frame with the reserved bit set"),
	ROW(CONTINUATION, END_HEADERS, 1, REQUEST, BETWEEN),
	ROW(DATA, PADDED, 1,
	    "\x02"
	    "x",
	    MANY_PAD),
	ROW(HEADERS, WHOLE | PADDED, 3, "\x20" REQUEST, MANY_PAD),
	ROW(HEADERS, WHOLE | PADDED | PRIO, 3, "\x01\0\0\0\0\0", MANY_PAD),
	ROW(HEADERS, END_HEADERS, 1, "\0\x01x\x01y",
	    "a trailer that does not end its stream"),
	ROW(HEADERS, WHOLE, 1, A_TEST, TRAILER),
	ROW(HEADERS, WHOLE, 1, HOST("a.test"), TRAILER),
	ROW(HEADERS, WHOLE, 1, "\0\x03:xy\x01y", TRAILER),
	BLOCK("\xff\xff\xff\xff\xff\xff", DECODE),
	BLOCK("\xbe", DECODE),
	BLOCK("\x80", DECODE),
	BLOCK(REQUEST "\0\x7f", DECODE),
	BLOCK("\x3f\xe2\x1f" REQUEST, DECODE), /* a table of 4097 */
	BLOCK(REQUEST "\x20", DECODE),
	BLOCK("", LACKS),
	BLOCK(GET HTTP A_TEST, LACKS),
	BLOCK(GET PATH A_TEST, LACKS),
	BLOCK(HTTP PATH A_TEST, LACKS),
	BLOCK(GET HTTP PATH, "no authority"),
	BLOCK(GET HTTP PATH A_TEST A_TEST, TWICE),
	BLOCK(GET GET HTTP PATH A_TEST, TWICE),
	BLOCK(GET HTTP HTTP PATH A_TEST, TWICE),
	BLOCK(GET HTTP PATH PATH A_TEST, TWICE),
	BLOCK(REQUEST HOST("a.test") HOST("a.test"), TWICE),
	BLOCK(REQUEST HOST("b.test"), DIFFER),
	BLOCK(GET HTTP PATH AUTHORITY "\0", "an empty host"),
	BLOCK(GET HTTP PATH AUTHORITY "\x08x@a.test", MALFORMED),
	BLOCK(GET HTTP PATH AUTHORITY "\x06"
				      "a,test",
	      MALFORMED),
	BLOCK(GET HTTP PATH AUTHORITY "\x06"
				      "a test",
	      MALFORMED),
	BLOCK(GET HTTP PATH AUTHORITY "\x07"
				      "a.test:",
	      "a malformed port"),
	BLOCK(GET HTTP PATH AUTHORITY "\x06"
				      "a\0test",
	      VALUE),
	BLOCK(GET HTTP PATH AUTHORITY "\x07"
				      "a.test ",
	      SPACE),
	BLOCK(REQUEST "\0\x01x\x01\n", VALUE),
	BLOCK(REQUEST "\0\x01x\x01\r", VALUE),
	BLOCK(REQUEST "\0\x01x\x01\x85", VALUE),
	BLOCK(REQUEST "\0\x01x\x02 y", SPACE),
	BLOCK(REQUEST "\0\x01X\x01y", NAME),
	BLOCK(REQUEST "\0\x02x \x01y", NAME),
	BLOCK(REQUEST "\0\x02x:\x01y", NAME),
	BLOCK(REQUEST "\0\x02x\n\x01y", NAME),
	BLOCK(REQUEST "\0\0\x01y", NAME),
	BLOCK(REQUEST "\0\x01:\x01y", NAME),
	BLOCK(GET HTTP "\0\x01x\x01y" PATH A_TEST,
	      "a pseudo-header behind a field"),
	BLOCK(REQUEST "\0\x09:protocol\x09websocket",
	      "an unknown pseudo-header"),
	BLOCK("\x02\x07"
	      "CONNECT" HTTP PATH A_TEST,
	      "CONNECT to a server"),
	BLOCK("\x02\x03"
	      "get" HTTP PATH A_TEST,
	      METHOD),
	BLOCK("\x02\x0e"
	      "GET / HTTP/1.1" HTTP PATH A_TEST,
	      METHOD),
	BLOCK("\x02\0" HTTP PATH A_TEST, METHOD),
	BLOCK(GET "\x06\x03"
		  "ftp" PATH A_TEST,
	      "a scheme other than http and https"),
	BLOCK(GET HTTP "\x04\0" A_TEST, PATHS),
	BLOCK(GET HTTP "\x04\x01*" A_TEST, PATHS),
	BLOCK(GET HTTP "\x04\x01x" A_TEST, PATHS),
	BLOCK(GET HTTP "\x04\x04/ H/" A_TEST, PATHS),
	BLOCK(GET HTTP "\x04\x02/#" A_TEST, PATHS),
	BLOCK(REQUEST "\0\x0a"
		      "connection\x05"
		      "close",
	      CONN),
	BLOCK(REQUEST "\0\x07upgrade\x03h2c", CONN),
	BLOCK(REQUEST "\0\x0akeep-alive\x01x", CONN),
	BLOCK(REQUEST "\0\x10proxy-connection\x01x", CONN),
	BLOCK(REQUEST "\0\x11transfer-encoding\x07"
		      "chunked",
	      CONN),
	BLOCK(REQUEST "\0\x11transfer_encoding\x07"
		      "chunked",
	      "a field name like one that frames the message"),
	BLOCK(REQUEST "\0\x02te\x04gzip", "a te other than trailers"),
	BLOCK(REQUEST "\0\x06"
		      "expect\x01x",
	      "a malformed expect"),
	BLOCK(REQUEST LENGTH("5"), BODY),
	BLOCK(REQUEST LENGTH("x"), BAD_LEN),
	BLOCK(REQUEST LENGTH("0") LENGTH("0"), TWICE),
	BLOCK(REQUEST "\x0f\x0d\x02"
		      "05",
	      BAD_LEN),
	BLOCK(REQUEST "\x0f\x0d\0", BAD_LEN),
	BLOCK(REQUEST "\x0f\x0d\x13"
		      "1000000000000000000",
	      BAD_LEN),
};

/* Frames whose header is sound are cleared as they come. */
static void test_refused(void **state)
{
	static struct stream s;
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];

		begin(&s);
		FRAME(&s, HEADERS, END_HEADERS, 1, POST HTTP PATH B_TEST);
		s.mark = s.len;
		frame(&s, r->type, r->flags, r->id, r->payload, r->len);
		if (r->type == DATA && (r->flags & PADDED))
			s.mark += 9;
		(void)snprintf(want, sizeof(want), "1:b.test %s", r->reason);
		all_ways(&s, want);
	}
}

static void test_refused_beginnings(void **state)
{
	static struct stream s;
	const struct stream empty = { 0 };

	(void)state;
	begin(&s);
	s.bytes[20] = 'x';
	s.mark = 0;
	s.len = 24;
	assert_string_equal(told_of(&s, 1, 1).text,
			    "a malformed HTTP/2 preface");
	s = empty;
	memcpy(s.bytes, PREFACE, 24);
	s.len = s.mark = 24;
	FRAME(&s, HEADERS, WHOLE, 1, REQUEST);
	all_ways(&s, "a first frame that is not SETTINGS");
	s.len = 24;
	FRAME(&s, SETTINGS, ACK, 0, "");
	all_ways(&s, "a first frame that is not SETTINGS");
	begin(&s);
	s.mark = s.len;
	FRAME(&s, HEADERS, 0, 1, REQUEST);
	FRAME(&s, PING, 0, 0, "12345678");
	all_ways(&s, BETWEEN);
	begin(&s);
	FRAME(&s, HEADERS, 0, 1, REQUEST);
	FRAME(&s, CONTINUATION, END_HEADERS, 3, "");
	all_ways(&s, BETWEEN);
	begin(&s);
	FRAME(&s, HEADERS, 0, 1, REQUEST);
	FRAME(&s, HEADERS, WHOLE, 1, REQUEST);
	all_ways(&s, BETWEEN);
}

static void test_content_length(void **state)
{
	static struct stream s;

	(void)state;
	for (int longer = 0; longer < 2; longer++) {
		begin(&s);
		FRAME(&s, HEADERS, END_HEADERS, 1,
		      POST HTTP PATH A_TEST LENGTH("3"));
		s.mark = s.len + 9;
		if (longer)
			FRAME(&s, DATA, 0, 1, "four");
		else
			FRAME(&s, DATA, END_STREAM, 1, "");
		all_ways(&s, "1:a.test " BODY);
	}
	begin(&s);
	s.mark = 0;
	for (uint32_t i = 0; i < HTTP2_UPLOADS_MAX * 2; i++) {
		FRAME(&s, HEADERS, END_HEADERS, 2 * i + 1,
		      POST HTTP PATH A_TEST LENGTH("3"));
		FRAME(&s, RST_STREAM, 0, 2 * i + 1, "\0\0\0\x08");
	}
	assert_int_equal(told_of(&s, 1, 1).cleared, s.len);
	for (uint32_t i = 0; i <= HTTP2_UPLOADS_MAX; i++)
		FRAME(&s, HEADERS, END_HEADERS, 2 * i + 1001,
		      POST HTTP PATH A_TEST LENGTH("3"));
	assert_true(told_of(&s, 1, 1).cleared < s.len);
}

static void test_large(void **state)
{
	static struct stream s;
	static char zeros[65536];

	(void)state;
	begin(&s);
	FRAME(&s, HEADERS, END_HEADERS, 1, POST HTTP PATH A_TEST);
	frame(&s, DATA, END_STREAM, 1, zeros, sizeof(zeros));
	s.mark = s.len;
	FRAME(&s, HEADERS, END_STREAM, 3, REQUEST);
	frame(&s, CONTINUATION, END_HEADERS, 3, zeros, 65536);
	all_ways(&s, "1:a.test a header block of more than 64 KiB");
	/* The same 32 bytes and more for each entry of one byte. */
	begin(&s);
	s.mark = s.len;
	memset(zeros, 0x90, sizeof(zeros)); /* accept-encoding */
	FRAME(&s, HEADERS, END_STREAM, 1, REQUEST);
	frame(&s, CONTINUATION, END_HEADERS, 1, zeros, 16384);
	all_ways(&s, "a head of more than 256 KiB");
}

static void test_after_upgrade(void **state)
{
	struct http1 after = { .n_requests = 1 };
	struct stream *s = calloc(1, sizeof(*s));
	struct http2 h;
	size_t used;

	(void)state;
	assert_non_null(s);
	FRAME(s, SETTINGS, 0, 0, "");
	FRAME(s, RST_STREAM, 0, 1, "\0\0\0\x08");
	assert_int_equal(http2_init(&h, &after), 0);
	assert_int_equal(http2_read(&h, s->bytes, s->len, &used), HTTP2_MORE);
	assert_int_equal(h.cleared, s->len);
	http2_done(&h);
	after.n_requests = 0;
	assert_int_equal(http2_init(&h, &after), 0);
	assert_int_equal(http2_read(&h, s->bytes, s->len, &used),
			 HTTP2_REFUSED);
	http2_done(&h);
	free(s);
}

static void test_skip(void **state)
{
	static struct stream s;
	struct http2 h;
	size_t used;
	size_t data;

	(void)state;
	begin(&s);
	FRAME(&s, HEADERS, END_HEADERS, 1, POST HTTP PATH A_TEST LENGTH("3"));
	data = s.len + 9;
	FRAME(&s, DATA, END_STREAM, 1, "two");
	assert_int_equal(http2_init(&h, NULL), 0);
	assert_int_equal(http2_read(&h, s.bytes, data, &used), HTTP2_REQUEST);
	http2_approve(&h);
	assert_int_equal(http2_read(&h, s.bytes + used, data - used, &used),
			 HTTP2_MORE);
	assert_int_equal(http2_body_left(&h), 3);
	http2_skip(&h, 2);
	assert_int_equal(h.cleared, data + 2);
	assert_int_equal(http2_body_left(&h), 1);
	http2_skip(&h, 1);
	assert_int_equal(h.cleared, s.len);
	assert_int_equal(http2_body_left(&h), 0);
	assert_int_equal(http2_read(&h, s.bytes, 0, &used), HTTP2_MORE);
	http2_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_blocks_in_pieces),
		cmocka_unit_test(test_dynamic_table),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_beginnings),
		cmocka_unit_test(test_content_length),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_after_upgrade),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
