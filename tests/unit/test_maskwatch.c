/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Masks whose file is replaced from outside. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fsrules/masktargets.h"
#include "fsrules/maskwatch.h"
#include "fsrules/notify.h"
#include "tests/unit/loopwait.h"
#include "tests/unit/tree.h"

struct lab {
	struct tree *t;
	struct view_plan plan;
	struct grants g;
	struct maskwatch *w;
	struct loop *loop;
	struct notify_hub *hub;
	int result; /* of remask() */
	unsigned n_remask;
	unsigned n_lost;
	size_t n_compared;
	const char *last; /* path of the last remask() */
	enum maskwatch_how how;
	int error;
	size_t unwatched;
	int unwatched_error;
};

static int setup(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct err e;

	assert_non_null(l);
	assert_int_equal(tree_setup((void **)&l->t), 0);
	assert_int_equal(loop_new(&l->loop, &e), 0);
	assert_int_equal(notify_hub_new(&l->hub, l->loop, &e), 0);
	l->last = "";
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	maskwatch_free(l->w);
	notify_hub_free(l->hub);
	loop_free(l->loop);
	tree_teardown((void **)&l->t);
	free(l);
	return 0;
}

static struct view_item *item(struct lab *l, enum view_kind kind,
			      const char *path)
{
	struct view_item *items =
		arena_grow(&l->t->arena, l->plan.items, l->plan.n,
			   &l->plan.room, sizeof(*items));
	struct view_item *x;

	assert_non_null(items);
	l->plan.items = items;
	x = &items[l->plan.n++];
	*x = (struct view_item) { .kind = kind, .path = at(l->t, path) };
	return x;
}

static struct view_item *bound(struct lab *l, const char *path, bool writable)
{
	struct view_item *x = item(l, VIEW_BIND, path);

	x->source = x->path;
	x->directory = true;
	x->writable = writable;
	return x;
}

static void missing(struct lab *l, const char *path)
{
	struct denial *all =
		arena_grow(&l->t->arena, l->g.denials, l->g.n_denials,
			   &l->g.denials_room, sizeof(*all));

	assert_non_null(all);
	l->g.denials = all;
	all[l->g.n_denials++] = (struct denial) { .path = at(l->t, path),
						  .resolved = at(l->t, path) };
}

static int remask(void *arg, const char *path, enum maskwatch_how how)
{
	struct lab *l = arg;

	l->n_remask++;
	l->last = path;
	l->how = how;
	return l->result;
}

static void lost(void *arg, const char *path, int error)
{
	struct lab *l = arg;

	l->n_lost++;
	l->error = error;
	assert_string_equal(path, l->last);
}

static void unwatched(void *arg, size_t n, int error)
{
	struct lab *l = arg;

	l->unwatched = n;
	l->unwatched_error = error;
}

static int compare(void *arg, const struct maskwatch_base *bases, size_t n)
{
	struct lab *l = arg;
	struct stat st;

	l->n_compared += n;
	for (size_t i = 0; i < n; i++)
		if (stat(bases[i].path, &st) < 0 || st.st_dev != bases[i].dev ||
		    st.st_ino != bases[i].ino)
			return -ESTALE;
	return 0;
}

static void start(struct lab *l)
{
	const struct maskwatch_events ev = { remask, lost, unwatched, compare,
					     l };
	struct err e = { 0 };

	if (maskwatch_start(&l->w, &l->plan, &l->g, l->loop, l->hub, &ev, &e) <
	    0)
		fail_msg("%s", e.msg);
}

/* p with p/.env and p/a/b/key denied. */
static void start_usual(struct lab *l)
{
	make_file(l->t, "p/.env");
	make_file(l->t, "p/a/b/key");
	bound(l, "p", true);
	item(l, VIEW_MASK, "p/.env");
	item(l, VIEW_MASK, "p/a/b/key");
	missing(l, "p/later/deep/secret");
	start(l);
}

static bool has_remasked(void *arg)
{
	const struct lab *l = arg;

	return l->n_remask > 0;
}

/* That path is put up again, and nothing else. */
static void assert_remasked(struct lab *l, const char *path)
{
	assert_true(loopwait_until(l->loop, has_remasked, l));
	loopwait_settle(l->loop);
	assert_string_equal(l->last, at(l->t, path));
	assert_int_equal(l->n_remask, 1);
	l->n_remask = 0;
}

static void assert_quiet(struct lab *l)
{
	loopwait_settle(l->loop);
	if (l->n_remask > 0)
		fail_msg("%s was put up again", l->last);
}

static void move(struct lab *l, const char *from, const char *to)
{
	assert_int_equal(rename(at(l->t, from), at(l->t, to)), 0);
}

static void test_replaced(void **state)
{
	struct lab *l = *state;

	start_usual(l);
	make_file(l->t, "p/new");
	assert_quiet(l);
	move(l, "p/new", "p/.env");
	assert_remasked(l, "p/.env");
	assert_int_equal(l->how, MASKWATCH_HIDE);
	assert_int_equal(l->n_lost, 1);
	assert_int_equal(l->error, 0);
	/* rm, and a new file. */
	assert_int_equal(unlink(at(l->t, "p/.env")), 0);
	assert_quiet(l);
	make_file(l->t, "p/.env");
	assert_remasked(l, "p/.env");
	make_file(l->t, "p/a/b/other");
	make_file(l->t, "p/a/key");
	make_file(l->t, "p/a/.env");
	assert_quiet(l);
}

static void test_folder_replaced(void **state)
{
	struct lab *l = *state;

	start_usual(l);
	move(l, "p/a", "p/old");
	make_dir(l->t, "p/a/b");
	assert_quiet(l);
	make_file(l->t, "p/a/b/key");
	assert_remasked(l, "p/a/b/key");
	/* The mask went away with the old folder, and is not looked for. */
	make_file(l->t, "p/old/b/x");
	move(l, "p/old/b/x", "p/old/b/key");
	assert_quiet(l);
	/* One that is complete when it comes. */
	make_file(l->t, "p/prepared/b/key");
	move(l, "p/a", "p/older");
	move(l, "p/prepared", "p/a");
	assert_remasked(l, "p/a/b/key");
	move(l, "p/a/b", "p/b");
	move(l, "p/older/b", "p/a/b");
	assert_remasked(l, "p/a/b/key");
}

static void test_appears(void **state)
{
	struct lab *l = *state;

	start_usual(l);
	make_dir(l->t, "p/later/deep");
	assert_quiet(l);
	make_file(l->t, "p/later/deep/secret");
	assert_remasked(l, "p/later/deep/secret");
	assert_int_equal(l->n_lost, 1);
}

/* A link on the way is not followed to watch somewhere else. */
static void test_link_on_the_way(void **state)
{
	struct lab *l = *state;

	start_usual(l);
	make_file(l->t, "elsewhere/deep/secret");
	make_link(l->t, "p/later", "@elsewhere");
	assert_quiet(l);
	assert_int_equal(unlink(at(l->t, "p/later")), 0);
	make_file(l->t, "p/later/deep/secret");
	assert_remasked(l, "p/later/deep/secret");
}

static void test_gone_again(void **state)
{
	struct lab *l = *state;

	l->result = -ENOENT;
	start_usual(l);
	make_file(l->t, "p/new");
	move(l, "p/new", "p/.env");
	assert_remasked(l, "p/.env");
	assert_int_equal(l->n_lost, 0);
	l->result = -EPERM;
	make_file(l->t, "p/new");
	move(l, "p/new", "p/.env");
	assert_remasked(l, "p/.env");
	assert_int_equal(l->n_lost, 1);
	assert_int_equal(l->error, -EPERM);
}

static const struct mask_target *
target(struct lab *l, const struct mask_target *all, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].path, at(l->t, path)) == 0)
			return &all[i];
	fail_msg("%s is not watched", path);
	return NULL;
}

static void test_targets(void **state)
{
	struct lab *l = *state;
	struct mask_target *all;
	size_t n;

	bound(l, "p", true);
	bound(l, "p/.git", true);
	bound(l, "p/.git/hooks", false);
	item(l, VIEW_MASK, "p/.git/config");
	bound(l, "p/sub", true); /* a grant */
	item(l, VIEW_TMPFS, "p/denied");
	item(l, VIEW_MASK, "p/denied/own")->own = true;
	bound(l, "q", false);
	bound(l, "q/r", false);
	item(l, VIEW_MASK, "q/r/s");
	bound(l, "mirror", true)->source = "/elsewhere";
	item(l, VIEW_TMPFS, "tmp")->writable = true;
	missing(l, "p/denied/x");
	missing(l, "mirror/x");
	missing(l, "tmp/x");
	missing(l, "x");
	missing(l, "q/r/x");
	assert_int_equal(mask_targets(&l->plan, &l->g, &l->t->arena, &all, &n),
			 0);
	assert_int_equal(n, 6);
	assert_int_equal(target(l, all, n, "p/.git")->how, MASKWATCH_PIN);
	assert_int_equal(target(l, all, n, "p/.git/hooks")->how,
			 MASKWATCH_READ_ONLY);
	assert_int_equal(target(l, all, n, "p/.git/config")->how,
			 MASKWATCH_HIDE);
	assert_int_equal(target(l, all, n, "p/denied")->how, MASKWATCH_HIDE);
	assert_string_equal(target(l, all, n, "p/.git/hooks")->base,
			    at(l->t, "p"));
	assert_string_equal(target(l, all, n, "q/r/s")->base, at(l->t, "q"));
	assert_string_equal(target(l, all, n, "q/r/x")->base, at(l->t, "q"));
	/* Folders first. */
	assert_true(target(l, all, n, "p/.git") <
		    target(l, all, n, "p/.git/hooks"));
}

static void settle(struct lab *l)
{
	struct err e = { 0 };

	if (maskwatch_settle(l->w, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Between the watch and the start of the command. */
static void test_replaced_before_the_start(void **state)
{
	struct lab *l = *state;

	start_usual(l);
	settle(l);
	assert_int_equal(l->n_compared, 1);
	assert_int_equal(l->n_remask, 0);
	make_file(l->t, "p/new");
	move(l, "p/new", "p/.env");
	settle(l);
	assert_int_equal(l->n_remask, 1);
	assert_string_equal(l->last, at(l->t, "p/.env"));
	/* Nobody saw it. */
	assert_int_equal(l->n_lost, 0);
	l->n_remask = 0;
	assert_quiet(l);
	make_file(l->t, "p/new");
	move(l, "p/new", "p/.env");
	assert_remasked(l, "p/.env");
	assert_int_equal(l->n_lost, 1);
}

static void test_start_that_cannot_go_on(void **state)
{
	struct lab *l = *state;
	struct err e = { 0 };

	start_usual(l);
	l->result = -EPERM;
	make_file(l->t, "p/new");
	move(l, "p/new", "p/.env");
	assert_int_equal(maskwatch_settle(l->w, &e), -EPERM);
	assert_non_null(strstr(e.msg, "/p/.env was replaced"));
	assert_int_equal(l->n_lost, 0);
}

/* The view has another folder than the one that is watched. */
static void test_base_replaced_before_the_start(void **state)
{
	struct lab *l = *state;
	struct err e = { 0 };

	start_usual(l);
	make_dir(l->t, "other");
	move(l, "p", "gone");
	move(l, "other", "p");
	assert_int_equal(maskwatch_settle(l->w, &e), -ESTALE);
	assert_non_null(strstr(e.msg, "/p was replaced while"));
}

#define FLOOD 4000

/* Replaced without end by another process: the loop does its other work. */
static void flood(struct lab *l)
{
	const char *env = at(l->t, "p/.env");
	const char *other = at(l->t, "p/other");

	for (int i = 0; i < FLOOD; i++) {
		int fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

		if (fd < 0 || close(fd) < 0 || rename(other, env) < 0)
			_exit(1);
	}
	_exit(0);
}

struct flooded {
	struct lab *l;
	pid_t pid;
	bool ended;
	unsigned at_end;
	unsigned ticks;
};

/* Once more after the process has ended. */
static bool is_over(void *arg)
{
	struct flooded *f = arg;
	int status = 0;

	f->ticks++;
	if (f->ended)
		return f->l->n_remask > f->at_end;
	if (waitpid(f->pid, &status, WNOHANG) != f->pid)
		return false;
	assert_int_equal(status, 0);
	f->ended = true;
	f->at_end = f->l->n_remask;
	make_file(f->l->t, "p/new");
	move(f->l, "p/new", "p/.env");
	return false;
}

static void test_flood(void **state)
{
	struct lab *l = *state;
	struct flooded f = { .l = l };

	start_usual(l);
	f.pid = fork();
	assert_true(f.pid >= 0);
	if (f.pid == 0)
		flood(l);
	assert_true(loopwait_until(l->loop, is_over, &f));
	assert_true(f.ticks > 10);
	assert_true(l->n_remask > 1);
	assert_true(l->n_remask < FLOOD);
}

/* The kernel's queue was full: what is different by now is found. */
static void test_overflow(void **state)
{
	struct lab *l = *state;

	start_usual(l);
	make_file(l->t, "p/x");
	for (int i = 0; i < 20000; i++) {
		const char *name = i & 1 ? "p/y" : "p/z";

		if (link(at(l->t, "p/x"), at(l->t, name)) < 0 ||
		    unlink(at(l->t, name)) < 0)
			fail();
	}
	make_file(l->t, "p/new");
	move(l, "p/new", "p/.env");
	assert_remasked(l, "p/.env");
}

/* In a user namespace of its own, which has its own limit. */
static void limited(struct lab *l)
{
	struct err e = { 0 };
	FILE *f;

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	f = fopen("/proc/sys/user/max_inotify_watches", "w");
	if (!f || fputs("2\n", f) < 0 || fclose(f) != 0)
		_exit(77);
	/* An instance counts where it was made. */
	if (notify_hub_new(&l->hub, l->loop, &e) < 0)
		_exit(1);
	start_usual(l);
	_exit(l->unwatched == 1 && l->unwatched_error == -ENOSPC ? 0 : 1);
}

static void test_limit(void **state)
{
	struct lab *l = *state;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		limited(l);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_nothing(void **state)
{
	struct lab *l = *state;

	bound(l, "work", true);
	start(l);
	assert_int_equal(l->unwatched, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replaced),
		TEST(test_folder_replaced),
		TEST(test_appears),
		TEST(test_link_on_the_way),
		TEST(test_gone_again),
		TEST(test_targets),
		TEST(test_flood),
		TEST(test_overflow),
		TEST(test_limit),
		TEST(test_nothing),
		TEST(test_replaced_before_the_start),
		TEST(test_start_that_cannot_go_on),
		TEST(test_base_replaced_before_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
