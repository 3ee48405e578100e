/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/commandhint.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/prepare.h"
#include "profiles/paths.h"

static const char *folder_of(struct arena *a, const char *path)
{
	return arena_copy(a, path, path_parent(path, strlen(path)));
}

static bool is_program(const struct place *at)
{
	return !at->error && S_ISREG(at->mode) && access(at->path, X_OK) == 0;
}

/* The nearest folder above both paths. */
static const char *common_folder(struct arena *a, const char *x, const char *y)
{
	const char *dir = folder_of(a, x);

	while (dir && !path_covers(dir, y))
		dir = folder_of(a, dir);
	return dir;
}

/* A program that an installer put into one folder, with links to it: that
 * folder; else what is around the link and around the program.  Never the home
 * folder, nor what is above it. */
static const char *advise(struct prepared *p, const struct place *at)
{
	struct arena *a = &p->base.arena;
	const char *link = folder_of(a, at->path);
	const char *program = folder_of(a, at->resolved);
	const char *common = common_folder(a, at->path, at->resolved);

	if (!link || !program || !common)
		return NULL;
	if (!path_covers(common, p->base.vars.home))
		return arena_printf(a, "%s is not granted; --read %s grants it",
				    at->path, common);
	return arena_printf(a,
			    "%s is not granted; --read %s --read %s grants it",
			    at->path, link, program);
}

const char *command_hint(struct prepared *p)
{
	struct arena *a = &p->base.arena;
	const char *name = p->command[0];
	const char *dirs = environment_get(&p->environment, "PATH");
	const char *found = NULL;
	struct place at;

	if (p->host_files || name[0] == '\0')
		return NULL;
	if (strchr(name, '/'))
		dirs = "";
	for (; dirs; dirs = strchr(dirs, ':') ? strchr(dirs, ':') + 1 : NULL) {
		const char *path = name;

		if (!strchr(name, '/'))
			path = arena_printf(a, "%.*s/%s",
					    (int)strcspn(dirs, ":"), dirs,
					    name);
		if (!path)
			return NULL;
		if (path[0] != '/' || path_resolve(a, path, &at) < 0 ||
		    !is_program(&at))
			continue;
		if (grants_access(&p->grants, at.resolved) & ACCESS_READ &&
		    grants_access(&p->grants, at.path) & ACCESS_READ)
			return NULL;
		if (!found)
			found = advise(p, &at);
	}
	return found;
}
