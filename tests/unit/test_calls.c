/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter of the command: each call that is denied, and what must go on
 * working. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/netlink.h>

#include "forked.h"

#include "launcher/calls.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct calls_options plain;
static const struct calls_options userns = { .user_namespaces = true };
static const struct calls_options caps = { .capabilities = true };

static void filter(const struct calls_options *o)
{
	struct err e = { 0 };

	CHECK(calls_filter_command(o, &e) == 0);
}

/* Arguments that fail otherwise, with another error than the filter's. */
static void denied_calls(void *arg)
{
	static const int eperm[] = {
		SYS_mount,
		SYS_umount2,
		SYS_pivot_root,
		428 /* open_tree */,
		429 /* move_mount */,
		430 /* fsopen */,
		431 /* fsconfig */,
		432 /* fsmount */,
		433 /* fspick */,
		442 /* mount_setattr */,
		467 /* open_tree_attr */,
		SYS_setns,
		SYS_open_by_handle_at,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_kexec_load,
		SYS_kexec_file_load,
		SYS_init_module,
		SYS_finit_module,
		SYS_delete_module,
		SYS_swapon,
		SYS_swapoff,
		SYS_reboot,
		SYS_quotactl,
		443 /* quotactl_fd */,
		SYS_acct,
		SYS_clock_settime,
		SYS_settimeofday,
		SYS_vhangup,
		SYS_sethostname,
		SYS_setdomainname,
		SYS_syslog,
#ifdef __x86_64__
		SYS_iopl,
		SYS_ioperm,
		SYS_create_module,
#endif
	};
	static const int enosys[] = { 425, 426, 427 /* io_uring_* */ };

	filter(arg);
	for (size_t i = 0; i < N(eperm); i++) {
		errno = 0;
		if (syscall(eperm[i], -1L, -1L, -1L, -1L, -1L, -1L) == -1 &&
		    errno == EPERM)
			continue;
		(void)fprintf(stderr, "call %d: %m\n", eperm[i]);
		_exit(1);
	}
	for (size_t i = 0; i < N(enosys); i++)
		CHECK_FAILS(ENOSYS,
			    syscall(enosys[i], -1L, -1L, -1L, -1L, -1L, -1L));
}

static void test_denied_calls(void **state)
{
	struct calls_options both = { true, true };
	struct calls_options none = plain;

	(void)state;
	forked(denied_calls, &none);
	forked(denied_calls, &both);
}

static void namespaces(void *arg)
{
	static const unsigned long flags[] = {
		CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID,	CLONE_NEWNET,
	};

	(void)arg;
	filter(&plain);
	for (size_t i = 0; i < N(flags); i++) {
		CHECK_FAILS(EPERM, unshare((int)flags[i]));
		CHECK_FAILS(EPERM, unshare((int)(flags[i] | CLONE_FS)));
		CHECK_FAILS(EPERM, syscall(SYS_clone, flags[i] | SIGCHLD, NULL,
					   NULL, NULL, NULL));
	}
	CHECK_FAILS(EPERM, unshare(0x80 /* CLONE_NEWTIME */));
	CHECK_FAILS(ENOSYS, syscall(435 /* clone3 */, NULL, 0));
	CHECK(unshare(CLONE_FILES) == 0);
}

static void namespaces_by_key(void *arg)
{
	(void)arg;
	filter(&userns);
	CHECK_FAILS(EINVAL, syscall(435 /* clone3 */, NULL, 0));
	CHECK_FAILS(EPERM, syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
	/* The system may refuse it, but then not by this error; root has no
	 * such restriction. */
	if (geteuid() == 0)
		CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
}

static void test_namespaces(void **state)
{
	(void)state;
	if (!forked_has_userns())
		skip();
	forked(namespaces, NULL);
	forked(namespaces_by_key, NULL);
}

static void terminal(void *arg)
{
	static const unsigned long requests[] = { TIOCSTI, TIOCLINUX,
						  TIOCSETD };
	static const unsigned long high[] = { 0, 1UL << 32, 0xdeadUL << 32,
					      1UL << 63 };
	struct winsize size;

	(void)arg;
	filter(&plain);
	for (size_t i = 0; i < N(requests); i++)
		for (size_t k = 0; k < N(high); k++)
			CHECK_FAILS(EPERM,
				    syscall(SYS_ioctl, -1,
					    requests[i] | high[k], NULL));
	CHECK_FAILS(EBADF, ioctl(-1, TIOCGWINSZ, &size));
	CHECK_FAILS(EBADF, syscall(SYS_ioctl, -1, TIOCSTI ^ 1UL, NULL));
}

static void test_terminal(void **state)
{
	(void)state;
	forked(terminal, NULL);
}

static void families(void *arg)
{
	const struct calls_options *o = arg;
	static const long allowed[] = { AF_UNIX, AF_INET, AF_INET6,
					AF_NETLINK };

	filter(o);
	for (long family = 0; family < 64; family++) {
		bool open = family == AF_PACKET && o->capabilities;
		int want = EAFNOSUPPORT;

		for (size_t i = 0; i < N(allowed); i++)
			open = open || family == allowed[i];
		if (family == AF_PACKET)
			want = EPERM;
		errno = 0;
		/* No family has this type. */
		CHECK(syscall(SYS_socket, family, 15L, 0L) == -1);
		CHECK(open ? errno != want : errno == want);
	}
	/* The kernel looks at 32 bits. */
	CHECK_FAILS(EAFNOSUPPORT,
		    syscall(SYS_socket, 1L << 32 | AF_VSOCK, SOCK_STREAM, 0));
	CHECK_FAILS(EAFNOSUPPORT,
		    syscall(SYS_socket, 1L << 32 | AF_KEY, SOCK_RAW, 2));
	CHECK_FAILS(EAFNOSUPPORT, syscall(SYS_socket, 1L << 32 | AF_NETLINK,
					  SOCK_RAW, NETLINK_NETFILTER));
	CHECK_FAILS(EOPNOTSUPP,
		    syscall(SYS_socketpair, AF_TIPC, SOCK_SEQPACKET, 0, NULL));
	CHECK_FAILS(EOPNOTSUPP, syscall(SYS_socketpair, 1L << 32 | AF_TIPC,
					SOCK_SEQPACKET, 0, NULL));
}

static void netlink(void *arg)
{
	const struct calls_options *o = arg;

	filter(o);
	CHECK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0);
	for (int protocol = 1; protocol < 24; protocol++) {
		errno = 0;
		if (socket(AF_NETLINK, SOCK_RAW, protocol) >= 0)
			CHECK(o->capabilities);
		else if (!o->capabilities)
			CHECK(errno == EPROTONOSUPPORT);
	}
	if (o->capabilities)
		CHECK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT) >=
		      0);
	CHECK_FAILS(EPROTONOSUPPORT, syscall(SYS_socket, AF_NETLINK, SOCK_RAW,
					     o->capabilities ? 31L : 1L << 32));
}

static void test_families(void **state)
{
	struct calls_options none = plain;
	struct calls_options packet = caps;

	(void)state;
	forked(families, &none);
	forked(families, &packet);
	forked(netlink, &none);
	forked(netlink, &packet);
}

/* Programs of other architectures and their tables of calls. */

#ifdef __x86_64__
static void i386(void *arg)
{
	long number = 20; /* getpid */

	(void)arg;
	filter(&plain);
	__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
}

static void x32(void *arg)
{
	(void)arg;
	filter(&plain);
	(void)syscall(0x40000000L | SYS_getpid);
}

static void test_foreign(void **state)
{
	(void)state;
	forked_killed(i386, NULL, SIGSYS);
	forked_killed(x32, NULL, SIGSYS);
}
#endif

/* What compilers, browsers, debuggers and shells do. */

static void *thread(void *arg)
{
	return arg;
}

static void traced(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(7);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
}

static void spawned(void)
{
	char name[] = "/bin/true";
	char *argv[] = { name, NULL };
	char *envp[] = { NULL };
	pid_t pid;
	int status;

	CHECK(posix_spawn(&pid, name, NULL, NULL, argv, envp) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void usual(void *arg)
{
	int pair[2];
	pthread_t t;
	void *code;

	(void)arg;
	filter(&plain);
	CHECK(pthread_create(&t, NULL, thread, NULL) == 0);
	CHECK(pthread_join(t, NULL) == 0);
	spawned();
	traced();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(code != MAP_FAILED);
	CHECK(memfd_create("x", MFD_CLOEXEC) >= 0);
	CHECK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
	CHECK(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0) >= 0);
	CHECK(syscall(SYS_pidfd_open, getpid(), 0) >= 0);
	/* Its own filter over ours. */
	CHECK(calls_filter_command(&plain, NULL) == 0);
}

static void test_usual_calls(void **state)
{
	(void)state;
	forked(usual, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_denied_calls),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_families),
#ifdef __x86_64__
		cmocka_unit_test(test_foreign),
#endif
		cmocka_unit_test(test_usual_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
