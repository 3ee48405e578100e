/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Diagnostics on stderr, one line each: "egress-run: warning: text".  stdout
 * belongs to the command.  Every byte outside printable ASCII is escaped as
 * \xNN, since names and error texts may come from the network; valid UTF-8 in
 * file names is escaped as well, which is ugly and safe.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE, /* shown unless -q */
	LOG_LEVEL_INFO,	  /* -v */
	LOG_LEVEL_DEBUG,  /* -vv */
	LOG_LEVEL__COUNT,
};

/* The default is LOG_LEVEL_NOTICE. */
void log_set_level(enum log_level level);
__attribute__((format(printf, 2, 3))) void log_msg(enum log_level level,
						   const char *fmt, ...);

#define log_error(...)	 log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_msg(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
