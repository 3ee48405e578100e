/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/fd.h"

#include <errno.h>
#include <sys/syscall.h>

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;

	return (x > y) - (x < y);
}

static int close_span(unsigned first, unsigned last)
{
	if (first > last)
		return 0;
	return syscall(SYS_close_range, first, last, 0U) < 0 ? -errno : 0;
}

int fd_close_others(int *keep, size_t n)
{
	unsigned next = 3;
	int rc;

	qsort(keep, n, sizeof(int), compare_ints);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)next)
			continue;
		rc = close_span(next, (unsigned)keep[i] - 1);
		if (rc < 0)
			return rc;
		next = (unsigned)keep[i] + 1;
	}
	return close_span(next, ~0U);
}
