/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rights on files and folders of a tree of the test's own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "forked.h"

#include "fsrules/landlock.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct tree {
	char top[32];
	int outside; /* a process that is not restricted */
};

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	assert_int_equal(close(fd), 0);
}

static int set_up(void **state)
{
	static const char *const folders[] = { "ro",	 "ro/sub", "rw",
					       "rw/sub", "rw2",	   "list",
					       "none",	 "wo" };
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	strcpy(t->top, "/tmp/landlock-XXXXXX");
	assert_non_null(mkdtemp(t->top));
	assert_int_equal(chdir(t->top), 0);
	for (size_t i = 0; i < N(folders); i++) {
		char file[32];

		assert_int_equal(mkdir(folders[i], 0755), 0);
		(void)snprintf(file, sizeof(file), "%s/f", folders[i]);
		make_file(file);
	}
	make_file("one");
	make_file("two");
	assert_int_equal(symlink("none", "link"), 0);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *t = *state;
	char command[64];

	assert_int_equal(chdir("/"), 0);
	(void)snprintf(command, sizeof(command), "rm -r %s", t->top);
	assert_int_equal(system(command), 0);
	free(t);
	return 0;
}

/* The rules of the tests; /dev for terminals. */
static void restrict_tree(const struct tree *t, unsigned dev_access,
			  bool device)
{
	char path[12][64];
	const struct {
		const char *name;
		unsigned access;
		bool directory;
		bool list_only;
	} table[] = {
		{ "ro", ACCESS_READ, true, false },
		{ "rw", ACCESS_READ | ACCESS_WRITE, true, false },
		{ "rw2", ACCESS_READ | ACCESS_WRITE, true, false },
		{ "list", 0, true, true },
		{ "wo", ACCESS_WRITE, true, false },
		{ "one", ACCESS_READ | ACCESS_WRITE, false, false },
		/* As plans are wrong in: it is a file by now. */
		{ "two", ACCESS_READ | ACCESS_WRITE, true, false },
		{ "missing", ACCESS_READ, true, false },
		{ "one/below", ACCESS_READ, true, false },
		{ "link", ACCESS_READ, true, false },
		{ "none", 0, true, false },
	};
	struct view_rule rules[N(table) + 2];
	struct err e = { 0 };
	int abi;

	for (size_t i = 0; i < N(table); i++) {
		(void)snprintf(path[i], sizeof(path[i]), "%s/%s", t->top,
			       table[i].name);
		rules[i] =
			(struct view_rule) { .path = path[i],
					     .access = table[i].access,
					     .directory = table[i].directory,
					     .list_only = table[i].list_only };
	}
	rules[N(table)] = (struct view_rule) { .path = "/dev",
					       .access = dev_access,
					       .directory = true,
					       .device = device };
	rules[N(table) + 1] = (struct view_rule) { .path = "/proc/self/fd/0",
						   .access = ACCESS_READ };
	CHECK(landlock_restrict(rules, N(rules), &abi, &e) == 0);
	CHECK(abi == landlock_abi());
}

static void reading(void *arg)
{
	char byte[4];
	int fd;

	restrict_tree(arg, 0, false);
	fd = open("ro/sub/f", O_RDONLY);
	CHECK(fd >= 0 && read(fd, byte, 4) == 4);
	CHECK(opendir("ro/sub"));
	CHECK(open("one", O_RDWR) >= 0 && open("two", O_RDWR) >= 0);
	CHECK_FAILS(EACCES, open("none/f", O_RDONLY));
	CHECK_FAILS(EACCES, open("none", O_RDONLY));
	CHECK_FAILS(EACCES, open("link/f", O_RDONLY));
	CHECK_FAILS(EACCES, open("/etc/passwd", O_RDONLY));
	/* Names and nothing else. */
	CHECK(opendir("list"));
	CHECK_FAILS(EACCES, open("list/f", O_RDONLY));
	CHECK_FAILS(EACCES, open(".", O_RDONLY));
	/* Written, not read. */
	CHECK(open("wo/f", O_WRONLY) >= 0);
	CHECK(open("wo/new", O_WRONLY | O_CREAT, 0600) >= 0);
	CHECK_FAILS(EACCES, open("wo/f", O_RDONLY));
	CHECK_FAILS(EACCES, open("wo/f", O_RDWR));
	CHECK_FAILS(EACCES, open("wo", O_RDONLY));
}

static void writing(void *arg)
{
	restrict_tree(arg, 0, false);
	CHECK_FAILS(EACCES, open("ro/f", O_WRONLY));
	CHECK_FAILS(EACCES, open("ro/new", O_CREAT | O_WRONLY, 0600));
	CHECK_FAILS(EACCES, mkdir("ro/new", 0700));
	CHECK_FAILS(EACCES, symlink("f", "ro/new"));
	CHECK_FAILS(EACCES, mkfifo("ro/new", 0600));
	CHECK_FAILS(EACCES, unlink("ro/f"));
	CHECK_FAILS(EACCES, rmdir("ro/sub"));
	if (landlock_abi() >= 3) {
		CHECK_FAILS(EACCES, truncate("ro/f", 0));
		CHECK_FAILS(EACCES, open("ro/f", O_RDONLY | O_TRUNC));
	}
	CHECK(truncate("rw/f", 1) == 0 && truncate("one", 1) == 0);
	CHECK(mkdir("rw/new", 0700) == 0 && rmdir("rw/new") == 0);
	CHECK(symlink("f", "rw/l") == 0 && unlink("rw/l") == 0);
	CHECK(mkfifo("rw/p", 0600) == 0 && unlink("rw/p") == 0);
	if (geteuid() == 0)
		CHECK_FAILS(EACCES, mknod("rw/null", S_IFCHR | 0600, 0x103));
}

/* git, npm and cargo do nothing without. */
static void renaming(void *arg)
{
	restrict_tree(arg, 0, false);
	CHECK(rename("rw/f", "rw/g") == 0);
	CHECK(rename("rw/g", "rw/sub/g") == 0);
	CHECK(rename("rw/sub/g", "rw2/g") == 0);
	CHECK(link("rw2/g", "rw/f") == 0);
	CHECK_FAILS(EACCES, rename("ro/f", "rw/x"));
	CHECK_FAILS(EACCES, rename("rw2/g", "ro/x"));
	/* It would become writable. */
	CHECK_FAILS(EXDEV, link("ro/f", "rw/x"));
	CHECK_FAILS(EXDEV, link("none/f", "rw/x"));
}

/* A terminal that is opened by its name must be usable. */
static void terminals(void *arg)
{
	struct winsize size;
	int fd;

	restrict_tree(arg, ACCESS_READ | ACCESS_WRITE, true);
	fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(fd >= 0);
	CHECK(ioctl(fd, TIOCGWINSZ, &size) == 0);
}

static void terminals_without(void *arg)
{
	struct winsize size;
	int fd;

	restrict_tree(arg, ACCESS_READ | ACCESS_WRITE, false);
	fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(fd >= 0);
	if (landlock_abi() >= 5)
		CHECK_FAILS(EACCES, ioctl(fd, TIOCGWINSZ, &size));
}

static int abstract_socket(struct sockaddr_un *ret, const struct tree *t)
{
	*ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
	(void)snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "%s",
		       t->top);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void scopes(void *arg)
{
	const struct tree *t = arg;
	struct sockaddr_un name;
	pid_t child;
	int fd;

	restrict_tree(arg, 0, false);
	if (landlock_abi() < 6)
		return;
	CHECK_FAILS(EPERM, kill(t->outside, 0));
	CHECK(kill(getpid(), 0) == 0);
	child = fork();
	if (child == 0)
		for (;;)
			(void)pause();
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	fd = abstract_socket(&name, t);
	CHECK_FAILS(EPERM,
		    connect(fd, (const struct sockaddr *)&name, sizeof(name)));
	name.sun_path[1] = 'x';
	CHECK(bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0);
}

static void helper_paths(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct err e = { 0 };
	int abi, fd;

	(void)arg;
	CHECK(landlock_restrict_helper(&abi, &e) == 0);
	CHECK(abi == landlock_abi());
	CHECK_FAILS(EACCES, open("ro/f", O_RDONLY));
	CHECK_FAILS(EACCES, open("one", O_WRONLY));
	CHECK_FAILS(EACCES, open("ro", O_RDONLY));
	CHECK_FAILS(EACCES, open("/dev/null", O_RDONLY));
	CHECK_FAILS(EACCES, execl("/bin/true", "true", NULL));
	if (abi < 4)
		return;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_FAILS(EACCES, bind(fd, (const struct sockaddr *)&to, sizeof(to)));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(53);
	CHECK_FAILS(EACCES,
		    connect(fd, (const struct sockaddr *)&to, sizeof(to)));
}

static void in_child(void **state, forked_fn *fn)
{
	struct tree *t = *state;
	struct sockaddr_un name;
	int fd = abstract_socket(&name, t);

	if (landlock_abi() < 2)
		skip();
	t->outside = getpid();
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	forked(fn, t);
	assert_int_equal(close(fd), 0);
}

static void test_reading(void **state)
{
	in_child(state, reading);
}
static void test_writing(void **state)
{
	in_child(state, writing);
}
static void test_renaming(void **state)
{
	in_child(state, renaming);
}
static void test_helper(void **state)
{
	in_child(state, helper_paths);
}
static void test_scopes(void **state)
{
	in_child(state, scopes);
}
static void test_terminals(void **state)
{
	in_child(state, terminals);
	in_child(state, terminals_without);
}

static void test_lack(void **state)
{
	(void)state;
	assert_null(landlock_lack(2));
	assert_null(landlock_lack(99));
	assert_non_null(strstr(landlock_lack(1), "; run Linux 5.19"));
	assert_non_null(strstr(landlock_lack(-ENOSYS), "; run a kernel"));
	assert_non_null(
		strstr(landlock_lack(-EOPNOTSUPP), "; add landlock to"));
	assert_non_null(strstr(landlock_lack(-EPERM), "; start the container"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reading),
		T(test_writing),
		T(test_renaming),
		T(test_terminals),
		T(test_scopes),
		T(test_helper),
		cmocka_unit_test(test_lack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
