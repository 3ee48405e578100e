/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/namefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "profiles/trust.h"

#define BLANKS " \t\r\n"

static int check_file(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL,
			       "%s: is no regular file; name a file with one "
			       "host name a line",
			       path);
	return trust_check(path, &st, e);
}

/* line has len bytes and a NUL behind them. */
static int add_line(struct allowlist *al, char *line, size_t len, struct err *e)
{
	char *end;

	if (memchr(line, '\0', len))
		return err_set(e, EINVAL,
			       "has a NUL byte; the file must be text");
	line += strspn(line, BLANKS);
	end = line + strcspn(line, "#");
	while (end > line && strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	return *line ? allowlist_add_domain(al, line, e) : 0;
}

static int read_lines(struct allowlist *al, FILE *f, const char *path,
		      struct err *e)
{
	cleanup_free char *line = NULL;
	size_t room = 0;
	size_t number = 0;
	struct err why;
	ssize_t len;

	while ((len = getline(&line, &room, f)) >= 0) {
		int rc = add_line(al, line, (size_t)len, &why);

		number++;
		if (rc < 0)
			return err_set(e, -rc, "%s:%zu: %s", path, number,
				       why.msg);
	}
	return ferror(f) ? err_errno(e, errno, "read %s", path) : 0;
}

int namefile_read(struct allowlist *al, const char *path, struct err *e)
{
	/* Not for ever on a pipe that nobody writes to. */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *f;
	int rc;

	if (fd < 0)
		return err_errno(e, errno, "open %s", path);
	rc = check_file(fd, path, e);
	if (rc < 0)
		return rc;
	f = fdopen(fd, "r");
	if (!f)
		return err_errno(e, errno, "open %s", path);
	(void)fd_steal(&fd);
	rc = read_lines(al, f, path, e);
	(void)fclose(f);
	return rc;
}
