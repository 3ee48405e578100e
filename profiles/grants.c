/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/grants.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/granting.h"
#include "profiles/workdir.h"

struct list {
	enum profile_key key;
	enum profile_key folders; /* file lists: where a folder belongs */
	unsigned access;
	bool files;
};

#define READ_WRITE (ACCESS_READ | ACCESS_WRITE)

static const struct list lists[] = {
	{ KEY_FS_ALLOW, KEY_FS_ALLOW, READ_WRITE, false },
	{ KEY_FS_READ, KEY_FS_READ, ACCESS_READ, false },
	{ KEY_FS_WRITE, KEY_FS_WRITE, ACCESS_WRITE, false },
	{ KEY_FS_ALLOW_FILE, KEY_FS_ALLOW, READ_WRITE, true },
	{ KEY_FS_READ_FILE, KEY_FS_READ, ACCESS_READ, true },
	{ KEY_FS_WRITE_FILE, KEY_FS_WRITE, ACCESS_WRITE, true },
};

static const char *folder_word(enum profile_key key)
{
	return key == KEY_FS_ALLOW  ? "allow"
	       : key == KEY_FS_READ ? "read"
				    : "write";
}

static int add_absent(struct granting *w, const struct place *p)
{
	struct grants *g = w->grants;
	struct absent_file *absent =
		arena_grow(w->arena, g->absent, g->n_absent, &g->absent_room,
			   sizeof(*absent));

	if (!absent)
		return -ENOMEM;
	g->absent = absent;
	absent[g->n_absent++] = (struct absent_file) { p->path, p->resolved };
	return 0;
}

/* A pattern passes over what its list is not for and what leads out. */
static int add_match(struct granting *w, const struct list *l,
		     const struct entry_places *x, const struct place *p)
{
	const struct entry *item = x->entry;
	bool folder = S_ISDIR(p->mode);
	const struct grant grant = {
		.path = p->path,
		.resolved = p->resolved,
		.links = p->links,
		.kind = folder ? GRANT_DIR : GRANT_FILE,
		.access = l->access,
		.from = item->from,
	};

	if (p->error == ENOENT && l->files && !x->pattern &&
	    l->access == (ACCESS_READ | ACCESS_WRITE) && add_absent(w, p) < 0)
		return granting_no_memory(w);
	if (p->error)
		return granting_skip(w, item, x->pattern ? p->path : item->text,
				     false, granting_why(w, p));
	if (x->pattern && !path_covers(x->root, p->resolved))
		return granting_skip(w, item, p->path, false,
				     arena_printf(w->arena,
						  "leads out of %s, to %s",
						  x->root, p->resolved));
	if (folder && l->files && x->pattern)
		return 0;
	if (folder && l->files)
		return granting_fail(w, x->key, item,
				     "\"%s\": expected a file but got a "
				     "directory: grant it by %s%s",
				     item->text,
				     item->from.line ? "filesystem." : "--",
				     folder_word(l->folders));
	return granting_add(w, &grant);
}

static int add_entry(struct granting *w, const struct list *l,
		     const struct entry *item)
{
	struct entry_places x;
	int rc = granting_expand(w, l->key, item, l->files ? 0 : EXPAND_COVERS,
				 &x);

	for (size_t i = 0; rc == 0 && i < x.matches.n; i++)
		rc = add_match(w, l, &x, &x.matches.items[i]);
	return rc;
}

static int add_lists(struct granting *w)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct field *f = &w->profile->field[lists[i].key];

		for (size_t j = 0; j < f->n; j++) {
			int rc = add_entry(w, &lists[i], &f->items[j]);

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int resolve_own(struct granting *w)
{
	struct place home;
	struct place workdir;

	if (path_resolve(w->arena, w->vars->home, &home) < 0 ||
	    path_resolve(w->arena, w->vars->workdir, &workdir) < 0)
		return granting_no_memory(w);
	w->home = home.resolved;
	w->workdir = workdir.resolved;
	w->level = workdir_level(w->profile);
	return 0;
}

int grants_resolve(const struct profile *p, const struct vars *v,
		   struct arena *a, struct grants *ret, struct err *e)
{
	struct granting w = {
		.profile = p, .vars = v, .arena = a, .grants = ret, .err = e
	};
	int rc;

	*ret = (struct grants) { 0 };
	if (v->home[0] != '/' || v->workdir[0] != '/')
		return err_set(e, EINVAL,
			       "the %s is \"%s\", which is not an absolute "
			       "path",
			       v->home[0] != '/' ? "home folder"
						 : "working directory",
			       v->home[0] != '/' ? v->home : v->workdir);
	rc = pathmap_init(&w.map, a);
	if (rc < 0)
		return err_errno(e, -rc, "paths of the profile: getrandom");
	rc = resolve_own(&w);
	if (rc == 0)
		rc = add_lists(&w);
	if (rc == 0)
		rc = granting_sockets(&w);
	if (rc == 0)
		rc = granting_denials(&w);
	pathmap_done(&w.map);
	return rc;
}

static bool is_parent(const char *dir, const char *path)
{
	size_t len = path_parent(path, strlen(path));

	return len > 0 && strlen(dir) == len && memcmp(dir, path, len) == 0;
}

static bool grant_covers(const struct grant *g, const char *path)
{
	switch (g->kind) {
	case GRANT_DIR:
		return path_covers(g->resolved, path);
	case GRANT_SOCKET_DIR:
		return is_parent(g->resolved, path);
	case GRANT_SOCKET_TREE:
		return path_covers(g->resolved, path) &&
		       strcmp(g->resolved, path) != 0;
	case GRANT_FILE:
	case GRANT_SOCKET:
	default:
		return strcmp(g->resolved, path) == 0;
	}
}

static bool denial_covers(const struct denial *d, const char *path)
{
	return path_covers(d->resolved, path) || path_covers(d->path, path);
}

static unsigned left_by_denials(const struct grants *g, const struct grant *x,
				unsigned access, const char *path)
{
	for (size_t i = 0; access && i < g->n_denials; i++) {
		const struct denial *d = &g->denials[i];

		if (denial_covers(d, path) && !denial_covers(d, x->resolved) &&
		    !denial_covers(d, x->path))
			access &= d->bypassed;
	}
	return access;
}

static unsigned access_by(const struct grants *g, const char *path, bool flag)
{
	unsigned access = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct grant *x = &g->items[i];

		if (grant_covers(x, path))
			access |= left_by_denials(
				g, x, flag ? x->by_flag : x->access, path);
	}
	if (grants_protected(g, path))
		access &= ~(unsigned)(ACCESS_WRITE | ACCESS_BIND);
	return access;
}

unsigned grants_access(const struct grants *g, const char *path)
{
	return access_by(g, path, false);
}

unsigned grants_access_by_flag(const struct grants *g, const char *path)
{
	return access_by(g, path, true);
}

const struct denial *grants_denial(const struct grants *g, const char *path,
				   unsigned access)
{
	for (size_t i = 0; i < g->n_denials; i++)
		if (access & ~g->denials[i].bypassed &&
		    denial_covers(&g->denials[i], path))
			return &g->denials[i];
	return NULL;
}

bool grants_protected(const struct grants *g, const char *path)
{
	for (size_t i = 0; i < g->n_protected; i++)
		if (path_covers(g->protected[i].resolved, path) ||
		    path_covers(g->protected[i].path, path))
			return true;
	return false;
}

const char *grant_access_text(unsigned access)
{
	static const char *const files[] = { "", "r", "w", "r+w" };
	static const char *const connect[] = { "connect", "r connect",
					       "w connect", "r+w connect" };
	static const char *const bind[] = { "bind", "r bind", "w bind",
					    "r+w bind" };
	static const char *const both[] = { "connect+bind", "r connect+bind",
					    "w connect+bind",
					    "r+w connect+bind" };
	unsigned rw = access & READ_WRITE;

	if (!(access & ACCESS_BIND))
		return access & ACCESS_CONNECT ? connect[rw] : files[rw];
	return access & ACCESS_CONNECT ? both[rw] : bind[rw];
}
