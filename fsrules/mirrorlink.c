/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/mirrorlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/uninit.h"
#include "fsrules/mirrorfolder.h"

/* A file that is replaced again while it is carried. */
#define EXCHANGE_TRIES 4
/* Where no link can be had, by copy. */
#define COPY_MAX (64 << 20)
#define PROC_FD	 sizeof("/proc/self/fd/-2147483648")

/* What one side has under the name. */
struct side {
	int fd; /* O_PATH; -1: nothing */
	struct stat st;
	bool usable;
};

static struct mirror_stamp stamp_of(const struct side *s)
{
	if (s->fd < 0)
		return (struct mirror_stamp) { 0 };
	return (struct mirror_stamp) { .dev = s->st.st_dev,
				       .ino = s->st.st_ino,
				       .size = s->st.st_size,
				       .mtime = s->st.st_mtim };
}

static bool same_stamp(const struct mirror_stamp *a,
		       const struct mirror_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* Opens nothing but the name itself: no link, no fifo that would wait. */
static int look(int dirfd, const char *name, struct side *ret)
{
	*ret = (struct side) { .fd = -1 };
	ret->fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (ret->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(ret->fd, &ret->st) < 0)
		return -errno;
	ret->usable = S_ISREG(ret->st.st_mode) && ret->st.st_uid == geteuid() &&
		      !(ret->st.st_mode & (S_ISUID | S_ISGID));
	return 0;
}

static const char *why_unusable(const struct side *s)
{
	if (!S_ISREG(s->st.st_mode))
		return "it was replaced by something that is not a file";
	if (s->st.st_uid != geteuid())
		return "it was replaced by a file of another user";
	return "it was replaced by a file with the setuid or setgid bit";
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int copy_content(int from, int to)
{
	uninit char buf[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));
		int rc;

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		total += n > 0 ? (size_t)n : 0;
		if (total > COPY_MAX)
			return -EFBIG;
		rc = n > 0 ? write_all(to, buf, (size_t)n) : 0;
		if (rc < 0)
			return rc;
	}
}

static int copy_to(const struct side *from, int dirfd, const char *name)
{
	char path[PROC_FD];
	cleanup_fd int in = -1;
	cleanup_fd int out = -1;
	int rc;

	if (from->st.st_size > COPY_MAX)
		return -EFBIG;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", from->fd);
	in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (in < 0)
		return -errno;
	out = openat(dirfd, name,
		     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     from->st.st_mode & 0777);
	if (out < 0)
		return -errno;
	rc = copy_content(in, out);
	if (rc == 0 && fchmod(out, from->st.st_mode & 0777) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(dirfd, name, 0);
	return rc;
}

static int link_to(const struct side *from, int dirfd, const char *name)
{
	char path[PROC_FD];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", from->fd);
	return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0
		       ? -errno
		       : 0;
}

static int try_put(const struct side *from, int dirfd, const char *name,
		   struct mirror_stamp *ret)
{
	char temporary[MIRROR_NAME_SIZE];
	struct side to = { .fd = -1 };
	int rc = mirror_name(MIRROR_TEMPORARY, temporary);

	if (rc < 0)
		return rc;
	rc = link_to(from, dirfd, temporary);
	if (rc == -EPERM || rc == -EMLINK || rc == -EXDEV)
		rc = copy_to(from, dirfd, temporary);
	if (rc < 0)
		return rc;
	rc = look(dirfd, temporary, &to);
	if (rc == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(dirfd, temporary, 0);
	*ret = stamp_of(&to);
	fd_close(&to.fd);
	return rc;
}

/* Over whatever has the name, in one step.  Once more if another run took the
 * temporary name for a leftover.  What was put there is remembered, and not
 * what is there by then: that may be the next replacement.  After a copy the
 * two are two files, and each write to one of them counts as a replacement. */
static int carry(struct mirror_link *l, const struct side *from, bool outwards)
{
	int dirfd = outwards ? l->outer : l->inner;
	struct mirror_stamp put;
	int rc = try_put(from, dirfd, l->name, &put);

	if (rc == -ENOENT)
		rc = try_put(from, dirfd, l->name, &put);
	if (rc < 0)
		return rc;
	l->in = outwards ? stamp_of(from) : put;
	l->out = outwards ? put : stamp_of(from);
	return 0;
}

int mirror_link_make(struct mirror_link *l)
{
	struct side out;
	int rc = look(l->outer, l->name, &out);

	if (rc == 0 && out.fd < 0)
		rc = -ENOENT;
	if (rc == 0 && !out.usable)
		rc = -EPERM;
	if (rc == 0)
		rc = link_to(&out, l->inner, l->name);
	l->in = l->out = stamp_of(&out);
	fd_close(&out.fd);
	return rc;
}

static int compare_times(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

static bool is_replaced(const struct side *s, const struct mirror_stamp *was)
{
	return s->st.st_ino != was->ino || s->st.st_dev != was->dev;
}

/* The ctime of a replaced file is the time of the rename.  That of the old one
 * is too, for it lost a name by it: there the content counts. */
static const struct timespec *changed_at(const struct side *s, bool replaced)
{
	return replaced ? &s->st.st_ctim : &s->st.st_mtim;
}

/* True if what is inside came later.  Clocks are coarse: of a write and a
 * replacement at the same time, the replacement was second, as programs save
 * that way. */
static bool is_later(const struct mirror_link *l, const struct side *in,
		     const struct side *out)
{
	bool in_replaced = is_replaced(in, &l->in);
	bool out_replaced = is_replaced(out, &l->out);
	int order = compare_times(changed_at(in, in_replaced),
				  changed_at(out, out_replaced));

	return order > 0 || (order == 0 && in_replaced && !out_replaced);
}

enum { NOTHING, OUTWARDS, INWARDS };

static int direction(const struct mirror_link *l, const struct side *in,
		     const struct side *out)
{
	const struct mirror_stamp now_in = stamp_of(in);
	const struct mirror_stamp now_out = stamp_of(out);
	bool in_new = in->fd >= 0 && !same_stamp(&now_in, &l->in);
	bool out_new = out->fd >= 0 && !same_stamp(&now_out, &l->out);

	if (now_in.ino == now_out.ino && now_in.dev == now_out.dev)
		return NOTHING;
	/* What cannot travel does not stop the other side either. */
	if (in_new && out_new && in->usable && out->usable)
		return is_later(l, in, out) ? OUTWARDS : INWARDS;
	if (in_new && (in->usable || !out_new))
		return OUTWARDS;
	return out_new ? INWARDS : NOTHING;
}

static bool has_no_name(const struct side *s)
{
	struct stat st;

	return fstat(s->fd, &st) == 0 && st.st_nlink == 0;
}

/* -EAGAIN: what was to be carried has been replaced meanwhile. */
static int exchange(struct mirror_link *l, const char **ret_why)
{
	struct side in = { .fd = -1 };
	struct side out = { .fd = -1 };
	const struct side *from;
	const struct side *to;
	int way = NOTHING;
	int rc = look(l->inner, l->name, &in);

	*ret_why = NULL;
	if (rc == 0)
		rc = look(l->outer, l->name, &out);
	if (rc == 0)
		way = direction(l, &in, &out);
	from = way == OUTWARDS ? &in : &out;
	to = way == OUTWARDS ? &out : &in;
	if (way == NOTHING) {
		if (in.fd >= 0 && in.st.st_ino == out.st.st_ino)
			l->in = l->out = stamp_of(&in);
	} else if (!from->usable) {
		*ret_why = why_unusable(from);
		rc = S_ISDIR(from->st.st_mode) ? -EISDIR : -EPERM;
	} else if (way == OUTWARDS && to->fd >= 0 && !S_ISREG(to->st.st_mode)) {
		*ret_why = "outside, something that is not a file has taken "
			   "its place";
		rc = -EPERM;
	} else {
		rc = carry(l, from, way == OUTWARDS);
		if (rc == -ENOENT && has_no_name(from))
			rc = -EAGAIN;
	}
	fd_close(&in.fd);
	fd_close(&out.fd);
	return rc;
}

/* If it is replaced time and again, there is an event for the last one. */
int mirror_link_exchange(struct mirror_link *l, const char **ret_why)
{
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < EXCHANGE_TRIES; i++)
		rc = exchange(l, ret_why);
	return rc == -EAGAIN ? 0 : rc;
}

bool mirror_link_drop_lock(struct mirror_link *l)
{
	return faccessat(l->outer, l->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT &&
	       unlinkat(l->inner, l->name, AT_REMOVEDIR) == 0;
}

bool mirror_link_whole(const struct mirror_link *l, bool inner)
{
	struct stat st;

	return fstatat(inner ? l->inner : l->outer, l->name, &st,
		       AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_nlink > 1 || !S_ISREG(st.st_mode));
}
