/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/authority.h"

#include <string.h>

#include "common/addr.h"
#include "common/text.h"

static const char *parse_port(const char *text, size_t len, uint16_t *ret)
{
	char digits[6];
	uint64_t port;

	if (len == 0 || len >= sizeof(digits) || text[0] == '0')
		return "a malformed port";
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!text_to_uint(digits, 1, UINT16_MAX, &port))
		return "a malformed port";
	*ret = (uint16_t)port;
	return NULL;
}

/* text has neither port nor brackets. */
static const char *parse_host(const char *text, size_t len, bool bracketed,
			      struct authority *ret)
{
	char host[HOSTNAME_BUF + 1];
	char formatted[ADDR_TEXT_MAX];
	struct addr a;

	if (len == 0)
		return "an empty host";
	if (len >= sizeof(host))
		return "a host that is too long";
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return "a malformed host";
	memcpy(host, text, len);
	host[len] = '\0';
	ret->is_address = addr_parse(host, &a);
	if (ret->is_address && bracketed == (a.family == AF_INET6)) {
		(void)addr_format(&a, formatted);
		memcpy(ret->host, formatted, strlen(formatted) + 1);
		return NULL;
	}
	if (bracketed || hostname_from_text(host, ret->host, NULL) < 0)
		return "a malformed host";
	return NULL;
}

const char *authority_parse(const char *text, size_t len, struct authority *ret)
{
	bool bracketed = len > 0 && text[0] == '[';
	const char *colon;
	const char *fault;
	size_t n;

	ret->port = 0;
	if (len > AUTHORITY_TEXT_MAX)
		return "a host that is too long";
	if (bracketed) {
		const char *close = memchr(text, ']', len);

		if (!close)
			return "a malformed host";
		n = (size_t)(close - text) + 1;
		if (n < len && text[n] != ':')
			return "a malformed host";
		fault = parse_host(text + 1, n - 2, true, ret);
	} else {
		colon = memchr(text, ':', len);
		n = colon ? (size_t)(colon - text) : len;
		fault = parse_host(text, n, false, ret);
	}
	if (fault || n == len)
		return fault;
	return parse_port(text + n + 1, len - n - 1, &ret->port);
}

bool authority_equal(const struct authority *a, const struct authority *b,
		     uint16_t fallback)
{
	uint16_t port_a = a->port ? a->port : fallback;
	uint16_t port_b = b->port ? b->port : fallback;

	return port_a == port_b && strcmp(a->host, b->host) == 0;
}
