/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search: what the patterns name at the top of each writable folder and in
 * the home folder, and at the top of each folder below a writable one in which
 * a first name of a pattern is seen.  That walk goes broad first, so that when
 * it is cut, what lies deep is missed.
 */
#include "fsrules/trusted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "profiles/paths.h"

#define DEPTH_MAX	  4
#define ENTRIES_MAX	  50000
#define FOLDERS_MAX	  4000
#define FILES_PER_PATTERN 512
#define FILES_MAX	  8192
#define TREE_DEPTH	  3

struct queued {
	const char *path;
	unsigned depth;
};

struct search {
	const struct grants *g;
	struct arena arena;
	const char *home;
	trusted_fn *fn;
	void *arg;
	struct queued *queue;
	size_t n, room;
	size_t n_roots; /* of the queue: those are always looked at */
	size_t entries;
	unsigned files;
	uint64_t until_ms;
	bool cut;
	/* A file or folder on the way to one may be writable by a grant. */
	const char **writable;
	size_t n_writable, writable_room;
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool may_write(const struct search *s, const char *path)
{
	for (size_t i = 0; i < s->n_writable; i++)
		if (path_covers(s->writable[i], path))
			return grants_access(s->g, path) & ACCESS_WRITE;
	return false;
}

/* One pattern in one folder. */
struct expansion {
	struct search *s;
	const struct trusted_pattern *pattern;
	unsigned left;
	bool full; /* there were more */
	char path[PATH_MAX];
};

static int expand(struct expansion *x, size_t len, const char *rest,
		  unsigned depth);

static int take(struct expansion *x, const struct stat *st)
{
	struct search *s = x->s;

	if ((!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode)) ||
	    !may_write(s, x->path))
		return 0;
	if (x->left == 0 || s->files == FILES_MAX) {
		s->cut = x->full = true;
		return 0;
	}
	x->left--;
	s->files++;
	return s->fn(s->arg, x->path, x->pattern);
}

/* The length with name behind, or 0 if there is no room. */
static size_t append(struct expansion *x, size_t len, const char *name,
		     size_t name_len)
{
	if (len + 1 + name_len >= sizeof(x->path))
		return 0;
	x->path[len] = '/';
	memcpy(x->path + len + 1, name, name_len);
	x->path[len + 1 + name_len] = '\0';
	return len + 1 + name_len;
}

/* git's examples do not run. */
static bool is_sample(const char *name)
{
	size_t len = strlen(name);

	return len > 7 && strcmp(name + len - 7, ".sample") == 0;
}

static int expand_all(struct expansion *x, size_t len, const char *rest,
		      unsigned depth)
{
	bool tree = rest[1] == '*';
	const char *next = strchr(rest, '/');
	DIR *dir = opendir(x->path);
	const struct dirent *d;
	int rc = 0;

	if (!dir)
		return 0;
	while (rc == 0 && !x->full && (d = readdir(dir))) {
		const char *name = d->d_name;
		struct stat st;
		size_t n;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    is_sample(name))
			continue;
		n = append(x, len, name, strlen(name));
		if (n == 0 || lstat(x->path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && tree && depth < TREE_DEPTH)
			rc = expand_all(x, n, rest, depth + 1);
		else if (next)
			rc = expand(x, n, next + 1, depth);
		else
			rc = take(x, &st);
	}
	(void)closedir(dir);
	return rc;
}

static int expand(struct expansion *x, size_t len, const char *rest,
		  unsigned depth)
{
	while (*rest != '*') {
		size_t name_len = strcspn(rest, "/");
		struct stat st;

		len = append(x, len, rest, name_len);
		if (len == 0)
			return 0;
		rest += name_len;
		if (*rest)
			rest++;
		else
			return lstat(x->path, &st) < 0 ? 0 : take(x, &st);
	}
	x->path[len] = '\0';
	return expand_all(x, len, rest, depth);
}

static int expand_pattern(struct search *s, const char *folder,
			  const struct trusted_pattern *p)
{
	struct expansion x = { .s = s,
			       .pattern = p,
			       .left = FILES_PER_PATTERN };
	size_t len = strlen(folder);

	if (len >= sizeof(x.path))
		return 0;
	memcpy(x.path, folder, len + 1);
	return expand(&x, len > 1 ? len : 0, p->path, 0);
}

/* Names seen in a folder, by the pattern that begins with them. */
struct seen {
	bool pattern[TRUSTED_PATTERNS_MAX];
	bool head, objects, refs;
};

static void see(struct seen *seen, const char *name)
{
	size_t len = strlen(name);

	seen->head |= strcmp(name, "HEAD") == 0;
	seen->objects |= strcmp(name, "objects") == 0;
	seen->refs |= strcmp(name, "refs") == 0;
	if (name[0] != '.' && strcmp(name, "config") != 0)
		return;
	for (size_t i = 0; i < trusted_patterns_n; i++) {
		const char *p = trusted_patterns[i].path;

		if (strncmp(p, name, len) == 0 &&
		    (p[len] == '/' || p[len] == '\0'))
			seen->pattern[i] = true;
	}
}

static int take_place(struct search *s, const char *folder,
		      const struct seen *seen)
{
	bool bare = seen->head && seen->objects && seen->refs;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < trusted_patterns_n; i++) {
		const struct trusted_pattern *p = &trusted_patterns[i];

		if (p->flags & TRUSTED_PLACE && seen->pattern[i] &&
		    (p->path[0] == '.' || bare))
			rc = expand_pattern(s, folder, p);
	}
	return rc;
}

static int enqueue(struct search *s, const char *path, unsigned depth)
{
	struct queued *queue;

	if (s->n == FOLDERS_MAX) {
		s->cut = true;
		return 0;
	}
	queue = arena_grow(&s->arena, s->queue, s->n, &s->room, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	s->queue = queue;
	queue[s->n++] = (struct queued) { path, depth };
	return 0;
}

/* What others have written, and nobody opens as a project. */
static bool is_passed_over(const char *name)
{
	static const char *const names[] = {
		".git",	       "node_modules", ".venv",		"venv",
		"__pycache__", ".tox",	       "site-packages", ".next",
		".nuxt",       "target",       ".cache",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_folder(int dirfd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static int read_folder(struct search *s, const struct queued *q, DIR *dir,
		       struct seen *seen)
{
	const struct dirent *d;
	int rc = 0;

	while (rc == 0 && (d = readdir(dir))) {
		const char *name = d->d_name;

		if (s->entries == ENTRIES_MAX) {
			s->cut = true;
			break;
		}
		s->entries++;
		see(seen, name);
		if (q->depth < DEPTH_MAX && is_folder(dirfd(dir), d) &&
		    strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    !is_passed_over(name)) {
			const char *path = arena_printf(
				&s->arena, "%s/%s",
				strcmp(q->path, "/") == 0 ? "" : q->path, name);

			rc = path ? enqueue(s, path, q->depth + 1) : -ENOMEM;
		}
	}
	return rc;
}

static int search_folder(struct search *s, struct queued q)
{
	struct seen seen = { .head = false };
	int fd = open(q.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc;

	if (!dir) {
		fd_close(&fd);
		return 0;
	}
	rc = read_folder(s, &q, dir, &seen);
	(void)closedir(dir);
	return rc < 0 ? rc : take_place(s, q.path, &seen);
}

static int search_queue(struct search *s)
{
	for (size_t i = 0; i < s->n; i++) {
		int rc;

		if (i >= s->n_roots &&
		    (clock_ms() >= s->until_ms || s->entries == ENTRIES_MAX)) {
			s->cut = true;
			return 0;
		}
		rc = search_folder(s, s->queue[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int search_home(struct search *s)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < trusted_patterns_n; i++)
		if (trusted_patterns[i].flags & TRUSTED_HOME)
			rc = expand_pattern(s, s->home, &trusted_patterns[i]);
	return rc;
}

static int add_writable(struct search *s, const char *path)
{
	const char **all = arena_grow(&s->arena, s->writable, s->n_writable,
				      &s->writable_room, sizeof(*all));

	if (!all)
		return -ENOMEM;
	s->writable = all;
	all[s->n_writable++] = path;
	return 0;
}

/* State of programs, such as ~/.cache/x, is no place for projects: nothing is
 * looked for below its top. */
static bool is_state(const struct search *s, const char *path)
{
	size_t len = strlen(s->home);

	return path_covers(s->home, path) && path[len] == '/' &&
	       (path[len + 1] == '.' || strstr(path, "/pkg/mod"));
}

/* The working directory comes first, then what the profile names. */
static int start_places(struct search *s, bool implied)
{
	for (size_t i = 0; i < s->g->n; i++) {
		const struct grant *x = &s->g->items[i];
		const char *path = x->resolved;
		bool dir = x->kind == GRANT_DIR;
		int rc;

		if (!(x->access & ACCESS_WRITE) || x->implied != implied ||
		    (!dir && x->kind != GRANT_FILE))
			continue;
		if (!dir)
			path = arena_copy(&s->arena, path,
					  path_parent(path, strlen(path)));
		rc = path ? add_writable(s, x->resolved) : -ENOMEM;
		/* The home folder has patterns of its own. */
		if (rc == 0 && (dir || strcmp(path, s->home) != 0))
			rc = enqueue(s, path,
				     dir && !is_state(s, path) ? 0 : DEPTH_MAX);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int begin(struct search *s)
{
	struct place place;
	int rc = path_resolve(&s->arena, s->home, &place);

	s->home = place.resolved;
	if (rc == 0)
		rc = start_places(s, true);
	if (rc == 0)
		rc = start_places(s, false);
	return rc;
}

int trusted_find(const struct grants *g, const char *home, unsigned walk_ms,
		 trusted_fn *fn, void *arg, bool *ret_cut)
{
	struct search s = { .g = g, .home = home, .fn = fn, .arg = arg };
	int rc = begin(&s);

	s.until_ms = clock_ms() + walk_ms;
	if (rc == 0)
		rc = search_home(&s);
	s.n_roots = s.n;
	if (rc == 0)
		rc = search_queue(&s);
	*ret_cut = s.cut;
	arena_free(&s.arena);
	return rc;
}

int trusted_hooks(const struct grants *g, const char *home, const char *folder,
		  trusted_fn *fn, void *arg)
{
	static const struct trusted_pattern all = { "*", TRUSTED_BY_GIT,
						    TRUSTED_PLACE };
	struct search s = { .g = g, .home = home, .fn = fn, .arg = arg };
	int rc = begin(&s);

	if (rc == 0)
		rc = expand_pattern(&s, folder, &all);
	arena_free(&s.arena);
	return rc;
}
