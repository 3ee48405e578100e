/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's keyring: the Secret Service, asked through secret-tool. */
#ifndef LAUNCHER_KEYRING_H
#define LAUNCHER_KEYRING_H

#include <stddef.h>

#include "common/err.h"
#include "launcher/identity.h"
#include "launcher/reference.h"
#include "launcher/secret.h"

/* Waits for a locked keyring that asks the user.  Of several items with the
 * same attributes secret-tool gives the first that is unlocked.  The message of
 * a failure says what to do. */
int keyring_read(const struct reference *r, const struct identity *id,
		 size_t max, struct secret *ret, struct err *e);

#endif
