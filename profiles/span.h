/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A piece of a text, without a NUL behind it. */
#ifndef PROFILES_SPAN_H
#define PROFILES_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t len;
};

static inline bool span_is(struct span s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.p, text, s.len) == 0;
}

/* Without white space at both ends. */
static inline struct span span_trim(struct span s)
{
	const char *const space = " \t\r\n";

	while (s.len > 0 && s.p[0] && strchr(space, s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && s.p[s.len - 1] && strchr(space, s.p[s.len - 1]))
		s.len--;
	return s;
}

#endif
