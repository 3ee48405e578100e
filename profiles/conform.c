/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/conform.h"

#include <string.h>

#include "profiles/scalars.h"
#include "profiles/shapes.h"
#include "profiles/suggest.h"

#define PORT_LAST 65535

static int conform_list(const struct conform *c, const struct shape *s,
			const struct json *v, const struct place *at,
			conform_fn *element)
{
	if (v->type != JSON_ARRAY)
		return conform_wrong_type(c, s->type, v, at);
	for (size_t i = 0; i < v->n; i++) {
		const struct place here = { .up = at, .index = i };
		int rc = element(c, s, &v->items[i], &here);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int conform_strings(const struct conform *c, const struct shape *s,
			   const struct json *v, const struct place *at)
{
	return conform_list(c, s, v, at, conform_string);
}

static int conform_string_or_list(const struct conform *c,
				  const struct shape *s, const struct json *v,
				  const struct place *at)
{
	if (v->type == JSON_STRING)
		return conform_string(c, s, v, at);
	return conform_list(c, s, v, at, conform_string);
}

/* Looks a member up in a shape; NULL if it is unknown. */
static const struct shape *find_shape(const struct shape *table,
				      const char *name)
{
	for (; table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

static int unknown_member(const struct conform *c, const struct shape *table,
			  const struct json *v, const struct place *at)
{
	char path[PLACE_TEXT_MAX];
	struct suggest s;

	suggest_begin(&s, v->key);
	for (const struct shape *p = table; p->name; p++)
		suggest_offer(&s, p->name);
	place_text(at, path, sizeof(path));
	if (s.best)
		return conform_fail(c, &v->key_at, NULL,
				    "unknown key '%s'; did you mean '%s'?",
				    path, s.best);
	return conform_fail(c, &v->key_at, NULL,
			    "unknown key '%s'; remove it, or see "
			    "egress-run-profile(5) for what may stand here",
			    path);
}

static int conform_members(const struct conform *c, const struct shape *table,
			   const struct json *v, const struct place *at)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct json *member = &v->items[i];
		const struct place here = { .up = at, .name = member->key };
		const struct shape *s = find_shape(table, member->key);
		int rc;

		if (!s)
			return unknown_member(c, table, member, &here);
		rc = conform_value(c, s, member, &here);
		if (rc < 0)
			return rc;
	}
	for (; table->name; table++) {
		if (table->required && !json_get(v, table->name))
			return conform_fail(c, &v->at, at,
					    "'%s' is missing; add it",
					    table->name);
	}
	return 0;
}

static int conform_object(const struct conform *c, const struct shape *s,
			  const struct json *v, const struct place *at)
{
	if (v->type != JSON_OBJECT)
		return conform_wrong_type(c, TYPE_OBJECT, v, at);
	return conform_members(c, s->object, v, at);
}

static int conform_objects(const struct conform *c, const struct shape *s,
			   const struct json *v, const struct place *at)
{
	return conform_list(c, s, v, at, conform_object);
}

static int conform_any_object(const struct conform *c, const struct shape *s,
			      const struct json *v, const struct place *at)
{
	(void)s;
	if (v->type != JSON_OBJECT)
		return conform_wrong_type(c, TYPE_ANY_OBJECT, v, at);
	return 0;
}

static int conform_choice_or_object(const struct conform *c,
				    const struct shape *s, const struct json *v,
				    const struct place *at)
{
	if (v->type == JSON_OBJECT)
		return conform_members(c, s->object, v, at);
	if (v->type != JSON_STRING)
		return conform_wrong_type(c, TYPE_ENUM_OR_OBJECT, v, at);
	return conform_choice(c, s, v, at);
}

static int conform_map(const struct conform *c, const struct shape *s,
		       const struct json *v, const struct place *at,
		       conform_fn *member)
{
	if (v->type != JSON_OBJECT)
		return conform_wrong_type(c, s->type, v, at);
	for (size_t i = 0; i < v->n; i++) {
		const struct json *m = &v->items[i];
		const struct place here = { .up = at, .name = m->key };
		int rc;

		if (m->key[0] == '\0')
			return conform_fail(c, &m->key_at, at,
					    "a name must not be empty; write "
					    "one or remove the member");
		rc = member(c, s, m, &here);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int conform_string_map(const struct conform *c, const struct shape *s,
			      const struct json *v, const struct place *at)
{
	return conform_map(c, s, v, at, conform_string);
}

static int conform_object_map(const struct conform *c, const struct shape *s,
			      const struct json *v, const struct place *at)
{
	return conform_map(c, s, v, at, conform_object);
}

/* A string, or {word: string, when}. */
static int conform_when_string(const struct conform *c, const struct shape *s,
			       const struct json *v, const struct place *at)
{
	const struct shape table[] = {
		{ .name = s->word,
		  .type = TYPE_STRING,
		  .required = true,
		  .not_empty = s->not_empty },
		{ .name = "when", .type = TYPE_WHEN },
		{ .name = NULL },
	};

	if (v->type == JSON_STRING)
		return conform_string(c, s, v, at);
	if (v->type != JSON_OBJECT)
		return conform_fail(c, &v->at, at,
				    "must be a string or an object with '%s' "
				    "and 'when', not %s",
				    s->word, conform_type_name(v));
	return conform_members(c, table, v, at);
}

static int conform_when_strings(const struct conform *c, const struct shape *s,
				const struct json *v, const struct place *at)
{
	return conform_list(c, s, v, at, conform_when_string);
}

static int conform_when_map(const struct conform *c, const struct shape *s,
			    const struct json *v, const struct place *at)
{
	return conform_map(c, s, v, at, conform_when_string);
}

static int conform_port(const struct conform *c, const struct shape *s,
			const struct json *v, const struct place *at)
{
	const struct shape port = {
		.type = TYPE_UINT,
		.min = c->foreign ? 0 : 1,
		.max = PORT_LAST,
	};

	(void)s;
	if (v->type == JSON_NUMBER && !c->foreign && !(v->number < 0) &&
	    !(v->number > 0))
		return conform_fail(c, &v->at, at,
				    "port 0 stands for every port on macOS "
				    "only; write the ports that are meant, "
				    "1 to 65535");
	return conform_number(c, &port, v, at);
}

static int conform_ports(const struct conform *c, const struct shape *s,
			 const struct json *v, const struct place *at)
{
	return conform_list(c, s, v, at, conform_port);
}

static int conform_range(const struct conform *c, const struct shape *s,
			 const struct json *v, const struct place *at)
{
	int rc;

	if (v->type != JSON_ARRAY || v->n != 2)
		return conform_fail(c, &v->at, at,
				    "must be a range [FIRST, LAST] of two "
				    "ports, such as [3000, 3010]");
	rc = conform_list(c, s, v, at, conform_port);
	if (rc < 0)
		return rc;
	if (v->items[0].number > v->items[1].number)
		return conform_fail(c, &v->at, at,
				    "the first port of the range, %.0f, is "
				    "above the last, %.0f; exchange them",
				    v->items[0].number, v->items[1].number);
	return 0;
}

static int conform_ranges(const struct conform *c, const struct shape *s,
			  const struct json *v, const struct place *at)
{
	return conform_list(c, s, v, at, conform_range);
}

static int conform_domain(const struct conform *c, const struct shape *s,
			  const struct json *v, const struct place *at)
{
	if (v->type == JSON_STRING)
		return conform_string(c, s, v, at);
	if (v->type != JSON_OBJECT)
		return conform_fail(c, &v->at, at,
				    "must be a string or an object with "
				    "'domain' and 'endpoints', not %s",
				    conform_type_name(v));
	return conform_members(c, shape_domain, v, at);
}

static int conform_domains(const struct conform *c, const struct shape *s,
			   const struct json *v, const struct place *at)
{
	return conform_list(c, s, v, at, conform_domain);
}

static conform_fn *const by_type[TYPE__COUNT] = {
	[TYPE_STRING] = conform_string,
	[TYPE_STRING_OR_LIST] = conform_string_or_list,
	[TYPE_BOOL] = conform_bool,
	[TYPE_UINT] = conform_number,
	[TYPE_ENUM] = conform_choice,
	[TYPE_STRINGS] = conform_strings,
	[TYPE_WHEN_STRINGS] = conform_when_strings,
	[TYPE_PORTS] = conform_ports,
	[TYPE_PORT_RANGES] = conform_ranges,
	[TYPE_DOMAINS] = conform_domains,
	[TYPE_STRING_MAP] = conform_string_map,
	[TYPE_WHEN_MAP] = conform_when_map,
	[TYPE_OBJECT] = conform_object,
	[TYPE_OBJECTS] = conform_objects,
	[TYPE_OBJECT_MAP] = conform_object_map,
	[TYPE_ANY_OBJECT] = conform_any_object,
	[TYPE_ENUM_OR_OBJECT] = conform_choice_or_object,
	[TYPE_WHEN] = conform_conditions,
};

int conform_value(const struct conform *c, const struct shape *s,
		  const struct json *v, const struct place *at)
{
	if (v->type == JSON_NULL && s->null_ok)
		return 0;
	return by_type[s->type](c, s, v, at);
}
