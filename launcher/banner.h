/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said on stderr before the command starts: as little as a user must
 * know, unless -v asks for more. */
#ifndef LAUNCHER_BANNER_H
#define LAUNCHER_BANNER_H

struct options;
struct prepared;

void banner_print(const struct options *o, const struct prepared *p);

#endif
