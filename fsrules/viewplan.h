/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a view is planned, inside view*.c: everything that is to be said of a
 * path becomes a mark; viewwalk.c sorts the marks and turns them, path by path
 * from the root down, into the items of the plan.
 */
#ifndef FSRULES_VIEWPLAN_H
#define FSRULES_VIEWPLAN_H

#include "fsrules/view.h"

enum mark_kind {
	MARK_ITEM,   /* this item, whatever is granted above */
	MARK_HOME,   /* a folder, if there is none */
	MARK_DENIAL, /* access: what is given back */
	MARK_GRANT,  /* access: what is added */
	MARK_KEEP,   /* read-only from here on */
	MARK_PIN,    /* not to be renamed where it is writable */
	MARK_MIRROR, /* text: the folder that stands in for this one */
	MARK_LINK,   /* text: its target */
	MARK_TEXT,   /* text: the content */
};

struct mark {
	const char *path;
	enum mark_kind kind;
	unsigned access;
	bool directory; /* DENIAL, GRANT, KEEP, PIN */
	bool device;	/* GRANT */
	bool exists;	/* TEXT: on the host */
	bool mirrored;	/* GRANT: is in the mirror of its folder */
	const char *text;
	struct view_item item; /* ITEM */
};

/* A place that the plan has by now, in the walk. */
struct made {
	const char *path;
	bool holds; /* what lies in it is made for the view */
	struct made *above;
};

struct planning {
	const struct view_options *o;
	struct arena *arena;
	struct view_plan *plan;
	struct err *e;
	struct mark *marks;
	size_t n, room;
	/* Bound folders whose names may not be read, in the plan's order. */
	const char **unlisted;
	size_t n_unlisted, unlisted_room;
	struct made *made; /* during the walk: around the present path */
};

int planning_no_memory(struct planning *w);
int planning_mark(struct planning *w, const struct mark *m);
int planning_links(struct planning *w, const struct path_link *l);
int planning_item(struct planning *w, const struct view_item *item);
int planning_rule(struct planning *w, const struct view_rule *r);

/* Grants and denials (viewgrants.c). */
int planning_grants(struct planning *w);
/* True for a place that the view has without a grant. */
bool planning_private(const struct planning *w, const char *path);
/* The access to a place on the host that the command would have. */
unsigned planning_access(const struct planning *w, const char *path);
/* Private folders, /dev, /proc, /sys (viewprivate.c). */
int planning_private_folders(struct planning *w);
/* The generated files (viewtexts.c). */
int planning_texts(struct planning *w);
/* True for a grant of a file that a generated one replaces. */
bool planning_is_text(const struct planning *w, const struct grant *g);
/* What stays read-only in writable folders (viewkept.c). */
int planning_kept(struct planning *w);
/* One such folder, and the names of those above it. */
int planning_keep(struct planning *w, const char *path);
/* What is missing is made, so that the command cannot: what the user may not
 * make, the command may not either.  *ret: it is there now. */
int planning_make_folder(struct planning *w, const char *path, bool *ret);
/* The hooks of git repositories (viewhooks.c). */
int planning_hooks(struct planning *w);
/* Kernel file systems of the host below granted folders (viewforeign.c). */
int planning_foreign(struct planning *w);
/* Marks to items (viewwalk.c). */
int planning_walk(struct planning *w);
/* An item of the walk, behind the folders that lead to it (viewemit.c). */
int planning_emit(struct planning *w, const struct view_item *given);
/* True if the place around path is made for the view. */
bool planning_holds(struct planning *w, const char *path);
/* Landlock's rules, with the items at hand (viewrules.c). */
int planning_rules(struct planning *w);

#endif
