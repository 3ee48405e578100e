/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Password managers that have a program of their own: op (1Password), bw
 * (Bitwarden).  They are found by PATH, but not where g lets the command write,
 * and get the whole environment. */
#ifndef LAUNCHER_VAULT_H
#define LAUNCHER_VAULT_H

#include <stddef.h>

#include "common/err.h"
#include "launcher/reference.h"
#include "launcher/secret.h"
#include "profiles/grants.h"

int vault_read_op(const struct reference *r, const struct grants *g, size_t max,
		  struct secret *ret, struct err *e);
int vault_read_bw(const struct reference *r, const struct grants *g, size_t max,
		  struct secret *ret, struct err *e);

#endif
