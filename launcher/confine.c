/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/confine.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fsrules/landlock.h"

#define DNS_PORT 53

/* A file may be replaced by another of the same name: the rules are for
 * folders.  Those below /run have what resolv.conf is a link to, now or after
 * a change of networks.  c-ares draws its query numbers from urandom and, if it
 * cannot, from rand(). */
static const char *const always[] = {
	"/etc",
	"/run/systemd/resolve",
	"/run/resolvconf",
	"/dev/urandom",
	"/run/NetworkManager",
	"/run/connman",
	"/run/netconfig",
	"/mnt/wsl",
};

static const char *const reread[] = { "/etc/resolv.conf", "/etc/hosts" };

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The folder that a file really is in, the file itself if that is the root,
 * NULL if there is none: a link that leads nowhere is an empty file to the
 * filter too. */
static char *real_folder(const char *path)
{
	char *real = realpath(path, NULL);
	char *slash = real ? strrchr(real, '/') : NULL;

	if (slash && slash != real)
		*slash = '\0';
	return real;
}

static int restrict_dnsfilter(struct err *e)
{
	const char *paths[N(always) + N(reread)];
	char *folders[N(reread)];
	size_t n = N(always);
	int rc;

	memcpy(paths, always, sizeof(always));
	for (size_t i = 0; i < N(reread); i++) {
		folders[i] = real_folder(reread[i]);
		if (folders[i])
			paths[n++] = folders[i];
	}
	rc = landlock_restrict_helper(paths, n, DNS_PORT, NULL, e);
	for (size_t i = 0; i < N(reread); i++)
		free(folders[i]);
	return rc;
}

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

int confine_helper(enum calls_helper kind, struct err *e)
{
	int rc;

	if (SANITIZED)
		return 0;
	rc = kind == CALLS_DNSFILTER
		     ? restrict_dnsfilter(e)
		     : landlock_restrict_helper(NULL, 0, 0, NULL, e);
	return rc < 0 ? rc : calls_filter_helper(kind, e);
}
