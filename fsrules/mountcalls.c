/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/mountcalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not <sys/mount.h>: the two exclude each other in some C libraries. */
#include <linux/mount.h>
#include <linux/openat2.h>

#include "common/fd.h"

#define DETACH 2L /* MNT_DETACH of <sys/mount.h> */

_Static_assert((int)MOUNT_READ_ONLY == MOUNT_ATTR_RDONLY &&
		       (int)MOUNT_NOSUID == MOUNT_ATTR_NOSUID &&
		       (int)MOUNT_NODEV == MOUNT_ATTR_NODEV &&
		       (int)MOUNT_NOEXEC == MOUNT_ATTR_NOEXEC,
	       "the kernel's values");

static int result(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

int mount_supported(void)
{
	struct mount_attr none = { 0 };

	/* What asks for nothing, and what asks for nonsense. */
	if (syscall(SYS_mount_setattr, -1, "", (long)AT_EMPTY_PATH, &none,
		    sizeof(none)) < 0 &&
	    (errno == ENOSYS || errno == EPERM))
		return -errno;
	if (syscall(SYS_fsopen, NULL, -1L) < 0 &&
	    (errno == ENOSYS || errno == EPERM))
		return -errno;
	return 0;
}

int mount_open(int dir, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	if (path[0] == '\0')
		path = ".";
	if (path[0] != '/')
		how.resolve |= RESOLVE_BENEATH;
	return result(syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

int mount_new(const char *type, const char *const *options, unsigned flags)
{
	cleanup_fd int fs =
		result(syscall(SYS_fsopen, type, (long)FSOPEN_CLOEXEC));

	if (fs < 0)
		return fs;
	for (; options && options[0]; options += 2)
		if (syscall(SYS_fsconfig, fs, (long)FSCONFIG_SET_STRING,
			    options[0], options[1], 0L) < 0)
			return -errno;
	if (syscall(SYS_fsconfig, fs, (long)FSCONFIG_CMD_CREATE, NULL, NULL,
		    0L) < 0)
		return -errno;
	return result(
		syscall(SYS_fsmount, fs, (long)FSMOUNT_CLOEXEC, (long)flags));
}

int mount_copy(int fd)
{
	return result(syscall(SYS_open_tree, fd, "",
			      (long)(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				     AT_EMPTY_PATH | AT_RECURSIVE)));
}

int mount_restrict(int fd, unsigned flags, bool below)
{
	struct mount_attr attr = { .attr_set = flags };

	return result(
		syscall(SYS_mount_setattr, fd, "",
			(long)(AT_EMPTY_PATH | (below ? AT_RECURSIVE : 0)),
			&attr, sizeof(attr)));
}

int mount_attach(int fd, int target)
{
	return result(syscall(
		SYS_move_mount, fd, "", target, "",
		(long)(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)));
}

int mount_attach_at(int fd, int dir, const char *name)
{
	return result(syscall(SYS_move_mount, fd, "", dir, name,
			      (long)MOVE_MOUNT_F_EMPTY_PATH));
}

int mount_detach(const char *name)
{
	return result(syscall(SYS_umount2, name, DETACH));
}

int mount_pivot(int root)
{
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	/* The old root lies over the new one, and "." is still it. */
	if (syscall(SYS_umount2, ".", DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}
