/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file of a mirror: two names on one file system that shall be one file,
 * and what happens when a side puts another file under its name. */
#ifndef FSRULES_MIRRORLINK_H
#define FSRULES_MIRRORLINK_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct mirror_stamp {
	dev_t dev;
	ino_t ino; /* 0: there was no file */
	off_t size;
	struct timespec mtime;
};

struct mirror_link {
	const char *name; /* the same in both folders */
	const char *path; /* of the user's file; for messages */
	int inner;	  /* borrowed: the mirror */
	int outer;	  /* borrowed: the user's folder */
	/* What was there after the last exchange. */
	struct mirror_stamp in, out;
};

/* Puts the user's file into the mirror; -EPERM if it cannot be mirrored, or
 * what linkat(2) said. */
int mirror_link_make(struct mirror_link *l);

/* Carries a replacement over, if there was one.  If both sides have another
 * file than before, the one that was changed last (ctime, which nobody can set
 * back) stands; with the same time, the user's.  A name that is gone on one
 * side stays so until the other side replaces its file.
 * 0, or -errno with *ret_why for the user, or NULL if errno says it all;
 * -EISDIR if a folder has taken the name. */
int mirror_link_exchange(struct mirror_link *l, const char **ret_why);

/* Removes an empty folder that has the name inside, where the user has nothing
 * of that name; true if it was that. */
bool mirror_link_drop_lock(struct mirror_link *l);

/* True if the mirror's file was just put there by link(2) or rename(2), and
 * not created to be written to.  For IN_CREATE. */
bool mirror_link_whole(const struct mirror_link *l, bool inner);

#endif
