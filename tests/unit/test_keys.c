/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the format: whole, consistent, and found by every name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/json.h"
#include "profiles/keys.h"
#include "profiles/suggest.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static bool is_list_rule(enum key_merge merge)
{
	return merge == MERGE_APPEND || merge == MERGE_APPEND_CLEAR ||
	       merge == MERGE_DOMAINS;
}

/* Every row says what its type and effect need. */
static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY__COUNT; i++) {
		const struct key_spec *k = key_spec((enum profile_key)i);

		if (!k->path || !k->summary || !k->fallback)
			fail_msg("row %zu: %s", i, k->path ? k->path : "none");
		if ((k->effect == EFFECT_USED) != (k->why == NULL))
			fail_msg("%s: why", k->path);
		if ((k->type == TYPE_ENUM) != (k->values != NULL))
			fail_msg("%s: values", k->path);
		if (k->type == TYPE_WHEN_STRINGS && !k->word)
			fail_msg("%s: word", k->path);
		if ((k->type == TYPE_OBJECT || k->type == TYPE_OBJECTS ||
		     k->type == TYPE_OBJECT_MAP || k->type == TYPE_DOMAINS) !=
		    (k->object != NULL))
			fail_msg("%s: object", k->path);
		if (is_list_rule(k->merge) &&
		    (k->type == TYPE_STRING || k->type == TYPE_BOOL ||
		     k->type == TYPE_ENUM || k->type == TYPE_OBJECT))
			fail_msg("%s: merge", k->path);
	}
}

static void test_find(void **state)
{
	bool legacy;

	(void)state;
	for (int i = 0; i < KEY__COUNT; i++) {
		const char *path = key_spec((enum profile_key)i)->path;

		if (key_find(path, &legacy) != i || legacy)
			fail_msg("%s", path);
	}
	assert_int_equal(n_legacy_keys, 9);
	for (size_t i = 0; i < n_legacy_keys; i++) {
		assert_int_equal(key_find(legacy_keys[i].path, &legacy),
				 legacy_keys[i].into);
		assert_true(legacy);
	}
}

static void test_aliases(void **state)
{
	static const struct {
		const char *path;
		enum profile_key key;
	} cases[] = {
		{ "secrets", KEY_ENV_CREDENTIALS },
		{ "brokered_commands", KEY_COMMAND_ARGS },
		{ "filesystem.ignore", KEY_FS_SUPPRESS_SAVE_PROMPT },
		{ "network.proxy_allow", KEY_NET_ALLOW_DOMAIN },
		{ "network.allow_proxy", KEY_NET_ALLOW_DOMAIN },
		{ "network.proxy_credentials", KEY_NET_CREDENTIALS },
		{ "network.port_allow", KEY_NET_OPEN_PORT },
		{ "network.allow_port", KEY_NET_OPEN_PORT },
		{ "network.external_proxy", KEY_NET_UPSTREAM_PROXY },
		{ "network.external_proxy_bypass", KEY_NET_UPSTREAM_BYPASS },
		{ "undo.exclude_patterns", KEY_ROLLBACK_PATTERNS },
		{ "undo.exclude_globs", KEY_ROLLBACK_GLOBS },
	};
	static const char *const unknown[] = {
		"",
		"ignore",
		"filesystem.secrets",
		"network.undo",
		"policy",
		"network.",
		"filesystem",
		"allow",
		"$schema",
		"exclude_globs",
		"filesystem.allow.x",
	};
	bool legacy;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		if (key_find(cases[i].path, &legacy) != (int)cases[i].key ||
		    legacy)
			fail_msg("%s", cases[i].path);
	}
	for (size_t i = 0; i < N(unknown); i++) {
		if (key_find(unknown[i], &legacy) != -1)
			fail_msg("%s", unknown[i]);
	}
}

static void test_sections(void **state)
{
	static const char *const sections[] = {
		"security",    "groups",     "commands",      "filesystem",
		"policy",      "network",    "diagnostics",   "linux",
		"environment", "workdir",    "session_hooks", "rollback",
		"undo",	       "egress_run",
	};

	(void)state;
	for (size_t i = 0; i < N(sections); i++)
		assert_true(key_is_section(sections[i]));
	assert_false(key_is_section("hooks"));
	assert_false(key_is_section("meta"));
	assert_false(key_is_section(""));
	assert_true(key_section_null_ok("environment"));
	assert_true(key_section_null_ok("session_hooks"));
	assert_false(key_section_null_ok("network"));
	/* Every key is at the top level or in a section. */
	for (size_t i = 0; i < KEY__COUNT; i++) {
		const char *path = key_spec((enum profile_key)i)->path;
		char section[64] = "";

		if (last_name(path) == path)
			continue;
		memcpy(section, path, (size_t)(last_name(path) - path) - 1);
		if (!key_is_section(section))
			fail_msg("%s", path);
	}
}

static void test_suggest(void **state)
{
	static const struct {
		const char *path;
		const char *near;
	} cases[] = {
		{ "filesystem.alow", "allow" },
		{ "filesystem.raed", "read" },
		{ "filesystem.Read_File", "read_file" },
		{ "filesytsem", "filesystem" },
		{ "policy.add_deny_acces", "add_deny_access" },
		{ "network.allow_domains", "allow_domain" },
		{ "network.proxy_alow", "proxy_allow" },
		{ "netwrok", "network" },
		{ "extend", "extends" },
		{ "$shema", "$schema" },
		{ "platform_override", "platform_overrides" },
		{ "undo.exclude_pattern", "exclude_patterns" },
		{ "egress_run.gracee", "grace" },
		{ "filesystem.xyzzy", NULL },
		{ "filesystem.a", NULL },
		{ "nowhere.allow", NULL },
		{ "filesystem.allow_domain_of_every_kind_that_is_very_long_ok",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const char *near = key_suggest(cases[i].path);

		if (!near != !cases[i].near ||
		    (near && strcmp(near, cases[i].near) != 0))
			fail_msg("%s: %s", cases[i].path, near ? near : "none");
	}
}

static void test_elsewhere(void **state)
{
	const char *path[4];

	(void)state;
	assert_int_equal(key_elsewhere("allow_domain", path, 4), 1);
	assert_string_equal(path[0], "network.allow_domain");
	assert_int_equal(key_elsewhere("allow", path, 4), 2);
	assert_string_equal(path[0], "commands.allow");
	assert_string_equal(path[1], "filesystem.allow");
	assert_int_equal(key_elsewhere("allow", path, 1), 1);
	assert_int_equal(key_elsewhere("network", path, 4), 1);
	assert_string_equal(path[0], "network");
	assert_int_equal(key_elsewhere("$schema", path, 4), 1);
	assert_int_equal(key_elsewhere("xyzzy", path, 4), 0);
}

static void test_asks(void **state)
{
	struct entry yes = { .text = "true" };
	struct entry no = { .text = "false" };
	struct entry isolated = { .text = "isolated" };
	struct json empty = { .type = JSON_OBJECT };
	struct entry object = { .value = &empty };
	struct field f = { 0 };

	(void)state;
	assert_false(key_asks(KEY_ALLOW_GPU, &f));
	f.state = FIELD_NULL;
	assert_false(key_asks(KEY_ALLOW_GPU, &f));
	f.state = FIELD_SET;
	assert_false(key_asks(KEY_NET_OPEN_PORT, &f));
	f.n = 1;
	f.items = &yes;
	assert_true(key_asks(KEY_ALLOW_GPU, &f));
	assert_true(key_asks(KEY_NET_OPEN_PORT, &f));
	assert_true(key_asks(KEY_SIGNAL_MODE, &f));
	f.items = &no;
	assert_false(key_asks(KEY_ALLOW_GPU, &f));
	f.items = &isolated;
	assert_false(key_asks(KEY_SIGNAL_MODE, &f));
	f.items = &object;
	assert_false(key_asks(KEY_OPEN_URLS, &f));
	empty.n = 1;
	assert_true(key_asks(KEY_OPEN_URLS, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
