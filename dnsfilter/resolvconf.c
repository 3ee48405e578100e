/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/resolvconf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

static void parse_line(struct resolvconf *rc, char *line)
{
	char *save = NULL;
	char *word;

	line[strcspn(line, "#;")] = '\0';
	word = strtok_r(line, BLANKS, &save);
	if (word && strcmp(word, "nameserver") == 0)
		rc->n_servers++;
	if (!word || strcmp(word, "options") != 0)
		return;
	while ((word = strtok_r(NULL, BLANKS, &save))) {
		int v = option_value(word, "timeout:", TIMEOUT_MAX_SEC);

		if (v > 0)
			rc->timeout_ms = v * 1000;
		v = option_value(word, "attempts:", ATTEMPTS_MAX);
		if (v > 0)
			rc->attempts = v;
		if (strcmp(word, "use-vc") == 0)
			rc->use_vc = true;
	}
}

struct resolvconf resolvconf_read(const char *path)
{
	struct resolvconf rc = { .timeout_ms = TIMEOUT_SEC * 1000,
				 .attempts = ATTEMPTS };
	char *line = NULL;
	size_t room = 0;
	FILE *f = fopen(path, "re");

	for (int i = 0; f && i < LINES_MAX && getline(&line, &room, f) >= 0;
	     i++)
		parse_line(&rc, line);
	free(line);
	if (f)
		(void)fclose(f);
	if (rc.n_servers == 0)
		rc.n_servers = 1; /* c-ares asks 127.0.0.1 */
	return rc;
}

int resolvconf_fit_timeout_ms(const struct resolvconf *rc, int budget_ms)
{
	int rounds = (1 << rc->attempts) - 1; /* 1 + 2 + 4 ... */
	int fit = budget_ms / rounds / rc->n_servers;

	if (fit > rc->timeout_ms)
		fit = rc->timeout_ms;
	return fit > TIMEOUT_MIN_MS ? fit : TIMEOUT_MIN_MS;
}
