/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ~ and $NAME: what they become, and what is an error. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "profiles/vars.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define ENV_MAX 4

struct vector {
	const char *environ[ENV_MAX];
	const char *text;
	const char *want; /* NULL: an error that has `says` in it */
	const char *says;
};

typedef int expand_fn(const struct vars *v, struct arena *a, const char *text,
		      const char **ret, struct err *e);

static void run(expand_fn *expand, const struct vector *cases, size_t n)
{
	struct arena a = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct vector *c = &cases[i];
		char *environ[ENV_MAX + 1] = { 0 };
		const struct vars v = { .home = "/home/user",
					.workdir = "/projects/myapp",
					.uid = 1000,
					.environ = environ };
		struct err e = { 0 };
		const char *got = NULL;
		int rc;

		for (size_t j = 0; j < ENV_MAX && c->environ[j]; j++)
			environ[j] = arena_strdup(&a, c->environ[j]);
		rc = expand(&v, &a, c->text, &got, &e);
		if (!c->want) {
			assert_int_equal(rc, -EINVAL);
			if (!strstr(e.msg, c->says))
				fail_msg("%s: %s", c->text, e.msg);
			continue;
		}
		if (rc < 0)
			fail_msg("%s: %s", c->text, e.msg);
		assert_string_equal(got, c->want);
	}
	arena_free(&a);
}

static const struct vector profile_cases[] = {
	{ { 0 }, "$WORKDIR/src", "/projects/myapp/src", NULL },
	{ { 0 }, "$HOME/.config", "/home/user/.config", NULL },
	{ { "XDG_STATE_HOME=/custom/state" },
	  "$XDG_STATE_HOME/history",
	  "/custom/state/history",
	  NULL },
	{ { 0 },
	  "$XDG_STATE_HOME/history",
	  "/home/user/.local/state/history",
	  NULL },
	{ { "XDG_CONFIG_HOME=/custom/config" },
	  "$XDG_CONFIG_HOME/nono/profiles",
	  "/custom/config/nono/profiles",
	  NULL },
	{ { 0 },
	  "$XDG_CONFIG_HOME/nono/profiles",
	  "/home/user/.config/nono/profiles",
	  NULL },
	{ { "XDG_CACHE_HOME=/custom/cache" },
	  "$XDG_CACHE_HOME/pip",
	  "/custom/cache/pip",
	  NULL },
	{ { 0 }, "$XDG_CACHE_HOME/pip", "/home/user/.cache/pip", NULL },
	{ { 0 }, "$XDG_DATA_HOME", "/home/user/.local/share", NULL },
	{ { "XDG_RUNTIME_DIR=/run/user/1000" },
	  "$XDG_RUNTIME_DIR/pulse",
	  "/run/user/1000/pulse",
	  NULL },
	{ { 0 }, "$XDG_RUNTIME_DIR/pulse", "$XDG_RUNTIME_DIR/pulse", NULL },
	{ { "XDG_CONFIG_HOME=/c" },
	  "$NONO_CONFIG/profiles",
	  "/c/nono/profiles",
	  NULL },
	{ { 0 },
	  "$NONO_PACKAGES/x",
	  "/home/user/.config/nono/packages/x",
	  NULL },
	{ { 0 }, "$TMPDIR/x", "/tmp/x", NULL },
	{ { "TMPDIR=" }, "$TMPDIR/x", "/tmp/x", NULL },
	{ { "TMPDIR=/t" }, "$TMPDIR/x", "/t/x", NULL },
	{ { 0 }, "/tmp/claude-$UID", "/tmp/claude-1000", NULL },
	{ { 0 }, "~", "/home/user", NULL },
	{ { 0 }, "~/x~/~", "/home/user/x~/~", NULL },
	/* the invoking user's, whatever the environment says */
	{ { "HOME=/evil" }, "$HOME/~", "/home/user/~", NULL },
	{ { "HOME=/evil" }, "~", "/home/user", NULL },
	/* the longest name counts */
	{ { "HOMEX=/x" }, "$HOMEX/$HOME_", "/x/$HOME_", NULL },
	{ { "A=/a", "AB=/ab" }, "$AB$A", "/ab/a", NULL },
	{ { "FOO=bar" }, "/$FOO/$NOPE", "/bar/$NOPE", NULL },
	{ { "WORKDIR=/other" }, "$WORKDIR", "/other", NULL },
	/* a value is not expanded again */
	{ { "A=$HOME/~" }, "$A", "$HOME/~", NULL },
	{ { "A=a\n../b" }, "/$A", "/a\n../b", NULL },
	{ { "P=" }, "$P/", "$P/", NULL },
	{ { 0 }, "a$", "a$", NULL },
	{ { 0 }, "$$1$-", "$$1$-", NULL },
	{ { 0 }, "", "", NULL },
	{ { 0 }, "${HOME}/x", NULL, "write $NAME" },
	{ { 0 }, "~root/x", NULL, "your own home folder only" },
	{ { "XDG_CONFIG_HOME=rel" },
	  "$XDG_CONFIG_HOME",
	  NULL,
	  "$XDG_CONFIG_HOME is \"rel\", which is not an absolute" },
	{ { "XDG_CONFIG_HOME=rel" },
	  "$NONO_PACKAGES",
	  NULL,
	  "$XDG_CONFIG_HOME is" },
	{ { "TMPDIR=./t" }, "$TMPDIR", NULL, "not an absolute path" },
	{ { "XDG_RUNTIME_DIR=r" }, "$XDG_RUNTIME_DIR", NULL, "\"r\"" },
};

static void test_profile(void **state)
{
	(void)state;
	run(vars_expand, profile_cases, N(profile_cases));
}

static void test_group(void **state)
{
	static const struct vector cases[] = {
		{ { 0 }, "~/.ssh", "/home/user/.ssh", NULL },
		{ { 0 }, "$HOME/.ssh", "/home/user/.ssh", NULL },
		{ { 0 }, "$TMPDIR", "/tmp", NULL },
		{ { "FOO=/f" }, "$FOO/x", "/f/x", NULL },
		{ { 0 }, "$FOO/x", NULL, "FOO is not set" },
		{ { 0 }, "$WORKDIR", NULL, "WORKDIR is not set" },
		{ { 0 }, "$XDG_CONFIG_HOME", NULL, "is not set" },
		{ { "XDG_CONFIG_HOME=/c" }, "$XDG_CONFIG_HOME", "/c", NULL },
		{ { "TMPDIR=t" }, "$TMPDIR", NULL, "absolute" },
	};

	(void)state;
	run(vars_expand_group, cases, N(cases));
}

static void test_value(void **state)
{
	static const struct vector cases[] = {
		{ { 0 }, "${X}:$HOME", "${X}:/home/user", NULL },
		{ { 0 }, "~5", "~5", NULL },
		{ { 0 }, "~/x", "/home/user/x", NULL },
		{ { "A=" }, "<$A>", "<>", NULL },
	};

	(void)state;
	run(vars_expand_value, cases, N(cases));
}

static void test_relative_home(void **state)
{
	const struct vars v = { .home = "user", .workdir = "/" };
	struct arena a = { 0 };
	struct err e = { 0 };
	const char *got;

	(void)state;
	assert_int_equal(vars_expand(&v, &a, "~/x", &got, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "$HOME is \"user\""));
	arena_free(&a);
}

/* Longer than any first guess of a buffer. */
static void test_long(void **state)
{
	const struct vars v = { .home = "/home/user", .workdir = "/" };
	char text[5000];
	struct arena a = { 0 };
	const char *got;

	(void)state;
	for (size_t i = 0; i + 6 < sizeof(text); i += 5)
		memcpy(text + i, "$HOME", 6);
	assert_int_equal(vars_expand_value(&v, &a, text, &got, NULL), 0);
	assert_int_equal(strlen(got), strlen(text) * 2);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_relative_home),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
