/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal is shared, not proxied: the command runs in a process group of
 * its own (it could signal ours otherwise), and the foreground changes hands.
 * With standard input and output both on the terminal the command gets it at
 * once.  In a pipeline a pager may need it too, so there the command gets it
 * only when it asks (SIGTTIN, SIGTTOU); until then the monitor passes on the
 * signals of the keyboard.
 */
#ifndef LAUNCHER_TERMINAL_H
#define LAUNCHER_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct terminal {
	bool present;	    /* standard input is our controlling terminal */
	bool wanted;	    /* the command is to have the foreground */
	bool given;	    /* it has it */
	pid_t command;	    /* its process group, as seen here; 0: unknown */
	struct termios own; /* as we found it */
	struct termios theirs;
	bool have_theirs;
	int flags[3]; /* O_NONBLOCK and such of 0, 1, 2 as we found them */
};

/* Looks at the descriptors 0 to 2; SIGTTOU must be blocked from now on. */
void terminal_init(struct terminal *t);
/* The command stopped: the foreground and the modes become ours again. */
void terminal_take_back(struct terminal *t);
/* Gives the foreground to the command if we have it; true if given. */
bool terminal_give(struct terminal *t);
/* At the end: takes it back and restores modes and flags. */
void terminal_done(struct terminal *t);

#endif
