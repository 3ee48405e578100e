/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static size_t
format(struct err *e, int errnum, const char *fmt, va_list ap)
{
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);

	e->code = errnum;
	if (n < 0)
		return 0;
	return (size_t)n < sizeof(e->msg) ? (size_t)n : sizeof(e->msg) - 1;
}

int err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!e)
		return -errnum;
	va_start(ap, fmt);
	used = format(e, errnum, fmt, ap);
	va_end(ap);
	(void)snprintf(e->msg + used, sizeof(e->msg) - used, ": %s",
		       strerror(errnum));
	return -errnum;
}

int err_set(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -errnum;
	va_start(ap, fmt);
	(void)format(e, errnum, fmt, ap);
	va_end(ap);
	return -errnum;
}
