/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/httpcheck.h"

#include <stdlib.h>

#include "relay/http1.h"
#include "relay/http2.h"

/*
 * Positions count from the first byte of the connection.  The readers take
 * each byte once, so what was read and not granted is stepped over when it is
 * shown again.
 */
struct httpcheck {
	struct http1 http1;
	struct http2 *http2;  /* once the client has switched to it */
	uint64_t http2_begin; /* where its reader began */
	uint64_t granted;
	struct http1_answer answer;
	bool waits; /* for the answer to a request for websocket */
	const char *reason;
};

struct httpcheck *httpcheck_new(const uint8_t *begin, size_t n)
{
	struct httpcheck *h = calloc(1, sizeof(*h));
	size_t used = 0;

	if (!h)
		return NULL;
	http1_init(&h->http1);
	/* A fault stays, and is told with the next bytes. */
	if (n > 0)
		(void)http1_read(&h->http1, begin, n, &used);
	h->granted = used;
	return h;
}

void httpcheck_free(struct httpcheck *h)
{
	if (!h)
		return;
	if (h->http2)
		http2_done(h->http2);
	free(h->http2);
	free(h);
}

static uint64_t seen(const struct httpcheck *h)
{
	return h->http2 ? h->http2_begin + h->http2->seen : h->http1.seen;
}

static uint64_t cleared(const struct httpcheck *h)
{
	return h->http2 ? h->http2_begin + h->http2->cleared : h->http1.cleared;
}

static enum httpcheck_result refuse(struct httpcheck *h, const char *reason)
{
	h->reason = reason;
	return HTTPCHECK_REFUSED;
}

static enum httpcheck_result begin_http2(struct httpcheck *h)
{
	h->http2 = calloc(1, sizeof(*h->http2));
	if (!h->http2 || http2_init(h->http2, &h->http1) < 0)
		return refuse(h, "no memory");
	h->http2_begin = h->http1.seen;
	return HTTPCHECK_GRANT;
}

/* GRANT: something was settled, and reading goes on. */
static enum httpcheck_result read_http1(struct httpcheck *h,
					const uint8_t *data, size_t len,
					httpcheck_allowed_fn *allowed,
					void *arg)
{
	size_t used;

	switch (http1_read(&h->http1, data, len, &used)) {
	case HTTP1_MORE:
		break;
	case HTTP1_REQUEST:
		if (!allowed(arg, &h->http1.authority))
			return HTTPCHECK_DENIED;
		http1_approve(&h->http1);
		return HTTPCHECK_GRANT;
	case HTTP1_WAIT:
		if (!h->waits)
			http1_answer_init(&h->answer);
		h->waits = true;
		break;
	case HTTP1_HTTP2:
		return begin_http2(h);
	case HTTP1_OPAQUE:
		return HTTPCHECK_PASS;
	case HTTP1_REFUSED:
		return refuse(h, h->http1.reason);
	}
	return HTTPCHECK_MORE;
}

static enum httpcheck_result read_http2(struct httpcheck *h,
					const uint8_t *data, size_t len,
					httpcheck_allowed_fn *allowed,
					void *arg)
{
	size_t used;

	switch (http2_read(h->http2, data, len, &used)) {
	case HTTP2_MORE:
		break;
	case HTTP2_REQUEST:
		if (!allowed(arg, &h->http2->authority))
			return HTTPCHECK_DENIED;
		http2_approve(h->http2);
		return HTTPCHECK_GRANT;
	case HTTP2_REFUSED:
		return refuse(h, h->http2->reason);
	}
	return HTTPCHECK_MORE;
}

/* What is left of a body passes unseen. */
static void skip_body(struct httpcheck *h)
{
	uint64_t n = h->http2 ? http2_body_left(h->http2)
			      : http1_body_left(&h->http1);

	if (n > 0 && h->http2)
		http2_skip(h->http2, n);
	else if (n > 0)
		http1_skip(&h->http1, n);
}

enum httpcheck_result httpcheck_client(struct httpcheck *h, const uint8_t *data,
				       size_t len,
				       httpcheck_allowed_fn *allowed, void *arg,
				       uint64_t *ret_grant)
{
	enum httpcheck_result rc;

	do {
		uint64_t at = seen(h) - h->granted;

		/* All of what is here, and more, is a body. */
		if (at > len)
			return HTTPCHECK_MORE;
		rc = h->http2
			     ? read_http2(h, data + at, len - at, allowed, arg)
			     : read_http1(h, data + at, len - at, allowed, arg);
	} while (rc == HTTPCHECK_GRANT);
	if (rc != HTTPCHECK_MORE)
		return rc;
	skip_body(h);
	if (cleared(h) <= h->granted)
		return rc;
	*ret_grant = cleared(h) - h->granted;
	h->granted += *ret_grant;
	return HTTPCHECK_GRANT;
}

bool httpcheck_watches_server(const struct httpcheck *h)
{
	return h->waits;
}

enum inspect_turn httpcheck_server(struct httpcheck *h, const uint8_t *data,
				   size_t len)
{
	enum http1_answer_event ev = http1_answer_read(&h->answer, data, len);

	if (ev == HTTP1_ANSWER_MORE)
		return INSPECT_NOTHING;
	h->waits = false;
	http1_answered(&h->http1, ev == HTTP1_ANSWER_SWITCHED);
	return ev == HTTP1_ANSWER_SWITCHED ? INSPECT_OVER : INSPECT_AGAIN;
}

const struct authority *httpcheck_authority(const struct httpcheck *h)
{
	return h->http2 ? &h->http2->authority : &h->http1.authority;
}

const char *httpcheck_reason(const struct httpcheck *h)
{
	return h->reason;
}

enum inspect_protocol httpcheck_protocol(const struct httpcheck *h)
{
	return h->http2 ? INSPECT_HTTP2 : INSPECT_HTTP1;
}
