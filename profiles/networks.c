/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/networks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiles/json.h"
#include "profiles/suggest.h"

/* Lists of strings with names. */
struct table {
	size_t n;
	const char **names; /* NULL-terminated */
	const char *const **lists;
};

struct networks {
	struct table groups;
	struct table profiles;
};

static int wrong(const char *file, const struct json *j, const char *what,
		 struct err *e)
{
	return err_set(e, EINVAL, "%s:%u:%u: must be %s", file, j->at.line,
		       j->at.column, what);
}

static int read_list(struct arena *a, const char *file, const struct json *j,
		     const char *const **ret, struct err *e)
{
	const char **list = arena_alloc(a, j->n + 1, sizeof(*list));

	if (!list)
		return err_errno(e, ENOMEM, "%s", file);
	if (j->type != JSON_ARRAY)
		return wrong(file, j, "a list of strings", e);
	for (size_t i = 0; i < j->n; i++) {
		if (j->items[i].type != JSON_STRING)
			return wrong(file, &j->items[i], "a string", e);
		list[i] = j->items[i].string;
	}
	*ret = list;
	return 0;
}

static int read_table(struct arena *a, const char *file,
		      const struct json *root, const char *key,
		      struct table *ret, struct err *e)
{
	const struct json *j = json_get(root, key);

	if (!j || j->type != JSON_OBJECT)
		return err_set(e, EINVAL, "%s: has no object '%s'", file, key);
	ret->names = arena_alloc(a, j->n + 1, sizeof(*ret->names));
	ret->lists = arena_alloc(a, j->n + 1, sizeof(*ret->lists));
	if (!ret->names || !ret->lists)
		return err_errno(e, ENOMEM, "%s", file);
	ret->n = j->n;
	for (size_t i = 0; i < j->n; i++) {
		int rc = read_list(a, file, &j->items[i], &ret->lists[i], e);

		if (rc < 0)
			return rc;
		ret->names[i] = j->items[i].key;
	}
	return 0;
}

static const char *const *find(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->names[i], name) == 0)
			return t->lists[i];
	return NULL;
}

int networks_parse(struct arena *a, const char *file, const char *text,
		   size_t len, struct networks **ret, struct err *e)
{
	struct networks *n = arena_alloc(a, 1, sizeof(*n));
	struct json *root;
	int rc;

	if (!n)
		return err_errno(e, ENOMEM, "%s", file);
	rc = json_parse(a, file, text, len, &root, e);
	if (rc < 0)
		return rc;
	if (root->type != JSON_OBJECT)
		return wrong(file, root, "an object", e);
	rc = read_table(a, file, root, "groups", &n->groups, e);
	if (rc == 0)
		rc = read_table(a, file, root, "profiles", &n->profiles, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n->profiles.n; i++)
		for (const char *const *g = n->profiles.lists[i]; *g; g++)
			if (!find(&n->groups, *g))
				return err_set(e, EINVAL,
					       "%s: profile '%s' names no "
					       "group '%s'",
					       file, n->profiles.names[i], *g);
	*ret = n;
	return 0;
}

int networks_read(const struct library *l, struct arena *a,
		  struct networks **ret, struct err *e)
{
	struct library_file f;
	int rc = library_read_policy(l, a, "networks", &f, e);

	return rc < 0 ? rc : networks_parse(a, f.path, f.text, f.len, ret, e);
}

bool networks_maybe_group(const char *text)
{
	size_t len = strlen(text);

	return len > 0 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

const char *const *networks_group(const struct networks *n, const char *name)
{
	return find(&n->groups, name);
}

int networks_profile(const struct networks *n, const char *name,
		     const char *const **ret, struct err *e)
{
	char known[512] = "";
	size_t used = 0;
	const char *near;

	*ret = find(&n->profiles, name);
	if (*ret)
		return 0;
	near = suggest_from(name, n->profiles.names);
	for (size_t i = 0; i < n->profiles.n && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used,
					 "%s%s", i ? ", " : "",
					 n->profiles.names[i]);
	return err_set(e, EINVAL,
		       "unknown network profile '%.64s'%s%s%s; there are: %s",
		       name, near ? ", did you mean '" : "", near ? near : "",
		       near ? "'" : "", known);
}
