/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/privileges.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/securebits.h>

#include <seccomp.h>

#define SECUREBITS                                                       \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |       \
	 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* More than any kernel has; prctl() tells where they end. */
#define CAPS_MAX 64

static int drop_bounding_set(struct err *e)
{
	for (long cap = 0; cap < CAPS_MAX; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0L, 0L, 0L) == 0)
			continue;
		if (errno == EINVAL && cap > 0)
			return 0;
		return err_errno(e, errno, "drop capability %ld", cap);
	}
	return 0;
}

int privileges_drop(struct err *e)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };
	struct __user_cap_data_struct now[2];
	int rc;

	if (prctl(PR_SET_SECUREBITS, (long)SECUREBITS, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "lock securebits");
	rc = drop_bounding_set(e);
	if (rc < 0)
		return rc;
	if (prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) <
	    0)
		return err_errno(e, errno, "clear ambient capabilities");
	if (syscall(SYS_capset, &hdr, none) < 0)
		return err_errno(e, errno, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "set no_new_privs");
	if (syscall(SYS_capget, &hdr, now) < 0)
		return err_errno(e, errno, "read capabilities");
	if (memcmp(now, none, sizeof(none)) != 0)
		return err_set(e, EPERM,
			       "capabilities are left after the drop");
	return 0;
}

static int deny_ioctl(scmp_filter_ctx ctx, unsigned long request)
{
	return seccomp_rule_add(
		ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
		SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffUL, request));
}

static int deny_families(scmp_filter_ctx ctx)
{
	static const struct {
		scmp_datum_t family;
		enum scmp_compare op;
		uint32_t error;
	} rules[] = {
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
		/* As it is without the capability. */
		{ AF_PACKET, SCMP_CMP_EQ, EPERM },
		{ AF_PACKET, SCMP_CMP_GT, EAFNOSUPPORT },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(rules[i].error), SCMP_SYS(socket),
			1,
			(struct scmp_arg_cmp) { .arg = 0,
						.op = rules[i].op,
						.datum_a = rules[i].family });
	return rc;
}

static int deny_io_uring(scmp_filter_ctx ctx)
{
	static const int calls[] = { SCMP_SYS(io_uring_setup),
				     SCMP_SYS(io_uring_enter),
				     SCMP_SYS(io_uring_register) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0);
	return rc;
}

int privileges_filter_calls(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = -ENOMEM;

	if (ctx) {
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				      SCMP_ACT_KILL_PROCESS);
		if (rc == 0)
			rc = deny_ioctl(ctx, TIOCSTI);
		if (rc == 0)
			rc = deny_ioctl(ctx, TIOCLINUX);
		if (rc == 0)
			rc = deny_families(ctx);
		if (rc == 0)
			rc = deny_io_uring(ctx);
		if (rc == 0)
			rc = seccomp_load(ctx);
		seccomp_release(ctx);
	}
	if (rc < 0)
		return err_errno(e, -rc, "load the seccomp filter");
	return 0;
}
