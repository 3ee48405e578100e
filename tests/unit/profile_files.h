/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real profiles in a folder of the test's own. */
#ifndef TESTS_PROFILE_FILES_H
#define TESTS_PROFILE_FILES_H

#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/library.h"

#define STRANGER 23456 /* a uid without account */

struct files {
	char root[64];
	struct arena arena;
	struct library library;
	struct err err;
};

/* In /var/tmp, which is sticky wherever /tmp may not be.  XDG_CONFIG_HOME is
 * the folder "config"; the shipped profiles are those of the source tree, where
 * tests are run. */
static inline int files_setup(void **state)
{
	struct files *f = calloc(1, sizeof(*f));
	char config[128];

	assert_non_null(f);
	(void)umask(022);
	(void)snprintf(f->root, sizeof(f->root),
		       "/var/tmp/egress-run-test.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	assert_int_equal(chmod(f->root, 0755), 0);
	(void)snprintf(config, sizeof(config), "%s/config", f->root);
	assert_int_equal(setenv("XDG_CONFIG_HOME", config, 1), 0);
	assert_int_equal(library_open(&f->library, "/nonexistent", &f->err), 0);
	assert_non_null(realpath("profiles", f->library.dir[LIBRARY_SHIPPED]));
	(void)snprintf(f->library.dir[LIBRARY_SYSTEM], PATH_MAX, "%s/etc",
		       f->root);
	*state = f;
	return 0;
}

static inline int files_remove(const char *path, const struct stat *st,
			       int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static inline int files_teardown(void **state)
{
	struct files *f = *state;
	int rc = nftw(f->root, files_remove, 16, FTW_DEPTH | FTW_PHYS);

	arena_free(&f->arena);
	free(f);
	(void)unsetenv("XDG_CONFIG_HOME");
	return rc;
}

/* The whole path of a name in the test's folder. */
static inline const char *files_path(struct files *f, const char *name)
{
	const char *path = arena_printf(&f->arena, "%s/%s", f->root, name);

	if (!path)
		abort();
	return path;
}

/* Folders above it are made. */
static inline const char *files_put(struct files *f, const char *name,
				    const char *text)
{
	const char *path = files_path(f, name);
	char *dir = arena_strdup(&f->arena, path);
	FILE *out;

	assert_non_null(dir);
	for (char *p = dir + strlen(f->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(dir, 0755);
		*p = '/';
	}
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
	return path;
}

/* True if the message is what the format makes of the arguments. */
__attribute__((format(printf, 2, 3))) static inline void
files_error(const struct err *e, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_string_equal(e->msg, text);
}

/* fn in a process of that user and group; what it returns. */
static inline int files_as(uid_t id, int (*fn)(struct files *), struct files *f)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresgid(id, id, id) || setresuid(id, id, id))
			_exit(99);
		_exit(fn(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
