/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/gitconfig.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/fd.h"

struct rule {
	const char *section;
	const char *key;   /* NULL: any */
	const char *value; /* how it begins; NULL: any */
};

static const struct rule rules[] = {
	{ "core", "fsmonitor", NULL },
	{ "core", "hookspath", NULL },
	{ "core", "sshcommand", NULL },
	{ "core", "pager", NULL },
	{ "core", "editor", NULL },
	{ "core", "askpass", NULL },
	{ "core", "gitproxy", NULL },
	{ "core", "alternaterefscommand", NULL },
	{ "core", "attributesfile", NULL },
	{ "core", "worktree", NULL },
	{ "alias", NULL, "!" },
	{ "pager", NULL, NULL },
	{ "sequence", "editor", NULL },
	{ "interactive", "difffilter", NULL },
	{ "filter", "clean", NULL },
	{ "filter", "smudge", NULL },
	{ "filter", "process", NULL },
	{ "diff", "external", NULL },
	{ "diff", "command", NULL },
	{ "diff", "textconv", NULL },
	{ "merge", "driver", NULL },
	{ "mergetool", "cmd", NULL },
	{ "mergetool", "path", NULL },
	{ "difftool", "cmd", NULL },
	{ "difftool", "path", NULL },
	{ "guitool", "cmd", NULL },
	{ "browser", "cmd", NULL },
	{ "browser", "path", NULL },
	{ "man", "cmd", NULL },
	{ "man", "path", NULL },
	{ "hook", "command", NULL },
	{ "trailer", "command", NULL },
	{ "trailer", "cmd", NULL },
	{ "tar", "command", NULL },
	{ "sendemail", NULL, NULL },
	{ "credential", "helper", NULL },
	{ "gpg", "program", NULL },
	{ "gpg", "defaultkeycommand", NULL },
	{ "include", "path", NULL },
	{ "includeif", "path", NULL },
	{ "init", "templatedir", NULL },
	{ "uploadpack", "packobjectshook", NULL },
	{ "url", "insteadof", NULL },
	{ "url", "pushinsteadof", NULL },
	{ "remote", "uploadpack", NULL },
	{ "remote", "receivepack", NULL },
	{ "remote", "proxy", NULL },
	{ "remote", "vcs", NULL },
	{ "remote", "url", "ext::" },
	{ "remote", "pushurl", "ext::" },
	{ "submodule", "update", "!" },
	{ "http", "proxy", NULL },
	{ "http", "sslverify", NULL },
	{ "http", "sslcainfo", NULL },
	{ "protocol", "allow", NULL },
};

struct parser {
	const char *p, *end;
	/* Each has room for all of the text. */
	char *section, *name, *value;
	size_t section_len; /* of "section.sub", 0 before the first */
	bool known;	    /* there was a good header */
	gitconfig_fn *fn;
	void *arg;
};

static int next(struct parser *x)
{
	return x->p < x->end ? (unsigned char)*x->p : -1;
}

static char lower(char c)
{
	return (char)tolower((unsigned char)c);
}

static void skip_line(struct parser *x)
{
	while (next(x) >= 0 && *x->p++ != '\n')
		;
}

static void skip_blanks(struct parser *x)
{
	while (next(x) == ' ' || next(x) == '\t' || next(x) == '\r')
		x->p++;
}

/* Behind the '['. */
static void read_header(struct parser *x)
{
	size_t n = 0;

	x->known = false;
	while (isalnum(next(x)) || next(x) == '-' || next(x) == '.')
		x->section[n++] = lower(*x->p++);
	skip_blanks(x);
	if (next(x) == '"') {
		x->section[n++] = '.';
		for (x->p++; next(x) >= 0 && *x->p != '"' && *x->p != '\n';) {
			x->p += *x->p == '\\' && x->p + 1 < x->end;
			x->section[n++] = *x->p++;
		}
		if (next(x) == '"')
			x->p++;
	}
	skip_blanks(x);
	x->section[n] = '\0';
	x->section_len = n;
	if (next(x) == ']') {
		x->p++;
		x->known = n > 0;
	} else {
		skip_line(x);
	}
}

/* Behind the '='; one backslash and the next character, with p at the latter.
 * The length afterwards. */
static size_t read_escape(struct parser *x, size_t n)
{
	static const char from[] = "nbt";
	static const char to[] = "\n\b\t";
	const char *at;

	if (next(x) == '\r' && x->p + 1 < x->end && x->p[1] == '\n')
		x->p++;
	if (next(x) < 0)
		return n;
	if (*x->p != '\n') {
		at = strchr(from, *x->p);
		x->value[n] = *x->p;
		if (at && *at)
			x->value[n] = to[at - from];
		n++;
	}
	x->p++;
	return n;
}

static void read_value(struct parser *x)
{
	bool quoted = false;
	size_t n = 0;
	size_t solid = 0; /* without blanks at the end */

	skip_blanks(x);
	while (next(x) >= 0 && *x->p != '\n') {
		char c = *x->p++;

		if (!quoted && (c == '#' || c == ';')) {
			skip_line(x);
			x->p--; /* at its end, or at that of the text */
			break;
		}
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\')
			n = read_escape(x, n);
		else
			x->value[n++] = c;
		if (quoted || !isspace((unsigned char)c))
			solid = n;
	}
	if (next(x) >= 0)
		x->p++;
	x->value[solid] = '\0';
}

static bool is_command(const struct parser *x, const char *key)
{
	size_t len = strcspn(x->section, ".");

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];

		if (strncmp(r->section, x->section, len) == 0 &&
		    !r->section[len] && (!r->key || strcmp(r->key, key) == 0) &&
		    (!r->value ||
		     strncmp(r->value, x->value, strlen(r->value)) == 0))
			return true;
	}
	return false;
}

static int read_entry(struct parser *x)
{
	size_t at = x->section_len + 1;
	size_t n = at;

	memcpy(x->name, x->section, x->section_len);
	x->name[x->section_len] = '.';
	while (isalnum(next(x)) || next(x) == '-')
		x->name[n++] = lower(*x->p++);
	x->name[n] = '\0';
	skip_blanks(x);
	x->value[0] = '\0';
	if (n == at) {
		skip_line(x);
		return 0;
	}
	if (next(x) == '=') {
		x->p++;
		read_value(x);
	} else {
		skip_line(x);
	}
	if (!x->known || !is_command(x, x->name + at))
		return 0;
	return x->fn(x->arg, x->name, x->value);
}

int gitconfig_commands(const char *text, size_t len, gitconfig_fn *fn,
		       void *arg)
{
	cleanup_free char *section = malloc(len + 2);
	cleanup_free char *name = malloc(2 * len + 4);
	cleanup_free char *value = malloc(len + 2);
	struct parser x = { .p = text,
			    .end = text + len,
			    .section = section,
			    .name = name,
			    .value = value,
			    .fn = fn,
			    .arg = arg };
	int rc = 0;

	if (!section || !name || !value)
		return -ENOMEM;
	section[0] = '\0';
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		x.p += 3;
	while (rc == 0 && next(&x) >= 0) {
		int c = next(&x);

		if (isspace(c)) {
			x.p++;
		} else if (c == '#' || c == ';') {
			skip_line(&x);
		} else if (c == '[') {
			x.p++;
			read_header(&x);
		} else {
			rc = read_entry(&x);
		}
	}
	return rc;
}
