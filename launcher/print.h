/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of files on the terminal of the user. */
#ifndef LAUNCHER_PRINT_H
#define LAUNCHER_PRINT_H

#include "profiles/profile.h"

/* On stdout, each byte outside printable ASCII as \xNN; any length. */
void print_escaped(const char *text);
/* "FILE:LINE", "FILE:LINE, group NAME" or the flag. */
void print_origin(const struct origin *o);
/* Flushes; -EIO if stdout did not take all that was printed. */
int print_finish(void);

#endif
