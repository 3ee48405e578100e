/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env_credentials: references to secrets, read outside the sandbox before the
 * start, as the invoking user, and put into the command's environment.
 */
#ifndef LAUNCHER_CREDENTIALS_H
#define LAUNCHER_CREDENTIALS_H

#include <stdbool.h>

#include "common/err.h"
#include "launcher/environment.h"
#include "launcher/identity.h"
#include "launcher/secret.h"
#include "profiles/grants.h"
#include "profiles/profile.h"

/* Checks references and destination names of p without reading any secret.
 * Errors name the place of the entry. */
int credentials_check(const struct profile *p, struct err *e);

/* Reads each secret into env; an inherited variable of the name is taken away
 * first.  One that cannot be had is a warning which names the command that
 * stores it; with require it is the error.  g: what the command may write, so
 * that no program from there is asked.  loaded[i] tells whether the value in
 * env is from entry i. */
int credentials_load(const struct profile *p, const struct identity *id,
		     const struct grants *g, bool require,
		     struct environment *env, bool *loaded, struct err *e);

/* One secret by its reference, with a NUL behind it; it has none inside and is
 * not empty. */
int credential_read(const char *reference, const struct identity *id,
		    const struct grants *g, struct secret *ret, struct err *e);

/* "the keyring entry 'github_token'", for --dry-run and the manual's words;
 * never a value. */
void credential_describe(const char *reference, char *buf, size_t size);

#endif
