/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KEYRING_SERVICE "nono" /* where users of nono have their tokens */
#define GO_KEYRING	"?decode=go-keyring"

/* Of no use in a name, and trouble in a shell that it is pasted into. */
#define ODD_CHARS ";|&$`(){}<>!\\\"'"

static const char *const dangerous[] = {
	"LD_PRELOAD",
	"LD_LIBRARY_PATH",
	"LD_AUDIT",
	"BASH_ENV",
	"ENV",
	"IFS",
	"CDPATH",
	"PROMPT_COMMAND",
	"NODE_OPTIONS",
	"NODE_PATH",
	"PYTHONSTARTUP",
	"PYTHONPATH",
	"PERL5OPT",
	"PERL5LIB",
	"RUBYOPT",
	"RUBYLIB",
	"JAVA_TOOL_OPTIONS",
	"_JAVA_OPTIONS",
	"GOFLAGS",
	"PATH",
	"HOME",
	"DOTNET_STARTUP_HOOKS",
	"SHELL",
};

bool variable_is_dangerous(const char *name)
{
	if (strncasecmp(name, "DYLD_", 5) == 0)
		return true;
	for (size_t i = 0; i < sizeof(dangerous) / sizeof(dangerous[0]); i++)
		if (strcasecmp(name, dangerous[i]) == 0)
			return true;
	return false;
}

bool variable_is_word(const char *name)
{
	return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
					  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "0123456789_")] == '\0';
}

/* Fits: nothing is longer than the reference. */
static void copy(char to[static REFERENCE_MAX], const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

static int wrong(const struct reference *r, const char *what, struct err *e)
{
	return err_set(e, EINVAL, "the reference '%s' %s", r->text, what);
}

/* Splits rest at its one slash. */
static bool split(const char *rest, struct reference *r)
{
	const char *slash = strchr(rest, '/');

	if (!slash || slash == rest || !slash[1] || strchr(slash + 1, '/'))
		return false;
	memcpy(r->first, rest, (size_t)(slash - rest));
	copy(r->second, slash + 1);
	return true;
}

static int parse_keyring(const char *rest, struct reference *r, struct err *e)
{
	char path[REFERENCE_MAX];
	char *query;

	copy(path, rest);
	query = strchr(path, '?');
	if (query && strcmp(query, GO_KEYRING) != 0)
		return wrong(r, "may end with " GO_KEYRING " and no other '?'",
			     e);
	r->go_keyring = query;
	if (query)
		*query = '\0';
	if (strpbrk(path, ODD_CHARS "#") || !split(path, r))
		return wrong(r, "is not keyring://SERVICE/ACCOUNT", e);
	return 0;
}

static int parse_env(const char *rest, struct reference *r, struct err *e)
{
	if (!variable_is_word(rest))
		return wrong(r, "is not env://VARIABLE", e);
	if (variable_is_dangerous(rest))
		return wrong(r, "names a variable that holds no secret", e);
	copy(r->first, rest);
	return 0;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || p[3] == '\0')
			return true;
	return false;
}

static int parse_file(const char *rest, struct reference *r, struct err *e)
{
	if (rest[0] != '/' || rest[strspn(rest, "/")] == '\0')
		return wrong(r, "needs an absolute path: file:///PATH", e);
	if (has_dotdot(rest))
		return wrong(r, "must not go through '..'", e);
	copy(r->first, rest);
	return 0;
}

static int parse_op(const char *rest, struct reference *r, struct err *e)
{
	size_t n = 1;

	for (const char *p = rest; *p; p++)
		n += *p == '/';
	if (strpbrk(rest, ODD_CHARS "?#") || n < 3 || rest[0] == '/' ||
	    rest[strlen(rest) - 1] == '/' || strstr(rest, "//"))
		return wrong(r, "is not op://VAULT/ITEM/FIELD", e);
	copy(r->first, r->text);
	return 0;
}

static int parse_bw(const char *rest, struct reference *r, struct err *e)
{
	if (strpbrk(rest, ODD_CHARS "?#=") || !*rest || rest[0] == '-')
		return wrong(r, "is not bw://ITEM or bw://ITEM/FIELD", e);
	if (!strchr(rest, '/'))
		copy(r->first, rest);
	else if (!split(rest, r))
		return wrong(r, "is not bw://ITEM or bw://ITEM/FIELD", e);
	return 0;
}

static int parse_apple(const char *rest, struct reference *r, struct err *e)
{
	if (strpbrk(rest, ODD_CHARS "?#") || !split(rest, r))
		return wrong(r, "is not apple-password://SERVER/ACCOUNT", e);
	return 0;
}

static int parse_cmd(const char *rest, struct reference *r, struct err *e)
{
	(void)rest;
	return wrong(r, "works in custom_credentials only", e);
}

static const struct form {
	const char *prefix;
	enum reference_kind kind;
	int (*parse)(const char *rest, struct reference *r, struct err *e);
} forms[] = {
	{ "keyring://", REFERENCE_KEYRING, parse_keyring },
	{ "env://", REFERENCE_ENV, parse_env },
	{ "file://", REFERENCE_FILE, parse_file },
	{ "op://", REFERENCE_OP, parse_op },
	{ "bw://", REFERENCE_BW, parse_bw },
	{ "apple-password://", REFERENCE_APPLE, parse_apple },
	{ "apple-passwords://", REFERENCE_APPLE, parse_apple },
	{ "cmd://", REFERENCE__COUNT, parse_cmd },
};

/* A keyring entry; the name is a word of secret-tool's command line. */
static int parse_name(struct reference *r, struct err *e)
{
	if (strstr(r->text, "://"))
		return wrong(r,
			     "has an unknown form; known are a name in the "
			     "keyring, keyring://, env://, file://, op:// and "
			     "bw://",
			     e);
	if (!*r->text || *r->text == '-')
		return wrong(r, "is no name of a keyring entry", e);
	r->kind = REFERENCE_KEYRING;
	copy(r->first, KEYRING_SERVICE);
	copy(r->second, r->text);
	return 0;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

int reference_parse(const char *text, struct reference *ret, struct err *e)
{
	memset(ret, 0, sizeof(*ret));
	ret->text = text;
	if (strlen(text) >= REFERENCE_MAX)
		return err_set(e, EINVAL,
			       "a reference of %zu bytes is too long: at most "
			       "%d",
			       strlen(text), REFERENCE_MAX - 1);
	if (has_control(text))
		return wrong(ret, "has control characters", e);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t len = strlen(forms[i].prefix);

		if (strncmp(text, forms[i].prefix, len) != 0)
			continue;
		ret->kind = forms[i].kind;
		return forms[i].parse(text + len, ret, e);
	}
	return parse_name(ret, e);
}

void reference_describe(const struct reference *r, char *buf, size_t size)
{
	static const char *const words[REFERENCE__COUNT] = {
		[REFERENCE_ENV] = "the variable",
		[REFERENCE_FILE] = "the file",
		[REFERENCE_OP] = "1Password's",
		[REFERENCE_BW] = "Bitwarden's item",
		[REFERENCE_APPLE] = "Apple's password",
	};

	if (r->kind != REFERENCE_KEYRING)
		(void)snprintf(buf, size, "%s '%s%s%s'", words[r->kind],
			       r->first, *r->second ? "/" : "", r->second);
	else if (strcmp(r->first, KEYRING_SERVICE) == 0)
		(void)snprintf(buf, size, "the keyring entry '%s'", r->second);
	else
		(void)snprintf(buf, size,
			       "the keyring entry '%s' of service '%s'",
			       r->second, r->first);
}
