/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/sched.h>

#include "common/fd.h"

pid_t userns_clone(uint64_t flags)
{
	struct clone_args args = { .flags = flags };
	long pid;

	/* With CLONE_PARENT the exit signal is the parent's own. */
	if (!(flags & CLONE_PARENT))
		args.exit_signal = SIGCHLD;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	return pid < 0 ? -errno : (pid_t)pid;
}

static int write_proc(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	return write(fd, text, len) == (ssize_t)len ? 0 : -errno;
}

/* Since Linux 5.12 mapping uid 0 of the parent takes this capability there;
 * it is asked here by its bit in /proc, as the child's own sets are full. */
static bool may_map_root(void)
{
	char path[64];
	unsigned long long caps = ~0ULL;
	char line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)getppid());
	f = fopen(path, "re");
	if (!f)
		return true;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "CapEff:", 7) == 0)
			caps = strtoull(line + 7, NULL, 16);
	(void)fclose(f);
	return caps >> CAP_SETFCAP & 1;
}

int userns_map_self(uid_t uid, gid_t gid, struct err *e)
{
	char line[64];
	int rc;

	(void)snprintf(line, sizeof(line), "%u %u 1", uid, uid);
	rc = write_proc("/proc/self/uid_map", line);
	if (rc == -EPERM && uid == 0 && !may_map_root())
		return err_set(
			e, EPERM,
			"root without CAP_SETFCAP cannot map itself into a "
			"user namespace, as inside another egress-run; name "
			"an ordinary user with --user, or give the container "
			"'--cap-add SETFCAP'");
	if (rc == 0)
		rc = write_proc("/proc/self/setgroups", "deny");
	/* Denied for good in a parent namespace already: fine. */
	if (rc == -EPERM)
		rc = 0;
	if (rc == 0) {
		(void)snprintf(line, sizeof(line), "%u %u 1", gid, gid);
		rc = write_proc("/proc/self/gid_map", line);
	}
	return rc < 0 ? userns_explain(-rc, e) : 0;
}

/* The first number in a sysctl file, or -1. */
static long read_sysctl(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[32];
	char *end = line;
	long value = -1;

	if (!f)
		return -1;
	if (fgets(line, sizeof(line), f))
		value = strtol(line, &end, 10);
	(void)fclose(f);
	return end == line ? -1 : value;
}

static bool apparmor_restricts(void)
{
	return read_sysctl("/proc/sys/kernel/"
			   "apparmor_restrict_unprivileged_userns") > 0;
}

static bool under_seccomp(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	bool filtered = false;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "Seccomp:\t2", 10) == 0)
			filtered = true;
	(void)fclose(f);
	return filtered;
}

static bool in_chroot(void)
{
	struct stat root;
	struct stat init_root;

	return stat("/", &root) == 0 && stat("/proc/1/root", &init_root) == 0 &&
	       (root.st_ino != init_root.st_ino ||
		root.st_dev != init_root.st_dev);
}

/* /proc/1/root takes privilege to read.  The root of a chroot is mostly no
 * mount, and then no line of mountinfo is about "/". */
static bool root_is_no_mount(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	bool found = false;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		const char *p = line;

		for (int field = 0; p && field < 4; field++) {
			p = strchr(p, ' ');
			p = p ? p + 1 : NULL;
		}
		if (p && strncmp(p, "/ ", 2) == 0)
			found = true;
	}
	(void)fclose(f);
	return !found;
}

/* The kind of namespace whose limit is 0, or NULL. */
static const char *forbidden_kind(void)
{
	static const char *const kinds[] = { "user", "net", "mnt",   "pid",
					     "ipc",  "uts", "cgroup" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path),
			       "/proc/sys/user/max_%s_namespaces", kinds[i]);
		if (read_sysctl(path) == 0)
			return kinds[i];
	}
	return NULL;
}

int userns_explain(int errnum, struct err *e)
{
	static const char prefix[] = "cannot create a user namespace";
	const char *kind = forbidden_kind();

	if (kind)
		return err_set(e, errnum,
			       "%s: user.max_%s_namespaces is 0; as root: "
			       "'sysctl -w user.max_%s_namespaces=15000'",
			       prefix, kind, kind);
	if (read_sysctl("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return err_set(e, errnum,
			       "%s: kernel.unprivileged_userns_clone is 0; as "
			       "root: 'sysctl -w "
			       "kernel.unprivileged_userns_clone=1'",
			       prefix);
	if (apparmor_restricts() && (errnum == EPERM || errnum == EACCES))
		return err_set(
			e, errnum,
			"%s: AppArmor restricts them on this host; as root, "
			"install the profile that egress-run(1) shows under "
			"APPARMOR and load it with 'apparmor_parser -r "
			"/etc/apparmor.d/egress-run'",
			prefix);
	if (errnum == ENOSPC || errnum == EUSERS)
		return err_set(e, errnum,
			       "%s: the limit of this user is reached (%s); "
			       "raise user.max_user_namespaces and "
			       "the other user.max_*_namespaces",
			       prefix, strerror(errnum));
	if (errnum == EINVAL)
		return err_set(e, errnum,
			       "%s: this kernel is built without "
			       "CONFIG_USER_NS or CONFIG_NET_NS",
			       prefix);
	if ((errnum == EPERM || errnum == ENOSYS) && under_seccomp())
		return err_set(
			e, errnum,
			"%s: a seccomp filter forbids it, as inside another "
			"run of egress-run, where there is no remedy, or in "
			"a container with Docker's default; start that with "
			"'--security-opt seccomp=unconfined --security-opt "
			"apparmor=unconfined --security-opt "
			"systempaths=unconfined'",
			prefix);
	if (errnum == EPERM && (in_chroot() || root_is_no_mount()))
		return err_set(e, errnum,
			       "%s: the kernel refuses them inside a chroot; "
			       "run outside it, or enter the tree with "
			       "pivot_root (systemd-nspawn, a container)",
			       prefix);
	return err_errno(e, errnum, "%s", prefix);
}

/* AppArmor's restriction lets the namespace come into being, and takes its
 * capabilities. */
int userns_private_mounts(struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	if ((errno == EACCES || errno == EPERM) && apparmor_restricts())
		return userns_explain(errno, e);
	return err_errno(e, errno, "make mounts private");
}
