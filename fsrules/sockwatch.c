/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/sockwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/htab.h"
#include "fsrules/hostsockets.h"
#include "fsrules/notify.h"
#include "profiles/paths.h"

#define FOLDERS_MAX 128
#define NAMES_MAX   8192
/* A name is in the folder before it is in the list, and in the list before
 * anybody listens. */
#define FIRST_MS  1
#define GAP_MS	  20 /* between two looks, whatever appears */
#define PERIOD_MS 1000

struct folder {
	int wd;
	const char *path;
};

/* A name of the list, and what lay there when it was looked at. */
struct known {
	struct htab_node node;
	dev_t dev;
	ino_t ino;
	struct timespec ctime;
	char name[];
};

struct sockwatch {
	const struct view_plan *plan;
	const struct grants *g;
	struct loop *loop;
	struct loop_timer timer;
	struct sockwatch_events ev;
	struct notify *notify;
	struct arena arena;
	struct folder folders[FOLDERS_MAX];
	size_t n_folders;
	struct htab known;
	uint64_t last_ms;
	uint64_t delay_ms; /* to the next look */
	bool settling;
	const char *failed;
	int error;
};

static bool known_equal(const struct htab_node *node, const void *key)
{
	return strcmp(htab_entry(node, struct known, node)->name, key) == 0;
}

static void forget_one(struct htab_node *node, void *arg)
{
	struct sockwatch *w = arg;

	htab_remove(&w->known, node);
	free(htab_entry(node, struct known, node));
}

/* True if this is news: a name with something else behind it than when it was
 * looked at last. */
static bool is_news(struct sockwatch *w, const char *name,
		    const struct stat *st)
{
	uint64_t hash = htab_hash(&w->known, name, strlen(name));
	struct htab_node *node = htab_find(&w->known, hash, known_equal, name);
	struct known *k = node ? htab_entry(node, struct known, node) : NULL;
	bool same;

	if (!k) {
		size_t len = strlen(name) + 1;

		k = calloc(1, sizeof(*k) + len);
		if (!k)
			return true; /* looked at each time */
		memcpy(k->name, name, len);
		if (htab_insert(&w->known, &k->node, hash) < 0) {
			free(k);
			return true;
		}
	}
	same = k->dev == st->st_dev && k->ino == st->st_ino &&
	       k->ctime.tv_sec == st->st_ctim.tv_sec &&
	       k->ctime.tv_nsec == st->st_ctim.tv_nsec;
	k->dev = st->st_dev;
	k->ino = st->st_ino;
	k->ctime = st->st_ctim;
	return !same;
}

/* A limit of the kernel's makes it slower only: the list is read all the
 * same. */
static void watch(struct sockwatch *w, const char *path)
{
	cleanup_fd int fd = -1;
	int wd;

	if (w->n_folders == FOLDERS_MAX)
		return;
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	wd = fd < 0 ? -1 : notify_watch(w->notify, fd, IN_CREATE | IN_MOVED_TO);
	if (wd < 0)
		return;
	for (size_t i = 0; i < w->n_folders; i++)
		if (w->folders[i].wd == wd)
			return;
	path = arena_strdup(&w->arena, path);
	if (path)
		w->folders[w->n_folders++] = (struct folder) { wd, path };
}

static void hide(struct sockwatch *w, const char *path)
{
	int rc = w->ev.hide(w->ev.arg, path);
	const char *parent;

	if (rc == -ENOENT)
		return;
	if (!w->settling)
		w->ev.hidden(w->ev.arg, path, rc);
	else if (rc < 0 && !w->failed)
		w->failed = arena_strdup(&w->arena, path);
	if (rc < 0) {
		w->error = -rc;
		return;
	}
	/* Where one was bound another will be. */
	parent = arena_copy(&w->arena, path, path_parent(path, strlen(path)));
	if (parent)
		watch(w, parent);
}

static void look_at(struct sockwatch *w, const char *name)
{
	struct arena a = { 0 };
	struct place p;
	struct stat st;

	if (stat(name, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    !is_news(w, name, &st))
		return;
	/* Without memory: again in a second. */
	if (path_resolve(&a, name, &p) == 0 && !p.error &&
	    view_shows_socket(w->plan, w->g, p.resolved))
		hide(w, p.resolved);
	arena_free(&a);
}

/* One of the same name may be the command's own. */
static void look_for_relative(struct sockwatch *w, const char *name)
{
	size_t n = w->n_folders;

	for (size_t i = 0; i < n; i++) {
		struct arena a = { 0 };
		const char *path =
			arena_printf(&a, "%s/%s", w->folders[i].path, name);
		struct stat st;

		if (path && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		    hostsockets_has(st.st_ino))
			look_at(w, path);
		arena_free(&a);
	}
}

static int take(void *arg, const char *name)
{
	if (name[0] == '/')
		look_at(arg, name);
	else
		look_for_relative(arg, name);
	return 0;
}

static void scan(struct sockwatch *w)
{
	struct err e = { 0 };

	/* What it cannot read now it reads in a second. */
	(void)hostsockets_each(take, w, &e);
	if (w->known.n_nodes > NAMES_MAX)
		htab_each(&w->known, forget_one, w);
	w->last_ms = loop_now_ms(w->loop);
}

/* Without memory: with the next socket that is seen. */
static void arm(struct sockwatch *w)
{
	(void)loop_timer_arm(w->loop, &w->timer, w->delay_ms);
}

static void on_timer(void *arg)
{
	struct sockwatch *w = arg;

	scan(w);
	w->delay_ms = w->delay_ms < GAP_MS ? GAP_MS : w->delay_ms * 4;
	if (w->delay_ms > PERIOD_MS)
		w->delay_ms = PERIOD_MS;
	arm(w);
}

static void look_soon(struct sockwatch *w)
{
	uint64_t since = loop_now_ms(w->loop) - w->last_ms;

	/* It is soon already. */
	if (w->delay_ms <= GAP_MS && w->timer.slot)
		return;
	w->delay_ms = since >= GAP_MS ? FIRST_MS : GAP_MS;
	arm(w);
}

static void on_event(void *arg, int wd, uint32_t mask, const char *name)
{
	struct sockwatch *w = arg;

	(void)mask;
	for (size_t i = 0; i < w->n_folders; i++) {
		cleanup_fd int dir = -1;
		struct stat st;

		if (w->folders[i].wd != wd)
			continue;
		dir = open(w->folders[i].path, O_PATH | O_CLOEXEC);
		if (dir >= 0 &&
		    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISSOCK(st.st_mode))
			look_soon(w);
	}
}

static void on_overflow(void *arg)
{
	look_soon(arg);
}

static void on_turn(void *arg)
{
	(void)arg;
}

static void watch_folders(struct sockwatch *w)
{
	for (size_t i = 0; i < w->plan->n; i++) {
		const struct view_item *x = &w->plan->items[i];

		if (x->kind == VIEW_BIND && x->directory &&
		    strcmp(x->source, x->path) == 0 &&
		    access(x->path, W_OK) == 0)
			watch(w, x->path);
	}
}

int sockwatch_start(struct sockwatch **ret, const struct view_plan *plan,
		    const struct grants *g, struct loop *loop,
		    struct notify_hub *hub, const struct sockwatch_events *ev,
		    struct err *e)
{
	struct sockwatch *w = calloc(1, sizeof(*w));
	const struct notify_events own = { on_event, on_overflow, on_turn, w };
	int rc = w ? htab_init(&w->known) : -ENOMEM;

	if (rc < 0) {
		free(w);
		return err_errno(e, -rc, "watch for sockets");
	}
	w->plan = plan;
	w->g = g;
	w->loop = loop;
	w->ev = *ev;
	w->timer = (struct loop_timer) { .fn = on_timer, .arg = w };
	w->delay_ms = PERIOD_MS;
	rc = notify_new(&w->notify, hub, &own);
	if (rc < 0) {
		sockwatch_free(w);
		return err_errno(e, -rc, "watch for sockets");
	}
	watch_folders(w);
	*ret = w;
	return 0;
}

int sockwatch_settle(struct sockwatch *w, struct err *e)
{
	int rc;

	if (!w)
		return 0;
	w->settling = true;
	scan(w);
	w->settling = false;
	if (w->error)
		return err_errno(e, w->error, "hide the socket %s",
				 w->failed ? w->failed : "");
	rc = loop_timer_arm(w->loop, &w->timer, PERIOD_MS);
	return rc < 0 ? err_errno(e, -rc, "watch for sockets") : 0;
}

void sockwatch_free(struct sockwatch *w)
{
	if (!w)
		return;
	loop_timer_stop(w->loop, &w->timer);
	notify_free(w->notify);
	htab_each(&w->known, forget_one, w);
	htab_done(&w->known);
	arena_free(&w->arena);
	free(w);
}
