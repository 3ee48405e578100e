/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "launcher/confine.h"

#define READY_MAX     64
#define FIRST_FD      (STDERR_FILENO + 1)
#define READY_WAIT_MS 30000

/* Thousands of connections; the command keeps the caller's limit. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* stderr stays: warnings are the user's. */
static int null_stdio(void)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		return -1;
	return 0;
}

/* Moves them to the numbers behind stderr, in their order, and fills up those
 * that are left below calls_fds_fixed(): these numbers are never free again
 * (calls.h).  All else is closed. */
static int put_low(int *fds, size_t n)
{
	int fixed = calls_fds_fixed(FIRST_FD, n);
	size_t n_low = (size_t)(fixed - FIRST_FD);
	int high[CALLS_FDS_FIXED_MANY];

	if (n > n_low)
		return -1;
	for (size_t i = 0; i < n_low; i++) {
		high[i] = fcntl(i < n && fds[i] >= 0 ? fds[i] : STDIN_FILENO,
				F_DUPFD_CLOEXEC, fixed);
		if (high[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < n_low; i++)
		if (dup3(high[i], FIRST_FD + (int)i, O_CLOEXEC) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			fds[i] = FIRST_FD + (int)i;
	return close_range((unsigned)fixed, ~0U, 0);
}

__attribute__((noreturn)) static void
helper_main(const struct helper *h, int channel, int desk, pid_t monitor)
{
	int fds[HELPER_FD__COUNT + HELPER_FDS_MAX];
	struct err e = { 0 };
	sigset_t none;

	fds[HELPER_FD_CHANNEL] = channel;
	fds[HELPER_FD_DESK] = desk;
	memcpy(fds + HELPER_FD__COUNT, h->fds, sizeof(h->fds));
	(void)sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_NAME, h->comm, 0L, 0L, 0L) < 0 || setsid() < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0 || chdir("/") < 0 ||
	    null_stdio() < 0 || put_low(fds, HELPER_FD__COUNT + h->n_fds) < 0) {
		log_error("the %s process cannot confine itself: %s", h->name,
			  strerror(errno));
		_exit(1);
	}
	if (getppid() != monitor)
		_exit(1);
	raise_fd_limit();
	/* The last: what comes now may be hostile. */
	if (confine_helper(h->kind, FIRST_FD, HELPER_FD__COUNT + h->n_fds, &e) <
	    0) {
		log_error("the %s process cannot confine itself: %s", h->name,
			  e.msg);
		_exit(1);
	}
	exit(h->run(h->arg, fds));
}

int helper_start(struct helper *h, struct err *e)
{
	pid_t monitor = getpid();
	int channel[2], desk[2];
	int rc = ipc_pair(channel, e);

	if (rc < 0)
		return rc;
	rc = ipc_pair(desk, e);
	if (rc < 0) {
		fd_close(&channel[0]);
		fd_close(&channel[1]);
		return rc;
	}
	h->pid = fork();
	if (h->pid == 0)
		helper_main(h, channel[1], desk[1], monitor);
	(void)close(channel[1]);
	(void)close(desk[1]);
	h->channel = channel[0];
	h->desk = desk[0];
	if (h->pid < 0) {
		h->pid = 0;
		rc = err_errno(e, errno, "fork the %s process", h->name);
		fd_close(&h->channel);
		fd_close(&h->desk);
		return rc;
	}
	h->pidfd = pidfd_open(h->pid, 0);
	if (h->pidfd < 0) {
		rc = err_errno(e, errno, "pidfd_open");
		(void)helper_stop(h);
		return rc;
	}
	return 0;
}

/* A helper that gives up says why on stderr. */
static bool exited_by_itself(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 &&
	       info.si_code == CLD_EXITED;
}

int helper_wait_ready(struct helper *h, size_t msg_size, struct err *e)
{
	char msg[READY_MAX];
	struct pollfd readable = { .fd = h->channel, .events = POLLIN };
	ssize_t n = -ETIMEDOUT;

	if (poll(&readable, 1, READY_WAIT_MS) > 0)
		n = ipc_recv(h->channel, msg, sizeof(msg), NULL, NULL, NULL,
			     false);

	if (n == (ssize_t)msg_size)
		return 0;
	if (n == 0 && exited_by_itself(h->pid)) {
		e->msg[0] = '\0';
		return -EPIPE;
	}
	return err_set(e, EPIPE, "the %s process did not come up", h->name);
}

int helper_stop(struct helper *h)
{
	int status = 0;

	fd_close(&h->channel);
	fd_close(&h->desk);
	if (h->pid > 0) {
		(void)kill(h->pid, SIGKILL);
		while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	h->pid = 0;
	fd_close(&h->pidfd);
	return status;
}
