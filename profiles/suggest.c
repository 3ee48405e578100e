/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define WORD_MAX 48

/* Every third letter may be wrong; a short word must be nearly right. */
static unsigned tolerance(size_t len)
{
	return len < 3 ? 0 : (unsigned)(len + 1) / 3;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours. */
static unsigned edit_distance(const char *a, size_t na, const char *b,
			      size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		const unsigned *before = rows[(i + 1) % 3];
		const unsigned *above = rows[(i - 1) % 3];
		unsigned *row = rows[i % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned change = same(a[i - 1], b[j - 1]) ? 0 : 1;

			row[j] = least(above[j - 1] + change,
				       least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

void suggest_begin(struct suggest *s, const char *word)
{
	s->word = word;
	s->len = strlen(word);
	s->best = NULL;
	s->distance = tolerance(s->len) + 1;
}

void suggest_offer(struct suggest *s, const char *name)
{
	size_t len = strlen(name);
	unsigned distance;

	if (s->len > WORD_MAX || len > WORD_MAX)
		return;
	distance = edit_distance(s->word, s->len, name, len);
	if (distance < s->distance) {
		s->best = name;
		s->distance = distance;
	}
}

const char *suggest_from(const char *word, const char *const *names)
{
	struct suggest s;

	suggest_begin(&s, word);
	for (; *names; names++)
		suggest_offer(&s, *names);
	return s.best;
}
