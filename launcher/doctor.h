/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `egress-run doctor`: what this machine has of what a run needs. */
#ifndef LAUNCHER_DOCTOR_H
#define LAUNCHER_DOCTOR_H

#include "common/err.h"

/* Beside 0: runs work in full. */
enum {
	DOCTOR_EXIT_DEGRADED = 1, /* a run needs --allow-degraded */
	DOCTOR_EXIT_MISSING = 2,  /* no run is possible; wrong usage */
};

/* words: what follows `doctor`, NULL-terminated.  Prints on stdout and leaves
 * nothing behind.  Sets the exit status also where it returns an error for
 * main() to print. */
int doctor_command(char **words, int *ret_status, struct err *e);

#endif
