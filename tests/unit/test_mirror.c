/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files granted by name, saved by rename on either side. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/file.h>

#include "fsrules/mirror.h"
#include "fsrules/notify.h"
#include "fsrules/mirrorfolder.h"
#include "tests/unit/loopwait.h"
#include "tests/unit/tree.h"

#define R  ((unsigned)ACCESS_READ)
#define RW ((unsigned)(ACCESS_READ | ACCESS_WRITE))

struct lab {
	struct tree *t;
	struct grants g;
	struct mirrors *m;
	struct loop *loop;
	struct notify_hub *hub;
	unsigned n_refused;
	char why[256];
};

static int setup(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct err e;

	assert_non_null(l);
	assert_int_equal(tree_setup((void **)&l->t), 0);
	assert_int_equal(loop_new(&l->loop, &e), 0);
	assert_int_equal(notify_hub_new(&l->hub, l->loop, &e), 0);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	mirrors_free(l->m);
	notify_hub_free(l->hub);
	loop_free(l->loop);
	tree_teardown((void **)&l->t);
	free(l);
	return 0;
}

static void grant(struct lab *l, const char *path, enum grant_kind kind,
		  unsigned access)
{
	struct grant *items = arena_grow(&l->t->arena, l->g.items, l->g.n,
					 &l->g.room, sizeof(*items));

	assert_non_null(items);
	l->g.items = items;
	items[l->g.n++] = (struct grant) { .path = at(l->t, path),
					   .resolved = at(l->t, path),
					   .kind = kind,
					   .access = access };
}

static void write_at(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static const char *text_at(struct lab *l, const char *path)
{
	char buf[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return "";
	n = read(fd, buf, sizeof(buf));
	assert_int_equal(close(fd), 0);
	return n < 0 ? "" : arena_copy(&l->t->arena, buf, (size_t)n);
}

/* As editors do. */
static void save(struct lab *l, const char *path, const char *text)
{
	const char *temporary = arena_printf(&l->t->arena, "%s.tmp", path);

	write_at(temporary, text);
	assert_int_equal(rename(temporary, path), 0);
}

static void make(struct lab *l)
{
	struct err e = { 0 };

	if (mirrors_make(&l->g, at(l->t, "home/u/.local/state/egress-run"),
			 &l->t->arena, &l->m, &e) < 0)
		fail_msg("%s", e.msg);
}

static void refused(void *arg, const char *path, const char *why)
{
	struct lab *l = arg;

	assert_string_equal(path, at(l->t, "home/u/f"));
	l->n_refused++;
	(void)snprintf(l->why, sizeof(l->why), "%s", why);
}

static void watch(struct lab *l)
{
	const struct mirrors_events ev = { refused, l };
	struct err e = { 0 };

	if (mirrors_watch(l->m, l->hub, &ev, &e) < 0)
		fail_msg("%s", e.msg);
}

/* home/u/f, granted by name. */
static void start(struct lab *l)
{
	write_at(at(l->t, "home/u/f"), "old");
	grant(l, "home/u/f", GRANT_FILE, RW);
	make(l);
	watch(l);
}

/* The place of a file of home/u in the view. */
static const char *inner(struct lab *l, const char *name)
{
	const char *source = mirrors_source(l->m, at(l->t, "home/u"));

	assert_non_null(source);
	return arena_printf(&l->t->arena, "%s/%s", source, name);
}

static ino_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

struct expect {
	struct lab *l;
	const char *text;
};

/* Both names are one file with this text. */
static bool is_exchanged(void *arg)
{
	const struct expect *x = arg;
	const char *outer = at(x->l->t, "home/u/f");
	struct stat a;
	struct stat b;

	return strcmp(text_at(x->l, outer), x->text) == 0 &&
	       lstat(outer, &a) == 0 && lstat(inner(x->l, "f"), &b) == 0 &&
	       a.st_ino == b.st_ino;
}

static void assert_exchanged(struct lab *l, const char *text)
{
	struct expect x = { l, text };

	if (!loopwait_until(l->loop, is_exchanged, &x))
		fail_msg("outside \"%s\", inside \"%s\", not \"%s\"",
			 text_at(l, at(l->t, "home/u/f")),
			 text_at(l, inner(l, "f")), text);
}

static unsigned entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	assert_int_equal(closedir(dir), 0);
	return n - 2;
}

static void test_which(void **state)
{
	struct lab *l = *state;

	make_file(l->t, "home/u/f");
	make_file(l->t, "home/u/read-only");
	make_file(l->t, "home/u/d/in-granted-folder");
	make_file(l->t, "home/u/e/in-readable-folder");
	make_file(l->t, "shared/in-sticky-folder");
	make_file(l->t, "only/read");
	assert_int_equal(mkfifo(at(l->t, "home/u/fifo"), 0600), 0);
	assert_int_equal(chmod(at(l->t, "shared"), 01777), 0);
	grant(l, "home/u/f", GRANT_FILE, RW);
	grant(l, "home/u/fifo", GRANT_FILE, RW);
	grant(l, "home/u/read-only", GRANT_FILE, R);
	grant(l, "home/u/d", GRANT_DIR, RW);
	grant(l, "home/u/d/in-granted-folder", GRANT_FILE, RW);
	grant(l, "home/u/e", GRANT_DIR, R);
	grant(l, "home/u/e/in-readable-folder", GRANT_FILE, RW);
	grant(l, "shared/in-sticky-folder", GRANT_FILE, RW);
	grant(l, "only/read", GRANT_FILE, R);
	make(l);
	assert_int_equal(inode(inner(l, "f")), inode(at(l->t, "home/u/f")));
	assert_int_equal(entries(mirrors_source(l->m, at(l->t, "home/u"))), 1);
	assert_true(mirrors_holds(l->m, at(l->t, "home/u/f")));
	assert_false(mirrors_holds(l->m, at(l->t, "home/u/fifo")));
	assert_false(mirrors_holds(l->m, at(l->t, "home/u/read-only")));
	assert_false(mirrors_holds(NULL, at(l->t, "home/u/f")));
	assert_null(mirrors_source(l->m, at(l->t, "home/u/d")));
	assert_null(mirrors_source(l->m, at(l->t, "home/u/e")));
	assert_null(mirrors_source(l->m, at(l->t, "home")));
	assert_null(mirrors_source(l->m, at(l->t, "shared")));
	assert_null(mirrors_source(l->m, at(l->t, "only")));
	assert_null(mirrors_source(NULL, at(l->t, "home/u")));
}

static void test_other_owner(void **state)
{
	struct lab *l = *state;

	if (geteuid() != 0)
		skip();
	make_file(l->t, "home/u/f");
	assert_int_equal(chown(at(l->t, "home/u/f"), 65534, 65534), 0);
	grant(l, "home/u/f", GRANT_FILE, RW);
	make(l);
	assert_null(mirrors_source(l->m, at(l->t, "home/u")));
	/* Nothing is left of the attempt. */
	assert_int_equal(entries(at(l->t, "home/u/.local/state/egress-run")),
			 0);
}

static void test_place(void **state)
{
	struct lab *l = *state;
	const char *dir = at(l->t, "home/u/.local/state/egress-run");
	struct err e;
	struct stat st;

	start(l);
	assert_true(strncmp(inner(l, ""), dir, strlen(dir)) == 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(inner(l, "."), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	mirrors_finish(l->m);
	mirrors_free(l->m);
	/* /proc is another file system; a folder that others may write to is
	 * not used either. */
	assert_int_equal(mirrors_make(&l->g, "/proc/egress-run", &l->t->arena,
				      &l->m, &e),
			 0);
	dir = at(l->t, "home/u/.egress-run-mirror.");
	assert_true(strncmp(inner(l, ""), dir, strlen(dir)) == 0);
	mirrors_finish(l->m);
	mirrors_free(l->m);
	make_dir(l->t, "open");
	assert_int_equal(chmod(at(l->t, "open"), 0777), 0);
	assert_int_equal(
		mirrors_make(&l->g, at(l->t, "open"), &l->t->arena, &l->m, &e),
		0);
	assert_true(strncmp(inner(l, ""), dir, strlen(dir)) == 0);
	mirrors_finish(l->m);
}

static void test_in_place(void **state)
{
	struct lab *l = *state;

	start(l);
	write_at(inner(l, "f"), "by the command");
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "by the command");
	assert_exchanged(l, "by the command");
}

static void test_command_saves(void **state)
{
	struct lab *l = *state;

	start(l);
	for (int i = 0; i < 5; i++) {
		const char *text = arena_printf(&l->t->arena, "new %d", i);

		save(l, inner(l, "f"), text);
		assert_exchanged(l, text);
	}
	assert_int_equal(entries(inner(l, ".")), 1);
	/* f, .local and no temporary file. */
	assert_int_equal(entries(at(l->t, "home/u")), 2);
}

static void test_user_saves(void **state)
{
	struct lab *l = *state;

	start(l);
	for (int i = 0; i < 5; i++) {
		const char *text = arena_printf(&l->t->arena, "new %d", i);

		save(l, at(l->t, "home/u/f"), text);
		assert_exchanged(l, text);
	}
	save(l, inner(l, "f"), "and back");
	assert_exchanged(l, "and back");
}

/* Replaced on both sides before the monitor had a look. */
static void test_both_save(void **state)
{
	struct lab *l = *state;

	start(l);
	save(l, inner(l, "f"), "first");
	save(l, at(l->t, "home/u/f"), "second");
	assert_exchanged(l, "second");
}

/* rm, then a new file: what is half written stays inside. */
static void test_created_anew(void **state)
{
	struct lab *l = *state;
	int fd;

	start(l);
	assert_int_equal(unlink(inner(l, "f")), 0);
	loopwait_settle(l->loop);
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "old");
	assert_int_equal(access(inner(l, "f"), F_OK), -1);
	fd = open(inner(l, "f"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "anew", 2), 2);
	loopwait_settle(l->loop);
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "old");
	assert_int_equal(write(fd, "ew", 2), 2);
	assert_int_equal(close(fd), 0);
	assert_exchanged(l, "anew");
}

/* link(2) makes a whole file without any close. */
static void test_linked(void **state)
{
	struct lab *l = *state;

	start(l);
	write_at(inner(l, "x"), "linked");
	assert_int_equal(unlink(inner(l, "f")), 0);
	assert_int_equal(link(inner(l, "x"), inner(l, "f")), 0);
	assert_exchanged(l, "linked");
}

static void test_removed_outside(void **state)
{
	struct lab *l = *state;

	start(l);
	assert_int_equal(unlink(at(l->t, "home/u/f")), 0);
	loopwait_settle(l->loop);
	assert_int_equal(access(at(l->t, "home/u/f"), F_OK), -1);
	assert_string_equal(text_at(l, inner(l, "f")), "old");
	save(l, inner(l, "f"), "again");
	assert_exchanged(l, "again");
}

static bool is_refused(void *arg)
{
	return ((struct lab *)arg)->n_refused > 0;
}

static void refuse_link(struct lab *l)
{
	write_at(at(l->t, "secret"), "secret");
	assert_int_equal(symlink(at(l->t, "secret"), inner(l, "f")), 0);
}

static void refuse_fifo(struct lab *l)
{
	assert_int_equal(mkfifo(inner(l, "f"), 0600), 0);
}

static void refuse_setuid(struct lab *l)
{
	write_at(inner(l, "x"), "#!");
	assert_int_equal(chmod(inner(l, "x"), 04755), 0);
	assert_int_equal(rename(inner(l, "x"), inner(l, "f")), 0);
}

static void test_refused(void **state)
{
	static void (*const tricks[])(
		struct lab *) = { refuse_link, refuse_fifo, refuse_setuid };
	struct lab *l = *state;

	start(l);
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
		ino_t ino = inode(at(l->t, "home/u/f"));

		l->n_refused = 0;
		assert_int_equal(remove(inner(l, "f")), 0);
		tricks[i](l);
		assert_true(loopwait_until(l->loop, is_refused, l));
		/* More of the same says no more. */
		write_at(inner(l, "noise"), "noise");
		loopwait_settle(l->loop);
		assert_int_equal(l->n_refused, 1);
		assert_non_null(strstr(l->why, "it was replaced by"));
		assert_int_equal(inode(at(l->t, "home/u/f")), ino);
		assert_int_equal(remove(inner(l, "f")), 0);
		save(l, inner(l, "f"), "good");
		assert_exchanged(l, "good");
	}
}

/* A folder may be a lock, which passes: it is told of at the end, if it is
 * still there, unless it is empty and took nothing's place. */
static void test_folder(void **state)
{
	struct lab *l = *state;

	start(l);
	assert_int_equal(remove(inner(l, "f")), 0);
	assert_int_equal(mkdir(inner(l, "f"), 0700), 0);
	loopwait_settle(l->loop);
	assert_int_equal(l->n_refused, 0);
	assert_int_equal(rmdir(inner(l, "f")), 0);
	save(l, inner(l, "f"), "good");
	assert_exchanged(l, "good");
	assert_int_equal(remove(inner(l, "f")), 0);
	assert_int_equal(mkdir(inner(l, "f"), 0700), 0);
	mirrors_finish(l->m);
	assert_int_equal(l->n_refused, 1);
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "good");
}

static void test_lock_left_over(void **state)
{
	struct lab *l = *state;

	start(l);
	assert_int_equal(unlink(at(l->t, "home/u/f")), 0);
	assert_int_equal(remove(inner(l, "f")), 0);
	assert_int_equal(mkdir(inner(l, "f"), 0700), 0);
	mirrors_finish(l->m);
	assert_int_equal(l->n_refused, 0);
	assert_int_equal(access(at(l->t, "home/u/f"), F_OK), -1);
}

/* With something in it, it was none. */
static void test_folder_of_a_new_name(void **state)
{
	struct lab *l = *state;

	start(l);
	assert_int_equal(unlink(at(l->t, "home/u/f")), 0);
	assert_int_equal(remove(inner(l, "f")), 0);
	assert_int_equal(mkdir(inner(l, "f"), 0700), 0);
	write_at(inner(l, "f/file"), "lost");
	mirrors_finish(l->m);
	assert_int_equal(l->n_refused, 1);
}

/* What the user has there now is not for the command to replace. */
static void test_folder_outside(void **state)
{
	struct lab *l = *state;

	start(l);
	assert_int_equal(unlink(at(l->t, "home/u/f")), 0);
	assert_int_equal(symlink("elsewhere", at(l->t, "home/u/f")), 0);
	save(l, inner(l, "f"), "new");
	assert_true(loopwait_until(l->loop, is_refused, l));
	assert_string_equal(text_at(l, inner(l, "f")), "new");
	assert_int_equal(readlink(at(l->t, "home/u/f"), (char[16]) { 0 }, 16),
			 9);
	assert_int_equal(access(at(l->t, "home/u/elsewhere"), F_OK), -1);
}

/* The limit of the file system for links to one file is reached. */
static void test_copy(void **state)
{
	struct lab *l = *state;
	int i;

	start(l);
	write_at(inner(l, "x"), "copied");
	for (i = 0; i < 70000; i++)
		if (link(inner(l, "x"),
			 inner(l, arena_printf(&l->t->arena, "l%d", i))) < 0)
			break;
	if (i == 70000)
		skip();
	assert_int_equal(rename(inner(l, "x"), inner(l, "f")), 0);
	mirrors_finish(l->m);
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "copied");
}

/* A process that replaces the file without end, among other things. */
static void flood(struct lab *l)
{
	for (int i = 0; i < 10000; i++) {
		const char *x = inner(l, i & 1 ? "x" : "y");
		int fd = open(x, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

		if (fd < 0 || close(fd) < 0 ||
		    rename(x, inner(l, i % 3 ? "z" : "f")) < 0)
			_exit(1);
	}
	save(l, inner(l, "f"), "last");
	_exit(0);
}

static void test_flood(void **state)
{
	struct lab *l = *state;
	int status;
	pid_t pid;

	start(l);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		flood(l);
	assert_exchanged(l, "last");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The queue of the kernel overflowed: everything is looked at. */
static void test_overflow(void **state)
{
	struct lab *l = *state;

	start(l);
	write_at(inner(l, "x"), "noise");
	for (int i = 0; i < 20000; i++)
		if (link(inner(l, "x"), inner(l, i & 1 ? "a" : "b")) < 0 ||
		    unlink(inner(l, i & 1 ? "a" : "b")) < 0)
			fail();
	save(l, inner(l, "f"), "unseen");
	assert_exchanged(l, "unseen");
}

static void test_finish(void **state)
{
	struct lab *l = *state;
	const char *source;
	int fd;

	start(l);
	source = inner(l, "");
	/* Deeper than any path can say, and closed. */
	fd = open(inner(l, "."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 5000; i++) {
		int next;

		if (fd < 0 || mkdirat(fd, "deep", 0700) < 0)
			fail();
		next = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (i % 100 == 99 && fchmod(fd, 0) < 0)
			fail();
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	make_dir(l->t, "elsewhere/kept");
	assert_int_equal(symlink(at(l->t, "elsewhere"), inner(l, "link")), 0);
	make_dir(l->t, "home/u/.local");
	save(l, inner(l, "f"), "at the end");
	assert_int_equal(chmod(inner(l, "."), 0), 0);
	mirrors_finish(l->m);
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "at the end");
	assert_int_equal(access(source, F_OK), -1);
	assert_int_equal(access(at(l->t, "elsewhere/kept"), F_OK), 0);
	assert_int_equal(entries(at(l->t, "home/u/.local/state/egress-run")),
			 0);
}

/* A run that was killed: its child ends without mirrors_finish(). */
static void killed(struct lab *l, const char *state_dir)
{
	struct err e;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (mirrors_make(&l->g, state_dir, &l->t->arena, &l->m, &e) < 0)
			_exit(1);
		if (mkdir(inner(l, "d"), 0) < 0)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_leftovers(void **state)
{
	struct lab *l = *state;
	const char *dir = at(l->t, "home/u/.local/state/egress-run");
	struct mirrors *other;
	struct err e;

	write_at(at(l->t, "home/u/f"), "old");
	grant(l, "home/u/f", GRANT_FILE, RW);
	killed(l, dir);
	killed(l, NULL);
	write_at(at(l->t, "home/u/.egress-run-new.abcdefgh"), "half");
	write_at(at(l->t, "home/u/.egress-run-new.mine"), "kept");
	assert_int_equal(entries(dir), 1);
	/* .local, f, the two above and the second mirror. */
	assert_int_equal(entries(at(l->t, "home/u")), 5);
	make(l);
	assert_int_equal(entries(dir), 1);
	assert_int_equal(entries(at(l->t, "home/u")), 3);
	/* One that is in use stays. */
	assert_int_equal(mirrors_make(&l->g, dir, &l->t->arena, &other, &e), 0);
	assert_int_equal(entries(dir), 2);
	assert_int_equal(access(inner(l, "f"), F_OK), 0);
	mirrors_finish(other);
	mirrors_free(other);
	mirrors_finish(l->m);
	assert_int_equal(entries(dir), 0);
	assert_string_equal(text_at(l, at(l->t, "home/u/f")), "old");
}

static void test_as_user(struct tree *t)
{
	struct lab l = { .t = t };
	struct err e;

	if (loop_new(&l.loop, &e) < 0 || notify_hub_new(&l.hub, l.loop, &e) < 0)
		_exit(1);
	start(&l);
	save(&l, inner(&l, "f"), "new");
	assert_exchanged(&l, "new");
	mirrors_finish(l.m);
	mirrors_free(l.m);
	notify_hub_free(l.hub);
	loop_free(l.loop);
}

static void test_user(void **state)
{
	struct lab *l = *state;

	if (geteuid() == 0)
		assert_int_equal(chown(at(l->t, "home/u"), 65534, 65534), 0);
	as_nobody(test_as_user, l->t);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_which),
		TEST(test_other_owner),
		TEST(test_place),
		TEST(test_in_place),
		TEST(test_command_saves),
		TEST(test_user_saves),
		TEST(test_both_save),
		TEST(test_created_anew),
		TEST(test_linked),
		TEST(test_removed_outside),
		TEST(test_refused),
		TEST(test_folder_outside),
		TEST(test_folder),
		TEST(test_lock_left_over),
		TEST(test_folder_of_a_new_name),
		TEST(test_copy),
		TEST(test_flood),
		TEST(test_overflow),
		TEST(test_finish),
		TEST(test_leftovers),
		TEST(test_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
