/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject_open PID PATH: makes a process that waits in a system call open a file
 * for reading, as code that has taken it over would; prints "open", or the
 * number of the error, or "killed SIGNAL".  x86-64 alone. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define RED_ZONE 4096

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void put(pid_t pid, unsigned long at, const char *text)
{
	size_t size = strlen(text) + 1;

	for (size_t i = 0; i < size; i += sizeof(long)) {
		long word = 0;

		memcpy(&word, text + i,
		       size - i < sizeof(word) ? size - i : sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word) < 0)
			fail("write its memory");
	}
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
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0;

	if (pid <= 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		fail("attach");
	stopped(pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &before) < 0)
		fail("registers");
	regs = before;
	regs.rsp = (regs.rsp - RED_ZONE) & ~15ULL;
	put(pid, regs.rsp, argv[2]);
	regs.rip -= 2; /* the instruction that it is in */
	regs.orig_rax = ~0ULL;
	regs.rax = SYS_openat;
	regs.rdi = (unsigned long long)-100; /* AT_FDCWD */
	regs.rsi = regs.rsp;
	regs.rdx = 0;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
		fail("step");
	stopped(pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		fail("registers");
	if ((long long)regs.rax >= 0)
		puts("open");
	else
		printf("%lld\n", -(long long)regs.rax);
	/* The call that it was in is started again by the kernel. */
	if (ptrace(PTRACE_SETREGS, pid, NULL, &before) < 0 ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		fail("detach");
	return 0;
}
