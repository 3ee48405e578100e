/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A helper that was taken over: what it may still do, and what ends it. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "forked.h"

#include "launcher/confine.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* As launcher/helper.c leaves them: a channel and a listener, then nothing of
 * use, up to CALLS_FDS_FIXED; behind that a socket that leads outside. */
enum { CHANNEL = 3, LISTENER, FIXED_END };
#define OUTSIDE 20

/* Nobody listens there. */
static const struct sockaddr_in somewhere = {
	.sin_family = AF_INET,
	.sin_port = 0x0900,
	.sin_addr = { 0x0100007f },
};

static void confine(enum calls_helper kind)
{
	struct err e = { 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	int pair[2];

	CHECK(null >= 0 && udp >= 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	CHECK(dup2(pair[0], 40) == 40 && dup2(udp, 41) == 41 &&
	      dup2(null, 42) == 42 && dup2(pair[1], 43) == 43);
	CHECK(dup2(40, CHANNEL) == CHANNEL && dup2(41, LISTENER) == LISTENER);
	for (int i = FIXED_END; i < CALLS_FDS_FIXED; i++)
		CHECK(dup2(42, i) == i);
	CHECK(dup2(socket(AF_INET, SOCK_DGRAM, 0), OUTSIDE) == OUTSIDE);
	/* Without a route it stays unconnected, which the filter does not
	 * tell apart. */
	(void)connect(OUTSIDE, (const struct sockaddr *)&somewhere,
		      sizeof(somewhere));
	CHECK(confine_helper(kind, CHANNEL, FIXED_END - CHANNEL, &e) == 0);
}

static ssize_t send_by(int fd, const struct sockaddr_in *to)
{
	struct sockaddr_in name = somewhere;
	struct iovec iov = { .iov_base = (char[]) { 'x' }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (to) {
		name = *to;
		m.msg_name = &name;
		m.msg_namelen = sizeof(name);
	}
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What both do. */
static void usual(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct timespec now;
	char *memory;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, 0, &ev) <= 0);
	CHECK(epoll_wait(ep, &ev, 1, 0) >= 0);
	memory = malloc(32U << 20);
	CHECK(memory);
	memset(memory, 1, 32U << 20);
	memory = realloc(memory, 64U << 20);
	CHECK(memory);
	free(memory);
	CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) == 0);
	CHECK(fcntl(ep, F_SETFL, fcntl(ep, F_GETFL)) == 0);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	(void)fprintf(stderr, "%s", "");
	CHECK(send_by(CHANNEL, NULL) == 1);
	CHECK(close(ep) == 0);
}

static void dnsfilter_works(void *arg)
{
	char byte;
	int *sockets = arg;

	confine(CALLS_DNSFILTER);
	usual();
	/* As qsort_r() does. */
	CHECK(sysconf(_SC_PHYS_PAGES) > 0);
	/* Answers to clients, wherever they are. */
	CHECK(send_by(LISTENER, &somewhere) == 1 || errno == ENETUNREACH ||
	      errno == ENETDOWN);
	CHECK(write(OUTSIDE, "x", 1) <= 1);
	CHECK(sendto(OUTSIDE, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) <=
	      1);
	CHECK_FAILS(EAGAIN, recv(LISTENER, &byte, 1, MSG_DONTWAIT));
	CHECK_FAILS(ESPIPE, pread(sockets[0], &byte, 1, 0));
	CHECK(close(OUTSIDE) == 0);
}

/* Without Landlock too. */
static void dnsfilter_files(void *arg)
{
	(void)arg;
	confine(CALLS_DNSFILTER);
	CHECK_FAILS(EACCES, open("/etc/resolv.conf", O_RDONLY));
	CHECK_FAILS(EACCES, open("/dev/urandom", O_RDONLY));
	CHECK_FAILS(EACCES, open("/", O_RDONLY | O_DIRECTORY));
	CHECK_FAILS(EACCES, open("/tmp/x", O_WRONLY));
	CHECK_FAILS(EACCES, open("/tmp/x", O_RDONLY | O_CREAT, 0600));
}

static void relay_works(void *arg)
{
	static const char cubic[] = "cubic";
	struct rlimit limit;
	struct linger linger = { 0 };
	int *sockets = arg;
	int pipes[2];
	int pair = sockets[0];

	confine(CALLS_RELAY);
	usual();
	CHECK(fcntl(CHANNEL, F_DUPFD_CLOEXEC, 0) >= CALLS_FDS_FIXED);
	CHECK(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK(fcntl(pipes[0], F_SETPIPE_SZ, 1 << 16) > 0);
	CHECK(write(pipes[1], "x", 1) == 1);
	CHECK(splice(pipes[0], NULL, pair, NULL, 1, SPLICE_F_NONBLOCK) == 1);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(setsockopt(sockets[2], SOL_SOCKET, SO_LINGER, &linger,
			 sizeof(linger)) == 0);
	(void)setsockopt(sockets[2], IPPROTO_TCP, TCP_CONGESTION, cubic,
			 sizeof(cubic) - 1);
	CHECK(shutdown(pair, SHUT_WR) == 0);
	CHECK_FAILS(ENOTCONN, shutdown(sockets[2], SHUT_WR));
}

static void aborts(void *arg)
{
	const enum calls_helper *kind = arg;

	confine(*kind);
	abort();
}

/* One try each, of what a helper never does.  The filter ends it. */

struct attempt {
	enum calls_helper kind;
	void (*fn)(void);
};

static void try_exec(void)
{
	(void)execl("/bin/true", "true", NULL);
}

static void try_fork(void)
{
	(void)fork();
}

static void try_write_file(void)
{
	(void)open("/tmp/x", O_WRONLY);
}

static void try_create(void)
{
	(void)open("/tmp/x", O_RDONLY | O_CREAT, 0600);
}

static void try_open(void)
{
	(void)open("/etc/passwd", O_RDONLY);
}

static void try_unlink(void)
{
	(void)unlink("/tmp/nothing");
}

static void try_chmod(void)
{
	(void)chmod("/tmp/nothing", 0);
}

static void try_unix_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void try_netlink(void)
{
	(void)socket(AF_NETLINK, SOCK_RAW, 0);
}

static void try_raw_socket(void)
{
	(void)socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
}

static void try_inet_socket(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	(void)connect(0, (const struct sockaddr *)&to, sizeof(to));
}

static void try_dissolve(void)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)connect(OUTSIDE, &none, sizeof(none));
}

static void try_udp_socket(void)
{
	(void)socket(AF_INET6, SOCK_DGRAM, 0);
}

static void try_pair(void)
{
	int pair[2];

	(void)socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static void try_bind(void)
{
	(void)bind(OUTSIDE, (const struct sockaddr *)&somewhere,
		   sizeof(somewhere));
}

static void try_send_elsewhere(void)
{
	(void)send_by(OUTSIDE, &somewhere);
}

/* The kernel takes 32 bits of a descriptor. */
static void try_send_elsewhere_wide(void)
{
	struct msghdr m = { .msg_iovlen = 0 };

	(void)syscall(SYS_sendmsg, 1UL << 32 | OUTSIDE, &m, 0);
}

static void try_send_many(void)
{
	struct mmsghdr m = { .msg_len = 0 };

	(void)sendmmsg(OUTSIDE, &m, 1, MSG_DONTWAIT);
}

static void try_sendto(void)
{
	(void)sendto(OUTSIDE, "x", 1, MSG_DONTWAIT,
		     (const struct sockaddr *)&somewhere, sizeof(somewhere));
}

static void try_close_fixed(void)
{
	(void)close(LISTENER);
}

static void try_close_fixed_wide(void)
{
	(void)syscall(SYS_close, 1UL << 32 | LISTENER);
}

static void try_close_range(void)
{
	(void)syscall(SYS_close_range, 3, 5, 0);
}

static void try_replace(void)
{
	(void)syscall(SYS_dup3, OUTSIDE, LISTENER, O_CLOEXEC);
}

#ifdef SYS_dup2
static void try_replace_old(void)
{
	(void)syscall(SYS_dup2, OUTSIDE, LISTENER);
}
#endif

static void try_duplicate(void)
{
	(void)fcntl(OUTSIDE, F_DUPFD, 0);
}

static void try_pidfd(void)
{
	(void)syscall(SYS_pidfd_open, getppid(), 0);
}

static void try_process_memory(void)
{
	(void)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void try_kill_all(void)
{
	(void)kill(-1, 0);
}

static void try_listen(void)
{
	(void)listen(0, 1);
}

static void try_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	(void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void try_kill(void)
{
	(void)kill(getpid(), 0);
}

static void try_signal_other(void)
{
	(void)syscall(SYS_tgkill, 1, 1, 0);
}

static void try_ptrace(void)
{
	(void)syscall(SYS_ptrace, 0, 0, NULL, NULL);
}

static void try_prctl(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

static void try_ioctl(void)
{
	(void)syscall(SYS_ioctl, 0, 0x5401, NULL);
}

static void try_filter_program(void)
{
	(void)setsockopt(0, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0);
}

static void try_owner(void)
{
	(void)fcntl(0, F_SETOWN, 1);
}

static void try_other_limits(void)
{
	struct rlimit l;

	(void)prlimit(getppid(), RLIMIT_NOFILE, NULL, &l);
}

static void try_io_uring(void)
{
	(void)syscall(425, 1, NULL);
}

static void try_keys(void)
{
	(void)syscall(SYS_keyctl, 0, 0);
}

static void attempt(void *arg)
{
	const struct attempt *a = arg;

	confine(a->kind);
	a->fn();
}

static void test_what_ends_a_helper(void **state)
{
	static const struct {
		void (*fn)(void);
		bool relay_only;
	} table[] = {
		{ try_exec, false },
		{ try_fork, false },
		{ try_write_file, true },
		{ try_create, true },
		{ try_open, true },
		{ try_unlink, false },
		{ try_chmod, false },
		{ try_unix_socket, false },
		{ try_netlink, false },
		{ try_raw_socket, false },
		{ try_inet_socket, false },
		{ try_connect, false },
		{ try_dissolve, false },
		{ try_udp_socket, false },
		{ try_pair, false },
		{ try_bind, false },
		{ try_send_elsewhere, false },
		{ try_send_elsewhere_wide, false },
		{ try_send_many, false },
		{ try_sendto, false },
		{ try_close_fixed, false },
		{ try_close_fixed_wide, false },
		{ try_close_range, false },
		{ try_replace, false },
#ifdef SYS_dup2
		{ try_replace_old, false },
#endif
		{ try_duplicate, false },
		{ try_pidfd, false },
		{ try_process_memory, false },
		{ try_kill_all, false },
		{ try_listen, false },
		{ try_code, false },
		{ try_make_code, false },
		{ try_kill, false },
		{ try_signal_other, false },
		{ try_ptrace, false },
		{ try_prctl, false },
		{ try_ioctl, false },
		{ try_filter_program, false },
		{ try_owner, false },
		{ try_other_limits, false },
		{ try_io_uring, false },
		{ try_keys, false },
	};

	(void)state;
	if (SANITIZED)
		skip();
	for (size_t i = 0; i < N(table); i++) {
		struct attempt a = { CALLS_RELAY, table[i].fn };

		forked_killed(attempt, &a, SIGSYS);
		a.kind = CALLS_DNSFILTER;
		if (!table[i].relay_only)
			forked_killed(attempt, &a, SIGSYS);
	}
}

#ifdef __x86_64__
static void try_i386(void)
{
	long number = 4; /* write */

	__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
}

static void try_x32(void)
{
	(void)syscall(0x40000000L | SYS_getpid);
}

static void test_foreign(void **state)
{
	struct attempt a = { CALLS_RELAY, try_i386 };

	(void)state;
	if (SANITIZED)
		skip();
	forked_killed(attempt, &a, SIGSYS);
	a.fn = try_x32;
	forked_killed(attempt, &a, SIGSYS);
}
#endif

/* Out of the way of confine(). */
static int high(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 50);

	assert_true(moved >= 50);
	assert_int_equal(close(fd), 0);
	return moved;
}

static void test_dnsfilter(void **state)
{
	int sockets[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	for (size_t i = 0; i < N(sockets); i++)
		sockets[i] = high(sockets[i]);
	forked(dnsfilter_works, sockets);
	for (size_t i = 0; i < N(sockets); i++)
		assert_int_equal(close(sockets[i]), 0);
	if (SANITIZED)
		skip();
	forked(dnsfilter_files, NULL);
}

static void test_relay(void **state)
{
	int sockets[3];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	sockets[2] = socket(AF_INET, SOCK_STREAM, 0);
	for (size_t i = 0; i < N(sockets); i++)
		sockets[i] = high(sockets[i]);
	forked(relay_works, sockets);
	for (size_t i = 0; i < N(sockets); i++)
		assert_int_equal(close(sockets[i]), 0);
}

/* A failed check of the compiler or of malloc() is told as what it is. */
static void test_abort(void **state)
{
	enum calls_helper kind = CALLS_DNSFILTER;

	(void)state;
	forked_killed(aborts, &kind, SIGABRT);
	kind = CALLS_RELAY;
	forked_killed(aborts, &kind, SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dnsfilter),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_what_ends_a_helper),
#ifdef __x86_64__
		cmocka_unit_test(test_foreign),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
