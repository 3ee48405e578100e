/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/scalars.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "profiles/suggest.h"

int conform_fail(const struct conform *c, const struct json_pos *pos,
		 const struct place *at, const char *fmt, ...)
{
	char path[PLACE_TEXT_MAX];
	char reason[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	place_text(at, path, sizeof(path));
	return err_set(c->e, EINVAL, "%s:%u:%u: %s%s%s", c->file, pos->line,
		       pos->column, path, path[0] ? ": " : "", reason);
}

/* What a key takes, for "must be X". */
static const char *const wanted[TYPE__COUNT] = {
	[TYPE_STRING] = "a string",
	[TYPE_STRING_OR_LIST] = "a string or a list of strings",
	[TYPE_BOOL] = "true or false",
	[TYPE_UINT] = "a number",
	[TYPE_ENUM] = "a string",
	[TYPE_STRINGS] = "a list of strings",
	[TYPE_WHEN_STRINGS] = "a list of strings",
	[TYPE_PORTS] = "a list of ports",
	[TYPE_PORT_RANGES] = "a list of ranges [FIRST, LAST]",
	[TYPE_DOMAINS] = "a list of names",
	[TYPE_STRING_MAP] = "an object of strings",
	[TYPE_WHEN_MAP] = "an object of strings",
	[TYPE_OBJECT] = "an object",
	[TYPE_OBJECTS] = "a list of objects",
	[TYPE_OBJECT_MAP] = "an object of objects",
	[TYPE_ANY_OBJECT] = "an object",
	[TYPE_ENUM_OR_OBJECT] = "a string or an object",
	[TYPE_WHEN] = "a condition or a list of conditions",
};

const char *conform_type_name(const struct json *v)
{
	return v->type == JSON_ARRAY ? "a list" : json_type_name(v->type);
}

static bool wants_list(enum key_type type)
{
	return strncmp(wanted[type], "a list", 6) == 0;
}

/* The likely slip, or nothing. */
static const char *remedy(enum key_type type, const struct json *v)
{
	if (v->type == JSON_NULL)
		return "; remove the key to leave it unset";
	if (type == TYPE_BOOL && v->type == JSON_STRING)
		return "; write it without quotes";
	if (type == TYPE_UINT && v->type == JSON_STRING)
		return "; write it without quotes";
	if (wants_list(type) && v->type != JSON_ARRAY)
		return "; put it between [ and ]";
	return "";
}

int conform_wrong_type(const struct conform *c, enum key_type type,
		       const struct json *v, const struct place *at)
{
	return conform_fail(c, &v->at, at, "must be %s, not %s%s", wanted[type],
			    conform_type_name(v), remedy(type, v));
}

int conform_string(const struct conform *c, const struct shape *s,
		   const struct json *v, const struct place *at)
{
	if (v->type != JSON_STRING)
		return conform_wrong_type(c, TYPE_STRING, v, at);
	if (s->not_empty && v->string[0] == '\0')
		return conform_fail(c, &v->at, at,
				    "must not be empty; remove it or write "
				    "what is meant");
	return 0;
}

int conform_bool(const struct conform *c, const struct shape *s,
		 const struct json *v, const struct place *at)
{
	(void)s;
	return v->type == JSON_BOOL ? 0
				    : conform_wrong_type(c, TYPE_BOOL, v, at);
}

int conform_number(const struct conform *c, const struct shape *s,
		   const struct json *v, const struct place *at)
{
	double max = s->max > 0 ? s->max : (double)UINT32_MAX;

	if (v->type != JSON_NUMBER)
		return conform_wrong_type(c, TYPE_UINT, v, at);
	if (v->number < s->min || v->number > max ||
	    (double)(uint64_t)v->number < v->number)
		return conform_fail(c, &v->at, at,
				    "must be a whole number from %u to %.0f, "
				    "not %.15g",
				    s->min, max, v->number);
	return 0;
}

static int bad_choice(const struct conform *c, const struct shape *s,
		      const struct json *v, const struct place *at)
{
	const char *near = suggest_from(v->string, s->values);
	char list[256] = "";
	size_t used = 0;

	for (const char *const *p = s->values; *p; p++) {
		if (used > 0)
			used = place_add_text(list, sizeof(list), used,
					      p[1] ? ", " : " or ");
		used = place_add_text(list, sizeof(list), used, "'");
		used = place_add_text(list, sizeof(list), used, *p);
		used = place_add_text(list, sizeof(list), used, "'");
	}
	return conform_fail(c, &v->at, at, "must be %s, not '%.64s'%s%s%s",
			    list, v->string, near ? "; did you mean '" : "",
			    near ? near : "", near ? "'?" : "");
}

int conform_choice(const struct conform *c, const struct shape *s,
		   const struct json *v, const struct place *at)
{
	if (v->type != JSON_STRING)
		return conform_wrong_type(c, TYPE_ENUM, v, at);
	for (const char *const *p = s->values; *p; p++) {
		if (strcmp(*p, v->string) == 0)
			return 0;
	}
	return bad_choice(c, s, v, at);
}

/* One condition of a `when`; any of several suffices. */
static int conform_condition(const struct conform *c, const struct json *v,
			     const struct place *at, bool *holds)
{
	struct err reason = { 0 };
	bool now = false;

	if (v->type != JSON_STRING)
		return conform_wrong_type(c, TYPE_STRING, v, at);
	if (when_holds(v->string, c->os, &now, &reason) < 0)
		return conform_fail(c, &v->at, at, "%s", reason.msg);
	*holds = *holds || now;
	return 0;
}

/* A condition or a list of them. */
static int decide(const struct conform *c, const struct json *v,
		  const struct place *at, bool *holds)
{
	*holds = false;
	if (v->type == JSON_STRING)
		return conform_condition(c, v, at, holds);
	if (v->type != JSON_ARRAY)
		return conform_wrong_type(c, TYPE_WHEN, v, at);
	if (v->n == 0)
		return conform_fail(c, &v->at, at,
				    "must not be an empty list, which would "
				    "never hold; remove the entry, or the "
				    "condition");
	for (size_t i = 0; i < v->n; i++) {
		const struct place here = { .up = at, .index = i };
		int rc = conform_condition(c, &v->items[i], &here, holds);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int conform_conditions(const struct conform *c, const struct shape *s,
		       const struct json *v, const struct place *at)
{
	bool holds;

	(void)s;
	return decide(c, v, at, &holds);
}

int conform_when(const struct conform *c, const struct json *object,
		 const struct place *at, bool *ret)
{
	const struct place when_at = { .up = at, .name = "when" };
	const struct json *when = json_get(object, "when");

	*ret = true;
	return when ? decide(c, when, &when_at, ret) : 0;
}
