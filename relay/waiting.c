/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All entries wait equally long, so the list by age is also the list by
 * deadline and one timer, armed for its head, serves them all.  The timer is
 * armed only while somebody waits.
 */
#include "relay/waiting.h"

#include <errno.h>
#include <string.h>

static bool key_equal(const struct htab_node *node, const void *key)
{
	const struct waiting *w =
		(const struct waiting *)(const void *)((const char *)node -
						       offsetof(struct waiting,
								node));

	return memcmp(&w->key, key, sizeof(w->key)) == 0;
}

static void take_out(struct waiting_table *t, struct waiting *w)
{
	htab_remove(&t->by_key, &w->node);
	TAILQ_REMOVE(&t->by_age, w, by_age);
	if (TAILQ_EMPTY(&t->by_age))
		loop_timer_stop(t->loop, &t->timer);
}

static void expire(void *arg)
{
	struct waiting_table *t = arg;
	struct waiting *w;
	uint64_t now = loop_now_ms(t->loop);

	while ((w = TAILQ_FIRST(&t->by_age)) && w->until_ms <= now) {
		take_out(t, w);
		t->expired(w, t->arg);
	}
	/* Cannot fail: firing has just freed the timer's place. */
	if (w)
		(void)loop_timer_arm(t->loop, &t->timer, w->until_ms - now);
}

int waiting_init(struct waiting_table *t, struct loop *loop,
		 uint32_t timeout_ms, waiting_expired_fn *expired, void *arg)
{
	*t = (struct waiting_table) {
		.loop = loop,
		.timer = { .fn = expire, .arg = t },
		.timeout_ms = timeout_ms,
		.expired = expired,
		.arg = arg,
	};
	TAILQ_INIT(&t->by_age);
	return htab_init(&t->by_key);
}

void waiting_done(struct waiting_table *t)
{
	if (t->loop)
		loop_timer_stop(t->loop, &t->timer);
	htab_done(&t->by_key);
}

int waiting_add(struct waiting_table *t, struct waiting *w)
{
	uint64_t hash = htab_hash(&t->by_key, &w->key, sizeof(w->key));
	int r;

	if (t->by_key.n_nodes >= WAITING_MAX)
		return -ENOSPC;
	if (!t->timer.slot) {
		r = loop_timer_arm(t->loop, &t->timer, t->timeout_ms);
		if (r < 0)
			return r;
	}
	r = htab_insert(&t->by_key, &w->node, hash);
	if (r < 0)
		return r;
	w->until_ms = loop_now_ms(t->loop) + t->timeout_ms;
	TAILQ_INSERT_TAIL(&t->by_age, w, by_age);
	return 0;
}

struct waiting *waiting_take(struct waiting_table *t,
			     const struct waiting_key *key)
{
	struct htab_node *node =
		htab_find(&t->by_key, htab_hash(&t->by_key, key, sizeof(*key)),
			  key_equal, key);
	struct waiting *w;

	if (!node)
		return NULL;
	w = htab_entry(node, struct waiting, node);
	take_out(t, w);
	return w;
}

struct waiting *waiting_take_any_port(struct waiting_table *t,
				      const struct waiting_key *key)
{
	struct waiting *w;

	TAILQ_FOREACH_REVERSE(w, &t->by_age, waiting_list, by_age)
	{
		/* cppcheck-suppress uninitvar ; set before waiting_add() */
		if (w->key.dst_port == key->dst_port &&
		    addr_equal(&w->key.dst, &key->dst)) {
			take_out(t, w);
			return w;
		}
	}
	return NULL;
}

struct waiting *waiting_take_first(struct waiting_table *t)
{
	struct waiting *w = TAILQ_FIRST(&t->by_age);

	if (w)
		take_out(t, w);
	return w;
}
