/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command's filter: everything but what is named here.  Left alone on
 * purpose: ptrace, process_vm_*, pidfd_*, memfd_create, seccomp, personality
 * and chroot, which debuggers, compilers at run time and browsers use and which
 * reach nothing outside the cage.
 */
#include "launcher/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/netlink.h>

#include <seccomp.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define LOW_32 0xffffffffUL

/* Newer than the library knows; the same number on every architecture. */
#define CALL_FCHMODAT2	    452
#define CALL_OPEN_TREE_ATTR 467

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int deny(scmp_filter_ctx ctx, int error, const int *calls, size_t n)
{
	int rc = 0;

	/* A call that this architecture does not have is no error. */
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint32_t)error),
				      calls[i], 0);
	return rc;
}

static int deny_calls(scmp_filter_ctx ctx)
{
	static const int forbidden[] = {
		/* Mounts, which would uncover what is masked. */
		SCMP_SYS(mount),
		SCMP_SYS(umount),
		SCMP_SYS(umount2),
		SCMP_SYS(pivot_root),
		SCMP_SYS(open_tree),
		SCMP_SYS(move_mount),
		SCMP_SYS(fsopen),
		SCMP_SYS(fsconfig),
		SCMP_SYS(fsmount),
		SCMP_SYS(fspick),
		SCMP_SYS(mount_setattr),
		CALL_OPEN_TREE_ATTR,
		/* Other namespaces; files by number instead of by path. */
		SCMP_SYS(setns),
		SCMP_SYS(open_by_handle_at),
		/* Large and often broken parts of the kernel. */
		SCMP_SYS(bpf),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(userfaultfd),
		/* The user's keys outside. */
		SCMP_SYS(keyctl),
		SCMP_SYS(add_key),
		SCMP_SYS(request_key),
		/* The machine. */
		SCMP_SYS(kexec_load),
		SCMP_SYS(kexec_file_load),
		SCMP_SYS(init_module),
		SCMP_SYS(finit_module),
		SCMP_SYS(delete_module),
		SCMP_SYS(create_module),
		SCMP_SYS(swapon),
		SCMP_SYS(swapoff),
		SCMP_SYS(reboot),
		SCMP_SYS(quotactl),
		SCMP_SYS(quotactl_fd),
		SCMP_SYS(acct),
		SCMP_SYS(clock_settime),
		SCMP_SYS(settimeofday),
		SCMP_SYS(stime),
		SCMP_SYS(iopl),
		SCMP_SYS(ioperm),
		SCMP_SYS(vhangup),
		SCMP_SYS(sethostname),
		SCMP_SYS(setdomainname),
		SCMP_SYS(syslog),
		SCMP_SYS(nfsservctl),
		SCMP_SYS(lookup_dcookie),
	};
	static const int absent[] = { SCMP_SYS(io_uring_setup),
				      SCMP_SYS(io_uring_enter),
				      SCMP_SYS(io_uring_register) };
	int rc = deny(ctx, EPERM, forbidden, N(forbidden));

	return rc < 0 ? rc : deny(ctx, ENOSYS, absent, N(absent));
}

static int deny_flag(scmp_filter_ctx ctx, int call, unsigned arg,
		     scmp_datum_t flag)
{
	return seccomp_rule_add(
		ctx, SCMP_ACT_ERRNO(EPERM), call, 1,
		(struct scmp_arg_cmp) { .arg = arg,
					.op = SCMP_CMP_MASKED_EQ,
					.datum_a = flag,
					.datum_b = flag });
}

static int deny_namespaces(scmp_filter_ctx ctx)
{
	static const scmp_datum_t flags[] = {
		CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID,	CLONE_NEWNET,
	};
	static const int clone3[] = { SCMP_SYS(clone3) };
#if defined(__s390__) || defined(__s390x__)
	const unsigned clone_flags = 1;
#else
	const unsigned clone_flags = 0;
#endif
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N(flags); i++) {
		rc = deny_flag(ctx, SCMP_SYS(clone), clone_flags, flags[i]);
		if (rc == 0)
			rc = deny_flag(ctx, SCMP_SYS(unshare), 0, flags[i]);
	}
	/* clone() has the signal in these bits. */
	if (rc == 0)
		rc = deny_flag(ctx, SCMP_SYS(unshare), 0, CLONE_NEWTIME);
	/* Its flags are behind a pointer; libraries then use clone(). */
	return rc < 0 ? rc : deny(ctx, ENOSYS, clone3, N(clone3));
}

/* A file that is setuid outside would give the user's rights, in a container
 * root's, to whoever finds it.  (setgid is also a mode of folders, and stays.)
 * What openat2() makes is behind a pointer; libraries then use openat(). */
static int deny_setuid(scmp_filter_ctx ctx)
{
	static const struct {
		int call;
		unsigned mode; /* argument */
	} always[] = {
		{ SCMP_SYS(chmod), 1 },	   { SCMP_SYS(fchmod), 1 },
		{ SCMP_SYS(fchmodat), 2 }, { CALL_FCHMODAT2, 2 },
		{ SCMP_SYS(creat), 1 },	   { SCMP_SYS(mknod), 1 },
		{ SCMP_SYS(mknodat), 2 },
	};
	/* Without O_CREAT the mode is whatever the register holds. */
	static const struct {
		int call;
		unsigned flags, mode;
	} opening[] = { { SCMP_SYS(open), 1, 2 }, { SCMP_SYS(openat), 2, 3 } };
	static const scmp_datum_t makes[] = { O_CREAT,
					      O_TMPFILE & ~O_DIRECTORY };
	static const int openat2[] = { SCMP_SYS(openat2) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N(always); i++)
		rc = deny_flag(ctx, always[i].call, always[i].mode, S_ISUID);
	for (size_t i = 0; rc == 0 && i < N(opening) * N(makes); i++) {
		const scmp_datum_t flag = makes[i % N(makes)];

		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(EPERM), opening[i / N(makes)].call,
			2,
			(struct scmp_arg_cmp) { opening[i / N(makes)].flags,
						SCMP_CMP_MASKED_EQ, flag,
						flag },
			(struct scmp_arg_cmp) { opening[i / N(makes)].mode,
						SCMP_CMP_MASKED_EQ, S_ISUID,
						S_ISUID });
	}
	return rc < 0 ? rc : deny(ctx, ENOSYS, openat2, N(openat2));
}

static int deny_ioctls(scmp_filter_ctx ctx)
{
	/* The third: line disciplines, drivers that nobody looks after. */
	static const scmp_datum_t requests[] = { TIOCSTI, TIOCLINUX, TIOCSETD };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N(requests); i++)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, LOW_32, requests[i]));
	return rc;
}

struct family_rule {
	scmp_datum_t family;
	enum scmp_compare op;
	uint32_t error;
};

/* The argument has 32 bits for the kernel and 64 here: with anything in the
 * upper half it is greater than all of these. */
static int deny_families(scmp_filter_ctx ctx, bool packet)
{
	static const struct family_rule rules[] = {
		{ AF_UNSPEC, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_AX25, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_IPX, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_APPLETALK, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_NETROM, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_BRIDGE, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_ATMPVC, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_X25, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_ROSE, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_DECnet, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_NETBEUI, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_SECURITY, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_KEY, SCMP_CMP_EQ, EAFNOSUPPORT },
		{ AF_PACKET, SCMP_CMP_GT, EAFNOSUPPORT },
		/* The last: as it is without the capability. */
		{ AF_PACKET, SCMP_CMP_EQ, EPERM },
	};
	size_t n = packet ? N(rules) - 1 : N(rules);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(rules[i].error), SCMP_SYS(socket),
			1,
			(struct scmp_arg_cmp) { .arg = 0,
						.op = rules[i].op,
						.datum_a = rules[i].family });
	/* TIPC has pairs too, of no network namespace's own. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EOPNOTSUPP),
				      SCMP_SYS(socketpair), 1,
				      SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
	return rc;
}

/* Routes and addresses, for getifaddrs(); ss(8) goes on to /proc. */
static int deny_netlink(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPROTONOSUPPORT),
				SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
				SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE, 0));
}

static int add_rules(scmp_filter_ctx ctx, const struct calls_options *o)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				  SCMP_ACT_KILL_PROCESS);

	if (rc == 0)
		rc = deny_calls(ctx);
	if (rc == 0)
		rc = deny_ioctls(ctx);
	if (rc == 0)
		rc = deny_setuid(ctx);
	if (rc == 0)
		rc = deny_families(ctx, o->capabilities);
	if (rc == 0 && !o->capabilities)
		rc = deny_netlink(ctx);
	if (rc == 0 && !o->user_namespaces)
		rc = deny_namespaces(ctx);
	return rc;
}

int calls_filter_command(const struct calls_options *o, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = -ENOMEM;

	if (ctx) {
		rc = add_rules(ctx, o);
		if (rc == 0)
			rc = seccomp_load(ctx);
		seccomp_release(ctx);
	}
	if (rc < 0)
		return err_errno(e, -rc, "load the seccomp filter");
	return 0;
}
