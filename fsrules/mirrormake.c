/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From grants to mirrors. */
#include "fsrules/mirrorset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "profiles/paths.h"

#define READ_WRITE ((unsigned)(ACCESS_READ | ACCESS_WRITE))

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "mirror folders");
}

struct mirror *mirror_of(const struct mirrors *m, const char *path, size_t len)
{
	for (size_t i = 0; i < m->n; i++)
		if (strncmp(m->items[i].folder, path, len) == 0 &&
		    !m->items[i].folder[len])
			return &m->items[i];
	return NULL;
}

static struct mirror *new_mirror(struct mirrors *m, const char *folder)
{
	struct mirror *items =
		arena_grow(m->arena, m->items, m->n, &m->room, sizeof(*items));

	if (!items)
		return NULL;
	m->items = items;
	items[m->n] = (struct mirror) { .folder = folder,
					.outer = -1,
					.inner = -1,
					.base = -1,
					.wd_outer = -1,
					.wd_inner = -1 };
	return &items[m->n++];
}

/* In a folder that is granted the command renames as outside; the private
 * places have nothing of the user's to mirror. */
static bool wants_mirror(const struct grants *g, const char *folder)
{
	static const char *const private[] = { "/dev", "/proc", "/sys",
					       "/run" };

	if (strcmp(folder, "/") == 0 || grants_access(g, folder) & READ_WRITE)
		return false;
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		if (path_covers(private[i], folder))
			return false;
	return true;
}

static int add_file(struct mirrors *m, struct mirror *x, const char *path)
{
	struct mirror_file *files =
		arena_grow(m->arena, x->files, x->n, &x->room, sizeof(*files));

	if (!files)
		return -ENOMEM;
	x->files = files;
	files[x->n++] = (struct mirror_file) {
		.link = { .name = strrchr(path, '/') + 1, .path = path },
	};
	return 0;
}

static int collect_file(struct mirrors *m, const struct grants *g,
			const char *path)
{
	size_t len = path_parent(path, strlen(path));
	const char *folder = len ? arena_copy(m->arena, path, len) : NULL;
	struct mirror *to;

	if (len == 0)
		return 0;
	if (!folder)
		return -ENOMEM;
	to = mirror_of(m, folder, len);
	if (!to && !wants_mirror(g, folder))
		return 0;
	if (!to)
		to = new_mirror(m, folder);
	return to ? add_file(m, to, path) : -ENOMEM;
}

static int collect(struct mirrors *m, const struct grants *g)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n; i++) {
		const struct grant *x = &g->items[i];

		if (x->kind == GRANT_FILE &&
		    (grants_access(g, x->resolved) & READ_WRITE) == READ_WRITE)
			rc = collect_file(m, g, x->resolved);
	}
	/* One that a denial or a protected folder holds stays away. */
	for (size_t i = 0; rc == 0 && i < g->n_absent; i++)
		if (!grants_denial(g, g->absent[i].resolved, READ_WRITE) &&
		    !grants_protected(g, g->absent[i].resolved))
			rc = collect_file(m, g, g->absent[i].resolved);
	return rc;
}

/* Making them. */

/* A folder that others share (/tmp) is not for the user to stand in for. */
static int open_outer(const char *folder)
{
	cleanup_fd int fd =
		open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_mode & S_ISVTX ||
	    faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return -1;
	return fd_steal(&fd);
}

/* Without links: the view's builder follows none. */
static const char *path_of(struct arena *a, int fd)
{
	char name[sizeof("/proc/self/fd/-2147483648")];
	char target[PATH_MAX];
	ssize_t len;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	len = readlink(name, target, sizeof(target));
	if (len <= 0 || (size_t)len == sizeof(target) || target[0] != '/')
		return NULL;
	return arena_copy(a, target, (size_t)len);
}

void mirror_drop(struct mirror *x)
{
	if (x->inner >= 0)
		(void)mirror_folder_remove(x->base, x->name, x->inner);
	fd_close(&x->inner);
}

/* Keeps the files that could be linked. */
static size_t link_files(struct mirror *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct mirror_file f = x->files[i];
		int rc;

		f.link.inner = x->inner;
		f.link.outer = x->outer;
		rc = mirror_link_make(&f.link);
		/* It may be created on either side. */
		if (rc < 0 && rc != -ENOENT)
			continue;
		/* The others stay behind for another place. */
		x->files[i] = x->files[n];
		x->files[n++] = f;
	}
	return n;
}

/* True if x has its mirror in base now. */
static bool make_in(struct mirrors *m, struct mirror *x, int base,
		    const char *prefix)
{
	struct stat a;
	struct stat b;
	size_t n = 0;

	if (base < 0 || fstat(base, &a) < 0 || fstat(x->outer, &b) < 0 ||
	    a.st_dev != b.st_dev)
		return false;
	x->base = base;
	x->inner = mirror_folder_make(base, prefix, x->name);
	if (x->inner < 0)
		return false;
	x->source = path_of(m->arena, x->inner);
	if (x->source)
		n = link_files(x);
	if (n == 0) {
		mirror_drop(x);
		return false;
	}
	x->n = n;
	return true;
}

static int make_all(struct mirrors *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct mirror x = m->items[i];

		x.outer = open_outer(x.folder);
		if (x.outer < 0)
			continue;
		mirror_leftovers(x.outer, MIRROR_BESIDE);
		if (make_in(m, &x, m->state, MIRROR_IN_STATE) ||
		    make_in(m, &x, x.outer, MIRROR_BESIDE))
			m->items[n++] = x;
		else
			fd_close(&x.outer);
	}
	m->n = n;
	return 0;
}

/* With every folder above it, as far as they can be made. */
static int open_state(struct arena *a, const char *path, bool make)
{
	char *p = arena_strdup(a, path);
	cleanup_fd int fd = -1;
	struct stat st;

	for (char *s = p ? p + 1 : NULL; make && s && *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		(void)mkdir(p, 0700);
		*s = '/';
	}
	if (make)
		(void)mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Whoever else may write there could take the mirrors away. */
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return -1;
	return fd_steal(&fd);
}

int mirrors_make(const struct grants *g, const char *state_dir, struct arena *a,
		 struct mirrors **ret, struct err *e)
{
	struct mirrors *m = arena_alloc(a, 1, sizeof(*m));

	if (!m)
		return no_memory(e);
	*m = (struct mirrors) { .arena = a, .state = -1 };
	if (collect(m, g) < 0)
		return no_memory(e);
	/* Where the command could see it appear, it is made now, and hidden
	 * from the start. */
	if (state_dir)
		m->state = open_state(a, state_dir,
				      m->n > 0 || grants_access(g, state_dir));
	if (m->state >= 0)
		mirror_leftovers(m->state, MIRROR_IN_STATE);
	*ret = m;
	return make_all(m);
}
