/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a loop until something holds; cmocka.h is included before. */
#ifndef TESTS_UNIT_LOOPWAIT_H
#define TESTS_UNIT_LOOPWAIT_H

#include <stdbool.h>

#include "common/loop.h"

#define WAIT_MS 10000

struct loopwait {
	struct loop *loop;
	struct loop_timer tick;
	bool (*holds)(void *arg);
	void *arg;
	unsigned long ticks; /* how often the loop came round */
	uint64_t until_ms;
	bool held;
};

static inline void loopwait_tick(void *arg)
{
	struct loopwait *w = arg;

	w->ticks++;
	w->held = w->holds(w->arg);
	if (w->held || loop_now_ms(w->loop) > w->until_ms)
		loop_stop(w->loop);
	else
		assert_int_equal(loop_timer_arm(w->loop, &w->tick, 1), 0);
}

/* Within WAIT_MS. */
static inline bool loopwait_until(struct loop *loop, bool (*holds)(void *),
				  void *arg)
{
	struct loopwait w = { .loop = loop, .holds = holds, .arg = arg };

	w.tick = (struct loop_timer) { .fn = loopwait_tick, .arg = &w };
	w.until_ms = loop_now_ms(loop) + WAIT_MS;
	assert_int_equal(loop_timer_arm(loop, &w.tick, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	return w.held;
}

static inline bool loopwait_turns(void *arg)
{
	unsigned *n = arg;

	return ++*n > 20;
}

/* Lets the loop handle what is there by now. */
static inline void loopwait_settle(struct loop *loop)
{
	unsigned n = 0;

	assert_true(loopwait_until(loop, loopwait_turns, &n));
}

#endif
