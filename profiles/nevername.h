/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of cloud metadata services, which no entry ever permits. */
#ifndef PROFILES_NEVERNAME_H
#define PROFILES_NEVERNAME_H

#include <stdbool.h>

/* name is canonical (hostname.h). */
bool nevername_is(const char *name);
/* True if such a name is this one or lies below it. */
bool nevername_under(const char *name);

#endif
