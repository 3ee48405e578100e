/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file systems that the kernel fills: /proc, /sys, /dev/pts. */
#include <errno.h>
#include <string.h>

#include "common/fd.h"
#include "fsrules/mountcalls.h"
#include "fsrules/newroot.h"

#define NO_PROGRAMS (MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC)

int kernelfs_proc(int *ret, struct err *e)
{
	*ret = mount_new("proc", NULL, NO_PROGRAMS);
	if (*ret == -EPERM)
		return err_set(e, EPERM,
			       "cannot mount a fresh /proc: parts of the "
			       "present one are covered, as in a container; "
			       "start the container with '--security-opt "
			       "systempaths=unconfined'");
	return *ret < 0 ? err_errno(e, -*ret, "mount a fresh /proc") : 0;
}

static int make_read_only(int root, const char *path, struct err *e)
{
	cleanup_fd int at = mount_open(root, path);
	cleanup_fd int copy = at < 0 ? at : mount_copy(at);
	int rc = copy;

	if (at == -ENOENT)
		return 0;
	if (rc >= 0)
		rc = mount_restrict(copy, MOUNT_READ_ONLY, true);
	if (rc >= 0)
		rc = mount_attach(copy, at);
	return rc < 0 ? err_errno(e, -rc, "make /%s read-only", path) : 0;
}

/* With a device that does not work as one: opening it is refused. */
static int hide(int root, const char *path, struct err *e)
{
	cleanup_fd int at = mount_open(root, path);
	cleanup_fd int null = mount_open(root, "dev/null");
	cleanup_fd int copy = null < 0 ? null : mount_copy(null);
	int rc = copy < 0 ? copy : 0;

	if (at == -ENOENT)
		return 0;
	if (rc == 0)
		rc = mount_restrict(copy, NO_PROGRAMS | MOUNT_READ_ONLY, false);
	if (rc == 0)
		rc = at < 0 ? at : mount_attach(copy, at);
	return rc < 0 ? err_errno(e, -rc, "hide /%s", path) : 0;
}

/* The switches of the cage's own network namespace: tables that it shares with
 * the host's are read-only in the kernel. */
static const char network_switches[] = "proc/sys/net";

static int copy_network(int root, int *ret, struct err *e)
{
	cleanup_fd int at = mount_open(root, network_switches);

	if (at == -ENOENT)
		return 0;
	*ret = at < 0 ? at : mount_copy(at);
	return *ret < 0 ? err_errno(e, -*ret, "copy /%s", network_switches) : 0;
}

static int put_network(int root, int copy, struct err *e)
{
	cleanup_fd int at = mount_open(root, network_switches);
	int rc = at < 0 ? at : mount_attach(copy, at);

	return rc < 0 ? err_errno(e, -rc, "put /%s back", network_switches) : 0;
}

int kernelfs_put_proc(struct newroot *n, const struct view_item *item)
{
	/* Keys of the user's other sessions; and the kernel's memory, which
	 * only the user id 0 may read. */
	static const char *const hidden[] = {
		"proc/keys",	    "proc/key-users",	 "proc/kcore",
		"proc/kmsg",	    "proc/kpagecount",	 "proc/kpageflags",
		"proc/kpagecgroup", "proc/vmallocinfo",	 "proc/timer_list",
		"proc/slabinfo",    "proc/pagetypeinfo", "proc/sched_debug",
	};
	const size_t n_hidden =
		item->writable ? 2 : sizeof(hidden) / sizeof(hidden[0]);
	/* The user id 0 alone, without a capability, may write these: a line
	 * in scsi/scsi takes a disk away. */
	static const char *const switches[] = {
		"proc/sys",  "proc/sysrq-trigger", "proc/irq",	  "proc/bus",
		"proc/fs",   "proc/acpi",	   "proc/asound", "proc/driver",
		"proc/mtrr", "proc/dynamic_debug", "proc/scsi",
	};
	cleanup_fd int network = -1;
	int rc = newroot_attach(n, item, true, n->proc);

	fd_close(&n->proc);
	if (rc == 0 && !item->writable && item->network)
		rc = copy_network(n->root, &network, n->e);
	for (size_t i = 0; rc == 0 && !item->writable &&
			   i < sizeof(switches) / sizeof(switches[0]);
	     i++)
		rc = make_read_only(n->root, switches[i], n->e);
	if (rc == 0 && network >= 0)
		rc = put_network(n->root, network, n->e);
	for (size_t i = 0; rc == 0 && i < n_hidden; i++)
		rc = hide(n->root, hidden[i], n->e);
	return rc;
}

/* Where parts of /sys are covered (a container), the kernel refuses a fresh
 * one; the present one then shows the host's network devices. */
static int sys_of_host(void)
{
	cleanup_fd int at = mount_open(-1, "/sys");
	cleanup_fd int copy = at < 0 ? at : mount_copy(at);
	int rc = copy < 0 ? copy
			  : mount_restrict(copy, NO_PROGRAMS | MOUNT_READ_ONLY,
					   true);

	return rc < 0 ? rc : fd_steal(&copy);
}

int kernelfs_put_sys(struct newroot *n, const struct view_item *item)
{
	cleanup_fd int fs =
		mount_new("sysfs", NULL, NO_PROGRAMS | MOUNT_READ_ONLY);

	if (fs == -EPERM)
		fs = sys_of_host();
	if (fs < 0)
		return err_errno(n->e, -fs, "mount %s", item->path);
	return newroot_attach(n, item, true, fs);
}

int kernelfs_put_devpts(struct newroot *n, const struct view_item *item)
{
	static const char *const options[] = { "mode", "620", "ptmxmode",
					       "0666", NULL };
	cleanup_fd int fs =
		mount_new("devpts", options, MOUNT_NOSUID | MOUNT_NOEXEC);

	if (fs < 0)
		return err_errno(n->e, -fs, "mount %s", item->path);
	return newroot_attach(n, item, true, fs);
}
