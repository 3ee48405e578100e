/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/privileges.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>

/* The last may come only when the ambient set is as it shall be. */
#define SECUREBITS                                                       \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |   \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* More than any kernel has; prctl() tells where they end. */
#define CAPS_MAX 64

#define BIT(cap) ((uint64_t)1 << (cap))

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* Never kept.  SYS_ADMIN: the view's mounts are the cage's.  SYS_PTRACE: init
 * is in the same user namespace.  SETFCAP: where the uid is the machine's root,
 * a file's capabilities are the machine's.  The others mean something only
 * outside of any user namespace. */
#define NEVER_KEPT                                                             \
	(BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PTRACE) | BIT(CAP_SETFCAP) |         \
	 BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_BOOT) |        \
	 BIT(CAP_SYS_TIME) | BIT(CAP_SYSLOG) | BIT(CAP_BPF) |                  \
	 BIT(CAP_PERFMON) | BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_MAC_ADMIN) | \
	 BIT(CAP_MAC_OVERRIDE) | BIT(CAP_AUDIT_CONTROL) |                      \
	 BIT(CAP_AUDIT_READ) | BIT(CAP_AUDIT_WRITE))

static int limit_bounding_set(uint64_t keep, uint64_t *ret_known, struct err *e)
{
	*ret_known = 0;
	for (long cap = 0; cap < CAPS_MAX; cap++) {
		int held = prctl(PR_CAPBSET_READ, cap, 0L, 0L, 0L);

		if (held < 0 && errno == EINVAL && cap > 0)
			return 0;
		*ret_known |= BIT(cap);
		if (held < 0 || (held > 0 && !(keep & BIT(cap)) &&
				 prctl(PR_CAPBSET_DROP, cap, 0L, 0L, 0L) < 0))
			return err_errno(e, errno, "drop capability %ld", cap);
	}
	return 0;
}

static int set_capabilities(uint64_t keep, struct err *e)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct want[2];
	struct __user_cap_data_struct now[2];

	for (int i = 0; i < 2; i++) {
		uint32_t half = (uint32_t)(keep >> (32 * i));

		want[i] = (struct __user_cap_data_struct) {
			.effective = half,
			.permitted = half,
			.inheritable = half,
		};
	}
	if (syscall(SYS_capset, &hdr, want) < 0)
		return err_errno(e, errno, "drop capabilities");
	if (syscall(SYS_capget, &hdr, now) < 0)
		return err_errno(e, errno, "read capabilities");
	if (memcmp(now, want, sizeof(want)) != 0)
		return err_set(e, EPERM,
			       "capabilities are left after the drop");
	return 0;
}

/* They survive execve() by this set alone. */
static int raise_ambient(uint64_t caps, struct err *e)
{
	for (long cap = 0; cap < CAPS_MAX; cap++)
		if ((caps & BIT(cap)) &&
		    prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_RAISE, cap, 0L,
			  0L) < 0)
			return err_errno(e, errno, "keep capability %ld", cap);
	return 0;
}

static int forbid_new(struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "set no_new_privs");
	return 0;
}

static int lock_securebits(struct err *e)
{
	if (prctl(PR_SET_SECUREBITS, (long)SECUREBITS, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "lock securebits");
	return 0;
}

static int clear_ambient(struct err *e)
{
	if (prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) <
	    0)
		return err_errno(e, errno, "clear ambient capabilities");
	return 0;
}

int privileges_drop(struct err *e)
{
	uint64_t known;
	int rc = lock_securebits(e);

	if (rc == 0)
		rc = limit_bounding_set(0, &known, e);
	if (rc == 0)
		rc = clear_ambient(e);
	if (rc == 0)
		rc = set_capabilities(0, e);
	return rc < 0 ? rc : forbid_new(e);
}

int privileges_keep_namespace(struct err *e)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct now[2];
	uint64_t keep;
	uint64_t known;
	int rc;

	if (syscall(SYS_capget, &hdr, now) < 0)
		return err_errno(e, errno, "read capabilities");
	keep = now[0].permitted | (uint64_t)now[1].permitted << 32;
	keep &= ~NEVER_KEPT;
	rc = limit_bounding_set(keep, &known, e);
	if (rc == 0)
		rc = clear_ambient(e);
	if (rc == 0)
		rc = set_capabilities(keep, e);
	if (rc == 0)
		rc = raise_ambient(keep & known, e);
	/* SETPCAP is among those that are kept. */
	if (rc == 0)
		rc = lock_securebits(e);
	return rc < 0 ? rc : forbid_new(e);
}

int privileges_new_keyring(struct err *e)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
		return 0;
	/* EDQUOT: the user has many runs at once. */
	if (errno == ENOSYS || errno == EPERM || errno == EDQUOT)
		return 1;
	return err_errno(e, errno, "make a session keyring");
}
