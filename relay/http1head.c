/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of a request, byte by byte: RFC 9112 without what parsers differ in.
 * There is no table of "known good" oddities: a byte that has no rule here is
 * refused.
 */
#include <string.h>

#include "relay/http1state.h"

#define METHOD_MAX 32

static bool is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_visible(uint8_t c)
{
	return c > ' ' && c < 0x7f;
}

/* Of UTF-8 or Latin-1, which is sent as it was typed.  0x85 alone is a line's
 * end to some who read Latin-1. */
static bool is_beyond_ascii(uint8_t c)
{
	return c >= 0x80 && c != 0x85;
}

static void next(struct http1 *r, enum http1_state state)
{
	r->state = (uint8_t)state;
	r->n_name = 0;
	r->n_value = 0;
	r->n_spaces = 0;
}

void http1_head_begin(struct http1 *r)
{
	r->h2c_asked = r->head.upgrade == HTTP1_UPGRADE_H2C;
	memset(&r->head, 0, sizeof(r->head));
	next(r, HTTP1_S_METHOD);
	r->left = 0;
	r->cleared = r->seen;
}

void http1_trailers_begin(struct http1 *r)
{
	r->head.is_trailer = true;
	r->head.len = 0;
	next(r, HTTP1_S_FIELD);
}

static const char *method_end(struct http1 *r)
{
	static const char pri[] = "PRI";

	r->head.is_get = r->n_name == 3 && memcmp(r->name, "GET", 3) == 0;
	r->head.is_options =
		r->n_name == 7 && memcmp(r->name, "OPTIONS", 7) == 0;
	if (r->n_name == 7 && memcmp(r->name, "CONNECT", 7) == 0)
		return "CONNECT to a server";
	if (r->n_name == 3 && memcmp(r->name, pri, 3) == 0) {
		if ((r->n_requests > 0 && !r->h2c_asked) || r->head.has_blank)
			return "HTTP/2 that no request asked for";
		next(r, HTTP1_S_PREFACE);
		r->left = strlen("PRI ");
		return NULL;
	}
	next(r, HTTP1_S_TARGET);
	return NULL;
}

static const char *step_method(struct http1 *r, uint8_t c)
{
	if (c == ' ' && r->n_name > 0)
		return method_end(r);
	/* Some end a body with a line's end too many (RFC 9112 2.2). */
	if (c == '\r' && r->n_name == 0 && !r->head.has_blank) {
		r->state = HTTP1_S_BLANK_LF;
		return NULL;
	}
	if (!is_upper(c) && (c != '-' || r->n_name == 0))
		return "a malformed method";
	if (r->n_name == METHOD_MAX)
		return "a method that is too long";
	r->name[r->n_name++] = (char)c;
	return NULL;
}

static const char *step_blank_lf(struct http1 *r, uint8_t c)
{
	r->head.has_blank = true;
	next(r, HTTP1_S_METHOD);
	return c == '\n' ? NULL : "a CR without LF";
}

static const char *step_target(struct http1 *r, uint8_t c)
{
	if (c == '/') {
		next(r, HTTP1_S_PATH);
		return NULL;
	}
	if (c == '*' && r->head.is_options) {
		next(r, HTTP1_S_STAR);
		return NULL;
	}
	if (c != 'h' && c != 'H')
		return "a malformed target";
	r->value[r->n_value++] = (char)c;
	r->state = HTTP1_S_SCHEME;
	return NULL;
}

static const char *step_star(struct http1 *r, uint8_t c)
{
	if (c != ' ')
		return "a malformed target";
	next(r, HTTP1_S_VERSION);
	return NULL;
}

static const char *step_scheme(struct http1 *r, uint8_t c)
{
	static const char scheme[] = "http://";
	uint8_t lower = is_upper(c) ? (uint8_t)(c | 0x20) : c;

	if (lower != (uint8_t)scheme[r->n_value])
		return "a target with a scheme other than http";
	r->n_value++;
	if (scheme[r->n_value] == '\0')
		next(r, HTTP1_S_AUTHORITY);
	return NULL;
}

static const char *step_authority(struct http1 *r, uint8_t c)
{
	const char *fault;

	if (c != '/' && c != '?' && c != ' ') {
		if (r->n_value == sizeof(r->value))
			return "a host that is too long";
		r->value[r->n_value++] = (char)c;
		return NULL;
	}
	fault = authority_parse(r->value, r->n_value, &r->head.target);
	r->head.has_target = true;
	next(r, c == ' ' ? HTTP1_S_VERSION : HTTP1_S_PATH);
	return fault;
}

static const char *step_path(struct http1 *r, uint8_t c)
{
	if (c == ' ') {
		next(r, HTTP1_S_VERSION);
		return NULL;
	}
	/* A fragment is for the client alone. */
	if (c == '#' || !(is_visible(c) || is_beyond_ascii(c)))
		return "a malformed target";
	return NULL;
}

static const char *step_version(struct http1 *r, uint8_t c)
{
	static const char version[] = "HTTP/1.";
	const size_t len = sizeof(version) - 1;

	if (r->n_value < len	? c != (uint8_t)version[r->n_value]
	    : r->n_value == len ? c != '0' && c != '1'
				: c != '\r')
		return "a version other than HTTP/1.0 and HTTP/1.1";
	if (r->n_value == len)
		r->head.is_http10 = c == '0';
	if (r->n_value++ > len)
		next(r, HTTP1_S_LINE_LF);
	return NULL;
}

static const char *step_lf(struct http1 *r, uint8_t c)
{
	if (c != '\n')
		return "a CR without LF";
	next(r, HTTP1_S_FIELD);
	return NULL;
}

static const char *name_end(struct http1 *r)
{
	const char *fault = http1_field_name(r);

	next(r, HTTP1_S_VALUE);
	return fault;
}

static const char *step_name(struct http1 *r, uint8_t c)
{
	bool ok = (c >= '0' && c <= '9') || is_upper(c) ||
		  (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';

	if (c == ':' && r->n_name > 0)
		return name_end(r);
	if (!ok)
		return c == ' ' || c == '\t' ? "a space in a field's name"
					     : "a malformed field name";
	/* No name that matters is that long. */
	if (r->n_name < sizeof(r->name))
		r->name[r->n_name++] = (char)c;
	return NULL;
}

static const char *step_field(struct http1 *r, uint8_t c)
{
	if (c == '\r') {
		r->state = HTTP1_S_END_LF;
		return NULL;
	}
	if (c == ' ' || c == '\t')
		return "a folded field";
	r->state = HTTP1_S_NAME;
	return step_name(r, c);
}

static const char *value_end(struct http1 *r)
{
	const char *fault = http1_field_value(r);

	next(r, HTTP1_S_VALUE_LF);
	return fault;
}

static const char *step_value(struct http1 *r, uint8_t c)
{
	if (c == '\r')
		return value_end(r);
	if (!is_visible(c) && c != ' ' && c != '\t' && !is_beyond_ascii(c))
		return "a byte in a field's value that is not printable";
	if (r->field == HTTP1_FIELD_OTHER)
		return NULL;
	/* Some take single bytes above 0x7f for spaces. */
	if (c >= 0x80)
		return "not ASCII in a field that frames the message";
	if (c == '\t')
		return "a tab in a field that frames the message";
	if (c == ' ') {
		r->n_spaces += r->n_value > 0;
		return NULL;
	}
	if (r->n_value + r->n_spaces >= (int)sizeof(r->value))
		return "a field's value that is too long";
	memset(r->value + r->n_value, ' ', r->n_spaces);
	r->n_value = (uint16_t)(r->n_value + r->n_spaces);
	r->n_spaces = 0;
	r->value[r->n_value++] = (char)c;
	return NULL;
}

static const char *step_end_lf(struct http1 *r, uint8_t c)
{
	const char *fault;

	if (c != '\n')
		return "a CR without LF";
	if (r->head.is_trailer) {
		http1_head_begin(r);
		return NULL;
	}
	fault = http1_head_check(r);
	next(r, HTTP1_S_DECIDE);
	return fault;
}

const char *http1_head_step(struct http1 *r, uint8_t c)
{
	static const char *(*const steps[HTTP1_S__HEAD_END])(struct http1 *,
							     uint8_t) = {
		[HTTP1_S_METHOD] = step_method,
		[HTTP1_S_BLANK_LF] = step_blank_lf,
		[HTTP1_S_TARGET] = step_target,
		[HTTP1_S_STAR] = step_star,
		[HTTP1_S_SCHEME] = step_scheme,
		[HTTP1_S_AUTHORITY] = step_authority,
		[HTTP1_S_PATH] = step_path,
		[HTTP1_S_VERSION] = step_version,
		[HTTP1_S_LINE_LF] = step_lf,
		[HTTP1_S_FIELD] = step_field,
		[HTTP1_S_NAME] = step_name,
		[HTTP1_S_VALUE] = step_value,
		[HTTP1_S_VALUE_LF] = step_lf,
		[HTTP1_S_END_LF] = step_end_lf,
	};

	if (r->head.len++ == HTTP1_HEAD_MAX)
		return "a head of more than 64 KiB";
	return steps[r->state](r, c);
}
