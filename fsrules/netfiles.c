/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/netfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "fsrules/generated.h"

#define STAGING "/proc"

/* Reads a small text file; *ret is NULL if it does not exist. */
static int read_file(const char *path, char **ret, struct err *e)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup_free char *text = NULL;
	size_t used = 0;

	*ret = NULL;
	if (fd < 0)
		return errno == ENOENT ? 0
				       : err_errno(e, errno, "read %s", path);
	text = malloc(NETFILE_MAX);
	if (!text)
		return err_errno(e, ENOMEM, "read %s", path);
	for (;;) {
		ssize_t n = read(fd, text + used, NETFILE_MAX - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "read %s", path);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used == NETFILE_MAX - 1)
			return err_set(e, EFBIG, "%s is larger than %d bytes",
				       path, NETFILE_MAX - 1);
	}
	text[used] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

static bool starts_with_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	line += strspn(line, " \t");
	return strncmp(line, word, n) == 0 &&
	       (line[n] == ' ' || line[n] == '\t');
}

/* Calls put for each line (without its newline) of text, which is cut up. */
static void each_line(char *text, void (*put)(FILE *out, const char *line),
		      FILE *out)
{
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n")))
		if (*line || rest)
			put(out, line);
}

/* Search list and options are the host's; the servers are ours alone. */
static void put_resolv_line(FILE *out, const char *line)
{
	static const char *const kept[] = { "search", "domain", "options",
					    "sortlist" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (starts_with_word(line, kept[i]))
			(void)fprintf(out, "%s\n", line);
}

static void put_nsswitch_line(FILE *out, const char *line)
{
	const char *p = line + strspn(line, " \t");

	if (strncmp(p, "hosts:", 6) != 0)
		(void)fprintf(out, "%s\n", line);
}

/* Composes head followed by the lines of the host's file that put keeps. */
static int compose(const char *head, char *host,
		   void (*put)(FILE *out, const char *line), char **ret,
		   struct err *e)
{
	size_t size = 0;
	FILE *out = open_memstream(ret, &size);

	if (!out)
		return err_errno(e, errno, "compose resolver files");
	(void)fputs(head, out);
	if (host)
		each_line(host, put, out);
	if (fclose(out) != 0)
		return err_errno(e, errno, "compose resolver files");
	return 0;
}

int netfiles_prepare(struct netfiles *nf, const char *nameserver, struct err *e)
{
	cleanup_free char *resolv = NULL;
	cleanup_free char *nsswitch = NULL;
	char head[512];
	int rc;

	memset(nf, 0, sizeof(*nf));
	rc = read_file("/etc/resolv.conf", &resolv, e);
	if (rc == 0)
		rc = read_file("/etc/nsswitch.conf", &nsswitch, e);
	if (rc < 0)
		return rc;
	(void)snprintf(head, sizeof(head), "nameserver %s\n", nameserver);
	rc = compose(head, resolv, put_resolv_line, &nf->resolv_conf, e);
	if (rc == 0 && nsswitch)
		rc = compose("hosts: files dns\n", nsswitch, put_nsswitch_line,
			     &nf->nsswitch, e);
	if (rc < 0)
		return rc;
	return compose("127.0.0.1 localhost " GENERATED_HOSTNAME "\n"
		       "::1 localhost ip6-localhost ip6-loopback\n",
		       NULL, NULL, &nf->hosts, e);
}

void netfiles_done(struct netfiles *nf)
{
	free(nf->resolv_conf);
	free(nf->hosts);
	free(nf->nsswitch);
	memset(nf, 0, sizeof(*nf));
}
