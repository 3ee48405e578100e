/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/globparts.h"

#include <errno.h>
#include <string.h>

static bool has_double_star(const char *text, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (text[i] == '*' && text[i - 1] == '*')
			return true;
	return false;
}

static int check_part(const char *pattern, const char *text, size_t len,
		      struct err *e)
{
	if (memchr(text, '?', len) || memchr(text, '[', len))
		return err_set(e, EINVAL,
			       "\"%s\": ? and [ are not known in patterns: use "
			       "* and **, or list the paths",
			       pattern);
	if (len > 2 && has_double_star(text, len))
		return err_set(e, EINVAL,
			       "\"%s\": ** stands alone between slashes, as in "
			       "a/**/b; within a name write *",
			       pattern);
	if (len == 2 && memcmp(text, "..", 2) == 0)
		return err_set(e, EINVAL,
			       "\"%s\": \"..\" cannot stand behind a *: write "
			       "the path without it",
			       pattern);
	return 0;
}

int glob_parts_parse(const char *pattern, struct glob_parts *ret, struct err *e)
{
	struct glob_part *parts = ret->part;
	const char *p = pattern;
	unsigned n = 0;
	size_t len;

	for (;; p += len) {
		struct glob_part part = { 0 };
		int rc;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 0)
			break;
		rc = check_part(pattern, p, len, e);
		if (rc < 0)
			return rc;
		part.text = p;
		part.len = len;
		part.any_depth = len == 2 && memcmp(p, "**", 2) == 0;
		part.plain = !memchr(p, '*', len);
		if ((len == 1 && p[0] == '.') ||
		    (part.any_depth && n > 0 && parts[n - 1].any_depth))
			continue;
		if (n == GLOB_PARTS_MAX)
			return err_set(e, EINVAL,
				       "\"%s\": more than %d components "
				       "behind the first *",
				       pattern, GLOB_PARTS_MAX);
		parts[n++] = part;
	}
	if (n > 0 && parts[n - 1].any_depth)
		parts[n++] = (struct glob_part) { .text = "*", .len = 1 };
	ret->n = n;
	return 0;
}

/* Matches a name against a component; "*" takes as little as will do and is
 * retried from the last one only, so the time is at most len * strlen(s). */
static bool part_matches(const struct glob_part *p, const char *s)
{
	const char *retry = NULL;
	size_t i = 0;
	size_t star = SIZE_MAX;

	while (*s) {
		if (i < p->len && p->text[i] == '*') {
			star = i++;
			retry = s;
		} else if (i < p->len && p->text[i] == *s) {
			i++;
			s++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (i < p->len && p->text[i] == '*')
		i++;
	return i == p->len;
}

/* "**" may stand for nothing: what is behind it may match as well. */
static uint64_t close_set(const struct glob_parts *p, uint64_t set)
{
	for (unsigned i = 0; i < p->n; i++)
		if (set & 1ull << i && p->part[i].any_depth)
			set |= 1ull << (i + 1);
	return set;
}

uint64_t glob_parts_first(const struct glob_parts *p)
{
	return close_set(p, 1);
}

uint64_t glob_parts_advance(const struct glob_parts *p, uint64_t set,
			    const char *name, uint64_t *ret_deep)
{
	uint64_t next = 0;

	*ret_deep = 0;
	for (unsigned i = 0; i < p->n; i++) {
		if (!(set & 1ull << i))
			continue;
		if (p->part[i].any_depth)
			*ret_deep |= 1ull << i;
		else if (part_matches(&p->part[i], name))
			next |= 1ull << (i + 1);
	}
	*ret_deep = close_set(p, *ret_deep);
	return close_set(p, next);
}
