/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream of requests: head, decision, body, next head.  A body is framed by
 * what its head says and by nothing else; after an upgrade request the next
 * bytes are HTTP/2 or the next head, whatever the server answers, except for
 * websocket.  There they wait for the answer, if no other can stand in front of
 * it.  Else they tell themselves: in the first two bytes of a client's frame is
 * one that no server takes for a part of a method.
 */
#include "relay/http1.h"

#include <string.h>

#include "relay/http1state.h"

#define CHUNK_DIGITS_MAX 15

void http1_init(struct http1 *r)
{
	memset(r, 0, sizeof(*r));
}

static void begin_chunk_size(struct http1 *r)
{
	r->state = HTTP1_S_CHUNK_SIZE;
	r->left = 0;
	r->n_value = 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* No chunk extensions: no client sends them, and servers differ in them. */
static const char *step_chunk_size(struct http1 *r, uint8_t c)
{
	int digit = hex_digit(c);

	if (c == '\r' && r->n_value > 0) {
		r->state = HTTP1_S_CHUNK_SIZE_LF;
		return NULL;
	}
	if (digit < 0)
		return "a malformed chunk size";
	if (r->n_value++ == CHUNK_DIGITS_MAX)
		return "a chunk size that is too long";
	r->left = r->left << 4 | (uint64_t)digit;
	return NULL;
}

/* CRs and LFs of chunks. */
static const char *step_chunk_end(struct http1 *r, uint8_t c)
{
	bool want_cr = r->state == HTTP1_S_CHUNK_CR;

	if (c != (want_cr ? '\r' : '\n'))
		return "a chunk that does not end with CR LF";
	if (want_cr)
		r->state = HTTP1_S_CHUNK_LF;
	else if (r->state == HTTP1_S_CHUNK_LF)
		begin_chunk_size(r);
	else if (r->left > 0)
		r->state = HTTP1_S_CHUNK;
	else
		http1_trailers_begin(r);
	return NULL;
}

/* left counts what is read of it. */
static const char *step_preface(struct http1 *r, uint8_t c)
{
	if (c != (uint8_t)HTTP2_PREFACE[r->left])
		return "a malformed HTTP/2 preface";
	if (++r->left == HTTP2_PREFACE_LEN)
		r->state = HTTP1_S_HTTP2;
	return NULL;
}

/*
 * The start of a masked frame (RFC 6455 5.2; the bit of compression may be set)
 * or of a request: the mask's bit makes the second byte none of a method.
 */
static const char *step_frame(struct http1 *r, uint8_t c)
{
	static const uint16_t opcodes =
		1 << 1 | 1 << 2 | 1 << 8 | 1 << 9 | 1 << 10;
	uint8_t first = (uint8_t)r->left;
	const char *fault;

	if (r->n_value++ == 0) {
		r->left = c;
		return NULL;
	}
	if (c & 0x80 && !(first & 0x30) && opcodes >> (first & 0x0f) & 1) {
		r->state = HTTP1_S_OPAQUE;
		return NULL;
	}
	r->left = 0;
	r->state = HTTP1_S_METHOD;
	fault = http1_head_step(r, first);
	return fault ? fault : http1_head_step(r, c);
}

/* One byte; what it clears. */
static const char *step(struct http1 *r, uint8_t c)
{
	bool head = r->state < HTTP1_S__HEAD_END;
	bool held = head || r->state == HTTP1_S_PREFACE ||
		    r->state == HTTP1_S_FRAME;
	const char *fault;

	r->seen++;
	if (head)
		fault = http1_head_step(r, c);
	else if (r->state == HTTP1_S_PREFACE)
		fault = step_preface(r, c);
	else if (r->state == HTTP1_S_FRAME)
		fault = step_frame(r, c);
	else if (r->state == HTTP1_S_CHUNK_SIZE)
		fault = step_chunk_size(r, c);
	else
		fault = step_chunk_end(r, c);
	if (fault)
		return fault;
	if (r->state == HTTP1_S_DECIDE)
		r->n_requests++;
	if (!held || r->state == HTTP1_S_HTTP2 || r->state == HTTP1_S_OPAQUE)
		r->cleared = r->seen;
	return NULL;
}

uint64_t http1_body_left(const struct http1 *r)
{
	bool body = r->state == HTTP1_S_BODY || r->state == HTTP1_S_CHUNK;

	return body ? r->left : 0;
}

void http1_skip(struct http1 *r, uint64_t n)
{
	r->seen += n;
	r->cleared = r->seen;
	r->left -= n;
	if (r->left > 0)
		return;
	if (r->state == HTTP1_S_CHUNK)
		r->state = HTTP1_S_CHUNK_CR;
	else
		http1_head_begin(r);
}

static enum http1_event event(const struct http1 *r)
{
	static const enum http1_event events[HTTP1_S__COUNT] = {
		[HTTP1_S_DECIDE] = HTTP1_REQUEST,
		[HTTP1_S_WAIT] = HTTP1_WAIT,
		[HTTP1_S_HTTP2] = HTTP1_HTTP2,
		[HTTP1_S_OPAQUE] = HTTP1_OPAQUE,
		[HTTP1_S_REFUSED] = HTTP1_REFUSED,
	};

	return events[r->state];
}

enum http1_event http1_read(struct http1 *r, const void *data, size_t len,
			    size_t *ret_used)
{
	const uint8_t *p = data;
	size_t i = 0;

	while (i < len && event(r) == HTTP1_MORE) {
		uint64_t body = http1_body_left(r);
		const char *fault;

		if (body > 0) {
			size_t n = body < len - i ? (size_t)body : len - i;

			http1_skip(r, n);
			i += n;
			continue;
		}
		fault = step(r, p[i++]);
		if (fault) {
			r->reason = fault;
			r->state = HTTP1_S_REFUSED;
		}
	}
	*ret_used = i;
	return event(r);
}

void http1_approve(struct http1 *r)
{
	if (r->state != HTTP1_S_DECIDE)
		return;
	r->cleared = r->seen;
	if (r->head.is_chunked) {
		begin_chunk_size(r);
	} else if (r->head.length > 0) {
		r->state = HTTP1_S_BODY;
		r->left = r->head.length;
	} else if (r->head.upgrade == HTTP1_UPGRADE_WEBSOCKET) {
		bool first = r->n_requests == 1;

		http1_head_begin(r);
		r->state = first ? HTTP1_S_WAIT : HTTP1_S_FRAME;
	} else {
		http1_head_begin(r);
	}
}

void http1_answered(struct http1 *r, bool switched)
{
	if (r->state != HTTP1_S_WAIT)
		return;
	if (switched)
		r->state = HTTP1_S_OPAQUE;
	else
		http1_head_begin(r);
}
