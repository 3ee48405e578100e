/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the files that are read again can be.  The process may be confined to
 * the folders that they were in when it started; a link that leads elsewhere
 * since is beyond it, and only a new process can follow.
 */
#ifndef DNSFILTER_REREADABLE_H
#define DNSFILTER_REREADABLE_H

#include <stdbool.h>

#include "dnsfilter/filestamp.h"

struct rereadable {
	const char *path; /* borrowed */
	struct file_stamp stamp;
	bool forbidden; /* from the start: by its mode */
};

void rereadable_init(struct rereadable *r, const char *path);
/* True if the file has been replaced by one that this process may not read. */
bool rereadable_is_lost(struct rereadable *r);

#endif
