/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree is walked once, with the set of components that the next name may
 * match: no pattern makes it walk a folder twice, and a folder in which only
 * plain names can match is not listed.
 */
#include "profiles/globs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "profiles/globparts.h"

struct glob_walk {
	const struct glob *glob;
	struct arena *arena;
	struct err *err;
	struct glob_parts parts;
	struct glob_matches *found;
};

/* Where the walk is. */
struct folder {
	const char *path;
	const char *resolved;
	const struct path_link *links;
	uint64_t next; /* bit i: part i may match a name in here */
	bool covered;  /* it or one above is a match that covers */
	unsigned depth;
};

bool glob_is(const char *text)
{
	return strchr(text, '*') != NULL;
}

size_t glob_split(const char *text)
{
	const char *star = strchr(text, '*');
	const char *p = star ? star : text + strlen(text);

	while (p > text && p[-1] != '/')
		p--;
	return (size_t)(p - text);
}

static int too_much(const struct glob_walk *w, const char *what)
{
	return err_set(w->err, E2BIG,
		       "\"%s/%s\": %s: write a pattern that begins with a "
		       "longer plain path",
		       w->glob->root, w->glob->pattern, what);
}

static int no_memory(const struct glob_walk *w)
{
	return err_errno(w->err, ENOMEM, "\"%s/%s\"", w->glob->root,
			 w->glob->pattern);
}

static int add_match(struct glob_walk *w, const struct place *p)
{
	struct glob_matches *f = w->found;
	struct place *items;

	if (++w->glob->budget->matches > GLOB_MATCHES_MAX)
		return too_much(w, "more than 100000 paths match the patterns "
				   "so far");
	items = arena_grow(w->arena, f->items, f->n, &f->room, sizeof(*items));
	if (!items)
		return no_memory(w);
	f->items = items;
	items[f->n++] = *p;
	return 0;
}

static char *join(struct arena *a, const char *dir, const char *name)
{
	return arena_printf(a, "%s/%s", dir[1] ? dir : "", name);
}

static int count_visit(const struct glob_walk *w)
{
	if (++w->glob->budget->visits > GLOB_VISITS_MAX)
		return too_much(w, "more than 5000000 files would be "
				   "looked at for the patterns so far");
	return 0;
}

/* A folder that is there and cannot be looked into. */
static int cannot_list(struct glob_walk *w, const struct folder *f)
{
	struct place p = { .path = f->path,
			   .resolved = f->resolved,
			   .links = f->links,
			   .mode = S_IFDIR };

	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		return err_errno(w->err, errno, "\"%s\"", f->path);
	if (!w->glob->unlistable || f->covered)
		return 0;
	return add_match(w, &p);
}

/* What there is of that name.  1, or 0 if there is nothing. */
static int look(struct glob_walk *w, const struct folder *f, int dir,
		const char *name, struct place *ret)
{
	struct stat st;
	int rc;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == EACCES ? cannot_list(w, f) : 0;
	ret->path = join(w->arena, f->path, name);
	ret->resolved = join(w->arena, f->resolved, name);
	ret->links = f->links;
	ret->mode = st.st_mode;
	ret->error = 0;
	if (!ret->path || !ret->resolved)
		return no_memory(w);
	if (!S_ISLNK(st.st_mode))
		return 1;
	rc = path_resolve(w->arena, ret->path, ret);
	return rc < 0 ? no_memory(w) : 1;
}

static int walk_folder(struct glob_walk *w, const struct folder *f);

/* type is of struct dirent.  Names that cannot match cost no system call. */
static int visit(struct glob_walk *w, const struct folder *f, int dir,
		 const char *name, unsigned char type)
{
	const uint64_t match = 1ull << w->parts.n;
	struct folder below = { .depth = f->depth + 1 };
	uint64_t deep;
	uint64_t next = glob_parts_advance(&w->parts, f->next, name, &deep);
	struct place p = { 0 };
	bool link;
	int rc = count_visit(w);

	if (rc < 0)
		return rc;
	if (!(next | deep) || (!(next & match) && type != DT_DIR &&
			       type != DT_LNK && type != DT_UNKNOWN))
		return 0;
	rc = look(w, f, dir, name, &p);
	if (rc <= 0)
		return rc;
	link = p.links != f->links;
	if (next & match && (!f->covered || link)) {
		rc = add_match(w, &p);
		if (rc < 0)
			return rc;
	}
	if (p.error || !S_ISDIR(p.mode))
		return 0;
	below.covered =
		(f->covered && !link) || (next & match && w->glob->covers);
	below.path = p.path;
	below.resolved = p.resolved;
	below.links = p.links;
	/* "**" does not go through links: they lead out and in circles. */
	below.next = (link ? next : next | deep) & ~match;
	return below.next ? walk_folder(w, &below) : 0;
}

/* By errno of readdir(3).  Some folders of /proc open for those who must not
 * list them. */
static int end_of_list(struct glob_walk *w, const struct folder *f)
{
	if (errno == EACCES || errno == EPERM)
		return cannot_list(w, f);
	/* ENOENT: a folder of /proc that went away. */
	return errno && errno != ENOENT
		       ? err_errno(w->err, errno, "\"%s\"", f->path)
		       : 0;
}

static int list_folder(struct glob_walk *w, const struct folder *f, DIR *d)
{
	for (;;) {
		const struct dirent *entry;
		int rc;

		errno = 0;
		entry = readdir(d);
		if (!entry)
			return end_of_list(w, f);
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		rc = visit(w, f, dirfd(d), entry->d_name, entry->d_type);
		if (rc < 0)
			return rc;
	}
}

/* True if only one plain name can match in f; then it is in *ret. */
static bool only_plain(const struct glob_walk *w, const struct folder *f,
		       struct glob_part *ret)
{
	unsigned i = (unsigned)__builtin_ctzll(f->next);

	*ret = w->parts.part[i];
	return (f->next & (f->next - 1)) == 0 && ret->plain;
}

static int walk_folder(struct glob_walk *w, const struct folder *f)
{
	cleanup_fd int fd = -1;
	struct glob_part plain;
	DIR *d;
	int rc = count_visit(w);

	if (rc < 0)
		return rc;
	if (f->depth > GLOB_DEPTH_MAX)
		return too_much(w, "more than 128 folders deep");
	if (only_plain(w, f, &plain)) {
		char *name = arena_copy(w->arena, plain.text, plain.len);

		fd = open(f->resolved,
			  O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return cannot_list(w, f);
		return name ? visit(w, f, fd, name, DT_UNKNOWN) : no_memory(w);
	}
	fd = open(f->resolved,
		  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d)
		return cannot_list(w, f);
	(void)fd_steal(&fd);
	rc = list_folder(w, f, d);
	(void)closedir(d);
	return rc;
}

static int by_path(const void *a, const void *b)
{
	const struct place *p = a;
	const struct place *q = b;

	return strcmp(p->path, q->path);
}

int glob_expand(const struct glob *g, struct arena *a, struct glob_matches *ret,
		struct err *e)
{
	struct glob_walk w = { .glob = g, .arena = a, .err = e, .found = ret };
	size_t first = ret->n;
	struct folder top = { 0 };
	struct place root;
	int rc = glob_parts_parse(g->pattern, &w.parts, e);

	if (rc < 0 || w.parts.n == 0)
		return rc;
	if (path_resolve(a, g->root, &root) < 0)
		return no_memory(&w);
	if (root.error || !S_ISDIR(root.mode))
		return 0;
	top.path = root.path;
	top.resolved = root.resolved;
	top.links = root.links;
	top.next = glob_parts_first(&w.parts);
	rc = walk_folder(&w, &top);
	if (rc < 0)
		return rc;
	if (ret->n > first)
		qsort(ret->items + first, ret->n - first, sizeof(*ret->items),
		      by_path);
	return 0;
}
