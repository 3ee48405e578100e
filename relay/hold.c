/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "relay/flow.h"

/* Of the server's bytes at a time: more than an answer's first record or status
 * line. */
#define SERVER_BYTES 4096

static void expire(void *arg)
{
	struct hold_queue *q = arg;
	struct flow_set *s = q->set;
	uint64_t now = loop_now_ms(s->loop);
	struct flow *f;

	while ((f = TAILQ_FIRST(&q->flows)) && f->hold.until_ms <= now) {
		struct inspect_verdict v;

		inspect_timed_out(f->hold.inspect, &v);
		if (q->kind == HOLD_PARTIAL)
			f->hold.refusal = malloc(sizeof(v));
		if (f->hold.refusal)
			*f->hold.refusal = v;
		flow_give_up(f, q->kind == HOLD_PARTIAL ? RELAY_END_REFUSED
							: RELAY_END_SILENT);
	}
	/* Cannot fail: firing has just freed the timer's place. */
	if (f)
		(void)loop_timer_arm(s->loop, &q->timer,
				     f->hold.until_ms - now);
}

void hold_set_init(struct flow_set *s, uint32_t partial_ms, uint32_t silent_ms)
{
	const uint32_t timeouts[HOLD__KINDS] = {
		[HOLD_PARTIAL] = partial_ms,
		[HOLD_SILENT] = silent_ms,
	};

	for (size_t i = 0; i < HOLD__KINDS; i++) {
		struct hold_queue *q = &s->held[i];

		TAILQ_INIT(&q->flows);
		q->timer.fn = expire;
		q->timer.arg = q;
		q->set = s;
		q->kind = (enum hold_kind)i;
		q->timeout_ms = timeouts[i];
	}
}

void hold_set_done(struct flow_set *s)
{
	for (size_t i = 0; s->loop && i < HOLD__KINDS; i++)
		loop_timer_stop(s->loop, &s->held[i].timer);
	free(s->peeked);
	s->peeked = NULL;
}

static void leave_queue(struct flow *f)
{
	struct hold_queue *q;

	if (f->hold.kind == HOLD_NONE)
		return;
	q = &f->set->held[f->hold.kind];
	TAILQ_REMOVE(&q->flows, f, hold.link);
	f->hold.kind = HOLD_NONE;
	if (TAILQ_EMPTY(&q->flows))
		loop_timer_stop(f->set->loop, &q->timer);
}

/* The time runs from the first byte that is held. */
static int enter_queue(struct flow *f, enum hold_kind kind)
{
	struct hold_queue *q = &f->set->held[kind];
	int rc;

	if (f->hold.kind == kind)
		return 0;
	leave_queue(f);
	if (!q->timer.slot) {
		rc = loop_timer_arm(f->set->loop, &q->timer, q->timeout_ms);
		if (rc < 0)
			return rc;
	}
	f->hold.kind = kind;
	f->hold.until_ms = loop_now_ms(f->set->loop) + q->timeout_ms;
	TAILQ_INSERT_TAIL(&q->flows, f, hold.link);
	return 0;
}

int hold_start(struct flow *f, const struct inspect_target *t)
{
	f->hold = (struct hold) { .kind = HOLD_NONE };
	if (inspect_is_needless(t))
		return 0;
	if (!f->set->peeked)
		f->set->peeked = malloc(INSPECT_HELD_MAX);
	if (f->set->peeked)
		f->hold.inspect = inspect_new(t);
	if (!f->hold.inspect)
		return -ENOMEM;
	return inspect_needs_client(f->hold.inspect)
		       ? enter_queue(f, HOLD_SILENT)
		       : 0;
}

void hold_release(struct flow *f)
{
	leave_queue(f);
	inspect_free(f->hold.inspect);
	f->hold.inspect = NULL;
}

void hold_done(struct flow *f)
{
	hold_release(f);
	free(f->hold.refusal);
	f->hold.refusal = NULL;
}

/* False if there are fewer bytes than would change anything. */
static bool has_enough(const struct flow *f, int fd)
{
	ssize_t n;

	if (f->hold.want == 0 || f->side[FLOW_CLIENT].ended)
		return true;
	/* Counts without copying. */
	n = recv(fd, NULL, INSPECT_HELD_MAX,
		 MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	return n <= 0 || (size_t)n >= f->hold.want;
}

static int refuse(struct flow *f, const struct inspect_verdict *v)
{
	f->hold.refusal = malloc(sizeof(*v));
	if (f->hold.refusal)
		*f->hold.refusal = *v;
	return -ECANCELED;
}

/* What the verdict means for the len bytes that are there. */
static int apply(struct flow *f, const struct inspect_verdict *v)
{
	f->hold.want = 0;
	switch (v->action) {
	case INSPECT_MORE:
		f->hold.want = v->want;
		f->side[FLOW_CLIENT].readable = false;
		return enter_queue(f, HOLD_PARTIAL);
	case INSPECT_GRANT:
		leave_queue(f);
		f->hold.granted = v->grant;
		return 1;
	case INSPECT_PASS:
		hold_release(f);
		return 1;
	case INSPECT_REFUSE:
		break;
	}
	return refuse(f, v);
}

static int look(struct flow *f)
{
	struct flow_side *side = &f->side[FLOW_CLIENT];
	struct inspect_verdict v;
	ssize_t n;

	if (!has_enough(f, side->source.fd)) {
		side->readable = false;
		return 0;
	}
	n = recv(side->source.fd, f->set->peeked, INSPECT_HELD_MAX,
		 MSG_PEEK | MSG_DONTWAIT);
	if (n > 0) {
		inspect_client(f->hold.inspect, f->set->peeked, (size_t)n,
			       side->ended, &v);
		return apply(f, &v);
	}
	if (n < 0 && errno == EAGAIN) {
		side->readable = false;
		return 0;
	}
	if (n < 0 && !f->set->finishing)
		return -errno;
	f->dir[FLOW_CLIENT].state = FLOW_DIR_ENDING;
	return 0;
}

int hold_client(struct flow *f, size_t *ret_max)
{
	if (f->hold.granted == 0) {
		int rc = look(f);

		if (rc <= 0)
			return rc;
	}
	if (f->hold.inspect && f->hold.granted < *ret_max)
		*ret_max = (size_t)f->hold.granted;
	return 1;
}

/* EPOLL_CTL_MOD reports what the client has sent once more. */
static int look_again(struct flow *f)
{
	f->hold.want = 0;
	f->side[FLOW_CLIENT].readable = true;
	return flow_wake(f, FLOW_CLIENT);
}

static int show(struct flow *f, size_t n)
{
	bool is_holding = f->hold.kind == HOLD_PARTIAL;

	switch (inspect_server(f->hold.inspect, f->set->peeked, n)) {
	case INSPECT_NOTHING:
		return 0;
	case INSPECT_OVER:
		hold_release(f);
		break;
	case INSPECT_AGAIN:
		break;
	}
	return is_holding ? look_again(f) : 0;
}

int hold_server(struct flow *f, size_t *ret_max)
{
	struct flow_side *side = &f->side[FLOW_FAR];
	ssize_t n;
	int rc;

	if (f->hold.shown == 0) {
		if (!inspect_watches_server(f->hold.inspect))
			return 1;
		n = recv(side->source.fd, f->set->peeked, SERVER_BYTES,
			 MSG_PEEK | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			if (f->dir[FLOW_FAR].in_pipe == 0)
				side->readable = false;
			return 0;
		}
		if (n < 0)
			return -errno; /* told once, so not by the splice */
		if (n == 0)
			return 1;
		f->hold.shown = (size_t)n;
		rc = show(f, (size_t)n);
		if (rc < 0)
			return rc;
	}
	*ret_max = f->hold.shown;
	return 1;
}

void hold_taken(struct flow *f, bool from_client, size_t n)
{
	if (from_client)
		f->hold.granted -= f->hold.granted < n ? f->hold.granted : n;
	else
		f->hold.shown -= f->hold.shown < n ? f->hold.shown : n;
}
