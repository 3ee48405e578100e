/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of conform.h that has no parts: strings, numbers, conditions. */
#ifndef PROFILES_SCALARS_H
#define PROFILES_SCALARS_H

#include "profiles/conform.h"

typedef int conform_fn(const struct conform *c, const struct shape *s,
		       const struct json *v, const struct place *at);

/* "must be a list of strings, not a string; put it between [ and ]" */
int conform_wrong_type(const struct conform *c, enum key_type type,
		       const struct json *v, const struct place *at);
conform_fn conform_string;
conform_fn conform_bool;
conform_fn conform_number;
conform_fn conform_choice;
conform_fn conform_conditions; /* what stands behind "when" */

#endif
