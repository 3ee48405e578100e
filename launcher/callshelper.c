/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helpers' filters: nothing but what is named here.  The lists are what
 * the code and the libraries below it (c-ares, glibc, musl) call, on systems
 * without a fast clock too; arguments are compared where a call is worth more
 * than its use here: nothing executable is mapped, files are opened for
 * reading, sockets are of the internet.
 */
#include "launcher/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* From headers that clash with libc's; IPv4's and IPv6's number. */
#define ORIGINAL_DST 80

/* A call, and what one or two of its arguments must be. */
struct permitted {
	int call;
	unsigned n;
	struct scmp_arg_cmp arg[2];
};

#define IS(i, value)                                              \
	{                                                         \
		.arg = (i), .op = SCMP_CMP_EQ, .datum_a = (value) \
	}
#define WITHOUT(i, bits)                                                \
	{                                                               \
		.arg = (i), .op = SCMP_CMP_MASKED_EQ, .datum_a = (bits) \
	}
/* int arguments: the upper half means nothing to the kernel. */
#define LOW(i, value)                                                          \
	{                                                                      \
		.arg = (i), .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xffffffffUL, \
		.datum_b = (uint32_t)(value)                                   \
	}

#define NOT_FOR_READING (O_ACCMODE | O_CREAT | O_TRUNC)
/* SOCK_CLOEXEC and SOCK_NONBLOCK may be there. */
#define TYPE_BITS 0xfUL

static const int common_calls[] = {
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(accept4),
	/* Memory. */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* Signals of its own, and the end. */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* Clocks, where the kernel does not give them without a call. */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	/* The same for 32 bits. */
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(futex_time64),
	SCMP_SYS(send),
	SCMP_SYS(recv),
};

static const struct permitted common_permitted[] = {
	{ SCMP_SYS(mmap), 1, { WITHOUT(2, PROT_EXEC) } },
	{ SCMP_SYS(mprotect), 1, { WITHOUT(2, PROT_EXEC) } },
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_GETFD) } },
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_SETFD) } },
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_GETFL) } },
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_SETFL) } },
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_DUPFD_CLOEXEC) } },
};

static const int dnsfilter_calls[] = {
	/* Files: Landlock says which.  lseek and fstat are stdio's. */
	SCMP_SYS(stat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstat),
	SCMP_SYS(lseek),
	SCMP_SYS(sysinfo) /* glibc's qsort_r() */,
	/* c-ares looks for the host's name if resolv.conf has no domain. */
	SCMP_SYS(uname),
	SCMP_SYS(connect),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(getsockname),
};

static const struct permitted dnsfilter_permitted[] = {
	{ SCMP_SYS(open), 1, { WITHOUT(1, NOT_FOR_READING) } },
	{ SCMP_SYS(openat), 1, { WITHOUT(2, NOT_FOR_READING) } },
	{ SCMP_SYS(getsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_DOMAIN) } },
	{ SCMP_SYS(getsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_ERROR) } },
	{ SCMP_SYS(setsockopt), 2, { LOW(1, IPPROTO_IP), LOW(2, IP_PKTINFO) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_IPV6), LOW(2, IPV6_RECVPKTINFO) } },
	/* c-ares, of several versions. */
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_NODELAY) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_FASTOPEN_CONNECT) } },
	{ SCMP_SYS(setsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_SNDBUF) } },
	{ SCMP_SYS(setsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_RCVBUF) } },
};

static const int relay_calls[] = {
	SCMP_SYS(splice),
	SCMP_SYS(pipe2),
	SCMP_SYS(shutdown),
};

static const struct permitted relay_permitted[] = {
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_SETPIPE_SZ) } },
	/* Its own limits. */
	{ SCMP_SYS(prlimit64), 1, { LOW(0, 0) } },
	{ SCMP_SYS(getrlimit), 0, { { 0 } } },
	{ SCMP_SYS(setrlimit), 0, { { 0 } } },
	{ SCMP_SYS(getsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_ERROR) } },
	{ SCMP_SYS(getsockopt),
	  2,
	  { LOW(1, IPPROTO_IP), LOW(2, ORIGINAL_DST) } },
	{ SCMP_SYS(getsockopt),
	  2,
	  { LOW(1, IPPROTO_IPV6), LOW(2, ORIGINAL_DST) } },
	{ SCMP_SYS(setsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_LINGER) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, SOL_SOCKET), LOW(2, SO_KEEPALIVE) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, SOL_SOCKET), LOW(2, SO_OOBINLINE) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_NODELAY) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_KEEPIDLE) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_KEEPINTVL) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_KEEPCNT) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_TCP), LOW(2, TCP_CONGESTION) } },
};

struct profile {
	const int *calls;
	size_t n_calls;
	const struct permitted *permitted;
	size_t n_permitted;
	bool sockets; /* may open connections */
};

static const struct profile profiles[] = {
	[CALLS_DNSFILTER] = { dnsfilter_calls, N(dnsfilter_calls),
			      dnsfilter_permitted, N(dnsfilter_permitted),
			      true },
	[CALLS_RELAY] = { relay_calls, N(relay_calls), relay_permitted,
			  N(relay_permitted), false },
};

static int permit_calls(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

static int permit(scmp_filter_ctx ctx, const struct permitted *p, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, p[i].call,
					    p[i].n, p[i].arg);
	return rc;
}

/* The families in both halves of the 64 bits: no other has a way in. */
static int permit_sockets(scmp_filter_ctx ctx)
{
	static const scmp_datum_t families[] = { AF_INET, AF_INET6 };
	static const scmp_datum_t types[] = { SOCK_STREAM, SOCK_DGRAM };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N(families) * N(types); i++) {
		const struct scmp_arg_cmp args[] = {
			IS(0, families[i / N(types)]),
			{ .arg = 1,
			  .op = SCMP_CMP_MASKED_EQ,
			  .datum_a = TYPE_BITS,
			  .datum_b = types[i % N(types)] },
		};

		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					    SCMP_SYS(socket), N(args), args);
	}
	return rc;
}

/* abort() and the checks of the compiler end the process by a signal to
 * itself; nobody else is to get one. */
static int permit_abort(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(
		ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
}

static int add_rules(scmp_filter_ctx ctx, const struct profile *p)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				  SCMP_ACT_KILL_PROCESS);

	if (rc == 0)
		rc = permit_calls(ctx, common_calls, N(common_calls));
	if (rc == 0)
		rc = permit_calls(ctx, p->calls, p->n_calls);
	if (rc == 0)
		rc = permit(ctx, common_permitted, N(common_permitted));
	if (rc == 0)
		rc = permit(ctx, p->permitted, p->n_permitted);
	if (rc == 0 && p->sockets)
		rc = permit_sockets(ctx);
	if (rc == 0)
		rc = permit_abort(ctx);
	return rc;
}

int calls_filter_helper(enum calls_helper kind, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = -ENOMEM;

	if (ctx) {
		rc = add_rules(ctx, &profiles[kind]);
		if (rc == 0)
			rc = seccomp_load(ctx);
		seccomp_release(ctx);
	}
	if (rc < 0)
		return err_errno(e, -rc, "load the seccomp filter");
	return 0;
}
