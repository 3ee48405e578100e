/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the command line to everything that is decided before the sandbox is
 * built: who, by which profile, what of the network, the files and the
 * environment. */
#ifndef LAUNCHER_PREPARE_H
#define LAUNCHER_PREPARE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "launcher/environment.h"
#include "launcher/files.h"
#include "launcher/identity.h"
#include "launcher/options.h"
#include "launcher/proxy.h"
#include "profiles/grants.h"
#include "profiles/library.h"
#include "profiles/load.h"
#include "profiles/netpolicy.h"
#include "profiles/vars.h"
#include "relay/inspect.h"

/* What every command of the program needs: the identity, the profiles that it
 * may read, and the variables of its paths. */
struct base {
	struct arena arena;
	struct identity identity;
	struct library library;
	struct loader loader;
	struct vars vars;
};

/* Becomes the user; no way back.  user: --user or NULL. */
int base_open(struct base *b, const char *user, struct err *e);
/* Fills vars for the working directory as it is now. */
int base_locate(struct base *b, struct err *e);
void base_done(struct base *b);

struct prepared {
	struct base base;
	struct loaded loaded;
	struct grants grants;
	struct files files;
	unsigned workdir_access;
	struct netpolicy net;
	struct proxy proxy;
	struct environment environment;
	const char *credentials; /* for people: "GH_TOKEN from ..." or "" */
	char **command;		 /* in the arena, or argv's own */
	const char *hint;	 /* command_hint() */
	const char *log_path;	 /* --log, valid after the change of folder */
	uint32_t grace_sec;
	enum verify_mode verify;
	bool host_files; /* --files host */
	bool named;	 /* a profile was asked for */
	bool usage;	 /* the error is one of usage */
};

/* On failure prepared_done() is due as well.  p must not be moved. */
int prepare(const struct options *o, struct prepared *p, struct err *e);
void prepared_done(struct prepared *p);

/* All that a profile must pass but for what this machine decides; into net,
 * which the caller frees. */
int prepare_check(struct base *b, struct loaded *l, bool open,
		  struct netpolicy *net, struct err *e);

/* egress_run.grace into *ret, which is left alone without one; ret may be
 * NULL. */
int prepare_grace(const struct profile *p, uint32_t *ret, struct err *e);

#endif
