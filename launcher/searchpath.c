/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/searchpath.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct search {
	struct arena *arena;
	const char *name;
	const struct grants *grants;
	const char *program;
	const char *path;    /* the folders that are left */
	const char *refused; /* where the name was found and not taken */
};

static bool writable(const struct search *s, const char *resolved)
{
	return grants_access(s->grants, resolved) & ACCESS_WRITE;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* The program may be a link to where the command writes. */
static int look_into(struct search *s, const char *folder, bool usable)
{
	const char *path = arena_printf(s->arena, "%s/%s", folder, s->name);
	char real[PATH_MAX];

	if (!path)
		return -ENOMEM;
	if (!is_program(path) || !realpath(path, real))
		return 0;
	if (usable && !writable(s, real))
		s->program = path;
	else if (!s->refused)
		s->refused = path;
	return 0;
}

static int try_folder(struct search *s, const char *folder)
{
	char real[PATH_MAX];
	bool usable;

	/* The links of its path could be changed until the exec. */
	if (!realpath(*folder ? folder : ".", real))
		return 0;
	usable = folder[0] == '/' && !strchr(real, ':') && !writable(s, real);
	if (usable)
		s->path =
			s->path ? arena_printf(s->arena, "%s:%s", s->path, real)
				: arena_strdup(s->arena, real);
	if (usable && !s->path)
		return -ENOMEM;
	return s->program ? 0 : look_into(s, real, usable);
}

static int search(struct search *s)
{
	const char *from = getenv("PATH");
	char *folders = arena_strdup(s->arena, from ? from : "/usr/bin:/bin");
	int rc = folders ? 0 : -ENOMEM;

	while (rc == 0 && folders)
		rc = try_folder(s, strsep(&folders, ":"));
	return rc;
}

static char **with_path(struct arena *a, const char *path)
{
	size_t n = 0;
	size_t kept = 1;
	char **envp;

	while (environ[n])
		n++;
	envp = arena_alloc(a, n + 2, sizeof(*envp));
	if (!envp)
		return NULL;
	envp[0] = arena_printf(a, "PATH=%s", path);
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "PATH=", 5) != 0)
			envp[kept++] = environ[i];
	return envp[0] ? envp : NULL;
}

int searchpath_find(struct arena *a, const char *name, const struct grants *g,
		    struct searchpath *ret, struct err *e)
{
	struct search s = { .arena = a, .name = name, .grants = g };

	if (search(&s) < 0)
		return err_errno(e, ENOMEM, "look for %s", name);
	if (s.program) {
		ret->program = s.program;
		ret->envp = with_path(a, s.path);
		return ret->envp ? 0 : err_errno(e, ENOMEM, "run %s", name);
	}
	if (s.refused)
		return err_set(e, EPERM,
			       "'%s' is not run: by PATH it is %s, which the "
			       "command may write; install it where the "
			       "command has no right to write",
			       name, s.refused);
	return err_set(e, ENOENT, "'%s' is not installed or not in PATH", name);
}
