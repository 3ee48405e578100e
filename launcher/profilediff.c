/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `profile diff`: what applies under one profile and not under the other.
 * Where it was written, and what a profile says of itself, is no difference. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "launcher/print.h"
#include "launcher/profilecmd.h"
#include "launcher/profilejson.h"

struct side {
	const struct field *field;
	const char **texts; /* of its entries, and sorted */
	const char **sorted;
};

struct comparison {
	struct arena *arena;
	const struct key_spec *spec;
	struct side a, b;
	cJSON *json; /* changes, or NULL for text */
	bool differs;
	bool begun; /* something of this key was printed */
};

static int by_text(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

static int side_fill(struct comparison *c, struct side *s,
		     const struct field *f)
{
	s->field = f;
	s->texts = arena_alloc(c->arena, f->n + 1, sizeof(char *));
	s->sorted = arena_alloc(c->arena, f->n + 1, sizeof(char *));
	if (!s->texts || !s->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < f->n; i++) {
		s->texts[i] = profilejson_text(c->arena, c->spec, &f->items[i]);
		if (!s->texts[i])
			return -ENOMEM;
		s->sorted[i] = s->texts[i];
	}
	qsort(s->sorted, f->n, sizeof(char *), by_text);
	return 0;
}

static bool side_has(const struct side *s, const char *text)
{
	return bsearch(&text, s->sorted, s->field->n, sizeof(char *),
		       by_text) != NULL;
}

static int report_json(struct comparison *c, char sign, const struct entry *i)
{
	const char *name = sign == '-' ? "removed" : "added";
	cJSON *key = cJSON_GetObjectItemCaseSensitive(c->json, c->spec->path);
	cJSON *list;
	cJSON *value;

	if (!key)
		key = cJSON_AddObjectToObject(c->json, c->spec->path);
	list = key ? cJSON_GetObjectItemCaseSensitive(key, name) : NULL;
	if (key && !list)
		list = cJSON_AddArrayToObject(key, name);
	value = list ? profilejson_entry(c->arena, c->spec, i) : NULL;
	if (value && i->key && !cJSON_AddStringToObject(value, "key", i->key)) {
		cJSON_Delete(value);
		value = NULL;
	}
	return value && cJSON_AddItemToArray(list, value) ? 0 : -ENOMEM;
}

static int report_text(struct comparison *c, char sign, const char *text,
		       const struct entry *item)
{
	if (!c->begun)
		printf("%s\n", c->spec->path);
	c->begun = true;
	printf("%c ", sign);
	print_escaped(text);
	printf("  (");
	print_origin(&item->from);
	printf(")\n");
	return 0;
}

/* What this side has and the other has not. */
static int report_side(struct comparison *c, char sign, const struct side *has,
		       const struct side *other)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < has->field->n; i++) {
		const struct entry *item = &has->field->items[i];

		if (side_has(other, has->texts[i]))
			continue;
		c->differs = true;
		rc = c->json ? report_json(c, sign, item)
			     : report_text(c, sign, has->texts[i], item);
	}
	return rc;
}

static int compare_key(struct comparison *c, const struct field *a,
		       const struct field *b)
{
	int rc = side_fill(c, &c->a, a);

	c->begun = false;
	if (rc == 0)
		rc = side_fill(c, &c->b, b);
	if (rc == 0)
		rc = report_side(c, '-', &c->a, &c->b);
	if (rc == 0)
		rc = report_side(c, '+', &c->b, &c->a);
	return rc;
}

static int compare(struct comparison *c, const struct profile *a,
		   const struct profile *b)
{
	int rc = 0;

	for (int k = 0; rc == 0 && k < KEY__COUNT; k++) {
		if (k == KEY_META)
			continue;
		c->spec = key_spec((enum profile_key)k);
		rc = compare_key(c, &a->field[k], &b->field[k]);
	}
	return rc;
}

int profile_diff(struct profile_call *c, int *ret_status, struct err *e)
{
	struct comparison d = { .arena = &c->base.arena };
	cJSON *root = NULL;
	struct loaded a = { 0 };
	struct loaded b = { 0 };
	int rc = profile_load(c, c->names.items[0], &a, e);

	if (rc == 0)
		rc = profile_load(c, c->names.items[1], &b, e);
	if (rc < 0)
		return rc;
	if (c->json) {
		root = cJSON_CreateObject();
		if (root && cJSON_AddStringToObject(root, "a", a.path) &&
		    cJSON_AddStringToObject(root, "b", b.path))
			d.json = cJSON_AddObjectToObject(root, "changes");
		rc = d.json ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = compare(&d, a.effective, b.effective);
	if (rc < 0) {
		cJSON_Delete(root);
		return err_errno(e, ENOMEM, "profile diff");
	}
	*ret_status = d.differs ? PROFILE_EXIT_BAD : 0;
	return c->json ? profilejson_print(root, e) : 0;
}
