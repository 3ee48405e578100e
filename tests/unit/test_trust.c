/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose files are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "profile_files.h"
#include "profiles/trust.h"

#define GIVES "and a profile gives rights; mend it with:"

static int check(struct files *f, const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	memset(&f->err, 0, sizeof(f->err));
	return trust_check(path, &st, &f->err);
}

static const char *profile(struct files *f)
{
	return files_put(f, "a/b/p.json", "{}");
}

static void test_own(void **state)
{
	struct files *f = *state;

	assert_int_equal(check(f, profile(f)), 0);
	assert_string_equal(f->err.msg, "");
}

static void test_file_mode(void **state)
{
	struct files *f = *state;
	const char *path = profile(f);

	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(check(f, path), -EPERM);
	files_error(&f->err,
		    "profile %s: other users may write to it, " GIVES
		    " chmod go-w %s",
		    path, path);
	/* The sticky bit says nothing about a file. */
	assert_int_equal(chmod(path, 01646), 0);
	assert_int_equal(check(f, path), -EPERM);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(check(f, path), 0);
}

/* So that the command can be copied. */
static void test_quoted(void **state)
{
	struct files *f = *state;
	const char *path = files_put(f, "my profiles/p.json", "{}");

	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(check(f, path), -EPERM);
	files_error(&f->err,
		    "profile %s: other users may write to it, " GIVES
		    " chmod go-w '%s'",
		    path, path);
}

static void test_folder_mode(void **state)
{
	struct files *f = *state;
	const char *path = profile(f);
	const char *dir = files_path(f, "a/b");

	assert_int_equal(chmod(dir, 0757), 0);
	assert_int_equal(check(f, path), -EPERM);
	files_error(&f->err,
		    "profile %s: other users may write to the folder %s and "
		    "so replace it, " GIVES " chmod go-w %s",
		    path, dir, dir);
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(check(f, path), 0);
	/* Further up a stranger could exchange whole folders. */
	assert_int_equal(chmod(files_path(f, "a"), 0777), 0);
	assert_int_equal(check(f, path), -EPERM);
	assert_non_null(strstr(f->err.msg, files_path(f, "a")));
}

static void test_owner(void **state)
{
	struct files *f = *state;
	const char *path = profile(f);
	const char *dir = files_path(f, "a/b");

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(path, STRANGER, 0), 0);
	assert_int_equal(check(f, path), -EPERM);
	files_error(&f->err,
		    "profile %s: it belongs to uid %d, not to root, " GIVES
		    " sudo chown 0 %s",
		    path, STRANGER, path);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(dir, STRANGER, 0), 0);
	assert_int_equal(check(f, path), -EPERM);
	files_error(&f->err,
		    "profile %s: the folder %s belongs to uid %d, not to "
		    "root, " GIVES " sudo chown 0 %s",
		    path, dir, STRANGER, dir);
	/* Sticky, but its owner may do everything in it. */
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(check(f, path), -EPERM);
}

static void test_group(void **state)
{
	struct files *f = *state;
	const char *path = profile(f);
	const char *dir = files_path(f, "a/b");

	if (geteuid() != 0)
		skip();
	/* root's own group */
	assert_int_equal(chmod(path, 0664), 0);
	assert_int_equal(chmod(dir, 0775), 0);
	assert_int_equal(check(f, path), 0);
	assert_int_equal(chown(path, 0, STRANGER), 0);
	assert_int_equal(check(f, path), -EPERM);
	assert_non_null(strstr(f->err.msg, "may write to it"));
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(dir, 0, STRANGER), 0);
	assert_int_equal(check(f, path), -EPERM);
	assert_non_null(strstr(f->err.msg, "may write to the folder"));
	assert_int_equal(chmod(dir, 01775), 0);
	assert_int_equal(check(f, path), 0);
}

static const char *link_to(struct files *f, const char *name,
			   const char *target)
{
	const char *path = files_path(f, name);

	assert_int_equal(symlink(target, path), 0);
	return path;
}

static void test_link(void **state)
{
	struct files *f = *state;
	const char *path = profile(f);
	const char *other = files_put(f, "c/other.json", "{}");
	const char *dir = files_path(f, "a/b");
	const char *far = link_to(f, "c/far.json", path);
	const char *near = link_to(f, "c/near.json", "../c/./far.json");

	(void)other;
	assert_int_equal(check(f, near), 0);
	/* the folder of the target */
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(check(f, near), -EPERM);
	assert_non_null(strstr(f->err.msg, dir));
	assert_int_equal(chmod(dir, 0755), 0);
	/* the folder of the link */
	assert_int_equal(chmod(files_path(f, "c"), 0777), 0);
	assert_int_equal(check(f, far), -EPERM);
	assert_non_null(strstr(f->err.msg, files_path(f, "c")));
	/* In a sticky one, whose link it is decides. */
	assert_int_equal(chmod(files_path(f, "c"), 01777), 0);
	assert_int_equal(check(f, far), 0);
	if (geteuid() != 0)
		skip();
	assert_int_equal(lchown(far, STRANGER, 0), 0);
	assert_int_equal(check(f, near), -EPERM);
	files_error(
		&f->err,
		"profile %s: the link %s belongs to uid %d, not to root, " GIVES
		" sudo chown -h 0 %s",
		near, far, STRANGER, far);
}

static void test_dots(void **state)
{
	struct files *f = *state;
	const char *path;

	(void)profile(f);
	(void)files_put(f, "a/open/x", "");
	path = files_path(f, "a/./open/../b//p.json");
	assert_int_equal(check(f, path), 0);
	assert_int_equal(chmod(files_path(f, "a/b"), 0777), 0);
	assert_int_equal(check(f, path), -EPERM);
}

static void test_relative(void **state)
{
	struct files *f = *state;
	char here[PATH_MAX];
	int fine;
	int bad;

	assert_non_null(getcwd(here, sizeof(here)));
	(void)profile(f);
	assert_int_equal(chdir(files_path(f, "a/b")), 0);
	fine = check(f, "p.json");
	assert_int_equal(chmod(files_path(f, "a/b"), 0777), 0);
	bad = check(f, "p.json");
	assert_int_equal(chdir(here), 0);
	assert_int_equal(fine, 0);
	assert_int_equal(bad, -EPERM);
	assert_non_null(strstr(f->err.msg, files_path(f, "a/b")));
}

/* Another file has come to the path since it was opened. */
static void test_replaced(void **state)
{
	struct files *f = *state;
	const char *path = profile(f);
	struct stat st;

	assert_int_equal(stat(files_put(f, "other.json", "{}"), &st), 0);
	assert_int_equal(trust_check(path, &st, &f->err), -EAGAIN);
	assert_non_null(strstr(f->err.msg, "was replaced"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(trust_check(files_path(f, "a"), &st, &f->err),
			 -EAGAIN);
}

static void test_loop(void **state)
{
	struct files *f = *state;
	const char *loop = link_to(f, "loop.json", "loop.json");
	struct stat st;

	assert_int_equal(stat(profile(f), &st), 0);
	assert_int_equal(trust_check(loop, &st, &f->err), -ELOOP);
}

static int as_stranger(struct files *f)
{
	const char *mine = files_path(f, "a/b/p.json");
	const char *group = files_path(f, "a/b/group.json");
	const char *root = files_path(f, "a/b/root.json");
	const char *third = files_path(f, "a/b/third.json");

	if (check(f, mine) != 0 || check(f, root) != 0)
		return 1;
	/* No account says that the group is his alone. */
	if (check(f, group) != -EPERM)
		return 2;
	if (check(f, third) != -EPERM ||
	    !strstr(f->err.msg, "not to you or root"))
		return 3;
	return 0;
}

static void test_stranger(void **state)
{
	struct files *f = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(profile(f), STRANGER, STRANGER), 0);
	assert_int_equal(chown(files_path(f, "a/b"), STRANGER, STRANGER), 0);
	assert_int_equal(
		chown(files_put(f, "a/b/group.json", "{}"), STRANGER, STRANGER),
		0);
	assert_int_equal(chmod(files_path(f, "a/b/group.json"), 0664), 0);
	(void)files_put(f, "a/b/root.json", "{}");
	assert_int_equal(chown(files_put(f, "a/b/third.json", "{}"),
			       STRANGER + 1, STRANGER),
			 0);
	assert_int_equal(files_as(STRANGER, as_stranger, f), 0);
}

int main(void)
{
#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, files_setup, files_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_own),	     TEST(test_file_mode),
		TEST(test_quoted),   TEST(test_folder_mode),
		TEST(test_owner),    TEST(test_group),
		TEST(test_link),     TEST(test_dots),
		TEST(test_relative), TEST(test_replaced),
		TEST(test_loop),     TEST(test_stranger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
