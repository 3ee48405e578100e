/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict half of json.h: goes over the text once, refuses whatever is not
 * JSON with comments and trailing commas, and leaves plain JSON of the same
 * length, so that an offset means the same place in both.
 */
#ifndef PROFILES_JSONSCAN_H
#define PROFILES_JSONSCAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "profiles/json.h"

struct json_scan {
	char *plain; /* comments and trailing commas are spaces */
	size_t len;
	uint32_t *tokens; /* offset of each key and value, in order */
	size_t n_tokens;
};

/* file is what messages call the text. */
struct json_text {
	const char *file;
	const char *text; /* without a byte order mark */
	size_t len;
};

/* -EINVAL with "FILE:LINE:COLUMN: what is wrong", -ENOMEM. */
int json_scan(const struct json_text *t, struct json_scan *ret, struct err *e);
void json_scan_done(struct json_scan *s);

#endif
