/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/granting.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiles/keys.h"

int granting_no_memory(struct granting *w)
{
	return err_errno(w->err, ENOMEM, "paths of the profile");
}

int granting_fail(struct granting *w, enum profile_key key,
		  const struct entry *item, const char *fmt, ...)
{
	char why[ERR_MSG_MAX];
	const char *at = origin_text(w->arena, &item->from);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (item->from.line == 0) /* the flag says it */
		return err_set(w->err, EINVAL, "%s: %s", at ? at : "", why);
	return err_set(w->err, EINVAL, "%s: %s: %s", at ? at : "",
		       key_spec(key)->path, why);
}

int grants_skip(struct grants *g, struct arena *a, const struct skipped *s)
{
	struct skipped *items = arena_grow(a, g->skipped, g->n_skipped,
					   &g->skipped_room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	g->skipped = items;
	items[g->n_skipped++] = *s;
	return 0;
}

int granting_skip(struct granting *w, const struct entry *item,
		  const char *text, bool flag, const char *why)
{
	const struct skipped s = { text, why, flag || item->from.line == 0,
				   item->from };

	if (!why || grants_skip(w->grants, w->arena, &s) < 0)
		return granting_no_memory(w);
	return 0;
}

const char *granting_why(struct granting *w, const struct place *p)
{
	bool missing = p->error == ENOENT || p->error == ENOTDIR;

	if (missing && p->links && strcmp(p->path, p->resolved) != 0)
		return arena_printf(w->arena,
				    "leads to %s, which does not exist",
				    p->resolved);
	if (missing && strpbrk(p->path, "?["))
		return "does not exist (? and [ are no patterns, * and ** are)";
	if (missing)
		return "does not exist";
	return arena_printf(w->arena, "cannot be reached: %s",
			    strerror(p->error));
}

/* Variables expanded, not yet absolute. */
static int expand(struct granting *w, const struct entry_places *x,
		  const char *text, const char **ret)
{
	struct err inner = { 0 };
	int rc = x->entry->from.group
			 ? vars_expand_group(w->vars, w->arena, text, ret,
					     &inner)
			 : vars_expand(w->vars, w->arena, text, ret, &inner);

	if (rc == -ENOMEM)
		return granting_no_memory(w);
	if (rc < 0)
		return granting_fail(w, x->key, x->entry, "%s", inner.msg);
	return 0;
}

/* A path that is relative is one below the working directory.  *ret is NULL if
 * the entry was skipped. */
static int absolute(struct granting *w, const struct entry_places *x,
		    const char *text, const char **ret)
{
	int rc = expand(w, x, text, ret);

	if (rc < 0 || (*ret)[0] == '/')
		return rc;
	/* Else anybody could make a folder "$NAME" in the working directory
	 * for the next run. */
	if ((*ret)[0] == '$' && x->key == KEY_FS_DENY)
		return granting_fail(w, x->key, x->entry,
				     "\"%s\" begins with a variable that is "
				     "not set, so nothing would be denied: set "
				     "it, or write the path",
				     x->entry->text);
	if ((*ret)[0] == '$') {
		*ret = NULL;
		return granting_skip(w, x->entry, x->entry->text, false,
				     "begins with a variable that is not set");
	}
	*ret = arena_printf(w->arena, "%s/%s", w->vars->workdir, *ret);
	return *ret ? 0 : granting_no_memory(w);
}

/* A grant that is lost shows soon.  A denial that is lost does not, nor does
 * what opens one. */
static int check_wildcards(struct granting *w, const struct entry_places *x,
			   const struct place *p)
{
	bool strict =
		x->key == KEY_FS_DENY || x->key == KEY_FS_BYPASS_PROTECTION;

	if (!strict || (p->error != ENOENT && p->error != ENOTDIR) ||
	    !strpbrk(x->entry->text, "?["))
		return 0;
	return granting_fail(w, x->key, x->entry,
			     "\"%s\" does not exist, and ? and [ are no "
			     "patterns: write * for any text within one name, "
			     "** for any number of folders",
			     x->entry->text);
}

static int expand_plain(struct granting *w, struct entry_places *x)
{
	struct glob_matches *m = &x->matches;
	const char *path;
	int rc = absolute(w, x, x->entry->text, &path);

	if (rc < 0 || !path)
		return rc;
	m->items = arena_alloc(w->arena, 1, sizeof(*m->items));
	if (!m->items || path_resolve(w->arena, path, m->items) < 0)
		return granting_no_memory(w);
	m->n = 1;
	m->room = 1;
	return check_wildcards(w, x, m->items);
}

static size_t count_stars(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '*';
	return n;
}

/* The root is a plain path even if a variable brings a "*" into it. */
static int expand_pattern(struct granting *w, unsigned flags,
			  struct entry_places *x)
{
	const char *text = x->entry->text;
	size_t split = glob_split(text);
	struct glob g = { .budget = &w->budget,
			  .covers = flags & EXPAND_COVERS,
			  .unlistable = flags & EXPAND_UNLISTABLE };
	const char *front = arena_copy(w->arena, text, split);
	struct err inner = { 0 };
	struct place root;
	int rc;

	if (!front)
		return granting_no_memory(w);
	if (split == 0 && (text[0] == '~' || text[0] == '$'))
		return granting_fail(w, x->key, x->entry,
				     "\"%s\": a / is missing in front of the *",
				     text);
	rc = absolute(w, x, front, &g.root);
	if (rc < 0 || !g.root)
		return rc;
	rc = expand(w, x, text + split, &g.pattern);
	if (rc < 0)
		return rc;
	if (path_resolve(w->arena, g.root, &root) < 0)
		return granting_no_memory(w);
	x->root = root.resolved;
	rc = check_wildcards(w, x, &root);
	if (rc < 0)
		return rc;
	if (count_stars(g.pattern) != count_stars(text))
		return granting_fail(w, x->key, x->entry,
				     "\"%s\": the value of a variable behind "
				     "the first * has a * in it",
				     text);
	rc = glob_expand(&g, w->arena, &x->matches, &inner);
	if (rc == -ENOMEM)
		return granting_no_memory(w);
	if (rc < 0)
		return granting_fail(w, x->key, x->entry, "%s", inner.msg);
	if (x->matches.n == 0)
		return granting_skip(w, x->entry, text, false,
				     "matches nothing");
	return 0;
}

int granting_expand(struct granting *w, enum profile_key key,
		    const struct entry *item, unsigned flags,
		    struct entry_places *ret)
{
	*ret = (struct entry_places) { .entry = item, .key = key };
	if (!item->text || item->text[0] == '\0')
		return granting_skip(w, item, "", true, "is empty");
	ret->pattern = glob_is(item->text);
	return ret->pattern ? expand_pattern(w, flags, ret)
			    : expand_plain(w, ret);
}

/* The folders for everybody's temporary files, if the home folder is in one:
 * writing there would be writing to all of it. */
static bool opens_home(const struct granting *w, const struct grant *item)
{
	return item->from.group &&
	       strcmp(item->from.group, "system_write_linux") == 0 &&
	       item->access & ACCESS_WRITE &&
	       path_covers(item->resolved, w->home);
}

static int add_new(struct granting *w, const struct grant *item)
{
	struct grants *g = w->grants;
	struct grant *items =
		arena_grow(w->arena, g->items, g->n, &g->room, sizeof(*items));

	if (!items || !pathmap_put(&w->map, item->path,
				   TAG_ALIAS + (unsigned)item->kind, 1))
		return granting_no_memory(w);
	g->items = items;
	items[g->n++] = *item;
	return 0;
}

static int add_alias(struct granting *w, struct grant *g, const char *path,
		     const struct path_link *links)
{
	struct grant_alias *alias = arena_alloc(w->arena, 1, sizeof(*alias));

	if (!alias)
		return granting_no_memory(w);
	*alias = (struct grant_alias) { path, links, g->aliases };
	g->aliases = alias;
	return 0;
}

static void combine(struct grant *g, const struct grant *item)
{
	g->by_flag |= item->by_flag;
	if (g->from.group && !item->from.group) {
		g->access = item->access;
		g->from = item->from;
		g->implied = item->implied;
	} else if (!g->from.group == !item->from.group) {
		g->access |= item->access;
		g->implied = g->implied && item->implied;
	}
}

int granting_add(struct granting *w, const struct grant *given)
{
	const struct entry entry = { .from = given->from };
	struct grant new = *given;
	const struct grant *item = &new;
	size_t *at = pathmap_at(&w->map, item->resolved, strlen(item->resolved),
				item->kind);
	unsigned tag = TAG_ALIAS + (unsigned)item->kind;
	struct grant *g;

	if (given->from.line == 0 && !given->implied)
		new.by_flag = given->access;
	if (opens_home(w, item))
		return granting_skip(w, &entry, item->path, false,
				     "your home folder lies in it");
	if (!at) {
		if (!pathmap_put(&w->map, item->resolved, item->kind,
				 w->grants->n))
			return granting_no_memory(w);
		return add_new(w, item);
	}
	g = &w->grants->items[*at];
	combine(g, item);
	if (pathmap_at(&w->map, item->path, strlen(item->path), tag))
		return 0;
	if (!pathmap_put(&w->map, item->path, tag, 1))
		return granting_no_memory(w);
	return add_alias(w, g, item->path, item->links);
}

static unsigned own_at(const struct granting *w, const char *path, size_t len,
		       enum grant_kind kind)
{
	const size_t *at = pathmap_at(&w->map, path, len, kind);
	const struct grant *g = at ? &w->grants->items[*at] : NULL;

	return g && !g->from.group ? g->access : 0;
}

unsigned granting_own_access(const struct granting *w, const char *path)
{
	size_t whole = strlen(path);
	size_t parent = path_parent(path, whole);
	unsigned access = own_at(w, path, whole, GRANT_FILE) |
			  own_at(w, path, whole, GRANT_SOCKET) |
			  own_at(w, path, parent, GRANT_SOCKET_DIR);
	size_t len;

	for (len = whole; len > 0; len = path_parent(path, len))
		access |= own_at(w, path, len, GRANT_DIR);
	for (len = parent; len > 0; len = path_parent(path, len))
		access |= own_at(w, path, len, GRANT_SOCKET_TREE);
	if (path_covers(w->workdir, path))
		access |= w->level;
	return access;
}
