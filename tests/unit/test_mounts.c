/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The view as the command has it, in namespaces of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tree.h"
#include "tests/unit/view_lab.h"

#include <dirent.h>

static void put(struct tree *t, const char *path, const char *text)
{
	make_file(t, path);
	assert_true(lab_write(at(t, path), text));
}

/* The names in a folder, sorted, with a space behind each. */
static const char *names(struct lab *l, const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort);
	const char *all = "";

	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		if (strcmp(list[i]->d_name, ".") != 0 &&
		    strcmp(list[i]->d_name, "..") != 0)
			all = arena_printf(&l->t->arena, "%s%s ", all,
					   list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return all;
}

/* Of the pid namespace that this process is the first one of. */
static bool is_own_proc(void)
{
	char name[18] = "";

	CHECK(prctl(PR_GET_NAME, name, 0L, 0L, 0L) == 0);
	(void)strcat(name, "\n");
	return getpid() == 1 && lab_reads("/proc/1/comm", name);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	CHECK(fd >= 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	rc = FAILS(connect(fd, (struct sockaddr *)&sa, sizeof(sa)));
	(void)close(fd);
	return rc;
}

static int listen_at(struct tree *t, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_parent(t, path);
	assert_true(fd >= 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at(t, path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void look_grants(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(strcmp(names(l, t->root), "d f home r w ") == 0);
	CHECK(lab_open(at(t, "u"), O_RDONLY) == -ENOENT);
	CHECK(lab_open(at(t, "u/x"), O_RDONLY) == -ENOENT);
	CHECK(lab_open("/usr", O_RDONLY) == -ENOENT);
	CHECK(lab_reads(at(t, "d/x"), "dx"));
	CHECK(lab_open(at(t, "d/new"), O_WRONLY | O_CREAT) == 0);
	CHECK(rename(at(t, "d/x"), at(t, "d/sub/x")) == 0);
	CHECK(link(at(t, "d/sub/x"), at(t, "d/y")) == 0);
	CHECK(lab_reads(at(t, "r/x"), "rx"));
	CHECK(lab_open(at(t, "r/x"), O_WRONLY) == -EROFS);
	CHECK(lab_open(at(t, "r/new"), O_WRONLY | O_CREAT) == -EROFS);
	CHECK(FAILS(chmod(at(t, "r/x"), 0600)) == EROFS);
	CHECK(FAILS(unlink(at(t, "r/x"))) == EROFS);
	CHECK(FAILS(rename(at(t, "d/y"), at(t, "r/y"))) == EXDEV);
	CHECK(lab_reads(at(t, "f/one"), "1"));
	CHECK(lab_open(at(t, "f/one"), O_WRONLY) == -EROFS);
	CHECK(lab_open(at(t, "f/two"), O_WRONLY | O_TRUNC) == 0);
	CHECK(strcmp(names(l, at(t, "f")), "one two ") == 0);
	CHECK(lab_open(at(t, "w/new"), O_WRONLY | O_CREAT) == 0);
	/* the folders that lead there */
	CHECK(lab_open("/etc/new", O_WRONLY | O_CREAT) == -EROFS);
	CHECK(FAILS(mkdir("/new", 0700)) == EROFS);
	CHECK(FAILS(chmod("/var", 0700)) == EROFS);
	CHECK(FAILS(rename("/var", "/new")) == EROFS);
	CHECK(FAILS(mount("none", at(t, "d"), "tmpfs", 0, NULL)) == EPERM);
}

static void test_grants(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "d/x", "dx");
	make_dir(t, "d/sub");
	put(t, "r/x", "rx");
	put(t, "f/one", "1");
	put(t, "f/two", "2");
	put(t, "f/three", "3");
	put(t, "u/x", "ux");
	make_dir(t, "w");
	add(t, KEY_FS_ALLOW, "@/d");
	add(t, KEY_FS_READ, "@/r");
	add(t, KEY_FS_READ_FILE, "@/f/one");
	add(t, KEY_FS_WRITE_FILE, "@/f/two");
	add(t, KEY_FS_WRITE, "@/w");
	lab_init(&l, t);
	lab_run(&l, look_grants);
	/* and that is what the host has now */
	assert_int_equal(access(at(t, "d/sub/x"), F_OK), 0);
	assert_int_equal(access(at(t, "d/new"), F_OK), 0);
	assert_int_equal(access(at(t, "w/new"), F_OK), 0);
	assert_int_equal(access(at(t, "r/new"), F_OK), -1);
}

static void look_nested(struct lab *l)
{
	struct tree *t = l->t;

	/* one mount: names move freely */
	CHECK(rename(at(t, "p/a"), at(t, "p/q/a")) == 0);
	CHECK(lab_open(at(t, "s/a"), O_WRONLY) == -EROFS);
	CHECK(lab_open(at(t, "s/w/a"), O_WRONLY) == 0);
	CHECK(lab_open(at(t, "s/f"), O_WRONLY) == 0);
	CHECK(FAILS(unlink(at(t, "s/f"))) == EBUSY ||
	      FAILS(unlink(at(t, "s/f"))) == EROFS);
}

static void test_nested(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "p/a", "a");
	make_dir(t, "p/q");
	put(t, "s/a", "a");
	put(t, "s/f", "f");
	put(t, "s/w/a", "a");
	add(t, KEY_FS_ALLOW, "@/p");
	add(t, KEY_FS_READ, "@/p/q");
	add(t, KEY_FS_READ, "@/s");
	add(t, KEY_FS_WRITE, "@/s/w");
	add(t, KEY_FS_ALLOW_FILE, "@/s/f");
	lab_init(&l, t);
	lab_run(&l, look_nested);
}

static void look_links(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(lab_link(at(t, "bin"), "usr/bin"));
	CHECK(lab_reads(at(t, "bin/prog"), "p"));
	CHECK(lab_link(at(t, "home/u/.claude.json"), ".claude/claude.json"));
	CHECK(lab_reads(at(t, "home/u/.claude.json"), "{}"));
	CHECK(lab_open(at(t, "home/u/.claude.json"), O_WRONLY) == 0);
	CHECK(lab_link(at(t, "one"), "two"));
	CHECK(lab_link(at(t, "two"), at(t, "usr/bin/prog")));
	CHECK(lab_reads(at(t, "one"), "p"));
	/* a link inside a grant that leads out, leads nowhere */
	CHECK(lab_link(at(t, "usr/bin/out"), at(t, "secret")));
	CHECK(lab_open(at(t, "usr/bin/out"), O_RDONLY) == -ENOENT);
}

static void test_links(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "usr/bin/prog", "p");
	put(t, "home/u/.claude/claude.json", "{}");
	put(t, "secret", "s");
	make_link(t, "bin", "usr/bin");
	make_link(t, "home/u/.claude.json", ".claude/claude.json");
	make_link(t, "one", "two");
	make_link(t, "two", "@usr/bin/prog");
	make_link(t, "usr/bin/out", "@secret");
	add(t, KEY_FS_READ, "@/bin");
	add(t, KEY_FS_ALLOW, "~/.claude");
	add(t, KEY_FS_ALLOW_FILE, "~/.claude.json");
	add(t, KEY_FS_READ_FILE, "@/one");
	lab_init(&l, t);
	lab_run(&l, look_links);
}

static void look_masks(struct lab *l)
{
	struct tree *t = l->t;
	const char *file = at(t, "home/u/.netrc");
	const char *dir = at(t, "home/u/.ssh");

	CHECK(lab_open(file, O_RDONLY) == -EACCES);
	CHECK(lab_open(file, O_WRONLY) < 0);
	CHECK(lab_open(dir, O_RDONLY | O_DIRECTORY) == -EACCES);
	CHECK(lab_open(at(t, "home/u/.ssh/id"), O_RDONLY) == -EACCES);
	for (int i = 0; i < 2; i++) {
		const char *path = i ? dir : file;

		CHECK(FAILS(chmod(path, 0700)) == EROFS);
		CHECK(FAILS(rename(path, at(t, "home/u/x"))) == EBUSY);
		CHECK(FAILS(umount2(path, MNT_DETACH)) == EPERM);
	}
	CHECK(FAILS(unlink(file)) == EBUSY);
	CHECK(FAILS(rmdir(dir)) == EBUSY);
	CHECK(FAILS(rename(at(t, "home/u/other"), file)) == EBUSY);
	CHECK(FAILS(link(file, at(t, "home/u/x"))) != 0);
	/* moving what is around it takes the mask along */
	CHECK(rename(at(t, "home/u/sub"), at(t, "home/u/moved")) == 0);
	CHECK(lab_open(at(t, "home/u/moved/key"), O_RDONLY) == -EACCES);
	/* what a link leads to; the text of the link stays */
	CHECK(lab_link(at(t, "home/u/.bashrc"), at(t, "dot/bashrc")));
	CHECK(lab_open(at(t, "home/u/.bashrc"), O_RDONLY) == -EACCES);
	CHECK(lab_reads(at(t, "dot/vimrc"), "v"));
	/* what is named comes back, alone */
	CHECK(strcmp(names(l, at(t, "home/u/.aws")), "config ") == 0);
	CHECK(lab_reads(at(t, "home/u/.aws/config"), "c"));
	CHECK(lab_open(at(t, "home/u/.aws/new"), O_WRONLY | O_CREAT) == -EROFS);
}

static void test_masks(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "home/u/.netrc", "SECRET");
	put(t, "home/u/.ssh/id", "SECRET");
	put(t, "home/u/sub/key", "SECRET");
	put(t, "home/u/other", "o");
	put(t, "home/u/.aws/config", "c");
	put(t, "home/u/.aws/credentials", "SECRET");
	put(t, "dot/bashrc", "SECRET");
	put(t, "dot/vimrc", "v");
	make_link(t, "home/u/.bashrc", "@dot/bashrc");
	add(t, KEY_FS_ALLOW, "~");
	add(t, KEY_FS_READ, "@/dot");
	add_group(t, KEY_FS_DENY, "~/.netrc", "g");
	add_group(t, KEY_FS_DENY, "~/.ssh", "g");
	add_group(t, KEY_FS_DENY, "~/.bashrc", "g");
	add_group(t, KEY_FS_DENY, "~/.aws", "g");
	add_group(t, KEY_FS_DENY, "~/.none", "g");
	add(t, KEY_FS_DENY, "~/sub/key");
	add(t, KEY_FS_READ, "~/.aws/config");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.aws/config");
	lab_init(&l, t);
	lab_run(&l, look_masks);
	assert_int_equal(access(at(t, "home/u/moved/key"), R_OK), 0);
}

/* True for a mount that the plan has, or that lies on a granted one. */
static bool is_planned(const struct view_plan *plan, const char *at)
{
	if (strcmp(at, "/") == 0)
		return true;
	for (size_t i = 0; i < plan->n; i++) {
		const struct view_item *item = &plan->items[i];
		size_t len = strlen(item->path);

		if (item->kind == VIEW_DIR || item->kind == VIEW_LINK ||
		    strncmp(item->path, at, len) != 0)
			continue;
		/* In /proc lie the covers of its secrets. */
		if (at[len] == '\0' ||
		    (at[len] == '/' &&
		     (item->kind == VIEW_PROC ||
		      (item->kind == VIEW_BIND && item->directory))))
			return true;
	}
	return false;
}

static void look_old_root(struct lab *l)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	char point[2048];
	struct stat root;
	struct stat st;
	size_t roots = 0;
	size_t n = 0;
	DIR *fds;

	CHECK(f);
	for (; fgets(line, sizeof(line), f); n++) {
		CHECK(sscanf(line, "%*d %*d %*s %*s %2047s", point) == 1);
		if (!is_planned(&l->plan, point))
			(void)fprintf(stderr, "mount: %s", line);
		CHECK(is_planned(&l->plan, point));
		roots += strcmp(point, "/") == 0;
	}
	CHECK(n > 10 && roots == 1);
	(void)fclose(f);
	CHECK(stat("/", &root) == 0);
	CHECK(stat("/..", &st) == 0 && st.st_ino == root.st_ino &&
	      st.st_dev == root.st_dev);
	CHECK(stat("/proc/self/root/..", &st) == 0 &&
	      st.st_ino == root.st_ino && st.st_dev == root.st_dev);
	/* every descriptor is one that the test had before */
	fds = opendir("/proc/self/fd");
	CHECK(fds);
	for (struct dirent *d; (d = readdir(fds));) {
		int fd = atoi(d->d_name);

		if (d->d_name[0] == '.' || fd == dirfd(fds))
			continue;
		CHECK(fstat(fd, &st) == 0);
		CHECK(!S_ISDIR(st.st_mode));
	}
	(void)closedir(fds);
}

static void test_old_root(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "d/x", "x");
	put(t, "d/deny", "x");
	add(t, KEY_FS_ALLOW, "@/d");
	add(t, KEY_FS_DENY, "@/d/deny");
	add(t, KEY_FS_READ, "/usr");
	add(t, KEY_FS_READ, "/sys");
	lab_init(&l, t);
	lab_run(&l, look_old_root);
}

static void look_private(struct lab *l)
{
	struct stat st;
	char byte = 1;
	int fd;
	int n = 0;

	CHECK(stat("/tmp", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(stat("/var/tmp", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(stat("/dev/shm", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(stat("/run/user/1234", &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(lab_open("/run/user/1234/x", O_WRONLY | O_CREAT) == 0);
	CHECK(lab_open("/tmp/x", O_WRONLY | O_CREAT) == 0);
	CHECK(strcmp(names(l, "/dev/shm"), "") == 0);
	CHECK(strcmp(names(l, "/run"), "user ") == 0);
	CHECK(strcmp(names(l, l->t->vars.home), "") == 0);
	CHECK(strcmp(names(l, "/dev"), "fd full null ptmx pts random shm "
				       "stderr stdin stdout tty urandom "
				       "zero ") == 0);
	CHECK(FAILS(unlink("/dev/null")) != 0);
	CHECK(lab_open("/dev/x", O_WRONLY | O_CREAT) == -EROFS);
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 0);
	CHECK(strcmp(names(l, "/dev/pts"), "ptmx ") == 0);
	fd = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
	CHECK(fd >= 0 && strcmp(ptsname(fd), "/dev/pts/0") == 0 &&
	      unlockpt(fd) == 0 && lab_open("/dev/pts/0", O_RDWR) == 0);
	/* this process is all there is */
	CHECK(getpid() == 1);
	for (const char *p = names(l, "/proc"); *p; p += strcspn(p, " ") + 1)
		n += *p >= '0' && *p <= '9';
	CHECK(n == 1);
	CHECK(strcmp(names(l, "/sys/class/net"), "lo ") == 0);
	CHECK(FAILS(chmod("/sys/kernel", 0700)) == EROFS);
	CHECK(lab_open("/proc/sys/kernel/hostname", O_RDONLY) == 0);
}

static void test_private(void **state)
{
	struct tree *t = *state;
	struct lab l;

	add(t, KEY_FS_READ, "/sys");
	add(t, KEY_FS_READ, "/dev/pts");
	add(t, KEY_FS_READ, "/dev/tty");
	add(t, KEY_FS_READ, "/proc/meminfo");
	add(t, KEY_FS_READ, "/run");
	add_group(t, KEY_FS_WRITE, "/tmp", "other");
	lab_init(&l, t);
	l.o.runtime_dir = "/run/user/1234";
	lab_run(&l, look_private);
}

static void look_root_user(struct lab *l)
{
	CHECK(geteuid() == 0);
	CHECK(lab_open("/proc/sys/kernel/core_pattern", O_WRONLY) == -EROFS);
	CHECK(lab_open("/proc/sys/kernel/core_pattern", O_RDONLY) == 0);
	CHECK(lab_open("/proc/irq/default_smp_affinity", O_WRONLY) == -EROFS);
	CHECK(lab_open("/proc/self/comm", O_WRONLY) == 0);
	CHECK(is_own_proc());
	(void)l;
}

static void test_root_user(void **state)
{
	struct tree *t = *state;
	struct lab l;

	if (geteuid() != 0)
		skip();
	lab_init(&l, t);
	l.uid = 0;
	lab_run(&l, look_root_user);
}

static void plant_link(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(rename(at(t, "d"), at(t, "old")) == 0);
	CHECK(symlink(at(t, "secret"), at(t, "d")) == 0);
}

static void check_planted(struct lab *l)
{
	CHECK(strstr(l->e.msg, "symbolic link has taken its place"));
	_exit(0);
}

static void plant_file(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(rename(at(t, "d"), at(t, "old")) == 0);
	CHECK(rename(at(t, "secret/key"), at(t, "d")) == 0);
}

static void check_file(struct lab *l)
{
	CHECK(strstr(l->e.msg, "was a folder when the profile was read, and "
			       "is not now"));
	_exit(0);
}

static void take_away(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(rename(at(t, "d"), at(t, "old")) == 0);
}

static void look_gone(struct lab *l)
{
	CHECK(lab_open(at(l->t, "d"), O_RDONLY) == -ENOENT);
}

static void test_swapped(void **state)
{
	static const struct {
		void (*disturb)(struct lab *);
		void (*look)(struct lab *);
		int fail;
	} rows[] = {
		{ plant_link, check_planted, -ELOOP },
		{ plant_file, check_file, -ENOTDIR },
		{ take_away, look_gone, 0 },
	};
	struct tree *t = *state;

	make_dir(t, "d");
	put(t, "secret/key", "SECRET");
	add(t, KEY_FS_READ, "@/d");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab l;

		lab_init(&l, t);
		l.disturb = rows[i].disturb;
		l.fail = rows[i].fail;
		lab_run(&l, rows[i].look);
		(void)unlink(at(t, "d"));
		assert_int_equal(rename(at(t, "old"), at(t, "d")), 0);
		put(t, "secret/key", "SECRET");
	}
}

static void look_workdir(struct lab *l)
{
	char buf[PATH_MAX];

	CHECK(getcwd(buf, sizeof(buf)));
	CHECK(strcmp(buf, l->t->vars.workdir) == 0);
	CHECK(lab_open("here", O_WRONLY | O_CREAT) == 0);
	CHECK(lab_open("../other", O_RDONLY) == -ENOENT);
}

static void look_no_workdir(struct lab *l)
{
	char buf[PATH_MAX];

	CHECK(getcwd(buf, sizeof(buf)));
	CHECK(strcmp(buf, "/") == 0);
	(void)l;
}

static void test_workdir(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "work/other", "o");
	lab_init(&l, t);
	lab_run(&l, look_no_workdir);
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	lab_init(&l, t);
	lab_run(&l, look_workdir);
	assert_int_equal(access(at(t, "work/app/here"), F_OK), 0);
}

static void look_texts(struct lab *l)
{
	CHECK(lab_reads("/etc/resolv.conf", l->texts.resolv_conf));
	CHECK(lab_reads("/etc/hosts", l->texts.hosts));
	CHECK(lab_reads("/etc/nsswitch.conf", l->texts.nsswitch));
	CHECK(lab_reads("/etc/passwd", l->texts.passwd));
	CHECK(lab_reads("/etc/machine-id", l->texts.machine_id));
	CHECK(lab_open("/etc/hosts", O_WRONLY) == -EROFS ||
	      lab_open("/etc/hosts", O_WRONLY) == -EACCES);
	CHECK(FAILS(chmod("/etc/hosts", 0600)) == EROFS);
	CHECK(lab_open("/etc/none", O_RDONLY) == -ENOENT);
}

/* The tree's etc as the host's, with resolv.conf as systemd has it. */
static void cover_etc(struct lab *l)
{
	CHECK(mount(at(l->t, "etc"), "/etc", NULL, MS_BIND, NULL) == 0);
	CHECK(mount(at(l->t, "run"), "/run", NULL, MS_BIND, NULL) == 0);
}

static void look_etc(struct lab *l)
{
	CHECK(lab_link("/etc/resolv.conf",
		       "../run/systemd/resolve/stub-resolv.conf"));
	CHECK(lab_reads("/etc/resolv.conf", l->texts.resolv_conf));
	CHECK(strcmp(names(l, "/run/systemd/resolve"), "stub-resolv.conf ") ==
	      0);
	CHECK(lab_reads("/etc/hosts", l->texts.hosts));
	CHECK(FAILS(chmod("/etc/hosts", 0600)) == EROFS);
	CHECK(FAILS(rename("/etc/hosts", "/etc/x")) != 0);
	CHECK(lab_reads("/etc/other", "o"));
	/* missing on the host: there is no place for it */
	CHECK(lab_open("/etc/nsswitch.conf", O_RDONLY) == -ENOENT);
}

static void look_etc_parts(struct lab *l)
{
	CHECK(lab_reads("/etc/resolv.conf", l->texts.resolv_conf));
	CHECK(lab_reads("/etc/hosts", l->texts.hosts));
	CHECK(lab_reads("/etc/passwd", "host"));
	CHECK(lab_open("/run/systemd/resolve/stub-resolv.conf", O_RDONLY) ==
	      -ENOENT);
}

static void test_texts(void **state)
{
	struct tree *t = *state;
	struct lab l;

	lab_init(&l, t);
	lab_run(&l, look_texts);
	put(t, "etc/hosts", "host");
	put(t, "etc/passwd", "host");
	put(t, "etc/other", "o");
	put(t, "run/systemd/resolve/stub-resolv.conf", "host");
	put(t, "run/systemd/resolve/sock", "host");
	make_link(t, "etc/resolv.conf",
		  "../run/systemd/resolve/stub-resolv.conf");
	add_group(t, KEY_FS_READ, "/etc/resolv.conf", "system_read_linux_core");
	add_group(t, KEY_FS_READ, "/etc/hosts", "system_read_linux_core");
	add_group(t, KEY_FS_READ, "/run/systemd/resolve",
		  "system_read_linux_core");
	add(t, KEY_FS_READ, "/etc/passwd");
	lab_init(&l, t);
	l.prepare = cover_etc;
	lab_run(&l, look_etc_parts);
	add(t, KEY_FS_ALLOW, "/etc");
	lab_init(&l, t);
	l.prepare = cover_etc;
	lab_run(&l, look_etc);
	assert_true(lab_reads(at(t, "etc/hosts"), "host"));
	assert_true(lab_reads(at(t, "run/systemd/resolve/stub-resolv.conf"),
			      "host"));
}

static void look_sockets(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(connect_to(at(t, "s/granted")) == 0);
	CHECK(connect_to(at(t, "s/other")) == EACCES);
	CHECK(connect_to(at(t, "one/sock")) == 0);
	CHECK(connect_to(at(t, "one/hidden")) == ENOENT);
	CHECK(connect_to(at(t, "dir/sock")) == 0);
	CHECK(connect_to(at(t, "dir/sub/sock")) == EACCES);
	CHECK(connect_to(at(t, "tree/sub/sock")) == 0);
	CHECK(FAILS(unlink(at(t, "s/other"))) == EBUSY);
	/* a new one may be made where that is granted */
	CHECK(mknod(at(t, "bind/new"), S_IFSOCK | 0600, 0) == 0);
}

static void test_sockets(void **state)
{
	static const char *const paths[] = { "s/granted",    "s/other",
					     "one/sock",     "one/hidden",
					     "dir/sock",     "dir/sub/sock",
					     "tree/sub/sock" };
	struct tree *t = *state;
	struct lab l;
	int fds[7];

	for (int i = 0; i < 7; i++)
		fds[i] = listen_at(t, paths[i]);
	make_dir(t, "bind");
	add(t, KEY_FS_ALLOW, "@/s");
	add(t, KEY_FS_UNIX_SOCKET, "@/s/granted");
	add(t, KEY_FS_UNIX_SOCKET, "@/one/sock");
	add(t, KEY_FS_UNIX_SOCKET_DIR, "@/dir");
	add(t, KEY_FS_UNIX_SOCKET_SUBTREE, "@/tree");
	add(t, KEY_FS_UNIX_SOCKET_BIND, "@/bind/new");
	lab_init(&l, t);
	lab_run(&l, look_sockets);
	for (int i = 0; i < 7; i++)
		assert_int_equal(close(fds[i]), 0);
}

static void look_kept(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(lab_open(".git/config", O_WRONLY) == 0);
	CHECK(lab_open(".git/hooks/pre-commit", O_WRONLY | O_CREAT) == -EROFS);
	CHECK(FAILS(rename(".git/hooks", ".git/h")) == EBUSY);
	CHECK(FAILS(rename(".git", "g")) == EBUSY);
	CHECK(FAILS(rename(t->vars.workdir, at(t, "work/x"))) == EBUSY);
	CHECK(rename("a", ".git/a") != 0 && rename("a", "b") == 0);
	/* profiles: missing ones are made, so that they cannot be */
	CHECK(lab_open(at(t, "home/u/.config/x"), O_WRONLY | O_CREAT) == 0);
	CHECK(lab_open(at(t, "home/u/.config/egress-run/x"),
		       O_WRONLY | O_CREAT) == -EROFS);
	CHECK(lab_open(at(t, "home/u/.config/nono/profiles/x"),
		       O_WRONLY | O_CREAT) == -EROFS);
	CHECK(FAILS(rename(at(t, "home/u/.config"), at(t, "home/u/c"))) ==
	      EBUSY);
	CHECK(FAILS(rename(at(t, "home/u/.config/nono"),
			   at(t, "home/u/.config/n"))) == EBUSY);
}

static void look_hooks(struct lab *l)
{
	CHECK(lab_open(".git/hooks/pre-commit", O_WRONLY | O_CREAT) == 0);
	CHECK(rename(".git", "g") == 0);
	(void)l;
}

static void test_kept(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "work/app/.git/config", "c");
	put(t, "work/app/a", "a");
	make_dir(t, "home/u/.config/egress-run");
	add(t, KEY_FS_ALLOW, "~");
	add(t, KEY_FS_ALLOW, "@/work");
	lab_init(&l, t);
	lab_run(&l, look_kept);
	assert_int_equal(access(at(t, "work/app/.git/hooks"), F_OK), 0);
	lab_init(&l, t);
	l.o.git_hooks = true;
	lab_run(&l, look_hooks);
}

static void look_host(struct lab *l)
{
	struct tree *t = l->t;

	CHECK(lab_open("/usr", O_RDONLY) == 0);
	CHECK(lab_reads("h", "h"));
	CHECK(lab_open("/tmp/x", O_WRONLY | O_CREAT) == 0);
	CHECK(lab_open(at(t, "home/u/secret"), O_RDONLY) == -ENOENT);
	CHECK(lab_open(at(t, "work/app/deny"), O_RDONLY) == -EACCES);
	CHECK(strcmp(names(l, "/run"), "") == 0);
	CHECK(lab_open("/dev/kmsg", O_RDONLY) == -ENOENT);
	CHECK(lab_reads("/etc/hosts", l->texts.hosts));
	CHECK(is_own_proc());
	CHECK(strcmp(names(l, "/sys/class/net"), "lo ") == 0);
	CHECK(FAILS(mkdir("/sys/x", 0700)) != 0);
}

static void test_host_files(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "work/app/h", "h");
	put(t, "work/app/deny", "SECRET");
	put(t, "home/u/secret", "SECRET");
	add(t, KEY_FS_DENY, "@/work/app/deny");
	lab_init(&l, t);
	l.o.host_files = true;
	lab_run(&l, look_host);
}

static void look_shared(struct lab *l)
{
	CHECK(lab_reads(at(l->t, "any"), "a"));
	CHECK(lab_open(at(l->t, "new"), O_WRONLY | O_CREAT) == 0);
	CHECK(connect_to(at(l->t, "sock")) == EACCES);
}

static void test_share_tmp(void **state)
{
	struct tree *t = *state;
	struct lab l;
	int fd = listen_at(t, "sock");

	put(t, "any", "a");
	lab_init(&l, t);
	l.o.share_tmp = true;
	lab_run(&l, look_shared);
	assert_int_equal(access(at(t, "new"), F_OK), 0);
	assert_int_equal(close(fd), 0);
}

static void mount_foreign(struct lab *l)
{
	CHECK(mount("/proc", at(l->t, "c/proc"), NULL, MS_BIND | MS_REC,
		    NULL) == 0);
}

static void look_foreign(struct lab *l)
{
	CHECK(lab_open(at(l->t, "c/proc/1/comm"), O_RDONLY) == -EACCES);
	CHECK(lab_open(at(l->t, "c/proc"), O_RDONLY) == -EACCES);
}

static void look_wanted(struct lab *l)
{
	CHECK(lab_open(at(l->t, "c/proc/version"), O_RDONLY) == 0);
}

/* The host's /proc in a granted chroot. */
static void test_foreign(void **state)
{
	struct tree *t = *state;
	struct lab l;

	make_dir(t, "c/proc");
	add(t, KEY_FS_READ, "@/c");
	lab_init(&l, t);
	l.prepare = mount_foreign;
	lab_run(&l, look_foreign);
	add(t, KEY_FS_READ, "@/c/proc");
	lab_init(&l, t);
	l.prepare = mount_foreign;
	lab_run(&l, look_wanted);
}

/* In a child, so that this process keeps what it needs to mount. */
static int open_dropped(const char *path)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		lab_drop();
		_exit(-lab_open(path, O_RDONLY));
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void talk(struct lab *l)
{
	char byte;

	CHECK(write(l->out[1], "", 1) == 1);
	CHECK(read(l->in[0], &byte, 1) == 1);
}

static void look_remask(struct lab *l)
{
	const char *file = at(l->t, "work/app/.env");
	const char *dir = at(l->t, "work/app/vault");

	CHECK(open_dropped(file) == EACCES && open_dropped(dir) == EACCES);
	CHECK(mounts_mask(file, &l->e) == 0); /* nothing to do */
	talk(l);			      /* the test replaces both */
	CHECK(open_dropped(file) == 0 && open_dropped(dir) == 0);
	CHECK(mounts_mask(file, &l->e) == 0);
	CHECK(mounts_mask(dir, &l->e) == 0);
	CHECK(open_dropped(file) == EACCES && open_dropped(dir) == EACCES);
	CHECK(mounts_mask(at(l->t, "work/app/none"), &l->e) == -ENOENT);
	CHECK(strstr(names(l, "/proc/fs"), "..") == NULL);
	talk(l);
}

static void test_remask(void **state)
{
	struct tree *t = *state;
	struct lab l;
	char byte;
	pid_t pid;

	put(t, "work/app/.env", "SECRET");
	put(t, "work/app/vault/key", "SECRET");
	put(t, "new", "NEWSECRET");
	put(t, "newvault/key", "NEWSECRET");
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	add(t, KEY_FS_DENY, ".env");
	add(t, KEY_FS_DENY, "vault");
	lab_init(&l, t);
	l.keep_caps = true;
	pid = lab_start(&l, look_remask);
	(void)close(l.out[1]);
	l.out[1] = -1;
	if (read(l.out[0], &byte, 1) == 1) {
		assert_int_equal(rename(at(t, "new"), at(t, "work/app/.env")),
				 0);
		assert_int_equal(rename(at(t, "work/app/vault"), at(t, "old")),
				 0);
		assert_int_equal(
			rename(at(t, "newvault"), at(t, "work/app/vault")), 0);
		assert_int_equal(write(l.in[1], "xx", 2), 2);
	}
	lab_wait(&l, pid);
}

static void look_mirror(struct lab *l)
{
	struct tree *t = l->t;
	const char *file = at(t, "home/u/.claude.json");
	const char *temporary = at(t, "home/u/.claude.json.tmp");

	CHECK(lab_reads(file, "old"));
	CHECK(strcmp(names(l, t->vars.home), ".claude .claude.json .config ") ==
	      0);
	CHECK(lab_open(temporary, O_WRONLY | O_CREAT) == 0);
	CHECK(lab_write(temporary, "new"));
	CHECK(rename(temporary, file) == 0);
	CHECK(lab_reads(at(t, "home/u/.claude/x"), "x"));
	CHECK(lab_open(at(t, "home/u/.claude/new"), O_WRONLY | O_CREAT) == 0);
	CHECK(lab_reads(at(t, "home/u/.config/git/config"), "g"));
	CHECK(lab_open(at(t, "home/u/.config/git/config"), O_WRONLY) == -EROFS);
	CHECK(lab_open(at(t, "home/u/.bashrc"), O_RDONLY) == -ENOENT);
	CHECK(lab_open(at(t, "home/u/.bashrc"), O_WRONLY | O_CREAT) == 0);
}

/* A file granted by name that is saved by rename. */
static void test_mirror(void **state)
{
	struct tree *t = *state;
	struct lab l;

	put(t, "home/u/.claude.json", "old");
	put(t, "home/u/.claude/x", "x");
	put(t, "home/u/.config/git/config", "g");
	put(t, "home/u/.bashrc", "rc");
	add(t, KEY_FS_ALLOW_FILE, "~/.claude.json");
	add(t, KEY_FS_ALLOW, "~/.claude");
	add(t, KEY_FS_READ_FILE, "~/.config/git/config");
	lab_init(&l, t);
	l.mirror = true;
	lab_run(&l, look_mirror);
	assert_true(lab_reads(at(t, "home/u/.claude.json"), "new"));
	assert_true(lab_reads(at(t, "home/u/.bashrc"), "rc"));
	assert_int_equal(access(at(t, "home/u/.claude/new"), F_OK), 0);
	assert_int_equal(access(at(t, "home/u/.claude.json.tmp"), F_OK), -1);
}

int main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_grants),	    TREE_TEST(test_nested),
		TREE_TEST(test_links),	    TREE_TEST(test_masks),
		TREE_TEST(test_old_root),   TREE_TEST(test_private),
		TREE_TEST(test_root_user),  TREE_TEST(test_swapped),
		TREE_TEST(test_workdir),    TREE_TEST(test_texts),
		TREE_TEST(test_sockets),    TREE_TEST(test_kept),
		TREE_TEST(test_host_files), TREE_TEST(test_share_tmp),
		TREE_TEST(test_foreign),    TREE_TEST(test_remask),
		TREE_TEST(test_mirror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
