/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles from text, for tests.  The system is a Fedora 43 workstation. */
#ifndef TESTS_PROFILE_TEXT_H
#define TESTS_PROFILE_TEXT_H

#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "profiles/decode.h"
#include "profiles/json.h"
#include "profiles/merge.h"
#include "profiles/profile.h"
#include "profiles/when.h"

#define PROFILE_FILE "t.json"

static inline int profile_parse(struct arena *a, const char *text,
				struct profile **ret, struct err *e)
{
	struct system_id os = { .id = "" };
	const struct decode_context c = {
		.arena = a,
		.file = PROFILE_FILE,
		.os = &os,
	};
	struct json *root;
	int rc;

	system_id_parse("ID=fedora\nID_LIKE=rhel\nVERSION_ID=43\n"
			"VARIANT_ID=workstation\n",
			&os);
	rc = json_parse(a, PROFILE_FILE, text, strlen(text), &root, e);
	return rc < 0 ? rc : decode_profile(&c, root, ret, e);
}

static inline struct profile *profile_of(struct arena *a, const char *text)
{
	struct profile *p = NULL;
	struct err e = { 0 };

	if (profile_parse(a, text, &p, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return p;
}

/* The message that refuses text. */
static inline const char *profile_error(struct arena *a, const char *text)
{
	struct profile *p = NULL;
	struct err e = { 0 };

	if (profile_parse(a, text, &p, &e) != -EINVAL)
		fail_msg("accepted: %s", text);
	return arena_strdup(a, e.msg);
}

static inline struct profile *profile_merged(struct arena *a,
					     const struct profile *base,
					     const struct profile *child)
{
	struct profile *p = NULL;
	struct err e = { 0 };

	if (merge_profiles(a, base, child, &p, &e) < 0)
		fail_msg("%s", e.msg);
	return p;
}

/* "a b c": texts of the entries, maps as "name=text", null as "null", absent
 * as "-", rules of a domain as "domain{GET /x,POST /y}". */
static inline const char *field_text(struct arena *a, const struct field *f)
{
	char *out = arena_strdup(a, "");

	if (f->state != FIELD_SET)
		return f->state == FIELD_NULL ? "null" : "-";
	for (size_t i = 0; i < f->n; i++) {
		const struct entry *item = &f->items[i];

		out = arena_printf(a, "%s%s%s%s%s%s", out, i > 0 ? " " : "",
				   item->key ? item->key : "",
				   item->key ? "=" : "",
				   item->text ? item->text : "{}",
				   item->n_endpoints ? "{" : "");
		for (size_t k = 0; k < item->n_endpoints; k++)
			out = arena_printf(a, "%s%s%s %s", out,
					   k > 0 ? "," : "",
					   item->endpoints[k].method,
					   item->endpoints[k].path);
		if (item->n_endpoints)
			out = arena_printf(a, "%s}", out);
	}
	return out;
}

static inline const char *key_text(struct arena *a, const struct profile *p,
				   enum profile_key key)
{
	return field_text(a, &p->field[key]);
}

static inline size_t n_notes(const struct profile *p)
{
	size_t n = 0;

	for (const struct profile_note *i = p->notes; i; i = i->next)
		n++;
	return n;
}

#endif
