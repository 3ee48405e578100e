/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/place.h"

#include <stdio.h>

size_t place_add_text(char *buf, size_t size, size_t used, const char *text)
{
	int n = snprintf(buf + used, size - used, "%s", text);

	if (n < 0 || (size_t)n >= size - used)
		return size - 1;
	return used + (size_t)n;
}

static size_t add_place(const struct place *at, char *buf, size_t size)
{
	size_t used = at->up ? add_place(at->up, buf, size) : 0;
	char index[32];

	if (!at->name) {
		(void)snprintf(index, sizeof(index), "[%zu]", at->index);
		return place_add_text(buf, size, used, index);
	}
	if (used > 0)
		used = place_add_text(buf, size, used, ".");
	return place_add_text(buf, size, used, at->name);
}

void place_text(const struct place *at, char *buf, size_t size)
{
	buf[0] = '\0';
	if (at)
		(void)add_place(at, buf, size);
}
