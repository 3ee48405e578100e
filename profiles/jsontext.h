/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings, numbers and words of JSON, byte by byte (RFC 8259, RFC 3629), and
 * places in the text. */
#ifndef PROFILES_JSONTEXT_H
#define PROFILES_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "profiles/json.h"

/* What was read, or what is wrong in words: before, quote, after. */
struct json_lexeme {
	size_t len; /* in bytes, quotes included */
	size_t at;  /* of the fault, from the beginning */
	const char *before;
	const char *quote; /* bytes of the text */
	size_t n_quote;
	const char *after;
};

/* Bytes of the sequence at the beginning of text, 0 if it is malformed. */
size_t json_utf8_len(const char *text, size_t len);
/* Offset of the first byte that is not UTF-8, or len. */
size_t json_utf8_valid(const char *text, size_t len);

/* text begins with the quote and is valid UTF-8. */
bool json_lex_string(const char *text, size_t len, struct json_lexeme *ret);
/* A number, true, false or null; text begins with a word byte. */
bool json_lex_word(const char *text, size_t len, struct json_lexeme *ret);
bool json_is_word_byte(char c);

/* Moves at, which stood at offset from, on to offset to. */
void json_advance(const char *text, size_t from, size_t to,
		  struct json_pos *at);
__attribute__((format(printf, 4, 5))) int json_fault(const char *file,
						     const struct json_pos *at,
						     struct err *e,
						     const char *fmt, ...);

#endif
