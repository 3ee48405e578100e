/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command's environment: what is inherited less what can load code into
 * programs, the profile's filters and additions, and the credentials last.
 * Values of credentials live in pages that no core dump holds, in no other
 * place, and are wiped once the command's process has them: every process that
 * has a copy and goes on (init, the monitor) calls environment_wipe() then.
 */
#ifndef LAUNCHER_ENVIRONMENT_H
#define LAUNCHER_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "launcher/secret.h"
#include "profiles/profile.h"
#include "profiles/vars.h"

struct environment {
	char **vars; /* "NAME=value", NULL-terminated: execve()'s envp */
	size_t n;
	size_t room;
	struct secret secrets; /* the credentials' strings */
	struct arena arena;    /* all else */
};

/* Names and values of environment.set_vars, as environment_build() takes them;
 * a: for the values.  Errors name the place of the entry. */
int environment_check(const struct profile *p, const struct vars *v,
		      struct arena *a, struct err *e);
/* From v->environ by `environment` of p.  PWD and OLDPWD follow if v->workdir
 * is another folder than PWD.  Warnings (patterns that are ignored) are
 * logged. */
int environment_build(struct environment *env, const struct profile *p,
		      const struct vars *v, struct err *e);
/* A credential; it replaces a variable of that name.  value is len bytes
 * without NUL. */
int environment_add_secret(struct environment *env, const char *name,
			   const char *value, size_t len, struct err *e);
/* Overwrites the credentials; the strings are gone from vars. */
void environment_wipe(struct environment *env);
void environment_done(struct environment *env); /* wipes as well */

/* Sets a variable, or takes it away. */
int environment_put(struct environment *env, const char *name,
		    const char *value, struct err *e);
void environment_unset(struct environment *env, const char *name);
/* The value in vars, or NULL. */
const char *environment_get(const struct environment *env, const char *name);

/* A variable of from that leads to a proxy ("http_proxy=..."), or NULL: these
 * are passed on only if environment.allow_vars has that very name. */
const char *environment_proxy(char *const *from);

/* True for a name that is never passed on from outside. */
bool environment_always_stripped(const char *name);

#endif
