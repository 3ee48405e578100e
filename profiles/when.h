/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions of entries: [!]os[:id[:version[:variant]]]. */
#ifndef PROFILES_WHEN_H
#define PROFILES_WHEN_H

#include <stdbool.h>

#include "common/err.h"
#include "profiles/systemid.h"

/* Decides one condition.  Another system than linux, macos and windows is
 * false; macos and windows are checked and false.  -EINVAL with the reason for
 * one that is malformed (unknown operator ...). */
int when_holds(const char *condition, const struct system_id *os, bool *ret,
	       struct err *e);

/* Segment by segment at dots, numbers as numbers; a missing segment sorts
 * lower; if the segments differ and one is no number, a sorts lower.
 * <0, 0, >0. */
int version_compare(const char *a, const char *b);

#endif
