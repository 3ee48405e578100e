/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock does not stop connect() to a socket with a name before its ABI 9,
 * nor does a read-only mount. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "fsrules/viewplan.h"
#include "profiles/paths.h"

/* The last item that lies over the path. */
static const struct view_item *item_over(const struct view_plan *plan,
					 const char *path)
{
	const struct view_item *last = NULL;

	for (size_t i = 0; i < plan->n; i++)
		if (path_covers(plan->items[i].path, path))
			last = &plan->items[i];
	return last;
}

/* True if the command would find the host's socket there. */
static bool is_visible(const struct view_plan *plan, const char *path)
{
	const struct view_item *item = item_over(plan, path);
	struct stat st;

	return item && item->kind == VIEW_BIND &&
	       strcmp(item->source, item->path) == 0 && lstat(path, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

static int mask(struct planning *w, const char *name)
{
	struct view_item item = { .kind = VIEW_MASK };
	struct place p;

	if (path_resolve(w->arena, name, &p) < 0)
		return planning_no_memory(w);
	if (p.error || !is_visible(w->plan, p.resolved) ||
	    grants_access(w->o->grants, p.resolved) &
		    (unsigned)(ACCESS_CONNECT | ACCESS_BIND))
		return 0;
	item.path = p.resolved;
	return planning_item(w, &item);
}

/* "ffff8880: 00000002 00000000 00010000 0001 01 12345 /run/x.sock": abstract
 * names begin with @, and relative ones have no meaning here. */
static int mask_line(struct planning *w, char *line)
{
	char *name = line;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < 7; i++) {
		name += strcspn(name, " ");
		name += strspn(name, " ");
	}
	return name[0] == '/' ? mask(w, name) : 0;
}

int view_mask_sockets(const struct view_options *o, struct arena *a,
		      struct view_plan *plan, struct err *e)
{
	static const char path[] = "/proc/net/unix";
	struct planning w = { .o = o, .arena = a, .plan = plan, .e = e };
	FILE *f = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (!f)
		return err_errno(e, errno, "find the host's sockets: read %s",
				 path);
	while (rc == 0 && getline(&line, &size, f) >= 0)
		rc = mask_line(&w, line);
	if (rc == 0 && ferror(f))
		rc = err_errno(e, EIO, "find the host's sockets: read %s",
			       path);
	(void)fclose(f);
	return rc;
}
