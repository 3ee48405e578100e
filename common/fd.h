/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership of descriptors and memory by attribute. */
#ifndef COMMON_FD_H
#define COMMON_FD_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Hands the descriptor to the caller; the variable no longer owns it. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

/* Closes every descriptor from 3 up but those in keep (sorted by the call; -1
 * entries are passed over).  n <= 32.  Returns 0 or -errno. */
int fd_close_others(int *keep, size_t n);

#define cleanup_fd   __attribute__((cleanup(fd_close)))
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))

#endif
