/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where profiles and the policy data lie.  In the order of the search, each
 * NAME.jsonc before NAME.json:
 *
 *	$XDG_CONFIG_HOME/egress-run/profiles	(default ~/.config)
 *	$XDG_CONFIG_HOME/nono/profiles
 *	/etc/egress-run/profiles
 *	the shipped ones: ../share/egress-run/profiles as seen from the folder
 *	of the program (installed), or share/egress-run/profiles (build), or,
 *	with neither of them there, the copies inside the program (builtin.h)
 *
 * A profile gives rights, so a file that somebody else could have written is
 * refused: owner root or the user, no write bits for others, and the same for
 * every folder above it (sticky ones excepted).  The group may write if it is
 * the user's private one.  The shipped files are as trustworthy as the program
 * beside them and are not checked, if their folder belongs to root, to the
 * user or to the program's owner (anybody may put a folder into /tmp).
 */
#ifndef PROFILES_LIBRARY_H
#define PROFILES_LIBRARY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/err.h"

enum library_place {
	LIBRARY_USER,
	LIBRARY_NONO,
	LIBRARY_SYSTEM,
	LIBRARY_SHIPPED,
	LIBRARY__COUNT,
};

struct library {
	/* Folders; "" if there is none. */
	char dir[LIBRARY__COUNT][PATH_MAX];
	bool homeless; /* neither XDG_CONFIG_HOME nor a home folder */
};

struct library_file {
	const char *path; /* as found, absolute or as the user gave it */
	bool shipped;	  /* no check of ownership */
	char *text;	  /* NUL-terminated; in the arena */
	size_t len;
	dev_t dev; /* which file it is, whatever the path */
	ino_t ino;
};

/* home is the user's home folder, or NULL; without an absolute one the shipped
 * and the system's profiles are still found.  XDG_CONFIG_HOME is read here (a
 * relative one is an error). */
int library_open(struct library *l, const char *home, struct err *e);

/* Letters, digits and hyphens, none of them first or last. */
bool library_name_valid(const char *name);
/* True for what names a file and not a profile: has a slash, or ends with
 * .json or .jsonc. */
bool library_is_path(const char *text);

/* Finds a profile by name and reads it.  beside: a folder to look into first,
 * or NULL.  skip: paths (NULL-terminated array, may be NULL) that are passed
 * over, so that a profile may extend one of its own name.  -ENOENT if there is
 * none, with a message that names near ones. */
int library_find(const struct library *l, struct arena *a, const char *name,
		 const char *beside, const char *const *skip,
		 struct library_file *ret, struct err *e);
/* The folder of a file's path; in the arena, NULL without memory. */
const char *library_folder(struct arena *a, const char *path);
/* Its name without folder, .json and .jsonc; in the arena. */
const char *library_stem(struct arena *a, const char *path);

/* Reads that file. */
int library_read(struct arena *a, const char *path, bool shipped,
		 struct library_file *ret, struct err *e);
/* Reads policy/NAME.json of the shipped data. */
int library_read_policy(const struct library *l, struct arena *a,
			const char *name, struct library_file *ret,
			struct err *e);

/* Reads NAME.json of the shipped profiles, whatever lies before it. */
int library_read_shipped(const struct library *l, struct arena *a,
			 const char *name, struct library_file *ret,
			 struct err *e);

/* Every profile that a name finds, the first of each name, sorted by name. */
struct library_item {
	const char *name;
	const char *path;
	enum library_place place;
};
int library_list(const struct library *l, struct arena *a,
		 struct library_item **ret, size_t *ret_n, struct err *e);
const char *library_place_name(enum library_place place);

#endif
