/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The new root while it is built, inside mounts.c and its parts. */
#ifndef FSRULES_NEWROOT_H
#define FSRULES_NEWROOT_H

#include <limits.h>
#include <stddef.h>

#include "common/err.h"
#include "fsrules/view.h"

/* Empty things of mode 000 to mount over what is hidden, and the generated
 * files that are mounted: one small tmpfs for all of them.  It must be
 * attached while it is copied from. */
struct store {
	int fd; /* -1 without one */
};

struct newroot {
	int root;
	int proc; /* -1 once it is in its place */
	struct store store;
	unsigned n_texts; /* in the store */
	/* The folder that the last place was made in, -1 before the first.
	 * Nothing is mounted on a folder once something was made in it. */
	int parent;
	size_t parent_len;
	char parent_path[PATH_MAX];
	struct err *e;
};

/* On the opened path target, which it covers. */
int store_open(struct store *s, int target, struct err *e);
/* A read-only mount of what hides a file or folder, not yet attached. */
int store_mask(const struct store *s, bool directory, const char *path,
	       struct err *e);
/* A read-only mount of a new file. */
int store_text(const struct store *s, unsigned number,
	       const struct view_item *item, struct err *e);

/* A new file in dir. */
int store_write(int dir, const char *name, mode_t mode, const char *text);

/* Puts one item of the plan in its place. */
int newroot_put(struct newroot *n, const struct view_item *item);
/* Attaches a mount at the place of an item, which is made if it is the view's
 * own: a folder or an empty file.  -ENOENT without a message if the item is
 * optional and its place missing. */
int newroot_attach(struct newroot *n, const struct view_item *item,
		   bool directory, int mount);

/* A fresh /proc, for later: it cannot be made once the old one is covered. */
int kernelfs_proc(int *ret, struct err *e);
int kernelfs_put_proc(struct newroot *n, const struct view_item *item);
int kernelfs_put_sys(struct newroot *n, const struct view_item *item);
int kernelfs_put_devpts(struct newroot *n, const struct view_item *item);

#endif
