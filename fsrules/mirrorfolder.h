/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The private folders of mirror.c: made, and removed again with whatever a
 * hostile command left in them.  Each is locked (flock on the folder itself)
 * by the run it belongs to; one that is not locked is a leftover.
 */
#ifndef FSRULES_MIRRORFOLDER_H
#define FSRULES_MIRRORFOLDER_H

#include <stddef.h>

/* Where mirrors and temporary files lie beside the user's files. */
#define MIRROR_BESIDE	 ".egress-run-mirror."
#define MIRROR_IN_STATE	 "mirror."
#define MIRROR_TEMPORARY ".egress-run-new."
#define MIRROR_NAME_SIZE 40

/* "PREFIXxxxxxx" at random; size MIRROR_NAME_SIZE. */
int mirror_name(const char *prefix, char *ret);

/* Makes "PREFIXxxxxxx" in dirfd; a descriptor that holds its lock, its name in
 * ret_name (MIRROR_NAME_SIZE), or -errno. */
int mirror_folder_make(int dirfd, const char *prefix, char *ret_name);
/* Empties it and takes it away; fd is the descriptor of the lock.  0, -EAGAIN
 * if it took too long: then the rest is a leftover; or -errno. */
int mirror_folder_remove(int dirfd, const char *name, int fd);
/* Removes what runs that were killed left in dirfd: folders of that prefix and
 * temporary files.  Failures are for the next time. */
void mirror_leftovers(int dirfd, const char *prefix);

#endif
