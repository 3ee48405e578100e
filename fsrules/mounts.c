/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The new root is built on top of the old /proc, a place that nothing is
 * copied from, and then takes the old one's place.  Until the end, the store
 * (newroot.h) lies where the fresh /proc comes last.
 */
#include "fsrules/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "common/fd.h"
#include "fsrules/mountcalls.h"
#include "fsrules/newroot.h"

int mounts_supported(struct err *e)
{
	int rc = mount_supported();

	if (rc == -ENOSYS)
		return err_set(e, ENOSYS,
			       "cannot build the command's files: this kernel "
			       "lacks fsopen or mount_setattr; Linux 5.12 or "
			       "newer is needed");
	if (rc < 0)
		return err_errno(e, -rc,
				 "cannot build the command's files: fsopen and "
				 "mount_setattr are forbidden, as by a "
				 "container's filter; start the container with "
				 "'--security-opt seccomp=unconfined'");
	return 0;
}

/* The root's own item: the host's root, if that is granted. */
static const struct view_item *root_item(const struct view_plan *plan)
{
	const struct view_item *first = plan->n > 0 ? plan->items : NULL;

	return first && first->kind == VIEW_BIND && first->path[1] == '\0'
		       ? first
		       : NULL;
}

static int copy_root(struct newroot *n, const struct view_item *item)
{
	cleanup_fd int at = mount_open(-1, "/");
	int rc = at;

	if (at >= 0)
		n->root = rc = mount_copy(at);
	if (rc >= 0)
		rc = mount_restrict(
			n->root,
			MOUNT_NOSUID | MOUNT_NODEV |
				(item->writable ? 0u : MOUNT_READ_ONLY),
			true);
	return rc < 0 ? err_errno(n->e, -rc, "copy the mounts of /") : 0;
}

static int start_root(struct newroot *n, const struct view_item *item)
{
	static const char *const options[] = { "mode", "0755", "size", "4m",
					       NULL };
	cleanup_fd int at = mount_open(-1, "/proc");
	int rc;

	if (at < 0)
		return err_errno(n->e, -at, "open /proc");
	if (item) {
		rc = copy_root(n, item);
		if (rc < 0)
			return rc;
	} else {
		n->root =
			mount_new("tmpfs", options, MOUNT_NOSUID | MOUNT_NODEV);
		if (n->root < 0)
			return err_errno(n->e, -n->root,
					 "make a tmpfs for the new root");
		if (mkdirat(n->root, "proc", 0755) < 0)
			return err_errno(n->e, errno, "make the new /proc");
	}
	rc = mount_attach(n->root, at);
	return rc < 0 ? err_errno(n->e, -rc, "attach the new root") : 0;
}

/* All but /proc, where the store lies until then. */
static int put_items(struct newroot *n, const struct view_plan *plan)
{
	const struct view_item *proc = NULL;
	int rc = 0;

	for (size_t i = root_item(plan) ? 1 : 0; rc == 0 && i < plan->n; i++) {
		if (plan->items[i].kind == VIEW_PROC)
			proc = &plan->items[i];
		else
			rc = newroot_put(n, &plan->items[i]);
	}
	if (rc == 0 && n->store.fd >= 0) {
		fd_close(&n->store.fd);
		rc = fchdir(n->root) < 0 ? -errno : mount_detach("proc");
		if (rc < 0)
			return err_errno(n->e, -rc, "detach the store");
	}
	return rc == 0 && proc ? newroot_put(n, proc) : rc;
}

/* The skeleton: nothing is to be made in it any more. */
static int lock(struct newroot *n, const struct view_plan *plan)
{
	int rc = root_item(plan)
			 ? 0
			 : mount_restrict(n->root, MOUNT_READ_ONLY, false);

	for (size_t i = 0; rc == 0 && i < plan->n; i++) {
		const struct view_item *item = &plan->items[i];
		cleanup_fd int at = -1;

		if (item->kind != VIEW_TMPFS || item->writable)
			continue;
		at = mount_open(n->root, item->path + 1);
		rc = at < 0 ? at : mount_restrict(at, MOUNT_READ_ONLY, false);
	}
	return rc < 0 ? err_errno(n->e, -rc, "make the new root read-only") : 0;
}

static int go_in(struct newroot *n, const struct view_plan *plan)
{
	int rc = mount_pivot(n->root);

	/* pivot_root(2): "the rootfs cannot be pivot_root()ed". */
	if (rc == -EINVAL)
		return err_set(n->e, EINVAL,
			       "the root file system cannot be left, as that "
			       "of an initramfs; start egress-run on a mounted "
			       "one");
	if (rc < 0)
		return err_errno(n->e, -rc, "change to the new root");
	if (chdir(plan->workdir) < 0)
		return err_errno(n->e, errno, "change to %s", plan->workdir);
	return 0;
}

int mounts_build(const struct view_plan *plan, struct err *e)
{
	struct newroot n = {
		.root = -1, .proc = -1, .store = { -1 }, .parent = -1, .e = e
	};
	mode_t mask = umask(0);
	int rc = mounts_supported(e);

	if (rc == 0)
		rc = kernelfs_proc(&n.proc, e);
	if (rc == 0)
		rc = start_root(&n, root_item(plan));
	if (rc == 0)
		rc = put_items(&n, plan);
	if (rc == 0)
		rc = lock(&n, plan);
	if (rc == 0)
		rc = go_in(&n, plan);
	(void)umask(mask);
	fd_close(&n.store.fd);
	fd_close(&n.parent);
	fd_close(&n.proc);
	fd_close(&n.root);
	return rc;
}

/* True for a mask that is still there. */
static bool is_mask(int fd, const struct stat *st)
{
	struct statfs fs;

	return (st->st_mode & 07777) == 0 && fstatfs(fd, &fs) == 0 &&
	       fs.f_type == TMPFS_MAGIC && fs.f_flags & ST_RDONLY;
}

static int cover(int at, bool directory, const char *path, struct err *e)
{
	struct store s = { .fd = -1 };
	/* Any folder will do for a moment. */
	static const char stage[] = "/proc/fs";
	cleanup_fd int on = mount_open(-1, stage);
	cleanup_fd int mask = -1;
	int rc = on < 0 ? err_errno(e, -on, "open %s", stage)
			: store_open(&s, on, e);

	if (rc == 0) {
		mask = store_mask(&s, directory, path, e);
		rc = mount_detach(stage);
		if (rc < 0)
			(void)err_errno(e, -rc, "detach the store");
	}
	fd_close(&s.fd);
	if (rc < 0 || mask < 0)
		return rc < 0 ? rc : mask;
	rc = mount_attach(mask, at);
	return rc < 0 ? err_errno(e, -rc, "hide %s again", path) : 0;
}

int mounts_mask(const char *path, struct err *e)
{
	cleanup_fd int at = mount_open(-1, path);
	struct stat st;

	if (at == -ENOENT || at == -ENOTDIR)
		return -ENOENT;
	if (at < 0)
		return err_errno(e, -at, "hide %s again", path);
	if (fstat(at, &st) < 0)
		return err_errno(e, errno, "hide %s again", path);
	return is_mask(at, &st) ? 0 : cover(at, S_ISDIR(st.st_mode), path, e);
}

int mounts_compare(const char *path, dev_t dev, ino_t ino)
{
	cleanup_fd int at = mount_open(-1, path);
	struct stat st;

	if (at < 0)
		return at == -ENOENT || at == -ENOTDIR ? 0 : at;
	if (fstat(at, &st) < 0)
		return -errno;
	return st.st_dev == dev && st.st_ino == ino ? 0 : -ESTALE;
}

/* The root of a mount, with that protection if it is asked for. */
static bool is_kept(int fd, bool read_only)
{
	struct statvfs fs;
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0 ||
	    !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return false;
	return !read_only || (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY);
}

int mounts_keep(const char *path, bool read_only, struct err *e)
{
	cleanup_fd int at = mount_open(-1, path);
	cleanup_fd int copy = -1;
	int rc;

	if (at == -ENOENT || at == -ENOTDIR)
		return -ENOENT;
	if (at < 0)
		return err_errno(e, -at, "bind %s again", path);
	if (is_kept(at, read_only))
		return 0;
	copy = mount_copy(at);
	rc = copy < 0 ? copy : 0;
	if (rc == 0 && read_only)
		rc = mount_restrict(copy, MOUNT_READ_ONLY, true);
	if (rc == 0)
		rc = mount_attach(copy, at);
	return rc < 0 ? err_errno(e, -rc, "bind %s again", path) : 0;
}
