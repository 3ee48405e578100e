/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/flags.h"

#include <errno.h>
#include <string.h>

#include "profiles/profile.h"
#include "profiles/suggest.h"

#define NO_RECORDS "egress-run keeps no records of sessions"
#define NO_PROXY                                                  \
	"there is no proxy in egress-run: any TCP client passes " \
	"without one, by name"
#define NO_INJECTION                                          \
	"egress-run does not put credentials into requests; " \
	"--env-credential gives them to the command's environment"
#define NO_ROLLBACK "egress-run takes no snapshots; commit your work first"

#define LIST(name, letter, key)                       \
	{                                             \
		name, letter, 1, FLAG_LIST, key, NULL \
	}
#define ALIAS(name, id, key, of)        \
	{                               \
		name, 0, 1, id, key, of \
	}
#define IGNORED(name, n, text)                     \
	{                                          \
		name, 0, n, FLAG_IGNORED, -1, text \
	}
#define REFUSED(name, n, text)                     \
	{                                          \
		name, 0, n, FLAG_REFUSED, -1, text \
	}
#define PLAIN(name, letter, n, id)            \
	{                                     \
		name, letter, n, id, -1, NULL \
	}

const struct flag run_flags[] = {
	/* profile */
	PLAIN("profile", 'p', 1, FLAG_PROFILE),
	PLAIN("extends", 0, 1, FLAG_EXTENDS),
	/* network */
	PLAIN("allow-domain", 0, 1, FLAG_ALLOW_DOMAIN),
	ALIAS("allow-proxy", FLAG_ALLOW_DOMAIN, -1, "allow-domain"),
	ALIAS("proxy-allow", FLAG_ALLOW_DOMAIN, -1, "allow-domain"),
	PLAIN("deny-domain", 0, 1, FLAG_DENY_DOMAIN),
	PLAIN("allow-address", 0, 1, FLAG_ALLOW_ADDRESS),
	PLAIN("allow-private", 0, 1, FLAG_ALLOW_PRIVATE),
	{ "network-profile", 0, 1, FLAG_SCALAR, KEY_NET_PROFILE, NULL },
	{ "open-port", 0, 1, FLAG_PORTS, KEY_NET_OPEN_PORT, NULL },
	ALIAS("allow-port", FLAG_PORTS, KEY_NET_OPEN_PORT, "open-port"),
	{ "listen-port", 0, 1, FLAG_PORTS, KEY_NET_LISTEN_PORT, NULL },
	ALIAS("allow-bind", FLAG_PORTS, KEY_NET_LISTEN_PORT, "listen-port"),
	{ "allow-connect-port", 0, 1, FLAG_PORTS, KEY_NET_CONNECT_PORT, NULL },
	{ "upstream-proxy", 0, 1, FLAG_SCALAR, KEY_NET_UPSTREAM_PROXY, NULL },
	ALIAS("external-proxy", FLAG_SCALAR, KEY_NET_UPSTREAM_PROXY,
	      "upstream-proxy"),
	LIST("upstream-bypass", 0, KEY_NET_UPSTREAM_BYPASS),
	ALIAS("external-proxy-bypass", FLAG_LIST, KEY_NET_UPSTREAM_BYPASS,
	      "upstream-bypass"),
	PLAIN("allow-net", 0, 0, FLAG_ALLOW_NET),
	{ "block-net", 0, 0, FLAG_TRUE, KEY_NET_BLOCK, NULL },
	{ "net-block", 0, 0, FLAG_TRUE, KEY_NET_BLOCK, "block-net" },
	/* files */
	LIST("allow", 'a', KEY_FS_ALLOW),
	LIST("read", 'r', KEY_FS_READ),
	LIST("write", 'w', KEY_FS_WRITE),
	LIST("allow-file", 0, KEY_FS_ALLOW_FILE),
	LIST("read-file", 0, KEY_FS_READ_FILE),
	LIST("write-file", 0, KEY_FS_WRITE_FILE),
	LIST("allow-unix-socket", 0, KEY_FS_UNIX_SOCKET),
	LIST("allow-unix-socket-bind", 0, KEY_FS_UNIX_SOCKET_BIND),
	LIST("allow-unix-socket-dir", 0, KEY_FS_UNIX_SOCKET_DIR),
	LIST("allow-unix-socket-dir-bind", 0, KEY_FS_UNIX_SOCKET_DIR_BIND),
	LIST("allow-unix-socket-subtree", 0, KEY_FS_UNIX_SOCKET_SUBTREE),
	LIST("allow-unix-socket-subtree-bind", 0,
	     KEY_FS_UNIX_SOCKET_SUBTREE_BIND),
	LIST("bypass-protection", 0, KEY_FS_BYPASS_PROTECTION),
	ALIAS("override-deny", FLAG_LIST, KEY_FS_BYPASS_PROTECTION,
	      "bypass-protection"),
	PLAIN("workdir", 0, 1, FLAG_WORKDIR),
	PLAIN("files", 0, 1, FLAG_FILES),
	{ "share-tmp", 0, 0, FLAG_TRUE, KEY_OWN_SHARE_TMP, NULL },
	{ "memory", 0, 1, FLAG_SCALAR, KEY_OWN_MEMORY, NULL },
	{ "max-processes", 0, 1, FLAG_SCALAR, KEY_OWN_PROCESSES, NULL },
	IGNORED("allow-http2", 0,
		"no proxy stands between, so HTTP/2 passes anyway"),
	IGNORED("allow-cwd", 0,
		"the working directory is granted without asking, at the "
		"level of the profile"),
	/* credentials and commands */
	PLAIN("env-credential", 0, 1, FLAG_ENV_CREDENTIAL),
	PLAIN("env-credential-map", 0, 2, FLAG_ENV_CREDENTIAL_MAP),
	PLAIN("require-credentials", 0, 0, FLAG_REQUIRE_CREDENTIALS),
	LIST("allow-command", 0, KEY_COMMANDS_ALLOW),
	LIST("block-command", 0, KEY_COMMANDS_DENY),
	/* run and report */
	PLAIN("user", 0, 1, FLAG_USER),
	PLAIN("grace", 0, 1, FLAG_GRACE),
	PLAIN("allow-degraded", 0, 0, FLAG_ALLOW_DEGRADED),
	{ "verify", 0, 1, FLAG_VERIFY, KEY_OWN_VERIFY, NULL },
	PLAIN("dry-run", 0, 0, FLAG_DRY_RUN),
	PLAIN("log", 0, 1, FLAG_LOG),
	PLAIN("quiet", 'q', 0, FLAG_QUIET),
	{ "silent", 's', 0, FLAG_QUIET, -1, "quiet" },
	PLAIN("no-diagnostics", 0, 0, FLAG_NO_SUMMARY),
	PLAIN("verbose", 'v', 0, FLAG_VERBOSE),
	PLAIN("help", 'h', 0, FLAG_HELP),
	PLAIN("version", 'V', 0, FLAG_VERSION),
	/* nono's: nothing to do */
	IGNORED("no-rollback", 0, "egress-run takes no snapshots anyway"),
	IGNORED("no-rollback-prompt", 0, "egress-run takes no snapshots"),
	IGNORED("no-audit", 0, NO_RECORDS),
	IGNORED("no-audit-integrity", 0, NO_RECORDS),
	IGNORED("suppress-save-prompt", 1, "egress-run never asks"),
	IGNORED("ignore-denied", 1, "egress-run never asks"),
	IGNORED("skip-dir", 1, "egress-run scans no directories"),
	IGNORED("theme", 1, "the output of egress-run has no colours"),
	IGNORED("startup-timeout", 1, "the start of egress-run does not wait"),
	/* nono's: not there */
	REFUSED("rollback", 0, NO_ROLLBACK),
	REFUSED("rollback-exclude", 1, NO_ROLLBACK),
	REFUSED("rollback-include", 1, NO_ROLLBACK),
	REFUSED("rollback-all", 0, NO_ROLLBACK),
	REFUSED("rollback-dest", 1, NO_ROLLBACK),
	REFUSED("detached", 0, "run egress-run in tmux, or as a unit"),
	REFUSED("detach-timeout", 1, "run egress-run in tmux, or as a unit"),
	REFUSED("name", 1, "egress-run keeps no sessions that need a name"),
	REFUSED("proxy-port", 1, NO_PROXY),
	REFUSED("proxy-ca-validity", 1, NO_PROXY),
	REFUSED("credential", 1, NO_INJECTION),
	REFUSED("proxy-credential", 1, NO_INJECTION),
	REFUSED("allow-endpoint", 1,
		"egress-run decides by name and port and does not look into "
		"requests; '--allow-domain NAME' allows all of a host"),
	REFUSED("capability-elevation", 0,
		"egress-run never asks during a run; name what is needed "
		"beforehand"),
	REFUSED("allow-gpu", 0, "egress-run gives no access to devices"),
	REFUSED("allow-launch-services", 0, "there is none on Linux"),
	REFUSED("sandbox-policy", 1,
		"egress-run always isolates by namespaces; leave it out"),
	REFUSED("audit-integrity", 0,
		NO_RECORDS "; --log FILE writes every decision of a run"),
	REFUSED("audit-sign-key", 1,
		NO_RECORDS "; --log FILE writes every decision of a run"),
	REFUSED("diagnostics-json", 0,
		"--log FILE writes every decision as a line of JSON"),
	REFUSED("log-file", 1, "it is called --log here"),
	REFUSED("trust-override", 0, "egress-run does not verify files"),
	{ "config", 'c', 1, FLAG_REFUSED, -1,
	  "egress-run reads no manifests; write a profile and name it with "
	  "--profile" },
	{ NULL, 0, 0, FLAG_HELP, -1, NULL },
};

const struct flag profile_flags[] = {
	PLAIN("json", 0, 0, FLAG_JSON),
	PLAIN("extends", 0, 1, FLAG_EXTENDS),
	PLAIN("verbose", 'v', 0, FLAG_VERBOSE),
	PLAIN("quiet", 'q', 0, FLAG_QUIET),
	PLAIN("help", 'h', 0, FLAG_HELP),
	{ NULL, 0, 0, FLAG_HELP, -1, NULL },
};

const struct flag doctor_flags[] = {
	PLAIN("json", 0, 0, FLAG_JSON),
	PLAIN("user", 0, 1, FLAG_USER),
	PLAIN("help", 'h', 0, FLAG_HELP),
	{ NULL, 0, 0, FLAG_HELP, -1, NULL },
};

bool flag_is_foreign(const struct flag *f)
{
	return f->id == FLAG_REFUSED ||
	       (f->text && strcmp(f->name, "allow-cwd") != 0);
}

static const struct flag *by_letter(const struct flag *f, char letter)
{
	for (; f->name; f++)
		if (f->letter == letter)
			return f;
	return NULL;
}

static const struct flag *by_name(const struct flag *f, const char *name,
				  size_t len)
{
	for (; f->name; f++)
		if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	return NULL;
}

/* The one that is spelled nearly so, or that the word is the beginning of. */
static const char *suggest(const struct flag *f, const char *name)
{
	size_t len = strcspn(name, "=");
	const char *longer = NULL;
	struct suggest s;
	char word[64];

	if (len == 0 || len >= sizeof(word))
		return NULL;
	memcpy(word, name, len);
	word[len] = '\0';
	suggest_begin(&s, word);
	for (; f->name; f++) {
		if (flag_is_foreign(f))
			continue;
		suggest_offer(&s, f->name);
		if (!longer && strncmp(f->name, word, len) == 0)
			longer = f->name;
	}
	return longer ? longer : s.best;
}

static int unknown(const struct flag_reader *r, const char *word, struct err *e)
{
	const char *near = suggest(r->table, word + 2);

	if (word[1] == '-' && near)
		return err_set(e, EINVAL,
			       "unknown option '%s': did you mean --%s? See "
			       "'egress-run --help'",
			       word, near);
	return err_set(e, EINVAL,
		       "unknown option '%s': see 'egress-run --help'", word);
}

/* Values behind the first, which may be glued to the option. */
static int take_values(struct flag_reader *r, const char *glued,
		       struct flag_read *ret, struct err *e)
{
	/* Whatever follows an option that is refused anyway. */
	if (ret->flag->id == FLAG_REFUSED)
		return 1;
	for (unsigned i = 0; i < ret->flag->n_values; i++) {
		if (i == 0 && glued)
			ret->value[0] = glued;
		else if (r->argv[r->next])
			ret->value[i] = r->argv[r->next++];
		else
			return err_set(e, EINVAL,
				       "a value is missing behind '--%s': see "
				       "'egress-run --help'",
				       ret->flag->name);
	}
	return 1;
}

static int read_letter(struct flag_reader *r, struct flag_read *ret,
		       struct err *e)
{
	char word[3] = { '-', *r->letters++, '\0' };
	const char *glued = NULL;

	ret->flag = by_letter(r->table, word[1]);
	if (!ret->flag)
		return unknown(r, word, e);
	if (ret->flag->n_values > 0) {
		if (*r->letters)
			glued = r->letters;
		r->letters = NULL;
	}
	return take_values(r, glued, ret, e);
}

static int read_long(struct flag_reader *r, const char *word,
		     struct flag_read *ret, struct err *e)
{
	size_t len = strcspn(word + 2, "=");
	const char *glued = word[2 + len] ? word + 2 + len + 1 : NULL;

	ret->flag = by_name(r->table, word + 2, len);
	if (!ret->flag)
		return unknown(r, word, e);
	if (glued && ret->flag->n_values == 0)
		return err_set(e, EINVAL,
			       "'%s': --%s takes no value; see 'egress-run "
			       "--help'",
			       word, ret->flag->name);
	return take_values(r, glued, ret, e);
}

int flags_next(struct flag_reader *r, struct flag_read *ret, struct err *e)
{
	const char *word;

	*ret = (struct flag_read) { 0 };
	if (r->letters && *r->letters)
		return read_letter(r, ret, e);
	word = r->argv[r->next];
	if (!word || word[0] != '-' || word[1] == '\0')
		return 0;
	r->next++;
	if (word[1] != '-') {
		r->letters = word + 1;
		return read_letter(r, ret, e);
	}
	return word[2] == '\0' ? 0 : read_long(r, word, ret, e);
}
