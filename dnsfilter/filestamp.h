/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells whether a file is still the one that was read. */
#ifndef DNSFILTER_FILESTAMP_H
#define DNSFILTER_FILESTAMP_H

#include <stdbool.h>
#include <sys/stat.h>

struct file_stamp {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct timespec ctime;
};

/* Follows symbolic links.  Take it before reading: a change in between then
 * shows at the next look. */
static inline struct file_stamp file_stamp_take(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct file_stamp) { .exists = false };
	return (struct file_stamp) { .exists = true,
				     .dev = st.st_dev,
				     .ino = st.st_ino,
				     .size = st.st_size,
				     .mtime = st.st_mtim,
				     .ctime = st.st_ctim };
}

static inline bool file_stamp_equal(const struct file_stamp *a,
				    const struct file_stamp *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

#endif
