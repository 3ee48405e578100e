/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"

/*
 * Tried in turn; the kernel's own size is the last resort.  An unprivileged
 * user has fs.pipe-user-pages-soft (64 MiB) for all pipes together, and the
 * command shares that account: it can make our pipes small, not unusable.
 */
static const int pipe_sizes[] = { 1 << 20, 1 << 18 };

static void grow(int fd)
{
	for (size_t i = 0; i < sizeof(pipe_sizes) / sizeof(*pipe_sizes); i++) {
		if (fcntl(fd, F_SETPIPE_SZ, pipe_sizes[i]) >= 0)
			return;
	}
}

int pipes_take(struct pipes *p, struct pipe *ret)
{
	int fds[2];

	if (p->n_spare > 0) {
		*ret = p->spare[--p->n_spare];
		return 0;
	}
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	grow(fds[0]);
	*ret = (struct pipe) { .rd = fds[0], .wr = fds[1] };
	return 0;
}

void pipes_give(struct pipes *p, struct pipe *pipe)
{
	if (p->n_spare == PIPES_SPARE_MAX) {
		pipe_discard(pipe);
		return;
	}
	p->spare[p->n_spare++] = *pipe;
	*pipe = PIPE_NONE;
}

void pipes_trim(struct pipes *p)
{
	while (p->n_spare > 0)
		pipe_discard(&p->spare[--p->n_spare]);
}

void pipe_discard(struct pipe *pipe)
{
	fd_close(&pipe->rd);
	fd_close(&pipe->wr);
}
