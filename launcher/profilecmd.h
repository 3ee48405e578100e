/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `egress-run profile`: looks at profiles and runs nothing. */
#ifndef LAUNCHER_PROFILECMD_H
#define LAUNCHER_PROFILECMD_H

#include <stdbool.h>

#include "common/err.h"
#include "launcher/options.h"
#include "launcher/prepare.h"

enum {
	PROFILE_EXIT_BAD = 1,	/* not found, not valid; different */
	PROFILE_EXIT_USAGE = 2, /* of diff: also what cannot be read */
};

/* words: what follows `profile`, NULL-terminated.  Sets the exit status also
 * where it returns an error for main() to print. */
int profile_command(char **words, int *ret_status, struct err *e);

/* For the files of the single commands. */
struct profile_call {
	struct base base;
	bool json;
	struct words extends;
	struct words names; /* operands */
};

/* NAME or FILE with all its bases; what is not valid is an error. */
int profile_load(struct profile_call *c, const char *name, struct loaded *ret,
		 struct err *e);

/* Each prints on stdout and sets *ret_status if it is not 0. */
int profile_list(struct profile_call *c, int *ret_status, struct err *e);
int profile_show(struct profile_call *c, int *ret_status, struct err *e);
int profile_check(struct profile_call *c, int *ret_status, struct err *e);
int profile_diff(struct profile_call *c, int *ret_status, struct err *e);
int profile_init(struct profile_call *c, int *ret_status, struct err *e);

#endif
