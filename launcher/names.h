/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that resolved in this run, with the addresses of their last answers;
 * counted references. */
#ifndef LAUNCHER_NAMES_H
#define LAUNCHER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

struct names;
struct name;

int names_new(struct names **ret);
void names_free(struct names *ns); /* NULL is fine */

/* The record of a canonical name, made if new, with one more reference; NULL
 * if there are too many or no memory.  rule is borrowed for good. */
struct name *names_get(struct names *ns, const char *text, const char *rule);
void names_hold(struct name *n);
void names_release(struct names *ns, struct name *n);

/* Replaces the addresses of the family that the answer is about by those whose
 * bit in granted is set. */
void names_set_addresses(struct name *n, const struct addr *addrs, size_t count,
			 uint64_t granted);
bool name_has_address(const struct name *n, const struct addr *a);
/* The i-th address, or NULL behind the last. */
const struct addr *name_address(const struct name *n, size_t i);
const char *name_text(const struct name *n);
const char *name_rule(const struct name *n);

#endif
