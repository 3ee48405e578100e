/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll plus a binary heap of timers.  epoll's data is the source pointer;
 * loop_remove() blanks the events of that source which are still pending in
 * the current batch, so that a callback may free any source.
 */
#include "common/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

struct loop {
	int epfd;
	bool stopping;
	uint64_t now_ms;
	struct epoll_event batch[BATCH];
	int n_batch;
	int next; /* first event of the batch not yet delivered */
	struct loop_timer **heap;
	size_t n_timers;
	size_t room;
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_errno(e, ENOMEM, "event loop");
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int code = errno;

		free(l);
		return err_errno(e, code, "epoll_create1");
	}
	l->now_ms = clock_ms();
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	(void)close(l->epfd);
	free(l->heap);
	free(l);
}

int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events,
	     loop_fd_fn *fn, void *arg)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	return 0;
}

int loop_modify(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, struct loop_source *s)
{
	if (s->fd < 0)
		return;
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	s->fd = -1;
	for (int i = l->next; i < l->n_batch; i++)
		if (l->batch[i].data.ptr == s)
			l->batch[i].data.ptr = NULL;
}

/* Timers: a heap ordered by at_ms; slot is the position plus one. */

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void heap_up(struct loop *l, size_t i, struct loop_timer *t)
{
	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (l->heap[parent]->at_ms <= t->at_ms)
			break;
		heap_put(l, i, l->heap[parent]);
		i = parent;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct loop_timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= l->n_timers)
			break;
		if (child + 1 < l->n_timers &&
		    l->heap[child + 1]->at_ms < l->heap[child]->at_ms)
			child++;
		if (t->at_ms <= l->heap[child]->at_ms)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	size_t i = t->slot - 1;
	struct loop_timer *last;

	if (t->slot == 0)
		return;
	t->slot = 0;
	last = l->heap[--l->n_timers];
	if (last == t)
		return;
	heap_up(l, i, last);
	heap_down(l, last->slot - 1, last);
}

int loop_timer_arm(struct loop *l, struct loop_timer *t, uint64_t delay_ms)
{
	loop_timer_stop(l, t);
	if (l->n_timers == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct loop_timer **heap = reallocarray(
			l->heap, room, sizeof(struct loop_timer *));

		if (!heap)
			return -ENOMEM;
		l->heap = heap;
		l->room = room;
	}
	t->at_ms = l->now_ms + delay_ms;
	heap_up(l, l->n_timers++, t);
	return 0;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

static void run_timers(struct loop *l)
{
	while (!l->stopping && l->n_timers > 0 &&
	       l->heap[0]->at_ms <= l->now_ms) {
		struct loop_timer *t = l->heap[0];

		loop_timer_stop(l, t);
		t->fn(t->arg);
	}
}

static int wait_ms(const struct loop *l)
{
	uint64_t delay;

	if (l->n_timers == 0)
		return -1;
	if (l->heap[0]->at_ms <= l->now_ms)
		return 0;
	delay = l->heap[0]->at_ms - l->now_ms;
	return delay > 3600000 ? 3600000 : (int)delay;
}

int loop_run(struct loop *l)
{
	l->now_ms = clock_ms();
	while (!l->stopping) {
		int n = epoll_wait(l->epfd, l->batch, BATCH, wait_ms(l));

		if (n < 0 && errno != EINTR)
			return -errno;
		l->now_ms = clock_ms();
		l->n_batch = n > 0 ? n : 0;
		for (l->next = 0; l->next < l->n_batch && !l->stopping;) {
			struct epoll_event *ev = &l->batch[l->next++];
			struct loop_source *s = ev->data.ptr;

			if (s)
				s->fn(s->arg, ev->events);
		}
		l->n_batch = 0;
		run_timers(l);
	}
	l->stopping = false;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}
