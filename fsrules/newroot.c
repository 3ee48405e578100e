/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/newroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "fsrules/mountcalls.h"
#include "profiles/paths.h"

/* Has n->parent be the folder that path lies in; *ret_name: the rest. */
static int open_parent(struct newroot *n, const char *path,
		       const char **ret_name)
{
	size_t len = path_parent(path, strlen(path));

	*ret_name = path + len + (len > 1);
	if (n->parent >= 0 && n->parent_len == len &&
	    memcmp(n->parent_path, path, len) == 0)
		return 0;
	if (len >= sizeof(n->parent_path))
		return -ENAMETOOLONG;
	memcpy(n->parent_path, path, len);
	n->parent_path[len] = '\0';
	n->parent_len = len;
	fd_close(&n->parent);
	n->parent = mount_open(n->root, n->parent_path + 1);
	return n->parent < 0 ? n->parent : 0;
}

/* A folder or an empty file that may be there already. */
static int make_place(struct newroot *n, const char *path, bool directory,
		      mode_t mode, const char **ret_name)
{
	int rc = open_parent(n, path, ret_name);

	if (rc < 0)
		return rc;
	rc = directory ? mkdirat(n->parent, *ret_name, mode)
		       : mknodat(n->parent, *ret_name, S_IFREG | mode, 0);
	return rc < 0 && errno != EEXIST ? -errno : 0;
}

static int attach(struct newroot *n, const struct view_item *item,
		  bool directory, int mount)
{
	cleanup_fd int at = -1;
	const char *name;
	int rc;

	if (item->own) {
		rc = make_place(n, item->path, directory, 0755, &name);
		return rc < 0 ? rc : mount_attach_at(mount, n->parent, name);
	}
	at = mount_open(n->root, item->path + 1);
	return at < 0 ? at : mount_attach(mount, at);
}

/* True for a folder where the plan has a file, or the other way round. */
static bool has_changed(int mount, bool directory)
{
	struct stat st;

	return fstat(mount, &st) == 0 && S_ISDIR(st.st_mode) != directory;
}

int newroot_attach(struct newroot *n, const struct view_item *item,
		   bool directory, int mount)
{
	int rc = attach(n, item, directory, mount);

	if (rc >= 0 || (rc == -ENOENT && item->optional))
		return rc;
	if (has_changed(mount, directory))
		return err_set(n->e, ENOTDIR,
			       "%s: it was a %s when the profile was read, "
			       "and is not now; start again if that was you",
			       item->path, directory ? "folder" : "file");
	return err_errno(n->e, -rc, "mount %s", item->path);
}

static int put_dir(struct newroot *n, const struct view_item *item)
{
	const char *name;
	int rc = make_place(n, item->path, true, item->mode, &name);

	return rc < 0 ? err_errno(n->e, -rc, "make the folder %s", item->path)
		      : 0;
}

static int put_link(struct newroot *n, const struct view_item *item)
{
	const char *name;
	int rc = open_parent(n, item->path, &name);

	if (rc == 0 && symlinkat(item->text, n->parent, name) < 0)
		rc = -errno;
	return rc < 0 ? err_errno(n->e, -rc, "make the link %s", item->path)
		      : 0;
}

static int write_text(struct newroot *n, const struct view_item *item)
{
	const char *name;
	int rc = open_parent(n, item->path, &name);

	if (rc == 0)
		rc = store_write(n->parent, name, item->mode, item->text);
	return rc < 0 ? err_errno(n->e, -rc, "write the new %s", item->path)
		      : 0;
}

/* The place of what covers something of the host's; *ret is -1 if that is
 * gone. */
static int open_covered(struct newroot *n, const struct view_item *item,
			int *ret)
{
	*ret = mount_open(n->root, item->path + 1);
	if (*ret == -ENOENT || *ret == -ENOTDIR) {
		*ret = -1;
		return 0;
	}
	if (*ret < 0)
		return err_errno(n->e, -*ret, "cover %s", item->path);
	return 0;
}

static int cover(struct newroot *n, int mount, int at, const char *path)
{
	int rc = mount_attach(mount, at);

	return rc < 0 ? err_errno(n->e, -rc, "cover %s", path) : 0;
}

static int open_store(struct newroot *n)
{
	cleanup_fd int at = -1;

	if (n->store.fd >= 0)
		return 0;
	at = mount_open(n->root, "proc");
	if (at < 0)
		return err_errno(n->e, -at, "open the folder for /proc");
	return store_open(&n->store, at, n->e);
}

static int put_text(struct newroot *n, const struct view_item *item)
{
	cleanup_fd int at = -1;
	cleanup_fd int file = -1;
	int rc;

	if (item->own)
		return write_text(n, item);
	rc = open_covered(n, item, &at);
	if (rc == 0 && at >= 0)
		rc = open_store(n);
	if (rc < 0 || at < 0)
		return rc;
	file = store_text(&n->store, n->n_texts++, item, n->e);
	return file < 0 ? file : cover(n, file, at, item->path);
}

static int put_mask(struct newroot *n, const struct view_item *item)
{
	cleanup_fd int at = -1;
	cleanup_fd int mask = -1;
	struct stat st;
	int rc = open_covered(n, item, &at);

	if (rc == 0 && at >= 0)
		rc = open_store(n);
	if (rc < 0 || at < 0)
		return rc;
	if (fstat(at, &st) < 0)
		return err_errno(n->e, errno, "cover %s", item->path);
	/* It may have become a folder since. */
	mask = store_mask(&n->store, S_ISDIR(st.st_mode), item->path, n->e);
	return mask < 0 ? mask : cover(n, mask, at, item->path);
}

/* A copy of the host's place with its access. */
static int copy_source(struct newroot *n, const struct view_item *item,
		       int *ret)
{
	unsigned flags = MOUNT_NOSUID | (item->device ? 0u : MOUNT_NODEV) |
			 (item->writable ? 0u : MOUNT_READ_ONLY);
	cleanup_fd int at = mount_open(-1, item->source);
	int rc;

	if (at == -ENOENT && item->optional)
		return -ENOENT;
	if (at == -ELOOP)
		return err_set(n->e, ELOOP,
			       "%s: a symbolic link has taken its place since "
			       "the profile was read; start again if that was "
			       "you",
			       item->source);
	if (at < 0)
		return err_errno(n->e, -at, "open %s", item->source);
	*ret = mount_copy(at);
	if (*ret < 0)
		return err_errno(n->e, -*ret, "copy the mounts of %s",
				 item->source);
	rc = mount_restrict(*ret, flags, true);
	return rc < 0 ? err_errno(n->e, -rc, "restrict the mount of %s",
				  item->source)
		      : 0;
}

static int put_bind(struct newroot *n, const struct view_item *item)
{
	cleanup_fd int copy = -1;
	int rc = copy_source(n, item, &copy);

	if (rc == 0)
		rc = newroot_attach(n, item, item->directory, copy);
	return rc == -ENOENT && item->optional ? 0 : rc;
}

static int put_tmpfs(struct newroot *n, const struct view_item *item)
{
	char mode[8];
	const char *const options[] = { "mode", mode, NULL };
	cleanup_fd int fs = -1;
	int rc;

	(void)snprintf(mode, sizeof(mode), "%04o", item->mode & 07777u);
	fs = mount_new("tmpfs", options, MOUNT_NOSUID | MOUNT_NODEV);
	if (fs < 0)
		return err_errno(n->e, -fs, "make a tmpfs for %s", item->path);
	rc = newroot_attach(n, item, true, fs);
	return rc == -ENOENT && item->optional ? 0 : rc;
}

int newroot_put(struct newroot *n, const struct view_item *item)
{
	static int (*const put[])(struct newroot *,
				  const struct view_item *) = {
		[VIEW_DIR] = put_dir,
		[VIEW_LINK] = put_link,
		[VIEW_TEXT] = put_text,
		[VIEW_BIND] = put_bind,
		[VIEW_TMPFS] = put_tmpfs,
		[VIEW_PROC] = kernelfs_put_proc,
		[VIEW_SYS] = kernelfs_put_sys,
		[VIEW_DEVPTS] = kernelfs_put_devpts,
		[VIEW_MASK] = put_mask,
	};

	return put[item->kind](n, item);
}
