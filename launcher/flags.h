/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a run as a table, in nono's spelling where nono has them, and
 * a reader that walks a command line by such a table.  Options are written in
 * full: an abbreviation that is unique today would mean another one, or
 * nothing, after the next release.
 */
#ifndef LAUNCHER_FLAGS_H
#define LAUNCHER_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define FLAG_VALUES_MAX 2

enum flag_id {
	/* an entry of a key of the profile, as it is */
	FLAG_LIST,
	FLAG_SCALAR,
	FLAG_TRUE,
	/* the same, checked while parsing */
	FLAG_ALLOW_DOMAIN,
	FLAG_DENY_DOMAIN,
	FLAG_ALLOW_ADDRESS,
	FLAG_PORTS, /* of that key */
	FLAG_ALLOW_PRIVATE,
	FLAG_VERIFY,
	FLAG_ENV_CREDENTIAL,
	FLAG_ENV_CREDENTIAL_MAP,
	FLAG_GRACE,
	/* for the launcher itself */
	FLAG_PROFILE,
	FLAG_EXTENDS,
	FLAG_WORKDIR,
	FLAG_FILES,
	FLAG_ALLOW_NET,
	FLAG_ALLOW_DEGRADED,
	FLAG_REQUIRE_CREDENTIALS,
	FLAG_NO_SUMMARY,
	FLAG_USER,
	FLAG_LOG,
	FLAG_DRY_RUN,
	FLAG_QUIET,
	FLAG_VERBOSE,
	FLAG_HELP,
	FLAG_VERSION,
	FLAG_JSON,
	/* nono's, for which there is nothing to do; text says why */
	FLAG_IGNORED,
	/* nono's, asking for what is not there; text says what to do */
	FLAG_REFUSED,
};

struct flag {
	const char *name; /* without the hyphens */
	char letter;	  /* or 0 */
	unsigned char n_values;
	enum flag_id id;
	int key; /* enum profile_key: FLAG_LIST, FLAG_SCALAR, FLAG_TRUE */
	const char *text;
};

/* Both end with a row without name.  Aliases are rows of their own whose text
 * is the name to prefer; the launcher's table only. */
extern const struct flag run_flags[];
extern const struct flag profile_flags[];
extern const struct flag doctor_flags[];

struct flag_reader {
	const struct flag *table;
	char **argv; /* NULL-terminated */
	int next;    /* index of the word to read */
	const char *letters;
};

struct flag_read {
	const struct flag *flag;
	const char *value[FLAG_VALUES_MAX];
};

/* 1: an option; 0: the next word is an operand or the end ("--" is taken);
 * -EINVAL with a message that quotes the word. */
int flags_next(struct flag_reader *r, struct flag_read *ret, struct err *e);

/* True for a row that is there for compatibility only: another spelling, or
 * an option that does nothing but explain. */
bool flag_is_foreign(const struct flag *f);

#endif
