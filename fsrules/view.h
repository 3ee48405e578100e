/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command will see: a plan for a new root that holds the granted
 * paths and nothing else.  The monitor makes the plan before it clones; init
 * carries it out (mounts.h), and Landlock gets the same rules (landlock.h).
 *
 * The plan is a list of items, each parent before its children; a later item
 * lies over an earlier one.  The skeleton (every folder that is there only to
 * lead to a grant) is a read-only tmpfs.
 */
#ifndef FSRULES_VIEW_H
#define FSRULES_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/grants.h"

enum view_kind {
	VIEW_DIR,    /* a folder of the skeleton */
	VIEW_LINK,   /* a symbolic link of the skeleton; text: its target */
	VIEW_TEXT,   /* a generated file; text: its content */
	VIEW_BIND,   /* the host's `source` at this place */
	VIEW_TMPFS,  /* a private folder, empty, of the given mode; if it is not
		      * writable, it is once more skeleton */
	VIEW_PROC,   /* fresh, of the cage's pid namespace; if it is not
		      * writable, the kernel's switches in it are read-only */
	VIEW_SYS,    /* fresh, of the cage's network namespace; read-only */
	VIEW_DEVPTS, /* a new instance */
	VIEW_MASK,   /* hides what the host has here (a denial) */
};

struct view_item {
	enum view_kind kind;
	const char *path;   /* in the view: absolute, normalised, no link */
	const char *source; /* BIND: resolved path on the host */
	const char *text;
	bool directory; /* BIND, MASK */
	bool writable;	/* BIND, TMPFS, PROC */
	bool device;	/* BIND: device nodes that must work as such */
	bool optional;	/* BIND, TMPFS: no longer there: left out */
	bool network;	/* PROC: not /proc/sys/net, which is the cage's own */
	bool own;	/* lies in a folder that was made for the view, and is
			 * made there; else the host has something here */
	mode_t mode;	/* DIR, TMPFS, TEXT */
};

/* For Landlock: what may be done at and below a path of the view. */
struct view_rule {
	const char *path;
	unsigned access; /* ACCESS_READ, ACCESS_WRITE; for sockets also
			  * ACCESS_CONNECT, ACCESS_BIND */
	bool directory;
	bool device;	/* ioctls on device nodes below it as well */
	bool list_only; /* reading the names in folders at and below it; access
			 * is 0 */
};

struct view_plan {
	struct view_item *items;
	size_t n, room;
	struct view_rule *rules;
	size_t n_rules, rules_room;
	const char *workdir; /* where the command starts */
};

/* Contents of the generated files; strings are borrowed. */
struct view_texts {
	const char *resolv_conf;
	const char *hosts;
	const char *nsswitch; /* may be NULL */
	const char *passwd;
	const char *group;
	const char *hostname;
	const char *machine_id;
};

struct mirrors; /* mirror.h */

struct view_options {
	const struct grants *grants;
	const struct view_texts *texts;
	const struct mirrors *mirrors; /* or NULL */
	const char *home;
	const char *workdir;	 /* resolved */
	const char *runtime_dir; /* private XDG_RUNTIME_DIR, or NULL */
	const char *terminal;	 /* the caller's terminal for /dev/console, or
				  * NULL */
	uid_t uid;
	bool host_files; /* --files host: the host's tree at the user's rights,
			  * sockets and private folders hidden all the same */
	bool capabilities; /* it has some, within its own namespaces */
	bool share_tmp;	   /* the host's /tmp, /var/tmp and /dev/shm */
	bool git_hooks;	   /* .git/hooks of the working directory stays as
			    * writable as that is */
};

/* Granted folders that are private anyway (/tmp, /run, /dev, /proc) are not
 * bound.  Denials below a grant become masks, protected folders read-only
 * binds; one of these that is missing where the command could make it is made
 * on the host now.  -errno with a message. */
int view_plan(const struct view_options *o, struct arena *a,
	      struct view_plan *ret, struct err *e);

/* -EINVAL if a grant for writing alone lies in a folder that the command has of
 * its own, where Landlock could not hold reading back. */
int view_check_write_only(const struct view_options *o, struct arena *a,
			  struct view_plan *plan, struct err *e);

/* True for a place in a folder that is the run's own: nothing that is done
 * there is seen on the host. */
bool view_is_private(const struct view_plan *plan, const char *path);

/* Unix sockets that the host has below bound folders and that no unix_socket
 * grant names, from /proc/net/unix: masked as well.  A snapshot; sockwatch.h
 * goes on from there. */
int view_mask_sockets(const struct view_options *o, struct arena *a,
		      struct view_plan *plan, struct err *e);
/* True if there is a socket at the path, resolved, which the command would find
 * and no unix_socket grant names. */
bool view_shows_socket(const struct view_plan *plan, const struct grants *g,
		       const char *path);

#endif
