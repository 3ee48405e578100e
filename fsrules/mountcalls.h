/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's mount calls on descriptors (Linux 5.12), which older C
 * libraries have no functions for.  -errno on failure. */
#ifndef FSRULES_MOUNTCALLS_H
#define FSRULES_MOUNTCALLS_H

#include <stdbool.h>

/* The values of the kernel's MOUNT_ATTR_*. */
enum {
	MOUNT_READ_ONLY = 1,
	MOUNT_NOSUID = 2,
	MOUNT_NODEV = 4,
	MOUNT_NOEXEC = 8,
};

/* 0 if the kernel has them and lets this process use them; -ENOSYS, -EPERM. */
int mount_supported(void);
/* Opens a path below dir (or from the root, if it is absolute) for what
 * follows, through no link at all; "" is dir itself. */
int mount_open(int dir, const char *path);
/* A new file system, not yet attached.  options: name, value, ..., NULL. */
int mount_new(const char *type, const char *const *options, unsigned flags);
/* A copy of what is at an opened path, with the mounts below it. */
int mount_copy(int fd);
/* Adds flags to a mount, or to it and all below it. */
int mount_restrict(int fd, unsigned flags, bool below);
/* Puts a mount onto an opened path. */
int mount_attach(int fd, int target);
/* Onto a name in an opened folder, which must be no link. */
int mount_attach_at(int fd, int dir, const char *name);
/* Takes away the mount at a name in the working directory. */
int mount_detach(const char *name);
/* Makes the mount the root directory; nothing of the old one is left. */
int mount_pivot(int root);

#endif
