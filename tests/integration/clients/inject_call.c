/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject_call PID NUMBER [ARGUMENT]...: makes a process that waits in a system
 * call make another one, as code that has taken it over would; prints its
 * result, "-ERROR", or "killed SIGNAL".  An argument is a number, or "x" and
 * bytes in hexadecimal, of which the address is passed, or "m" and likewise the
 * name of a message of one byte.  x86-64 alone. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define ROOM	  16384 /* below the stack, red zone and all */
#define BYTES_MAX 4096

/* It may be killed for what it did. */
static void fail(const char *what)
{
	if (errno == ESRCH) {
		puts("gone");
		exit(0);
	}
	perror(what);
	exit(2);
}

static unsigned long put(pid_t pid, unsigned long *at, const void *bytes,
			 size_t n)
{
	unsigned long start = *at;

	for (size_t i = 0; i < n; i += sizeof(long)) {
		long word = 0;

		memcpy(&word, (const char *)bytes + i,
		       n - i < sizeof(word) ? n - i : sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, start + i, word) < 0)
			fail("write its memory");
	}
	*at += (n + 15) & ~15UL;
	return start;
}

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t n = strlen(hex) / 2;
	unsigned byte;

	for (size_t i = 0; i < n && i < BYTES_MAX; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			exit(2);
		bytes[i] = (uint8_t)byte;
	}
	return n;
}

static unsigned long argument(pid_t pid, unsigned long *at, const char *text)
{
	uint8_t bytes[BYTES_MAX];
	struct iovec iov = { .iov_len = 1 };
	struct msghdr m = { .msg_iovlen = 1 };
	size_t n;

	if (*text != 'x' && *text != 'm')
		return strtoul(text, NULL, 0);
	n = from_hex(text + 1, bytes);
	if (*text == 'x')
		return put(pid, at, bytes, n);
	m.msg_namelen = (socklen_t)n;
	m.msg_name = (void *)put(pid, at, bytes, n);
	iov.iov_base = m.msg_name;
	m.msg_iov = (void *)put(pid, at, &iov, sizeof(iov));
	return put(pid, at, &m, sizeof(m));
}

/* Its stop, or what is said of its end. */
static void stopped(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, __WALL) != pid)
		fail("waitpid");
	if (WIFSTOPPED(status))
		return;
	printf("killed %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	exit(0);
}

int main(int argc, char **argv)
{
	struct user_regs_struct before, regs;
	pid_t pid = argc > 2 && argc < 10 ? atoi(argv[1]) : 0;
	unsigned long arg[6] = { 0 };
	unsigned long at;

	if (pid <= 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		fail("attach");
	stopped(pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &before) < 0)
		fail("registers");
	regs = before;
	at = (regs.rsp - ROOM) & ~15ULL;
	for (int i = 3; i < argc; i++)
		arg[i - 3] = argument(pid, &at, argv[i]);
	regs.rip -= 2; /* the instruction that it is in */
	regs.orig_rax = ~0ULL;
	regs.rax = strtoul(argv[2], NULL, 0);
	regs.rdi = arg[0];
	regs.rsi = arg[1];
	regs.rdx = arg[2];
	regs.r10 = arg[3];
	regs.r8 = arg[4];
	regs.r9 = arg[5];
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
		fail("step");
	stopped(pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		fail("registers");
	printf("%lld\n", (long long)regs.rax);
	/* The call that it was in is started again by the kernel. */
	if ((ptrace(PTRACE_SETREGS, pid, NULL, &before) < 0 ||
	     ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0) &&
	    errno != ESRCH)
		fail("detach");
	return 0;
}
