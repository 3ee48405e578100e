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
#include "launcher/options.h"
#include "profiles/allowlist.h"

#define MANUAL	  "docs/egress-run.1"
#define WORDS_MAX 24

struct command_line {
	char *argv[WORDS_MAX];
	int argc;
	struct options o;
	struct err e;
	int rc;
};

/* The words are literals: getopt() changes none of them, and may look at the
 * last one of the parse before. */
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
	assert_int_equal(allowlist_n_domains(c.o.allow), 0);
	assert_int_equal(allowlist_n_networks(c.o.allow), 0);
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
	assert_int_equal(allowlist_n_domains(c.o.allow), 2);
	assert_int_equal(allowlist_n_networks(c.o.allow), 2);
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
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
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

static void test_abbreviations(void **state)
{
	struct command_line c;

	(void)state;
	PARSE(&c, "--allow-d", "a.example", "--allow-a=192.0.2.7", "--gr", "5",
	      "--us=u", "--lo", "l", "--verb", "--qu", "--dry", "true");
	ASSERT_GOOD(&c);
	assert_int_equal(allowlist_n_domains(c.o.allow), 1);
	assert_int_equal(allowlist_n_networks(c.o.allow), 1);
	assert_int_equal(c.o.grace_sec, 5);
	assert_string_equal(c.o.user, "u");
	assert_int_equal(c.o.verbose, 1);
	assert_true(c.o.quiet);
	options_done(&c.o);

	PARSE(&c, "--allow", "a.example", "true");
	assert_refused(&c, "--allow");
	PARSE(&c, "--ver", "true"); /* verbose, version */
	assert_refused(&c, "--ver");
}

static void test_missing_values(void **state)
{
	static const char *const words[] = { "--allow-domain",
					     "--allow-address", "--user",
					     "--log", "--grace" };
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
	const char *name;

	for (size_t i = 0; (name = options_name(i)); i++)
		if (strlen(name) == len && memcmp(name, word, len) == 0)
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

/* Last, since a parse that ends inside of a group of letters leaves getopt()
 * in the middle of it: the message names what is wrong, and the next command
 * line starts afresh. */
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
		cmocka_unit_test(test_missing_values),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_help_text),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
