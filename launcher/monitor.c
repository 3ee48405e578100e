/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "launcher/cage.h"
#include "launcher/filewatch.h"
#include "launcher/gatekeeper.h"
#include "launcher/limits.h"
#include "launcher/report.h"
#include "launcher/terminal.h"

struct monitor {
	struct monitor_config cfg;
	struct loop *loop;
	struct gatekeeper *gatekeeper;
	struct loop_source init_channel;
	struct loop_source init_exit;
	struct loop_source signals;
	int signal_fd;
	int status;	/* exit status so far */
	int stopped;	/* signal that stopped the command, to be acted on */
	bool finishing; /* the command has ended */
};

static const int handled[] = { SIGHUP,	SIGINT,	 SIGQUIT,  SIGTERM, SIGUSR1,
			       SIGUSR2, SIGTSTP, SIGWINCH, SIGCONT };

void monitor_signals(sigset_t *ret)
{
	(void)sigemptyset(ret);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		(void)sigaddset(ret, handled[i]);
}

/* The cage is of no use any more: all inside is killed, then the network side
 * delivers what is under way. */
static void finish(struct monitor *m)
{
	if (m->finishing)
		return;
	m->finishing = true;
	loop_remove(m->loop, &m->init_channel);
	loop_remove(m->loop, &m->init_exit);
	(void)kill(m->cfg.cage->init_pid, SIGKILL);
	terminal_done(m->cfg.terminal);
	gatekeeper_finish(m->gatekeeper);
}

static void fail(struct monitor *m, const char *text)
{
	log_error("%s", text);
	m->status = EXIT_FAILED;
	finish(m);
}

/* The kernel takes init along when the command has used up its memory; that is
 * said at the end, and is a death of the command. */
static void init_died(struct monitor *m)
{
	if (!limits_ran_out(m->cfg.limits)) {
		fail(m, "the sandbox's init died; the command was killed with "
			"it");
		return;
	}
	m->status = 128 + SIGKILL;
	finish(m);
}

static void on_left_open(void *arg, const char *text)
{
	struct monitor *m = arg;

	if (!m->finishing)
		fail(m, text);
}

static void on_fatal(void *arg, const struct err *e)
{
	struct monitor *m = arg;

	log_error("%s", e->msg);
	m->status = EXIT_FAILED;
	/* Without its helper the network side has nothing to deliver. */
	m->finishing = true;
	(void)kill(m->cfg.cage->init_pid, SIGKILL);
	terminal_done(m->cfg.terminal);
	loop_stop(m->loop);
}

static void on_finished(void *arg)
{
	struct monitor *m = arg;

	loop_stop(m->loop);
}

static void signal_command(struct monitor *m, int sig, bool to_group)
{
	(void)cage_send(m->cfg.cage->init_channel, CAGE_MSG_SIGNAL, sig,
			to_group);
}

/* We were continued, or need not have stopped. */
static void resume(struct monitor *m)
{
	if (m->cfg.terminal->wanted)
		(void)terminal_give(m->cfg.terminal);
	signal_command(m, SIGCONT, true);
}

/* The command stopped: so do we, for the shell that waits for us. */
static void command_stopped(struct monitor *m, int sig)
{
	struct terminal *t = m->cfg.terminal;

	/* It wants the terminal, and we have it to give. */
	if ((sig == SIGTTIN || sig == SIGTTOU) && terminal_give(t)) {
		signal_command(m, SIGCONT, true);
		return;
	}
	/* Nobody could continue us: outside a session with a terminal these
	 * signals would not have stopped the command either. */
	if (!t->present && sig != SIGSTOP) {
		signal_command(m, SIGCONT, true);
		return;
	}
	terminal_take_back(t);
	(void)raise(SIGSTOP);
	/* Continued; SIGCONT is pending in the signalfd and does the rest. */
}

static void command_exited(struct monitor *m, int wait_status)
{
	m->status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
					     : WEXITSTATUS(wait_status);
	finish(m);
}

static void take_init_message(struct monitor *m, const struct cage_msg *msg,
			      pid_t sender)
{
	switch (msg->type) {
	case CAGE_MSG_STARTED:
		m->cfg.terminal->command = sender;
		break;
	case CAGE_MSG_EXEC_FAILED:
		log_error("cannot execute '%s': %s", m->cfg.command[0],
			  msg->value == ENOENT && m->cfg.hint
				  ? m->cfg.hint
				  : strerror(msg->value));
		break;
	case CAGE_MSG_STOPPED:
		m->stopped = msg->value;
		break;
	case CAGE_MSG_EXITED:
		command_exited(m, msg->value);
		break;
	case CAGE_MSG_ERROR:
		fail(m, msg->text);
		break;
	default:
		fail(m, "init broke the protocol");
	}
}

static void on_init_message(void *arg, uint32_t events)
{
	struct monitor *m = arg;
	struct cage_msg msg;
	pid_t sender;

	(void)events;
	while (!m->finishing) {
		ssize_t n = ipc_recv(m->cfg.cage->init_channel, &msg,
				     sizeof(msg), NULL, NULL, &sender, false);

		if (n == -EAGAIN)
			break;
		if (n != sizeof(msg)) {
			init_died(m);
			return;
		}
		msg.text[sizeof(msg.text) - 1] = '\0';
		take_init_message(m, &msg, sender);
	}
	/* Of several stops in the queue only the last is news. */
	if (m->stopped && !m->finishing)
		command_stopped(m, m->stopped);
	m->stopped = 0;
}

static void on_init_exit(void *arg, uint32_t events)
{
	struct monitor *m = arg;

	on_init_message(m, events);
	if (!m->finishing)
		init_died(m);
}

static void take_signal(struct monitor *m, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;

	if (m->finishing) {
		/* Impatience while the last bytes are delivered. */
		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			loop_stop(m->loop);
		return;
	}
	if (sig == SIGCONT) {
		resume(m);
		return;
	}
	/* From the keyboard it is for the whole foreground, which the command
	 * is not part of now; otherwise it is for the command alone. */
	signal_command(m, sig, info->ssi_code == SI_KERNEL);
}

static void on_signal(void *arg, uint32_t events)
{
	struct monitor *m = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(m->signal_fd, &info, sizeof(info)) == sizeof(info))
		take_signal(m, &info);
}

static int watch(struct monitor *m, struct err *e)
{
	const struct cage *c = m->cfg.cage;
	sigset_t set;
	int rc;

	monitor_signals(&set);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signal_fd < 0)
		return err_errno(e, errno, "signalfd");
	rc = loop_add(m->loop, &m->signals, m->signal_fd, EPOLLIN, on_signal,
		      m);
	if (rc == 0)
		rc = loop_add(m->loop, &m->init_channel, c->init_channel,
			      EPOLLIN, on_init_message, m);
	if (rc == 0)
		rc = loop_add(m->loop, &m->init_exit, c->init_pidfd, EPOLLIN,
			      on_init_exit, m);
	return rc < 0 ? err_errno(e, -rc, "watch the sandbox") : 0;
}

static int start(struct monitor *m, struct err *e)
{
	const struct gatekeeper_config gatekeeper = {
		.loop = m->loop,
		.cage = m->cfg.cage,
		.allow = m->cfg.allow,
		.open = m->cfg.open,
		.listen = m->cfg.listen,
		.proxy = m->cfg.proxy,
		.grace_sec = m->cfg.grace_sec,
		.verify = m->cfg.verify,
		.log_all = m->cfg.log_all,
		.report = m->cfg.report,
		.fatal = on_fatal,
		.finished = on_finished,
		.arg = m,
	};
	int rc =
		filewatch_settle(m->cfg.files, m->cfg.cage, on_left_open, m, e);

	if (rc == 0)
		rc = gatekeeper_start(&m->gatekeeper, &gatekeeper, e);
	if (rc == 0)
		rc = watch(m, e);
	if (rc == 0)
		rc = cage_go(m->cfg.cage, e);
	return rc;
}

int monitor_run(const struct monitor_config *c, int *ret_status, struct err *e)
{
	struct monitor m = { .cfg = *c,
			     .loop = c->loop,
			     .signal_fd = -1,
			     .init_channel = LOOP_SOURCE_NONE,
			     .init_exit = LOOP_SOURCE_NONE,
			     .signals = LOOP_SOURCE_NONE,
			     .status = EXIT_FAILED };
	int rc = start(&m, e);

	if (rc < 0) {
		cage_prefer_init_error(c->cage, e);
	} else {
		report_start(c->report, c->command);
		rc = loop_run(m.loop);
		if (rc < 0)
			(void)err_errno(e, -rc, "event loop");
	}
	gatekeeper_free(m.gatekeeper);
	cage_destroy(c->cage);
	filewatch_finish(c->files);
	fd_close(&m.signal_fd);
	if (rc < 0) {
		terminal_done(c->terminal);
		return rc;
	}
	report_end(c->report, m.status);
	*ret_status = m.status;
	return 0;
}
