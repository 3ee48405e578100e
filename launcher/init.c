/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pid 1 of the cage: finishes the cage from inside, gives up every privilege,
 * starts the command as its child, reaps, and reports to the monitor.  It is
 * under the same restrictions as the command.  When it ends, for whatever
 * reason, the kernel kills all that is left in the pid namespace.
 *
 * Signals from inside cannot touch it (pid 1 without handlers); PDEATHSIG and
 * the end of file on the channel bind it to the monitor.
 */
#include "launcher/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "fsrules/landlock.h"
#include "fsrules/mounts.h"
#include "launcher/privileges.h"
#include "launcher/userns.h"
#include "netns/link.h"
#include "netns/loopback.h"
#include "netns/sockets.h"

struct init {
	const struct cage_plan *plan;
	int channel;
	int signals;
	int start[2]; /* pipe: its end lets the command's process go on */
	pid_t command;
};

/* The namespaces' own name: the host's is nobody's business. */
static int set_hostname(struct err *e)
{
	if (sethostname(GENERATED_HOSTNAME, strlen(GENERATED_HOSTNAME)) < 0)
		return err_errno(e, errno, "sethostname");
	return 0;
}

/* For the monitor, which puts up again what is lost (fsrules/maskwatch.h). */
static int open_namespaces(int fds[static READY_FD__COUNT], struct err *e)
{
	fds[READY_FD_USERNS] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	fds[READY_FD_MNTNS] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	fds[READY_FD_NETNS] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fds[READY_FD_USERNS] < 0 || fds[READY_FD_MNTNS] < 0 ||
	    fds[READY_FD_NETNS] < 0)
		return err_errno(e, errno, "open the sandbox's namespaces");
	return 0;
}

/* Ports of the host's loopback; profiles/ports.h and netns/loopback.h do not
 * know each other. */
static int open_loopback(const struct ports *p, int fds[static READY_FD__COUNT],
			 struct err *e)
{
	cleanup_free struct loopback_range *ranges = NULL;
	struct loopback_fds got = { -1, -1, -1 };
	int rc;

	if (p->n == 0)
		return 0;
	ranges = calloc(p->n, sizeof(*ranges));
	if (!ranges)
		return err_errno(e, ENOMEM, "ports");
	for (size_t i = 0; i < p->n; i++)
		ranges[i] = (struct loopback_range) { p->ranges[i].first,
						      p->ranges[i].last };
	rc = loopback_open(ranges, p->n, &got, e);
	fds[READY_FD_LOOP_SYN] = got.syn;
	fds[READY_FD_LOOP_RELAY4] = got.relay4;
	fds[READY_FD_LOOP_RELAY6] = got.relay6;
	return rc;
}

static int build_inside(const struct init *in, int link_ready,
			int fds[static READY_FD__COUNT], struct err *e)
{
	const struct identity *id = in->plan->identity;
	char byte;
	int rc;

	if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "PR_SET_PDEATHSIG");
	rc = userns_map_self(id->uid, id->gid, e);
	if (rc < 0)
		return rc;
	rc = userns_private_mounts(e);
	if (rc < 0)
		return rc;
	/* While the old /proc is visible in full: the kernel refuses a fresh
	 * one otherwise. */
	rc = mounts_build(&in->plan->files->plan, e);
	if (rc == 0)
		rc = set_hostname(e);
	if (rc == 0)
		rc = open_namespaces(fds, e);
	if (rc == 0)
		rc = sockets_listen_dns("lo", &fds[READY_FD_DNS_UDP],
					&fds[READY_FD_DNS_TCP], e);
	if (rc < 0)
		return rc;
	rc = open_loopback(in->plan->open, fds, e);
	if (rc < 0)
		return rc;
	if (read(link_ready, &byte, 1) != 1)
		return err_set(e, EPIPE, "the gateway set-up failed");
	return link_setup_agent(e);
}

static int announce(const struct init *in, int fds[static READY_FD__COUNT])
{
	struct cage_msg m;
	size_t n = READY_FD__COUNT;
	int rc;

	memset(&m, 0, sizeof(m));
	m.type = CAGE_MSG_READY;
	while (n > READY_FD__ALWAYS && fds[n - 1] < 0)
		n--;
	rc = ipc_send(in->channel, &m, sizeof(m), fds, n, true);
	for (int i = 0; i < READY_FD__COUNT; i++)
		fd_close(&fds[i]);
	return rc;
}

/* Blocks until the monitor says GO; its end is the end of the cage. */
static void wait_for_go(const struct init *in)
{
	struct cage_msg m;

	if (ipc_recv(in->channel, &m, sizeof(m), NULL, NULL, NULL, true) !=
		    sizeof(m) ||
	    m.type != CAGE_MSG_GO)
		_exit(1);
}

/* The command's process: its own group, the terminal, nothing inherited. */
__attribute__((noreturn)) static void run_command(const struct init *in)
{
	char **argv = in->plan->command;
	struct err e = { 0 };
	char byte;
	int code;

	(void)setpgid(0, 0);
	/* SIGTTOU is still blocked, so that this works from the background. */
	if (in->plan->take_terminal)
		(void)tcsetpgrp(STDIN_FILENO, getpid());
	/* Until init has done its last step, which may fail. */
	(void)close(in->start[1]);
	code = read(in->start[0], &byte, 1) == 1 ? 0 : -EPIPE;
	if (code == 0)
		code = cage_send(in->channel, CAGE_MSG_STARTED, 0, false);
	if (code < 0) {
		(void)err_errno(&e, -code, "start the command's process");
		cage_report_error(in->channel, &e);
		_exit(125);
	}
	/* No handler is installed: what the caller ignores stays ignored
	 * (nohup, `cmd &`), all else has its default. */
	if (sigprocmask(SIG_SETMASK, &in->plan->command_mask, NULL) < 0) {
		(void)err_errno(&e, errno, "restore the signal mask");
		cage_report_error(in->channel, &e);
		_exit(125);
	}
	/* The channel is needed only if exec fails; nothing else of the
	 * caller's may reach the command. */
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
		(void)err_errno(&e, errno, "close inherited descriptors");
		cage_report_error(in->channel, &e);
		_exit(125);
	}
	/* PATH of our own environment finds the program. */
	(void)execvpe(argv[0], argv, in->plan->env->vars);
	code = errno;
	(void)cage_send(in->channel, CAGE_MSG_EXEC_FAILED, code, false);
	_exit(code == ENOENT || code == ENOTDIR ? 127 : 126);
}

static void forward_signal(const struct init *in, const struct cage_msg *m)
{
	if (m->value <= 0 || m->value >= NSIG)
		return;
	(void)kill(m->to_group ? -in->command : in->command, m->value);
}

/* Waits for room, unlike other reports: this one must arrive. */
static void report_exit(const struct init *in, int status)
{
	struct cage_msg m;

	memset(&m, 0, sizeof(m));
	m.type = CAGE_MSG_EXITED;
	m.value = status;
	(void)ipc_send(in->channel, &m, sizeof(m), NULL, 0, true);
}

/* Reaps everything; leaves when the command itself has ended. */
static void reap(const struct init *in)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != in->command)
			continue;
		if (WIFSTOPPED(status)) {
			(void)cage_send(in->channel, CAGE_MSG_STOPPED,
					WSTOPSIG(status), false);
			continue;
		}
		report_exit(in, status);
		_exit(0);
	}
}

__attribute__((noreturn)) static void supervise(const struct init *in)
{
	struct pollfd fds[2] = { { .fd = in->channel, .events = POLLIN },
				 { .fd = in->signals, .events = POLLIN } };

	for (;;) {
		struct signalfd_siginfo info;
		struct cage_msg m;
		ssize_t n;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (fds[1].revents &&
		    read(in->signals, &info, sizeof(info)) > 0)
			reap(in);
		if (!fds[0].revents)
			continue;
		n = ipc_recv(in->channel, &m, sizeof(m), NULL, NULL, NULL,
			     false);
		if (n == sizeof(m) && m.type == CAGE_MSG_SIGNAL)
			forward_signal(in, &m);
		else if (n != -EAGAIN)
			_exit(1);
	}
}

/* Nothing of pid 1 is of use to the command: no core, no ptrace, and only the
 * descriptors it works with.  MUST come before the command exists. */
static int shrink(const struct init *in, struct err *e)
{
	int keep[4] = { in->channel, in->signals, in->start[0], in->start[1] };

	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_NAME, "egress-init", 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "prctl");
	if (fd_close_others(keep, 4) < 0)
		return err_errno(e, errno, "close_range");
	return 0;
}

/* The terminal and the pipes are the command's alone, which now may start. */
static int leave_stdio(struct init *in, struct err *e)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_errno(e, errno, "open /dev/null");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return err_errno(e, errno, "dup2");
	if (write(in->start[1], "", 1) != 1)
		return err_errno(e, errno, "let the command start");
	fd_close(&in->start[0]);
	fd_close(&in->start[1]);
	return 0;
}

/* The order matters: the keyring call is filtered afterwards, Landlock and the
 * filter need no_new_privs, and Landlock's rules open paths. */
static int confine(const struct files *f, struct err *e)
{
	int rc = privileges_new_keyring(e);

	if (rc >= 0)
		rc = limits_apply_self(&f->limits, e);
	if (rc == 0)
		rc = f->calls.capabilities ? privileges_keep_namespace(e)
					   : privileges_drop(e);
	if (rc == 0)
		rc = landlock_restrict(f->plan.rules, f->plan.n_rules, NULL, e);
	return rc < 0 ? rc : calls_filter_command(&f->calls, e);
}

/* What needs nothing of the monitor, while that starts its helpers. */
static int confine_self(struct init *in, struct err *e)
{
	sigset_t child;
	int rc = confine(in->plan->files, e);

	if (rc < 0)
		return rc;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	in->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in->signals < 0)
		return err_errno(e, errno, "signalfd");
	if (pipe2(in->start, O_CLOEXEC) < 0)
		return err_errno(e, errno, "pipe");
	return shrink(in, e);
}

/* Not before GO: the command is born into init's cgroup and limits. */
static int start_command(struct init *in, struct err *e)
{
	in->command = fork();
	if (in->command < 0)
		return err_errno(e, errno, "fork");
	if (in->command == 0)
		run_command(in);
	environment_wipe(in->plan->env);
	(void)setpgid(in->command, in->command);
	return 0;
}

void init_main(const struct cage_plan *plan, int channel, int link_ready)
{
	struct init in = { .plan = plan, .channel = channel, .signals = -1 };
	struct err e = { 0 };
	int fds[READY_FD__COUNT] = READY_NONE_INIT;
	int rc = build_inside(&in, link_ready, fds, &e);

	if (rc == 0 && announce(&in, fds) < 0)
		_exit(1);
	if (rc == 0)
		rc = confine_self(&in, &e);
	if (rc == 0) {
		wait_for_go(&in);
		rc = start_command(&in, &e);
	}
	if (rc == 0)
		rc = leave_stdio(&in, &e);
	if (rc < 0) {
		cage_report_error(channel, &e);
		_exit(1);
	}
	supervise(&in);
}
