/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hides something is not /dev/null, which reads as empty and swallows
 * what is written, but a file and a folder of mode 000 on a mount that is
 * read-only, so that their owner, who is the command's user, cannot change
 * that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "fsrules/mountcalls.h"
#include "fsrules/newroot.h"

#define LOCKED (MOUNT_READ_ONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC)

static const char *mask_name(bool directory)
{
	return directory ? "folder" : "file";
}

int store_write(int dir, const char *name, mode_t mode, const char *text)
{
	cleanup_fd int fd = openat(
		dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0600);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

int store_open(struct store *s, int target, struct err *e)
{
	static const char *const options[] = { "mode", "0700", "size", "1m",
					       NULL };
	int rc;

	if (s->fd >= 0)
		return 0;
	s->fd = mount_new("tmpfs", options, LOCKED & ~MOUNT_READ_ONLY);
	if (s->fd < 0)
		return err_errno(e, -s->fd, "make a tmpfs for masks");
	rc = store_write(s->fd, mask_name(false), 0, "");
	if (rc == 0 && mkdirat(s->fd, mask_name(true), 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = mount_attach(s->fd, target);
	return rc < 0 ? err_errno(e, -rc, "make what hides denied paths") : 0;
}

static int copy_out(const struct store *s, const char *name)
{
	cleanup_fd int fd = mount_open(s->fd, name);
	cleanup_fd int copy = fd < 0 ? fd : mount_copy(fd);
	int rc = copy < 0 ? copy : mount_restrict(copy, LOCKED, false);

	return rc < 0 ? rc : fd_steal(&copy);
}

int store_mask(const struct store *s, bool directory, const char *path,
	       struct err *e)
{
	int fd = copy_out(s, mask_name(directory));

	return fd < 0 ? err_errno(e, -fd, "make what hides %s", path) : fd;
}

int store_text(const struct store *s, unsigned number,
	       const struct view_item *item, struct err *e)
{
	char name[16];
	int rc;

	(void)snprintf(name, sizeof(name), "%u", number);
	rc = store_write(s->fd, name, item->mode, item->text);
	if (rc == 0)
		rc = copy_out(s, name);
	return rc < 0 ? err_errno(e, -rc, "write the new %s", item->path) : rc;
}
