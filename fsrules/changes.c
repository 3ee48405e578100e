/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/htab.h"
#include "common/uninit.h"
#include "fsrules/gitconfig.h"
#include "fsrules/trusted.h"
#include "profiles/paths.h"

/* Content beyond that is not read: the rest of the stamp must do. */
#define CONTENT_MAX (64 << 10)
#define CONTENT_SUM (4 << 20)
#define HOOKS_MAX   16
/* The command waits for the one, nobody for the other. */
#define START_MS 5
#define END_MS	 100

struct stamp {
	struct htab_node node;
	const char *path;
	struct stat st;
	bool has_content;
	uint64_t content;
	uint64_t *commands; /* of git; one hash each */
	size_t n, room;
	bool seen; /* at the end, already */
};

struct changes {
	const struct grants *g;
	const char *home;
	struct arena arena;
	struct htab stamps;
	struct timespec start;
	size_t content_left;
	/* Folders that core.hooksPath names somewhere. */
	const char **hooks;
	size_t n_hooks, hooks_room;
	bool cut; /* at the start: what has no stamp may be old */
};

struct ending {
	struct changes *c;
	struct arena *arena;
	struct change *items;
	size_t n, room;
};

struct entries {
	struct changes *c;
	struct stamp *s;
};

/* core.hooksPath of PROJECT/.git/config: from the project's folder on. */
static int add_hooks(struct changes *c, const char *config, const char *value)
{
	const char *git = strstr(config, "/.git/config");
	const char *path = value;
	const char **all;

	if (value[0] == '~' && value[1] == '/')
		path = arena_printf(&c->arena, "%s%s", c->home, value + 1);
	else if (value[0] != '/' && git)
		path = arena_printf(&c->arena, "%.*s/%s", (int)(git - config),
				    config, value);
	else if (value[0] == '/')
		path = arena_strdup(&c->arena, value);
	else
		return 0;
	if (path && path[0] == '/')
		path = path_normalise(&c->arena, path);
	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_hooks; i++)
		if (strcmp(c->hooks[i], path) == 0)
			return 0;
	if (c->n_hooks == HOOKS_MAX)
		return 0;
	all = arena_grow(&c->arena, c->hooks, c->n_hooks, &c->hooks_room,
			 sizeof(*all));
	if (!all)
		return -ENOMEM;
	c->hooks = all;
	all[c->n_hooks++] = path;
	return 0;
}

static int add_command(void *arg, const char *name, const char *value)
{
	struct entries *x = arg;
	uint64_t part[2] = { htab_hash(&x->c->stamps, name, strlen(name)),
			     htab_hash(&x->c->stamps, value, strlen(value)) };
	uint64_t *all = arena_grow(&x->c->arena, x->s->commands, x->s->n,
				   &x->s->room, sizeof(*all));

	if (!all)
		return -ENOMEM;
	x->s->commands = all;
	all[x->s->n++] = htab_hash(&x->c->stamps, part, sizeof(part));
	return strcmp(name, "core.hookspath") == 0
		       ? add_hooks(x->c, x->s->path, value)
		       : 0;
}

/* -1 if it is not a file any more, or too big.  The file may be a trap of the
 * command: nothing is opened but a regular file, and nothing waits. */
static ssize_t read_content(struct stamp *s, char *buf, size_t size)
{
	char link[sizeof("/proc/self/fd/-2147483648")];
	cleanup_fd int at = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int fd = -1;
	size_t len = 0;

	if (at < 0 || fstat(at, &s->st) < 0)
		return -1;
	if (S_ISLNK(s->st.st_mode))
		return readlinkat(at, "", buf, size);
	if (!S_ISREG(s->st.st_mode) || s->st.st_size > (off_t)size)
		return -1;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	while (fd >= 0 && len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0)
			return -1;
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
	}
	return -1;
}

static int make_stamp(struct changes *c, const char *path,
		      const struct trusted_pattern *p, struct stamp *ret)
{
	uninit char buf[CONTENT_MAX];
	ssize_t len = -1;

	*ret = (struct stamp) { .path = path };
	if (c->content_left > 0 || p->flags & TRUSTED_GIT)
		len = read_content(ret, buf, sizeof(buf));
	if (len < 0)
		return lstat(path, &ret->st) < 0 ? -errno : 0;
	c->content_left -=
		(size_t)len < c->content_left ? (size_t)len : c->content_left;
	ret->has_content = true;
	ret->content = htab_hash(&c->stamps, buf, (size_t)len);
	if (!(p->flags & TRUSTED_GIT))
		return 0;
	return gitconfig_commands(buf, (size_t)len, add_command,
				  &(struct entries) { c, ret });
}

static bool stamp_equal(const struct htab_node *node, const void *key)
{
	return strcmp(htab_entry(node, struct stamp, node)->path, key) == 0;
}

static struct stamp *find(const struct changes *c, const char *path)
{
	struct htab_node *node =
		htab_find(&c->stamps, htab_hash(&c->stamps, path, strlen(path)),
			  stamp_equal, path);

	return node ? htab_entry(node, struct stamp, node) : NULL;
}

static int keep(struct changes *c, const struct stamp *s)
{
	struct stamp *copy = arena_alloc(&c->arena, 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *s;
	copy->path = arena_strdup(&c->arena, s->path);
	if (!copy->path)
		return -ENOMEM;
	return htab_insert(
		&c->stamps, &copy->node,
		htab_hash(&c->stamps, copy->path, strlen(copy->path)));
}

static int at_start(void *arg, const char *path,
		    const struct trusted_pattern *p)
{
	struct changes *c = arg;
	struct stamp s;
	int rc;

	if (find(c, path))
		return 0;
	rc = make_stamp(c, path, p, &s);
	/* Vanished. */
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	return keep(c, &s);
}

static int find_in_hooks(struct changes *c, trusted_fn *fn, void *arg)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n_hooks; i++)
		rc = trusted_hooks(c->g, c->home, c->hooks[i], fn, arg);
	return rc;
}

int changes_begin(const struct grants *g, const char *home,
		  struct changes **ret, struct err *e)
{
	struct changes *c = calloc(1, sizeof(*c));
	int rc = c ? htab_init(&c->stamps) : -ENOMEM;

	if (rc < 0) {
		free(c);
		return err_errno(e, -rc, "note the files that run later");
	}
	c->g = g;
	c->content_left = CONTENT_SUM;
	/* The clock that file systems take their times from. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &c->start);
	c->home = arena_strdup(&c->arena, home);
	rc = c->home ? trusted_find(g, c->home, START_MS, at_start, c, &c->cut)
		     : -ENOMEM;
	if (rc == 0)
		rc = find_in_hooks(c, at_start, c);
	if (rc < 0) {
		changes_free(c);
		return err_errno(e, -rc, "note the files that run later");
	}
	*ret = c;
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

static bool same_file(const struct stamp *a, const struct stamp *b)
{
	if (a->st.st_mode != b->st.st_mode)
		return false;
	if (a->has_content && b->has_content)
		return a->content == b->content;
	return a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev &&
	       a->st.st_size == b->st.st_size &&
	       same_time(&a->st.st_mtim, &b->st.st_mtim) &&
	       same_time(&a->st.st_ctim, &b->st.st_ctim);
}

/* True if now has an entry that before (NULL: nothing) has not. */
static bool more_commands(const struct stamp *before, const struct stamp *now)
{
	for (size_t i = 0; i < now->n; i++) {
		size_t j = 0;

		while (before && j < before->n &&
		       before->commands[j] != now->commands[i])
			j++;
		if (!before || j == before->n)
			return true;
	}
	return false;
}

static bool is_change(const struct changes *c, const struct stamp *before,
		      const struct stamp *now, const struct trusted_pattern *p)
{
	/* Nobody can set ctime back. */
	if (!before && c->cut && is_older(&now->st.st_ctim, &c->start))
		return false;
	/* One that is too big to be read is judged as any other. */
	if (p->flags & TRUSTED_GIT && now->has_content)
		return more_commands(before, now);
	return !before || !same_file(before, now);
}

static int at_end(void *arg, const char *path, const struct trusted_pattern *p)
{
	struct ending *x = arg;
	struct stamp *before = find(x->c, path);
	struct change *items;
	struct stamp now;
	int rc;

	if (before && before->seen)
		return 0;
	rc = make_stamp(x->c, path, p, &now);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	now.seen = true;
	if (before)
		before->seen = true;
	else
		rc = keep(x->c, &now);
	if (rc < 0 || !is_change(x->c, before, &now, p))
		return rc;
	items = arena_grow(x->arena, x->items, x->n, &x->room, sizeof(*items));
	if (!items)
		return -ENOMEM;
	x->items = items;
	items[x->n] = (struct change) {
		.path = arena_strdup(x->arena, path),
		.why = p->why,
		.is_new = !before,
	};
	return items[x->n++].path ? 0 : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	const struct change *x = a;
	const struct change *y = b;

	return strcmp(x->path, y->path);
}

int changes_end(struct changes *c, struct arena *a, struct change **ret,
		size_t *ret_n, size_t max, size_t *ret_more)
{
	struct ending x = { .c = c, .arena = a };
	bool cut;
	int rc;

	c->content_left = CONTENT_SUM;
	rc = trusted_find(c->g, c->home, END_MS, at_end, &x, &cut);
	if (rc == 0)
		rc = find_in_hooks(c, at_end, &x);
	if (rc < 0)
		return rc;
	if (x.n > 0)
		qsort(x.items, x.n, sizeof(*x.items), compare);
	*ret = x.items;
	*ret_n = x.n < max ? x.n : max;
	*ret_more = x.n - *ret_n;
	return 0;
}

void changes_free(struct changes *c)
{
	if (!c)
		return;
	htab_done(&c->stamps);
	arena_free(&c->arena);
	free(c);
}
