/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/text.h"
#include "common/uninit.h"

static const char *const level_prefix[LOG_LEVEL__COUNT] = {
	[LOG_LEVEL_ERROR] = "error: ", [LOG_LEVEL_WARNING] = "warning: ",
	[LOG_LEVEL_NOTICE] = "",       [LOG_LEVEL_INFO] = "info: ",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

/* How long a line waits for room on stderr. */
static int patience_ms = 5000;
static enum log_level max_level = LOG_LEVEL_NOTICE;

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	uninit char raw[1024];
	uninit char safe[2048];
	uninit char line[2048 + 64];
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	va_list ap;
	int n;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	text_escape(raw, (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1,
		    safe, sizeof(safe));
	/* A terminal that is held, or a pipe that nobody reads, must not hold
	 * the run for ever: after the first long wait lines are dropped. */
	if (poll(&room, 1, patience_ms) == 0) {
		patience_ms = 0;
		return;
	}
	/* One write, so that lines of several processes do not mix. */
	n = snprintf(line, sizeof(line), "egress-run: %s%s\n",
		     level_prefix[level], safe);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain */
}
