/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References to secrets, and those that need no keyring; the keyring itself is
 * in tests/integration/test_credentials.py.  op and bw, which cannot be had
 * freely, are shell scripts that answer as the manuals say. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/fd.h"
#include "common/log.h"
#include "launcher/credentials.h"
#include "launcher/environment.h"
#include "launcher/reference.h"
#include "launcher/secret.h"
#include "launcher/subprocess.h"

struct state {
	struct arena arena;
	struct profile *p;
	struct environment env;
	struct identity id;
	struct err e;
	char dir[32];	       /* of this test, first in PATH */
	char *path;	       /* PATH before */
	const char *inherited; /* "VALUE=...", or NULL */
	struct grants grants;
	bool loaded[4];
	char said[4096];
};

static int setup(void **ret)
{
	struct state *s = calloc(1, sizeof(*s));
	char path[4096];

	if (!s)
		return -1;
	s->p = profile_new(&s->arena);
	(void)strcpy(s->dir, "/tmp/credentialsXXXXXX");
	s->path = strdup(getenv("PATH"));
	if (!s->p || !s->path || !mkdtemp(s->dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s:%s", s->dir, s->path);
	s->id.uid = getuid();
	s->id.gid = getgid();
	*ret = s;
	return setenv("PATH", path, 1);
}

static int teardown(void **state)
{
	static const char *const files[] = { "op", "bw", "token", "fifo",
					     "argv" };
	struct state *s = *state;
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(s->dir);
	(void)setenv("PATH", s->path, 1);
	environment_done(&s->env);
	arena_free(&s->arena);
	free(s->path);
	free(s);
	return 0;
}

/* A file of the test's folder; gives its path in the arena. */
static const char *file(struct state *s, const char *name, const void *text,
			size_t len, mode_t mode)
{
	const char *path = arena_printf(&s->arena, "%s/%s", s->dir, name);
	cleanup_fd int fd = -1;

	assert_non_null(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	return path;
}

static void script(struct state *s, const char *name, const char *text)
{
	const char *whole = arena_printf(
		&s->arena, "#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s/argv\n%s\n",
		s->dir, text);

	assert_non_null(whole);
	(void)file(s, name, whole, strlen(whole), 0755);
}

/* The words that the script was called with, one a line. */
static void assert_called_with(struct state *s, const char *words)
{
	char path[64];
	char text[1024];
	cleanup_fd int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/argv", s->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	assert_string_equal(text, words);
}

static void say(struct state *s, const char *reference, const char *name)
{
	const struct entry item = { .key = reference,
				    .text = name,
				    .from = { "some.json", 7, 9, NULL } };

	assert_int_equal(profile_append(&s->arena,
					&s->p->field[KEY_ENV_CREDENTIALS],
					&item),
			 0);
}

/* Loads one reference into VALUE, or what else name is; ->said is what went to
 * stderr. */
static int load(struct state *s, const char *reference, bool require)
{
	char *inherited[] = { NULL, NULL };
	const struct vars v = { .home = "/",
				.workdir = "/",
				.environ = inherited };
	cleanup_fd int saved = dup(STDERR_FILENO);
	int ends[2];
	ssize_t n;
	int rc;

	s->p = profile_new(&s->arena);
	assert_non_null(s->p);
	say(s, reference, "VALUE");
	environment_done(&s->env);
	s->e = (struct err) { 0 };
	if (s->inherited)
		inherited[0] = arena_strdup(&s->arena, s->inherited);
	s->loaded[0] = false;
	assert_int_equal(environment_build(&s->env, s->p, &v, &s->e), 0);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	rc = credentials_load(s->p, &s->id, &s->grants, require, &s->env,
			      s->loaded, &s->e);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	n = read(ends[0], s->said, sizeof(s->said) - 1);
	s->said[n > 0 ? n : 0] = '\0';
	(void)close(ends[0]);
	(void)close(ends[1]);
	return rc;
}

static void assert_value(struct state *s, const char *reference,
			 const char *value)
{
	if (load(s, reference, true) != 0)
		fail_msg("%s", s->e.msg);
	assert_string_equal(environment_get(&s->env, "VALUE"), value);
	assert_true(s->loaded[0]);
	assert_string_equal(s->said, "");
}

/* A warning, and the error that --require-credentials makes of it. */
static void assert_not_had(struct state *s, const char *reference,
			   const char *word)
{
	assert_int_equal(load(s, reference, false), 0);
	assert_null(environment_get(&s->env, "VALUE"));
	assert_false(s->loaded[0]);
	assert_non_null(
		strstr(s->said, "egress-run: warning: VALUE is not set: "));
	if (!strstr(s->said, word))
		fail_msg("no '%s' in: %s", word, s->said);
	assert_string_equal(strchr(s->said, '\n'), "\n");
	assert_true(load(s, reference, true) < 0);
	assert_non_null(strstr(s->e.msg, "VALUE is not set: "));
	assert_non_null(strstr(s->e.msg, word));
	assert_string_equal(s->said, "");
}

/* ---- references --------------------------------------------------------- */

static void references_are_parsed(void **state)
{
	static const struct {
		const char *text;
		enum reference_kind kind;
		const char *first, *second, *described;
		bool go_keyring;
	} good[] = {
		{ "github_token", REFERENCE_KEYRING, "nono", "github_token",
		  "the keyring entry 'github_token'", false },
		{ "a b", REFERENCE_KEYRING, "nono", "a b",
		  "the keyring entry 'a b'", false },
		{ "keyring://gh:github.com/me", REFERENCE_KEYRING,
		  "gh:github.com", "me",
		  "the keyring entry 'me' of service 'gh:github.com'", false },
		{ "keyring://s/a?decode=go-keyring", REFERENCE_KEYRING, "s",
		  "a", "the keyring entry 'a' of service 's'", true },
		{ "env://GITHUB_TOKEN", REFERENCE_ENV, "GITHUB_TOKEN", "",
		  "the variable 'GITHUB_TOKEN'", false },
		{ "file:///run/secrets/x y", REFERENCE_FILE, "/run/secrets/x y",
		  "", "the file '/run/secrets/x y'", false },
		{ "file:///a/..b", REFERENCE_FILE, "/a/..b", "",
		  "the file '/a/..b'", false },
		{ "op://Development/OpenAI/credential", REFERENCE_OP,
		  "op://Development/OpenAI/credential", "",
		  "1Password's 'op://Development/OpenAI/credential'", false },
		{ "op://v/i/section/f", REFERENCE_OP, "op://v/i/section/f", "",
		  "1Password's 'op://v/i/section/f'", false },
		{ "bw://item-id", REFERENCE_BW, "item-id", "",
		  "Bitwarden's item 'item-id'", false },
		{ "bw://item-id/field", REFERENCE_BW, "item-id", "field",
		  "Bitwarden's item 'item-id/field'", false },
		{ "apple-password://github.com/alice@example.com",
		  REFERENCE_APPLE, "github.com", "alice@example.com",
		  "Apple's password 'github.com/alice@example.com'", false },
		{ "apple-passwords://a/b", REFERENCE_APPLE, "a", "b",
		  "Apple's password 'a/b'", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct reference r;
		struct err e = { 0 };
		char what[256];

		if (reference_parse(good[i].text, &r, &e) != 0)
			fail_msg("%s", e.msg);
		assert_int_equal(r.kind, good[i].kind);
		assert_string_equal(r.first, good[i].first);
		assert_string_equal(r.second, good[i].second);
		assert_int_equal(r.go_keyring, good[i].go_keyring);
		credential_describe(good[i].text, what, sizeof(what));
		assert_string_equal(what, good[i].described);
	}
}

static void bad_references_are_refused(void **state)
{
	static const struct {
		const char *text, *word;
	} bad[] = {
		{ "", "no name of a keyring entry" },
		{ "-x", "no name of a keyring entry" },
		{ "a\nb", "control characters" },
		{ "http://x", "unknown form" },
		{ "vault://x/y", "unknown form" },
		{ "Env://X", "unknown form" },
		{ "cmd://github", "custom_credentials" },
		{ "keyring://", "keyring://SERVICE/ACCOUNT" },
		{ "keyring://s", "keyring://SERVICE/ACCOUNT" },
		{ "keyring://s/", "keyring://SERVICE/ACCOUNT" },
		{ "keyring:///a", "keyring://SERVICE/ACCOUNT" },
		{ "keyring://s/a/b", "keyring://SERVICE/ACCOUNT" },
		{ "keyring://s/a#x", "keyring://SERVICE/ACCOUNT" },
		{ "keyring://s/a;b", "keyring://SERVICE/ACCOUNT" },
		{ "keyring://s/a?decode=base64", "?decode=go-keyring" },
		{ "keyring://s/a?decode=go-keyring&x=y", "?decode=go-keyring" },
		{ "keyring://s/a?x=y", "?decode=go-keyring" },
		{ "env://", "env://VARIABLE" },
		{ "env://A-B", "env://VARIABLE" },
		{ "env://A=B", "env://VARIABLE" },
		{ "env://LD_PRELOAD", "no secret" },
		{ "env://path", "no secret" },
		{ "file://relative", "absolute" },
		{ "file://", "absolute" },
		{ "file:///", "absolute" },
		{ "file:///a/../b", "'..'" },
		{ "file:///..", "'..'" },
		{ "file:///a/..", "'..'" },
		{ "op://vault/item", "op://VAULT/ITEM/FIELD" },
		{ "op:///item/field", "op://VAULT/ITEM/FIELD" },
		{ "op://vault//field", "op://VAULT/ITEM/FIELD" },
		{ "op://vault/item/", "op://VAULT/ITEM/FIELD" },
		{ "op://v/i/f?attribute=otp", "op://VAULT/ITEM/FIELD" },
		{ "op://v/i/$(id)", "op://VAULT/ITEM/FIELD" },
		{ "bw://", "bw://ITEM" },
		{ "bw:///field", "bw://ITEM" },
		{ "bw://item/", "bw://ITEM" },
		{ "bw://item/a/b", "bw://ITEM" },
		{ "bw://-item", "bw://ITEM" },
		{ "bw://a=b", "bw://ITEM" },
		{ "apple-password://server", "apple-password://SERVER" },
		{ "apple-password://s/", "apple-password://SERVER" },
		{ "apple-password://s/a;rm -rf", "apple-password://SERVER" },
	};
	struct state *s = *state;
	char what[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s->p = profile_new(&s->arena);
		assert_non_null(s->p);
		say(s, bad[i].text, "VALUE");
		assert_int_equal(credentials_check(s->p, &s->e), -EINVAL);
		if (!strstr(s->e.msg, bad[i].word))
			fail_msg("no '%s' in: %s", bad[i].word, s->e.msg);
		assert_non_null(strstr(s->e.msg, "some.json:7:9"));
		assert_non_null(strstr(s->e.msg, "env_credentials"));
		/* Not a warning. */
		assert_int_equal(load(s, bad[i].text, false), -EINVAL);
		credential_describe(bad[i].text, what, sizeof(what));
	}
}

static void long_references_are_refused(void **state)
{
	struct state *s = *state;
	char text[REFERENCE_MAX + 1];

	memset(text, 'x', sizeof(text));
	text[REFERENCE_MAX - 1] = '\0';
	say(s, text, "VALUE");
	assert_int_equal(credentials_check(s->p, &s->e), 0);
	text[REFERENCE_MAX - 1] = 'x';
	text[REFERENCE_MAX] = '\0';
	assert_int_equal(credentials_check(s->p, &s->e), -EINVAL);
	assert_non_null(strstr(s->e.msg, "too long"));
}

static void dangerous_destinations_are_refused(void **state)
{
	static const struct {
		const char *name, *word;
	} bad[] = {
		{ "LD_PRELOAD", "not for credentials" },
		{ "ld_preload", "not for credentials" },
		{ "LD_LIBRARY_PATH", "not for credentials" },
		{ "LD_AUDIT", "not for credentials" },
		{ "DYLD_INSERT_LIBRARIES", "not for credentials" },
		{ "Dyld_x", "not for credentials" },
		{ "BASH_ENV", "not for credentials" },
		{ "ENV", "not for credentials" },
		{ "IFS", "not for credentials" },
		{ "CDPATH", "not for credentials" },
		{ "PROMPT_COMMAND", "not for credentials" },
		{ "NODE_OPTIONS", "not for credentials" },
		{ "NODE_PATH", "not for credentials" },
		{ "PYTHONSTARTUP", "not for credentials" },
		{ "PYTHONPATH", "not for credentials" },
		{ "PERL5OPT", "not for credentials" },
		{ "PERL5LIB", "not for credentials" },
		{ "RUBYOPT", "not for credentials" },
		{ "RUBYLIB", "not for credentials" },
		{ "JAVA_TOOL_OPTIONS", "not for credentials" },
		{ "_JAVA_OPTIONS", "not for credentials" },
		{ "DOTNET_STARTUP_HOOKS", "not for credentials" },
		{ "GOFLAGS", "not for credentials" },
		{ "PATH", "not for credentials" },
		{ "Home", "not for credentials" },
		{ "SHELL", "not for credentials" },
		{ "", "no name of a variable" },
		{ "A B", "no name of a variable" },
		{ "A=B", "no name of a variable" },
		{ "A-B", "no name of a variable" },
		{ "\303\244", "no name of a variable" },
	};
	static const char *const good[] = {
		"GH_TOKEN",   "OPENAI_API_KEY",		 "lower", "_X", "1X",
		"LD_API_KEY", "OP_SERVICE_ACCOUNT_TOKEN"
	};
	struct state *s = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s->p = profile_new(&s->arena);
		assert_non_null(s->p);
		say(s, "env://X", bad[i].name);
		assert_int_equal(credentials_check(s->p, &s->e), -EINVAL);
		if (!strstr(s->e.msg, bad[i].word))
			fail_msg("no '%s' in: %s", bad[i].word, s->e.msg);
		assert_non_null(strstr(s->e.msg, "some.json:7:9"));
	}
	s->p = profile_new(&s->arena);
	assert_non_null(s->p);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		say(s, "env://X", good[i]);
	assert_int_equal(credentials_check(s->p, &s->e), 0);
}

/* ---- env:// and file:// ------------------------------------------------- */

static void from_the_environment(void **state)
{
	struct state *s = *state;

	assert_int_equal(setenv("TEST_TOKEN", "t0ken with = and \n", 1), 0);
	assert_value(s, "env://TEST_TOKEN", "t0ken with = and \n");
	assert_int_equal(setenv("TEST_TOKEN", "", 1), 0);
	assert_not_had(s, "env://TEST_TOKEN", "is empty");
	assert_int_equal(unsetenv("TEST_TOKEN"), 0);
	assert_not_had(s, "env://TEST_TOKEN", "TEST_TOKEN is not set");
}

/* The caller's own value would pass for the credential. */
static void inherited_value_does_not_stand_in(void **state)
{
	struct state *s = *state;

	s->inherited = "VALUE=stale";
	assert_int_equal(unsetenv("TEST_TOKEN"), 0);
	assert_not_had(s, "env://TEST_TOKEN", "TEST_TOKEN is not set");
	assert_int_equal(setenv("TEST_TOKEN", "fresh", 1), 0);
	assert_value(s, "env://TEST_TOKEN", "fresh");
	assert_int_equal(unsetenv("TEST_TOKEN"), 0);
}

/* Whatever fails: the value is from the last that was had. */
static void two_for_one_variable(void **state)
{
	struct state *s = *state;
	const struct vars v = { .home = "/", .workdir = "/" };

	assert_int_equal(setenv("TEST_A", "a", 1), 0);
	assert_int_equal(setenv("TEST_B", "b", 1), 0);
	say(s, "env://TEST_A", "VALUE");
	say(s, "env://TEST_B", "VALUE");
	say(s, "env://TEST_NONE", "VALUE");
	assert_int_equal(environment_build(&s->env, s->p, &v, &s->e), 0);
	assert_int_equal(credentials_load(s->p, &s->id, &s->grants, false,
					  &s->env, s->loaded, &s->e),
			 0);
	assert_string_equal(environment_get(&s->env, "VALUE"), "b");
	assert_false(s->loaded[0]);
	assert_true(s->loaded[1]);
	assert_false(s->loaded[2]);
	assert_int_equal(unsetenv("TEST_A"), 0);
	assert_int_equal(unsetenv("TEST_B"), 0);
}

static void from_a_file(void **state)
{
	static const struct {
		const char *text;
		const char *value; /* NULL: empty */
	} cases[] = {
		{ "secret", "secret" },
		{ "secret\n", "secret" },
		{ "secret\r\n", "secret" },
		{ "secret\n\n", "secret\n" },
		{ " a\nb \n", " a\nb " },
		{ "secret\r", "secret\r" },
		{ "\n", NULL },
		{ "", NULL },
	};
	struct state *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = file(s, "token", cases[i].text,
					strlen(cases[i].text), 0600);
		const char *reference =
			arena_printf(&s->arena, "file://%s", path);

		assert_non_null(reference);
		if (cases[i].value)
			assert_value(s, reference, cases[i].value);
		else
			assert_not_had(s, reference, "is empty");
	}
}

static void from_no_such_file(void **state)
{
	struct state *s = *state;
	char reference[64];
	char *path = reference + strlen("file://");

	(void)snprintf(reference, sizeof(reference), "file://%s/fifo", s->dir);
	assert_not_had(s, reference, "No such file");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_had(s, reference, "not a regular file");
	(void)snprintf(reference, sizeof(reference), "file://%s", s->dir);
	assert_not_had(s, reference, "not a regular file");
	assert_not_had(s, "file:///dev/zero", "not a regular file");
	(void)file(s, "token", "a\0b", 3, 0600);
	(void)snprintf(reference, sizeof(reference), "file://%s/token", s->dir);
	assert_not_had(s, reference, "NUL");
}

static void file_size_is_limited(void **state)
{
	struct state *s = *state;
	const size_t limit = 64u << 10;
	cleanup_free char *text = malloc(limit + 2);
	char reference[64];

	assert_non_null(text);
	memset(text, 'x', limit + 2);
	text[limit + 1] = '\0';
	(void)snprintf(reference, sizeof(reference), "file://%s/token", s->dir);
	(void)file(s, "token", text, limit + 1, 0600);
	assert_not_had(s, reference, "more than 65536 bytes");
	(void)file(s, "token", text, limit, 0600);
	text[limit] = '\0';
	assert_value(s, reference, text);
}

static void from_apple_never(void **state)
{
	assert_not_had(*state, "apple-password://github.com/me", "macOS");
}

/* What one cannot have does not stop the next. */
static void others_are_still_set(void **state)
{
	struct state *s = *state;
	const struct vars v = { .home = "/", .workdir = "/" };

	assert_int_equal(setenv("TEST_TOKEN", "x", 1), 0);
	say(s, "file:///nonexistent", "FIRST");
	say(s, "env://TEST_TOKEN", "SECOND");
	assert_int_equal(environment_build(&s->env, s->p, &v, &s->e), 0);
	assert_int_equal(credentials_load(s->p, &s->id, &s->grants, false,
					  &s->env, s->loaded, &s->e),
			 0);
	assert_null(environment_get(&s->env, "FIRST"));
	assert_false(s->loaded[0]);
	assert_true(s->loaded[1]);
	assert_string_equal(environment_get(&s->env, "SECOND"), "x");
	assert_int_equal(unsetenv("TEST_TOKEN"), 0);
}

/* ---- go-keyring --------------------------------------------------------- */

static void go_keyring_is_unwrapped(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
	} cases[] = {
		{ "go-keyring-base64:Z2hvXzEyMw==", "gho_123" },
		{ "go-keyring-base64:Z2hvXzEyMzQ=", "gho_1234" },
		{ "go-keyring-base64:Z2hvXzEyMzQ1", "gho_12345" },
		{ "go-keyring-base64:+/+/", "\373\377\277" },
		{ "go-keyring-base64:", "" },
		{ "gho_123", "gho_123" },
		{ "go-keyring-base64", "go-keyring-base64" },
		{ "go-keyring-base64:Z2hv=XzEy", NULL },
		{ "go-keyring-base64:Z2h", NULL },
		{ "go-keyring-base64:Z2hv\n", NULL },
		{ "go-keyring-base64:====", NULL },
		{ "go-keyring-base64:Z2-_", NULL },
	};
	struct state *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret v;
		int rc;

		assert_int_equal(secret_new(&v, 128, &s->e), 0);
		v.len = strlen(cases[i].in);
		memcpy(v.data, cases[i].in, v.len);
		rc = secret_unwrap_go_keyring(&v, &s->e);
		if (cases[i].out) {
			assert_int_equal(rc, 0);
			assert_int_equal(v.len, strlen(cases[i].out));
			assert_memory_equal(v.data, cases[i].out, v.len);
		} else {
			assert_int_equal(rc, -EINVAL);
			assert_null(strstr(s->e.msg, "Z2"));
		}
		secret_free(&v);
	}
}

/* ---- op and bw ---------------------------------------------------------- */

static void from_onepassword(void **state)
{
	struct state *s = *state;

	script(s, "op", "echo 1pw-secret");
	assert_value(s, "op://Dev/GitHub/token", "1pw-secret");
	assert_called_with(s, "read\n--\nop://Dev/GitHub/token\n");
	script(s, "op", "echo half; echo '[ERROR] not signed in' >&2; exit 1");
	assert_not_had(s, "op://Dev/GitHub/token", "[ERROR] not signed in");
	assert_non_null(strstr(s->e.msg, "op signin"));
	assert_null(strstr(s->e.msg, "half"));
}

static void what_op_says_is_bounded(void **state)
{
	struct state *s = *state;

	script(s, "op",
	       "printf '\\033[31mred' >&2; head -c 100000 /dev/zero | "
	       "tr '\\0' x >&2; printf '\\nsecond' >&2; exit 1");
	assert_not_had(s, "op://a/b/c", "red");
	assert_true(strlen(s->e.msg) < 500);
	assert_int_equal(load(s, "op://a/b/c", false), 0);
	assert_null(strchr(s->said, '\033'));
	assert_null(strstr(s->said, "second"));
}

static void op_may_not_be_there(void **state)
{
	struct state *s = *state;

	assert_int_equal(setenv("PATH", s->dir, 1), 0);
	assert_not_had(s, "op://a/b/c", "'op' is not installed");
	assert_not_had(s, "bw://a", "'bw' is not installed");
}

/* The command could have put it there. */
static void op_is_not_taken_from_a_granted_folder(void **state)
{
	struct state *s = *state;
	struct grant writing = { .path = s->dir,
				 .resolved = s->dir,
				 .kind = GRANT_DIR,
				 .access = ACCESS_READ | ACCESS_WRITE };
	char link[64];
	char path[128];

	s->grants.items = &writing;
	s->grants.n = 1;
	script(s, "op", "echo planted");
	assert_not_had(s, "op://a/b/c", "which the command may write");
	/* By way of a link, of the folder or of the program. */
	(void)snprintf(link, sizeof(link), "%s.link", s->dir);
	assert_int_equal(symlink(s->dir, link), 0);
	assert_int_equal(setenv("PATH", link, 1), 0);
	assert_not_had(s, "op://a/b/c", "which the command may write");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkdir(link, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/op", s->dir);
	(void)snprintf(link + strlen(link), 4, "/op");
	assert_int_equal(symlink(path, link), 0);
	assert_not_had(s, "op://a/b/c", "which the command may write");
	assert_int_equal(unlink(link), 0);
	*strrchr(link, '/') = '\0';
	assert_int_equal(rmdir(link), 0);
	(void)unlink(path);
	assert_not_had(s, "op://a/b/c", "not installed");
	/* Reading does no harm. */
	writing.access = ACCESS_READ;
	assert_int_equal(setenv("PATH", s->dir, 1), 0);
	script(s, "op", "echo good");
	assert_value(s, "op://a/b/c", "good");
}

/* Nor does it find what it starts itself there. */
static void op_gets_a_path_without_it(void **state)
{
	struct state *s = *state;
	char granted[] = "/tmp/grantedXXXXXX";
	char *real = realpath("/usr/bin", NULL);
	struct grant writing = { .resolved = granted,
				 .path = granted,
				 .kind = GRANT_DIR,
				 .access = ACCESS_WRITE };
	const char *path;

	assert_non_null(real);
	assert_non_null(mkdtemp(granted));
	s->grants.items = &writing;
	s->grants.n = 1;
	path = arena_printf(&s->arena, "%s::.:bin:/nonexistent:%s:/usr/bin",
			    granted, s->dir);
	assert_non_null(path);
	assert_int_equal(setenv("PATH", path, 1), 0);
	script(s, "op", "echo \"$PATH\"");
	path = arena_printf(&s->arena, "%s:%s", s->dir, real);
	free(real);
	assert_int_equal(rmdir(granted), 0);
	assert_non_null(path);
	assert_value(s, "op://a/b/c", path);
}

static void op_is_not_taken_from_where_we_stand(void **state)
{
	struct state *s = *state;
	cleanup_fd int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	script(s, "op", "echo planted");
	assert_int_equal(chdir(s->dir), 0);
	assert_int_equal(setenv("PATH", ":.:/nonexistent", 1), 0);
	assert_not_had(s, "op://a/b/c", "'op' is not run");
	assert_int_equal(fchdir(here), 0);
}

static void answers_are_limited(void **state)
{
	struct state *s = *state;

	script(s, "op", "exec head -c 65537 /dev/zero");
	assert_not_had(s, "op://a/b/c", "more than 65536 bytes");
	script(s, "op", "exec cat /dev/zero");
	assert_not_had(s, "op://a/b/c", "more than 65536 bytes");
}

static void from_bitwarden(void **state)
{
	static const char item[] =
		"cat <<'END'\n"
		"{\"object\":\"item\",\"notes\":\"a note\",\"fields\":["
		"{\"name\":\"other\",\"value\":\"o\"},"
		"{\"name\":\"null\",\"value\":null},"
		"{\"name\":\"password\",\"value\":\"custom\"},"
		"{\"name\":\"api key\",\"value\":\"k\\u00fc\\n\"}],"
		"\"login\":{\"username\":\"me\",\"password\":\"pw\","
		"\"totp\":null}}\nEND\n";
	struct state *s = *state;

	script(s, "bw", "printf bw-secret");
	assert_value(s, "bw://my-item", "bw-secret");
	assert_called_with(s, "get\npassword\n--\nmy-item\n");
	script(s, "bw", item);
	assert_value(s, "bw://my-item/api key", "k\303\274\n");
	assert_called_with(s, "get\nitem\n--\nmy-item\n");
	assert_value(s, "bw://my-item/password", "pw");
	assert_value(s, "bw://my-item/username", "me");
	assert_value(s, "bw://my-item/notes", "a note");
	assert_value(s, "bw://my-item/other", "o");
	assert_not_had(s, "bw://my-item/totp", "no field 'totp'");
	assert_not_had(s, "bw://my-item/nosuch", "no field 'nosuch'");
	assert_not_had(s, "bw://my-item/null", "no field 'null'");
}

static void bitwarden_may_be_locked(void **state)
{
	struct state *s = *state;

	/* As it does, with status 0. */
	script(s, "bw", "echo '? Master password:' >&2; exit 0");
	assert_not_had(s, "bw://my-item", "bw unlock");
	script(s, "bw", "echo 'not json'");
	assert_not_had(s, "bw://my-item/f", "not JSON");
}

/* ---- subprocesses ------------------------------------------------------- */

static void run_shell(const char *text, unsigned timeout_s, size_t max,
		      int want, struct secret *out, struct subprocess_end *end)
{
	const char *const argv[] = { "/bin/sh", "-c", text, NULL };
	char *env[] = { NULL };
	const struct subprocess s = { .name = "the shell",
				      .argv = argv,
				      .envp = env,
				      .timeout_s = timeout_s };
	struct err e = { 0 };

	assert_int_equal(subprocess_run(&s, max, out, end, &e), want);
	assert_true((want == 0) == !e.msg[0]);
}

static void subprocess_has_little(void **state)
{
	cleanup_fd int leak = open("/dev/null", O_RDONLY);
	struct subprocess_end end;
	struct secret out;

	(void)state;
	assert_true(leak >= 3);
	run_shell("cat; ls /proc/$$/fd; ulimit -c; env | grep -v ^PWD= | "
		  "grep -v ^_= | grep -v ^OLDPWD= | grep -v ^SHLVL=",
		  10, 1000, 0, &out, &end);
	assert_memory_equal(out.data, "0\n1\n2\n0\n", out.len);
	assert_int_equal(out.len, 8);
	secret_free(&out);
}

static void subprocess_tells_its_end(void **state)
{
	struct subprocess_end end;
	struct secret out;

	(void)state;
	run_shell("printf out; printf '\\n  first\\nsecond' >&2; exit 7", 10,
		  100, 0, &out, &end);
	assert_int_equal(WEXITSTATUS(end.status), 7);
	assert_string_equal(end.said, "first");
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.data, "out", 3);
	secret_free(&out);
	run_shell("kill -9 $$", 10, 100, 0, &out, &end);
	assert_true(WIFSIGNALED(end.status));
	secret_free(&out);
}

static void subprocess_is_killed_in_time(void **state)
{
	struct subprocess_end end;
	struct secret out;

	(void)state;
	run_shell("echo secret; exec sleep 25", 1, 100, -ETIMEDOUT, &out, &end);
	assert_null(out.data);
	assert_true(WIFSIGNALED(end.status));
	run_shell("exec >&- 2>&-; exec sleep 25", 1, 100, -ETIMEDOUT, &out,
		  &end);
}

/* It ends, and what it left behind holds the pipes. */
static void daemons_are_not_waited_for(void **state)
{
	struct subprocess_end end;
	struct secret out;

	(void)state;
	run_shell("echo secret; sleep 25 & exit 0", 5, 100, 0, &out, &end);
	assert_int_equal(out.len, 7);
	secret_free(&out);
}

static void subprocess_fills_exactly(void **state)
{
	struct subprocess_end end;
	struct secret out;

	(void)state;
	run_shell("printf 12345678", 10, 8, 0, &out, &end);
	assert_int_equal(out.len, 8);
	secret_free(&out);
	run_shell("printf 123456789", 10, 8, -EFBIG, &out, &end);
	assert_null(out.data);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(references_are_parsed),
		T(bad_references_are_refused),
		T(long_references_are_refused),
		T(dangerous_destinations_are_refused),
		T(from_the_environment),
		T(inherited_value_does_not_stand_in),
		T(two_for_one_variable),
		T(from_a_file),
		T(from_no_such_file),
		T(file_size_is_limited),
		T(from_apple_never),
		T(others_are_still_set),
		T(go_keyring_is_unwrapped),
		T(from_onepassword),
		T(what_op_says_is_bounded),
		T(op_may_not_be_there),
		T(op_is_not_taken_from_a_granted_folder),
		T(op_gets_a_path_without_it),
		T(op_is_not_taken_from_where_we_stand),
		T(answers_are_limited),
		T(from_bitwarden),
		T(bitwarden_may_be_locked),
		T(subprocess_has_little),
		T(subprocess_tells_its_end),
		T(subprocess_is_killed_in_time),
		T(daemons_are_not_waited_for),
		T(subprocess_fills_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
