/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between http1.c (stream and bodies) http1head.c (request
 * heads) and http1field.c (their fields). */
#ifndef RELAY_HTTP1STATE_H
#define RELAY_HTTP1STATE_H

#include "relay/http1.h"

enum http1_state {
	HTTP1_S_METHOD,
	HTTP1_S_BLANK_LF,
	HTTP1_S_TARGET,
	HTTP1_S_STAR,
	HTTP1_S_SCHEME,
	HTTP1_S_AUTHORITY,
	HTTP1_S_PATH,
	HTTP1_S_VERSION,
	HTTP1_S_LINE_LF,
	HTTP1_S_FIELD,
	HTTP1_S_NAME,
	HTTP1_S_VALUE,
	HTTP1_S_VALUE_LF,
	HTTP1_S_END_LF,
	HTTP1_S__HEAD_END, /* those above read a head, or trailers */

	HTTP1_S_CHUNK_SIZE = HTTP1_S__HEAD_END,
	HTTP1_S_CHUNK_SIZE_LF,
	HTTP1_S_CHUNK_CR,
	HTTP1_S_CHUNK_LF,
	HTTP1_S_PREFACE,
	HTTP1_S_FRAME,
	HTTP1_S__STEPS, /* those above read byte by byte */

	HTTP1_S_BODY = HTTP1_S__STEPS,
	HTTP1_S_CHUNK,
	HTTP1_S_DECIDE,
	HTTP1_S_WAIT,
	HTTP1_S_HTTP2,
	HTTP1_S_OPAQUE,
	HTTP1_S_REFUSED,
	HTTP1_S__COUNT,
};

/* What the first bytes of HTTP/2 are instead of a head (RFC 9113 3.4). */
#define HTTP2_PREFACE	  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define HTTP2_PREFACE_LEN 24

/* One byte in a state below HTTP1_S__HEAD_END.  Returns NULL or the reason to
 * refuse. */
const char *http1_head_step(struct http1 *r, uint8_t c);
/* What follows is a request; what came is cleared. */
void http1_head_begin(struct http1 *r);
/* What follows are the fields behind the last chunk. */
void http1_trailers_begin(struct http1 *r);

/* http1field.c.  field of a name that frames nothing; its value is not kept. */
#define HTTP1_FIELD_OTHER 0

/* name is complete: sets field.  NULL or the reason to refuse. */
const char *http1_field_name(struct http1 *r);
/* The same for value, without the spaces around it. */
const char *http1_field_value(struct http1 *r);
/* The same for the head as a whole. */
const char *http1_head_check(const struct http1 *r);

#endif
