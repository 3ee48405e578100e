/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/resolvconf.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "common/text.h"

#define BLANKS		" \t\r\n"
#define LINES_MAX	1000
#define TIMEOUT_SEC	5 /* glibc: RES_TIMEOUT, RES_MAXRETRANS */
#define TIMEOUT_MAX_SEC 30
#define ATTEMPTS	2 /* glibc: RES_DFLRETRY, RES_MAXRETRY */
#define ATTEMPTS_MAX	5
#define TIMEOUT_MIN_MS	500

/* The number after prefix, kept within 1..max; 0 if word is another. */
static int option_value(const char *word, const char *prefix, int max)
{
	size_t len = strlen(prefix);
	uint64_t v;

	if (strncmp(word, prefix, len) != 0 ||
	    !text_to_uint(word + len, 0, UINT32_MAX, &v))
		return 0;
	if (v == 0)
		return 1;
	return v < (uint64_t)max ? (int)v : max;
}

/* A link-local address needs its interface. */
static void add_server(struct resolvconf *rc, char *word)
{
	char *zone = strchr(word, '%');
	struct addr a;
	unsigned scope = 0;

	if (zone)
		*zone++ = '\0';
	if (rc->n_servers == RESOLVERS_MAX || !addr_parse(word, &a))
		return;
	if (zone) {
		scope = if_nametoindex(zone);
		if (scope == 0 || a.family != AF_INET6)
			return;
	}
	rc->scope[rc->n_servers] = scope;
	rc->server[rc->n_servers++] = a;
}

static void parse_option(struct resolvconf *rc, const char *word)
{
	int v = option_value(word, "timeout:", TIMEOUT_MAX_SEC);

	if (v > 0)
		rc->timeout_ms = v * 1000;
	v = option_value(word, "attempts:", ATTEMPTS_MAX);
	if (v > 0)
		rc->attempts = v;
	if (strcmp(word, "use-vc") == 0)
		rc->use_vc = true;
}

static void parse_line(struct resolvconf *rc, char *line)
{
	char *save = NULL;
	char *word;

	line[strcspn(line, "#;")] = '\0';
	word = strtok_r(line, BLANKS, &save);
	if (!word)
		return;
	if (strcmp(word, "nameserver") == 0) {
		word = strtok_r(NULL, BLANKS, &save);
		if (word)
			add_server(rc, word);
	} else if (strcmp(word, "options") == 0) {
		while ((word = strtok_r(NULL, BLANKS, &save)))
			parse_option(rc, word);
	}
}

void resolvconf_parse(char *text, struct resolvconf *ret)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };
	char *line;

	memset(ret, 0, sizeof(*ret));
	ret->timeout_ms = TIMEOUT_SEC * 1000;
	ret->attempts = ATTEMPTS;
	for (int i = 0; i < LINES_MAX && (line = strsep(&text, "\n")); i++)
		parse_line(ret, line);
	if (ret->n_servers == 0) /* as glibc */
		ret->server[ret->n_servers++] = addr_v4(loopback);
}

int resolvconf_fit_timeout_ms(const struct resolvconf *rc, int budget_ms)
{
	int rounds = (1 << rc->attempts) - 1; /* 1 + 2 + 4 ... */
	int fit = budget_ms / rounds / rc->n_servers;

	if (fit > rc->timeout_ms)
		fit = rc->timeout_ms;
	return fit > TIMEOUT_MIN_MS ? fit : TIMEOUT_MIN_MS;
}
