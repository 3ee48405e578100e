/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON with comments (// and block comments) and trailing commas, as a tree
 * that knows where each value stood.  cJSON does the parsing; what it is lax
 * about is an error here: duplicate keys, \u0000, control characters and bytes
 * that are not UTF-8, lone surrogates, numbers in forms that RFC 8259 does not
 * know, text behind the value, too much depth or size.  Keys are compared
 * byte for byte.
 */
#ifndef PROFILES_JSON_H
#define PROFILES_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"

#define JSON_SIZE_MAX  (1u << 20) /* bytes of text */
#define JSON_DEPTH_MAX 32

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_pos {
	unsigned line;	 /* from 1 */
	unsigned column; /* from 1, in characters (code points) */
};

struct json {
	enum json_type type;
	struct json_pos at;	/* of the value */
	struct json_pos key_at; /* of the key; in an object only */
	const char *key;	/* in an object, else NULL */
	bool boolean;
	double number;
	const char *string; /* UTF-8; of a number the text of it ("1e3") */
	struct json *items; /* array and object, in the order of the text */
	size_t n;
};

/* file is what messages call the text.  Everything returned lives in the
 * arena.  -EINVAL with "FILE:LINE:COLUMN: what is wrong". */
int json_parse(struct arena *a, const char *file, const char *text, size_t len,
	       struct json **ret, struct err *e);

/* The member of that key, or NULL. */
const struct json *json_get(const struct json *object, const char *key);
/* "a string", "an object", "null" ... for messages. */
const char *json_type_name(enum json_type type);

#endif
