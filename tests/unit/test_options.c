/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, and --help and the manual against the table of options.
 * The manual is looked for below the current folder. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fd.h"
#include "launcher/flags.h"
#include "launcher/options.h"
#include "profiles/profile.h"

#define MANUAL	  "docs/egress-run.1"
#define WORDS_MAX 24

struct command_line {
	char *argv[WORDS_MAX];
	int argc;
	struct options o;
	struct err e;
	int rc;
};

/* The words are literals: the parser changes none of them. */
static void parse_words(struct command_line *c, const char *const *words)
{
	static const char *const name = "egress-run";

	memset(c, 0, sizeof(*c));
	memcpy(&c->argv[c->argc++], &name, sizeof(char *));
	for (; *words; words++) {
		assert_true(c->argc < WORDS_MAX - 1);
		memcpy(&c->argv[c->argc++], words, sizeof(char *));
	}
	c->rc = options_parse(&c->o, c->argc, c->argv, &c->e);
}

#define PARSE(c, ...) \
	parse_words(c, (const char *const[]) { __VA_ARGS__, NULL })

#define ASSERT_GOOD(c)                                          \
	do {                                                    \
		if ((c)->rc != 0)                               \
			fail_msg("unexpected: %s", (c)->e.msg); \
	} while (0)

/* Refused, with a message that has this text. */
static void assert_refused(struct command_line *c, const char *text)
{
	assert_int_equal(c->rc, -EINVAL);
	assert_int_equal(c->e.code, EINVAL);
	if (!strstr(c->e.msg, text))
		fail_msg("'%s' is not in '%s'", text, c->e.msg);
	options_done(&c->o);
}

/* The entries of that key: "a", "b" or, in a map, "key=a". */
static void assert_entries(const struct command_line *c, enum profile_key k,
			   const char *const *want)
{
	const struct field *f = &c->o.flags->field[k];
	size_t n = 0;

	for (; want[n]; n++) {
		const struct entry *item = &f->items[n];
		char text[256];

		assert_true(n < f->n);
		assert_true(snprintf(text, sizeof(text), "%s%s%s",
				     item->key ? item->key : "",
				     item->key ? "=" : "",
				     item->text) < (int)sizeof(text));
		assert_string_equal(text, want[n]);
		assert_int_equal(item->from.line, 0);
		assert_memory_equal(item->from.file, "--", 2);
	}
	assert_int_equal(f->n, n);
	assert_int_equal(f->state, n > 0 ? FIELD_SET : FIELD_ABSENT);
}

#define ENTRIES(c, k, ...) \
	assert_entries(c, k, (const char *const[]) { __VA_ARGS__, NULL })

static void test_defaults(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "true");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.action, ACTION_RUN);
	assert_int_equal(c.o.grace_sec, GRACE_DEFAULT_SEC);
	assert_null(c.o.user);
	assert_null(c.o.log_path);
	assert_false(c.o.quiet);
	assert_int_equal(c.o.verbose, 0);
	assert_false(c.o.grace_given);
	assert_null(c.o.profile);
	assert_null(c.o.extends.items);
	assert_null(c.o.workdir);
	assert_false(c.o.allow_net);
	for (int k = 0; k < KEY__COUNT; k++)
		assert_int_equal(c.o.flags->field[k].state, FIELD_ABSENT);
	assert_string_equal(c.o.command[0], "true");
	assert_null(c.o.command[1]);
	options_done(&c.o);
}

static void test_every_option(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "--allow-domain", "a.example", "--allow-domain=b.example:443",
	      "--allow-address", "192.0.2.7", "--allow-address=2001:db8::/32",
	      "--user", "nobody", "--log=out.json", "--grace", "0", "--quiet",
	      "--verbose", "--dry-run", "cmd", "arg");
	ASSERT_GOOD(&c);
	ENTRIES(&c, KEY_NET_ALLOW_DOMAIN, "a.example", "b.example:443");
	ENTRIES(&c, KEY_OWN_ALLOW_ADDRESS, "192.0.2.7", "2001:db8::/32");
	assert_true(c.o.grace_given);
	assert_string_equal(c.o.user, "nobody");
	assert_string_equal(c.o.log_path, "out.json");
	assert_int_equal(c.o.grace_sec, 0);
	assert_true(c.o.quiet);
	assert_int_equal(c.o.verbose, 1);
	assert_int_equal(c.o.action, ACTION_DRY_RUN);
	assert_string_equal(c.o.command[0], "cmd");
	assert_string_equal(c.o.command[1], "arg");
	assert_null(c.o.command[2]);
	options_done(&c.o);
}

/* The last word counts where there can be one only. */
static void test_repeated(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "--log", "a", "--log", "b", "--user=u", "--user=v", "--grace",
	      "1", "--grace", "86400", "true");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.log_path, "b");
	assert_string_equal(c.o.user, "v");
	assert_int_equal(c.o.grace_sec, GRACE_MAX_SEC);
	options_done(&c.o);
}

static void test_help_and_version(void **state)
{
	static const struct {
		const char *word;
		enum options_action action;
	} cases[] = {
		{ "-h", ACTION_HELP },
		{ "--help", ACTION_HELP },
		{ "--version", ACTION_VERSION },
		{ "-V", ACTION_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command_line c;

		/* No command is needed, nothing behind it is read. */
		PARSE(&c, cases[i].word);
		ASSERT_GOOD(&c);
		assert_int_equal(c.o.action, cases[i].action);
		options_done(&c.o);
		PARSE(&c, "-q", cases[i].word, "--no-such-option");
		ASSERT_GOOD(&c);
		assert_int_equal(c.o.action, cases[i].action);
		options_done(&c.o);
	}
}

static void test_letters(void **state)
{
	static const struct {
		const char *words[4];
		bool quiet;
		int verbose;
	} cases[] = {
		{ { "-q", "true" }, true, 0 },
		{ { "-v", "true" }, false, 1 },
		{ { "-vv", "true" }, false, 2 },
		{ { "-vq", "true" }, true, 1 },
		{ { "-qvv", "true" }, true, 2 },
		{ { "-v", "--verbose", "-vq", "true" }, true, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command_line c;

		PARSE(&c, cases[i].words[0], cases[i].words[1],
		      cases[i].words[2], cases[i].words[3]);
		ASSERT_GOOD(&c);
		assert_int_equal(c.o.quiet, cases[i].quiet);
		assert_int_equal(c.o.verbose, cases[i].verbose);
		assert_string_equal(c.o.command[0], "true");
		options_done(&c.o);
	}
}

/* What stands behind the command is the command's. */
static void test_command(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "-q", "curl", "-v", "--log", "x", "--", "--help", "");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.action, ACTION_RUN);
	assert_int_equal(c.o.verbose, 0);
	assert_null(c.o.log_path);
	assert_ptr_equal(c.o.command, c.argv + 2);
	assert_string_equal(c.o.command[4], "--");
	assert_string_equal(c.o.command[6], "");
	assert_null(c.o.command[7]);
	options_done(&c.o);

	PARSE(&c, "-q", "--", "-v", "--", "x");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.verbose, 0);
	assert_string_equal(c.o.command[0], "-v");
	assert_string_equal(c.o.command[1], "--");
	options_done(&c.o);

	PARSE(&c, "-");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.command[0], "-");
	options_done(&c.o);
}

static void test_no_command(void **state)
{
	struct command_line c;

	(void)state;
	parse_words(&c, (const char *const[]) { NULL });
	assert_refused(&c, "no command given");
	PARSE(&c, "--");
	assert_refused(&c, "no command given");
	PARSE(&c, "-q", "--allow-domain", "a.example");
	assert_refused(&c, "no command given");
	PARSE(&c, "--dry-run");
	assert_refused(&c, "no command given");
	PARSE(&c, "");
	assert_refused(&c, "empty");
	PARSE(&c, "-v", "--", "", "x");
	assert_refused(&c, "empty");
}

/* Nor are they guessed: what is unique today need not be tomorrow. */
static void test_abbreviations(void **state)
{
	static const struct {
		const char *word, *full;
	} cases[] = {
		{ "--allow-d", "--allow-domain?" },
		{ "--allow-a=192.0.2.7", "--allow-address?" },
		{ "--gr", "--grace?" },
		{ "--qu", "--quiet?" },
		{ "--pro", "--profile?" },
		{ "--allow-domains", "--allow-domain?" },
		{ "--proifle=x", "--profile?" },
	};
	struct command_line c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		PARSE(&c, cases[i].word, "5", "true");
		assert_non_null(strstr(c.e.msg, cases[i].full));
		assert_refused(&c, cases[i].word);
	}
	PARSE(&c, "--zzzzzz", "true");
	assert_null(strstr(c.e.msg, "did you mean"));
	assert_refused(&c, "--zzzzzz");
}

static void test_run_word(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "run", "--allow-domain", "a.example", "--", "run", "x");
	ASSERT_GOOD(&c);
	ENTRIES(&c, KEY_NET_ALLOW_DOMAIN, "a.example");
	assert_string_equal(c.o.command[0], "run");
	assert_string_equal(c.o.command[1], "x");
	options_done(&c.o);

	/* Only the first word of all. */
	PARSE(&c, "-q", "run");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.command[0], "run");
	options_done(&c.o);
	PARSE(&c, "--", "profile");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.action, ACTION_RUN);
	assert_string_equal(c.o.command[0], "profile");
	options_done(&c.o);
	PARSE(&c, "run");
	assert_refused(&c, "no command given");

	PARSE(&c, "profile", "--no-such");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.action, ACTION_PROFILE);
	options_done(&c.o);
	PARSE(&c, "doctor", "--no-such");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.action, ACTION_DOCTOR);
	options_done(&c.o);
}

static void test_profile(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "--profile", "schedar", "--extends", "a,b", "--extends=c");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.profile, "schedar");
	assert_null(c.o.command); /* the profile may bring it */
	assert_int_equal(c.o.extends.n, 3);
	assert_string_equal(c.o.extends.items[1], "b");
	assert_string_equal(c.o.extends.items[2], "c");
	assert_null(c.o.extends.items[3]);
	options_done(&c.o);

	PARSE(&c, "-pci", "-q", "true");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.profile, "ci");
	assert_true(c.o.quiet);
	options_done(&c.o);

	assert_int_equal(setenv("EGRESS_RUN_PROFILE", "ci", 1), 0);
	PARSE(&c, "true");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.profile, "ci");
	options_done(&c.o);
	PARSE(&c, "-p", "other", "true");
	ASSERT_GOOD(&c);
	assert_string_equal(c.o.profile, "other");
	options_done(&c.o);
	PARSE(&c, "--profile=", "true"); /* none, whatever is exported */
	ASSERT_GOOD(&c);
	assert_null(c.o.profile);
	options_done(&c.o);
	assert_int_equal(setenv("EGRESS_RUN_PROFILE", "", 1), 0);
	PARSE(&c, "true");
	ASSERT_GOOD(&c);
	assert_null(c.o.profile);
	options_done(&c.o);
	assert_int_equal(unsetenv("EGRESS_RUN_PROFILE"), 0);
}

/* Every option that becomes an entry, with its aliases. */
static void test_entries(void **state)
{
	static const struct {
		const char *word;
		enum profile_key key;
	} cases[] = {
		{ "-a", KEY_FS_ALLOW },
		{ "--allow", KEY_FS_ALLOW },
		{ "-r", KEY_FS_READ },
		{ "--read", KEY_FS_READ },
		{ "-w", KEY_FS_WRITE },
		{ "--write", KEY_FS_WRITE },
		{ "--allow-file", KEY_FS_ALLOW_FILE },
		{ "--read-file", KEY_FS_READ_FILE },
		{ "--write-file", KEY_FS_WRITE_FILE },
		{ "--allow-unix-socket", KEY_FS_UNIX_SOCKET },
		{ "--allow-unix-socket-bind", KEY_FS_UNIX_SOCKET_BIND },
		{ "--allow-unix-socket-dir", KEY_FS_UNIX_SOCKET_DIR },
		{ "--allow-unix-socket-dir-bind", KEY_FS_UNIX_SOCKET_DIR_BIND },
		{ "--allow-unix-socket-subtree", KEY_FS_UNIX_SOCKET_SUBTREE },
		{ "--allow-unix-socket-subtree-bind",
		  KEY_FS_UNIX_SOCKET_SUBTREE_BIND },
		{ "--bypass-protection", KEY_FS_BYPASS_PROTECTION },
		{ "--override-deny", KEY_FS_BYPASS_PROTECTION },
		{ "--allow-domain", KEY_NET_ALLOW_DOMAIN },
		{ "--allow-proxy", KEY_NET_ALLOW_DOMAIN },
		{ "--proxy-allow", KEY_NET_ALLOW_DOMAIN },
		{ "--deny-domain", KEY_NET_DENY_DOMAIN },
		{ "--allow-command", KEY_COMMANDS_ALLOW },
		{ "--block-command", KEY_COMMANDS_DENY },
	};
	struct command_line c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* A comma is part of a path. */
		bool is_path = cases[i].key >= KEY_FS_ALLOW &&
			       cases[i].key <= KEY_FS_BYPASS_PROTECTION;
		const char *first = is_path ? "/a,b" : "a.example";

		PARSE(&c, cases[i].word, first, cases[i].word, "x.example",
		      "true");
		ASSERT_GOOD(&c);
		ENTRIES(&c, cases[i].key, first, "x.example");
		for (int k = 0; k < KEY__COUNT; k++)
			assert_true(k == (int)cases[i].key ||
				    c.o.flags->field[k].n == 0);
		options_done(&c.o);
		if (is_path) {
			PARSE(&c, cases[i].word, "", "true");
			assert_refused(&c, "empty");
		}
	}
	PARSE(&c, "--network-profile", "minimal", "--network-profile=developer",
	      "--workdir", "/w", "--allow-net", "--require-credentials",
	      "--no-diagnostics", "true");
	ASSERT_GOOD(&c);
	ENTRIES(&c, KEY_NET_PROFILE, "developer");
	assert_string_equal(c.o.workdir, "/w");
	assert_true(c.o.allow_net && c.o.require_credentials && c.o.no_summary);
	options_done(&c.o);
}

static void test_credentials(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "--env-credential", "github_token,b", "--env-credential-map",
	      "env://TOKEN", "GH_TOKEN", "--env-credential-map=x", "Y", "true");
	ASSERT_GOOD(&c);
	ENTRIES(&c, KEY_ENV_CREDENTIALS, "github_token=GITHUB_TOKEN", "b=B",
		"env://TOKEN=GH_TOKEN", "x=Y");
	options_done(&c.o);
	PARSE(&c, "--env-credential", "a,op://v/i/f", "true");
	assert_refused(&c, "--env-credential-map 'op://v/i/f'");
	PARSE(&c, "--env-credential", "a,,b", "true");
	assert_refused(&c, "empty");
	PARSE(&c, "--env-credential-map", "x");
	assert_refused(&c, "missing");
}

static void test_block_net(void **state)
{
	static const char *const rivals[][2] = {
		{ "--allow-domain=a.example", "--allow-domain" },
		{ "--allow-address=192.0.2.7", "--allow-address" },
		{ "--network-profile=minimal", "--network-profile" },
		{ "--allow-net", "--allow-net" },
	};
	struct command_line c;

	(void)state;
	PARSE(&c, "--block-net", "--net-block", "true");
	ASSERT_GOOD(&c);
	ENTRIES(&c, KEY_NET_BLOCK, "true");
	options_done(&c.o);
	for (size_t i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++) {
		PARSE(&c, "--block-net", rivals[i][0], "true");
		assert_non_null(strstr(c.e.msg, rivals[i][1]));
		assert_refused(&c, "contradictory");
	}
}

/* nono's options: each is taken with a reason, or refused with one. */
static void test_foreign(void **state)
{
	struct command_line c;

	(void)state;
	for (const struct flag *f = run_flags; f->name; f++) {
		char word[64];

		if (f->id != FLAG_IGNORED && f->id != FLAG_REFUSED)
			continue;
		assert_true(strlen(f->text) > 10);
		assert_true(snprintf(word, sizeof(word), "--%s", f->name) <
			    (int)sizeof(word));
		if (f->id == FLAG_REFUSED) {
			PARSE(&c, word);
			assert_non_null(strstr(c.e.msg, f->text));
			assert_refused(&c, "not in egress-run");
			PARSE(&c, word, "value", "--", "true");
			assert_refused(&c, word);
		} else {
			PARSE(&c, word, f->n_values > 0 ? "value" : "true",
			      "true");
			ASSERT_GOOD(&c);
			assert_int_equal(c.o.ignored.n, 1);
			assert_non_null(strstr(c.o.ignored.items[0], f->text));
			options_done(&c.o);
		}
	}
	PARSE(&c, "-c", "manifest.json", "true");
	assert_refused(&c, "--config");
	PARSE(&c, "-s", "--no-rollback", "--no-audit", "--allow-cwd", "true");
	ASSERT_GOOD(&c);
	assert_true(c.o.quiet);
	assert_int_equal(c.o.ignored.n, 3);
	assert_string_equal(c.o.command[0], "true");
	options_done(&c.o);
}

/* No name or letter twice; aliases name an option that there is. */
static void test_table(void **state)
{
	(void)state;
	for (const struct flag *f = run_flags; f->name; f++) {
		for (const struct flag *g = f + 1; g->name; g++) {
			assert_string_not_equal(f->name, g->name);
			assert_true(!f->letter || f->letter != g->letter);
		}
		if (f->text && f->id != FLAG_IGNORED && f->id != FLAG_REFUSED) {
			const struct flag *g = run_flags;

			while (g->name && strcmp(g->name, f->text) != 0)
				g++;
			assert_non_null(g->name);
			assert_int_equal(g->id, f->id);
			assert_int_equal(g->key, f->key);
		}
	}
}

static void test_missing_values(void **state)
{
	static const char *const words[] = {
		"--allow-domain", "--allow-address", "--user",	  "--log",
		"--grace",	  "--profile",	     "--workdir", "--allow",
	};
	struct command_line c;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		PARSE(&c, "-q", words[i]);
		assert_non_null(strstr(c.e.msg, "missing"));
		assert_refused(&c, words[i]);
	}
	PARSE(&c, "--quiet=yes", "true");
	assert_refused(&c, "--quiet=yes");
}

static void test_bad_values(void **state)
{
	static const char *const grace[] = {
		"",	"-1", "86401",
		"+5",	"5s", " 5",
		"1e3",	"x",  "99999999999999999999",
		"0x10",
	};
	struct command_line c;

	(void)state;
	for (size_t i = 0; i < sizeof(grace) / sizeof(grace[0]); i++) {
		PARSE(&c, "--grace", grace[i], "true");
		assert_refused(&c, "0 to 86400");
	}
	PARSE(&c, "--deny-domain", "a b", "true");
	assert_refused(&c, "a b");
	PARSE(&c, "--allow-domain", "https://github.com/org/**", "true");
	assert_refused(&c, "https://github.com/org/**");
	PARSE(&c, "--allow-domain", "github", "true"); /* a group */
	ASSERT_GOOD(&c);
	options_done(&c.o);
	PARSE(&c, "--allow-domain", "*.com", "true");
	assert_refused(&c, "*.com");
	PARSE(&c, "--allow-domain", "", "true");
	assert_refused(&c, "");
	PARSE(&c, "--allow-address", "127.0.0.1", "true");
	assert_refused(&c, "127.0.0.1");
	PARSE(&c, "--allow-address", "a.example", "true");
	assert_refused(&c, "a.example");
}

/* --help and the manual */

static bool is_option(const char *word, size_t len)
{
	for (const struct flag *f = run_flags; f->name; f++)
		if (strlen(f->name) == len && memcmp(f->name, word, len) == 0)
			return true;
	return false;
}

static size_t word_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '-')
		n++;
	return n;
}

/* Each option stands behind mark in text as a whole word. */
static void assert_all_named(const char *text, const char *mark)
{
	const char *name;

	for (size_t i = 0; (name = options_name(i)); i++) {
		bool found = false;

		for (const char *p = strstr(text, mark); p && !found;
		     p = strstr(p, mark)) {
			p += strlen(mark);
			found = word_length(p) == strlen(name) &&
				strncmp(p, name, strlen(name)) == 0;
		}
		if (!found)
			fail_msg("--%s is not described", name);
	}
}

/* Each word behind mark is an option. */
static void assert_none_invented(const char *text, const char *mark)
{
	for (const char *p = strstr(text, mark); p; p = strstr(p, mark)) {
		size_t n;

		p += strlen(mark);
		n = word_length(p);
		if (n > 0 && !is_option(p, n))
			fail_msg("there is no --%.*s", (int)n, p);
	}
}

static void test_help_text(void **state)
{
	const char *help = options_help();

	(void)state;
	assert_all_named(help, "--");
	assert_none_invented(help, "--");
	assert_int_equal(help[strlen(help) - 1], '\n');
	for (const char *p = help; *p;) {
		size_t n = strcspn(p, "\n");

		assert_true(n <= 80);
		p += n + 1;
	}
}

static char *read_manual(void)
{
	FILE *f = fopen(MANUAL, "re");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = calloc(1, 262144);
	assert_non_null(text);
	n = fread(text, 1, 262143, f);
	assert_int_equal(fclose(f), 0);
	assert_true(n > 0 && n < 262143);
	return text;
}

/* Synopsis and options; further on there are options of other programs. */
static void test_manual(void **state)
{
	cleanup_free char *text = read_manual();
	char *synopsis;
	char *options;
	char *end;

	(void)state;
	if (!text)
		skip();
	synopsis = strstr(text, "\n.Sh SYNOPSIS\n");
	options = strstr(text, "\n.Sh OPTIONS\n");
	assert_non_null(synopsis);
	assert_non_null(options);
	end = strstr(options + 1, "\n.Sh ");
	assert_non_null(end);
	*end = '\0';
	assert_none_invented(synopsis, "Fl -");
	assert_none_invented(options, "Fl -");
	assert_all_named(options, "Fl -");
	*options = '\0';
	*strstr(synopsis + 1, "\n.Sh ") = '\0';
	assert_non_null(strstr(synopsis, "Fl -allow-domain"));
}

/* The message names what is wrong. */
static void test_unknown(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "--no-such", "true");
	assert_refused(&c, "'--no-such'");
	PARSE(&c, "-x", "true");
	assert_refused(&c, "'-x'");
	PARSE(&c, "-qx", "true");
	assert_refused(&c, "'-x'");
	PARSE(&c, "--dry-run", "-xq", "true");
	assert_refused(&c, "'-x'");
	PARSE(&c, "-vv", "true");
	ASSERT_GOOD(&c);
	assert_int_equal(c.o.verbose, 2);
	options_done(&c.o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_no_command),
		cmocka_unit_test(test_abbreviations),
		cmocka_unit_test(test_run_word),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_block_net),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_missing_values),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_help_text),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
