/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files granted by name with write access, and the programs that save them by
 * writing a temporary file and renaming it over the old one.  A bind mount on
 * a single file refuses that (EBUSY).  So the folder around such files is, in
 * the view, a mirror: a private folder on the same file system that holds
 * hard links to the granted files.  Writes in place go to the same inode; when
 * one side replaces its file, the mirror links the new inode to the other
 * side, by rename, within moments.  What else the command creates in that
 * folder is private and goes away with the run; lock files in it are not seen
 * outside.
 *
 * The command is hostile: only regular files travel outwards, under granted
 * names only, by descriptor, never through a link.
 */
#ifndef FSRULES_MIRROR_H
#define FSRULES_MIRROR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/grants.h"

struct mirrors;
struct notify_hub;

struct mirrors_events {
	/* A change that was not carried over, once for each file and reason:
	 * "the command put something else than a file there".  A folder is
	 * told of at the end, if it is still there and is not an empty one
	 * beside which the user has nothing. */
	void (*refused)(void *arg, const char *path, const char *why);
	void *arg;
};

/* Before the view is planned: for each folder with files granted by name for
 * reading and writing (that is not itself inside a granted folder) makes the
 * mirror, with links to those files.  It is named in state_dir if that is on
 * the same file system, else beside the files.  Files without another link to
 * be had, that are not the user's, or in folders that he may not write, stay
 * plain binds; so do all of a folder where none can be linked.  Leftovers of
 * runs that were killed are removed first.  state_dir is made if need be; NULL
 * for none.  The strings of g are borrowed. */
int mirrors_make(const struct grants *g, const char *state_dir, struct arena *a,
		 struct mirrors **ret, struct err *e);
/* The folder to bind at `folder` in the view, or NULL if it has no mirror; m
 * may be NULL.  It holds nothing but the links of mirrors_holds(): whoever
 * builds the view makes the mount points for everything else that is granted
 * below, and they go away with the mirror. */
const char *mirrors_source(const struct mirrors *m, const char *folder);
/* True if the file is in the mirror of its folder, and needs no bind. */
bool mirrors_holds(const struct mirrors *m, const char *path);
/* Watches both sides from now on.  A failure is worth a warning, no more: the
 * exchange at the end takes place all the same. */
int mirrors_watch(struct mirrors *m, struct notify_hub *hub,
		  const struct mirrors_events *ev, struct err *e);
/* At the end of the run, when the command is dead and the hub still there: a
 * last exchange, then the mirrors are removed.  Safe to repeat. */
void mirrors_finish(struct mirrors *m);
/* NULL is fine.  Without mirrors_finish(), the mirrors stay for the next start
 * to remove; for a forked child. */
void mirrors_free(struct mirrors *m);

#endif
