/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which folders of hooks are kept read-only: those of the repository that the
 * working directory is, or, where that is a folder of projects, of those that
 * are found in it.  A repository inside a repository is something that a build
 * has fetched, and may have to remove: a folder that is kept cannot be.  Hooks
 * in it are named at the end of the run (trusted.c), like those in a folder
 * that core.hooksPath names: that one is part of the project, and a checkout
 * changes it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "fsrules/viewplan.h"
#include "profiles/paths.h"

#define DEPTH_MAX 4
/* The command waits for it: some milliseconds at most.  A limit in time would
 * make it a matter of the load what is protected. */
#define FOLDERS_MAX	 500
#define ENTRIES_MAX	 20000
#define REPOSITORIES_MAX 64

struct scan {
	struct planning *w;
	unsigned level; /* repositories are looked for at that depth */
	unsigned folders;
	unsigned entries;
	unsigned repositories;
};

static bool is_full(const struct scan *s)
{
	return s->folders >= FOLDERS_MAX || s->entries >= ENTRIES_MAX ||
	       s->repositories >= REPOSITORIES_MAX;
}

static bool has(const char *dir, const char *name)
{
	cleanup_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* git: the resolved folder that is called .git, or stands in for it. */
static int keep_hooks(struct scan *s, const char *git)
{
	struct planning *w = s->w;
	const char *path = arena_printf(w->arena, "%s/hooks", git);
	struct place hooks;
	bool exists;

	if (!(planning_access(w, git) & ACCESS_WRITE))
		return 0;
	if (!path || path_resolve(w->arena, path, &hooks) < 0)
		return planning_no_memory(w);
	exists = hooks.error == 0 && S_ISDIR(hooks.mode);
	if (hooks.error == ENOENT && !hooks.links) {
		int rc = planning_make_folder(w, hooks.resolved, &exists);

		if (rc < 0)
			return rc;
	}
	s->repositories++;
	return exists ? planning_keep(w, hooks.resolved) : 0;
}

typedef int visit_fn(struct scan *s, const char *path, unsigned depth);

/* Every folder in dir, links not followed; git's own and what others have
 * written left out. */
static int each_folder(struct scan *s, const char *dir, unsigned depth,
		       visit_fn *fn)
{
	DIR *d = is_full(s) ? NULL : opendir(dir);
	const struct dirent *x;
	int rc = 0;

	if (!d)
		return 0;
	s->folders++;
	while (rc == 0 && !is_full(s) && (x = readdir(d))) {
		const char *path;
		struct stat st;

		s->entries++;
		if (x->d_name[0] == '.' ||
		    strcmp(x->d_name, "node_modules") == 0 ||
		    (x->d_type != DT_DIR && x->d_type != DT_UNKNOWN))
			continue;
		if (x->d_type == DT_UNKNOWN &&
		    (fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) <
			     0 ||
		     !S_ISDIR(st.st_mode)))
			continue;
		path = arena_printf(s->w->arena, "%s/%s", dir, x->d_name);
		rc = path ? fn(s, path, depth) : planning_no_memory(s->w);
	}
	(void)closedir(d);
	return rc;
}

/* .git/modules: repositories, their modules, and folders of both, since names
 * may have slashes. */
static int visit_module(struct scan *s, const char *path, unsigned depth)
{
	int rc;

	if (depth == DEPTH_MAX)
		return 0;
	if (!has(path, "HEAD"))
		return each_folder(s, path, depth + 1, visit_module);
	rc = keep_hooks(s, path);
	if (rc < 0)
		return rc;
	path = arena_printf(s->w->arena, "%s/modules", path);
	return path ? each_folder(s, path, depth + 1, visit_module)
		    : planning_no_memory(s->w);
}

static int keep_repository(struct scan *s, const char *git)
{
	const char *modules = arena_printf(s->w->arena, "%s/modules", git);
	int rc;

	if (!modules)
		return planning_no_memory(s->w);
	rc = keep_hooks(s, git);
	return rc < 0 ? rc : each_folder(s, modules, 0, visit_module);
}

/* The one line of a small file, without what stands before it; NULL if it is
 * something else. */
static const char *read_line(struct arena *a, const char *path,
			     const char *before)
{
	char text[4096];
	size_t skip = strlen(before);
	cleanup_fd int fd =
		open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return strncmp(text, before, skip) == 0 && text[skip]
		       ? arena_strdup(a, text + skip)
		       : NULL;
}

/* Relative to dir, without links. */
static int resolve_from(struct scan *s, const char *dir, const char *path,
			struct place *ret)
{
	struct arena *a = s->w->arena;

	if (path[0] != '/')
		path = arena_printf(a, "%s/%s", dir, path);
	return path && path_resolve(a, path, ret) == 0
		       ? 0
		       : planning_no_memory(s->w);
}

/* .git is a file in submodules and further working trees: "gitdir: PATH", and
 * in a working tree's folder there "commondir" says where the hooks are. */
static int keep_elsewhere(struct scan *s, const char *dir, const char *file)
{
	struct arena *a = s->w->arena;
	const char *line = read_line(a, file, "gitdir: ");
	struct place git = { .error = ENOENT };
	struct place common = { .error = ENOENT };
	int rc = line ? resolve_from(s, dir, line, &git) : 0;

	if (!line || rc < 0 || git.error || !S_ISDIR(git.mode))
		return rc;
	line = arena_printf(a, "%s/commondir", git.resolved);
	if (!line)
		return planning_no_memory(s->w);
	line = read_line(a, line, "");
	rc = line ? resolve_from(s, git.resolved, line, &common) : 0;
	if (rc == 0 && line && !common.error && S_ISDIR(common.mode))
		git = common;
	return rc < 0 || !has(git.resolved, "HEAD")
		       ? rc
		       : keep_repository(s, git.resolved);
}

static int visit_folder(struct scan *s, const char *dir, unsigned depth)
{
	const char *path = arena_printf(s->w->arena, "%s/.git",
					strcmp(dir, "/") == 0 ? "" : dir);
	struct place git = { .error = ENOENT };

	if (!path || path_resolve(s->w->arena, path, &git) < 0)
		return planning_no_memory(s->w);
	if (depth < s->level)
		return git.error ? each_folder(s, dir, depth + 1, visit_folder)
				 : 0;
	if (!git.error && S_ISDIR(git.mode))
		return keep_repository(s, git.resolved);
	if (!git.error && S_ISREG(git.mode))
		return keep_elsewhere(s, dir, git.resolved);
	return 0;
}

/* Level by level: one big folder does not use up what there is for its
 * neighbours. */
int planning_hooks(struct planning *w)
{
	struct scan s = { .w = w };
	const char *dir = w->o->workdir;
	/* They are no folders of projects alone. */
	bool broad = strcmp(dir, w->o->home) == 0 || strcmp(dir, "/") == 0;
	int rc = 0;

	if (w->o->git_hooks)
		return 0;
	for (; rc == 0 && s.level <= (broad ? 0 : DEPTH_MAX); s.level++)
		rc = visit_folder(&s, dir, 0);
	return rc;
}
