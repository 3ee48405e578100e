/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which fields a request needs and which it must not have: what RFC 9113 8
 * calls malformed is refused here, since a server that goes on with such a
 * request, or turns it into HTTP/1.1, may read it in a way of its own.
 */
#include "relay/http2field.h"

#include <string.h>

#define PORT_HTTP	  80
#define LENGTH_DIGITS_MAX 18

struct text {
	const char *p;
	size_t len;
};

static bool text_is(struct text t, const char *s)
{
	return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

/* As in http1head.c. */
static bool is_text(uint8_t c)
{
	return c >= ' ' && c != 0x7f && c != 0x85;
}

static const char *once(bool *seen)
{
	if (*seen)
		return "a field that must not come twice";
	*seen = true;
	return NULL;
}

static const char *take_method(struct http2 *h, struct text value)
{
	if (text_is(value, "CONNECT"))
		return "CONNECT to a server";
	if (value.len == 0)
		return "a malformed method";
	for (size_t i = 0; i < value.len; i++)
		if ((value.p[i] < 'A' || value.p[i] > 'Z') && value.p[i] != '-')
			return "a malformed method";
	h->block.is_options = text_is(value, "OPTIONS");
	return once(&h->block.has_method);
}

static const char *take_scheme(struct http2 *h, struct text value)
{
	if (!text_is(value, "http") && !text_is(value, "https"))
		return "a scheme other than http and https";
	return once(&h->block.has_scheme);
}

static const char *take_path(struct http2 *h, struct text value)
{
	h->block.is_star = text_is(value, "*");
	if (value.len == 0 || (value.p[0] != '/' && !h->block.is_star))
		return "a malformed path";
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] == ' ' || value.p[i] == '#' ||
		    !is_text((uint8_t)value.p[i]))
			return "a malformed path";
	return once(&h->block.has_path);
}

static const char *take_authority(struct http2 *h, struct text value)
{
	const char *fault = once(&h->block.has_authority);

	return fault ? fault
		     : authority_parse(value.p, value.len, &h->authority);
}

static const char *take_host(struct http2 *h, struct text value)
{
	const char *fault = once(&h->block.has_host);

	return fault ? fault
		     : authority_parse(value.p, value.len, &h->block.host);
}

static const char *take_length(struct http2 *h, struct text value)
{
	if (value.len == 0 || value.len > LENGTH_DIGITS_MAX ||
	    (value.p[0] == '0' && value.len > 1))
		return "a malformed content-length";
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return "a malformed content-length";
		h->block.length =
			h->block.length * 10 + (uint64_t)(value.p[i] - '0');
	}
	return once(&h->block.has_length);
}

static const char *take_te(struct http2 *h, struct text value)
{
	(void)h;
	return text_is(value, "trailers") ? NULL : "a te other than trailers";
}

static const char *take_expect(struct http2 *h, struct text value)
{
	if (!text_is(value, "100-continue"))
		return "a malformed expect";
	return once(&h->block.has_expect);
}

static const char *take_connection(struct http2 *h, struct text value)
{
	(void)h;
	(void)value;
	return "a field that belongs to an HTTP/1 connection";
}

static const struct rule {
	const char *name;
	const char *(*take)(struct http2 *h, struct text value);
} rules[] = {
	{ ":method", take_method },
	{ ":scheme", take_scheme },
	{ ":path", take_path },
	{ ":authority", take_authority },
	{ "host", take_host },
	{ "content-length", take_length },
	{ "te", take_te },
	{ "expect", take_expect },
	{ "connection", take_connection },
	{ "keep-alive", take_connection },
	{ "proxy-connection", take_connection },
	{ "transfer-encoding", take_connection },
	{ "upgrade", take_connection },
};

/* '_' counts as '-', as in http1field.c. */
static bool name_like(struct text name, const char *known, bool *altered)
{
	*altered = false;
	if (name.len != strlen(known))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		bool odd = name.p[i] == '_' || name.p[i] == '.';

		if ((odd ? '-' : name.p[i]) != known[i])
			return false;
		*altered |= odd;
	}
	return true;
}

static const char *check_name(struct text name)
{
	size_t i = name.len > 0 && name.p[0] == ':';

	if (i == name.len)
		return "a malformed field name";
	for (; i < name.len; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_' || c == '.'))
			return "a malformed field name";
	}
	return NULL;
}

static const char *check_value(struct text value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_text((uint8_t)value.p[i]) && value.p[i] != '\t')
			return "a byte in a field's value that is not "
			       "printable";
	if (value.len > 0 &&
	    (value.p[0] == ' ' || value.p[0] == '\t' ||
	     value.p[value.len - 1] == ' ' || value.p[value.len - 1] == '\t'))
		return "a space around a field's value";
	return NULL;
}

static const char *check_place(struct http2_block *b, struct text name)
{
	if (name.p[0] != ':') {
		b->past_pseudo = true;
		return NULL;
	}
	if (!b->is_request)
		return "a request's field in a trailer";
	return b->past_pseudo ? "a pseudo-header behind a field" : NULL;
}

static const char *apply(struct http2 *h, struct text name, struct text value)
{
	bool altered;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!name_like(name, rules[i].name, &altered))
			continue;
		if (altered)
			return "a field name like one that frames the message";
		if (!h->block.is_request)
			return "a request's field in a trailer";
		return rules[i].take(h, value);
	}
	return name.p[0] == ':' ? "an unknown pseudo-header" : NULL;
}

const char *http2_field(struct http2 *h, const uint8_t *name, size_t n_name,
			const uint8_t *value, size_t n_value)
{
	struct text n = { (const char *)name, n_name };
	struct text v = { (const char *)value, n_value };
	const char *fault;

	h->block.decoded += (uint32_t)(n_name + n_value + 32);
	if (h->block.decoded > HTTP2_DECODED_MAX)
		return "a head of more than 256 KiB";
	fault = check_name(n);
	if (!fault)
		fault = check_value(v);
	if (!fault)
		fault = check_place(&h->block, n);
	return fault ? fault : apply(h, n, v);
}

const char *http2_block_check(struct http2 *h)
{
	struct http2_block *b = &h->block;

	if (!b->is_request)
		return NULL;
	if (!b->has_method || !b->has_scheme || !b->has_path)
		return "a request without method, scheme or path";
	if (b->is_star && !b->is_options)
		return "a malformed path";
	if (!b->has_authority && !b->has_host)
		return "no authority";
	if (b->has_authority && b->has_host &&
	    !authority_equal(&h->authority, &b->host, PORT_HTTP))
		return "an authority and a host that differ";
	if (!b->has_authority)
		h->authority = b->host;
	if (b->end_stream && b->length > 0)
		return "a content-length that is not that of the body";
	return NULL;
}
