/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty_attack ioctl|syscall|compat REQUEST: issues that terminal ioctl with the
 * character 'x' on standard input and prints the error's name, or "done".
 * "compat" takes the 32-bit entry of an x86-64 kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
static long compat(unsigned long request, void *arg)
{
	long rc = 54; /* ioctl */

	/* The kernel saves r8 to r15 or clears them, by its version. */
	__asm__ volatile("int $0x80"
			 : "+a"(rc)
			 : "b"(0L), "c"(request), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15");
	errno = rc < 0 ? (int)-rc : 0;
	return rc < 0 ? -1 : rc;
}
#endif

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;

	unsigned long request = strtoul(argv[2], NULL, 0);
	/* Below 4 GiB, where the 32-bit entry can point. */
	char *arg = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	long rc = -1;

	if (arg == MAP_FAILED)
		return 2;
	arg[0] = 'x';
	if (strcmp(argv[1], "ioctl") == 0)
		rc = ioctl(0, request, arg);
	else if (strcmp(argv[1], "syscall") == 0)
		rc = syscall(SYS_ioctl, 0L, request, arg);
#ifdef __x86_64__
	else if (strcmp(argv[1], "compat") == 0)
		rc = compat(request, arg);
#endif
	else
		return 2;
	puts(rc < 0 ? strerrorname_np(errno) : "done");
	return 0;
}
