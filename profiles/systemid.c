/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/systemid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/uninit.h"
#include "profiles/span.h"

#define OS_RELEASE_MAX 16384 /* bytes looked at */

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* os-release(5): shell quotes; in double ones a backslash quotes the next.
 * A value that does not fit is as good as none: a part of it could equal
 * something that the whole does not. */
static void copy_value(struct span v, char ret[static SYSTEM_ID_MAX])
{
	char quote = '\0';
	size_t n = 0;

	if (v.len >= 2 && (v.p[0] == '"' || v.p[0] == '\'') &&
	    v.p[v.len - 1] == v.p[0]) {
		quote = v.p[0];
		v.p++;
		v.len -= 2;
	}
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == '\\' && quote != '\'' && i + 1 < v.len)
			i++;
		if (n == SYSTEM_ID_MAX - 1) {
			n = 0;
			break;
		}
		ret[n++] = v.p[i];
	}
	ret[n] = '\0';
}

void system_id_parse(const char *text, struct system_id *ret)
{
	const struct {
		const char *name;
		char *into;
	} fields[] = {
		{ "ID", ret->id },
		{ "ID_LIKE", ret->id_like },
		{ "VERSION_ID", ret->version_id },
		{ "VARIANT_ID", ret->variant_id },
	};

	*ret = (struct system_id) { 0 };
	while (*text) {
		struct span line = { text, strcspn(text, "\n") };
		struct span value;
		const char *equals;

		text += line.len + (text[line.len] == '\n');
		line = span_trim(line);
		equals = memchr(line.p, '=', line.len);
		if (!equals)
			continue;
		value.p = equals + 1;
		value.len = (size_t)(line.p + line.len - value.p);
		line.len = (size_t)(equals - line.p);
		for (size_t i = 0; i < N(fields); i++)
			if (span_is(line, fields[i].name))
				copy_value(span_trim(value), fields[i].into);
	}
}

static bool read_file(const char *path, char *buf, size_t size)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t used = 0;

	if (fd < 0)
		return false;
	while (used < size - 1) {
		ssize_t n = read(fd, buf + used, size - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	return true;
}

void system_id_read(struct system_id *ret)
{
	uninit char buf[OS_RELEASE_MAX];

	if (!read_file("/etc/os-release", buf, sizeof(buf)) &&
	    !read_file("/usr/lib/os-release", buf, sizeof(buf)))
		buf[0] = '\0';
	system_id_parse(buf, ret);
}
