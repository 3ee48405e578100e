/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": the nearest of the words offered. */
#ifndef PROFILES_SUGGEST_H
#define PROFILES_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word; /* what was written */
	size_t len;	  /* of the word */
	const char *best; /* NULL: none was near */
	unsigned distance;
};

void suggest_begin(struct suggest *s, const char *word);
/* name must live as long as best is used; on a tie the first stays. */
void suggest_offer(struct suggest *s, const char *name);
/* From a list that ends with NULL. */
const char *suggest_from(const char *word, const char *const *names);

#endif
