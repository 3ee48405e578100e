/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/uninit.h"

#define BATCH_BYTES 8192
/* More than any program makes by saving a file. */
#define BATCH_FULL 64
#define PAUSE_MS   5

struct notify {
	int fd;
	int last;	   /* the highest watch descriptor so far */
	struct loop *loop; /* NULL: stopped */
	struct loop_source source;
	struct loop_timer pause;
	struct notify_events ev;
};

static void on_readable(void *arg, uint32_t events);

static void on_pause_over(void *arg)
{
	struct notify *n = arg;

	/* Without memory: at the next attempt. */
	if (loop_add(n->loop, &n->source, n->fd, EPOLLIN, on_readable, n) < 0)
		(void)loop_timer_arm(n->loop, &n->pause, PAUSE_MS);
}

/* How many events there were. */
static unsigned read_batch(struct notify *n)
{
	uninit _Alignas(struct inotify_event) char buf[BATCH_BYTES];
	ssize_t len = read(n->fd, buf, sizeof(buf));
	unsigned count = 0;

	if (len <= 0)
		return 0;
	for (const char *p = buf; p < buf + len; count++) {
		const struct inotify_event *x = (const void *)p;

		p += sizeof(*x) + x->len;
		if (x->mask & IN_Q_OVERFLOW)
			n->ev.overflow(n->ev.arg);
		else
			n->ev.event(n->ev.arg, x->wd, x->mask,
				    x->len ? x->name : "");
	}
	n->ev.turn(n->ev.arg);
	return count;
}

static void on_readable(void *arg, uint32_t events)
{
	struct notify *n = arg;

	(void)events;
	if (read_batch(n) < BATCH_FULL ||
	    loop_timer_arm(n->loop, &n->pause, PAUSE_MS))
		return;
	loop_remove(n->loop, &n->source);
}

bool notify_read(struct notify *n)
{
	return read_batch(n) > 0;
}

int notify_new(struct notify **ret, struct loop *loop,
	       const struct notify_events *ev, struct err *e)
{
	struct notify *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return err_errno(e, ENOMEM, "watch files");
	*n = (struct notify) { .loop = loop,
			       .source = LOOP_SOURCE_NONE,
			       .pause = { .fn = on_pause_over, .arg = n },
			       .ev = *ev };
	n->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (n->fd < 0) {
		rc = err_errno(e, errno,
			       "watch files: inotify_init1 (if there are too "
			       "many: sysctl fs.inotify.max_user_instances)");
		free(n);
		return rc;
	}
	rc = loop_add(loop, &n->source, n->fd, EPOLLIN, on_readable, n);
	if (rc < 0) {
		notify_free(n);
		return err_errno(e, -rc, "watch files: epoll_ctl");
	}
	*ret = n;
	return 0;
}

int notify_watch(struct notify *n, int fd, uint32_t mask)
{
	char path[sizeof("/proc/self/fd/-2147483648")];
	int wd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(n->fd, path, mask | IN_ONLYDIR);
	if (wd > n->last)
		n->last = wd;
	return wd < 0 ? -errno : wd;
}

void notify_unwatch(struct notify *n, int wd)
{
	if (n->loop)
		(void)inotify_rm_watch(n->fd, wd);
}

void notify_stop(struct notify *n)
{
	if (!n || !n->loop)
		return;
	loop_remove(n->loop, &n->source);
	loop_timer_stop(n->loop, &n->pause);
	n->loop = NULL;
	for (; n->last > 0; n->last--)
		(void)inotify_rm_watch(n->fd, n->last);
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	notify_stop(n);
	fd_close(&n->fd);
	free(n);
}
