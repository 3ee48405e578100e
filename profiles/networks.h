/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named groups of hosts, and named sets of groups (policy/networks.json of the
 * shipped data). */
#ifndef PROFILES_NETWORKS_H
#define PROFILES_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/library.h"

struct networks;

/* Lives in the arena. */
int networks_read(const struct library *l, struct arena *a,
		  struct networks **ret, struct err *e);
/* The same from text; file is what messages call it. */
int networks_parse(struct arena *a, const char *file, const char *text,
		   size_t len, struct networks **ret, struct err *e);

/* True for text that may be the name of a group: no host has an underscore or
 * is without a dot, as a rule. */
bool networks_maybe_group(const char *text);
/* The hosts of that group, NULL-terminated, or NULL. */
const char *const *networks_group(const struct networks *n, const char *name);
/* The groups of that network profile.  -EINVAL with the names there are. */
int networks_profile(const struct networks *n, const char *name,
		     const char *const **ret, struct err *e);

#endif
