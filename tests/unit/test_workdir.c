/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workdir.access grants, and which folders are none to work in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiles/workdir.h"
#include "tests/unit/tree.h"

#define R  ((unsigned)ACCESS_READ)
#define W  ((unsigned)ACCESS_WRITE)
#define RW (R | W)

struct result {
	struct grants grants;
	unsigned access;
	int rc;
	struct err err;
};

static struct result run(struct tree *t)
{
	struct result r = { 0 };

	if (grants_resolve(t->profile, &t->vars, &t->arena, &r.grants, &r.err) <
	    0)
		fail_msg("%s", r.err.msg);
	r.rc = workdir_grant(t->profile, &t->vars, &t->arena, &r.grants,
			     &r.access, &r.err);
	return r;
}

static void assert_refused(const struct result *r, const char *part)
{
	assert_int_equal(r->rc, -EPERM);
	if (!strstr(r->err.msg, part))
		fail_msg("\"%s\" lacks \"%s\"", r->err.msg, part);
}

static void test_levels(void **state)
{
	static const struct {
		const char *name;
		unsigned access;
	} cases[] = { { "none", 0 },
		      { "read", R },
		      { "write", W },
		      { "readwrite", RW },
		      { NULL, 0 } };
	struct tree *t = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r;

		t->profile->field[KEY_WORKDIR_ACCESS].n = 0;
		if (cases[i].name)
			add(t, KEY_WORKDIR_ACCESS, cases[i].name);
		r = run(t);
		assert_int_equal(r.rc, 0);
		assert_int_equal(r.access, cases[i].access);
		assert_int_equal(grants_access(&r.grants, at(t, "work/app/x")),
				 cases[i].access);
		assert_int_equal(r.grants.n, cases[i].access ? 1 : 0);
	}
}

static void test_grant(void **state)
{
	struct tree *t = *state;
	struct result r;

	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	make_link(t, "here", "work/app");
	t->vars.workdir = at(t, "here");
	r = run(t);
	assert_int_equal(r.rc, 0);
	assert_true(r.grants.items[0].implied);
	assert_int_equal(r.grants.items[0].from.line, 1);
	assert_string_equal(r.grants.items[0].path, at(t, "here"));
	assert_string_equal(r.grants.items[0].resolved, at(t, "work/app"));
	/* covered: nothing is added */
	add(t, KEY_FS_ALLOW, "@/work");
	r = run(t);
	assert_int_equal(r.grants.n, 1);
	assert_string_equal(r.grants.items[0].path, at(t, "work"));
	assert_int_equal(r.access, RW);
	/* in part: it is completed, in one grant if there is one of it */
	t->profile->field[KEY_FS_ALLOW].n = 0;
	add(t, KEY_FS_READ, "@/work/app");
	r = run(t);
	assert_int_equal(r.grants.n, 1);
	assert_false(r.grants.items[0].implied);
	assert_int_equal(grants_access(&r.grants, at(t, "work/app")), RW);
}

static void check_folder(struct tree *t, const char *path, bool fine)
{
	struct result r;

	t->vars.workdir = path;
	r = run(t);
	/* not every folder of the table is on every machine */
	if (r.rc == -ENOENT)
		return;
	if ((r.rc == 0) != fine)
		fail_msg("%s: %s", path, r.rc == 0 ? "granted" : r.err.msg);
}

static void test_system_folders(void **state)
{
	static const char *const refused[] = {
		"/",
		"/bin",
		"/usr/bin",
		"/boot",
		"/dev",
		"/dev/pts",
		"/etc",
		"/etc/ssl",
		"/home",
		"/lib",
		"/lib64",
		"/media",
		"/mnt",
		"/opt",
		"/proc",
		"/proc/self",
		"/root",
		"/run",
		"/run/lock",
		"/sbin",
		"/srv",
		"/sys",
		"/sys/fs",
		"/tmp",
		"/usr",
		"/usr/local",
		"/usr/share",
		"/usr/src",
		"/usr/local/src",
		"/var",
		"/var/lib",
		"/var/log",
		"/var/tmp",
		"/dev/shm",
		"/var/lib/dpkg",
		"/var/lib/dpkg/info",
		"/var/cache",
		"/var/cache/apt",
		"/var/log/apt",
		"/var/spool/cron",
	};
	struct tree *t = *state;
	char shm[] = "/dev/shm/egress-run.XXXXXX";
	char tmp[] = "/var/tmp/egress-run.XXXXXX";

	add(t, KEY_WORKDIR_ACCESS, "read");
	t->vars.home = "/home/nobody-of-the-test";
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check_folder(t, refused[i], false);
	/* where people and build services work */
	check_folder(t, at(t, "work"), true);
	check_folder(t, "/usr/src/linux", true);
	assert_non_null(mkdtemp(shm));
	check_folder(t, shm, true);
	assert_int_equal(rmdir(shm), 0);
	check_folder(t, "/home/somebody", true);
	assert_non_null(mkdtemp(tmp));
	check_folder(t, tmp, true);
	assert_int_equal(rmdir(tmp), 0);
	check_folder(t, "/var/lib/jenkins/workspace", true);
}

static void test_refused_text(void **state)
{
	struct tree *t = *state;
	struct result r;

	add(t, KEY_WORKDIR_ACCESS, "read");
	t->vars.workdir = "/etc";
	r = run(t);
	assert_refused(&r, "the working directory /etc is a folder of the "
			   "system, which is not granted by workdir.access "
			   "r: cd into a project folder, or "
			   "say --read /etc");
	/* what grants of the profile give does not make it a project */
	add(t, KEY_FS_READ, "/etc");
	r = run(t);
	assert_refused(&r, "a folder of the system");
	add_flag(t, KEY_FS_READ, "/etc", "--read");
	r = run(t);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.access, R);
	/* a flag for less than the level is not enough */
	t->profile->field[KEY_WORKDIR_ACCESS].n = 0;
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	r = run(t);
	assert_refused(&r, "or say --allow /etc");
}

static void test_home(void **state)
{
	struct tree *t = *state;
	struct result r;

	make_link(t, "link", "home");
	make_dir(t, "home/u/project");
	t->vars.home = at(t, "link/u");
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	t->vars.workdir = at(t, "home/u");
	r = run(t);
	assert_refused(&r, "your home folder itself");
	t->vars.workdir = at(t, "link/u");
	r = run(t);
	assert_refused(&r, "your home folder itself");
	t->vars.workdir = at(t, "home");
	r = run(t);
	assert_refused(&r, "a folder above your home folder");
	t->vars.workdir = at(t, "home/u/project");
	r = run(t);
	assert_int_equal(r.rc, 0);
	t->vars.workdir = at(t, "home/u");
	add_flag(t, KEY_FS_ALLOW, "~", "--allow");
	r = run(t);
	assert_int_equal(r.rc, 0);
	/* none: nothing to refuse */
	t->profile->field[KEY_FS_ALLOW].n = 0;
	t->profile->field[KEY_WORKDIR_ACCESS].n = 0;
	r = run(t);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.access, 0);
}

static void test_denied(void **state)
{
	struct tree *t = *state;
	struct result r;

	make_dir(t, "home/u/.aws/x");
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	add_group(t, KEY_FS_DENY, "~/.aws", "deny_credentials");
	t->vars.workdir = at(t, "home/u/.aws/x");
	r = run(t);
	assert_refused(&r, "which deny_credentials denies");
	/* opened for less than the level */
	add(t, KEY_FS_READ, "~/.aws");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.aws");
	r = run(t);
	assert_int_equal(r.grants.denials[0].bypassed, R);
	assert_refused(&r, "which deny_credentials denies");
	add(t, KEY_FS_BYPASS_PROTECTION, "$WORKDIR");
	r = run(t);
	assert_int_equal(r.rc, 0);
	assert_int_equal(grants_access(&r.grants, at(t, "home/u/.aws/x")), RW);
	assert_int_equal(grants_access(&r.grants, at(t, "home/u/.aws/y")), R);
	t->profile->field[KEY_FS_BYPASS_PROTECTION].n = 0;
	/* a denial below it is no obstacle */
	t->vars.workdir = at(t, "work/app");
	add(t, KEY_FS_DENY, "secret");
	r = run(t);
	assert_int_equal(r.rc, 0);
	assert_int_equal(grants_access(&r.grants, at(t, "work/app/secret")), 0);
	assert_int_equal(grants_access(&r.grants, at(t, "work/app/x")), RW);
}

/* The rest of them is denied by the shipped groups as a rule. */
static void test_home_folders(void **state)
{
	static const char *const refused[] = {
		".cache", ".config",	    ".local", ".local/share",
		".ssh",	  ".ssh/a/project", ".gnupg", ".gnupg/x",
	};
	static const char *const fine[] = {
		".config/nvim",
		".local/src/project",
		".cache/build",
		".sshd",
	};
	struct tree *t = *state;
	struct result r;

	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	make_dir(t, "home/keys");
	make_link(t, "home/u/.ssh", "@/home/keys");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *path =
			arena_printf(&t->arena, "home/u/%s", refused[i]);

		make_dir(t, path);
		t->vars.workdir = at(t, path);
		r = run(t);
		assert_refused(&r, "a folder of your settings");
		assert_refused(&r, "or say --allow /");
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		const char *path =
			arena_printf(&t->arena, "home/u/%s", fine[i]);

		make_dir(t, path);
		check_folder(t, at(t, path), true);
	}
	add_flag(t, KEY_FS_ALLOW, "~/.config", "--allow");
	check_folder(t, at(t, "home/u/.config"), true);
}

static void test_profiles_folder(void **state)
{
	struct tree *t = *state;
	struct result r;

	make_dir(t, "home/u/.config/egress-run/profiles");
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	t->vars.workdir = at(t, "home/u/.config/egress-run/profiles");
	r = run(t);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.access, R);
	assert_int_equal(r.grants.items[0].access, R);
	assert_true(r.grants.skipped[r.grants.n_skipped - 1].flag);
}

static void test_missing(void **state)
{
	struct tree *t = *state;
	struct result r;

	add(t, KEY_WORKDIR_ACCESS, "read");
	t->vars.workdir = at(t, "gone");
	r = run(t);
	assert_int_equal(r.rc, -ENOENT);
}

int main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_levels),		TREE_TEST(test_grant),
		TREE_TEST(test_system_folders), TREE_TEST(test_refused_text),
		TREE_TEST(test_home),		TREE_TEST(test_denied),
		TREE_TEST(test_home_folders),	TREE_TEST(test_profiles_folder),
		TREE_TEST(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
