/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/rereadable.h"

#include <errno.h>
#include <fcntl.h>

#include "common/fd.h"

static bool is_forbidden(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 && errno == EACCES;
}

void rereadable_init(struct rereadable *r, const char *path)
{
	r->path = path;
	r->stamp = file_stamp_take(path);
	r->forbidden = is_forbidden(path);
}

bool rereadable_is_lost(struct rereadable *r)
{
	struct file_stamp now = file_stamp_take(r->path);

	if (r->forbidden || file_stamp_equal(&now, &r->stamp))
		return false;
	r->stamp = now;
	return is_forbidden(r->path);
}
