/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "common/log.h"

/* More deaths than this within the window end the run. */
#define RESTARTS_MAX	  8
#define RESTART_WINDOW_MS 10000

static void on_channel(void *arg, uint32_t events)
{
	struct watched *w = arg;

	(void)events;
	w->on_message(w->owner);
}

static void on_desk(void *arg, uint32_t events)
{
	struct watched *w = arg;

	(void)events;
	w->on_desk(w->owner);
}

static void on_exit_fd(void *arg, uint32_t events)
{
	struct watched *w = arg;
	pid_t pid = w->helper.pid;

	(void)events;
	/* What it said last comes first; that may end it, and start it. */
	w->on_message(w->owner);
	if (w->helper.pid == pid)
		watched_ended(w);
}

int watched_start(struct watched *w, struct err *e)
{
	int rc = helper_start(&w->helper, e);

	w->channel = LOOP_SOURCE_NONE;
	w->desk = LOOP_SOURCE_NONE;
	w->exit = LOOP_SOURCE_NONE;
	if (rc < 0)
		return rc;
	rc = loop_add(w->loop, &w->channel, w->helper.channel, EPOLLIN,
		      on_channel, w);
	if (rc == 0 && w->on_desk)
		rc = loop_add(w->loop, &w->desk, w->helper.desk, EPOLLIN,
			      on_desk, w);
	if (rc == 0)
		rc = loop_add(w->loop, &w->exit, w->helper.pidfd, EPOLLIN,
			      on_exit_fd, w);
	if (rc < 0)
		return err_errno(e, -rc, "watch the %s process",
				 w->helper.name);
	return w->on_start ? w->on_start(w->owner, e) : 0;
}

bool watched_is_running(const struct watched *w)
{
	return w->helper.pid > 0;
}

static int end(struct watched *w)
{
	loop_remove(w->loop, &w->channel);
	loop_remove(w->loop, &w->desk);
	loop_remove(w->loop, &w->exit);
	return helper_stop(&w->helper);
}

void watched_ended(struct watched *w)
{
	uint64_t now = loop_now_ms(w->loop);
	struct err e = { 0 };
	int status = end(w);

	w->on_death(w->owner);
	if (w->ending)
		return;
	if (now - w->window_ms > RESTART_WINDOW_MS) {
		w->window_ms = now;
		w->n_deaths = 0;
	}
	log_warning("the %s process ended (%s %d); starting it again",
		    w->helper.name, WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
	if (++w->n_deaths > RESTARTS_MAX)
		(void)err_set(&e, ECHILD, "the %s process keeps dying",
			      w->helper.name);
	else if (watched_start(w, &e) == 0)
		return;
	w->on_fatal(w->owner, &e);
}

void watched_distrust(struct watched *w)
{
	log_warning("the %s process broke the protocol", w->helper.name);
	watched_ended(w);
}

void watched_stop(struct watched *w)
{
	w->ending = true;
	(void)end(w);
}
