/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a JSON value is what a key takes, down to the last nested object. */
#ifndef PROFILES_CONFORM_H
#define PROFILES_CONFORM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "profiles/json.h"
#include "profiles/keys.h"
#include "profiles/place.h"
#include "profiles/when.h"

struct conform {
	const char *file;
	const struct system_id *os;
	bool foreign; /* a fragment for another system */
	struct err *e;
};

/* Checks type, null, range, enumeration, emptiness, `when`, unknown and missing
 * members.  -EINVAL with "FILE:LINE:COLUMN: key.path: reason; remedy". */
int conform_value(const struct conform *c, const struct shape *s,
		  const struct json *v, const struct place *at);
/* Decides {..., "when": X} or an object without `when` (true). */
int conform_when(const struct conform *c, const struct json *object,
		 const struct place *at, bool *ret);
/* Fills *c->e and returns -EINVAL. */
__attribute__((format(printf, 4, 5))) int
conform_fail(const struct conform *c, const struct json_pos *pos,
	     const struct place *at, const char *fmt, ...);

/* As messages call the type of a value: "a list", "null" ... */
const char *conform_type_name(const struct json *v);

#endif
