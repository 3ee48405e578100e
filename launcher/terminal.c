/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/terminal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_ours(const struct terminal *t)
{
	return t->present && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void terminal_init(struct terminal *t)
{
	memset(t, 0, sizeof(*t));
	for (int fd = 0; fd < 3; fd++)
		t->flags[fd] = fcntl(fd, F_GETFL);
	/* tcgetpgrp() fails unless it is the controlling terminal. */
	t->present = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) > 0 &&
		     tcgetattr(STDIN_FILENO, &t->own) == 0;
	t->wanted = is_ours(t) && isatty(STDOUT_FILENO);
	t->given = t->wanted; /* the command's process takes it itself */
}

void terminal_take_back(struct terminal *t)
{
	if (!t->given)
		return;
	t->given = false;
	/* Output that the command suspended would block our own. */
	(void)tcflow(STDIN_FILENO, TCOON);
	t->have_theirs = tcgetattr(STDIN_FILENO, &t->theirs) == 0;
	(void)tcsetpgrp(STDIN_FILENO, getpgrp());
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &t->own);
}

bool terminal_give(struct terminal *t)
{
	if (!t->command || !is_ours(t))
		return false;
	/* The shell may have changed the modes while we were stopped. */
	(void)tcgetattr(STDIN_FILENO, &t->own);
	if (t->have_theirs)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &t->theirs);
	t->wanted = true;
	t->given = tcsetpgrp(STDIN_FILENO, t->command) == 0;
	return t->given;
}

void terminal_done(struct terminal *t)
{
	for (int fd = 0; fd < 3; fd++)
		if (t->flags[fd] >= 0)
			(void)fcntl(fd, F_SETFL, t->flags[fd]);
	terminal_take_back(t);
}
