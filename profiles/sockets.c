/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists unix_socket* of `filesystem`. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/granting.h"

struct list {
	enum profile_key key;
	enum grant_kind kind;
	unsigned access;
};

#define CONNECT	     ((unsigned)ACCESS_CONNECT)
#define CONNECT_BIND ((unsigned)(ACCESS_CONNECT | ACCESS_BIND))
#define READ_WRITE   ((unsigned)(ACCESS_READ | ACCESS_WRITE))

/* A single socket is granted with the file; see nono's format. */
static const struct list lists[] = {
	{ KEY_FS_UNIX_SOCKET, GRANT_SOCKET, CONNECT | ACCESS_READ },
	{ KEY_FS_UNIX_SOCKET_BIND, GRANT_SOCKET, CONNECT_BIND | READ_WRITE },
	{ KEY_FS_UNIX_SOCKET_DIR, GRANT_SOCKET_DIR, CONNECT },
	{ KEY_FS_UNIX_SOCKET_DIR_BIND, GRANT_SOCKET_DIR, CONNECT_BIND },
	{ KEY_FS_UNIX_SOCKET_SUBTREE, GRANT_SOCKET_TREE, CONNECT },
	{ KEY_FS_UNIX_SOCKET_SUBTREE_BIND, GRANT_SOCKET_TREE, CONNECT_BIND },
};

/* A socket to be created: it, and its folder for writing. */
static int add_missing(struct granting *w, const struct entry_places *x,
		       const struct grant *grant)
{
	const struct entry *item = x->entry;
	const char *path = grant->path;
	struct grant folder = { .kind = GRANT_DIR,
				.access = READ_WRITE,
				.implied = true,
				.from = grant->from };
	struct place p;
	struct stat st;
	const char *parent =
		arena_copy(w->arena, path, path_parent(path, strlen(path)));
	int rc;

	if (!parent || path_resolve(w->arena, parent, &p) < 0)
		return granting_no_memory(w);
	if (lstat(path, &st) == 0)
		return granting_fail(w, x->key, item,
				     "\"%s\" is a link to %s, which does not "
				     "exist: remove the link, or write the "
				     "path that it leads to",
				     item->text, grant->resolved);
	if (p.error || !S_ISDIR(p.mode))
		return granting_skip(w, item, item->text, false,
				     "its folder does not exist");
	if (path_covers(p.resolved, w->home))
		return granting_skip(w, item, item->text, true,
				     "to create it would open all of your "
				     "home folder: put the socket into a "
				     "folder of its own");
	folder.path = p.path;
	folder.resolved = p.resolved;
	folder.links = p.links;
	rc = granting_add(w, &folder);
	return rc < 0 ? rc : granting_add(w, grant);
}

static int add_place(struct granting *w, const struct list *l,
		     const struct entry_places *x, const struct place *p)
{
	const struct entry *item = x->entry;
	const char *text = x->pattern ? p->path : item->text;
	bool folder = l->kind != GRANT_SOCKET;
	const struct grant grant = {
		.path = p->path,
		.resolved = p->resolved,
		.links = p->links,
		.kind = l->kind,
		.access = l->access,
		.from = item->from,
	};

	if (p->error == ENOENT && !folder && l->access & ACCESS_BIND &&
	    !x->pattern)
		return add_missing(w, x, &grant);
	if (p->error)
		return granting_skip(w, item, text, false, granting_why(w, p));
	if (x->pattern && !path_covers(x->root, p->resolved))
		return granting_skip(w, item, text, false,
				     arena_printf(w->arena,
						  "leads out of %s, to %s",
						  x->root, p->resolved));
	if (folder ? S_ISDIR(p->mode) : S_ISSOCK(p->mode))
		return granting_add(w, &grant);
	if (x->pattern)
		return 0;
	return granting_skip(w, item, text, false,
			     folder ? "is not a directory" : "is not a socket");
}

static int add_entry(struct granting *w, const struct list *l,
		     const struct entry *item)
{
	struct entry_places x;
	int rc = granting_expand(w, l->key, item, 0, &x);

	for (size_t i = 0; rc == 0 && i < x.matches.n; i++)
		rc = add_place(w, l, &x, &x.matches.items[i]);
	return rc;
}

int granting_sockets(struct granting *w)
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
