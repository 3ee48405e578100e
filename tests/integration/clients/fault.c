/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A preloaded library that makes one call of one process of egress-run fail.
 *
 * Each process has a path by its birth: "m" is what was started, "m1" its
 * first child, "m11" that one's first, and counts the wrapped calls it makes.
 * FAULT_FILE, of TRACE_SIZE bytes, becomes a trace, one line a call: path,
 * number, function, "late" once init begins the command's process, "hit" for
 * the call that fails.  FAULT_PATH and FAULT_NUMBER choose that one,
 * FAULT_ERROR is its errno, or 0: the process is killed there.  What is
 * executed is left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define TRACE_SIZE (1 << 20)
#define DEPTH_MAX  16
/* Long enough for the command to act if it should have begun. */
#define LATE_MS 200

/* The file, common to all processes of the run. */
struct shared {
	unsigned end; /* of text */
	int late;
	char text[TRACE_SIZE - 2 * sizeof(int)];
};

static struct shared *shared;
static const char *hit_path;
static int hit_number;
static int hit_error;
static char path[DEPTH_MAX] = "m";
static int n_calls;
static int n_children;

__attribute__((constructor)) static void set_up(void)
{
	char exe[256] = "";
	const char *file = getenv("FAULT_FILE");
	int fd;

	if (!file || readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0 ||
	    !strstr(exe, "egress-run"))
		return;
	fd = openat(AT_FDCWD, file, O_RDWR | O_CLOEXEC);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (shared == MAP_FAILED)
		abort();
	(void)close(fd);
	hit_path = getenv("FAULT_PATH");
	if (!hit_path)
		return;
	hit_number = atoi(getenv("FAULT_NUMBER"));
	hit_error = atoi(getenv("FAULT_ERROR"));
}

/* True if this call is to fail, with errno set. */
static bool fails(const char *function)
{
	char line[128];
	int late;
	bool hit;
	int n;

	if (!shared)
		return false;
	n_calls++;
	late = __atomic_load_n(&shared->late, __ATOMIC_SEQ_CST);
	hit = hit_path && hit_number == n_calls && strcmp(hit_path, path) == 0;
	n = snprintf(line, sizeof(line), "%s %d %s%s%s\n", path, n_calls,
		     function, late ? " late" : "", hit ? " hit" : "");
	memcpy(shared->text + __atomic_fetch_add(&shared->end, (unsigned)n,
						 __ATOMIC_SEQ_CST),
	       line, (size_t)n);
	if (!hit)
		return false;
	if (late)
		(void)poll(NULL, 0, LATE_MS);
	/* Pid 1 is immune to signals from inside its namespace. */
	if (hit_error == 0 && kill(getpid(), SIGKILL) == 0)
		_exit(128 + SIGKILL);
	errno = hit_error;
	return true;
}

/* In the child. */
static void newborn(void)
{
	size_t depth = strlen(path);

	if (depth + 1 < sizeof(path))
		path[depth] = (char)('1' + n_children);
	n_calls = 0;
	n_children = 0;
}

#define REAL(function)                     \
	static __typeof__(&function) real; \
	if (!real)                         \
	real = (__typeof__(&function))dlsym(RTLD_NEXT, #function)

#define WRAP(type, function, params, args, failed) \
	type function params                       \
	{                                          \
		REAL(function);                    \
		if (fails(#function))              \
			return failed;             \
		return real args;                  \
	}

WRAP(int, socket, (int a, int b, int c), (a, b, c), -1)
WRAP(int, socketpair, (int a, int b, int c, int d[2]), (a, b, c, d), -1)
WRAP(int, listen, (int a, int b), (a, b), -1)
WRAP(int, setsockopt, (int a, int b, int c, const void *d, socklen_t e),
     (a, b, c, d, e), -1)
WRAP(ssize_t, sendmsg, (int a, const struct msghdr *b, int c), (a, b, c), -1)
WRAP(ssize_t, recvmsg, (int a, struct msghdr *b, int c), (a, b, c), -1)
WRAP(ssize_t, recv, (int a, void *b, size_t c, int d), (a, b, c, d), -1)
WRAP(ssize_t, read, (int a, void *b, size_t c), (a, b, c), -1)
WRAP(int, mount,
     (const char *a, const char *b, const char *c, unsigned long d,
      const void *e),
     (a, b, c, d, e), -1)
WRAP(int, umount2, (const char *a, int b), (a, b), -1)
WRAP(int, pipe2, (int a[2], int b), (a, b), -1)
WRAP(int, dup2, (int a, int b), (a, b), -1)
WRAP(int, chdir, (const char *a), (a), -1)
WRAP(pid_t, setsid, (void), (), -1)
WRAP(int, setgroups, (size_t a, const gid_t *b), (a, b), -1)
WRAP(int, getgroups, (int a, gid_t b[]), (a, b), -1)
WRAP(int, setresuid, (uid_t a, uid_t b, uid_t c), (a, b, c), -1)
WRAP(int, setresgid, (gid_t a, gid_t b, gid_t c), (a, b, c), -1)
WRAP(int, sigprocmask, (int a, const sigset_t *b, sigset_t *c), (a, b, c), -1)
WRAP(int, signalfd, (int a, const sigset_t *b, int c), (a, b, c), -1)
WRAP(int, pidfd_open, (pid_t a, unsigned b), (a, b), -1)
WRAP(int, epoll_create1, (int a), (a), -1)

struct epoll_event;
WRAP(int, epoll_ctl, (int a, int b, int c, struct epoll_event *d), (a, b, c, d),
     -1)
WRAP(FILE *, fopen, (const char *a, const char *b), (a, b), NULL)

/* glibc gives these transparent unions for their addresses. */
int bind(int a, const struct sockaddr *b, socklen_t c)
{
	REAL(bind);
	return fails("bind") ? -1 : real(a, b, c);
}

int getsockname(int a, struct sockaddr *b, socklen_t *c)
{
	REAL(getsockname);
	return fails("getsockname") ? -1 : real(a, b, c);
}

ssize_t sendto(int a, const void *b, size_t c, int d, const struct sockaddr *e,
	       socklen_t f)
{
	REAL(sendto);
	return fails("sendto") ? -1 : real(a, b, c, d, e, f);
}

/* What goes to stderr is all that we can tell of a fault. */
ssize_t write(int a, const void *b, size_t c)
{
	REAL(write);
	return a != 2 && fails("write") ? -1 : real(a, b, c);
}

int open(const char *a, int b, ...)
{
	REAL(open);
	va_list ap;
	mode_t mode;

	va_start(ap, b);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return fails("open") ? -1 : real(a, b, mode);
}

int prctl(int a, ...)
{
	REAL(prctl);
	va_list ap;
	long v[4];

	va_start(ap, a);
	for (int i = 0; i < 4; i++)
		v[i] = va_arg(ap, long);
	va_end(ap);
	return fails("prctl") ? -1 : real(a, v[0], v[1], v[2], v[3]);
}

pid_t fork(void)
{
	REAL(fork);
	pid_t pid;

	if (fails("fork"))
		return -1;
	if (shared && strcmp(path, "m11") == 0)
		__atomic_store_n(&shared->late, 1, __ATOMIC_SEQ_CST);
	pid = real();
	if (pid == 0)
		newborn();
	else
		n_children++;
	return pid;
}

long syscall(long number, ...)
{
	REAL(syscall);
	va_list ap;
	long v[6];
	long rc;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		v[i] = va_arg(ap, long);
	va_end(ap);
	if (fails("syscall"))
		return -1;
	rc = real(number, v[0], v[1], v[2], v[3], v[4], v[5]);
	if (number == SYS_clone3 && rc == 0)
		newborn();
	else if (number == SYS_clone3)
		n_children++;
	return rc;
}
