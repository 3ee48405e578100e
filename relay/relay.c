/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start, pause, finish and end of the relay process.
 *
 * A relay that ends for whatever reason, SIGKILL included, resets what is
 * open (see socket_prepare()); only flow.c closes a connection with FIN.
 */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "common/fd.h"
#include "common/log.h"
#include "relay/internal.h"

#define CONNS_MAX 65536
#define RESUME_MS 100

void relay_stop(struct relay *r, int status)
{
	if (!r->stopped)
		r->status = status;
	r->stopped = true;
	loop_stop(r->loop);
}

static void arm(struct relay *r, struct loop_timer *t, uint64_t delay_ms)
{
	int rc = loop_timer_arm(r->loop, t, delay_ms);

	if (rc < 0) {
		log_error("relay: timer: %s", strerror(-rc));
		relay_stop(r, 1);
	}
}

static void watch(struct relay *r, struct relay_watch *w, uint32_t events)
{
	int rc;

	if (w->source.fd < 0 || w->events == events)
		return;
	w->events = events;
	rc = loop_modify(r->loop, &w->source, events);
	if (rc < 0) {
		log_error("relay: epoll: %s", strerror(-rc));
		relay_stop(r, 1);
	}
}

bool relay_is_full(const struct relay *r)
{
	return r->n_conns >= r->max_conns;
}

bool relay_may_accept(const struct relay *r)
{
	return !r->paused &&
	       (!relay_is_full(r) || !TAILQ_EMPTY(&r->waiting.by_age));
}

void relay_update_watches(struct relay *r)
{
	bool may_read = !r->paused && !relay_is_full(r);

	if (relay_is_full(r) && !r->warned) {
		log_warning("relay: %zu connections are open; more must wait",
			    r->n_conns);
		r->warned = true;
	}
	watch(r, &r->channel,
	      (may_read ? EPOLLIN : 0) | (r->channel_full ? EPOLLOUT : 0));
	for (size_t i = 0; i < RELAY_LISTENERS; i++)
		watch(r, &r->listeners[i], relay_may_accept(r) ? EPOLLIN : 0);
}

void relay_pause(struct relay *r, int errnum)
{
	if (!r->warned)
		log_warning("relay: %s; new connections wait",
			    strerror(errnum));
	r->warned = true;
	r->paused = true;
	pipes_trim(&r->flows.pipes);
	arm(r, &r->resume, RESUME_MS);
	relay_update_watches(r);
}

void relay_resume(struct relay *r)
{
	if (!r->paused)
		return;
	r->paused = false;
	loop_timer_stop(r->loop, &r->resume);
	relay_update_watches(r);
}

static void on_resume(void *arg)
{
	relay_resume(arg);
}

static void on_unclaimed(struct waiting *w, void *arg)
{
	conn_end(arg, conn_of_waiting(w), RELAY_END_UNCLAIMED);
}

static void on_flow_ended(struct flow *f, enum relay_end end, void *arg)
{
	struct relay *r = arg;
	struct conn *c = htab_entry(f, struct conn, flow);

	TAILQ_REMOVE(&r->open, c, link);
	conn_end(r, c, end);
}

static void on_udp_changed(void *arg)
{
	channel_flush(arg);
}

static void on_finish_timeout(void *arg)
{
	struct relay *r = arg;
	uint64_t idle_ms = loop_now_ms(r->loop) - r->flows.moved_ms;
	struct conn *c;

	if (TAILQ_EMPTY(&r->open)) {
		relay_stop(r, 0); /* the monitor does not take the reports */
		return;
	}
	if (idle_ms < r->config->finish_timeout_ms) {
		arm(r, &r->finish, r->config->finish_timeout_ms - idle_ms);
		return;
	}
	arm(r, &r->finish, r->config->finish_timeout_ms);
	while ((c = TAILQ_FIRST(&r->open))) {
		flow_close(&c->flow, RELAY_END_FINISH);
		on_flow_ended(&c->flow, RELAY_END_FINISH, r);
	}
}

void relay_settle(struct relay *r)
{
	struct waiting *w;
	struct conn *c;
	struct conn *next;

	relay_update_watches(r);
	if (!r->finish_asked || r->flows.finishing || r->stopped)
		return;
	for (size_t i = 0; i < RELAY_LISTENERS; i++)
		accept_finish(r, i);
	flow_set_finish(&r->flows);
	udpflows_finish(r->udp);
	arm(r, &r->finish, r->config->finish_timeout_ms);
	while ((w = waiting_take_first(&r->waiting)))
		on_unclaimed(w, r);
	for (c = TAILQ_FIRST(&r->open); c; c = next) {
		next = TAILQ_NEXT(c, link);
		flow_run(&c->flow);
	}
	channel_flush(r);
}

/*
 * Raises the limit and derives how many connections fit: two descriptors each,
 * and a quarter left for pipes.  The lowest free descriptor stands for the
 * number that the process holds already.
 */
static size_t max_conns(int any_fd)
{
	struct rlimit lim;
	int probe = fcntl(any_fd, F_DUPFD_CLOEXEC, 0);
	rlim_t n;

	if (probe < 0 || getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1;
	(void)close(probe);
	if (lim.rlim_cur < lim.rlim_max) {
		struct rlimit raised = { lim.rlim_max, lim.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			lim = raised;
	}
	n = lim.rlim_cur > (rlim_t)probe
		    ? (lim.rlim_cur - (rlim_t)probe) / 8 * 3
		    : 0;
	return n < 1 ? 1 : n < CONNS_MAX ? n : CONNS_MAX;
}

/* Beside connections, which leave a quarter of the descriptors. */
static int start_udp(struct relay *r, struct err *e)
{
	struct udpflows_config c = { .loop = r->loop,
				     .relay = r->config,
				     .max_flows = r->max_conns / 3 + 1,
				     .changed = on_udp_changed,
				     .arg = r };

	if (c.max_flows > UDP_FLOWS_MAX)
		c.max_flows = UDP_FLOWS_MAX;
	return udpflows_new(&r->udp, &c, e);
}

static int start(struct relay *r, struct err *e)
{
	const struct relay_config *c = r->config;
	int rc = loop_new(&r->loop, e);

	if (rc < 0)
		return rc;
	flow_set_init(&r->flows, r->loop, on_flow_ended, r);
	hold_set_init(&r->flows, c->partial_timeout_ms, c->silent_timeout_ms);
	rc = waiting_init(&r->waiting, r->loop, c->claim_timeout_ms,
			  on_unclaimed, r);
	if (rc < 0)
		return err_errno(e, -rc, "table of connections");
	r->channel.events = EPOLLIN;
	rc = loop_add(r->loop, &r->channel.source, c->channel, EPOLLIN,
		      channel_event, r);
	if (rc < 0)
		return err_errno(e, -rc, "channel");
	for (size_t i = 0; rc == 0 && i < RELAY_LISTENERS; i++)
		rc = accept_start(r, i, c->listeners[i]);
	if (rc < 0)
		return err_errno(e, -rc, "listener");
	rc = start_udp(r, e);
	if (rc < 0)
		return rc;
	rc = channel_send_ready(r);
	/* A monitor that is gone needs no word. */
	if (rc < 0 && rc != -EPIPE)
		return err_errno(e, -rc, "report to the monitor");
	return rc;
}

/* Also for a relay that start() has left half made. */
static void done(struct relay *r)
{
	struct conn *c;

	if (r->waiting.loop) {
		struct waiting *w;

		while ((w = waiting_take_first(&r->waiting))) {
			c = conn_of_waiting(w);
			fd_close(&c->far);
			free(c);
		}
		waiting_done(&r->waiting);
	}
	while ((c = TAILQ_FIRST(&r->open))) {
		TAILQ_REMOVE(&r->open, c, link);
		flow_close(&c->flow, RELAY_END_RESET);
		hold_done(&c->flow);
		free(c);
	}
	while ((c = TAILQ_FIRST(&r->ended))) {
		TAILQ_REMOVE(&r->ended, c, link);
		hold_done(&c->flow);
		free(c);
	}
	udpflows_free(r->udp);
	flow_set_done(&r->flows);
	loop_free(r->loop);
}

int relay_main(const struct relay_config *c)
{
	struct relay r = {
		.config = c,
		.channel = { .source = LOOP_SOURCE_NONE },
		.open = TAILQ_HEAD_INITIALIZER(r.open),
		.ended = TAILQ_HEAD_INITIALIZER(r.ended),
		.max_conns = max_conns(c->channel),
		.resume = { .fn = on_resume, .arg = &r },
		.finish = { .fn = on_finish_timeout, .arg = &r },
	};
	struct err e = { 0 };
	int rc;

	for (size_t i = 0; i < RELAY_LISTENERS; i++)
		r.listeners[i].source = LOOP_SOURCE_NONE;
	/* splice() to a socket whose peer is gone; EPIPE tells it as well. */
	(void)signal(SIGPIPE, SIG_IGN);
	rc = start(&r, &e);
	if (rc == 0) {
		rc = loop_run(r.loop);
		if (rc < 0)
			(void)err_errno(&e, -rc, "epoll_wait");
	}
	if (rc < 0) {
		if (e.msg[0])
			log_error("relay: %s", e.msg);
		r.status = 1;
	}
	done(&r);
	return r.status;
}
