/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/keys.h"

#include <assert.h>
#include <string.h>

#include "profiles/json.h"
#include "profiles/suggest.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

struct section {
	const char *path;
	bool null_ok;
};

static const struct section sections[] = {
	{ "security", false },	   { "groups", false },
	{ "commands", false },	   { "filesystem", false },
	{ "policy", false },	   { "network", false },
	{ "diagnostics", false },  { "linux", false },
	{ "environment", true },   { "workdir", false },
	{ "session_hooks", true }, { "rollback", false },
	{ "undo", false },	   { "egress_run", false },
};

/* Known at the top level without being keys or sections. */
static const char *const top_level[] = { "$schema", "platform_overrides" };

const struct legacy_key legacy_keys[] = {
	{ "security.groups", KEY_GROUPS_INCLUDE },
	{ "security.allowed_commands", KEY_COMMANDS_ALLOW },
	{ "policy.exclude_groups", KEY_GROUPS_EXCLUDE },
	{ "policy.add_allow_read", KEY_FS_READ },
	{ "policy.add_allow_write", KEY_FS_WRITE },
	{ "policy.add_allow_readwrite", KEY_FS_ALLOW },
	{ "policy.add_deny_access", KEY_FS_DENY },
	{ "policy.add_deny_commands", KEY_COMMANDS_DENY },
	{ "policy.override_deny", KEY_FS_BYPASS_PROTECTION },
};
const size_t n_legacy_keys = N(legacy_keys);
static_assert(N(legacy_keys) == N_LEGACY_KEYS, "N_LEGACY_KEYS");

const struct key_spec *key_spec(enum profile_key key)
{
	return &key_table[key];
}

/* What stands behind the last dot. */
static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* Bytes before the last name, its dot included. */
static size_t parent_len(const char *path)
{
	return (size_t)(last_name(path) - path);
}

static bool same_parent(const char *a, const char *b)
{
	size_t len = parent_len(a);

	return len == parent_len(b) && strncmp(a, b, len) == 0;
}

/* An alias is the last name, or a whole path if it has a dot. */
static bool is_alias(const struct key_spec *k, const char *alias,
		     const char *path)
{
	if (strchr(alias, '.'))
		return strcmp(alias, path) == 0;
	return same_parent(k->path, path) &&
	       strcmp(alias, last_name(path)) == 0;
}

static bool is_key(const struct key_spec *k, const char *path)
{
	if (strcmp(k->path, path) == 0)
		return true;
	for (const char *const *a = k->aliases; a && *a; a++) {
		if (is_alias(k, *a, path))
			return true;
	}
	return false;
}

int key_find_legacy(const char *path)
{
	for (size_t i = 0; i < N(legacy_keys); i++) {
		if (strcmp(legacy_keys[i].path, path) == 0)
			return (int)i;
	}
	return -1;
}

int key_find(const char *path, bool *ret_legacy)
{
	int legacy = key_find_legacy(path);

	*ret_legacy = legacy >= 0;
	if (legacy >= 0)
		return (int)legacy_keys[legacy].into;
	for (int key = 0; key < KEY__COUNT; key++) {
		if (is_key(&key_table[key], path))
			return key;
	}
	return -1;
}

static const struct section *find_section(const char *path)
{
	for (size_t i = 0; i < N(sections); i++) {
		if (strcmp(sections[i].path, path) == 0)
			return &sections[i];
	}
	return NULL;
}

bool key_is_section(const char *path)
{
	return find_section(path) != NULL;
}

bool key_section_null_ok(const char *path)
{
	const struct section *s = find_section(path);

	return s && s->null_ok;
}

static void offer_key(struct suggest *s, const struct key_spec *k,
		      const char *path)
{
	if (same_parent(k->path, path))
		suggest_offer(s, last_name(k->path));
	for (const char *const *a = k->aliases; a && *a; a++) {
		if (same_parent(strchr(*a, '.') ? *a : k->path, path))
			suggest_offer(s, last_name(*a));
	}
}

const char *key_suggest(const char *path)
{
	struct suggest s;

	suggest_begin(&s, last_name(path));
	for (size_t i = 0; i < KEY__COUNT; i++)
		offer_key(&s, &key_table[i], path);
	for (size_t i = 0; i < N(legacy_keys); i++) {
		if (same_parent(legacy_keys[i].path, path))
			suggest_offer(&s, last_name(legacy_keys[i].path));
	}
	if (parent_len(path) > 0)
		return s.best;
	for (size_t i = 0; i < N(sections); i++)
		suggest_offer(&s, sections[i].path);
	for (size_t i = 0; i < N(top_level); i++)
		suggest_offer(&s, top_level[i]);
	return s.best;
}

/* The last name alone decides, that of an alias too. */
static bool has_name(const struct key_spec *k, const char *name)
{
	if (strcmp(last_name(k->path), name) == 0)
		return true;
	for (const char *const *a = k->aliases; a && *a; a++) {
		if (strcmp(last_name(*a), name) == 0)
			return true;
	}
	return false;
}

size_t key_elsewhere(const char *name, const char **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < KEY__COUNT && n < max; i++) {
		if (has_name(&key_table[i], name))
			ret[n++] = key_table[i].path;
	}
	for (size_t i = 0; i < N(sections) && n < max; i++) {
		if (strcmp(sections[i].path, name) == 0)
			ret[n++] = sections[i].path;
	}
	for (size_t i = 0; i < N(top_level) && n < max; i++) {
		if (strcmp(top_level[i], name) == 0)
			ret[n++] = top_level[i];
	}
	return n;
}

bool key_asks(enum profile_key key, const struct field *f)
{
	const struct entry *first = f->items;

	if (f->state != FIELD_SET || f->n == 0)
		return false;
	switch (key_table[key].type) {
	case TYPE_BOOL:
		return strcmp(first->text, "true") == 0;
	case TYPE_ENUM:
		return strcmp(first->text, key_table[key].fallback) != 0;
	case TYPE_OBJECT:
		return first->value->n > 0;
	default:
		return true;
	}
}
