/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three passes: jsonscan.h refuses what is not the format and notes where each
 * token stands, cJSON parses, and its tree is walked in the order of the text
 * beside the list of tokens.  The two must agree on every one of them: a wrong
 * position is never handed out.
 */
#include "profiles/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "profiles/jsonscan.h"
#include "profiles/jsontext.h"

struct walk {
	const struct json_text *t;
	const struct json_scan *scan;
	struct arena *arena;
	size_t next;   /* token */
	size_t offset; /* of the last one taken */
	struct json_pos at;
	struct err *e;
};

static void delete_tree(cJSON **tree)
{
	cJSON_Delete(*tree);
}

static const char *const type_names[] = {
	[JSON_NULL] = "null",	    [JSON_BOOL] = "a boolean",
	[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array",  [JSON_OBJECT] = "an object",
};

const char *json_type_name(enum json_type type)
{
	return type_names[type];
}

static enum json_type type_of(const cJSON *item)
{
	switch (item->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

static enum json_type type_at(const char *text)
{
	switch (*text) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

static int disagree(struct walk *w)
{
	return json_fault(w->t->file, &w->at, w->e,
			  "cannot be read from here on");
}

static int no_memory(const struct walk *w)
{
	return err_errno(w->e, ENOMEM, "%s", w->t->file);
}

/* Moves on to the next token, which must be one of that type. */
static int take(struct walk *w, enum json_type type)
{
	size_t offset;

	if (w->next == w->scan->n_tokens)
		return disagree(w);
	offset = w->scan->tokens[w->next++];
	json_advance(w->t->text, w->offset, offset, &w->at);
	w->offset = offset;
	return type_at(w->t->text + offset) == type ? 0 : disagree(w);
}

struct member {
	const struct json *value;
};

/* By key, then in the order of the text. */
static int compare_keys(const void *a, const void *b)
{
	const struct json *x = ((const struct member *)a)->value;
	const struct json *y = ((const struct member *)b)->value;
	int diff = strcmp(x->key, y->key);

	if (diff != 0)
		return diff;
	return x < y ? -1 : 1;
}

/* The first key of the text that was there before. */
static int check_duplicates(const struct walk *w, const struct json *object)
{
	cleanup_free struct member *sorted = NULL;
	const struct json *first = NULL;
	const struct json *again = NULL;

	if (object->n < 2)
		return 0;
	sorted = calloc(object->n, sizeof(*sorted));
	if (!sorted)
		return no_memory(w);
	for (size_t i = 0; i < object->n; i++)
		sorted[i].value = &object->items[i];
	qsort(sorted, object->n, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < object->n; i++) {
		const struct json *x = sorted[i - 1].value;
		const struct json *y = sorted[i].value;

		if (strcmp(x->key, y->key) == 0 && (!again || y < again)) {
			first = x;
			again = y;
		}
	}
	if (!again)
		return 0;
	return json_fault(w->t->file, &again->key_at, w->e,
			  "the key \"%.80s\" is there twice; the other one is "
			  "in line %u, column %u",
			  again->key, first->key_at.line, first->key_at.column);
}

static int convert(struct walk *w, const cJSON *item, struct json *ret);

static int convert_children(struct walk *w, const cJSON *item, struct json *ret)
{
	const cJSON *child;

	for (child = item->child; child; child = child->next)
		ret->n++;
	if (ret->n == 0)
		return 0;
	ret->items = arena_alloc(w->arena, ret->n, sizeof(*ret->items));
	if (!ret->items)
		return no_memory(w);
	child = item->child;
	for (struct json *into = ret->items; child; child = child->next) {
		int rc = 0;

		if (ret->type == JSON_OBJECT) {
			rc = take(w, JSON_STRING);
			into->key_at = w->at;
			into->key = arena_strdup(w->arena, child->string);
			if (rc == 0 && !into->key)
				rc = no_memory(w);
		}
		if (rc == 0)
			rc = convert(w, child, into++);
		if (rc < 0)
			return rc;
	}
	return ret->type == JSON_OBJECT ? check_duplicates(w, ret) : 0;
}

/* The number and how it was written. */
static int convert_number(struct walk *w, const cJSON *item, struct json *ret)
{
	const char *text = w->scan->plain + w->offset;
	size_t len = strspn(text, "+-.0123456789eE");

	ret->number = item->valuedouble;
	if (!isfinite(ret->number))
		return json_fault(w->t->file, &w->at, w->e,
				  "the number %.*s is too large", (int)len,
				  text);
	ret->string = arena_copy(w->arena, text, len);
	return ret->string ? 0 : no_memory(w);
}

static int convert(struct walk *w, const cJSON *item, struct json *ret)
{
	int rc;

	ret->type = type_of(item);
	rc = take(w, ret->type);
	if (rc < 0)
		return rc;
	ret->at = w->at;
	switch (ret->type) {
	case JSON_BOOL:
		ret->boolean = cJSON_IsTrue(item);
		return 0;
	case JSON_NUMBER:
		return convert_number(w, item, ret);
	case JSON_STRING:
		ret->string = arena_strdup(w->arena, item->valuestring);
		return ret->string ? 0 : no_memory(w);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return convert_children(w, item, ret);
	default:
		return 0;
	}
}

static int parse_scanned(struct walk *w, struct json **ret)
{
	__attribute__((cleanup(delete_tree))) cJSON *tree = NULL;
	struct json *root;
	int rc;

	tree = cJSON_ParseWithLengthOpts(w->scan->plain, w->scan->len + 1, NULL,
					 true);
	if (!tree)
		return disagree(w);
	root = arena_alloc(w->arena, 1, sizeof(*root));
	if (!root)
		return no_memory(w);
	rc = convert(w, tree, root);
	if (rc == 0 && w->next != w->scan->n_tokens)
		rc = disagree(w);
	if (rc == 0)
		*ret = root;
	return rc;
}

int json_parse(struct arena *a, const char *file, const char *text, size_t len,
	       struct json **ret, struct err *e)
{
	struct json_text t = { .file = file, .text = text, .len = len };
	struct json_scan scan;
	struct walk w = { .t = &t,
			  .scan = &scan,
			  .arena = a,
			  .at = { .line = 1, .column = 1 },
			  .e = e };
	int rc;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		t.text += 3;
		t.len -= 3;
	}
	rc = json_scan(&t, &scan, e);
	if (rc == 0)
		rc = parse_scanned(&w, ret);
	json_scan_done(&scan);
	return rc;
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (object->type != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->n; i++)
		if (strcmp(object->items[i].key, key) == 0)
			return &object->items[i];
	return NULL;
}
