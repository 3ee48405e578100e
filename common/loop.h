/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One epoll loop per process, single-threaded.  Sources and timers are
 * embedded in the caller's objects; a callback may remove and free any source,
 * also one whose event is still pending in the same batch.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct loop;

typedef void loop_fd_fn(void *arg, uint32_t events); /* EPOLL* bits */
typedef void loop_timer_fn(void *arg);

struct loop_source {
	int fd; /* borrowed; -1 when not registered */
	loop_fd_fn *fn;
	void *arg;
};

struct loop_timer {
	uint64_t at_ms; /* CLOCK_MONOTONIC */
	size_t slot;	/* heap position + 1, 0 when not armed */
	loop_timer_fn *fn;
	void *arg;
};

#define LOOP_SOURCE_NONE ((struct loop_source) { .fd = -1 })

int loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop *l); /* NULL is fine */

/* events: EPOLLIN, EPOLLOUT, EPOLLET ... Returns 0 or -errno. */
int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events,
	     loop_fd_fn *fn, void *arg);
int loop_modify(struct loop *l, struct loop_source *s, uint32_t events);
void loop_remove(struct loop *l, struct loop_source *s); /* idempotent */

/* Arms or re-arms; fn and arg must be set in t before.  -ENOMEM possible. */
int loop_timer_arm(struct loop *l, struct loop_timer *t, uint64_t delay_ms);
void loop_timer_stop(struct loop *l, struct loop_timer *t); /* idempotent */

/* Milliseconds of CLOCK_MONOTONIC, read once per batch. */
uint64_t loop_now_ms(const struct loop *l);

/* Runs until loop_stop(), which may have been called before; returns 0, or
 * -errno if epoll_wait() failed. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
