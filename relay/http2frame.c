/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http2frame.h"

#include <nghttp2/nghttp2.h>

#define SETTING_LEN 6
#define STREAM_MAX  0x7fffffffU
/* What every server takes (SETTINGS_MAX_FRAME_SIZE, RFC 9113 6.5.2). */
#define FRAME_MAX	     16384
#define TYPE_PRIORITY_UPDATE 0x10 /* RFC 9218 7 */

enum stream_rule {
	STREAM_ANY,
	STREAM_NONE,
	STREAM_BEGUN,
	STREAM_CLIENT,
};

static const struct frame_rule {
	uint8_t type;
	uint8_t stream; /* enum stream_rule */
	uint32_t min;
	uint32_t max;
} frame_rules[] = {
	{ NGHTTP2_DATA, STREAM_BEGUN, 0, 0xffffff },
	{ NGHTTP2_HEADERS, STREAM_CLIENT, 0, HTTP2_BLOCK_MAX },
	{ NGHTTP2_PRIORITY, STREAM_CLIENT, HTTP2_PRIORITY_LEN,
	  HTTP2_PRIORITY_LEN },
	{ NGHTTP2_RST_STREAM, STREAM_BEGUN, 4, 4 },
	{ NGHTTP2_SETTINGS, STREAM_NONE, 0, FRAME_MAX },
	{ NGHTTP2_PING, STREAM_NONE, 8, 8 },
	{ NGHTTP2_GOAWAY, STREAM_NONE, 8, FRAME_MAX },
	{ NGHTTP2_WINDOW_UPDATE, STREAM_ANY, 4, 4 },
	{ NGHTTP2_CONTINUATION, STREAM_BEGUN, 0, HTTP2_BLOCK_MAX },
	{ TYPE_PRIORITY_UPDATE, STREAM_NONE, 4, FRAME_MAX },
};

static const char *check_stream(const struct http2 *h, uint8_t rule)
{
	bool odd = h->stream & 1;
	bool ok = rule == STREAM_NONE	  ? h->stream == 0
		  : rule == STREAM_ANY	  ? h->stream == 0 || odd
		  : rule == STREAM_CLIENT ? odd
					  : odd && h->stream <= h->last_stream;

	return ok ? NULL : "a frame on a stream that it does not belong to";
}

const char *http2_frame_check(struct http2 *h)
{
	const struct frame_rule *rule = NULL;

	for (size_t i = 0; i < sizeof(frame_rules) / sizeof(frame_rules[0]);
	     i++)
		if (frame_rules[i].type == h->type)
			rule = &frame_rules[i];
	if (!rule)
		return "a frame of a type that no client sends";
	if (h->stream > STREAM_MAX)
		return "a frame with the reserved bit set";
	if (h->left < rule->min || h->left > rule->max)
		return "a frame of a wrong length";
	if (!h->settings_seen &&
	    (h->type != NGHTTP2_SETTINGS || h->flags & NGHTTP2_FLAG_ACK))
		return "a first frame that is not SETTINGS";
	h->settings_seen = true;
	if (h->type == NGHTTP2_SETTINGS &&
	    (h->left % SETTING_LEN ||
	     (h->left > 0 && h->flags & NGHTTP2_FLAG_ACK)))
		return "a frame of a wrong length";
	if (h->block_stream != 0 ? h->type != NGHTTP2_CONTINUATION ||
					   h->stream != h->block_stream
				 : h->type == NGHTTP2_CONTINUATION)
		return "a header block that other frames interrupt";
	return check_stream(h, rule->stream);
}

static struct http2_upload *upload_of(struct http2 *h, uint32_t stream)
{
	for (size_t i = 0; i < HTTP2_UPLOADS_MAX; i++)
		if (h->uploads[i].stream == stream)
			return &h->uploads[i];
	return NULL;
}

const char *http2_upload_begin(struct http2 *h)
{
	struct http2_upload *u;

	if (!h->block.has_length || h->block.end_stream)
		return NULL;
	u = upload_of(h, 0);
	if (!u)
		return "too many bodies at one time";
	*u = (struct http2_upload) { h->stream, h->block.length };
	return NULL;
}

const char *http2_upload_end(struct http2 *h)
{
	struct http2_upload *u = upload_of(h, h->stream);
	bool whole = !u || u->left == 0;

	if (u)
		u->stream = 0;
	return whole ? NULL : "a content-length that is not that of the body";
}

const char *http2_upload_data(struct http2 *h, uint32_t n)
{
	struct http2_upload *u = upload_of(h, h->stream);

	if (!u)
		return NULL;
	if (n > u->left)
		return "a content-length that is not that of the body";
	u->left -= n;
	return NULL;
}
