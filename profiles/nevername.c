/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/nevername.h"

#include <stddef.h>
#include <string.h>

static const char *const never_names[] = {
	"instance-data",
	"instance-data.ec2.internal",
	"metadata.azure.internal",
	"metadata.google.internal",
};

bool nevername_is(const char *name)
{
	/* Their initials: every look-up comes through here. */
	if (name[0] != 'i' && name[0] != 'm')
		return false;
	for (size_t i = 0; i < sizeof(never_names) / sizeof(never_names[0]);
	     i++)
		if (strcmp(never_names[i], name) == 0)
			return true;
	return false;
}

bool nevername_under(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(never_names) / sizeof(never_names[0]);
	     i++) {
		size_t full = strlen(never_names[i]);
		const char *tail;

		if (full < len)
			continue;
		tail = never_names[i] + (full - len);
		if (strcmp(tail, name) == 0 && (full == len || tail[-1] == '.'))
			return true;
	}
	return false;
}
