/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pipes that splice(2) needs between two sockets.  A connection holds one
 * only while bytes are in it, so that few pipes serve thousands of them. */
#ifndef RELAY_PIPES_H
#define RELAY_PIPES_H

#include <stddef.h>

#define PIPES_SPARE_MAX 32

struct pipe {
	int rd; /* -1 when there is none */
	int wr;
};

#define PIPE_NONE ((struct pipe) { .rd = -1, .wr = -1 })

/* Empty pipes kept for the next taker. */
struct pipes {
	struct pipe spare[PIPES_SPARE_MAX];
	size_t n_spare;
};

/* An empty, non-blocking pipe, as large as the kernel allows up to 1 MiB.
 * Returns 0, or -errno when there are too many files or pipe pages. */
int pipes_take(struct pipes *p, struct pipe *ret);
/* Takes back an empty pipe and sets it to PIPE_NONE. */
void pipes_give(struct pipes *p, struct pipe *pipe);
/* Closes the spare pipes, to have their descriptors. */
void pipes_trim(struct pipes *p);

/* Closes a pipe that holds bytes; PIPE_NONE is fine. */
void pipe_discard(struct pipe *pipe);

#endif
