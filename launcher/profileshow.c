/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `profile show` and `profile list`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "launcher/print.h"
#include "launcher/profilecmd.h"
#include "launcher/profilejson.h"
#include "profiles/json.h"
#include "profiles/keys.h"

#define COLUMN 40

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "profile");
}

/* ---- show ---- */

static int print_field(struct arena *a, const struct key_spec *spec,
		       const struct field *f)
{
	printf("\n%s", spec->path);
	if (spec->effect == EFFECT_NOTED)
		printf("  (not acted on: %s)", spec->why);
	else if (spec->effect == EFFECT_REFUSED)
		printf("  (refused: %s)", spec->why);
	printf("\n");
	for (size_t i = 0; i < f->n; i++) {
		const char *text = profilejson_text(a, spec, &f->items[i]);
		size_t len;

		if (!text)
			return -ENOMEM;
		printf("    ");
		print_escaped(text);
		len = strlen(text);
		printf("%*s  ", len < COLUMN ? (int)(COLUMN - len) : 0, "");
		print_origin(&f->items[i].from);
		printf("\n");
	}
	return 0;
}

static int show_text(struct arena *a, const struct loaded *l)
{
	printf("profile ");
	print_escaped(l->name);
	printf("\nfile    ");
	print_escaped(l->path);
	printf("%s\n", l->shipped ? " (shipped)" : "");
	for (int k = 0; k < KEY__COUNT; k++) {
		const struct field *f = &l->effective->field[k];

		if (f->n > 0 &&
		    print_field(a, key_spec((enum profile_key)k), f) < 0)
			return -ENOMEM;
	}
	return 0;
}

static cJSON *show_json(struct arena *a, const struct loaded *l)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *keys = NULL;
	bool ok = root && cJSON_AddStringToObject(root, "name", l->name) &&
		  cJSON_AddStringToObject(root, "file", l->path) &&
		  cJSON_AddBoolToObject(root, "shipped", l->shipped) &&
		  (keys = cJSON_AddObjectToObject(root, "profile"));

	for (int k = 0; ok && k < KEY__COUNT; k++) {
		const struct key_spec *spec = key_spec((enum profile_key)k);
		const struct field *f = &l->effective->field[k];

		if (f->state != FIELD_ABSENT)
			ok = profilejson_put(keys, spec->path,
					     profilejson_field(a, spec, f)) ==
			     0;
	}
	if (ok)
		return root;
	cJSON_Delete(root);
	return NULL;
}

int profile_show(struct profile_call *c, int *ret_status, struct err *e)
{
	struct arena *a = &c->base.arena;
	struct loaded l;
	int rc = profile_load(c, c->names.items[0], &l, e);

	(void)ret_status;
	if (rc < 0)
		return rc;
	for (const struct profile_note *n = l.effective->notes; n; n = n->next)
		log_warning("%s", n->text);
	if (c->json)
		return profilejson_print(show_json(a, &l), e);
	return show_text(a, &l) < 0 ? no_memory(e) : 0;
}

/* ---- list ---- */

/* meta.description, or what is wrong with the file. */
static const char *describe(struct arena *a, const struct library_item *item)
{
	struct library_file file;
	struct err why = { 0 };
	struct json *root;
	const struct json *meta;
	const struct json *text;

	if (library_read(a, item->path, item->place == LIBRARY_SHIPPED, &file,
			 &why) < 0 ||
	    json_parse(a, file.path, file.text, file.len, &root, &why) < 0)
		return arena_printf(a, "(error: %s)", why.msg);
	meta = root->type == JSON_OBJECT ? json_get(root, "meta") : NULL;
	text = meta && meta->type == JSON_OBJECT ? json_get(meta, "description")
						 : NULL;
	return text && text->type == JSON_STRING ? text->string : "";
}

static cJSON *list_json(struct arena *a, const struct library_item *items,
			size_t n)
{
	cJSON *root = cJSON_CreateArray();
	bool ok = root != NULL;

	for (size_t i = 0; ok && i < n; i++) {
		const char *text = describe(a, &items[i]);
		cJSON *row = cJSON_CreateObject();

		ok = row && cJSON_AddItemToArray(root, row) && text &&
		     cJSON_AddStringToObject(row, "name", items[i].name) &&
		     cJSON_AddStringToObject(
			     row, "place",
			     library_place_name(items[i].place)) &&
		     cJSON_AddStringToObject(row, "file", items[i].path) &&
		     cJSON_AddStringToObject(row, "description", text);
	}
	if (ok)
		return root;
	cJSON_Delete(root);
	return NULL;
}

int profile_list(struct profile_call *c, int *ret_status, struct err *e)
{
	struct arena *a = &c->base.arena;
	struct library_item *items;
	size_t n;
	int rc = library_list(&c->base.library, a, &items, &n, e);

	(void)ret_status;
	if (rc < 0)
		return rc;
	if (c->json)
		return profilejson_print(list_json(a, items, n), e);
	for (size_t i = 0; i < n; i++) {
		const char *text = describe(a, &items[i]);

		if (!text)
			return no_memory(e);
		printf("%-20s %-12s ", items[i].name,
		       library_place_name(items[i].place));
		print_escaped(text);
		printf("\n");
	}
	return 0;
}
