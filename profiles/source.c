/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "profiles/json.h"
#include "profiles/trust.h"

static int open_failed(const char *path, int error, struct err *e)
{
	struct stat st;

	if (error == EACCES)
		return err_set(e, error,
			       "profile %s: permission denied; you need read "
			       "permission for it and search permission for "
			       "the folders above it",
			       path);
	if (error != ENOENT && error != ENOTDIR)
		return err_errno(e, error, "profile %s", path);
	if (error == ENOENT && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(e, ENOLINK,
			       "profile %s is a link to what does not exist; "
			       "correct or remove the link",
			       path);
	return err_set(e, ENOENT, "profile %s: no such file", path);
}

static int check_kind(const char *path, const struct stat *st, struct err *e)
{
	if (S_ISDIR(st->st_mode))
		return err_set(e, EISDIR,
			       "profile %s is a folder; name the file in it",
			       path);
	if (!S_ISREG(st->st_mode))
		return err_set(e, EINVAL,
			       "profile %s is no regular file; save the "
			       "profile to one and name that",
			       path);
	if (st->st_size > (off_t)JSON_SIZE_MAX)
		return err_set(e, EFBIG,
			       "profile %s has %lld bytes, more than %u; long "
			       "lists of names belong into a file of "
			       "egress_run.allow_domain_file",
			       path, (long long)st->st_size, JSON_SIZE_MAX);
	return 0;
}

int source_open(const char *path, struct stat *st, struct err *e)
{
	/* A fifo must not hold the start up, nor a terminal become ours. */
	cleanup_fd int fd =
		open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return open_failed(path, errno, e);
	if (fstat(fd, st) < 0)
		return err_errno(e, errno, "profile %s", path);
	rc = check_kind(path, st, e);
	return rc ? rc : fd_steal(&fd);
}

int source_read(int fd, const struct stat *st, struct arena *a,
		const char *path, bool shipped, struct library_file *ret,
		struct err *e)
{
	size_t room = (size_t)st->st_size + 1; /* one more shows a change */
	size_t len = 0;
	int rc = shipped ? 0 : trust_check(path, st, e);

	if (rc)
		return rc;
	*ret = (struct library_file) { .shipped = shipped,
				       .dev = st->st_dev,
				       .ino = st->st_ino };
	ret->path = arena_strdup(a, path);
	ret->text = arena_alloc(a, room + 1, 1);
	if (!ret->path || !ret->text)
		return err_errno(e, ENOMEM, "profile %s", path);
	while (len < room) {
		ssize_t n = read(fd, ret->text + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "profile %s", path);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len != (size_t)st->st_size)
		return err_set(e, EAGAIN,
			       "profile %s changed while it was read; try "
			       "again",
			       path);
	ret->len = len;
	return 0;
}
