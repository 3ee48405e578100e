/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small tree of real files for the tests of paths, and profiles made of
 * entries; cmocka.h is included before. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "profiles/profile.h"
#include "profiles/vars.h"

struct tree {
	char root[PATH_MAX];
	struct arena arena;
	struct profile *profile;
	struct vars vars; /* home ROOT/home/u, workdir ROOT/work/app */
	char *environ[8];
	unsigned line; /* of the next entry */
};

/* A path of the tree; in the arena. */
static inline const char *at(struct tree *t, const char *path)
{
	char *p = arena_printf(&t->arena, "%s/%s", t->root, path);

	assert_non_null(p);
	return p;
}

/* With every folder above it. */
static inline void make_dir(struct tree *t, const char *path)
{
	char *p = arena_strdup(&t->arena, at(t, path));

	assert_non_null(p);
	for (char *s = p + strlen(t->root) + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		(void)mkdir(p, 0755);
		*s = '/';
	}
	assert_true(mkdir(p, 0755) == 0 || access(p, F_OK) == 0);
}

static inline void make_parent(struct tree *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash)
		make_dir(t,
			 arena_copy(&t->arena, path, (size_t)(slash - path)));
}

static inline void make_file(struct tree *t, const char *path)
{
	int fd;

	make_parent(t, path);
	fd = open(at(t, path), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

/* target is taken as it is; one with a leading "@" is a path of the tree. */
static inline void make_link(struct tree *t, const char *path,
			     const char *target)
{
	make_parent(t, path);
	if (target[0] == '@')
		target = at(t, target + 1);
	assert_int_equal(symlink(target, at(t, path)), 0);
}

static inline void make_socket(struct tree *t, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_parent(t, path);
	assert_true(fd >= 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at(t, path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(close(fd), 0);
}

/* As ROOT has no fixed name, entries write it "@/". */
static inline const char *with_root(struct tree *t, const char *text)
{
	return strncmp(text, "@/", 2) == 0 ? at(t, text + 2) : text;
}

static inline void add_from(struct tree *t, enum profile_key key,
			    const char *text, struct origin from)
{
	const struct entry item = { .text = with_root(t, text), .from = from };

	assert_int_equal(
		profile_append(&t->arena, &t->profile->field[key], &item), 0);
}

/* An entry of the profile, of a group, of the command line. */
static inline void add(struct tree *t, enum profile_key key, const char *text)
{
	add_from(t, key, text,
		 (struct origin) { "p.json", ++t->line, 7, NULL });
}

static inline void add_group(struct tree *t, enum profile_key key,
			     const char *text, const char *group)
{
	add_from(t, key, text,
		 (struct origin) { "groups.json", ++t->line, 9, group });
}

static inline void add_flag(struct tree *t, enum profile_key key,
			    const char *text, const char *flag)
{
	add_from(t, key, text, (struct origin) { flag, 0, 0, NULL });
}

static inline int tree_setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	assert_non_null(getcwd(t->root, sizeof(t->root)));
	(void)snprintf(t->root, sizeof(t->root), "/tmp/egress-run.XXXXXX");
	assert_non_null(mkdtemp(t->root));
	assert_int_equal(chmod(t->root, 0755), 0);
	t->profile = profile_new(&t->arena);
	assert_non_null(t->profile);
	make_dir(t, "home/u");
	make_dir(t, "work/app");
	t->vars = (struct vars) { .home = at(t, "home/u"),
				  .workdir = at(t, "work/app"),
				  .uid = 1000,
				  .environ = t->environ };
	*state = t;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type,
			     struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int tree_teardown(void **state)
{
	struct tree *t = *state;

	(void)nftw(t->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(&t->arena);
	free(t);
	return 0;
}

/* Runs fn as an ordinary user in a child, if this is root; its asserts end
 * the child, whose status says so. */
static inline void as_nobody(void (*fn)(struct tree *), struct tree *t)
{
	pid_t pid;
	int status;

	if (geteuid() != 0) {
		fn(t);
		return;
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(99);
		fn(t);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#endif
