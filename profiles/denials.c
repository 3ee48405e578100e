/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What takes grants away again.  In order: the denials; the folders that stay
 * read-only; what bypass_protection gives back, measured by the grants of the
 * profile; and then each grant against all of these.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/granting.h"

static int add_denial(struct granting *w, const struct entry *item,
		      const struct place *p)
{
	struct grants *g = w->grants;
	struct denial *items;

	if (pathmap_at(&w->map, p->path, strlen(p->path), TAG_DENIAL))
		return 0;
	items = arena_grow(w->arena, g->denials, g->n_denials, &g->denials_room,
			   sizeof(*items));
	if (!items)
		return granting_no_memory(w);
	g->denials = items;
	items[g->n_denials++] = (struct denial) {
		.path = p->path,
		.resolved = p->resolved,
		.links = p->links,
		.exists = p->error == 0,
		.directory = p->error == 0 && S_ISDIR(p->mode),
		.from = item->from,
	};
	if (!pathmap_put(&w->map, p->path, TAG_DENIAL, 1) ||
	    !pathmap_put(&w->map, p->path, TAG_DENIED, g->n_denials) ||
	    !pathmap_put(&w->map, p->resolved, TAG_DENIED, g->n_denials))
		return granting_no_memory(w);
	return 0;
}

static int read_denials(struct granting *w)
{
	const struct field *f = &w->profile->field[KEY_FS_DENY];

	for (size_t i = 0; i < f->n; i++) {
		struct entry_places x;
		int rc = granting_expand(w, KEY_FS_DENY, &f->items[i],
					 EXPAND_COVERS | EXPAND_UNLISTABLE, &x);

		for (size_t j = 0; rc == 0 && j < x.matches.n; j++)
			rc = add_denial(w, &f->items[i], &x.matches.items[j]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Where profiles are looked for, but for the shipped ones (library.h). */
static int read_protected(struct granting *w)
{
	static const char *const folders[] = {
		"$XDG_CONFIG_HOME/egress-run",
		"$XDG_CONFIG_HOME/nono/profiles",
		"$XDG_STATE_HOME/egress-run",
		"/etc/egress-run",
	};
	struct grants *g = w->grants;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct protected_path *items =
			arena_grow(w->arena, g->protected, g->n_protected,
				   &g->protected_room, sizeof(*items));
		const char *path;
		struct place p;
		int rc = vars_expand(w->vars, w->arena, folders[i], &path,
				     w->err);

		if (rc < 0)
			return rc;
		if (!items || path_resolve(w->arena, path, &p) < 0)
			return granting_no_memory(w);
		g->protected = items;
		items[g->n_protected++] =
			(struct protected_path) { p.path, p.resolved,
						  p.error == 0 };
	}
	return 0;
}

const char *granting_planted(const struct granting *w,
			     const struct path_link *l, const char *resolved)
{
	for (; l; l = l->next) {
		size_t len = path_parent(l->path, strlen(l->path));

		if (w->level & ACCESS_WRITE &&
		    path_covers(w->workdir, l->path) &&
		    !path_covers(w->workdir, resolved))
			return w->workdir;
		for (; len > 0; len = path_parent(l->path, len)) {
			const size_t *at =
				pathmap_at(&w->map, l->path, len, GRANT_DIR);
			const struct grant *g =
				at ? &w->grants->items[*at] : NULL;

			if (g && g->access & ACCESS_WRITE &&
			    !path_covers(g->resolved, resolved))
				return g->resolved;
		}
	}
	return NULL;
}

int granting_skip_planted(struct granting *w, const struct entry *item,
			  const char *text, const char *resolved,
			  const char *folder)
{
	return granting_skip(w, item, text, !item->from.group,
			     arena_printf(w->arena,
					  "leads to %s through a link in %s, "
					  "where the command may write: name "
					  "the place itself",
					  resolved, folder));
}

size_t granting_denied_at(const struct granting *w, const char *path,
			  size_t len)
{
	for (; len > 0; len = path_parent(path, len)) {
		const size_t *at = pathmap_at(&w->map, path, len, TAG_DENIED);

		if (at)
			return *at;
	}
	return 0;
}

static const struct denial *denied(const struct granting *w, const char *path,
				   const char *resolved)
{
	size_t at = granting_denied_at(w, resolved, strlen(resolved));

	if (!at)
		at = granting_denied_at(w, path, strlen(path));
	return at ? &w->grants->denials[at - 1] : NULL;
}

unsigned granting_given_back(const struct granting *w, const char *path,
			     const char *resolved)
{
	return (unsigned)(pathmap_above(&w->map, resolved, TAG_BYPASS) |
			  pathmap_above(&w->map, path, TAG_BYPASS));
}

/* True if the command may go by that path: no denial without bypass and no
 * link that it could have made. */
static bool usable(const struct granting *w, const char *path,
		   const struct path_link *links, const char *resolved)
{
	return !granting_planted(w, links, resolved) &&
	       (!denied(w, path, resolved) ||
		granting_given_back(w, path, resolved));
}

/* Leaves only paths that are usable; another one becomes the first. */
static void prune_aliases(const struct granting *w, struct grant *g)
{
	struct grant_alias **p = &g->aliases;

	while (*p) {
		if (usable(w, (*p)->path, (*p)->links, g->resolved))
			p = &(*p)->next;
		else
			*p = (*p)->next;
	}
	if (g->aliases && !usable(w, g->path, g->links, g->resolved)) {
		g->path = g->aliases->path;
		g->links = g->aliases->links;
		g->aliases = g->aliases->next;
	}
}

static int skip_denied(struct granting *w, const struct entry *item,
		       const struct grant *g, const struct denial *d)
{
	const char *by =
		d->from.group ? d->from.group : origin_text(w->arena, &d->from);

	return granting_skip(w, item, g->path, !item->from.group,
			     arena_printf(w->arena,
					  "%s is denied by %s: "
					  "--bypass-protection %s opens it",
					  d->path, by ? by : "", g->path));
}

/* Sets g->access to what is left of it. */
static int settle(struct granting *w, struct grant *g)
{
	const struct entry entry = { .from = g->from };
	const unsigned write = ACCESS_WRITE | ACCESS_BIND;
	const struct denial *d;
	const char *folder;

	prune_aliases(w, g);
	folder = granting_planted(w, g->links, g->resolved);
	if (folder) {
		g->access = 0;
		return granting_skip_planted(w, &entry, g->path, g->resolved,
					     folder);
	}
	d = denied(w, g->path, g->resolved);
	if (d) {
		g->access &= granting_given_back(w, g->path, g->resolved);
		if (!g->access)
			return skip_denied(w, &entry, g, d);
	}
	if (!(g->access & write) || (!grants_protected(w->grants, g->path) &&
				     !grants_protected(w->grants, g->resolved)))
		return 0;
	g->access &= ~write;
	return granting_skip(w, &entry, g->path, !g->from.group,
			     "is not writable: the command could change its "
			     "own profile");
}

static int settle_all(struct granting *w)
{
	struct grants *g = w->grants;
	struct grant *left = arena_alloc(w->arena, g->n, sizeof(*left));
	size_t n = 0;

	if (!left)
		return granting_no_memory(w);
	for (size_t i = 0; i < g->n; i++) {
		int rc;

		/* granting_planted() asks for the grants as they were. */
		left[n] = g->items[i];
		rc = settle(w, &left[n]);
		if (rc < 0)
			return rc;
		left[n].by_flag &= left[n].access;
		n += left[n].access != 0;
	}
	g->items = left;
	g->n = n;
	g->room = n;
	return 0;
}

int granting_denials(struct granting *w)
{
	int rc = read_denials(w);

	if (rc == 0)
		rc = read_protected(w);
	if (rc == 0)
		rc = granting_bypasses(w);
	return rc < 0 ? rc : settle_all(w);
}
