/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folders that stay read-only inside writable ones: profiles, by which the
 * command could give itself rights in the next run, and git's hooks, which
 * run outside (viewhooks.c).  A folder above such a one could be renamed away
 * and made anew, so each is bound onto itself, which holds its name in place;
 * the price is that a rename across such a folder's border copies (EXDEV).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

static const char *parent_of(struct planning *w, const char *path)
{
	return arena_copy(w->arena, path, path_parent(path, strlen(path)));
}

int planning_make_folder(struct planning *w, const char *path, bool *ret)
{
	char *copy = arena_strdup(w->arena, path);

	*ret = false;
	if (!copy)
		return planning_no_memory(w);
	for (char *p = copy + 1;; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
			if (errno == EACCES || errno == EPERM || errno == EROFS)
				return 0;
			return err_errno(w->e, errno,
					 "make the folder %s, which the "
					 "command must not make",
					 copy);
		}
		*p = end;
		if (end == '\0')
			break;
	}
	*ret = true;
	return 0;
}

int planning_keep(struct planning *w, const char *path)
{
	struct mark m = { .path = path, .kind = MARK_KEEP, .directory = true };
	int rc = planning_mark(w, &m);

	m.kind = MARK_PIN;
	for (;;) {
		const char *above;

		m.path = parent_of(w, m.path);
		above = m.path ? parent_of(w, m.path) : NULL;
		if (!above)
			return planning_no_memory(w);
		if (rc < 0 || m.path[1] == '\0')
			return rc;
		/* Only who may write above it may rename it. */
		if (access(above, W_OK) == 0)
			rc = planning_mark(w, &m);
	}
}

static int keep_profiles(struct planning *w, const struct protected_path *p)
{
	const char *parent = parent_of(w, p->resolved);
	bool exists = p->exists;
	int rc = 0;

	if (!parent)
		return planning_no_memory(w);
	/* With the host's files the command may as well change ~/.bashrc. */
	if (!exists && !w->o->host_files &&
	    planning_access(w, parent) & ACCESS_WRITE)
		rc = planning_make_folder(w, p->resolved, &exists);
	return rc < 0 || !exists ? rc : planning_keep(w, p->resolved);
}

int planning_kept(struct planning *w)
{
	const struct grants *g = w->o->grants;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_protected; i++)
		rc = keep_profiles(w, &g->protected[i]);
	return rc < 0 ? rc : planning_hooks(w);
}
