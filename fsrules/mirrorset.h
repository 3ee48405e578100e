/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside mirror*.c: the mirrors and what is in them. */
#ifndef FSRULES_MIRRORSET_H
#define FSRULES_MIRRORSET_H

#include "fsrules/mirror.h"
#include "fsrules/mirrorfolder.h"
#include "fsrules/mirrorlink.h"
#include "fsrules/notify.h"

struct mirror_file {
	struct mirror_link link;
	bool dirty;
	/* What was refused last; text, or the errno. */
	const char *why;
	int error;
};

struct mirror {
	const char *folder;
	const char *source;
	int outer; /* the user's folder */
	int inner; /* the mirror, locked */
	int base;  /* borrowed: the folder that the mirror is named in */
	char name[MIRROR_NAME_SIZE];
	int wd_outer, wd_inner;
	struct mirror_file *files;
	size_t n, room;
};

struct mirrors {
	struct arena *arena;
	struct mirror *items;
	size_t n, room;
	bool finished;
	int state; /* the folder for mirrors, -1 if there is none */
	struct notify *notify;
	struct mirrors_events ev;
};

/* The mirror of the folder that is the first len bytes of path, or NULL. */
struct mirror *mirror_of(const struct mirrors *m, const char *path, size_t len);
/* Removes the mirror's folder. */
void mirror_drop(struct mirror *x);

#endif
