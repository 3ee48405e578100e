/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles as JSON, and one entry as one line of text. */
#ifndef LAUNCHER_PROFILEJSON_H
#define LAUNCHER_PROFILEJSON_H

#include <cjson/cJSON.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/keys.h"
#include "profiles/profile.h"

/* {"value": ..., "origin": "FILE:LINE:COLUMN", "group": ...}; NULL without
 * memory, as all of these. */
cJSON *profilejson_entry(struct arena *a, const struct key_spec *spec,
			 const struct entry *item);
/* A list, a map or one value of such entries, or null. */
cJSON *profilejson_field(struct arena *a, const struct key_spec *spec,
			 const struct field *f);
/* Puts value, which is taken, at path ("network.block") below root. */
int profilejson_put(cJSON *root, const char *path, cJSON *value);

/* Prints root in ASCII and frees it; NULL and a full disk are errors. */
int profilejson_print(cJSON *root, struct err *e);

/* "NAME", "REFERENCE -> VARIABLE", an object's JSON; equal texts are equal
 * entries. */
const char *profilejson_text(struct arena *a, const struct key_spec *spec,
			     const struct entry *item);

#endif
