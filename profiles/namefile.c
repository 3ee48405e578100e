/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/namefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/fd.h"
#include "profiles/trust.h"

#define BLANKS	       " \t\r\n"
#define LINE_MAX_BYTES 1024		  /* without its end */
#define SIZE_MAX_BYTES ((off_t)128 << 20) /* of a file */

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
	if (st.st_size > SIZE_MAX_BYTES)
		return err_set(e, EFBIG,
			       "%s: has %lld bytes, more than %lld; name a "
			       "shorter list",
			       path, (long long)st.st_size,
			       (long long)SIZE_MAX_BYTES);
	return trust_check(path, &st, e);
}

/* line has len bytes and a NUL behind them. */
static int add_line(struct allowlist *al, char *line, size_t len, struct err *e)
{
	char *end;
	int rc;

	if (memchr(line, '\0', len))
		return err_set(e, EINVAL,
			       "has a NUL byte; the file must be text");
	line += strspn(line, BLANKS);
	end = line + strcspn(line, "#");
	while (end > line && strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	if (!*line)
		return 0;
	rc = allowlist_add_domain(al, line, e);
	/* The file may be any, and the message end in a public log: no word of
	 * the line. */
	if (rc < 0 && rc != -ENOMEM)
		return err_set(e, -rc,
			       "is no host name that can be allowed, such as "
			       "example.com, *.example.com or "
			       "example.com:443");
	return rc;
}

/* Like fgets(3), but a NUL does not hide what follows it.  Returns the length,
 * -EOVERFLOW if the line is longer than buf. */
static ssize_t read_line(FILE *f, char *buf, size_t size)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(f)) != EOF && c != '\n') {
		if (len + 1 == size)
			return -EOVERFLOW;
		buf[len++] = (char)c;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

static int read_lines(struct allowlist *al, FILE *f, const char *path,
		      struct err *e)
{
	char line[LINE_MAX_BYTES + 1];
	struct err why = { 0 };

	for (size_t number = 1; !feof(f); number++) {
		ssize_t len = read_line(f, line, sizeof(line));
		int rc;

		if (ferror(f))
			return err_errno(e, errno, "read %s", path);
		if (len < 0)
			return err_set(e, EINVAL,
				       "%s:%zu: is longer than %d bytes; name "
				       "a file with one host name a line",
				       path, number, LINE_MAX_BYTES);
		rc = add_line(al, line, (size_t)len, &why);
		if (rc < 0)
			return err_set(e, -rc, "%s:%zu: %s", path, number,
				       why.msg);
	}
	return 0;
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
