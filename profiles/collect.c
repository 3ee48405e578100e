/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/collect.h"

#include <errno.h>

#include "profiles/entries.h"

/* Adds what v stands for to the list. */
typedef int collect_fn(const struct collect *c, struct entries *list,
		       const struct json *v);

struct origin collect_origin(const struct decode_context *c,
			     const struct json_pos *at)
{
	return (struct origin) {
		.file = c->file,
		.line = at->line,
		.column = at->column,
		.group = c->group,
	};
}

static struct entry at_value(const struct collect *c, const struct json *v)
{
	return (struct entry) { .from = collect_origin(c->context, &v->at) };
}

static struct entry at_member(const struct collect *c, const struct json *v)
{
	return (struct entry) {
		.key = v->key,
		.from = collect_origin(c->context, &v->key_at),
	};
}

static int collect_string(const struct collect *c, struct entries *list,
			  const struct json *v)
{
	struct entry item = at_value(c, v);

	item.text = v->string;
	return entries_add(list, &item);
}

static int collect_bool(const struct collect *c, struct entries *list,
			const struct json *v)
{
	struct entry item = at_value(c, v);

	item.text = v->boolean ? "true" : "false";
	return entries_add(list, &item);
}

static int collect_number(const struct collect *c, struct entries *list,
			  const struct json *v)
{
	struct entry item = at_value(c, v);

	item.text = arena_printf(c->context->arena, "%.0f", v->number);
	return item.text ? entries_add(list, &item) : -ENOMEM;
}

static int collect_object(const struct collect *c, struct entries *list,
			  const struct json *v)
{
	struct entry item = at_value(c, v);

	item.value = v;
	return entries_add(list, &item);
}

/* Nothing in it, nothing asked for. */
static int collect_any_object(const struct collect *c, struct entries *list,
			      const struct json *v)
{
	return v->n > 0 ? collect_object(c, list, v) : 0;
}

/* Elements of a list or members of an object. */
static int each(const struct collect *c, struct entries *list,
		const struct json *v, collect_fn *fn)
{
	int rc = 0;

	for (size_t i = 0; i < v->n && rc == 0; i++)
		rc = fn(c, list, &v->items[i]);
	return rc;
}

static int collect_strings(const struct collect *c, struct entries *list,
			   const struct json *v)
{
	if (v->type == JSON_STRING)
		return collect_string(c, list, v);
	return each(c, list, v, collect_string);
}

/* The text of a string or of {word: string, when}; NULL in *ret if the
 * condition does not hold. */
static int when_text(const struct collect *c, const struct json *v,
		     const char **ret)
{
	bool holds;
	int rc;

	if (v->type == JSON_STRING) {
		*ret = v->string;
		return 0;
	}
	rc = conform_when(c->conform, v, c->at, &holds);
	*ret = rc == 0 && holds ? json_get(v, c->spec->word)->string : NULL;
	return rc;
}

static int collect_when_string(const struct collect *c, struct entries *list,
			       const struct json *v)
{
	struct entry item = at_value(c, v);
	int rc = when_text(c, v, &item.text);

	return rc == 0 && item.text ? entries_add(list, &item) : rc;
}

static int collect_when_strings(const struct collect *c, struct entries *list,
				const struct json *v)
{
	return each(c, list, v, collect_when_string);
}

static int collect_ports(const struct collect *c, struct entries *list,
			 const struct json *v)
{
	return each(c, list, v, collect_number);
}

static int collect_range(const struct collect *c, struct entries *list,
			 const struct json *v)
{
	struct entry item = at_value(c, v);

	item.text = arena_printf(c->context->arena, "%.0f-%.0f",
				 v->items[0].number, v->items[1].number);
	return item.text ? entries_add(list, &item) : -ENOMEM;
}

static int collect_ranges(const struct collect *c, struct entries *list,
			  const struct json *v)
{
	return each(c, list, v, collect_range);
}

static int collect_domain(const struct collect *c, struct entries *list,
			  const struct json *v)
{
	struct entry item = at_value(c, v);
	const struct json *rules;
	struct endpoint *endpoints;

	if (v->type == JSON_STRING)
		return collect_string(c, list, v);
	item.text = json_get(v, "domain")->string;
	rules = json_get(v, "endpoints");
	if (!rules || rules->n == 0)
		return entries_add(list, &item);
	endpoints =
		arena_alloc(c->context->arena, rules->n, sizeof(*endpoints));
	if (!endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++) {
		const struct json *rule = &rules->items[i];

		endpoints[i] = (struct endpoint) {
			.method = json_get(rule, "method")->string,
			.path = json_get(rule, "path")->string,
			.from = collect_origin(c->context, &rule->at),
		};
	}
	item.endpoints = endpoints;
	item.n_endpoints = rules->n;
	return entries_add(list, &item);
}

static int collect_domains(const struct collect *c, struct entries *list,
			   const struct json *v)
{
	return each(c, list, v, collect_domain);
}

static int collect_member_string(const struct collect *c, struct entries *list,
				 const struct json *v)
{
	struct entry item = at_member(c, v);

	item.text = v->string;
	return entries_add(list, &item);
}

static int collect_string_map(const struct collect *c, struct entries *list,
			      const struct json *v)
{
	return each(c, list, v, collect_member_string);
}

static int collect_member_object(const struct collect *c, struct entries *list,
				 const struct json *v)
{
	struct entry item = at_member(c, v);

	item.value = v;
	return entries_add(list, &item);
}

static int collect_object_map(const struct collect *c, struct entries *list,
			      const struct json *v)
{
	return each(c, list, v, collect_member_object);
}

static int collect_objects(const struct collect *c, struct entries *list,
			   const struct json *v)
{
	return each(c, list, v, collect_object);
}

/* Which of two secrets a variable gets must not be left to the order. */
static int claim_variable(const struct collect *c, struct entries *taken,
			  const struct entry *item)
{
	const struct entry variable = {
		.text = item->text,
		.value = NULL,
		.from = item->from,
	};
	const struct entry *other = entries_find(taken, &variable);
	const struct place here = { .up = c->at, .name = item->key };
	const struct json_pos at = { item->from.line, item->from.column };

	if (other)
		return conform_fail(c->conform, &at, &here,
				    "'%s' is the variable of line %u too; "
				    "remove one, or give it another variable",
				    item->text, other->from.line);
	return entries_add(taken, &variable);
}

static int collect_when_map(const struct collect *c, struct entries *list,
			    const struct json *v)
{
	struct field variables = { 0 };
	struct entries taken;
	int rc = 0;

	entries_begin(&taken, c->context->arena, &variables, MERGE_APPEND);
	for (size_t i = 0; i < v->n && rc == 0; i++) {
		struct entry item = at_member(c, &v->items[i]);

		rc = when_text(c, &v->items[i], &item.text);
		if (rc < 0 || !item.text)
			continue;
		rc = claim_variable(c, &taken, &item);
		if (rc == 0)
			rc = entries_add(list, &item);
	}
	entries_end(&taken);
	return rc;
}

static collect_fn *const by_type[TYPE__COUNT] = {
	[TYPE_STRING] = collect_string,
	[TYPE_STRING_OR_LIST] = collect_strings,
	[TYPE_BOOL] = collect_bool,
	[TYPE_UINT] = collect_number,
	[TYPE_ENUM] = collect_string,
	[TYPE_STRINGS] = collect_strings,
	[TYPE_WHEN_STRINGS] = collect_when_strings,
	[TYPE_PORTS] = collect_ports,
	[TYPE_PORT_RANGES] = collect_ranges,
	[TYPE_DOMAINS] = collect_domains,
	[TYPE_STRING_MAP] = collect_string_map,
	[TYPE_WHEN_MAP] = collect_when_map,
	[TYPE_OBJECT] = collect_object,
	[TYPE_OBJECTS] = collect_objects,
	[TYPE_OBJECT_MAP] = collect_object_map,
	[TYPE_ANY_OBJECT] = collect_any_object,
};

int collect_field(const struct collect *c, const struct json *v,
		  struct field *f)
{
	struct entries list;
	int rc;

	f->state = FIELD_SET;
	entries_begin(&list, c->context->arena, f, c->spec->merge);
	rc = by_type[c->spec->type](c, &list, v);
	entries_end(&list);
	return rc;
}
