/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a request head that frame it, name its host or change what the
 * connection carries; each at most once, in the one form that clients send. */
#include <string.h>
#include <strings.h>

#include "relay/http1state.h"

#define PORT_HTTP 80
/* Below 2^63, whatever a server counts with. */
#define LENGTH_DIGITS_MAX 18

enum field {
	FIELD_OTHER = HTTP1_FIELD_OTHER,
	FIELD_HOST,
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
	FIELD_CONNECTION,
	FIELD_UPGRADE,
	FIELD_EXPECT,
	FIELD__COUNT,
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool value_is(const struct http1 *r, const char *text)
{
	return r->n_value == strlen(text) &&
	       strncasecmp(r->value, text, r->n_value) == 0;
}

/* Servers that pass fields on as variables do not tell '_' from '-'. */
const char *http1_field_name(struct http1 *r)
{
	static const char *const names[FIELD__COUNT] = {
		[FIELD_OTHER] = "",
		[FIELD_HOST] = "host",
		[FIELD_CONTENT_LENGTH] = "content-length",
		[FIELD_TRANSFER_ENCODING] = "transfer-encoding",
		[FIELD_CONNECTION] = "connection",
		[FIELD_UPGRADE] = "upgrade",
		[FIELD_EXPECT] = "expect",
	};
	bool altered = false;
	uint8_t field;

	for (size_t i = 0; i < r->n_name; i++)
		if (r->name[i] == '_' || r->name[i] == '.') {
			r->name[i] = '-';
			altered = true;
		}
	for (field = FIELD__COUNT - 1; field > FIELD_OTHER; field--)
		if (r->n_name == strlen(names[field]) &&
		    strncasecmp(r->name, names[field], r->n_name) == 0)
			break;
	if (field != FIELD_OTHER && altered)
		return "a field name like one that frames the message";
	if (field != FIELD_OTHER && r->head.is_trailer)
		return "a trailer that frames the message";
	r->field = field;
	return NULL;
}

static const char *take_host(struct http1 *r)
{
	if (r->head.has_host)
		return "two Host fields";
	r->head.has_host = true;
	return authority_parse(r->value, r->n_value, &r->authority);
}

static const char *take_length(struct http1 *r)
{
	if (r->head.has_length)
		return "two Content-Length fields";
	r->head.has_length = true;
	if (r->n_value == 0 || r->n_value > LENGTH_DIGITS_MAX ||
	    (r->value[0] == '0' && r->n_value > 1))
		return "a malformed Content-Length";
	for (size_t i = 0; i < r->n_value; i++) {
		if (!is_digit((uint8_t)r->value[i]))
			return "a malformed Content-Length";
		r->head.length =
			r->head.length * 10 + (uint64_t)(r->value[i] - '0');
	}
	return NULL;
}

static const char *take_encoding(struct http1 *r)
{
	if (r->head.is_chunked)
		return "two Transfer-Encoding fields";
	if (r->n_value != 7 || memcmp(r->value, "chunked", 7) != 0)
		return "a Transfer-Encoding other than chunked";
	r->head.is_chunked = true;
	return NULL;
}

static const char *connection_option(const char *text, size_t len)
{
	static const char *const known[] = {
		"close", "keep-alive", "upgrade", "http2-settings", "te",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (len == strlen(known[i]) &&
		    strncasecmp(text, known[i], len) == 0)
			return NULL;
	/* A proxy on the way would take that field out. */
	return "a Connection field with an unknown option";
}

static const char *take_connection(struct http1 *r)
{
	size_t start = 0;

	if (r->head.has_connection)
		return "two Connection fields";
	r->head.has_connection = true;
	for (size_t i = 0; i <= r->n_value; i++) {
		size_t end = i;
		const char *fault;

		if (i < r->n_value && r->value[i] != ',')
			continue;
		while (start < end && r->value[start] == ' ')
			start++;
		while (end > start && r->value[end - 1] == ' ')
			end--;
		fault = connection_option(r->value + start, end - start);
		if (fault)
			return fault;
		start = i + 1;
	}
	return NULL;
}

static const char *take_upgrade(struct http1 *r)
{
	if (r->head.upgrade != HTTP1_UPGRADE_NONE)
		return "two Upgrade fields";
	if (value_is(r, "h2c"))
		r->head.upgrade = HTTP1_UPGRADE_H2C;
	else if (value_is(r, "websocket"))
		r->head.upgrade = HTTP1_UPGRADE_WEBSOCKET;
	else
		return "an Upgrade other than h2c or websocket";
	return NULL;
}

static const char *take_expect(struct http1 *r)
{
	if (r->head.has_expect)
		return "two Expect fields";
	r->head.has_expect = true;
	return value_is(r, "100-continue") ? NULL : "a malformed Expect";
}

static const char *take_other(struct http1 *r)
{
	(void)r;
	return NULL;
}

const char *http1_field_value(struct http1 *r)
{
	static const char *(*const take[FIELD__COUNT])(struct http1 *) = {
		[FIELD_OTHER] = take_other,
		[FIELD_HOST] = take_host,
		[FIELD_CONTENT_LENGTH] = take_length,
		[FIELD_TRANSFER_ENCODING] = take_encoding,
		[FIELD_CONNECTION] = take_connection,
		[FIELD_UPGRADE] = take_upgrade,
		[FIELD_EXPECT] = take_expect,
	};

	return take[r->field](r);
}

static const char *check_upgrade(const struct http1 *r)
{
	const struct http1_head *h = &r->head;

	if (h->is_http10)
		return "an Upgrade in HTTP/1.0";
	if (h->upgrade != HTTP1_UPGRADE_WEBSOCKET)
		return NULL;
	if (!h->is_get || h->is_chunked || h->length > 0)
		return "a websocket request that is no plain GET";
	return NULL;
}

const char *http1_head_check(const struct http1 *r)
{
	const struct http1_head *h = &r->head;

	if (!h->has_host)
		return "no Host";
	if (h->has_target &&
	    !authority_equal(&h->target, &r->authority, PORT_HTTP))
		return "a target and a Host that differ";
	if (h->is_chunked && h->has_length)
		return "both Content-Length and Transfer-Encoding";
	if (h->is_http10 && (h->is_chunked || h->has_expect))
		return "a Transfer-Encoding or Expect in HTTP/1.0";
	return h->upgrade == HTTP1_UPGRADE_NONE ? NULL : check_upgrade(r);
}
