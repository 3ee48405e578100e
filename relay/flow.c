/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation.
 *
 * A flow has two sides (sockets) and two directions (up: from the command).
 * Bytes go socket -> pipe -> socket by splice(2) and are never copied.  A
 * direction holds a pipe only while bytes are in it, so an idle flow is two
 * descriptors and this struct.
 *
 * Each socket is in epoll once, edge-triggered, for everything.  An event sets
 * readable or writable of its side; EAGAIN clears it.  Whoever leaves a flow
 * with bytes to move and neither flag cleared must ask for another event
 * (yield()); nothing else wakes an edge-triggered socket.
 *
 * State of a direction and what may be done to it:
 *
 *	         fill (source -> pipe)   drain (pipe -> target)   next state
 *	OPEN     if the target is        while bytes are in       ENDING, at end
 *	         writable, so at most    the pipe                 of file
 *	         a pipe is buffered
 *	ENDING   no                      likewise                 DONE, when the
 *	                                                          pipe is empty:
 *	                                                          shutdown(target)
 *	DONE     no                      no
 *
 * Ends of a flow:
 *	both directions DONE            EOF: close both
 *	a splice fails, or EPOLLERR     RESET or ERROR: RST on both sides. Bytes
 *	                                that arrived before the RST are moved
 *	                                first if the other side takes them
 *	the name check refuses          REFUSED: RST on both sides (hold.h)
 *	after flow_set_finish()         up DONE: FINISH.  The command is gone,
 *so down is no longer served, and a failing client side counts as end of file
 *
 * EAGAIN from a fill is ambiguous while the pipe holds bytes (socket empty or
 * pipe out of slots), so it clears readable only when the pipe is empty.
 */
#include "relay/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/log.h"
#include "relay/socket.h"

#define EVENTS	      (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define URGENT_BYTES  4096 /* an empty pipe takes as much */
#define SPLICE_MAX    (1U << 20)
#define TURN_BYTES    (1U << 20) /* per direction, then others have a turn */
#define PIPE_RETRY_MS 20
#define DISCARD_MAX   (64U << 20) /* larger than any receive buffer */
#define SPLICE_FLAGS  (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

enum pump {
	PUMP_WAITS,   /* for an event */
	PUMP_MORE,    /* turn is over, bytes may be left */
	PUMP_STARVED, /* no pipe to be had */
};

static enum flow_side_id other(enum flow_side_id side)
{
	return side == FLOW_CLIENT ? FLOW_FAR : FLOW_CLIENT;
}

static enum relay_end end_of_errno(int errnum)
{
	if (errnum == ECANCELED)
		return RELAY_END_REFUSED; /* hold.c */
	return errnum == ECONNRESET || errnum == EPIPE ? RELAY_END_RESET
						       : RELAY_END_ERROR;
}

int flow_wake(struct flow *f, enum flow_side_id id)
{
	return loop_modify(f->set->loop, &f->side[id].source, EVENTS);
}

static void on_side_event(struct flow *f, enum flow_side_id id, uint32_t events)
{
	struct flow_side *s = &f->side[id];

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->readable = true;
	if (events & EPOLLPRI)
		s->urgent = true;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		s->ended = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		s->writable = true;
	if (events & EPOLLERR)
		s->failed = true;
	flow_run(f);
}

static void on_client(void *arg, uint32_t events)
{
	on_side_event(arg, FLOW_CLIENT, events);
}

static void on_far(void *arg, uint32_t events)
{
	on_side_event(arg, FLOW_FAR, events);
}

static void retry_starved(void *arg)
{
	struct flow_set *s = arg;
	struct flow *last = TAILQ_LAST(&s->starved, flow_list);
	struct flow *f;

	/* Those that fail again are put behind the last. */
	while ((f = TAILQ_FIRST(&s->starved))) {
		bool is_last = f == last;

		TAILQ_REMOVE(&s->starved, f, starved_link);
		f->starved = false;
		flow_run(f);
		if (is_last)
			break;
	}
}

void flow_set_init(struct flow_set *s, struct loop *loop, flow_ended_fn *ended,
		   void *arg)
{
	*s = (struct flow_set) {
		.loop = loop,
		.retry = { .fn = retry_starved, .arg = s },
		.ended = ended,
		.arg = arg,
	};
	TAILQ_INIT(&s->starved);
}

void flow_set_done(struct flow_set *s)
{
	if (s->loop)
		loop_timer_stop(s->loop, &s->retry);
	hold_set_done(s);
	pipes_trim(&s->pipes);
}

void flow_set_finish(struct flow_set *s)
{
	s->finishing = true;
	s->moved_ms = loop_now_ms(s->loop);
}

int flow_open(struct flow *f, struct flow_set *s, int client, int far,
	      const struct inspect_target *t)
{
	int r;

	*f = (struct flow) {
		.set = s,
		.side = { { .source = { .fd = client } },
			  { .source = { .fd = far } } },
		.dir = { { .pipe = PIPE_NONE }, { .pipe = PIPE_NONE } },
	};
	r = hold_start(f, t);
	if (r == 0)
		r = loop_add(s->loop, &f->side[FLOW_CLIENT].source, client,
			     EVENTS, on_client, f);
	if (r == 0)
		r = loop_add(s->loop, &f->side[FLOW_FAR].source, far, EVENTS,
			     on_far, f);
	if (r < 0)
		flow_close(f, RELAY_END_ERROR);
	return r;
}

/* Unread bytes would turn the close into a RST and drop the send queue. */
static void discard_input(int fd)
{
	for (size_t total = 0; total < DISCARD_MAX;) {
		ssize_t n =
			recv(fd, NULL, SPLICE_MAX, MSG_TRUNC | MSG_DONTWAIT);

		if (n <= 0)
			return;
		total += (size_t)n;
	}
}

void flow_close(struct flow *f, enum relay_end end)
{
	bool is_orderly = end == RELAY_END_EOF || end == RELAY_END_FINISH;

	if (f->starved) {
		TAILQ_REMOVE(&f->set->starved, f, starved_link);
		f->starved = false;
	}
	hold_release(f);
	for (enum flow_side_id id = 0; id < FLOW__SIDES; id++) {
		int fd = f->side[id].source.fd;

		if (fd < 0)
			continue;
		loop_remove(f->set->loop, &f->side[id].source);
		/* A side that has not been sent FIN gets RST: what it has
		 * received is not all. */
		if (is_orderly && f->dir[other(id)].state == FLOW_DIR_DONE) {
			if (end == RELAY_END_FINISH)
				discard_input(fd);
			socket_close_orderly(&fd);
		} else {
			fd_close(&fd);
		}
		pipe_discard(&f->dir[id].pipe);
	}
}

void flow_give_up(struct flow *f, enum relay_end end)
{
	flow_close(f, end);
	f->set->ended(f, end, f->set->arg);
}

static int take_pipe(struct flow_set *s, struct flow_dir *d)
{
	int r = pipes_take(&s->pipes, &d->pipe);

	if (r < 0 && !s->warned)
		log_warning("relay: no pipe: %s; connections wait",
			    strerror(-r));
	s->warned = r < 0;
	return r;
}

/* splice(2) stops in front of TCP urgent data for good, and takes a FIN behind
 * it for the end; reading gets past it.
 * SO_OOBINLINE is set, so the byte stays in its place, no longer urgent.
 * Returns the number of bytes now in the pipe, which was empty, 0 at end of
 * file, or -1 with errno. */
static ssize_t read_urgent(const struct flow_side *src,
			   const struct flow_dir *d, size_t max)
{
	char buf[URGENT_BYTES];
	ssize_t n = recv(src->source.fd, buf,
			 max < sizeof(buf) ? max : sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return n;
	return write(d->pipe.wr, buf, (size_t)n) == n ? n : -1;
}

/* Returns 0 or -errno; a full pipe and an empty socket are 0. */
static int fill(struct flow *f, enum flow_side_id from)
{
	struct flow_dir *d = &f->dir[from];
	struct flow_side *src = &f->side[from];
	size_t max = SPLICE_MAX;
	ssize_t n;

	if (f->hold.inspect) {
		int r = from == FLOW_CLIENT ? hold_client(f, &max)
					    : hold_server(f, &max);

		if (r <= 0)
			return r;
	}
	n = splice(src->source.fd, NULL, d->pipe.wr, NULL, max, SPLICE_FLAGS);
	/* The FIN may be seen before EPOLLPRI. */
	if (n == 0 || (n < 0 && errno == EAGAIN && src->urgent)) {
		if (d->in_pipe > 0)
			return 0; /* drained first, then here again */
		n = read_urgent(src, d, max);
		src->urgent = n > 0;
	}
	if (n > 0) {
		d->in_pipe += (uint32_t)n;
		hold_taken(f, from == FLOW_CLIENT, (size_t)n);
		return 0;
	}
	if (n < 0 && errno == EAGAIN) {
		if (d->in_pipe == 0)
			src->readable = false;
		return 0;
	}
	if (n < 0 && !(f->set->finishing && from == FLOW_CLIENT))
		return -errno;
	d->state = FLOW_DIR_ENDING;
	return 0;
}

/* Returns the number of bytes moved, 0 if the target is full, or -errno. */
static ssize_t drain(struct flow *f, enum flow_side_id from)
{
	struct flow_dir *d = &f->dir[from];
	struct flow_side *dst = &f->side[other(from)];
	ssize_t n = splice(d->pipe.rd, NULL, dst->source.fd, NULL, d->in_pipe,
			   SPLICE_FLAGS);

	if (n < 0 && errno == EAGAIN) {
		dst->writable = false;
		return 0;
	}
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	d->in_pipe -= (uint32_t)n;
	d->bytes += (uint64_t)n;
	if (f->set->finishing && from == FLOW_CLIENT)
		f->set->moved_ms = loop_now_ms(f->set->loop);
	return n;
}

/* Returns an enum pump or -errno. */
static int move(struct flow *f, enum flow_side_id from)
{
	struct flow_dir *d = &f->dir[from];
	struct flow_side *src = &f->side[from];
	struct flow_side *dst = &f->side[other(from)];
	size_t moved = 0;

	while (dst->writable) {
		ssize_t n;

		if (d->state == FLOW_DIR_OPEN && src->readable) {
			int r;

			if (d->pipe.rd < 0 && take_pipe(f->set, d) < 0)
				return PUMP_STARVED;
			r = fill(f, from);
			if (r < 0)
				return r;
		}
		if (d->in_pipe == 0)
			return PUMP_WAITS;
		n = drain(f, from);
		if (n < 0)
			return (int)n;
		moved += (size_t)n;
		if (moved >= TURN_BYTES)
			return PUMP_MORE;
	}
	return PUMP_WAITS;
}

/* move(), then what follows from an empty pipe. */
static int pump(struct flow *f, enum flow_side_id from)
{
	struct flow_dir *d = &f->dir[from];
	int r;

	if (d->state == FLOW_DIR_DONE)
		return PUMP_WAITS;
	r = move(f, from);
	if (r < 0 || d->in_pipe > 0)
		return r;
	if (d->pipe.rd >= 0)
		pipes_give(&f->set->pipes, &d->pipe);
	if (d->state == FLOW_DIR_ENDING) {
		/* Fails only on a socket whose error is about to be seen. */
		(void)shutdown(f->side[other(from)].source.fd, SHUT_WR);
		d->state = FLOW_DIR_DONE;
		return PUMP_WAITS;
	}
	return r;
}

/*
 * EPOLL_CTL_MOD reports the present state anew, behind the events that are
 * already queued, so others have their turn.  The target is the side to ask:
 * it is writable now or tcp_poll() arranges for an event when it is.
 */
static int yield(struct flow *f, enum flow_side_id from)
{
	return flow_wake(f, other(from));
}

static int starve(struct flow *f)
{
	struct flow_set *s = f->set;

	if (!f->starved) {
		f->starved = true;
		TAILQ_INSERT_TAIL(&s->starved, f, starved_link);
	}
	return s->retry.slot
		       ? 0
		       : loop_timer_arm(s->loop, &s->retry, PIPE_RETRY_MS);
}

/* Returns 0 or the -errno that has broken a side. */
static int check_failed(struct flow *f, enum flow_side_id id)
{
	struct flow_side *s = &f->side[id];
	int code = 0;
	socklen_t len = sizeof(code);

	if (!s->failed || (id == FLOW_CLIENT && f->set->finishing))
		return 0;
	s->failed = false;
	if (getsockopt(s->source.fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return -errno;
	return -code;
}

static int run_direction(struct flow *f, enum flow_side_id from)
{
	int r = pump(f, from);

	if (r == PUMP_MORE)
		return yield(f, from);
	if (r == PUMP_STARVED)
		r = starve(f);
	/* Only now: the bytes before a RST have been moved, or cannot be. */
	return r < 0 ? r : check_failed(f, from);
}

void flow_run(struct flow *f)
{
	bool up_done;
	int r = run_direction(f, FLOW_CLIENT);

	if (r == 0 && !f->set->finishing)
		r = run_direction(f, FLOW_FAR);
	else if (r == 0)
		r = check_failed(f, FLOW_FAR);
	if (r < 0) {
		flow_give_up(f, end_of_errno(-r));
		return;
	}
	up_done = f->dir[FLOW_CLIENT].state == FLOW_DIR_DONE;
	if (up_done && f->dir[FLOW_FAR].state == FLOW_DIR_DONE)
		flow_give_up(f, RELAY_END_EOF);
	else if (up_done && f->set->finishing)
		flow_give_up(f, RELAY_END_FINISH);
}
