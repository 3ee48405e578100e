/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a stream begins with: the client's, is it HTTP at all; the server's, did
 * it switch protocols. */
#include <string.h>
#include <strings.h>

#include "relay/http1.h"

#define METHOD_MAX 32

static bool is_letter(uint8_t c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z';
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(uint8_t c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static enum http1_sniff sniff_target(const char *p, size_t len,
				     const char *method, size_t n_method)
{
	static const char scheme[] = "http";
	size_t n = len < sizeof(scheme) ? len : sizeof(scheme) - 1;

	if (*p == '/')
		return HTTP1_SNIFF_YES;
	if (*p == '*')
		return n_method == 7 || n_method == 3 ? HTTP1_SNIFF_YES
						      : HTTP1_SNIFF_NO;
	if (n_method == 7 && strncasecmp(method, "CONNECT", 7) == 0)
		return *p != '{' ? HTTP1_SNIFF_YES : HTTP1_SNIFF_NO;
	if (strncasecmp(p, scheme, n) != 0)
		return HTTP1_SNIFF_NO;
	/* "http:" or "https:", and not a name that begins so. */
	if (len > n && (p[n] | 0x20) == 's')
		n++;
	if (len <= n)
		return HTTP1_SNIFF_MORE;
	return p[n] == ':' ? HTTP1_SNIFF_YES : HTTP1_SNIFF_NO;
}

static enum http1_sniff sniff(const char *p, size_t len)
{
	size_t i = 0;
	size_t method;
	size_t end;

	while (i < len && is_space((uint8_t)p[i]))
		i++;
	method = i;
	while (i < len && (is_letter((uint8_t)p[i]) || p[i] == '-'))
		i++;
	end = i;
	if (end - method > METHOD_MAX)
		return HTTP1_SNIFF_NO;
	while (i < len && is_blank((uint8_t)p[i]))
		i++;
	if (i < len && (end == method || i == end))
		return HTTP1_SNIFF_NO;
	if (i == len)
		return HTTP1_SNIFF_MORE;
	return sniff_target(p + i, len - i, p + method, end - method);
}

enum http1_sniff http1_sniff(const void *data, size_t len)
{
	bool whole = len >= HTTP1_SNIFF_MAX;
	enum http1_sniff rc = sniff(data, whole ? HTTP1_SNIFF_MAX : len);

	/* In doubt until there: spaces, and too many of them. */
	return whole && rc == HTTP1_SNIFF_MORE ? HTTP1_SNIFF_YES : rc;
}

void http1_answer_init(struct http1_answer *a)
{
	memset(a, 0, sizeof(*a));
}

/* '0' stands for any digit. */
static bool step_status(struct http1_answer *a, uint8_t c)
{
	static const char line[] = "HTTP/1.0 000";
	const size_t n_line = sizeof(line) - 1;
	bool digit = c >= '0' && c <= '9';

	if (a->n == n_line)
		return c == ' ' || c == '\r' || c == '\n';
	if (line[a->n] == '0' ? !digit : c != (uint8_t)line[a->n])
		return false;
	if (a->n++ >= n_line - 3)
		a->status = (uint16_t)(a->status * 10 + (c - '0'));
	return true;
}

enum http1_answer_event http1_answer_read(struct http1_answer *a,
					  const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		bool whole = a->n == strlen("HTTP/1.0 000");

		if (a->in_head) {
			if (p[i] == '\n' && a->line_empty)
				http1_answer_init(a);
			else if (p[i] != '\r')
				a->line_empty = p[i] == '\n';
			continue;
		}
		if (!step_status(a, p[i]))
			return HTTP1_ANSWER_OTHER;
		if (!whole)
			continue;
		if (a->status == 101)
			return HTTP1_ANSWER_SWITCHED;
		if (a->status / 100 != 1)
			return HTTP1_ANSWER_OTHER;
		a->in_head = true;
		a->line_empty = p[i] == '\n';
	}
	return HTTP1_ANSWER_MORE;
}
