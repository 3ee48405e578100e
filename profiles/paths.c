/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/uninit.h"

#define LINKS_MAX 40 /* as the kernel has it (MAXSYMLINKS) */

bool path_covers(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (len == 1)
		return true;
	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

size_t path_parent(const char *path, size_t len)
{
	if (len <= 1)
		return 0;
	while (path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : 1;
}

/* The next component of *at: its start, its length in *ret_len; "" at the
 * end. */
static const char *next_component(const char **at, size_t *ret_len)
{
	const char *start = *at + strspn(*at, "/");

	*ret_len = strcspn(start, "/");
	*at = start + *ret_len;
	return start;
}

static bool is_dots(const char *name, size_t len)
{
	return len == 2 && name[0] == '.' && name[1] == '.';
}

/* Adds a component to the path of *n bytes in out, "" standing for "/". */
static void add_lexically(char *out, size_t *n, const char *name, size_t len)
{
	if (len == 1 && name[0] == '.')
		return;
	if (is_dots(name, len)) {
		while (*n > 0 && out[--*n] != '/')
			;
	} else {
		out[(*n)++] = '/';
		memmove(out + *n, name, len);
		*n += len;
	}
	out[*n] = '\0';
}

char *path_normalise(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2, 1);
	const char *name;
	size_t len;
	size_t n = 0;

	if (!out)
		return NULL;
	for (;;) {
		name = next_component(&path, &len);
		if (len == 0)
			break;
		add_lexically(out, &n, name, len);
	}
	if (n == 0) {
		out[0] = '/';
		out[1] = '\0';
	}
	return out;
}

struct walk {
	struct arena *arena;
	struct place *place;
	char out[PATH_MAX]; /* what is known to have no links; "" is "/" */
	size_t len;
	char rest[PATH_MAX]; /* what is still to be followed */
	const char *at;	     /* in it */
	unsigned n_links;
};

static bool is_self(const char *path)
{
	return strcmp(path, "/proc/self") == 0 ||
	       strcmp(path, "/proc/thread-self") == 0;
}

static bool is_below_self(const char *path)
{
	return path_covers("/proc/self", path) ||
	       path_covers("/proc/thread-self", path);
}

/* Puts the target of the link at w->out in front of the rest. */
static int follow(struct walk *w, const char *target, size_t parent)
{
	struct path_link *l = arena_alloc(w->arena, 1, sizeof(*l));
	uninit char rest[PATH_MAX];
	int n;

	if (!l)
		return -ENOMEM;
	*l = (struct path_link) { arena_strdup(w->arena, w->out),
				  arena_strdup(w->arena, target),
				  w->place->links };
	if (!l->path || !l->target)
		return -ENOMEM;
	w->place->links = l;
	if (++w->n_links > LINKS_MAX)
		return -ELOOP;
	n = snprintf(rest, sizeof(rest), "%s/%s", target, w->at);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, (size_t)n + 1);
	w->at = w->rest;
	w->len = target[0] == '/' ? 0 : parent;
	w->out[w->len] = '\0';
	return 0;
}

/* One component further.  0, or -errno; what is behind stays in w->at. */
static int step(struct walk *w, const char *name, size_t len)
{
	uninit char target[PATH_MAX];
	size_t parent = w->len;
	ssize_t n;

	if (w->len + 1 + len >= sizeof(w->out))
		return -ENAMETOOLONG;
	add_lexically(w->out, &w->len, name, len);
	/* Going up needs no look: there are no links in w->out. */
	if (w->len <= parent || is_self(w->out))
		return 0;
	n = readlink(w->out, target, sizeof(target));
	if (n < 0)
		return errno == EINVAL ? 0 : -errno;
	if (is_below_self(w->out))
		return w->at[strspn(w->at, "/")] ? -ENOTDIR : 0;
	if ((size_t)n >= sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	return follow(w, target, parent);
}

/* The rest as it is written, behind a component that is not there. */
static void append_rest(struct walk *w)
{
	const char *name;
	size_t len;

	for (;;) {
		name = next_component(&w->at, &len);
		if (len == 0 || w->len + 1 + len >= sizeof(w->out))
			return;
		add_lexically(w->out, &w->len, name, len);
	}
}

static int look(struct walk *w)
{
	const char *path = w->len > 0 ? w->out : "/";
	struct stat st;

	if ((is_self(path) ? stat(path, &st) : lstat(path, &st)) < 0)
		return -errno;
	w->place->mode = st.st_mode;
	return 0;
}

/* 0 or -errno. */
static int walk(struct walk *w)
{
	const char *name;
	size_t len;
	int rc;

	for (;;) {
		name = next_component(&w->at, &len);
		if (len == 0)
			return look(w);
		rc = step(w, name, len);
		if (rc < 0)
			return rc;
	}
}

static bool has_dots(const char *path)
{
	const char *name;
	size_t len;

	do
		name = next_component(&path, &len);
	while (len > 0 && !is_dots(name, len));
	return len > 0;
}

/* Behind a link, ".." leads elsewhere than the text says; then the path is
 * called by what it leads to. */
static int settle_dots(struct arena *a, struct place *ret)
{
	struct place plain;
	int rc = path_resolve(a, ret->path, &plain);

	if (rc == 0 && strcmp(plain.resolved, ret->resolved) != 0)
		ret->path = ret->resolved;
	return rc;
}

/* Most paths have no links, or are missing: one call tells.  False if it does
 * not, and every component is to be looked at. */
static bool resolve_plain(const char *path, struct place *ret)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS };
	cleanup_fd int fd =
		(int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct stat st;

	if (fd < 0) {
		ret->error = errno;
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
	}
	if (fstat(fd, &st) < 0)
		return false;
	ret->mode = st.st_mode;
	ret->error = 0;
	return true;
}

int path_resolve(struct arena *a, const char *path, struct place *ret)
{
	uninit struct walk w;
	size_t len = strlen(path);
	int rc = -ENAMETOOLONG;

	*ret = (struct place) { .path = path_normalise(a, path) };
	if (!ret->path)
		return -ENOMEM;
	ret->resolved = ret->path;
	if (!has_dots(path) && resolve_plain(ret->path, ret))
		return 0;
	if (len < sizeof(w.rest)) {
		w.arena = a;
		w.place = ret;
		w.len = 0;
		w.out[0] = '\0';
		memcpy(w.rest, path, len + 1);
		w.at = w.rest;
		w.n_links = 0;
		rc = walk(&w);
		if (rc == -ENOMEM)
			return rc;
		/* A loop leads nowhere: the path itself is all there is. */
		if (rc < 0 && rc != -ELOOP && rc != -ENAMETOOLONG)
			append_rest(&w);
		if (rc != -ELOOP && rc != -ENAMETOOLONG)
			ret->resolved =
				arena_strdup(a, w.len > 0 ? w.out : "/");
		if (!ret->resolved)
			return -ENOMEM;
	}
	ret->error = -rc;
	return ret->links && has_dots(path) ? settle_dots(a, ret) : 0;
}
