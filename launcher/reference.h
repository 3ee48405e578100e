/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What env_credentials may name as the source of a secret:
 *
 *   NAME                                 keyring, service nono
 *   keyring://SERVICE/ACCOUNT[?decode=go-keyring]
 *   env://VARIABLE                       the environment of egress-run
 *   file:///PATH                         the content of a file
 *   op://VAULT/ITEM[/SECTION]/FIELD      1Password, by `op`
 *   bw://ITEM[/FIELD]                    Bitwarden, by `bw`
 *   apple-password://SERVER/ACCOUNT      not on this system
 */
#ifndef LAUNCHER_REFERENCE_H
#define LAUNCHER_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define REFERENCE_MAX 1024 /* bytes, all in all */

enum reference_kind {
	REFERENCE_KEYRING,
	REFERENCE_ENV,
	REFERENCE_FILE,
	REFERENCE_OP,
	REFERENCE_BW,
	REFERENCE_APPLE,
	REFERENCE__COUNT,
};

struct reference {
	enum reference_kind kind;
	const char *text; /* borrowed */
	/* keyring: service, account; env: the variable; file: the path; op:
	 * all of it; bw: item, field ("" if none) */
	char first[REFERENCE_MAX];
	char second[REFERENCE_MAX];
	bool go_keyring;
};

/* -EINVAL with what is wrong and what would be right. */
int reference_parse(const char *text, struct reference *ret, struct err *e);
/* "the keyring entry 'github_token'": for people. */
void reference_describe(const struct reference *r, char *buf, size_t size);

/* True for a variable that makes programs run code or look elsewhere for it:
 * neither source nor destination of a credential.  Any case. */
bool variable_is_dangerous(const char *name);
/* Letters, digits and underscores, at least one. */
bool variable_is_word(const char *name);

#endif
