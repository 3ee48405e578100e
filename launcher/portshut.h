/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of addresses that a denied NAME:PORT keeps shut.  An address cannot
 * tell which of its names is meant: once such a name has resolved to it, the
 * port is shut there for the rest of the run, whatever other name or literal
 * network opens it, because programs keep addresses for longer than answers
 * live.
 */
#ifndef LAUNCHER_PORTSHUT_H
#define LAUNCHER_PORTSHUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

struct portshut;

int portshut_new(struct portshut **ret); /* 0 or -errno */
void portshut_free(struct portshut *s);	 /* NULL is fine */

/* All of them or, with -ENOSPC or -ENOMEM, perhaps some. */
int portshut_add(struct portshut *s, const struct addr *a, bool udp,
		 const uint16_t *port, size_t n);
bool portshut_has(const struct portshut *s, const struct addr *a, bool udp,
		  uint16_t port);

#endif
