/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of a configuration of git by which it runs a command, or takes
 * something from another place than it seems. */
#ifndef FSRULES_GITCONFIG_H
#define FSRULES_GITCONFIG_H

#include <stddef.h>

/* name: "section.subsection.key", section and key in lower case. */
typedef int gitconfig_fn(void *arg, const char *name, const char *value);

/* Calls fn for each such entry of the text; what git would refuse is passed
 * over.  0, -ENOMEM or what fn returned. */
int gitconfig_commands(const char *text, size_t len, gitconfig_fn *fn,
		       void *arg);

#endif
