/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what a client says in HTTP/1.0 and 1.1 (RFC 9112) and tells the
 * authority of every request before a byte of that request may go on.  No I/O,
 * no allocation; how the bytes are cut into pieces makes no difference.
 *
 *	http1_init(&r);
 *	for each piece of the stream, in order:
 *		ev = http1_read(&r, p, len, &used);  p += used; ...
 *		HTTP1_REQUEST: if (allowed(&r.authority)) http1_approve(&r);
 *		pass on what lies in front of the offset r.cleared
 *
 * It is no general parser: it knows a strict subset of the grammar, which every
 * server reads in one way, and refuses everything else (docs/design.md).
 */
#ifndef RELAY_HTTP1_H
#define RELAY_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/authority.h"

/* Request line and fields of one request, in bytes. */
#define HTTP1_HEAD_MAX	65536
#define HTTP1_NAME_MAX	64
#define HTTP1_VALUE_MAX (AUTHORITY_TEXT_MAX + 16)

enum http1_event {
	/* All bytes are read. */
	HTTP1_MORE,
	/* A head ends with the last byte read.  authority is set; nothing is
	 * read and nothing cleared until http1_approve(). */
	HTTP1_REQUEST,
	/* An approved request, the first, asks for websocket: nothing more is
	 * read until http1_answered().  Watch the server with struct
	 * http1_answer. */
	HTTP1_WAIT,
	/* Behind the client's HTTP/2 preface (prior knowledge, or after a
	 * request with "Upgrade: h2c"), which is cleared.  What follows is for
	 * http2_read() after http2_init(h, r). */
	HTTP1_HTTP2,
	/* The connection is a websocket: no more to check. */
	HTTP1_OPAQUE,
	/* reason is set.  Final: nothing beyond cleared may go on. */
	HTTP1_REFUSED,
};

enum http1_upgrade {
	HTTP1_UPGRADE_NONE,
	HTTP1_UPGRADE_H2C,
	HTTP1_UPGRADE_WEBSOCKET,
};

/* Of the request that is being read. */
struct http1_head {
	uint32_t len;
	bool is_trailer; /* its fields are those behind the last chunk */
	bool has_blank;	 /* an empty line stood in front */
	bool is_options;
	bool is_get;
	bool is_http10;
	bool has_target; /* absolute-form: target is set */
	bool has_host;
	bool has_length;
	bool is_chunked;
	bool has_connection;
	bool has_expect;
	enum http1_upgrade upgrade;
	uint64_t length;
	struct authority target;
};

struct http1 {
	/* For the caller to read. */
	struct authority authority; /* from HTTP1_REQUEST to http1_approve() */
	const char *reason;	    /* static text, once HTTP1_REFUSED */
	uint64_t cleared;	    /* so many bytes of the stream may go on */
	uint64_t n_requests;

	uint64_t seen;
	uint8_t state;
	bool h2c_asked; /* by the request before */
	uint64_t left;	/* of the body or chunk */
	struct http1_head head;
	uint8_t field; /* what name turned out to be */
	uint16_t n_name;
	uint16_t n_value;
	uint16_t n_spaces; /* behind the value so far */
	char name[HTTP1_NAME_MAX];
	char value[HTTP1_VALUE_MAX];
};

void http1_init(struct http1 *r);
/* Reads to the end of the piece or an event; *ret_used of len bytes are read.
 */
enum http1_event http1_read(struct http1 *r, const void *data, size_t len,
			    size_t *ret_used);
/* After HTTP1_REQUEST: its head may go on, and its body as it comes. */
void http1_approve(struct http1 *r);
/* After HTTP1_WAIT: whether the server has switched (101). */
void http1_answered(struct http1 *r, bool switched);

/* So many of the next bytes are body: they need not be read, only counted by
 * http1_skip() (n at most that), which clears them. */
uint64_t http1_body_left(const struct http1 *r);
void http1_skip(struct http1 *r, uint64_t n);

enum http1_sniff {
	HTTP1_SNIFF_MORE, /* not to be told from these bytes */
	HTTP1_SNIFF_NO,
	HTTP1_SNIFF_YES, /* a server might take it for HTTP: http1_read() */
};

#define HTTP1_SNIFF_MAX 64

/* What a connection's first bytes are, wider than what http1_read() takes, so
 * that an odd form is refused and does not pass as another protocol.  At most
 * HTTP1_SNIFF_MAX bytes are needed for an answer other than HTTP1_SNIFF_MORE.
 */
enum http1_sniff http1_sniff(const void *data, size_t len);

/*
 * The server's answer to the one request that is awaited: the first bytes of
 * the server's stream, which must be fed from its beginning (http1_read() lets
 * no second request ask for websocket).
 */
enum http1_answer_event {
	HTTP1_ANSWER_MORE,
	HTTP1_ANSWER_SWITCHED, /* status 101 */
	HTTP1_ANSWER_OTHER,    /* any other final status, or no HTTP at all */
};

struct http1_answer {
	uint8_t n; /* of the status line's beginning */
	bool in_head;
	bool line_empty;
	uint16_t status;
};

void http1_answer_init(struct http1_answer *a);
/* Nothing is held back from the client because of this. */
enum http1_answer_event http1_answer_read(struct http1_answer *a,
					  const void *data, size_t len);

#endif
