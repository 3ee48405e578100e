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
	char hostname[256] = "";
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
	if (gethostname(hostname, sizeof(hostname) - 1) < 0)
		hostname[0] = '\0';
	(void)snprintf(head, sizeof(head),
		       "127.0.0.1 localhost %s\n"
		       "::1 localhost ip6-localhost ip6-loopback\n",
		       hostname);
	return compose(head, NULL, NULL, &nf->hosts, e);
}

void netfiles_done(struct netfiles *nf)
{
	free(nf->resolv_conf);
	free(nf->hosts);
	free(nf->nsswitch);
	memset(nf, 0, sizeof(*nf));
}

static int write_file(const char *path, const char *text, struct err *e)
{
	cleanup_fd int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t len = strlen(text);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, 0444) < 0)
		return err_errno(e, errno ? errno : EIO, "write the new %s",
				 path + strlen(STAGING) + 1);
	return 0;
}

static int bind_file(const char *from, const char *to, struct err *e)
{
	if (mount(from, to, NULL, MS_BIND, NULL) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0; /* missing, or a dangling link */
		return err_errno(e, errno, "bind the generated file over %s",
				 to);
	}
	if (mount(NULL, to, NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV |
			  MS_NOEXEC,
		  NULL) < 0)
		return err_errno(e, errno, "make %s read-only", to);
	return 0;
}

static int mount_small_tmpfs(const char *on, unsigned long flags, struct err *e)
{
	if (mount("tmpfs", on, "tmpfs",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC | flags,
		  "size=512k,mode=0755") < 0)
		return err_errno(e, errno, "mount a tmpfs on %s", on);
	return 0;
}

/* glibc asks nscd before it reads nsswitch.conf. */
static int hide_nscd(struct err *e)
{
	static const char *const dirs[] = { "/run/nscd", "/var/run/nscd" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct stat st;
		int rc = 0;

		if (stat(dirs[i], &st) == 0 && S_ISDIR(st.st_mode))
			rc = mount_small_tmpfs(dirs[i], MS_RDONLY, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int netfiles_mount(const struct netfiles *nf, struct err *e)
{
	const struct {
		const char *text, *from, *to;
	} files[] = {
		{ nf->resolv_conf, STAGING "/resolv.conf", "/etc/resolv.conf" },
		{ nf->hosts, STAGING "/hosts", "/etc/hosts" },
		{ nf->nsswitch, STAGING "/nsswitch.conf",
		  "/etc/nsswitch.conf" },
	};
	int rc = mount_small_tmpfs(STAGING, 0, e);

	for (size_t i = 0; rc == 0 && i < sizeof(files) / sizeof(files[0]);
	     i++) {
		if (!files[i].text)
			continue;
		rc = write_file(files[i].from, files[i].text, e);
		if (rc == 0)
			rc = bind_file(files[i].from, files[i].to, e);
	}
	if (rc < 0)
		return rc;
	if (umount2(STAGING, MNT_DETACH) < 0)
		return err_errno(e, errno, "unmount the staging tmpfs");
	return hide_nscd(e);
}
