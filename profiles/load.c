/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/load.h"

#include <errno.h>
#include <string.h>

#include "profiles/decode.h"
#include "profiles/groups.h"
#include "profiles/inherit.h"
#include "profiles/json.h"
#include "profiles/keys.h"
#include "profiles/merge.h"

#define IMPLICIT  "default"
#define DANGEROUS "dangerous_commands"

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "loading profiles");
}

int loader_init(struct loader *l, struct arena *a, const struct library *lib,
		struct err *e)
{
	(void)e;
	*l = (struct loader) { .arena = a, .library = lib };
	system_id_read(&l->os);
	return 0;
}

/* The shipped `default`, which is under every profile. */
static int read_default(const struct loader *l, struct library_file *file,
			struct profile **ret, struct err *e)
{
	int rc = library_read_shipped(l->library, l->arena, IMPLICIT, file, e);

	return rc ? rc : inherit_decode(l, file, ret, e);
}

static int without_dangerous(struct arena *a, struct profile *p, struct err *e)
{
	const struct field *from = &p->field[KEY_GROUPS_INCLUDE];
	struct field list = { .state = from->state, .from = from->from };

	for (size_t i = 0; i < from->n; i++)
		if (strncmp(from->items[i].text, DANGEROUS,
			    strlen(DANGEROUS)) != 0 &&
		    profile_append(a, &list, &from->items[i]))
			return no_memory(e);
	p->field[KEY_GROUPS_INCLUDE] = list;
	return 0;
}

/* The values of --extends in front of those of the file. */
static int prepend_extends(struct arena *a, struct profile *p,
			   const char *const *extends, struct err *e)
{
	const struct field *from = &p->field[KEY_EXTENDS];
	struct field list = { .from = from->from };

	if (!extends || !*extends)
		return 0;
	for (; *extends; extends++) {
		const struct entry item = {
			.text = *extends,
			.from = { .file = "--extends" },
		};

		if (profile_append(a, &list, &item))
			return no_memory(e);
	}
	for (size_t i = 0; i < from->n; i++)
		if (profile_append(a, &list, &from->items[i]))
			return no_memory(e);
	p->field[KEY_EXTENDS] = list;
	return 0;
}

/* The profile that was asked for, alone. */
static int read_root(const struct loader *l, const char *name,
		     struct library_file *file, struct profile **ret,
		     struct err *e)
{
	int rc;

	if (library_is_path(name))
		rc = library_read(l->arena, name, false, file, e);
	else
		rc = library_find(l->library, l->arena, name, NULL, NULL, file,
				  e);
	return rc ? rc : inherit_decode(l, file, ret, e);
}

/* file stays as it is if there is no name. */
static int read_files(const struct loader *l, const char *name,
		      const char *const *extends, struct library_file *file,
		      struct profile **ret, struct err *e)
{
	struct inherit_link link = { .file = NULL };
	struct profile *root = profile_new(l->arena);
	int rc = root ? 0 : no_memory(e);

	if (rc == 0 && name) {
		rc = read_root(l, name, file, &root, e);
		link.file = file;
		link.name = rc ? NULL : library_stem(l->arena, file->path);
	} else {
		link.name = IMPLICIT;
	}
	if (rc == 0 && !link.name)
		rc = no_memory(e);
	if (rc == 0)
		rc = prepend_extends(l->arena, root, extends, e);
	return rc ? rc : inherit_resolve(l, &link, root, ret, e);
}

static int apply_groups(const struct loader *l, const struct profile *defaults,
			struct loaded *ret, struct err *e)
{
	const struct decode_context c = { .arena = l->arena, .os = &l->os };
	struct groups *groups;
	int rc = groups_read(l->library, &c, &groups, e);

	return rc ? rc
		  : groups_apply(groups, l->arena, ret->profile, defaults,
				 &ret->effective, e);
}

static const char *name_of(const struct loader *l, const struct profile *p,
			   const char *path)
{
	const struct field *meta = &p->field[KEY_META];
	const struct json *name = NULL;

	if (meta->state == FIELD_SET && meta->n > 0 && meta->items[0].value)
		name = json_get(meta->items[0].value, "name");
	return name && name->string ? name->string
				    : library_stem(l->arena, path);
}

/* The lists of groups of `default` are not among what the files say: they
 * apply to every profile anyway. */
static int put_default_under(const struct loader *l,
			     const struct profile *defaults,
			     struct profile *files, struct profile **ret,
			     struct err *e)
{
	struct profile base = *defaults;

	base.field[KEY_GROUPS_INCLUDE] = (struct field) { 0 };
	base.field[KEY_GROUPS_EXCLUDE] = (struct field) { 0 };
	return merge_profiles(l->arena, &base, files, ret, e);
}

int load_profile(const struct loader *l, const char *name,
		 const char *const *extends, const struct profile *flags,
		 struct loaded *ret, struct err *e)
{
	struct library_file file = { 0 };
	struct profile *defaults;
	struct profile *files;
	int rc = read_default(l, &file, &defaults, e);

	if (rc == 0 && !name)
		rc = without_dangerous(l->arena, defaults, e);
	if (rc == 0)
		rc = read_files(l, name, extends, &file, &files, e);
	if (rc)
		return rc;
	*ret = (struct loaded) { .path = file.path, .shipped = file.shipped };
	rc = put_default_under(l, defaults, files, &ret->profile, e);
	if (rc == 0 && flags)
		rc = merge_patch(l->arena, ret->profile, flags, &ret->profile,
				 e);
	if (rc == 0)
		rc = apply_groups(l, defaults, ret, e);
	if (rc)
		return rc;
	ret->name = name_of(l, ret->profile, file.path);
	return ret->name ? 0 : no_memory(e);
}

/* What takes time or room by the square of these. */
static int check_counts(struct arena *a, const struct profile *p, struct err *e)
{
	static const struct {
		enum profile_key key;
		size_t max;
	} bounds[] = {
		{ KEY_ENV_CREDENTIALS, 4096 },
		{ KEY_ENV_SET_VARS, 4096 },
		{ KEY_NET_NO_PROXY, 1000 },
	};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		const struct field *f = &p->field[bounds[i].key];

		if (f->n > bounds[i].max)
			return err_set(e, E2BIG,
				       "%s: %s has %zu entries, more than %zu; "
				       "remove some",
				       origin_text(a, &f->items[f->n - 1].from),
				       key_spec(bounds[i].key)->path, f->n,
				       bounds[i].max);
	}
	return 0;
}

int load_check(struct arena *a, const struct profile *p, struct err *e)
{
	for (size_t key = 0; key < KEY__COUNT; key++) {
		const struct key_spec *spec = key_spec((enum profile_key)key);
		const struct field *f = &p->field[key];

		if (spec->effect == EFFECT_REFUSED &&
		    key_asks((enum profile_key)key, f))
			return err_set(e, EOPNOTSUPP,
				       "%s: %s is not supported: %s",
				       origin_text(a, &f->items[0].from),
				       spec->path, spec->why);
	}
	return check_counts(a, p, e);
}
