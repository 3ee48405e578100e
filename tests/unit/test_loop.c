/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources, sources that go away in the same batch, timers.  A watchdog timer
 * ends every loop that does not end by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/loop.h"

#define DEADLINE_MS 20000
#define N_SOURCES   8
#define N_TIMERS    200

struct bench {
	struct loop *loop;
	struct loop_timer watchdog;
};

static void on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("the loop did not end");
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b || loop_new(&b->loop, NULL) < 0)
		return -1;
	b->watchdog.fn = on_watchdog;
	*state = b;
	return loop_timer_arm(b->loop, &b->watchdog, DEADLINE_MS);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	loop_free(b->loop);
	free(b);
	return 0;
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Sources */

struct pipe_end {
	struct loop *loop;
	struct loop_source source;
	int fds[2];
	uint32_t seen;
	unsigned calls;
};

static void on_pipe(void *arg, uint32_t events)
{
	struct pipe_end *p = arg;
	char c;

	p->seen |= events;
	p->calls++;
	if (events & EPOLLIN)
		assert_int_equal(read(p->fds[0], &c, 1), 1);
	if (p->calls == 3)
		loop_stop(p->loop);
}

static void test_source(void **state)
{
	struct bench *b = *state;
	struct pipe_end p = { .loop = b->loop, .source = LOOP_SOURCE_NONE };

	loop_remove(b->loop, &p.source); /* not there: fine */
	assert_int_equal(pipe(p.fds), 0);
	assert_int_equal(
		loop_add(b->loop, &p.source, p.fds[0], EPOLLIN, on_pipe, &p),
		0);
	assert_int_equal(p.source.fd, p.fds[0]);
	assert_int_equal(write(p.fds[1], "ab", 2), 2);
	assert_int_equal(close(p.fds[1]), 0);
	/* Level-triggered: each byte, then the hang-up. */
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(p.calls, 3);
	assert_int_equal(p.seen, EPOLLIN | EPOLLHUP);

	/* Muted sources still learn of a hang-up, so it goes altogether. */
	loop_remove(b->loop, &p.source);
	loop_remove(b->loop, &p.source);
	assert_int_equal(p.source.fd, -1);
	assert_int_equal(close(p.fds[0]), 0);
}

static void test_source_errors(void **state)
{
	struct bench *b = *state;
	struct loop_source s = LOOP_SOURCE_NONE;
	cleanup_fd int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(loop_add(b->loop, &s, 1 << 20, EPOLLIN, on_pipe, NULL) < 0);
	assert_int_equal(s.fd, -1);
	assert_int_equal(loop_add(b->loop, &s, fd, EPOLLIN, on_pipe, NULL), 0);
	loop_remove(b->loop, &s);
	assert_true(loop_modify(b->loop, &s, EPOLLIN) < 0);
}

static void on_writable(void *arg, uint32_t events)
{
	struct pipe_end *p = arg;

	p->seen = events;
	p->calls++;
	loop_stop(p->loop);
}

static void test_modify(void **state)
{
	struct bench *b = *state;
	struct pipe_end p = { .loop = b->loop };

	p.fds[0] = eventfd(0, EFD_CLOEXEC);
	assert_true(p.fds[0] >= 0);
	assert_int_equal(loop_add(b->loop, &p.source, p.fds[0], EPOLLIN,
				  on_writable, &p),
			 0);
	assert_int_equal(loop_modify(b->loop, &p.source, EPOLLOUT), 0);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(p.seen, EPOLLOUT);
	loop_remove(b->loop, &p.source);
	assert_int_equal(close(p.fds[0]), 0);
}

/* Whichever event comes first removes and frees all the others: none of them
 * may be delivered, though all are pending in the same batch. */

struct clique {
	struct loop *loop;
	struct member *members[N_SOURCES];
	unsigned calls;
};

struct member {
	struct clique *clique;
	struct loop_source source;
	int fd;
};

static void drop_member(struct clique *c, size_t i)
{
	struct member *m = c->members[i];

	loop_remove(c->loop, &m->source);
	assert_int_equal(close(m->fd), 0);
	memset(m, 0xa5, sizeof(*m));
	free(m);
	c->members[i] = NULL;
}

static void on_member(void *arg, uint32_t events)
{
	struct clique *c = ((struct member *)arg)->clique;

	assert_int_equal(events, EPOLLIN);
	c->calls++;
	for (size_t i = 0; i < N_SOURCES; i++)
		drop_member(c, i);
	loop_stop(c->loop);
}

static void add_member(struct clique *c, size_t i)
{
	struct member *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->clique = c;
	m->fd = eventfd(1, EFD_CLOEXEC);
	assert_true(m->fd >= 0);
	assert_int_equal(
		loop_add(c->loop, &m->source, m->fd, EPOLLIN, on_member, m), 0);
	c->members[i] = m;
}

static void test_remove_pending(void **state)
{
	struct bench *b = *state;
	struct clique c = { .loop = b->loop };

	for (size_t i = 0; i < N_SOURCES; i++)
		add_member(&c, i);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(c.calls, 1);
}

/* Stopping leaves the rest of the batch for the next run. */
static void on_stop(void *arg, uint32_t events)
{
	struct pipe_end *p = arg;
	uint64_t value;

	(void)events;
	assert_int_equal(read(p->source.fd, &value, sizeof(value)),
			 sizeof(value));
	p->calls++;
	loop_stop(p->loop);
}

static void test_stop(void **state)
{
	struct bench *b = *state;
	struct pipe_end ends[2] = { { .loop = b->loop }, { .loop = b->loop } };

	for (size_t i = 0; i < 2; i++) {
		ends[i].fds[0] = eventfd(1, EFD_CLOEXEC);
		assert_true(ends[i].fds[0] >= 0);
		assert_int_equal(loop_add(b->loop, &ends[i].source,
					  ends[i].fds[0], EPOLLIN, on_stop,
					  &ends[i]),
				 0);
	}
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(ends[0].calls + ends[1].calls, 1);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(ends[0].calls, 1);
	assert_int_equal(ends[1].calls, 1);
	for (size_t i = 0; i < 2; i++) {
		loop_remove(b->loop, &ends[i].source);
		assert_int_equal(close(ends[i].fds[0]), 0);
	}
}

/* Timers */

struct tick {
	struct loop *loop;
	struct loop_timer timer;
	struct tick *other; /* stopped by this one */
	unsigned fired;
	unsigned again; /* re-arms itself so many times */
	uint64_t due_ms;
	uint64_t *last_due; /* of the timer that fired before */
	bool stops;
};

static void on_tick(void *arg)
{
	struct tick *t = arg;

	t->fired++;
	assert_int_equal(t->timer.slot, 0);
	assert_true(loop_now_ms(t->loop) >= t->due_ms);
	assert_true(loop_now_ms(t->loop) <= clock_ms());
	if (t->last_due) {
		assert_true(*t->last_due <= t->due_ms);
		*t->last_due = t->due_ms;
	}
	if (t->other)
		loop_timer_stop(t->loop, &t->other->timer);
	if (t->again > 0) {
		t->again--;
		t->due_ms = loop_now_ms(t->loop) + 2;
		assert_int_equal(loop_timer_arm(t->loop, &t->timer, 2), 0);
	} else if (t->stops) {
		loop_stop(t->loop);
	}
}

static void arm(struct tick *t, uint64_t delay_ms)
{
	t->timer.fn = on_tick;
	t->timer.arg = t;
	t->due_ms = loop_now_ms(t->loop) + delay_ms;
	assert_int_equal(loop_timer_arm(t->loop, &t->timer, delay_ms), 0);
	assert_true(t->timer.at_ms == t->due_ms);
}

/* Hundreds in random order, some re-armed, some stopped: the rest fires once
 * each in the order of time. */
static void test_timers_order(void **state)
{
	struct bench *b = *state;
	struct tick *ticks = calloc(N_TIMERS + 1, sizeof(*ticks));
	struct tick end = { .loop = b->loop, .stops = true };
	uint64_t last_due = 0;
	unsigned seed = 7;

	assert_non_null(ticks);
	for (size_t i = 0; i < N_TIMERS; i++) {
		ticks[i].loop = b->loop;
		ticks[i].last_due = &last_due;
		arm(&ticks[i], (uint64_t)rand_r(&seed) % 50);
	}
	for (size_t i = 0; i < N_TIMERS; i += 3)
		arm(&ticks[i], (uint64_t)rand_r(&seed) % 50);
	for (size_t i = 0; i < N_TIMERS; i += 5) {
		loop_timer_stop(b->loop, &ticks[i].timer);
		loop_timer_stop(b->loop, &ticks[i].timer);
		assert_int_equal(ticks[i].timer.slot, 0);
	}
	arm(&end, 60);
	assert_int_equal(loop_run(b->loop), 0);
	for (size_t i = 0; i < N_TIMERS; i++)
		assert_int_equal(ticks[i].fired, i % 5 != 0);
	free(ticks);
}

static void test_timer_rearm(void **state)
{
	struct bench *b = *state;
	struct tick t = { .loop = b->loop, .again = 5, .stops = true };

	arm(&t, 1);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(t.fired, 6);

	/* Later, then sooner: the last word counts. */
	arm(&t, 3600000);
	arm(&t, 1);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(t.fired, 7);
}

/* The first of two that are due stops the second. */
static void test_timer_stops_other(void **state)
{
	struct bench *b = *state;
	struct tick second = { .loop = b->loop };
	struct tick first = { .loop = b->loop, .other = &second };
	struct tick end = { .loop = b->loop, .stops = true };

	arm(&first, 0);
	arm(&second, 1);
	arm(&end, 10);
	while (clock_ms() < second.due_ms)
		(void)usleep(500);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(first.fired, 1);
	assert_int_equal(second.fired, 0);
}

/* loop_stop() in a timer: another one that is due as well waits. */
static void test_timer_stop_loop(void **state)
{
	struct bench *b = *state;
	struct tick first = { .loop = b->loop, .stops = true };
	struct tick second = { .loop = b->loop, .stops = true };

	arm(&first, 0);
	arm(&second, 1);
	while (clock_ms() < second.due_ms)
		(void)usleep(500);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(first.fired, 1);
	assert_int_equal(second.fired, 0);
	assert_int_equal(loop_run(b->loop), 0);
	assert_int_equal(second.fired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		LOOP_TEST(test_source),
		LOOP_TEST(test_source_errors),
		LOOP_TEST(test_modify),
		LOOP_TEST(test_remove_pending),
		LOOP_TEST(test_stop),
		LOOP_TEST(test_timers_order),
		LOOP_TEST(test_timer_rearm),
		LOOP_TEST(test_timer_stops_other),
		LOOP_TEST(test_timer_stop_loop),
	};

	loop_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
