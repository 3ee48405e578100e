/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deny_syscall NUMBER ERRNO COMMAND [ARGUMENT]...: runs COMMAND under a seccomp
 * filter in which one system call fails, as a container's filter would.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;

	unsigned number = (unsigned)strtoul(argv[1], NULL, 10);
	unsigned error = (unsigned)strtoul(argv[2], NULL, 10);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &filter) < 0) {
		perror("seccomp");
		return 1;
	}
	(void)execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
