/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation.  Nothing but what is named here; the lists are what the
 * code and the libraries below it (c-ares, glibc, musl) call, on systems
 * without a fast clock too.  What a helper that was taken over can still reach
 * is what its descriptors reach, so it must neither get others nor make more of
 * those that it has:
 *
 * - No socket(), socketpair(), bind(), connect(), open(): descriptors come from
 *   the monitor and from accept4() on listeners in the cage.  (c-ares looks for
 *   /dev/urandom and does without: open() fails instead of killing.)
 * - Each socket that leads out of the cage is connected: the relay's far ends,
 *   the filter's to the resolvers.  write(), splice() and a sendto() without
 *   address go to the peer, whatever the socket; there is no connect() to
 *   dissolve that (AF_UNSPEC).  But sendmsg(), sendmmsg() and sendto() with an
 *   address go anywhere from a connected UDP socket, and the filter needs the
 *   first two for its listeners, whose clients are many, and for the channels.
 *   Their arguments lie in memory, where a filter of calls cannot look; so it
 *   looks at the descriptor's number.
 * - For that the listeners and channels have the lowest numbers, put there
 *   before this filter is loaded.  What number a socket has cannot be changed
 *   then: there is no dup2() or dup3(), close() takes the higher ones alone,
 * and those below calls_fds_fixed() are all in use, so that neither accept4()
 * nor a message nor F_DUPFD ever yields one of them.
 * - The relay's UDP and ICMP sockets of the gateway's netns are among them:
 *   that netns leads to the command alone.
 * - Descriptors that a message carries to the monitor are closed there, and end
 *   the helper.
 *
 * Other arguments are compared where a call is worth more than its use here:
 * nothing executable is mapped, options of sockets are named.
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

/* Of a descriptor's number. */
#define FD_BITS 32
_Static_assert((CALLS_FDS_FIXED & (CALLS_FDS_FIXED - 1)) == 0 &&
		       (CALLS_FDS_FIXED_MANY & (CALLS_FDS_FIXED_MANY - 1)) == 0,
	       "powers of two");

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
};

static const int dnsfilter_calls[] = {
	SCMP_SYS(pread64), /* hosts */
	SCMP_SYS(sysinfo), /* glibc's qsort_r() */
	SCMP_SYS(recvmmsg),
};

static const struct permitted dnsfilter_permitted[] = {
	/* Without an address. */
	{ SCMP_SYS(sendto), 1, { IS(4, 0) } },
	{ SCMP_SYS(getsockopt), 2, { LOW(1, SOL_SOCKET), LOW(2, SO_DOMAIN) } },
	{ SCMP_SYS(setsockopt), 2, { LOW(1, IPPROTO_IP), LOW(2, IP_PKTINFO) } },
	{ SCMP_SYS(setsockopt),
	  2,
	  { LOW(1, IPPROTO_IPV6), LOW(2, IPV6_RECVPKTINFO) } },
};

static const int dnsfilter_to_fixed[] = { SCMP_SYS(sendmsg),
					  SCMP_SYS(sendmmsg) };
static const int relay_to_fixed[] = { SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg) };

/* What fails; all else that is not permitted kills. */
static const int dnsfilter_failing[] = { SCMP_SYS(open), SCMP_SYS(openat) };

static const int relay_calls[] = {
	SCMP_SYS(splice), SCMP_SYS(pipe2), SCMP_SYS(shutdown),
	SCMP_SYS(recvmmsg), /* UDP */
};

static const struct permitted relay_permitted[] = {
	/* Without an address. */
	{ SCMP_SYS(sendto), 1, { IS(4, 0) } },
	/* Whether there is a free one. */
	{ SCMP_SYS(fcntl), 1, { LOW(1, F_DUPFD_CLOEXEC) } },
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
	const int *to_fixed; /* by way of fixed descriptors alone */
	size_t n_to_fixed;
	const int *failing;
	size_t n_failing;
};

static const struct profile profiles[] = {
	[CALLS_DNSFILTER] = { dnsfilter_calls, N(dnsfilter_calls),
			      dnsfilter_permitted, N(dnsfilter_permitted),
			      dnsfilter_to_fixed, N(dnsfilter_to_fixed),
			      dnsfilter_failing, N(dnsfilter_failing) },
	[CALLS_RELAY] = { relay_calls, N(relay_calls), relay_permitted,
			  N(relay_permitted), relay_to_fixed, N(relay_to_fixed),
			  NULL, 0 },
};

static int each_call(scmp_filter_ctx ctx, uint32_t action, const int *calls,
		     size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, action, calls[i], 0);
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

int calls_fds_fixed(int first_fd, size_t n_fds)
{
	return (size_t)first_fd + n_fds <= CALLS_FDS_FIXED
		       ? CALLS_FDS_FIXED
		       : CALLS_FDS_FIXED_MANY;
}

/* In blocks of numbers that differ in their lowest bits alone: a rule each. */
static int permit_range(scmp_filter_ctx ctx, int call, unsigned first,
			unsigned end)
{
	int rc = 0;

	while (rc == 0 && first < end) {
		unsigned size = first & -first; /* first is not 0 */
		struct scmp_arg_cmp fd;

		while (size > end - first)
			size /= 2;
		fd = (struct scmp_arg_cmp) { .arg = 0,
					     .op = SCMP_CMP_MASKED_EQ,
					     .datum_a = 0xffffffffUL &
							~(size - 1UL),
					     .datum_b = first };
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &fd);
		first += size;
	}
	return rc;
}

static int permit_to_fixed(scmp_filter_ctx ctx, const struct profile *p,
			   int first_fd, size_t n_fds)
{
	unsigned first = (unsigned)first_fd;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_to_fixed; i++)
		rc = permit_range(ctx, p->to_fixed[i], first,
				  first + (unsigned)n_fds);
	return rc;
}

/* Of a number that is not fixed: one of its higher bits is set.  A comparison
 * by size would look at 64 bits, of which the kernel takes 32. */
static int permit_close(scmp_filter_ctx ctx, int fixed)
{
	int rc = 0;

	for (int bit = __builtin_ctz((unsigned)fixed); rc == 0 && bit < FD_BITS;
	     bit++) {
		const struct scmp_arg_cmp has = { .arg = 0,
						  .op = SCMP_CMP_MASKED_EQ,
						  .datum_a = 1UL << bit,
						  .datum_b = 1UL << bit };

		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					    SCMP_SYS(close), 1, &has);
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

static int add_rules(scmp_filter_ctx ctx, const struct profile *p, int first_fd,
		     size_t n_fds)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				  SCMP_ACT_KILL_PROCESS);

	if (rc == 0)
		rc = each_call(ctx, SCMP_ACT_ALLOW, common_calls,
			       N(common_calls));
	if (rc == 0)
		rc = each_call(ctx, SCMP_ACT_ALLOW, p->calls, p->n_calls);
	if (rc == 0)
		rc = each_call(ctx, SCMP_ACT_ERRNO(EACCES), p->failing,
			       p->n_failing);
	if (rc == 0)
		rc = permit(ctx, common_permitted, N(common_permitted));
	if (rc == 0)
		rc = permit(ctx, p->permitted, p->n_permitted);
	if (rc == 0)
		rc = permit_to_fixed(ctx, p, first_fd, n_fds);
	if (rc == 0)
		rc = permit_close(ctx, calls_fds_fixed(first_fd, n_fds));
	if (rc == 0)
		rc = permit_abort(ctx);
	return rc;
}

int calls_filter_helper(enum calls_helper kind, int first_fd, size_t n_fds,
			struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = -ENOMEM;

	if (ctx) {
		rc = add_rules(ctx, &profiles[kind], first_fd, n_fds);
		if (rc == 0)
			rc = seccomp_load(ctx);
		seccomp_release(ctx);
	}
	if (rc < 0)
		return err_errno(e, -rc, "load the seccomp filter");
	return 0;
}
