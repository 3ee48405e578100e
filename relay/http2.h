/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what a client says in HTTP/2 without TLS (RFC 9113) and tells the
 * authority of every request before a byte of its HEADERS may go on.  Frames
 * are walked here; header blocks are decoded by libnghttp2 (RFC 7541), whose
 * table of at most 4096 bytes and the field that it is decoding (at most 128
 * KiB) are the only memory beside the struct.  How the bytes are cut into
 * pieces makes no difference.  The calls are those of relay/http1.h.
 */
#ifndef RELAY_HTTP2_H
#define RELAY_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/authority.h"
#include "relay/http1.h"

/* One header block: as sent, CONTINUATION frames and all, and as decoded (with
 * 32 bytes for each field, RFC 9113 6.5.2). */
#define HTTP2_BLOCK_MAX	  65536
#define HTTP2_DECODED_MAX 262144
/* Bodies with a content-length that are under way at one time; servers allow
 * 100 or 128 streams. */
#define HTTP2_UPLOADS_MAX 128

enum http2_event {
	HTTP2_MORE,    /* all bytes are read */
	HTTP2_REQUEST, /* authority is set; waits for http2_approve() */
	HTTP2_REFUSED, /* reason is set; final */
};

struct http2_block {
	bool is_request; /* else trailers */
	bool end_stream;
	bool has_authority;
	bool has_host;
	bool has_method;
	bool has_path;
	bool has_scheme;
	bool has_length;
	bool has_expect;
	bool is_options;
	bool is_star;
	bool past_pseudo; /* a regular field was seen */
	uint32_t len;
	uint32_t decoded;
	uint64_t length;
	struct authority host;
};

/* A request whose body is to have the length that its head told. */
struct http2_upload {
	uint32_t stream; /* 0: free */
	uint64_t left;
};

struct nghttp2_hd_inflater;

struct http2 {
	/* For the caller to read. */
	struct authority authority; /* from HTTP2_REQUEST to http2_approve() */
	const char *reason;
	uint64_t cleared; /* of the bytes since http2_init() */
	uint64_t n_requests;

	uint64_t seen;
	struct nghttp2_hd_inflater *inflater;
	uint8_t state;
	uint8_t n_got; /* of preface, frame header or fixed part */
	uint8_t got[16];
	uint8_t type;
	uint8_t flags;
	uint8_t pad;
	bool settings_seen;
	uint32_t stream;
	uint32_t last_stream;  /* the highest that began */
	uint32_t block_stream; /* CONTINUATION is awaited; 0: none */
	uint32_t left;	       /* of the payload */
	struct http2_block block;
	struct http2_upload uploads[HTTP2_UPLOADS_MAX];
};

/* after: the reader that has told HTTP1_HTTP2, not kept; NULL if the preface is
 * still to come.  Returns 0 or -ENOMEM. */
int http2_init(struct http2 *h, const struct http1 *after);
void http2_done(struct http2 *h); /* idempotent; after a failed init too */
enum http2_event http2_read(struct http2 *h, const void *data, size_t len,
			    size_t *ret_used);
void http2_approve(struct http2 *h);

/* The next bytes that are a DATA frame's, as in http1.h. */
uint64_t http2_body_left(const struct http2 *h);
void http2_skip(struct http2 *h, uint64_t n);

#endif
