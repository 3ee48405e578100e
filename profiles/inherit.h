/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `extends`: a profile and its bases, folded into one.  Only load.c needs
 * this. */
#ifndef PROFILES_INHERIT_H
#define PROFILES_INHERIT_H

#include "common/err.h"
#include "profiles/library.h"
#include "profiles/load.h"
#include "profiles/profile.h"

/* A profile on the way from the one asked for to the base looked at. */
struct inherit_link {
	const struct inherit_link *child; /* that extends this one, or NULL */
	const struct library_file *file;  /* NULL: there is none */
	const char *name;		  /* as it was asked for */
};

/* The file to a profile, alone. */
int inherit_decode(const struct loader *l, const struct library_file *file,
		   struct profile **ret, struct err *e);

/* p is the profile of link, whose ->child is NULL.  Bases from left to right,
 * p over them, and what platform_overrides of all of them say over that. */
int inherit_resolve(const struct loader *l, const struct inherit_link *link,
		    struct profile *p, struct profile **ret, struct err *e);

#endif
