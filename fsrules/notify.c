/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inotify knows one watch for each folder and instance: two users of the same
 * folder have the same descriptor, the masks add up, and the watch goes with
 * the last of them.  A slot is one user's interest in one folder.
 */
#include "fsrules/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/uninit.h"

#define BATCH_BYTES 8192
/* More than any program makes by saving a file. */
#define BATCH_FULL 64
#define PAUSE_MS   5
#define NO_WATCH   (-1)
/* What the kernel tells unasked. */
#define ALWAYS (IN_IGNORED | IN_UNMOUNT)

struct notify {
	TAILQ_ENTRY(notify) link;
	struct notify_hub *hub;
	struct notify_events ev;
	bool touched; /* by the present batch */
};

struct slot {
	struct notify *user;
	uint32_t mask;
	int wd; /* NO_WATCH: given up; removed after the batch */
};

struct notify_hub {
	int fd;
	struct loop *loop;
	struct loop_source source;
	struct loop_timer pause;
	TAILQ_HEAD(notify_list, notify) users;
	struct slot *slots;
	size_t n, room;
};

static void on_readable(void *arg, uint32_t events);

static void on_pause_over(void *arg)
{
	struct notify_hub *h = arg;

	/* Without memory: at the next attempt. */
	if (loop_add(h->loop, &h->source, h->fd, EPOLLIN, on_readable, h) < 0)
		(void)loop_timer_arm(h->loop, &h->pause, PAUSE_MS);
}

/* Callbacks may add slots, and give up any. */
static void deliver(struct notify_hub *h, const struct inotify_event *x)
{
	for (size_t i = 0; i < h->n; i++) {
		struct slot s = h->slots[i];

		if (s.wd != x->wd || !(x->mask & (s.mask | ALWAYS)))
			continue;
		if (x->mask & IN_IGNORED)
			h->slots[i].wd = NO_WATCH;
		s.user->touched = true;
		s.user->ev.event(s.user->ev.arg, x->wd, x->mask,
				 x->len ? x->name : "");
	}
}

static void overflow(struct notify_hub *h)
{
	for (struct notify *u = TAILQ_FIRST(&h->users); u;
	     u = TAILQ_NEXT(u, link)) {
		u->touched = true;
		u->ev.overflow(u->ev.arg);
	}
}

static void end_batch(struct notify_hub *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->slots[i].wd != NO_WATCH)
			h->slots[kept++] = h->slots[i];
	h->n = kept;
	for (struct notify *u = TAILQ_FIRST(&h->users); u;
	     u = TAILQ_NEXT(u, link)) {
		if (!u->touched)
			continue;
		u->touched = false;
		u->ev.turn(u->ev.arg);
	}
}

/* How many events there were. */
static unsigned read_batch(struct notify_hub *h)
{
	uninit _Alignas(struct inotify_event) char buf[BATCH_BYTES];
	ssize_t len = read(h->fd, buf, sizeof(buf));
	unsigned count = 0;

	if (len <= 0)
		return 0;
	for (const char *p = buf; p < buf + len; count++) {
		const struct inotify_event *x = (const void *)p;

		p += sizeof(*x) + x->len;
		if (x->mask & IN_Q_OVERFLOW)
			overflow(h);
		else
			deliver(h, x);
	}
	end_batch(h);
	return count;
}

static void on_readable(void *arg, uint32_t events)
{
	struct notify_hub *h = arg;

	(void)events;
	if (read_batch(h) < BATCH_FULL ||
	    loop_timer_arm(h->loop, &h->pause, PAUSE_MS))
		return;
	loop_remove(h->loop, &h->source);
}

bool notify_read(struct notify *n)
{
	return read_batch(n->hub) > 0;
}

int notify_hub_new(struct notify_hub **ret, struct loop *loop, struct err *e)
{
	struct notify_hub *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return err_errno(e, ENOMEM, "watch files");
	*h = (struct notify_hub) { .loop = loop,
				   .source = LOOP_SOURCE_NONE,
				   .pause = { .fn = on_pause_over, .arg = h } };
	TAILQ_INIT(&h->users);
	h->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (h->fd < 0) {
		rc = err_errno(e, errno,
			       "watch files: inotify_init1 (if there are too "
			       "many: sysctl fs.inotify.max_user_instances)");
		free(h);
		return rc;
	}
	rc = loop_add(loop, &h->source, h->fd, EPOLLIN, on_readable, h);
	if (rc < 0) {
		notify_hub_free(h);
		return err_errno(e, -rc, "watch files: epoll_ctl");
	}
	*ret = h;
	return 0;
}

void notify_hub_free(struct notify_hub *h)
{
	if (!h)
		return;
	loop_remove(h->loop, &h->source);
	loop_timer_stop(h->loop, &h->pause);
	fd_close(&h->fd);
	free(h->slots);
	free(h);
}

int notify_new(struct notify **ret, struct notify_hub *h,
	       const struct notify_events *ev)
{
	struct notify *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->hub = h;
	n->ev = *ev;
	TAILQ_INSERT_TAIL(&h->users, n, link);
	*ret = n;
	return 0;
}

/* Room for one more. */
static bool reserve(struct notify_hub *h)
{
	size_t room = h->room ? 2 * h->room : 64;
	struct slot *slots;

	if (h->n < h->room)
		return true;
	slots = realloc(h->slots, room * sizeof(*slots));
	if (!slots)
		return false;
	h->slots = slots;
	h->room = room;
	return true;
}

int notify_watch(struct notify *n, int fd, uint32_t mask)
{
	char path[sizeof("/proc/self/fd/-2147483648")];
	struct notify_hub *h = n->hub;
	int wd;

	if (!reserve(h))
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(h->fd, path, mask | IN_ONLYDIR | IN_MASK_ADD);
	if (wd < 0)
		return -errno;
	for (size_t i = 0; i < h->n; i++) {
		if (h->slots[i].wd == wd && h->slots[i].user == n) {
			h->slots[i].mask |= mask;
			return wd;
		}
	}
	h->slots[h->n++] = (struct slot) { n, mask, wd };
	return wd;
}

void notify_unwatch(struct notify *n, int wd)
{
	struct notify_hub *h = n->hub;
	bool shared = false;
	bool found = false;

	for (size_t i = 0; i < h->n; i++) {
		if (h->slots[i].wd != wd)
			continue;
		shared |= h->slots[i].user != n;
		found |= h->slots[i].user == n;
		if (h->slots[i].user == n)
			h->slots[i].wd = NO_WATCH;
	}
	if (found && !shared)
		(void)inotify_rm_watch(h->fd, wd);
}

void notify_free(struct notify *n)
{
	struct notify_hub *h = n ? n->hub : NULL;

	if (!n)
		return;
	for (size_t i = 0; i < h->n; i++)
		if (h->slots[i].user == n && h->slots[i].wd != NO_WATCH)
			notify_unwatch(n, h->slots[i].wd);
	TAILQ_REMOVE(&h->users, n, link);
	free(n);
}
