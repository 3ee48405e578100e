/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/confine.h"

#include <stdbool.h>
#include "fsrules/landlock.h"

/* A sanitizer has calls of its own, many of them when it reports, and writes
 * its report to a file. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

int confine_helper(enum calls_helper kind, int first_fd, size_t n_fds,
		   struct err *e)
{
	int rc;

	if (SANITIZED)
		return 0;
	rc = landlock_restrict_helper(NULL, e);
	return rc < 0 ? rc : calls_filter_helper(kind, first_fd, n_fds, e);
}
