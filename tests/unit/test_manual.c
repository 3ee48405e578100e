/* SPDX-License-Identifier: GPL-2.0-or-later */
/* egress-run-profile(5) against the table of keys: each key has its row, in
 * the words of the manual, and a description; and no other key has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "profiles/keys.h"

#define MANUAL	   "docs/egress-run-profile.5"
#define MANUAL_MAX 262144
#define TOP_LEVEL  "Top level"

static const char *const types[TYPE__COUNT] = {
	[TYPE_STRING] = "text",
	[TYPE_STRING_OR_LIST] = "names",
	[TYPE_BOOL] = "bool",
	[TYPE_UINT] = "number",
	[TYPE_ENUM] = "word",
	[TYPE_STRINGS] = "list",
	[TYPE_WHEN_STRINGS] = "list, when",
	[TYPE_PORTS] = "ports",
	[TYPE_PORT_RANGES] = "ranges",
	[TYPE_DOMAINS] = "domains",
	[TYPE_STRING_MAP] = "map",
	[TYPE_WHEN_MAP] = "map, when",
	[TYPE_OBJECT] = "object",
	[TYPE_OBJECTS] = "objects",
	[TYPE_OBJECT_MAP] = "map",
	[TYPE_ANY_OBJECT] = "object",
};

static const char *const merges[MERGE__COUNT] = {
	[MERGE_CONSUMED] = "consumed",
	[MERGE_CHILD] = "child",
	[MERGE_CHILD_NULL] = "child, null",
	[MERGE_ALWAYS] = "replace",
	[MERGE_OR] = "or",
	[MERGE_NOT_NONE] = "not none",
	[MERGE_APPEND] = "append",
	[MERGE_APPEND_CLEAR] = "append, clear",
	[MERGE_DOMAINS] = "domains",
	[MERGE_MAP] = "map",
	[MERGE_DESTINATION] = "destination",
};

static const char *const effects[] = {
	[EFFECT_USED] = "used",
	[EFFECT_NOTED] = "noted",
	[EFFECT_REFUSED] = "refused",
};

/* From ".Sh name" to the next one; the caller frees it.  NULL if the manual is
 * not here: the program runs from the tree's root alone. */
static char *read_section(const char *name)
{
	char heading[128];
	char *text;
	char *start;
	char *end;
	FILE *f = fopen(MANUAL, "re");
	size_t n;

	if (!f)
		return NULL;
	text = calloc(1, MANUAL_MAX);
	assert_non_null(text);
	n = fread(text, 1, MANUAL_MAX - 1, f);
	assert_int_equal(fclose(f), 0);
	assert_true(n > 0 && n < MANUAL_MAX - 1);
	(void)snprintf(heading, sizeof(heading), "\n.Sh %s\n", name);
	start = strstr(text, heading);
	assert_non_null(start);
	start += strlen(heading);
	end = strstr(start, "\n.Sh ");
	assert_non_null(end);
	end[1] = '\0';
	memmove(text, start, strlen(start) + 1);
	return text;
}

/* "security.ipc_mode" -> "security" and "ipc_mode". */
static const char *split_path(const char *path, char section[static 64])
{
	const char *dot = strchr(path, '.');

	(void)snprintf(section, 64, "%.*s",
		       (int)(dot ? (size_t)(dot - path) : sizeof(TOP_LEVEL)),
		       dot ? path : TOP_LEVEL);
	return dot ? dot + 1 : path;
}

/* The part of the text from ".Ss name" to the next one: a copy. */
static char *subsection(const char *text, const char *name)
{
	char heading[128];
	const char *start;
	const char *end;

	(void)snprintf(heading, sizeof(heading), "\n.Ss %s\n", name);
	start = strstr(text, heading);
	if (!start)
		fail_msg("there is no section '%s' in " MANUAL, name);
	start += strlen(heading) - 1;
	end = strstr(start, "\n.Ss ");
	return strndup(start, end ? (size_t)(end - start + 1) : strlen(start));
}

static void expected_row(const struct key_spec *k, const char *name, char *buf,
			 size_t size)
{
	(void)snprintf(buf, size, "\n.It Cm %s Ta %s%s Ta %s Ta %s Ta %s\n",
		       name, types[k->type], k->null_ok ? "?" : "", k->fallback,
		       merges[k->merge], effects[k->effect]);
}

static void test_each_key_has_its_row(void **state)
{
	cleanup_free char *text = read_section("KEYS");

	(void)state;
	if (!text)
		skip();
	for (int i = 0; i < KEY__COUNT; i++) {
		const struct key_spec *k = key_spec((enum profile_key)i);
		char section[64];
		char row[256];
		const char *name = split_path(k->path, section);
		cleanup_free char *part = subsection(text, section);

		assert_non_null(part);
		expected_row(k, name, row, sizeof(row));
		if (!strstr(part, row))
			fail_msg("%s: '%s' has no row%s", MANUAL, k->path, row);
		/* Its description, in the list below the table. */
		(void)snprintf(row, sizeof(row), "\n.It Cm %s\n", name);
		if (!strstr(part, row))
			fail_msg("%s: '%s' is not described", MANUAL, k->path);
	}
}

static void test_no_row_without_a_key(void **state)
{
	cleanup_free char *text = read_section("KEYS");
	char section[64] = "";
	size_t rows = 0;
	char *rest = text;
	char *line;

	(void)state;
	if (!text)
		skip();
	while ((line = strsep(&rest, "\n"))) {
		char name[64];
		char path[160];
		bool legacy;

		(void)sscanf(line, ".Ss %63[^\n]", section);
		if (!strstr(line, " Ta ") ||
		    sscanf(line, ".It Cm %63s Ta ", name) != 1)
			continue;
		rows++;
		(void)snprintf(path, sizeof(path), "%s%s%s",
			       strcmp(section, TOP_LEVEL) == 0 ? "" : section,
			       strcmp(section, TOP_LEVEL) == 0 ? "" : ".",
			       name);
		if (key_find(path, &legacy) < 0 || legacy)
			fail_msg("%s: there is no key '%s'", MANUAL, path);
	}
	assert_int_equal(rows, KEY__COUNT);
}

/* The values of a word stand in its description, other names in the
 * section. */
static void test_each_word_is_named(void **state)
{
	cleanup_free char *text = read_section("KEYS");

	(void)state;
	if (!text)
		skip();
	for (int i = 0; i < KEY__COUNT; i++) {
		const struct key_spec *k = key_spec((enum profile_key)i);
		char section[64];
		char item[96];
		const char *name = split_path(k->path, section);
		cleanup_free char *part = subsection(text, section);
		char *description;
		char *end;

		(void)snprintf(item, sizeof(item), "\n.It Cm %s\n", name);
		description = strstr(part, item);
		assert_non_null(description);
		end = strstr(description + 1, "\n.It ");
		for (const char *const *v = k->values; v && *v; v++) {
			const char *at = strstr(description, *v);

			if (!at || (end && at > end))
				fail_msg("%s: '%s' does not name '%s'", MANUAL,
					 k->path, *v);
		}
		/* "ignore", or "undo.NAME" for a section. */
		for (const char *const *v = k->aliases; v && *v; v++) {
			(void)snprintf(item, sizeof(item), "\n.Cm %.*s",
				       (int)strcspn(*v, "."), *v);
			if (!strstr(part, item))
				fail_msg("%s: '%s' is not named beside '%s'",
					 MANUAL, *v, k->path);
		}
	}
}

static void test_legacy_keys(void **state)
{
	cleanup_free char *text = read_section("EXTENDS AND MERGING");

	(void)state;
	if (!text)
		skip();
	assert_true(n_legacy_keys > 0);
	for (size_t i = 0; i < n_legacy_keys; i++) {
		char row[160];

		(void)snprintf(row, sizeof(row), "\n.It Cm %s Ta Cm %s\n",
			       legacy_keys[i].path,
			       key_spec(legacy_keys[i].into)->path);
		if (!strstr(text, row))
			fail_msg("%s: there is no row%s", MANUAL, row);
	}
	for (int i = 0; i < MERGE__COUNT; i++) {
		char row[64];

		if (i == MERGE_CONSUMED) /* extends: the section's subject */
			continue;
		(void)snprintf(row, sizeof(row), "\n.It %s\n", merges[i]);
		if (!strstr(text, row))
			fail_msg("%s: the rule '%s' is not described", MANUAL,
				 merges[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key_has_its_row),
		cmocka_unit_test(test_no_row_without_a_key),
		cmocka_unit_test(test_each_word_is_named),
		cmocka_unit_test(test_legacy_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
