/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/inherit.h"

#include <errno.h>
#include <string.h>

#include "profiles/decode.h"
#include "profiles/json.h"
#include "profiles/merge.h"

/* Files and overrides are folded apart: the overrides of a base win over what
 * its child says without one. */
struct layers {
	struct profile *files;	  /* NULL: none yet */
	struct profile *override; /* NULL: none */
};

struct resolver {
	const struct loader *loader;
	unsigned n_files;
	size_t n_bytes;
};

int inherit_decode(const struct loader *l, const struct library_file *file,
		   struct profile **ret, struct err *e)
{
	const struct decode_context c = {
		.arena = l->arena,
		.file = file->path,
		.os = &l->os,
	};
	struct json *root;
	int rc = json_parse(l->arena, file->path, file->text, file->len, &root,
			    e);

	return rc ? rc : decode_profile(&c, root, ret, e);
}

static const char *place(const struct resolver *r, const struct entry *item)
{
	return origin_text(r->loader->arena, &item->from);
}

static unsigned depth(const struct inherit_link *link)
{
	unsigned n = 0;

	for (; link; link = link->child)
		n++;
	return n;
}

/* "a -> b -> ", from the profile asked for down to link; NULL without memory.
 */
static const char *chain(const struct resolver *r,
			 const struct inherit_link *link)
{
	const char *text = "";

	for (; link && text; link = link->child)
		text = arena_printf(r->loader->arena, "%s -> %s", link->name,
				    text);
	return text;
}

static int check_chain(const struct resolver *r,
		       const struct inherit_link *link,
		       const struct entry *item,
		       const struct library_file *base, struct err *e)
{
	const struct inherit_link *l;

	for (l = link; l; l = l->child)
		if (l->file && l->file->dev == base->dev &&
		    l->file->ino == base->ino)
			return err_set(e, ELOOP,
				       "%s: circular dependency detected: "
				       "%s%s; remove one of the `extends`",
				       place(r, item), chain(r, link),
				       item->text);
	if (depth(link) >= LOAD_DEPTH_MAX)
		return err_set(e, ELOOP,
			       "%s: inheritance chain too deep (max %d): %s%s",
			       place(r, item), LOAD_DEPTH_MAX, chain(r, link),
			       item->text);
	if (r->n_files >= LOAD_FILES_MAX)
		return err_set(e, E2BIG,
			       "%s: too many base profiles in all (max %d)",
			       place(r, item), LOAD_FILES_MAX);
	if (r->n_bytes + base->len > LOAD_BYTES_MAX)
		return err_set(e, E2BIG,
			       "%s: with base %s the profiles have %zu bytes "
			       "in all, more than %u; name fewer bases, or put "
			       "long lists of names into a file of "
			       "egress_run.allow_domain_file",
			       place(r, item), base->path,
			       r->n_bytes + base->len, LOAD_BYTES_MAX);
	return 0;
}

/* Finds what item names.  A profile of the same name is one further on in the
 * order of the search, never the file itself. */
static int find_base(const struct resolver *r, const struct inherit_link *link,
		     const struct entry *item, struct library_file *ret,
		     struct err *e)
{
	const struct loader *l = r->loader;
	const char *skip[LOAD_DEPTH_MAX + 1] = { NULL };
	const char *beside = NULL;
	struct err why = { 0 };
	size_t n = 0;
	int rc;

	for (const struct inherit_link *at = link; at->file; at = at->child) {
		skip[n++] = at->file->path;
		if (n == LOAD_DEPTH_MAX || !at->child ||
		    strcmp(at->name, item->text) != 0)
			break;
	}
	/* What lies before the shipped ones may replace bases of these. */
	if (link->file && !link->file->shipped) {
		beside = library_folder(l->arena, link->file->path);
		if (!beside)
			return err_errno(e, ENOMEM, "loading profiles");
	}
	rc = library_find(l->library, l->arena, item->text, beside, skip, ret,
			  &why);
	if (rc == -ENOENT)
		return err_set(e, ENOENT, "%s: base %s", place(r, item),
			       why.msg);
	if (rc && e)
		*e = why;
	return rc;
}

static int fold(const struct resolver *r, struct layers *sum,
		const struct layers *over, struct err *e)
{
	struct arena *a = r->loader->arena;
	int rc = 0;

	if (sum->files)
		rc = merge_profiles(a, sum->files, over->files, &sum->files, e);
	else
		sum->files = over->files;
	if (rc || !over->override)
		return rc;
	if (sum->override)
		return merge_patch(a, sum->override, over->override,
				   &sum->override, e);
	sum->override = over->override;
	return 0;
}

static int resolve(struct resolver *r, const struct inherit_link *link,
		   struct profile *p, struct layers *ret, struct err *e);

static int resolve_base(struct resolver *r, const struct inherit_link *link,
			const struct entry *item, struct layers *ret,
			struct err *e)
{
	struct library_file file = { 0 };
	const struct inherit_link base = {
		.child = link,
		.file = &file,
		.name = item->text,
	};
	struct profile *p = NULL;
	int rc;

	if (!library_name_valid(item->text))
		return err_set(e, EINVAL,
			       "%s: invalid base profile name '%s': letters, "
			       "digits and hyphens%s",
			       place(r, item), item->text,
			       strchr(item->text, '/')
				       ? "; packs of nono's registry cannot be "
					 "downloaded, and paths are not bases"
				       : "");
	rc = find_base(r, link, item, &file, e);
	if (rc == 0)
		rc = check_chain(r, link, item, &file, e);
	if (rc == 0)
		rc = inherit_decode(r->loader, &file, &p, e);
	r->n_files++;
	r->n_bytes += file.len;
	return rc ? rc : resolve(r, &base, p, ret, e);
}

static int resolve(struct resolver *r, const struct inherit_link *link,
		   struct profile *p, struct layers *ret, struct err *e)
{
	const struct field *extends = &p->field[KEY_EXTENDS];
	const struct layers own = { .files = p, .override = p->override };

	*ret = (struct layers) { NULL, NULL };
	for (size_t i = 0; i < extends->n; i++) {
		struct layers base = { NULL, NULL };
		int rc = resolve_base(r, link, &extends->items[i], &base, e);

		if (rc == 0)
			rc = fold(r, ret, &base, e);
		if (rc)
			return rc;
	}
	return fold(r, ret, &own, e);
}

int inherit_resolve(const struct loader *l, const struct inherit_link *link,
		    struct profile *p, struct profile **ret, struct err *e)
{
	struct resolver r = { .loader = l,
			      .n_bytes = link->file ? link->file->len : 0 };
	struct layers sum;
	int rc = resolve(&r, link, p, &sum, e);

	if (rc)
		return rc;
	if (sum.override)
		return merge_patch(l->arena, sum.files, sum.override, ret, e);
	*ret = sum.files;
	return 0;
}
