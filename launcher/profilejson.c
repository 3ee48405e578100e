/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/profilejson.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/print.h"
#include "profiles/json.h"

#define REPLACEMENT 0xfffdu

/* Adds value, which is taken in any case; false without memory. */
static bool add(cJSON *object, const char *key, cJSON *value)
{
	if (!value)
		return false;
	if (key ? cJSON_AddItemToObject(object, key, value)
		: cJSON_AddItemToArray(object, value))
		return true;
	cJSON_Delete(value);
	return false;
}

/* The whole value of a finished call, or NULL after a failed one. */
static cJSON *keep_if(bool ok, cJSON *value)
{
	if (ok)
		return value;
	cJSON_Delete(value);
	return NULL;
}

static cJSON *from_json(const struct json *j)
{
	bool is_object = j->type == JSON_OBJECT;
	cJSON *out;
	bool ok;

	switch (j->type) {
	case JSON_NULL:
		return cJSON_CreateNull();
	case JSON_BOOL:
		return cJSON_CreateBool(j->boolean);
	case JSON_NUMBER:
		return cJSON_CreateNumber(j->number);
	case JSON_STRING:
		return cJSON_CreateString(j->string);
	default:
		break;
	}
	out = is_object ? cJSON_CreateObject() : cJSON_CreateArray();
	ok = out != NULL;
	for (size_t i = 0; ok && i < j->n; i++)
		ok = add(out, is_object ? j->items[i].key : NULL,
			 from_json(&j->items[i]));
	return keep_if(ok, out);
}

static cJSON *from_endpoints(const struct entry *item)
{
	cJSON *out = cJSON_CreateObject();
	cJSON *rules = cJSON_CreateArray();
	bool ok = out && rules;

	for (size_t i = 0; ok && i < item->n_endpoints; i++) {
		cJSON *rule = cJSON_CreateObject();

		ok = add(rules, NULL, rule) &&
		     add(rule, "method",
			 cJSON_CreateString(item->endpoints[i].method)) &&
		     add(rule, "path",
			 cJSON_CreateString(item->endpoints[i].path));
	}
	ok = ok && add(out, "domain", cJSON_CreateString(item->text));
	if (!ok) {
		cJSON_Delete(rules);
		return keep_if(false, out);
	}
	return keep_if(add(out, "endpoints", rules), out);
}

static cJSON *from_range(const char *text)
{
	char *end;
	unsigned long low = strtoul(text, &end, 10);
	unsigned long high = *end == '-' ? strtoul(end + 1, NULL, 10) : low;
	const double pair[2] = { (double)low, (double)high };

	return cJSON_CreateDoubleArray(pair, 2);
}

static cJSON *from_entry(const struct key_spec *spec, const struct entry *item)
{
	if (item->value)
		return from_json(item->value);
	if (!item->text)
		return cJSON_CreateNull();
	if (item->n_endpoints > 0)
		return from_endpoints(item);
	switch (spec->type) {
	case TYPE_BOOL:
		return cJSON_CreateBool(strcmp(item->text, "true") == 0);
	case TYPE_UINT:
	case TYPE_PORTS:
		return cJSON_CreateNumber(strtod(item->text, NULL));
	case TYPE_PORT_RANGES:
		return from_range(item->text);
	default:
		return cJSON_CreateString(item->text);
	}
}

cJSON *profilejson_entry(struct arena *a, const struct key_spec *spec,
			 const struct entry *item)
{
	const char *origin = origin_text(a, &item->from);
	cJSON *out = cJSON_CreateObject();
	bool ok = out && origin && add(out, "value", from_entry(spec, item)) &&
		  add(out, "origin", cJSON_CreateString(origin));

	if (ok && item->from.group)
		ok = add(out, "group", cJSON_CreateString(item->from.group));
	return keep_if(ok, out);
}

static bool is_scalar(enum key_type type)
{
	return type == TYPE_STRING || type == TYPE_BOOL || type == TYPE_UINT ||
	       type == TYPE_ENUM || type == TYPE_OBJECT ||
	       type == TYPE_ANY_OBJECT;
}

static bool is_map(enum key_type type)
{
	return type == TYPE_STRING_MAP || type == TYPE_WHEN_MAP ||
	       type == TYPE_OBJECT_MAP;
}

cJSON *profilejson_field(struct arena *a, const struct key_spec *spec,
			 const struct field *f)
{
	cJSON *out;
	bool ok;

	if (f->state != FIELD_SET || (is_scalar(spec->type) && f->n == 0))
		return cJSON_CreateNull();
	if (is_scalar(spec->type))
		return profilejson_entry(a, spec, &f->items[0]);
	out = is_map(spec->type) ? cJSON_CreateObject() : cJSON_CreateArray();
	ok = out != NULL;
	for (size_t i = 0; ok && i < f->n; i++)
		ok = add(out, is_map(spec->type) ? f->items[i].key : NULL,
			 profilejson_entry(a, spec, &f->items[i]));
	return keep_if(ok, out);
}

int profilejson_put(cJSON *root, const char *path, cJSON *value)
{
	const char *dot;

	while (value && (dot = strchr(path, '.'))) {
		char section[64];
		cJSON *next;

		(void)snprintf(section, sizeof(section), "%.*s",
			       (int)(dot - path), path);
		next = cJSON_GetObjectItemCaseSensitive(root, section);
		if (!next)
			next = cJSON_AddObjectToObject(root, section);
		if (!next) {
			cJSON_Delete(value);
			return -ENOMEM;
		}
		root = next;
		path = dot + 1;
	}
	return add(root, path, value) ? 0 : -ENOMEM;
}

/* One character of UTF-8; its length is at least 1, also for what is none. */
static size_t decode(const unsigned char *p, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *p < 0x80	 ? 1
		     : *p < 0xc0 ? 0
		     : *p < 0xe0 ? 2
		     : *p < 0xf0 ? 3
		     : *p < 0xf8 ? 4
				 : 0;
	uint32_t c = len == 1 ? *p : *p & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			len = 0;
		else
			c = c << 6 | (p[i] & 0x3fu);
	}
	if (len == 0 || c < least[len] || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000)) {
		*ret = REPLACEMENT;
		return 1;
	}
	*ret = c;
	return len;
}

/* What is outside ASCII stands in strings only, where \u is the same. */
static void print_ascii(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		uint32_t c;

		p += decode(p, &c);
		if (c < 0x7f)
			(void)putchar((int)c);
		else if (c < 0x10000)
			printf("\\u%04x", c);
		else
			printf("\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
			       0xdc00 + (c & 0x3ff));
	}
}

int profilejson_print(cJSON *root, struct err *e)
{
	char *text = root ? cJSON_Print(root) : NULL;

	cJSON_Delete(root);
	if (!text)
		return err_errno(e, ENOMEM, "JSON");
	print_ascii(text);
	(void)putchar('\n');
	cJSON_free(text);
	return print_finish() < 0
		       ? err_set(e, EIO, "write to standard output failed")
		       : 0;
}

const char *profilejson_text(struct arena *a, const struct key_spec *spec,
			     const struct entry *item)
{
	bool plain = item->text && item->n_endpoints == 0;
	cJSON *value = plain ? NULL : from_entry(spec, item);
	char *printed = value ? cJSON_PrintUnformatted(value) : NULL;
	const char *text = plain ? item->text : printed;
	const char *line = NULL;

	if (text && item->key)
		line = arena_printf(a, "%s -> %s", item->key, text);
	else if (text)
		line = arena_strdup(a, text);
	cJSON_free(printed);
	cJSON_Delete(value);
	return line;
}
