/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of an environment the command gets, and where secrets are kept. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/fd.h"
#include "launcher/environment.h"
#include "launcher/secret.h"

#define ENTRIES_MAX 16

struct state {
	struct arena arena;
	struct profile *p;
	const char *environ[ENTRIES_MAX];
	size_t n;
	const char *workdir;
	struct environment env;
	struct err e;
};

static int setup(void **ret)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	s->p = profile_new(&s->arena);
	s->workdir = "/tmp/foo";
	*ret = s;
	return s->p ? 0 : -1;
}

static int teardown(void **state)
{
	struct state *s = *state;

	environment_done(&s->env);
	arena_free(&s->arena);
	free(s);
	return 0;
}

static void inherit(struct state *s, const char *text)
{
	assert_true(s->n < ENTRIES_MAX - 1);
	s->environ[s->n++] = text;
}

/* An entry of a list, or of a map if key is there. */
static void say(struct state *s, enum profile_key key, const char *name,
		const char *text)
{
	const struct entry item = { .key = name,
				    .text = text,
				    .from = { "some.json", 7, 9, NULL } };

	assert_int_equal(profile_append(&s->arena, &s->p->field[key], &item),
			 0);
}

static int build(struct state *s)
{
	struct vars v = { .home = "/home/user",
			  .workdir = s->workdir,
			  .uid = 1000 };

	memcpy(&v.environ, &(const char *const *) { s->environ },
	       sizeof(v.environ));
	environment_done(&s->env);
	return environment_build(&s->env, s->p, &v, &s->e);
}

static void good(struct state *s)
{
	if (build(s) != 0)
		fail_msg("%s", s->e.msg);
}

static const char *get(struct state *s, const char *name)
{
	return environment_get(&s->env, name);
}

/* Whether a variable of that name comes through. */
static bool comes(struct state *s, const char *name)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s=x", name);
	s->n = 0;
	memset(s->environ, 0, sizeof(s->environ));
	inherit(s, text);
	good(s);
	return get(s, name) != NULL;
}

static void everything_passes_by_default(void **state)
{
	struct state *s = *state;

	inherit(s, "HOME=/home/user");
	inherit(s, "EMPTY=");
	inherit(s, "TWO=a=b");
	good(s);
	assert_string_equal(get(s, "HOME"), "/home/user");
	assert_string_equal(get(s, "EMPTY"), "");
	assert_string_equal(get(s, "TWO"), "a=b");
	assert_int_equal(s->env.n, 3);
	assert_null(s->env.vars[3]);
}

static void first_of_duplicates_wins(void **state)
{
	struct state *s = *state;

	inherit(s, "A=first");
	inherit(s, "AB=other");
	inherit(s, "A=second");
	inherit(s, "noequals");
	inherit(s, "=nameless");
	good(s);
	assert_string_equal(get(s, "A"), "first");
	assert_int_equal(s->env.n, 2);
}

static void none_at_all(void **state)
{
	struct state *s = *state;

	good(s);
	assert_int_equal(s->env.n, 0);
	assert_null(s->env.vars[0]);
}

static void dangerous_ones_never_come(void **state)
{
	static const char *const never[] = { "OP_SERVICE_ACCOUNT_TOKEN",
					     "OP_CONNECT_TOKEN",
					     "OP_CONNECT_HOST",
					     "OP_SESSION_my_team",
					     "OP_SESSION_",
					     "LD_PRELOAD",
					     "LD_LIBRARY_PATH",
					     "DYLD_INSERT_LIBRARIES",
					     "BASH_ENV",
					     "ENV",
					     "CDPATH",
					     "GLOBIGNORE",
					     "BASH_FUNC_x%%",
					     "PROMPT_COMMAND",
					     "IFS",
					     "PYTHONSTARTUP",
					     "PYTHONPATH",
					     "NODE_OPTIONS",
					     "NODE_PATH",
					     "PERL5OPT",
					     "PERL5LIB",
					     "RUBYOPT",
					     "RUBYLIB",
					     "GEM_PATH",
					     "GEM_HOME",
					     "JAVA_TOOL_OPTIONS",
					     "_JAVA_OPTIONS",
					     "DOTNET_STARTUP_HOOKS",
					     "GOFLAGS" };
	static const char *const fine[] = { "OPENAI_API_KEY", "OPERATOR_TOKEN",
					    "OPTIONS",	      "HOME",
					    "PATH",	      "LDX",
					    "ENVIRONMENT",    "MYENV" };
	struct state *s = *state;

	say(s, KEY_ENV_ALLOW_VARS, NULL, "*");
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		assert_true(environment_always_stripped(never[i]));
		if (comes(s, never[i]))
			fail_msg("%s came through", never[i]);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		assert_false(environment_always_stripped(fine[i]));
		if (!comes(s, fine[i]))
			fail_msg("%s did not come through", fine[i]);
	}
}

static void allow_by_prefix(void **state)
{
	struct state *s = *state;

	say(s, KEY_ENV_ALLOW_VARS, NULL, "AWS_*");
	say(s, KEY_ENV_ALLOW_VARS, NULL, "HOME");
	assert_true(comes(s, "AWS_REGION"));
	assert_true(comes(s, "AWS_"));
	assert_false(comes(s, "AWS"));
	assert_false(comes(s, "GCP_REGION"));
	assert_true(comes(s, "HOME"));
	assert_false(comes(s, "HOME2"));
	assert_false(comes(s, "HOM"));
}

static void empty_list_allows_nothing(void **state)
{
	struct state *s = *state;

	s->p->field[KEY_ENV_ALLOW_VARS].state = FIELD_SET;
	assert_false(comes(s, "PATH"));
	assert_false(comes(s, "HOME"));
}

static void null_allows_all(void **state)
{
	struct state *s = *state;

	s->p->field[KEY_ENV_ALLOW_VARS].state = FIELD_NULL;
	assert_true(comes(s, "HOME"));
}

static void star_allows_all(void **state)
{
	struct state *s = *state;

	say(s, KEY_ENV_ALLOW_VARS, NULL, "*");
	assert_true(comes(s, "ANYTHING"));
}

/* What build() writes to stderr, where warnings go. */
static void capture(struct state *s, char *buf, size_t size)
{
	cleanup_fd int saved = dup(STDERR_FILENO);
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	good(s);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	n = read(ends[0], buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void bad_patterns_are_ignored_and_said(void **state)
{
	static const char *const bad[] = { "A*B", "*X" };
	struct state *s = *state;
	char said[1024];

	for (size_t i = 0; i < 2; i++) {
		s->p = profile_new(&s->arena);
		assert_non_null(s->p);
		say(s, KEY_ENV_ALLOW_VARS, NULL, bad[i]);
		capture(s, said, sizeof(said));
		assert_non_null(strstr(said, bad[i]));
		assert_non_null(strstr(said, "some.json:7:9"));
		assert_non_null(strstr(said, "allow_vars"));
		assert_string_equal(strchr(said, '\n'), "\n");
		/* It is still a list, and nothing is on it. */
		assert_false(comes(s, "AXB"));
		assert_false(comes(s, "A*B"));
		assert_false(comes(s, "X"));
		assert_false(comes(s, "AX"));
	}
}

static void bad_patterns_deny_nothing(void **state)
{
	struct state *s = *state;
	char said[1024];

	say(s, KEY_ENV_DENY_VARS, NULL, "A*B");
	say(s, KEY_ENV_ALLOW_VARS, NULL, "A*");
	say(s, KEY_ENV_ALLOW_VARS, NULL, "*");
	capture(s, said, sizeof(said));
	assert_non_null(strstr(said, "deny_vars"));
	assert_null(strstr(said, "allow_vars"));
	assert_true(comes(s, "AXB"));
}

static void deny_beats_allow(void **state)
{
	struct state *s = *state;

	say(s, KEY_ENV_ALLOW_VARS, NULL, "*");
	say(s, KEY_ENV_ALLOW_VARS, NULL, "GH_TOKEN");
	say(s, KEY_ENV_DENY_VARS, NULL, "GH_TOKEN");
	say(s, KEY_ENV_DENY_VARS, NULL, "GITHUB_*");
	assert_false(comes(s, "GH_TOKEN"));
	assert_false(comes(s, "GITHUB_TOKEN"));
	assert_true(comes(s, "GITLAB_TOKEN"));
}

static void set_vars_goes_over_all_filters(void **state)
{
	struct state *s = *state;

	say(s, KEY_ENV_DENY_VARS, NULL, "*");
	say(s, KEY_ENV_SET_VARS, "RUST_LOG", "debug");
	say(s, KEY_ENV_SET_VARS, "LD_PRELOAD", "/x.so");
	say(s, KEY_ENV_SET_VARS, "WHERE", "$HOME/x");
	say(s, KEY_ENV_SET_VARS, "HERE", "$WORKDIR/y");
	say(s, KEY_ENV_SET_VARS, "_u1", "");
	inherit(s, "HOME=/home/user");
	inherit(s, "RUST_LOG=info");
	good(s);
	assert_string_equal(get(s, "RUST_LOG"), "debug");
	assert_string_equal(get(s, "LD_PRELOAD"), "/x.so");
	assert_string_equal(get(s, "WHERE"), "/home/user/x");
	assert_string_equal(get(s, "HERE"), "/tmp/foo/y");
	assert_string_equal(get(s, "_u1"), "");
	assert_null(get(s, "HOME"));
	assert_int_equal(s->env.n, 5);
}

static void set_vars_replaces(void **state)
{
	struct state *s = *state;

	say(s, KEY_ENV_SET_VARS, "EDITOR", "true");
	inherit(s, "EDITOR=vi");
	inherit(s, "EDITOR2=vi");
	good(s);
	assert_string_equal(get(s, "EDITOR"), "true");
	assert_int_equal(s->env.n, 2);
}

/* Forgets the message. */
static void assert_refused(struct state *s, const char *word)
{
	assert_non_null(strstr(s->e.msg, word));
	assert_non_null(strstr(s->e.msg, "some.json:7:9"));
	assert_non_null(strstr(s->e.msg, "set_vars"));
	s->e = (struct err) { 0 };
}

static void set_vars_refuses(void **state)
{
	static const struct {
		const char *name, *word;
	} bad[] = {
		{ "PATH", "egress-run is started" },
		{ "NONO_FOO", "reserved" },
		{ "EGRESS_RUN_PROFILE", "reserved" },
		{ "", "no name of a variable" },
		{ "1FOO", "no name of a variable" },
		{ "A=B", "no name of a variable" },
		{ "MY-VAR", "no name of a variable" },
		{ "A B", "no name of a variable" },
		{ "\303\244", "no name of a variable" },
	};
	const struct vars v = { .home = "/home/user", .workdir = "/" };
	struct state *s = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s->p = profile_new(&s->arena);
		assert_non_null(s->p);
		say(s, KEY_ENV_SET_VARS, bad[i].name, "x");
		assert_int_equal(build(s), -EINVAL);
		assert_refused(s, bad[i].word);
		assert_int_equal(environment_check(s->p, &v, &s->arena, &s->e),
				 -EINVAL);
		assert_refused(s, bad[i].word);
		assert_null(s->env.vars);
	}
}

static void pwd_follows_the_working_directory(void **state)
{
	struct state *s = *state;

	inherit(s, "PWD=/tmp/bar");
	inherit(s, "OLDPWD=/elsewhere");
	good(s);
	assert_string_equal(get(s, "PWD"), "/tmp/foo");
	assert_string_equal(get(s, "OLDPWD"), "/tmp/bar");
	assert_int_equal(s->env.n, 2);
}

static void pwd_stays_otherwise(void **state)
{
	struct state *s = *state;

	inherit(s, "PWD=/tmp/foo");
	inherit(s, "OLDPWD=/elsewhere");
	good(s);
	assert_string_equal(get(s, "PWD"), "/tmp/foo");
	assert_string_equal(get(s, "OLDPWD"), "/elsewhere");
	/* Nobody asked for one. */
	s->n = 0;
	memset(s->environ, 0, sizeof(s->environ));
	good(s);
	assert_null(get(s, "PWD"));
	assert_null(get(s, "OLDPWD"));
}

static void pwd_stays_by_way_of_a_link(void **state)
{
	struct state *s = *state;
	char dir[] = "/tmp/environmentXXXXXX";
	char link[64];
	char text[80];

	assert_non_null(mkdtemp(dir));
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	(void)snprintf(text, sizeof(text), "PWD=%s", link);
	assert_int_equal(symlink(dir, link), 0);
	s->workdir = dir;
	inherit(s, text);
	good(s);
	assert_string_equal(get(s, "PWD"), link);
	assert_null(get(s, "OLDPWD"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void pwd_that_is_filtered_stays_away(void **state)
{
	struct state *s = *state;

	say(s, KEY_ENV_DENY_VARS, NULL, "OLDPWD");
	inherit(s, "PWD=/tmp/bar");
	good(s);
	assert_string_equal(get(s, "PWD"), "/tmp/foo");
	assert_null(get(s, "OLDPWD"));
	say(s, KEY_ENV_DENY_VARS, NULL, "PWD");
	good(s);
	assert_null(get(s, "PWD"));
}

/* ---- secrets ------------------------------------------------------------ */

static void add(struct state *s, const char *name, const char *value)
{
	assert_int_equal(environment_add_secret(&s->env, name, value,
						strlen(value), &s->e),
			 0);
}

static void secret_replaces(void **state)
{
	struct state *s = *state;

	inherit(s, "GH_TOKEN=old");
	inherit(s, "OTHER=x");
	good(s);
	add(s, "GH_TOKEN", "new");
	add(s, "SECOND", "2");
	assert_string_equal(get(s, "GH_TOKEN"), "new");
	assert_int_equal(s->env.n, 3);
	add(s, "GH_TOKEN", "newer");
	assert_string_equal(get(s, "GH_TOKEN"), "newer");
	assert_int_equal(s->env.n, 3);
	/* The one before is not lying around. */
	assert_null(
		memmem(s->env.secrets.data, s->env.secrets.size, "=new\0", 5));
}

static void secret_has_limits(void **state)
{
	struct state *s = *state;
	cleanup_free char *big = malloc(128u << 10);

	assert_non_null(big);
	memset(big, 'x', 128u << 10);
	good(s);
	assert_int_equal(environment_add_secret(&s->env, "A", "x\0y", 3, &s->e),
			 -EINVAL);
	assert_int_equal(
		environment_add_secret(&s->env, "A", big, 128u << 10, &s->e),
		-E2BIG);
	assert_int_equal(s->env.n, 0);
	assert_int_equal(environment_add_secret(&s->env, "A", big,
						(128u << 10) - 3, &s->e),
			 0);
}

/* Every line of /proc/self/smaps that begins like that, of the mapping that
 * holds p. */
static void smaps(const void *p, const char *key, char *buf, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[256];
	bool here = false;

	buf[0] = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uintptr_t from;
		uintptr_t to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && strncmp(line, key, strlen(key)) == 0)
			(void)snprintf(buf, size, "%s", line);
	}
	(void)fclose(f);
}

static void secrets_are_in_no_core_dump(void **state)
{
	struct state *s = *state;
	char name[32];
	char value[4000];
	char flags[256];

	good(s);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	/* Enough to make the pages move. */
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "S%d", i);
		add(s, name, value);
	}
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "S%d", i);
		assert_string_equal(get(s, name), value);
		smaps(get(s, name), "VmFlags:", flags, sizeof(flags));
		if (!strstr(flags, " dd "))
			fail_msg("%s: %s", name, flags);
	}
	/* The control: other memory is dumped. */
	smaps(s, "VmFlags:", flags, sizeof(flags));
	assert_true(flags[0] && !strstr(flags, " dd "));
}

static void wiping_takes_them_away(void **state)
{
	struct state *s = *state;
	char where[256];
	const char *at;

	inherit(s, "KEPT=1");
	good(s);
	add(s, "TOKEN", "secret");
	at = get(s, "TOKEN");
	environment_wipe(&s->env);
	assert_null(get(s, "TOKEN"));
	assert_string_equal(get(s, "KEPT"), "1");
	assert_int_equal(s->env.n, 1);
	assert_null(s->env.vars[1]);
	assert_null(s->env.secrets.data);
	smaps(at, "Size:", where, sizeof(where));
	assert_string_equal(where, "");
	environment_wipe(&s->env);
	add(s, "TOKEN", "again");
	assert_string_equal(get(s, "TOKEN"), "again");
}

/* Scans all memory of this process, by way of /proc, for a value that is
 * spelled with every bit flipped here. */
static bool in_memory(const char *flipped, size_t len)
{
	cleanup_fd int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;
	const size_t step = 1 << 15;
	cleanup_free char *chunk = calloc(2, step);

	assert_true(mem >= 0 && chunk);
	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		uintptr_t at;
		uintptr_t to;
		char mode[8];

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &at, &to,
			   mode) != 3 ||
		    mode[1] != 'w' || to - at > (64u << 20))
			continue;
		for (; at < to && !found; at += step) {
			ssize_t n = pread(mem, chunk, 2 * step, (off_t)at);

			for (ssize_t i = 0; i + (ssize_t)len <= n && !found;
			     i++) {
				size_t k = 0;

				while (k < len &&
				       (char)~chunk[i + (ssize_t)k] ==
					       flipped[k])
					k++;
				found = k == len;
			}
			explicit_bzero(chunk, 2 * step);
		}
	}
	(void)fclose(maps);
	return found;
}

static void wiping_leaves_nothing(void **state)
{
	struct state *s = *state;
	struct secret value;
	char flipped[24];

	good(s);
	assert_int_equal(secret_new(&value, sizeof(flipped), &s->e), 0);
	assert_int_equal(getentropy(flipped, sizeof(flipped)), 0);
	for (size_t i = 0; i < sizeof(flipped); i++) {
		flipped[i] = (char)(flipped[i] & 0x3f);
		value.data[i] = (char)~flipped[i];
	}
	value.len = sizeof(flipped);
	assert_int_equal(environment_add_secret(&s->env, "T", value.data,
						value.len, &s->e),
			 0);
	assert_true(in_memory(flipped, sizeof(flipped)));
	secret_free(&value);
	assert_true(in_memory(flipped, sizeof(flipped)));
	environment_wipe(&s->env);
	assert_false(in_memory(flipped, sizeof(flipped)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(everything_passes_by_default),
		T(first_of_duplicates_wins),
		T(none_at_all),
		T(dangerous_ones_never_come),
		T(allow_by_prefix),
		T(empty_list_allows_nothing),
		T(null_allows_all),
		T(star_allows_all),
		T(bad_patterns_are_ignored_and_said),
		T(bad_patterns_deny_nothing),
		T(deny_beats_allow),
		T(set_vars_goes_over_all_filters),
		T(set_vars_replaces),
		T(set_vars_refuses),
		T(pwd_follows_the_working_directory),
		T(pwd_stays_otherwise),
		T(pwd_stays_by_way_of_a_link),
		T(pwd_that_is_filtered_stays_away),
		T(secret_replaces),
		T(secret_has_limits),
		T(secrets_are_in_no_core_dump),
		T(wiping_takes_them_away),
		T(wiping_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
