/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths followed and patterns expanded on a real tree. */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/syscall.h>

#include <cmocka.h>

#include "profiles/globs.h"
#include "tests/unit/tree.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void test_covers(void **state)
{
	(void)state;
	assert_true(path_covers("/a/b", "/a/b"));
	assert_true(path_covers("/a/b", "/a/b/c"));
	assert_false(path_covers("/a/b", "/a/bc"));
	assert_false(path_covers("/a/b", "/a"));
	assert_true(path_covers("/", "/a"));
	assert_true(path_covers("/", "/"));
	assert_int_equal(path_parent("/a/b", 4), 2);
	assert_int_equal(path_parent("/a", 2), 1);
	assert_int_equal(path_parent("/", 1), 0);
}

static void test_normalise(void **state)
{
	static const char *const cases[][2] = {
		{ "/a/./b//c/", "/a/b/c" },
		{ "/a/../b", "/b" },
		{ "/../..", "/" },
		{ "/", "/" },
		{ "//", "/" },
		{ "/a/..", "/" },
		{ "/a/...", "/a/..." },
		{ "/a\n/../b", "/b" },
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		assert_string_equal(path_normalise(&a, cases[i][0]),
				    cases[i][1]);
	arena_free(&a);
}

static struct place follow(struct tree *t, const char *path)
{
	struct place p;

	assert_int_equal(path_resolve(&t->arena, with_root(t, path), &p), 0);
	return p;
}

static void check(struct tree *t, const char *path, int error,
		  const char *resolved)
{
	struct place p = follow(t, path);

	assert_int_equal(p.error, error);
	assert_string_equal(p.resolved, with_root(t, resolved));
}

static void test_resolve(void **state)
{
	struct tree *t = *state;
	struct place p;

	make_file(t, "a/b/f");
	make_link(t, "l", "a/b");
	make_link(t, "abs", "@l");
	make_link(t, "a/up", "../l/f");
	make_link(t, "loop", "loop");
	make_link(t, "loop1", "loop2");
	make_link(t, "loop2", "loop1");
	make_link(t, "gone", "no/where");
	make_link(t, "dots", "a/b/../../l/./f");
	check(t, "@/a/b/f", 0, "@/a/b/f");
	check(t, "@/l/f", 0, "@/a/b/f");
	check(t, "@/abs/f", 0, "@/a/b/f");
	check(t, "@/a/up", 0, "@/a/b/f");
	check(t, "@/dots", 0, "@/a/b/f");
	check(t, "@/l/", 0, "@/a/b");
	check(t, "/", 0, "/");
	check(t, "/..", 0, "/");
	check(t, "@/l/new/x", ENOENT, "@/a/b/new/x");
	check(t, "@/gone/x", ENOENT, "@/no/where/x");
	check(t, "@/a/b/f/x", ENOTDIR, "@/a/b/f/x");
	check(t, "@/loop", ELOOP, "@/loop");
	check(t, "@/loop1/x", ELOOP, "@/loop1/x");

	p = follow(t, "@/abs/f");
	assert_string_equal(p.path, at(t, "abs/f"));
	assert_string_equal(p.links->path, at(t, "l"));
	assert_string_equal(p.links->target, "a/b");
	assert_string_equal(p.links->next->path, at(t, "abs"));
	assert_null(p.links->next->next);
	assert_true(S_ISREG(p.mode));
	assert_true(S_ISDIR(follow(t, "@/l").mode));
}

/* ".." behind a link means the folder above what it leads to. */
static void test_dots_behind_links(void **state)
{
	struct tree *t = *state;
	struct place p;

	make_dir(t, "data/deep");
	make_file(t, "data/x");
	make_file(t, "x");
	make_link(t, "l", "data/deep");
	p = follow(t, "@/l/../x");
	assert_string_equal(p.resolved, at(t, "data/x"));
	assert_string_equal(p.path, at(t, "data/x"));
	p = follow(t, "@/data/../x");
	assert_string_equal(p.path, at(t, "x"));
	make_link(t, "same", "data");
	p = follow(t, "@/same/../x");
	assert_string_equal(p.path, at(t, "x"));
}

static void test_proc_self(void **state)
{
	struct tree *t = *state;

	check(t, "/proc/self", 0, "/proc/self");
	check(t, "/proc/self/fd", 0, "/proc/self/fd");
	check(t, "/proc/self/root/etc", ENOTDIR, "/proc/self/root/etc");
	check(t, "/proc/self/cwd", 0, "/proc/self/cwd");
	check(t, "/dev/fd", 0, "/proc/self/fd");
	assert_true(S_ISDIR(follow(t, "/proc/self").mode));
	assert_true(S_ISDIR(follow(t, "/dev/fd").mode));
}

static void test_long(void **state)
{
	struct tree *t = *state;
	char path[PATH_MAX + 100];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(follow(t, path).error, ENAMETOOLONG);
	for (size_t i = 0; i < sizeof(path) - 1; i += 2)
		path[i] = '/';
	assert_int_equal(follow(t, path).error, ENAMETOOLONG);
}

static void unreachable(struct tree *t)
{
	assert_int_equal(follow(t, "@/locked/in/x").error, EACCES);
	assert_string_equal(follow(t, "@/locked/in/x").resolved,
			    at(t, "locked/in/x"));
}

static void test_unreachable(void **state)
{
	struct tree *t = *state;

	make_file(t, "locked/in/x");
	assert_int_equal(chmod(at(t, "locked"), 0), 0);
	as_nobody(unreachable, t);
	assert_int_equal(chmod(at(t, "locked"), 0755), 0);
}

/* The matches, relative to ROOT, each with a space behind it. */
static const char *matches(struct tree *t, const char *root,
			   const char *pattern, bool covers)
{
	struct glob_budget budget = { 0 };
	const struct glob g = { .budget = &budget,
				.root = at(t, root),
				.pattern = pattern,
				.covers = covers,
				.unlistable = true };
	struct glob_matches m = { 0 };
	struct err e = { 0 };
	char *all = arena_strdup(&t->arena, "");

	if (glob_expand(&g, &t->arena, &m, &e) < 0)
		return arena_strdup(&t->arena, e.msg);
	for (size_t i = 0; i < m.n; i++)
		all = arena_printf(&t->arena, "%s%s ", all,
				   m.items[i].path + strlen(t->root) + 1);
	return all;
}

static void test_match(void **state)
{
	struct tree *t = *state;

	make_file(t, "g/a.c");
	make_file(t, "g/.env");
	make_file(t, "g/sub/b.c");
	make_file(t, "g/sub/.env");
	make_file(t, "g/sub/deep/c.c");
	make_file(t, "g/sub/deep/sub/d.c");
	make_dir(t, "g/empty");
#define IS(pattern, want) \
	assert_string_equal(matches(t, "g", pattern, false), want)
	IS("*", "g/.env g/a.c g/empty g/sub ");
	IS("*.c", "g/a.c ");
	IS("*/*.c", "g/sub/b.c ");
	IS("**/*.c", "g/a.c g/sub/b.c g/sub/deep/c.c g/sub/deep/sub/d.c ");
	IS("**/.env", "g/.env g/sub/.env ");
	IS("*/deep/*.c", "g/sub/deep/c.c ");
	IS("**/sub/**/*.c", "g/sub/b.c g/sub/deep/c.c g/sub/deep/sub/d.c ");
	IS("**/**/d.c", "g/sub/deep/sub/d.c ");
	IS("*/**", "g/sub/.env g/sub/b.c g/sub/deep g/sub/deep/c.c "
		   "g/sub/deep/sub g/sub/deep/sub/d.c ");
	IS("s*b", "g/sub ");
	IS("*u*/*b*", "g/sub/b.c ");
	IS("*.h", "");
	IS("*/./deep", "g/sub/deep ");
	IS("*/no", "");
	IS("*.c/x", "");
#undef IS
	assert_string_equal(matches(t, "none", "*", false), "");
	assert_string_equal(matches(t, "g/a.c", "*", false), "");
	/* what lies below a match is said by it */
	assert_string_equal(matches(t, "g", "**", true),
			    "g/.env g/a.c g/empty g/sub ");
}

static void test_links(void **state)
{
	struct tree *t = *state;
	struct glob_matches m = { 0 };
	struct glob_budget budget = { 0 };
	struct glob g = { .budget = &budget,
			  .pattern = "**/*",
			  .covers = true };

	make_file(t, "out/secret/key");
	make_file(t, "g/in/f");
	make_link(t, "g/in/back", "..");
	make_link(t, "g/in/self", ".");
	make_link(t, "g/out", "@out");
	make_link(t, "g/in/dead", "nowhere");
	assert_string_equal(matches(t, "g", "**/key", false), "");
	assert_string_equal(matches(t, "g", "*/secret/*", false),
			    "g/out/secret/key ");
	assert_string_equal(matches(t, "g", "**/f", false), "g/in/f ");
	assert_string_equal(matches(t, "g", "*/*/*/*/f", false),
			    "g/in/back/in/self/f g/in/self/back/in/f "
			    "g/in/self/self/self/f ");
	/* links are found below what is covered */
	g.root = at(t, "g");
	assert_int_equal(glob_expand(&g, &t->arena, &m, NULL), 0);
	assert_int_equal(m.n, 5);
	assert_string_equal(m.items[0].path, at(t, "g/in"));
	assert_string_equal(m.items[1].path, at(t, "g/in/back"));
	assert_string_equal(m.items[1].resolved, at(t, "g"));
	assert_string_equal(m.items[2].path, at(t, "g/in/dead"));
	assert_int_equal(m.items[2].error, ENOENT);
	assert_string_equal(m.items[4].resolved, at(t, "out"));
}

/* The part in front of the first "*" is a plain path. */
static void test_root(void **state)
{
	struct tree *t = *state;

	make_file(t, "r/[id]?/p/x");
	make_link(t, "to", "r");
	assert_string_equal(matches(t, "r/[id]?", "*/x", false),
			    "r/[id]?/p/x ");
	assert_string_equal(matches(t, "to/[id]?", "*", false), "to/[id]?/p ");
	assert_true(glob_is("a/*"));
	assert_false(glob_is("a/[b]?"));
	assert_int_equal(glob_split("a/b*c/d"), 2);
	assert_int_equal(glob_split("/a/*"), 3);
	assert_int_equal(glob_split("*"), 0);
}

static void test_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "*.?", "? and [ are not known" },
		{ "*/[ab]", "? and [ are not known" },
		{ "a**", "** stands alone" },
		{ "***", "** stands alone" },
		{ "*/../x", "cannot stand behind a *" },
		{ "*/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/"
		  "t/u/v/w/x",
		  "more than 32 components" },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < N(cases); i++)
		assert_non_null(strstr(matches(t, "", cases[i][0], false),
				       cases[i][1]));
}

static void test_too_deep(void **state)
{
	struct tree *t = *state;
	char path[2 * GLOB_DEPTH_MAX + 8] = "d";

	for (size_t i = 1; i < sizeof(path) - 2; i += 2)
		memcpy(path + i, "/d", 3);
	make_dir(t, path);
	assert_non_null(strstr(matches(t, "d", "**/x", false),
			       "more than 128 folders deep"));
}

/* Many ways to match are one walk: a name would be visited more often than
 * GLOB_VISITS_MAX otherwise. */
static void test_ways(void **state)
{
	struct tree *t = *state;
	char path[2 * 100] = "d";

	for (size_t i = 1; i < sizeof(path) - 2; i += 2)
		memcpy(path + i, "/d", 3);
	make_dir(t, path);
	assert_string_equal(matches(t, "d", "*/**/*/**/*/**/*/**/x/**", false),
			    "");
}

static void unlistable(struct tree *t)
{
	assert_string_equal(matches(t, "u", "**/.env", false),
			    "u/.env u/shut ");
	assert_string_equal(matches(t, "u", "shut/*/.env", false), "u/shut ");
	assert_string_equal(matches(t, "u", "*/.env", false), "u/shut ");
}

/* A folder that may hide a match counts as one, where that is asked for. */
static void test_unlistable(void **state)
{
	struct tree *t = *state;

	make_file(t, "u/.env");
	make_file(t, "u/shut/x/.env");
	assert_int_equal(chmod(at(t, "u/shut"), 0), 0);
	as_nobody(unlistable, t);
	assert_int_equal(chmod(at(t, "u/shut"), 0755), 0);
}

/* One pattern after the other spends of the same. */
static void test_budget(void **state)
{
	static const struct {
		struct glob_budget spent;
		const char *says;
	} cases[] = {
		{ { .matches = GLOB_MATCHES_MAX - 3 }, NULL },
		{ { .visits = GLOB_VISITS_MAX - 8 }, NULL },
		{ { .matches = GLOB_MATCHES_MAX - 2 }, "100000 paths match" },
		{ { .visits = GLOB_VISITS_MAX - 7 }, "5000000 files" },
	};
	struct tree *t = *state;

	make_file(t, "b/one");
	make_file(t, "b/two");
	make_file(t, "b/three");
	for (size_t i = 0; i < N(cases); i++) {
		struct glob_budget budget = cases[i].spent;
		const struct glob all = { .budget = &budget,
					  .root = at(t, "b"),
					  .pattern = "*" };
		const struct glob none = { .budget = &budget,
					   .root = at(t, "b"),
					   .pattern = "*.none" };
		struct glob_matches m = { 0 };
		struct err e = { 0 };
		int rc = glob_expand(&none, &t->arena, &m, &e);

		assert_int_equal(rc, 0);
		rc = glob_expand(&all, &t->arena, &m, &e);
		assert_int_equal(rc, cases[i].says ? -E2BIG : 0);
		if (cases[i].says)
			assert_non_null(strstr(e.msg, cases[i].says));
	}
}

/* In a process without capabilities, of a parent that has some. */
static int list_of_parent(struct tree *t)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { { 0 } };
	struct glob_budget budget = { 0 };
	struct glob g = { .budget = &budget,
			  .root = arena_printf(&t->arena, "/proc/%d/map_files",
					       (int)getppid()),
			  .pattern = "*",
			  .unlistable = true };
	struct glob_matches m = { 0 };
	struct err e = { 0 };
	DIR *d;

	if (syscall(SYS_capset, &header, none) < 0)
		return 2;
	d = opendir(g.root);
	if (!d)
		return 77;
	do
		errno = 0;
	while (readdir(d));
	if (errno != EACCES && errno != EPERM)
		return 77; /* it can be listed here */
	(void)closedir(d);
	if (glob_expand(&g, &t->arena, &m, &e) < 0)
		return 3;
	return m.n == 1 && strcmp(m.items[0].path, g.root) == 0 ? 0 : 4;
}

/* Folders of /proc open for some who must not read them. */
static void test_unreadable(void **state)
{
	struct tree *t = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(list_of_parent(t));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_normalise),
		TREE_TEST(test_resolve),
		TREE_TEST(test_dots_behind_links),
		TREE_TEST(test_proc_self),
		TREE_TEST(test_long),
		TREE_TEST(test_unreachable),
		TREE_TEST(test_match),
		TREE_TEST(test_links),
		TREE_TEST(test_root),
		TREE_TEST(test_refused),
		TREE_TEST(test_too_deep),
		TREE_TEST(test_ways),
		TREE_TEST(test_unlistable),
		TREE_TEST(test_budget),
		TREE_TEST(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
