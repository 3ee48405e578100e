/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the sections of a file.  What a key takes is checked as a whole
 * (conform.h) before any of it becomes entries (collect.h).
 */
#include "profiles/decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiles/collect.h"
#include "profiles/conform.h"
#include "profiles/entries.h"
#include "profiles/keys.h"

/* "filesystem.unix_socket_subtree_bind" and then some; longer is unknown. */
#define KEY_PATH_MAX 64

struct decode {
	const struct decode_context *context;
	struct conform conform;
	struct profile *profile;
	struct field legacy[N_LEGACY_KEYS];
	bool fragment; /* of platform_overrides */
};

static int decode_section(struct decode *d, const char *section,
			  const struct json *object, const struct place *at);

/* Where a name of another section is at home: "; 'x' belongs into 'network'",
 * or nothing. */
static void hint_elsewhere(const char *name, char *buf, size_t size)
{
	const char *path[3];
	size_t n = key_elsewhere(name, path, 3);
	size_t used = 0;

	buf[0] = '\0';
	if (n > 0)
		used = (size_t)snprintf(buf, size, "; '%.40s' belongs ", name);
	for (size_t i = 0; i < n && used < size; i++) {
		const char *dot = strrchr(path[i], '.');
		const char * or = i > 0 ? " or " : "";
		int len;

		if (dot)
			len = snprintf(buf + used, size - used, "%sinto '%.*s'",
				       or, (int)(dot - path[i]), path[i]);
		else
			len = snprintf(buf + used, size - used,
				       "%sto the top level", or);
		used += len > 0 ? (size_t)len : size;
	}
}

static int unknown_key(const struct decode *d, const struct json *member,
		       const char *path, const struct place *at)
{
	const char *near = strchr(member->key, '.') ? NULL : key_suggest(path);
	char full[PLACE_TEXT_MAX];
	char hint[160];

	place_text(at, full, sizeof(full));
	if (strchr(member->key, '.'))
		(void)snprintf(hint, sizeof(hint),
			       "; write what the dots part as objects within "
			       "each other");
	else if (near)
		(void)snprintf(hint, sizeof(hint), "; did you mean '%s'?",
			       near);
	else
		hint_elsewhere(member->key, hint, sizeof(hint));
	if (hint[0] == '\0')
		(void)snprintf(hint, sizeof(hint),
			       "; remove it, or see egress-run-profile(5) for "
			       "what may stand here");
	return conform_fail(&d->conform, &member->key_at, NULL,
			    "unknown key '%s'%s", full, hint);
}

static struct shape shape_of(const struct key_spec *spec)
{
	return (struct shape) {
		.name = spec->path,
		.type = spec->type,
		.word = spec->word,
		.values = spec->values,
		.object = spec->object,
		.min = spec->min,
		.max = spec->max,
		.null_ok = spec->null_ok,
		.not_empty = !spec->empty_ok,
	};
}

static int decode_key(struct decode *d, enum profile_key key,
		      const struct json *v, const struct place *at,
		      struct field *f)
{
	const struct key_spec *spec = key_spec(key);
	const struct shape shape = shape_of(spec);
	const struct collect c = { d->context, &d->conform, spec, at };
	int rc;

	if (f->state != FIELD_ABSENT)
		return conform_fail(&d->conform, &v->key_at, at,
				    "'%s' stands in line %u already, under "
				    "another of its names; remove one",
				    spec->path, f->from.line);
	if (key == KEY_COMMAND_POLICIES && v->type == JSON_NULL)
		return conform_fail(&d->conform, &v->at, at,
				    "null does not clear the policies of a "
				    "base; remove the key");
	rc = conform_value(&d->conform, &shape, v, at);
	if (rc < 0)
		return rc;
	f->from = collect_origin(d->context, &v->key_at);
	if (v->type == JSON_NULL) {
		/* A list that may be null is not said then. */
		if (spec->merge != MERGE_APPEND)
			f->state = FIELD_NULL;
		return 0;
	}
	rc = collect_field(&c, v, f);
	if (rc == 0 && key == KEY_EXTENDS && f->n == 0)
		f->state = FIELD_ABSENT;
	return rc;
}

static int decode_fragment(struct decode *d, const struct json *v,
			   const struct place *at)
{
	bool ours = strcmp(v->key, "linux") == 0;
	struct decode inner = {
		.context = d->context,
		.conform = d->conform,
		.fragment = true,
	};
	int rc;

	if (v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_OBJECT)
		return conform_fail(&d->conform, &v->at, at,
				    "must be an object, not %s",
				    conform_type_name(v));
	inner.conform.foreign = !ours;
	inner.profile = profile_new(d->context->arena);
	if (!inner.profile)
		return -ENOMEM;
	rc = decode_section(&inner, "", v, at);
	if (rc == 0 && ours)
		d->profile->override = inner.profile;
	return rc;
}

static int decode_overrides(struct decode *d, const struct json *v,
			    const struct place *at)
{
	static const struct shape systems[] = {
		{ .name = "macos", .type = TYPE_ANY_OBJECT, .null_ok = true },
		{ .name = "linux", .type = TYPE_ANY_OBJECT, .null_ok = true },
		{ .name = "windows", .type = TYPE_ANY_OBJECT, .null_ok = true },
		{ .name = NULL },
	};
	static const struct shape overrides = {
		.type = TYPE_OBJECT,
		.object = systems,
		.null_ok = true,
	};
	int rc = conform_value(&d->conform, &overrides, v, at);

	for (size_t i = 0; i < v->n && rc == 0; i++) {
		const struct place here = { .up = at, .name = v->items[i].key };

		rc = decode_fragment(d, &v->items[i], &here);
	}
	return rc;
}

static int decode_subsection(struct decode *d, const char *path,
			     const struct json *v, const struct place *at)
{
	if (v->type == JSON_NULL && key_section_null_ok(path))
		return 0;
	if (v->type != JSON_OBJECT)
		return conform_fail(
			&d->conform, &v->at, at, "must be an object, not %s%s",
			conform_type_name(v),
			v->type == JSON_NULL ? "; remove the key to leave it "
					       "unset"
					     : "");
	return decode_section(d, path, v, at);
}

/* The two that are neither keys nor sections; 1 for all others. */
static int decode_special(struct decode *d, const char *path,
			  const struct json *v, const struct place *at)
{
	static const struct shape text = { .type = TYPE_STRING };
	bool overrides = strcmp(path, "platform_overrides") == 0;

	if (strcmp(path, "$schema") == 0)
		return conform_value(&d->conform, &text, v, at);
	if (d->fragment && (overrides || strcmp(path, "extends") == 0))
		return v->type == JSON_NULL
			       ? 0
			       : conform_fail(&d->conform, &v->key_at, at,
					      "may not stand in a fragment of "
					      "platform_overrides; move it to "
					      "the top level of the file");
	return overrides ? decode_overrides(d, v, at) : 1;
}

static int decode_member(struct decode *d, const char *section,
			 const struct json *v, const struct place *at)
{
	char path[KEY_PATH_MAX];
	bool legacy;
	int len = snprintf(path, sizeof(path), "%s%s%s", section,
			   section[0] ? "." : "", v->key);
	int key;
	int rc;

	if (len < 0 || (size_t)len >= sizeof(path) || strchr(v->key, '.'))
		return unknown_key(d, v, path, at);
	rc = decode_special(d, path, v, at);
	if (rc <= 0)
		return rc;
	if (key_is_section(path))
		return decode_subsection(d, path, v, at);
	key = key_find(path, &legacy);
	if (key < 0)
		return unknown_key(d, v, path, at);
	return decode_key(d, (enum profile_key)key, v, at,
			  legacy ? &d->legacy[key_find_legacy(path)]
				 : &d->profile->field[key]);
}

static int note_legacy(struct decode *d, const struct legacy_key *old,
		       const struct origin *from)
{
	return profile_note(d->context->arena, d->profile,
			    "%s:%u:%u: deprecated key '%s': use '%s' instead",
			    from->file, from->line, from->column, old->path,
			    key_spec(old->into)->path);
}

static int drain_legacy(struct decode *d)
{
	int rc = 0;

	for (size_t i = 0; i < n_legacy_keys && rc == 0; i++) {
		const struct field *old = &d->legacy[i];
		struct field *f = &d->profile->field[legacy_keys[i].into];
		struct entries list;

		if (old->n == 0)
			continue;
		if (f->state == FIELD_ABSENT)
			f->from = old->from;
		entries_begin(&list, d->context->arena, f, MERGE_APPEND);
		for (size_t k = 0; k < old->n && rc == 0; k++)
			rc = entries_add(&list, &old->items[k]);
		entries_end(&list);
		if (rc == 0)
			rc = note_legacy(d, &legacy_keys[i], &old->from);
	}
	return rc;
}

static int decode_section(struct decode *d, const char *section,
			  const struct json *object, const struct place *at)
{
	for (size_t i = 0; i < object->n; i++) {
		const struct json *member = &object->items[i];
		const struct place here = { .up = at, .name = member->key };
		int rc = decode_member(d, section, member, &here);

		if (rc < 0)
			return rc;
	}
	return section[0] == '\0' ? drain_legacy(d) : 0;
}

int decode_profile(const struct decode_context *c, const struct json *root,
		   struct profile **ret, struct err *e)
{
	struct decode d = {
		.context = c,
		.conform = { .file = c->file, .os = c->os, .e = e },
	};
	int rc = -ENOMEM;

	if (root->type != JSON_OBJECT)
		return conform_fail(&d.conform, &root->at, NULL,
				    "a profile must be an object { ... }, not "
				    "%s",
				    conform_type_name(root));
	d.profile = profile_new(c->arena);
	if (d.profile)
		rc = decode_section(&d, "", root, NULL);
	if (rc == -ENOMEM)
		return err_errno(e, ENOMEM, "%s", c->file);
	if (rc < 0)
		return rc;
	*ret = d.profile;
	return 0;
}
