/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors are values: a function that can fail returns 0 or -errno and, for
 * start-up work, fills a struct err with a message that names what failed, on
 * what and why.  Nothing below launcher/ prints or exits.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#define ERR_MSG_MAX 768

struct err {
	int code; /* errno value, > 0 once set */
	char msg[ERR_MSG_MAX];
};

/* Formats the message and appends ": " and the text of errnum.
 * Returns -errnum.  e may be NULL. */
__attribute__((format(printf, 3, 4))) int err_errno(struct err *e, int errnum,
						    const char *fmt, ...);

/* The same without the system's error text, for messages that carry their
 * own reason and remedy. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *e, int errnum,
						  const char *fmt, ...);

#endif
