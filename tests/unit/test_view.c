/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: what it holds and leaves out, in which order, with which rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fsrules/mirror.h"
#include "fsrules/view.h"
#include "profiles/grants.h"
#include "profiles/workdir.h"
#include "tests/unit/tree.h"

#define R  ((unsigned)ACCESS_READ)
#define W  ((unsigned)ACCESS_WRITE)
#define RW (R | W)

struct view {
	struct tree *t;
	struct grants grants;
	struct view_texts texts;
	struct view_options o;
	struct view_plan plan;
};

static void start(struct view *v, struct tree *t)
{
	*v = (struct view) { .t = t };
	v->texts = (struct view_texts) { "1", "2", NULL, "4", "5", "6", "7" };
	v->o = (struct view_options) { .grants = &v->grants,
				       .texts = &v->texts,
				       .home = t->vars.home,
				       .workdir = t->vars.workdir,
				       .uid = 1000 };
}

static void resolve(struct view *v)
{
	struct tree *t = v->t;
	struct err e = { 0 };
	unsigned access;

	if (grants_resolve(t->profile, &t->vars, &t->arena, &v->grants, &e) <
		    0 ||
	    workdir_grant(t->profile, &t->vars, &t->arena, &v->grants, &access,
			  &e) < 0)
		fail_msg("%s", e.msg);
}

static void plan(struct view *v)
{
	struct err e = { 0 };

	resolve(v);
	if (view_plan(&v->o, &v->t->arena, &v->plan, &e) < 0)
		fail_msg("%s", e.msg);
}

/* The last item at a path, or NULL. */
static const struct view_item *item_at(struct view *v, const char *path)
{
	const struct view_item *found = NULL;

	path = with_root(v->t, path);
	for (size_t i = 0; i < v->plan.n; i++)
		if (strcmp(v->plan.items[i].path, path) == 0)
			found = &v->plan.items[i];
	return found;
}

static bool has(struct view *v, const char *path, enum view_kind kind)
{
	const struct view_item *item = item_at(v, path);

	return item && item->kind == kind;
}

static bool is_bind(struct view *v, const char *path, bool writable)
{
	const struct view_item *item = item_at(v, path);

	return item && item->kind == VIEW_BIND && item->writable == writable;
}

static const struct view_rule *rule_at(struct view *v, const char *path,
				       bool list_only)
{
	path = with_root(v->t, path);
	for (size_t i = 0; i < v->plan.n_rules; i++)
		if (strcmp(v->plan.rules[i].path, path) == 0 &&
		    v->plan.rules[i].list_only == list_only)
			return &v->plan.rules[i];
	return NULL;
}

/* Every item of the view's own has its folder before it, made for the view. */
static void assert_ordered(struct view *v)
{
	for (size_t i = 0; i < v->plan.n; i++) {
		const struct view_item *item = &v->plan.items[i];
		size_t len = (size_t)(strrchr(item->path, '/') - item->path);
		bool found = len == 0;

		for (size_t j = 0; j < i && item->own; j++) {
			const struct view_item *p = &v->plan.items[j];

			found |= strlen(p->path) == len &&
				 strncmp(p->path, item->path, len) == 0;
		}
		if (item->own && !found)
			fail_msg("nothing holds %s", item->path);
	}
}

static void test_reduces(void **state)
{
	struct tree *t = *state;
	struct view v;

	make_file(t, "a/b/f");
	make_dir(t, "a/w");
	make_dir(t, "a-b");
	add(t, KEY_FS_READ, "@/a");
	add(t, KEY_FS_READ, "@/a/b");
	add(t, KEY_FS_READ_FILE, "@/a/b/f");
	add(t, KEY_FS_ALLOW, "@/a/w");
	add(t, KEY_FS_READ, "@/a-b");
	start(&v, t);
	plan(&v);
	assert_true(is_bind(&v, "@/a", false));
	assert_null(item_at(&v, "@/a/b"));
	assert_null(item_at(&v, "@/a/b/f"));
	assert_true(is_bind(&v, "@/a/w", true));
	assert_false(item_at(&v, "@/a/w")->own);
	assert_true(item_at(&v, "@/a")->own);
	assert_true(is_bind(&v, "@/a-b", false));
	assert_true(has(&v, t->root, VIEW_DIR));
	assert_true(has(&v, t->vars.home, VIEW_DIR));
	assert_ordered(&v);
	/* Landlock has them all */
	assert_int_equal(rule_at(&v, "@/a/b/f", false)->access, R);
	assert_false(rule_at(&v, "@/a/b/f", false)->directory);
	assert_int_equal(rule_at(&v, "@/a/w", false)->access, RW);
}

static void test_private(void **state)
{
	static const char *const granted[] = { "/tmp",	       "/run",
					       "/dev",	       "/dev/null",
					       "/dev/pts",     "/dev/fd",
					       "/dev/stdin",   "/proc/self",
					       "/proc/meminfo" };
	struct tree *t = *state;
	struct view v;

	for (size_t i = 0; i < sizeof(granted) / sizeof(granted[0]); i++)
		add(t, KEY_FS_READ, granted[i]);
	start(&v, t);
	v.o.terminal = "/dev/pts/9";
	plan(&v);
	assert_true(has(&v, "/tmp", VIEW_TMPFS));
	assert_int_equal(item_at(&v, "/tmp")->mode, 01777);
	assert_true(has(&v, "/run", VIEW_TMPFS));
	assert_true(has(&v, "/dev", VIEW_TMPFS));
	assert_false(item_at(&v, "/dev")->writable);
	assert_true(has(&v, "/dev/pts", VIEW_DEVPTS));
	assert_true(has(&v, "/proc", VIEW_PROC));
	assert_true(item_at(&v, "/proc")->writable);
	assert_null(item_at(&v, "/proc/meminfo"));
	assert_null(item_at(&v, "/sys"));
	assert_true(item_at(&v, "/dev/null")->device);
	assert_string_equal(item_at(&v, "/dev/console")->source, "/dev/pts/9");
	assert_true(rule_at(&v, "/dev", false)->device);
	assert_int_equal(rule_at(&v, "/proc", false)->access, RW);
	assert_ordered(&v);
	add(t, KEY_FS_READ, "/sys");
	start(&v, t);
	v.o.uid = 0;
	plan(&v);
	assert_true(has(&v, "/sys", VIEW_SYS));
	assert_int_equal(rule_at(&v, "/sys", false)->access, R);
	assert_false(item_at(&v, "/proc")->writable);
}

/* Names may be read where that is not reading them in a write-only folder. */
static void test_lists(void **state)
{
	struct tree *t = *state;
	struct view v;

	make_dir(t, "home/u/in");
	make_dir(t, "home/u/both");
	make_dir(t, "srv/deep/data");
	add(t, KEY_FS_READ, "@/srv/deep/data");
	add(t, KEY_FS_WRITE, "~/both");
	add(t, KEY_FS_READ, "~/both");
	start(&v, t);
	plan(&v);
	assert_non_null(rule_at(&v, "/", true));
	add(t, KEY_FS_WRITE, "~/in");
	start(&v, t);
	plan(&v);
	assert_null(rule_at(&v, "/", true));
	assert_null(rule_at(&v, t->root, true));
	assert_null(rule_at(&v, t->vars.home, true));
	assert_null(rule_at(&v, "@/home/u/in", true));
	assert_non_null(rule_at(&v, "@/srv", true));
	assert_null(rule_at(&v, "@/srv/deep", true)); /* @/srv has it */
	assert_non_null(rule_at(&v, "/etc", true));
	assert_int_equal(rule_at(&v, "/etc", true)->access, 0);
	assert_int_equal(rule_at(&v, "@/home/u/in", false)->access, W);
	assert_true(is_bind(&v, "@/home/u/in", true));
}

static void test_denials(void **state)
{
	struct tree *t = *state;
	struct view v;

	make_file(t, "home/u/.netrc");
	make_file(t, "home/u/.aws/config");
	make_file(t, "home/u/.kube/config");
	make_file(t, "other/secret");
	make_dir(t, "home/u/.ssh");
	add(t, KEY_FS_ALLOW, "~");
	add_group(t, KEY_FS_DENY, "~/.netrc", "g");
	add_group(t, KEY_FS_DENY, "~/.ssh", "g");
	add_group(t, KEY_FS_DENY, "~/.gone", "g");
	add_group(t, KEY_FS_DENY, "~/.aws", "g");
	add_group(t, KEY_FS_DENY, "~/.kube", "g");
	add_group(t, KEY_FS_DENY, "@/other/secret", "g");
	add(t, KEY_FS_READ, "~/.aws/config");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.aws/config");
	add(t, KEY_FS_READ, "~/.kube");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.kube");
	start(&v, t);
	plan(&v);
	assert_true(has(&v, "@/home/u/.netrc", VIEW_MASK));
	assert_false(item_at(&v, "@/home/u/.netrc")->directory);
	assert_true(has(&v, "@/home/u/.ssh", VIEW_MASK));
	assert_true(item_at(&v, "@/home/u/.ssh")->directory);
	assert_null(item_at(&v, "@/home/u/.gone"));
	/* nothing to hide there */
	assert_null(item_at(&v, "@/other/secret"));
	/* a folder for what comes back */
	assert_true(has(&v, "@/home/u/.aws", VIEW_TMPFS));
	assert_false(item_at(&v, "@/home/u/.aws")->writable);
	assert_true(item_at(&v, "@/home/u/.aws/config")->own);
	assert_ordered(&v);
}

/* Files that are saved by rename have their folder's mirror. */
static void test_mirror(void **state)
{
	struct tree *t = *state;
	struct mirrors *m = NULL;
	struct err e = { 0 };
	struct view v;
	const char *source;

	make_file(t, "home/u/.claude.json");
	make_dir(t, "home/u/.claude");
	make_dir(t, "home/u/.config/x");
	add(t, KEY_FS_ALLOW_FILE, "~/.claude.json");
	add(t, KEY_FS_ALLOW, "~/.claude");
	add(t, KEY_FS_READ, "~/.config/x");
	start(&v, t);
	resolve(&v);
	if (mirrors_make(&v.grants, at(t, "state"), &t->arena, &m, &e) < 0)
		fail_msg("%s", e.msg);
	v.o.mirrors = m;
	source = mirrors_source(m, t->vars.home);
	assert_non_null(source);
	plan(&v);
	assert_true(is_bind(&v, t->vars.home, true));
	assert_string_equal(item_at(&v, t->vars.home)->source, source);
	assert_null(item_at(&v, "@/home/u/.claude.json"));
	assert_true(item_at(&v, "@/home/u/.claude")->own);
	assert_true(has(&v, "@/home/u/.config", VIEW_DIR));
	assert_ordered(&v);
	assert_int_equal(rule_at(&v, t->vars.home, false)->access, RW);
	mirrors_finish(m);
	mirrors_free(m);
}

/* The user's own folder for temporary files is as private as /tmp. */
static void test_temporary(void **state)
{
	struct tree *t = *state;
	struct view v;

	make_dir(t, "scratch");
	add_group(t, KEY_FS_WRITE, "@/scratch", "system_write_linux");
	start(&v, t);
	plan(&v);
	assert_true(has(&v, "@/scratch", VIEW_TMPFS));
	assert_int_equal(item_at(&v, "@/scratch")->mode, 0700);
	start(&v, t);
	v.o.share_tmp = true;
	plan(&v);
	assert_true(is_bind(&v, "/tmp", true));
	assert_null(item_at(&v, "@/scratch")); /* below /tmp */
	add(t, KEY_FS_WRITE, "@/scratch");
	start(&v, t);
	plan(&v);
	assert_true(is_bind(&v, "@/scratch", true));
}

static void test_workdir(void **state)
{
	struct tree *t = *state;
	struct view v;

	start(&v, t);
	plan(&v);
	assert_string_equal(v.plan.workdir, "/");
	make_dir(t, "work/app/below");
	add(t, KEY_FS_READ, "@/work/app/below");
	start(&v, t);
	plan(&v);
	assert_string_equal(v.plan.workdir, "/");
	add(t, KEY_WORKDIR_ACCESS, "read");
	start(&v, t);
	plan(&v);
	assert_string_equal(v.plan.workdir, t->vars.workdir);
	start(&v, t);
	v.o.workdir = "/tmp";
	plan(&v);
	assert_string_equal(v.plan.workdir, "/tmp");
}

/* Work grows with what is granted, not with its square. */
static void test_many(void **state)
{
	enum { MANY = 3000 };
	struct tree *t = *state;
	struct view v;
	size_t masks = 0;

	for (int i = 0; i < MANY; i++)
		make_file(t, arena_printf(&t->arena, "m/%05d", i));
	add(t, KEY_FS_READ, "@/m/*");
	add(t, KEY_FS_ALLOW, "@/m");
	add(t, KEY_FS_DENY, "@/m/*9");
	start(&v, t);
	plan(&v);
	for (size_t i = 0; i < v.plan.n; i++)
		masks += v.plan.items[i].kind == VIEW_MASK;
	assert_int_equal(masks, MANY / 10);
	assert_true(v.plan.n < MANY / 10 + 60);
}

int main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_reduces), TREE_TEST(test_private),
		TREE_TEST(test_lists),	 TREE_TEST(test_denials),
		TREE_TEST(test_mirror),	 TREE_TEST(test_temporary),
		TREE_TEST(test_workdir), TREE_TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
