/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of grants_resolve() share; for grants.c, granting.c,
 * sockets.c, denials.c and bypass.c only. */
#ifndef PROFILES_GRANTING_H
#define PROFILES_GRANTING_H

#include <stdbool.h>

#include "profiles/globs.h"
#include "profiles/grants.h"
#include "profiles/pathmap.h"

/* Of the maps; grants have the tag of their kind. */
enum {
	TAG_ALIAS = 16,	 /* plus the kind: this literal path is known */
	TAG_DENIED = 32, /* resolved and literal paths -> index + 1 */
	TAG_DENIAL,	 /* literal path -> 1: the denial is known */
	TAG_BYPASS,	 /* resolved and literal paths -> access */
};

struct granting {
	const struct profile *profile;
	const struct vars *vars;
	struct arena *arena;
	struct grants *grants;
	struct err *err;
	struct pathmap map;
	const char *home;    /* resolved */
	const char *workdir; /* resolved */
	unsigned level;	     /* of workdir.access */
	struct glob_budget budget;
};

/* An entry and what it leads to. */
struct entry_places {
	const struct entry *entry;
	enum profile_key key;
	bool pattern;
	const char *root; /* of the pattern, resolved: matches lie below it */
	struct glob_matches matches; /* one with ->error set if missing */
};

enum {
	EXPAND_COVERS = 1,     /* glob.covers */
	EXPAND_UNLISTABLE = 2, /* glob.unlistable */
};

/* Fills ret->matches.  An entry of which nothing can come (an unset variable,
 * a pattern without a match) is skipped and leaves them empty. */
int granting_expand(struct granting *w, enum profile_key key,
		    const struct entry *item, unsigned flags,
		    struct entry_places *ret);

/* Adds, or combines with what is there for that place and kind: an entry of
 * the profile replaces one of a group, else access adds up. */
int granting_add(struct granting *w, const struct grant *given);

int granting_skip(struct granting *w, const struct entry *item,
		  const char *text, bool flag, const char *why);
/* Why a place is not there; in the arena, NULL without memory. */
const char *granting_why(struct granting *w, const struct place *p);
/* Sets the error "PLACE: KEY: WHY"; returns -EINVAL. */
__attribute__((format(printf, 4, 5))) int
granting_fail(struct granting *w, enum profile_key key,
	      const struct entry *item, const char *fmt, ...);
int granting_no_memory(struct granting *w);

/* The access that entries of the profile, not those of groups, give. */
unsigned granting_own_access(const struct granting *w, const char *path);

/* The lists unix_socket*. */
int granting_sockets(struct granting *w);
/* deny, bypass_protection, protected folders: the end of the work. */
int granting_denials(struct granting *w);
int granting_bypasses(struct granting *w);

/* The folder, writable to the command, in which one of the links lies that
 * lead out of it to resolved; NULL if there is none.  An earlier run could
 * have made such a link. */
const char *granting_planted(const struct granting *w,
			     const struct path_link *l, const char *resolved);
int granting_skip_planted(struct granting *w, const struct entry *item,
			  const char *text, const char *resolved,
			  const char *folder);
/* The index + 1 of a denial at or above the first len bytes, or 0. */
size_t granting_denied_at(const struct granting *w, const char *path,
			  size_t len);
/* The access that bypass_protection gives back at that place. */
unsigned granting_given_back(const struct granting *w, const char *path,
			     const char *resolved);

#endif
