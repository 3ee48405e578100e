/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that came from elsewhere, made safe for a terminal or for JSON, and
 * numbers read from text. */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies len bytes, each one outside printable ASCII as \xNN; cuts at whole
 * escapes; always NUL-terminated.  size > 0. */
void text_escape(const char *in, size_t len, char *out, size_t size);

/* Decimal digits only, no sign, no space, within [min, max]. */
bool text_to_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* A growing line of JSON in a fixed buffer.  A value (or whole array) that does
 * not fit is left out; shorter ones behind it may still fit.  size >= 8. */
struct json_line {
	char *buf;
	size_t size;
	size_t len;
	bool overflow;
	bool need_comma;
	bool in_array; /* one was begun, and fitted */
};

void json_begin(struct json_line *j, char *buf, size_t size);
void json_string(struct json_line *j, const char *key, const char *value);
void json_uint(struct json_line *j, const char *key, uint64_t value);
void json_array_begin(struct json_line *j, const char *key);
void json_array_string(struct json_line *j, const char *value);
void json_array_end(struct json_line *j);
/* Closes the object and appends a newline; returns the length in bytes. */
size_t json_end(struct json_line *j);

#endif
