/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of /etc that the command gets instead of the host's, besides those of
 * netfiles.h. */
#ifndef FSRULES_GENERATED_H
#define FSRULES_GENERATED_H

#include <sys/types.h>

#include "common/arena.h"
#include "common/err.h"

#define GENERATED_HOSTNAME "egress-run"

struct generated {
	const char *passwd; /* root, the user, nobody */
	const char *group;  /* root, the user's group, nogroup */
	const char *hostname;
	const char *machine_id; /* new in every run */
};

/* name, home and shell as the command knows them; "" for unknown. */
struct generated_user {
	uid_t uid;
	gid_t gid;
	const char *name;
	const char *home;
	const char *shell;
};

int generated_make(const struct generated_user *u, struct arena *a,
		   struct generated *ret, struct err *e);

#endif
