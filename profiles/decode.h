/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file of the format to one profile, strictly by the table of keys.h. */
#ifndef PROFILES_DECODE_H
#define PROFILES_DECODE_H

#include "common/arena.h"
#include "common/err.h"
#include "profiles/json.h"
#include "profiles/profile.h"
#include "profiles/when.h"

struct decode_context {
	struct arena *arena;
	const char *file;	    /* for origins and messages */
	const struct system_id *os; /* for `when` */
	const char *group;	    /* origin.group of what is decoded */
};

/* Legacy keys are drained behind the canonical key's own values, with a note
 * if they are not empty; conditions are decided and entries whose condition
 * does not hold are left out.  The fragment of platform_overrides.linux is
 * decoded into ->override, that of other systems checked and dropped.
 * -EINVAL with "FILE:LINE:COLUMN: key.path: what is wrong; what is right". */
int decode_profile(const struct decode_context *c, const struct json *root,
		   struct profile **ret, struct err *e);

#endif
