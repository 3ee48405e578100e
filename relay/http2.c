/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over a client's frames (RFC 9113 4, 6).  Every frame but HEADERS and
 * CONTINUATION is cleared as soon as its header has been checked; a header
 * block when it is whole and its authority is approved.
 *
 * The decoder's table is as large as a server's is before its SETTINGS count,
 * and follows the client's size updates up to that.  A server may keep a
 * smaller or a larger one: of two tables fed alike, the smaller always holds
 * the newest entries of the larger, so that an index means the same in both
 * or is an error in one.
 */
#include "relay/http2.h"

#include <errno.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "relay/http1state.h"
#include "relay/http2field.h"
#include "relay/http2frame.h"

#define FRAME_HEADER_LEN 9

enum state {
	S_PREFACE,
	S_FRAME,
	S_PAD,	    /* the byte that tells how much padding there is */
	S_PRIORITY, /* five bytes in front of a block */
	S_BLOCK,
	S_DATA,
	S_REST, /* padding, or a payload that says nothing about hosts */
	S_DECIDE,
	S_REFUSED,
	S__COUNT,
};

int http2_init(struct http2 *h, const struct http1 *after)
{
	memset(h, 0, sizeof(*h));
	h->state = after ? S_FRAME : S_PREFACE;
	/* The request that asked for the upgrade (RFC 7540 3.2). */
	h->last_stream = after && after->n_requests > 0 ? 1 : 0;
	return nghttp2_hd_inflate_new(&h->inflater) == 0 ? 0 : -ENOMEM;
}

void http2_done(struct http2 *h)
{
	nghttp2_hd_inflate_del(h->inflater);
	h->inflater = NULL;
}

/* A block of decoded fields: what came, or its end (data is NULL). */
static const char *inflate(struct http2 *h, const uint8_t *data, size_t len)
{
	bool final = !data;

	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags,
						   data, len, final);
		const char *fault;

		if (n < 0)
			return "a header block that cannot be decoded";
		if (n > 0)
			data += n;
		len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			fault = http2_field(h, nv.name, nv.namelen, nv.value,
					    nv.valuelen);
			if (fault)
				return fault;
			continue;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			return nghttp2_hd_inflate_end_headers(h->inflater)
				       ? "a header block that cannot be decoded"
				       : NULL;
		if (len == 0)
			return NULL;
	}
}

static const char *block_end(struct http2 *h)
{
	const char *fault = inflate(h, NULL, 0);

	h->block_stream = 0;
	if (!fault)
		fault = http2_block_check(h);
	if (fault)
		return fault;
	if (!h->block.is_request) {
		h->cleared = h->seen;
		return http2_upload_end(h);
	}
	h->n_requests++;
	h->state = S_DECIDE;
	return http2_upload_begin(h);
}

/* The payload is read. */
static const char *frame_end(struct http2 *h)
{
	bool block =
		h->type == NGHTTP2_HEADERS || h->type == NGHTTP2_CONTINUATION;

	h->state = S_FRAME;
	h->n_got = 0;
	if (block)
		return h->flags & NGHTTP2_FLAG_END_HEADERS ? block_end(h)
							   : NULL;
	if (h->type == NGHTTP2_DATA && h->flags & NGHTTP2_FLAG_END_STREAM)
		return http2_upload_end(h);
	return NULL;
}

/* In front of the part of the payload that is not padding. */
static const char *content_begin(struct http2 *h)
{
	const char *fault = NULL;

	h->state = S_REST;
	if (h->type == NGHTTP2_HEADERS || h->type == NGHTTP2_CONTINUATION) {
		h->state = S_BLOCK;
	} else if (h->type == NGHTTP2_DATA) {
		h->state = S_DATA;
		fault = http2_upload_data(h, h->left - h->pad);
	}
	if (fault)
		return fault;
	if (h->state != S_REST && h->left == h->pad)
		h->state = S_REST;
	return h->left == 0 ? frame_end(h) : NULL;
}

static const char *headers_begin(struct http2 *h)
{
	struct http2_block *b = &h->block;

	memset(b, 0, sizeof(*b));
	b->is_request = h->stream > h->last_stream;
	b->end_stream = h->flags & NGHTTP2_FLAG_END_STREAM;
	if (!b->is_request && !b->end_stream)
		return "a trailer that does not end its stream";
	if (b->is_request)
		h->last_stream = h->stream;
	h->block_stream = h->stream;
	return NULL;
}

static const char *frame_begin(struct http2 *h)
{
	const uint8_t *p = h->got;
	const char *fault;
	bool head;

	h->left = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	h->type = p[3];
	h->flags = p[4];
	h->stream = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 |
		    (uint32_t)p[7] << 8 | p[8];
	h->pad = 0;
	h->n_got = 0;
	fault = http2_frame_check(h);
	head = h->type == NGHTTP2_HEADERS;
	if (!fault && head)
		fault = headers_begin(h);
	if (fault)
		return fault;
	if (h->block_stream == 0)
		h->cleared = h->seen;
	else if (h->block.len + h->left > HTTP2_BLOCK_MAX)
		return "a header block of more than 64 KiB";
	else
		h->block.len += h->left;
	if (h->type == NGHTTP2_RST_STREAM)
		(void)http2_upload_end(h);
	if ((head || h->type == NGHTTP2_DATA) && h->flags & NGHTTP2_FLAG_PADDED)
		h->state = S_PAD;
	else if (head && h->flags & NGHTTP2_FLAG_PRIORITY)
		h->state = S_PRIORITY;
	else
		return content_begin(h);
	return h->left == 0 ? "a frame of a wrong length" : NULL;
}

static const char *step_preface(struct http2 *h, uint8_t c)
{
	if (c != (uint8_t)HTTP2_PREFACE[h->n_got])
		return "a malformed HTTP/2 preface";
	if (++h->n_got < HTTP2_PREFACE_LEN)
		return NULL;
	h->n_got = 0;
	h->state = S_FRAME;
	h->cleared = h->seen;
	return NULL;
}

static const char *step_pad(struct http2 *h, uint8_t c)
{
	bool priority =
		h->type == NGHTTP2_HEADERS && h->flags & NGHTTP2_FLAG_PRIORITY;

	h->left--;
	h->pad = c;
	if (c + (priority ? HTTP2_PRIORITY_LEN : 0U) > h->left)
		return "more padding than payload";
	if (h->type == NGHTTP2_DATA)
		h->cleared = h->seen;
	if (!priority)
		return content_begin(h);
	h->state = S_PRIORITY;
	return NULL;
}

static const char *step_priority(struct http2 *h)
{
	if (h->left == 0)
		return "a frame of a wrong length";
	h->left--;
	if (++h->n_got < HTTP2_PRIORITY_LEN)
		return h->left == 0 ? "a frame of a wrong length" : NULL;
	return content_begin(h);
}

static const char *step(struct http2 *h, uint8_t c)
{
	h->seen++;
	if (h->state == S_PREFACE)
		return step_preface(h, c);
	if (h->state == S_PAD)
		return step_pad(h, c);
	if (h->state == S_PRIORITY)
		return step_priority(h);
	h->got[h->n_got++] = c;
	return h->n_got < FRAME_HEADER_LEN ? NULL : frame_begin(h);
}

/* n bytes of the payload, all of one kind. */
static const char *payload(struct http2 *h, const uint8_t *data, uint32_t n)
{
	const char *fault = h->state == S_BLOCK ? inflate(h, data, n) : NULL;

	if (fault)
		return fault;
	h->seen += n;
	h->left -= n;
	if (h->block_stream == 0)
		h->cleared = h->seen;
	if (h->left == 0)
		return frame_end(h);
	if (h->left == h->pad)
		h->state = S_REST;
	return NULL;
}

static uint32_t payload_left(const struct http2 *h)
{
	if (h->state == S_BLOCK || h->state == S_DATA)
		return h->left - h->pad;
	return h->state == S_REST ? h->left : 0;
}

uint64_t http2_body_left(const struct http2 *h)
{
	return h->state == S_DATA ? payload_left(h) : 0;
}

static void refuse(struct http2 *h, const char *reason)
{
	h->reason = reason;
	h->state = S_REFUSED;
}

void http2_skip(struct http2 *h, uint64_t n)
{
	const char *fault = payload(h, NULL, (uint32_t)n);

	if (fault)
		refuse(h, fault);
}

static enum http2_event event(const struct http2 *h)
{
	static const enum http2_event events[S__COUNT] = {
		[S_DECIDE] = HTTP2_REQUEST,
		[S_REFUSED] = HTTP2_REFUSED,
	};

	return events[h->state];
}

enum http2_event http2_read(struct http2 *h, const void *data, size_t len,
			    size_t *ret_used)
{
	const uint8_t *p = data;
	size_t i = 0;

	while (i < len && event(h) == HTTP2_MORE) {
		uint32_t n = payload_left(h);
		const char *fault;

		if (n > len - i)
			n = (uint32_t)(len - i);
		fault = n > 0 ? payload(h, p + i, n) : step(h, p[i]);
		i += n > 0 ? n : 1;
		if (fault)
			refuse(h, fault);
	}
	*ret_used = i;
	return event(h);
}

void http2_approve(struct http2 *h)
{
	if (h->state != S_DECIDE)
		return;
	h->cleared = h->seen;
	h->state = S_FRAME;
}
