/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of `filesystem` as paths of this machine: variables and globs
 * expanded, links resolved, levels combined, denials set against grants.
 * fsrules/ builds the command's view out of this; `--dry-run` and
 * `profile show` print it.  Runs with the invoking user's rights.
 *
 * How the lists act together: the access to a path is what all grants at and
 * above it give.  A denial takes away what grants above it give, less its
 * `bypassed` bits.  A grant that is in the list and lies at or below a denial
 * stands in full: bypass_protection let it through.
 *
 * Paths below /proc/self are those of whoever looks: of the command, in the
 * /proc that it will have.
 */
#ifndef PROFILES_GRANTS_H
#define PROFILES_GRANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/paths.h"
#include "profiles/profile.h"
#include "profiles/vars.h"

enum {
	ACCESS_READ = 1,
	ACCESS_WRITE = 2,
	ACCESS_CONNECT = 4, /* unix sockets */
	ACCESS_BIND = 8,
};

enum grant_kind {
	GRANT_DIR,	   /* and everything below */
	GRANT_FILE,	   /* this file, device ... */
	GRANT_SOCKET,	   /* this socket; it may be missing with BIND */
	GRANT_SOCKET_DIR,  /* sockets directly in it */
	GRANT_SOCKET_TREE, /* sockets anywhere below */
};

/* Another path by which an entry leads to the same place. */
struct grant_alias {
	const char *path;
	const struct path_link *links;
	struct grant_alias *next;
};

/* One for each place and kind. */
struct grant {
	const char *path;     /* literal: expanded, absolute, normalised */
	const char *resolved; /* every link followed */
	const struct path_link *links; /* those on the way of path */
	struct grant_alias *aliases;
	enum grant_kind kind;
	unsigned access;
	unsigned by_flag; /* what of it the command line asked for */
	/* Nobody named it: the working directory by workdir.access, the folder
	 * of a socket that is to be created. */
	bool implied;
	struct origin from;
};

struct denial {
	const char *path;
	const char *resolved; /* of the nearest existing ancestor, plus the
			       * rest, if the path is missing */
	const struct path_link *links;
	bool exists;
	bool directory;	   /* if it exists */
	unsigned bypassed; /* access that bypass_protection gives back */
	struct origin from;
};

/* A folder that is read-only to the command whatever is granted above it:
 * profiles, by which it could give itself rights. */
struct protected_path {
	const char *path;
	const char *resolved;
	bool exists;
};

/* An entry that grants nothing here, or less, and why ("does not exist"). */
struct skipped {
	const char *text;
	const char *why;
	bool flag; /* worth a warning: from the command line, or a grant that
		    * was refused for a reason the user should know */
	struct origin from;
};

/* A file granted by name for reading and writing that is not there yet: the
 * command may create it. */
struct absent_file {
	const char *path;
	const char *resolved;
};

struct grants {
	struct grant *items;
	size_t n, room;
	struct denial *denials;
	size_t n_denials, denials_room;
	struct absent_file *absent;
	size_t n_absent, absent_room;
	struct protected_path *protected;
	size_t n_protected, protected_room;
	struct skipped *skipped;
	size_t n_skipped, skipped_room;
};

/* p is the effective profile.  -EINVAL with place and reason: a directory in a
 * file list, a pattern with ? or [, bypass_protection without a grant ... */
int grants_resolve(const struct profile *p, const struct vars *v,
		   struct arena *a, struct grants *ret, struct err *e);

/* The access that the grants give to a resolved absolute path, denials and
 * protected folders taken into account; for `profile show`, the working
 * directory and tests. */
unsigned grants_access(const struct grants *g, const char *path);
/* The same of grants from the command line alone. */
unsigned grants_access_by_flag(const struct grants *g, const char *path);
/* A denial at or above a path that does not give all of access back, or
 * NULL. */
const struct denial *grants_denial(const struct grants *g, const char *path,
				   unsigned access);
/* True at and below a protected folder. */
bool grants_protected(const struct grants *g, const char *path);

int grants_skip(struct grants *g, struct arena *a, const struct skipped *s);

/* "r", "w", "r+w", "r+w connect" ...; static. */
const char *grant_access_text(unsigned access);

#endif
