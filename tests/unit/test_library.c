/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where profiles are found, and what is said when they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "profile_files.h"
#include "profiles/json.h"

#define SHOW_SHIPPED "--show-shipped"
#define IN_BUILD     "usr/bin/share/egress-run/"

/* What was found, or "" with the error in f->err. */
static const char *find(struct files *f, const char *name, const char *beside,
			const char *const *skip)
{
	struct library_file file;

	memset(&f->err, 0, sizeof(f->err));
	if (library_find(&f->library, &f->arena, name, beside, skip, &file,
			 &f->err))
		return "";
	return file.text;
}

static void test_names(void **state)
{
	static const char *const valid[] = { "claude-code", "linux-host-compat",
					     "my-app-2",    "a",
					     "9",	    "a--b" };
	static const char *const invalid[] = {
		"",    "-",	      "-invalid",  "invalid-",
		"a_b", "a.b",	      "../escape", "path/traversal",
		"a b", "sch\xc3\xa4", "a\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		assert_true(library_name_valid(valid[i]));
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		assert_false(library_name_valid(invalid[i]));
}

static void test_paths(void **state)
{
	struct files *f = *state;
	struct arena *a = &f->arena;

	assert_true(library_is_path("./x"));
	assert_true(library_is_path("/x"));
	assert_true(library_is_path("ns/name"));
	assert_true(library_is_path("x.json"));
	assert_true(library_is_path("x.jsonc"));
	assert_false(library_is_path("x"));
	assert_false(library_is_path("json"));
	assert_false(library_is_path(".json"));
	assert_string_equal(library_folder(a, "x.json"), ".");
	assert_string_equal(library_folder(a, "/x.json"), "/");
	assert_string_equal(library_folder(a, "a/b/x.json"), "a/b");
	assert_string_equal(library_stem(a, "a/b/x.jsonc"), "x");
	assert_string_equal(library_stem(a, "x.json"), "x");
	assert_string_equal(library_stem(a, "/a.json/x.txt"), "x.txt");
}

static void test_folders(void **state)
{
	struct files *f = *state;
	struct library l;

	assert_string_equal(f->library.dir[LIBRARY_USER],
			    files_path(f, "config/egress-run/profiles"));
	assert_string_equal(f->library.dir[LIBRARY_NONO],
			    files_path(f, "config/nono/profiles"));
	assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
	assert_int_equal(library_open(&l, "/home/u", &f->err), 0);
	assert_string_equal(l.dir[LIBRARY_USER],
			    "/home/u/.config/egress-run/profiles");
	assert_string_equal(l.dir[LIBRARY_NONO],
			    "/home/u/.config/nono/profiles");
	assert_string_equal(l.dir[LIBRARY_SYSTEM], "/etc/egress-run/profiles");
	/* Empty counts as unset. */
	assert_int_equal(setenv("XDG_CONFIG_HOME", "", 1), 0);
	assert_int_equal(library_open(&l, "/home/u", &f->err), 0);
	assert_string_equal(l.dir[LIBRARY_USER],
			    "/home/u/.config/egress-run/profiles");
	assert_false(l.homeless);
	assert_int_equal(setenv("XDG_CONFIG_HOME", "rel/dir", 1), 0);
	assert_int_equal(library_open(&l, "/home/u", &f->err), -EINVAL);
	files_error(&f->err, "XDG_CONFIG_HOME is 'rel/dir', which is not an "
			     "absolute path; correct or unset it");
}

/* As in a container that sets nothing. */
static void test_homeless(void **state)
{
	static const char *const homes[] = { NULL, "", "rel" };
	struct files *f = *state;
	struct library l;
	struct library_file file;

	assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(library_open(&l, homes[i], &f->err), 0);
		assert_true(l.homeless);
		assert_string_equal(l.dir[LIBRARY_USER], "");
		assert_string_equal(l.dir[LIBRARY_NONO], "");
		memcpy(l.dir[LIBRARY_SHIPPED], f->library.dir[LIBRARY_SHIPPED],
		       PATH_MAX);
		assert_int_equal(library_find(&l, &f->arena, "ci", NULL, NULL,
					      &file, &f->err),
				 0);
		assert_true(file.shipped);
	}
	assert_int_equal(library_find(&l, &f->arena, "zzzzzz", NULL, NULL,
				      &file, &f->err),
			 -ENOENT);
	files_error(&f->err,
		    "profile 'zzzzzz' not found in /etc/egress-run/profiles, "
		    "%s (and HOME is not set); 'egress-run profile list' "
		    "shows all",
		    l.dir[LIBRARY_SHIPPED]);
}

static void test_order(void **state)
{
	struct files *f = *state;
	const char *beside = files_path(f, "beside");
	const char *const order[] = {
		files_path(f, "beside/ci.jsonc"),
		files_path(f, "beside/ci.json"),
		files_path(f, "config/egress-run/profiles/ci.jsonc"),
		files_path(f, "config/egress-run/profiles/ci.json"),
		files_path(f, "config/nono/profiles/ci.jsonc"),
		files_path(f, "config/nono/profiles/ci.json"),
		files_path(f, "etc/ci.jsonc"),
		files_path(f, "etc/ci.json"),
	};
	struct library_file file;

	for (size_t i = 0; i < 8; i++)
		(void)files_put(f, order[i] + strlen(f->root) + 1, order[i]);
	for (size_t i = 0; i < 8; i++) {
		assert_string_equal(find(f, "ci", beside, NULL), order[i]);
		assert_int_equal(unlink(order[i]), 0);
	}
	assert_int_equal(library_find(&f->library, &f->arena, "ci", beside,
				      NULL, &file, &f->err),
			 0);
	assert_true(file.shipped);
}

static void test_skip(void **state)
{
	struct files *f = *state;
	const char *first =
		files_put(f, "config/egress-run/profiles/p.json", "first");
	const char *second =
		files_put(f, "config/nono/profiles/p.json", "second");
	const char *const one[] = { first, NULL };
	const char *const both[] = { first, second, NULL };
	const char *alias = files_path(f, "alias.json");
	const char *const by_link[] = { alias, NULL };

	assert_string_equal(find(f, "p", NULL, NULL), "first");
	assert_string_equal(find(f, "p", NULL, one), "second");
	assert_string_equal(find(f, "p", NULL, both), "");
	assert_int_equal(f->err.code, ENOENT);
	/* It is the file that counts and not the spelling of its path. */
	assert_int_equal(symlink(first, alias), 0);
	assert_string_equal(find(f, "p", NULL, by_link), "second");
}

static void test_not_found(void **state)
{
	struct files *f = *state;

	assert_string_equal(find(f, "shcedar", "/beside", NULL), "");
	files_error(&f->err,
		    "profile 'shcedar' not found in /beside, %s, %s, %s, %s; "
		    "near: 'schedar'; 'egress-run profile list' shows all",
		    f->library.dir[0], f->library.dir[1], f->library.dir[2],
		    f->library.dir[3]);
	assert_string_equal(find(f, "a_b", NULL, NULL), "");
	files_error(&f->err,
		    "invalid profile name 'a_b': letters, digits and hyphens, "
		    "a hyphen neither first nor last; the path of a file has "
		    "a slash or ends with .json");
	assert_int_equal(f->err.code, EINVAL);
}

static int read_path(struct files *f, const char *path)
{
	struct library_file file;

	memset(&f->err, 0, sizeof(f->err));
	return library_read(&f->arena, path, false, &file, &f->err);
}

static void test_no_file(void **state)
{
	struct files *f = *state;
	const char *path = files_path(f, "none.json");

	assert_int_equal(read_path(f, path), -ENOENT);
	files_error(&f->err, "profile %s: no such file", path);
	assert_int_equal(read_path(f, "no-such-ns/claude@1.2"), -ENOENT);
	files_error(&f->err,
		    "profile no-such-ns/claude@1.2: no such file, and packs "
		    "of nono's registry cannot be downloaded; use a shipped "
		    "profile ('egress-run profile list') or the path of a "
		    "file");
	assert_int_equal(read_path(f, "./no-such-ns/claude"), -ENOENT);
	files_error(&f->err, "profile ./no-such-ns/claude: no such file");
	assert_int_equal(read_path(f, "no-such-ns/claude.json"), -ENOENT);
	assert_null(strstr(f->err.msg, "registry"));
}

/* A profile of less weight must not take its place. */
static void test_dangling(void **state)
{
	struct files *f = *state;
	const char *path = files_path(f, "config/egress-run/profiles/ci.json");

	(void)files_put(f, "config/egress-run/profiles/x", "");
	assert_int_equal(symlink("nowhere", path), 0);
	assert_string_equal(find(f, "ci", NULL, NULL), "");
	files_error(&f->err,
		    "profile %s is a link to what does not exist; correct or "
		    "remove the link",
		    path);
}

static void test_kinds(void **state)
{
	struct files *f = *state;
	const char *fifo = files_path(f, "fifo.json");
	const char *big = files_put(f, "big.json", "{}");
	int fd;

	assert_int_equal(read_path(f, f->root), -EISDIR);
	files_error(&f->err, "profile %s is a folder; name the file in it",
		    f->root);
	/* Nobody writes to it: this must not wait. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(read_path(f, fifo), -EINVAL);
	files_error(&f->err,
		    "profile %s is no regular file; save the profile to one "
		    "and name that",
		    fifo);
	fd = open(big, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, JSON_SIZE_MAX), 0);
	assert_int_equal(read_path(f, big), 0);
	assert_int_equal(ftruncate(fd, (off_t)JSON_SIZE_MAX + 1), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(read_path(f, big), -EFBIG);
	files_error(&f->err,
		    "profile %s has 1048577 bytes, more than 1048576; long "
		    "lists of names belong into a file of "
		    "egress_run.allow_domain_file",
		    big);
}

static void test_content(void **state)
{
	struct files *f = *state;
	const char *path = files_put(f, "p.json", "");
	struct library_file file;
	struct stat st;

	assert_int_equal(library_read(&f->arena, path, false, &file, &f->err),
			 0);
	assert_int_equal(file.len, 0);
	assert_string_equal(file.text, "");
	(void)files_put(f, "p.json", "{ \"a\": 1 }\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(library_read(&f->arena, path, false, &file, &f->err),
			 0);
	assert_int_equal(file.len, 11);
	assert_string_equal(file.text, "{ \"a\": 1 }\n");
	assert_string_equal(file.path, path);
	assert_false(file.shipped);
	assert_true(file.ino == st.st_ino && file.dev == st.st_dev);
}

/* Only what is not shipped is looked at. */
static void test_writable(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, "config/egress-run/profiles/ci.json", "{}");
	struct library_file file;

	assert_int_equal(chmod(path, 0666), 0);
	assert_string_equal(find(f, "ci", NULL, NULL), "");
	assert_int_equal(f->err.code, EPERM);
	assert_non_null(strstr(f->err.msg, path));
	assert_int_equal(library_read(&f->arena, path, true, &file, &f->err),
			 0);
	assert_true(file.shipped);
}

static int without_permission(struct files *f)
{
	const char *path = files_path(f, "config/egress-run/profiles/ci.json");
	char text[ERR_MSG_MAX];

	(void)snprintf(text, sizeof(text),
		       "profile %s: permission denied; you need read "
		       "permission for it and search permission for the "
		       "folders above it",
		       path);
	if (*find(f, "ci", NULL, NULL) || strcmp(f->err.msg, text) != 0)
		return 1;
	if (read_path(f, path) != -EACCES || strcmp(f->err.msg, text) != 0)
		return 2;
	return 0;
}

static void test_permission(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, "config/egress-run/profiles/ci.json", "{}");

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(files_as(STRANGER, without_permission, f), 0);
}

static void test_list(void **state)
{
	struct files *f = *state;
	struct library_item *items;
	size_t n;

	/* an empty folder of shipped ones */
	(void)files_put(f, "none/x", "");
	(void)snprintf(f->library.dir[LIBRARY_SHIPPED], PATH_MAX, "%s",
		       files_path(f, "none"));
	assert_int_equal(
		library_list(&f->library, &f->arena, &items, &n, &f->err), 0);
	assert_int_equal(n, 0);
	(void)files_put(f, "config/egress-run/profiles/b.json", "");
	(void)files_put(f, "config/egress-run/profiles/b.jsonc", "");
	(void)files_put(f, "config/egress-run/profiles/no_name.json", "");
	(void)files_put(f, "config/egress-run/profiles/x.txt", "");
	(void)files_put(f, "config/egress-run/profiles/folder.json/x", "");
	(void)files_put(f, "config/nono/profiles/b.json", "");
	(void)files_put(f, "config/nono/profiles/a.json", "");
	(void)files_put(f, "etc/a.jsonc", "");
	(void)files_put(f, "etc/c.json", "");
	assert_int_equal(
		library_list(&f->library, &f->arena, &items, &n, &f->err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(items[0].name, "a");
	assert_string_equal(library_place_name(items[0].place), "nono");
	assert_string_equal(items[1].name, "b");
	assert_string_equal(
		items[1].path,
		files_path(f, "config/egress-run/profiles/b.jsonc"));
	assert_string_equal(library_place_name(items[1].place), "user");
	assert_string_equal(items[2].name, "c");
	assert_string_equal(library_place_name(items[2].place), "system");
}

static void test_policy(void **state)
{
	struct files *f = *state;
	struct library_file file;

	assert_int_equal(library_read_policy(&f->library, &f->arena, "groups",
					     &file, &f->err),
			 0);
	assert_true(file.shipped && file.len > 1000);
}

/* Without the folder the program's own copies serve, byte for byte. */
static void test_builtin(void **state)
{
	struct files *f = *state;
	struct library_file disk;
	struct library_file own;
	struct library_item *items;
	const char *skip[] = { NULL, NULL };
	size_t n = 0;

	assert_int_equal(library_read_policy(&f->library, &f->arena, "groups",
					     &disk, &f->err),
			 0);
	f->library.dir[LIBRARY_SHIPPED][0] = '\0';
	assert_int_equal(library_read_policy(&f->library, &f->arena, "groups",
					     &own, &f->err),
			 0);
	assert_string_equal(own.path, "built-in/policy/groups.json");
	assert_int_equal(own.len, disk.len);
	assert_string_equal(own.text, disk.text);
	assert_int_equal(library_find(&f->library, &f->arena, "schedar", NULL,
				      NULL, &own, &f->err),
			 0);
	assert_true(own.shipped);
	assert_string_equal(own.path, "built-in/schedar.json");
	skip[0] = own.path;
	assert_int_equal(library_find(&f->library, &f->arena, "schedar", NULL,
				      skip, &own, &f->err),
			 -ENOENT);
	assert_int_equal(library_read_policy(&f->library, &f->arena, "nothing",
					     &own, &f->err),
			 -ENOENT);
	files_error(&f->err, "there is no built-in profile 'policy/nothing'");
	assert_int_equal(
		library_list(&f->library, &f->arena, &items, &n, &f->err), 0);
	for (size_t i = 0; i < n; i++)
		assert_null(strchr(items[i].name, '/'));
	assert_true(n >= 14);
}

/* What a copy of this program in that place takes for the shipped folder. */
static const char *shipped_of(struct files *f, const char *program)
{
	char *line = arena_alloc(&f->arena, 1, PATH_MAX);
	int fds[2];
	int status;
	ssize_t n;
	pid_t pid;

	assert_non_null(line);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)execl(program, program, SHOW_SHIPPED, (char *)NULL);
		_exit(99);
	}
	(void)close(fds[1]);
	n = read(fds[0], line, PATH_MAX - 1);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return n < 0 ? "" : line;
}

static void copy_program(const char *to)
{
	char buf[65536];
	FILE *in = fopen("/proc/self/exe", "r");
	FILE *out = fopen(to, "w");
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		assert_int_equal(fwrite(buf, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(fclose(in), 0);
	assert_int_equal(chmod(to, 0755), 0);
}

static void test_shipped(void **state)
{
	struct files *f = *state;
	const char *program = files_put(f, "usr/bin/program", "");
	const char *tree = files_path(f, "src/profiles");

	copy_program(program);
	assert_string_equal(shipped_of(f, program), "");
	/* as in the build folder: a link */
	(void)files_put(f, "src/profiles/default.json", "{}");
	(void)files_put(f, IN_BUILD "x", "");
	assert_int_equal(symlink(tree, files_path(f, IN_BUILD "profiles")), 0);
	assert_string_equal(shipped_of(f, program), tree);
	/* A folder of that name without profiles is another one. */
	(void)files_put(f, "usr/share/egress-run/profiles/README", "");
	assert_string_equal(shipped_of(f, program), tree);
	(void)files_put(f, "usr/share/egress-run/profiles/default.json", "{}");
	assert_string_equal(shipped_of(f, program),
			    files_path(f, "usr/share/egress-run/profiles"));
}

/* Beside a program in /tmp anybody may put something. */
static void test_shipped_planted(void **state)
{
	struct files *f = *state;
	const char *program = files_put(f, "usr/bin/program", "");
	const char *link = files_path(f, IN_BUILD "profiles");
	const char *share = files_path(f, "usr/bin/share");
	const char *tree = files_path(f, "src/profiles");

	if (geteuid() != 0)
		skip();
	copy_program(program);
	(void)files_put(f, "src/profiles/default.json", "{}");
	(void)files_put(f, IN_BUILD "x", "");
	assert_int_equal(symlink(tree, link), 0);
	assert_string_equal(shipped_of(f, program), tree);
	assert_int_equal(chown(share, STRANGER, STRANGER), 0);
	assert_non_null(strstr(shipped_of(f, program), "beside the program"));
	assert_int_equal(chown(share, 0, 0), 0);
	assert_int_equal(lchown(link, STRANGER, STRANGER), 0);
	assert_non_null(strstr(shipped_of(f, program), "beside the program"));
	assert_int_equal(lchown(link, 0, 0), 0);
	assert_int_equal(chown(tree, STRANGER, STRANGER), 0);
	assert_non_null(strstr(shipped_of(f, program), "uid 23456"));
	/* One who owns the program could as well change that. */
	assert_int_equal(chown(program, STRANGER, STRANGER), 0);
	assert_string_equal(shipped_of(f, program), tree);
	assert_int_equal(chmod(tree, 0777), 0);
	assert_non_null(strstr(shipped_of(f, program), "mode 777"));
}

static int show_shipped(void)
{
	struct library l;
	struct err e = { 0 };
	int rc = library_open(&l, "/", &e);

	return fputs(rc ? e.msg : l.dir[LIBRARY_SHIPPED], stdout) < 0;
}

int main(int argc, char **argv)
{
#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, files_setup, files_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		TEST(test_paths),
		TEST(test_folders),
		TEST(test_homeless),
		TEST(test_order),
		TEST(test_skip),
		TEST(test_not_found),
		TEST(test_no_file),
		TEST(test_dangling),
		TEST(test_kinds),
		TEST(test_content),
		TEST(test_writable),
		TEST(test_permission),
		TEST(test_list),
		TEST(test_policy),
		TEST(test_builtin),
		TEST(test_shipped),
		TEST(test_shipped_planted),
	};

	if (argc == 2 && strcmp(argv[1], SHOW_SHIPPED) == 0)
		return show_shipped();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
