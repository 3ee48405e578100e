/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A checked JSON value as entries of a field. */
#ifndef PROFILES_COLLECT_H
#define PROFILES_COLLECT_H

#include "profiles/conform.h"
#include "profiles/decode.h"
#include "profiles/keys.h"
#include "profiles/profile.h"

struct collect {
	const struct decode_context *context;
	const struct conform *conform;
	const struct key_spec *spec;
	const struct place *at;
};

/* v has passed conform_value() and is not null; f is empty.  -EINVAL for what
 * shows only here (two credentials for one variable), -ENOMEM. */
int collect_field(const struct collect *c, const struct json *v,
		  struct field *f);
struct origin collect_origin(const struct decode_context *c,
			     const struct json_pos *at);

#endif
