/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "common/fd.h"
#include "common/log.h"

#define NOTICE_AFTER_MS 1000
#define STDERR_MAX	4096

enum { OUT, ERR, END, PIPES = END };

struct running {
	const struct subprocess *s;
	pid_t pid;
	struct pollfd fds[3]; /* its stdout, its stderr, its end */
	int failed;	      /* pipe: errno if the exec failed */
	size_t max;
	struct secret *out;
	char errors[STDERR_MAX]; /* what it said first; the rest is dropped */
	size_t n_errors;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* A core of it would hold the secret. */
static int confine(int null, int out, int err, pid_t parent)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t none;

	(void)sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0 ||
	    getppid() != parent || setrlimit(RLIMIT_CORE, &no_core) < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -1;
	return 0;
}

/* execve() does not change the words, whatever its type says. */
static char *const *words(const char *const *argv)
{
	char *const *ret;

	memcpy(&ret, &argv, sizeof(ret));
	return ret;
}

__attribute__((noreturn)) static void child_main(const struct subprocess *s,
						 const int *ends, int null,
						 int failed, pid_t parent)
{
	if (confine(null, ends[OUT], ends[ERR], parent) == 0) {
		if (!s->argv)
			_exit(s->run(s->arg));
		/* Never by PATH: see searchpath.h. */
		(void)execve(s->path ? s->path : s->argv[0], words(s->argv),
			     s->envp);
	}
	(void)!write(failed, &errno, sizeof(errno));
	_exit(127);
}

static int spawn(struct running *r, struct err *e)
{
	int out[2] = { -1, -1 };
	int err[2] = { -1, -1 };
	int failed[2] = { -1, -1 };
	pid_t parent = getpid();
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int rc = 0;

	/* Ignored, as some callers leave it, its status would be lost. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (null < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(err, O_CLOEXEC) < 0 ||
	    pipe2(failed, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    fcntl(out[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(err[0], F_SETFL, O_NONBLOCK) < 0 || (r->pid = fork()) < 0)
		rc = err_errno(e, errno, "start %s", r->s->name);
	else if (r->pid == 0)
		child_main(r->s, (int[]) { out[1], err[1] }, null, failed[1],
			   parent);
	fd_close(&out[1]);
	fd_close(&err[1]);
	fd_close(&failed[1]);
	r->fds[OUT].fd = out[0];
	r->fds[ERR].fd = err[0];
	r->failed = failed[0];
	if (rc == 0) {
		r->fds[END].fd = pidfd_open(r->pid, 0);
		if (r->fds[END].fd < 0)
			rc = err_errno(e, errno, "pidfd_open");
	}
	return rc;
}

/* One byte more than max tells that there was more. */
static int take_output(struct running *r, struct err *e)
{
	ssize_t n = read(r->fds[OUT].fd, r->out->data + r->out->len,
			 r->max + 1 - r->out->len);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return err_errno(e, errno, "read from %s", r->s->name);
	if (n == 0)
		fd_close(&r->fds[OUT].fd);
	if (n > 0)
		r->out->len += (size_t)n;
	if (r->out->len > r->max)
		return err_set(e, EFBIG, "%s gave more than %zu bytes",
			       r->s->name, r->max);
	return 0;
}

static void take_errors(struct running *r)
{
	char rest[512];
	size_t room = sizeof(r->errors) - r->n_errors;
	ssize_t n = read(r->fds[ERR].fd, room ? r->errors + r->n_errors : rest,
			 room ? room : sizeof(rest));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		fd_close(&r->fds[ERR].fd);
	else if (n > 0 && room)
		r->n_errors += (size_t)n;
}

/* Until it ends; whoever inherited its pipes is not waited for. */
static int converse(struct running *r, struct err *e)
{
	const int64_t end = now_ms() + r->s->timeout_s * 1000LL;
	int64_t pause = r->s->waiting ? NOTICE_AFTER_MS : INT64_MAX;
	bool ended = false;

	while (!ended) {
		int64_t left = end - now_ms();
		int rc;

		if (left <= 0)
			return err_set(e, ETIMEDOUT,
				       "%s gave no answer within %u seconds",
				       r->s->name, r->s->timeout_s);
		rc = poll(r->fds, 3, (int)(left < pause ? left : pause));
		if (rc < 0 && errno != EINTR)
			return err_errno(e, errno, "poll");
		if (rc == 0 && pause < left) {
			log_notice("%s", r->s->waiting);
			pause = INT64_MAX;
		}
		/* Looked at first: what it wrote is in the pipes by now. */
		ended = rc > 0 && r->fds[END].revents;
		do {
			rc = r->fds[OUT].fd >= 0 ? take_output(r, e) : 0;
			if (rc < 0)
				return rc;
			if (r->fds[ERR].fd >= 0)
				take_errors(r);
		} while (ended && now_ms() < end && poll(r->fds, PIPES, 0) > 0);
	}
	return 0;
}

static void first_line(const struct running *r, char *said)
{
	const char *text = r->errors;
	size_t len = r->n_errors;
	size_t n = 0;

	while (len > 0 && (*text == '\n' || *text == '\r' || *text == ' ')) {
		text++;
		len--;
	}
	while (n < len && n < SUBPROCESS_SAID_MAX - 1 && text[n] != '\n' &&
	       text[n] != '\r' && text[n] != '\0')
		n++;
	memcpy(said, text, n);
	said[n] = '\0';
}

static int reap(struct running *r, bool killed, struct subprocess_end *ret,
		struct err *e)
{
	int why = 0;

	if (killed)
		(void)kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &ret->status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "wait for %s", r->s->name);
	if (killed)
		return 0;
	if (read(r->failed, &why, sizeof(why)) != sizeof(why))
		return 0;
	if (why == ENOENT || why == ENOTDIR)
		return err_set(e, ENOENT, "%s is not installed", r->s->name);
	return err_errno(e, why, "run %s", r->s->name);
}

int subprocess_run(const struct subprocess *s, size_t max, struct secret *out,
		   struct subprocess_end *ret, struct err *e)
{
	struct running r = { .s = s, .failed = -1, .max = max, .out = out };
	int rc = secret_new(out, max + 1, e);

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i <= END; i++)
		r.fds[i] = (struct pollfd) { .fd = -1, .events = POLLIN };
	if (rc == 0)
		rc = spawn(&r, e);
	if (rc == 0)
		rc = converse(&r, e);
	if (r.pid > 0) {
		int end = reap(&r, rc < 0, ret, e);

		rc = rc < 0 ? rc : end;
	}
	first_line(&r, ret->said);
	explicit_bzero(r.errors, sizeof(r.errors));
	for (int i = 0; i <= END; i++)
		fd_close(&r.fds[i].fd);
	fd_close(&r.failed);
	if (rc < 0)
		secret_free(out);
	return rc;
}
