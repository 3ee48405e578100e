/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/generated.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#define NOBODY 65534 /* what ids of others look like in a user namespace */

static bool is_field(const char *text)
{
	return text && text[0] && !strpbrk(text, ":\n\r");
}

/* A name of one's own that no other line has. */
static const char *user_name(const struct generated_user *u)
{
	if (u->uid == 0)
		return "root";
	if (u->uid == NOBODY)
		return "nobody";
	if (!is_field(u->name) || strcmp(u->name, "root") == 0 ||
	    strcmp(u->name, "nobody") == 0)
		return "user";
	return u->name;
}

static const char *make_passwd(const struct generated_user *u, struct arena *a)
{
	static const char root[] = "root:x:0:0::/root:/bin/sh\n";
	static const char nobody[] = "nobody:x:65534:65534::/:/bin/sh\n";

	return arena_printf(a, "%s%s:x:%u:%u::%s:%s\n%s",
			    u->uid == 0 ? "" : root, user_name(u), u->uid,
			    u->gid, is_field(u->home) ? u->home : "/",
			    is_field(u->shell) ? u->shell : "/bin/sh",
			    u->uid == NOBODY ? "" : nobody);
}

static const char *make_group(const struct generated_user *u, struct arena *a)
{
	/* Root may have another group than the one of its name. */
	const char *own =
		u->uid == 0 || u->uid == NOBODY ? "user" : user_name(u);

	if (u->gid == 0 || u->gid == NOBODY)
		return arena_strdup(a, "root:x:0:\nnogroup:x:65534:\n");
	return arena_printf(a, "root:x:0:\n%s:x:%u:\nnogroup:x:65534:\n", own,
			    u->gid);
}

static int make_machine_id(struct arena *a, const char **ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];
	char text[2 * sizeof(bytes) + 2];
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n != sizeof(bytes))
		return -EIO;
	/* A UUID of version 4, which is what systemd makes it. */
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * sizeof(bytes)] = '\n';
	text[2 * sizeof(bytes) + 1] = '\0';
	*ret = arena_strdup(a, text);
	return *ret ? 0 : -ENOMEM;
}

int generated_make(const struct generated_user *u, struct arena *a,
		   struct generated *ret, struct err *e)
{
	int rc = make_machine_id(a, &ret->machine_id);

	ret->passwd = make_passwd(u, a);
	ret->group = make_group(u, a);
	ret->hostname = GENERATED_HOSTNAME "\n";
	if (rc == 0 && (!ret->passwd || !ret->group))
		rc = -ENOMEM;
	return rc < 0 ? err_errno(e, -rc, "compose the files of /etc") : 0;
}
