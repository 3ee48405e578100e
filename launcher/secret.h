/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages for secrets: in no core dump, in no swap as far as the limit on locked
 * memory permits, and overwritten when they are given back. */
#ifndef LAUNCHER_SECRET_H
#define LAUNCHER_SECRET_H

#include <stddef.h>

#include "common/err.h"

struct secret {
	char *data;  /* NULL: none */
	size_t size; /* whole pages */
	size_t len;  /* bytes of it in use */
};

int secret_new(struct secret *s, size_t size, struct err *e);
/* May move data; leaves no copy behind. */
int secret_grow(struct secret *s, size_t size, struct err *e);
void secret_free(struct secret *s); /* safe to repeat */

/* Drops one line ending at the end: what writes a secret into a file or a pipe
 * mostly adds one. */
void secret_chomp(struct secret *s);
/* Decodes, in place, a value that go-keyring has wrapped; a value without its
 * prefix stays as it is.  -EINVAL for what is not base64. */
int secret_unwrap_go_keyring(struct secret *s, struct err *e);

#define cleanup_secret __attribute__((cleanup(secret_free)))

#endif
