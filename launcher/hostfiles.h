/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's resolv.conf and hosts, for a DNS filter that has no file system:
 * read now, and again when they change, also through the links that they are
 * or become, and in folders that do not exist yet (inotify).
 */
#ifndef LAUNCHER_HOSTFILES_H
#define LAUNCHER_HOSTFILES_H

#include "common/err.h"
#include "common/loop.h"
#include "dnsfilter/resolvconf.h"

#define HOSTFILES_RESOLV_CONF "/etc/resolv.conf"
#define HOSTFILES_HOSTS	      "/etc/hosts"

struct hostfiles;

/* From the loop or from hostfiles_sync(): one of them is another now. */
typedef void hostfiles_changed_fn(void *arg);

int hostfiles_new(struct hostfiles **ret, struct loop *l,
		  hostfiles_changed_fn *changed, void *arg, struct err *e);
void hostfiles_free(struct hostfiles *h); /* NULL is fine */

/* Readable (poll) from the moment of a change until it was dealt with, until
 * the first hostfiles_sync(), and always where changes cannot be watched: a
 * process that holds it need not ask whether there was one.  It is an epoll
 * descriptor, which says no more than that.  Borrowed. */
int hostfiles_signal(const struct hostfiles *h);
/* Deals with changes up to now.  The first call begins to watch for them, reads
 * the files once more, and leaves it to its caller to tell. */
void hostfiles_sync(struct hostfiles *h);
/* The same, by a look at the files, at most once a second: for what inotify
 * does not see (mounts, network file systems). */
void hostfiles_check(struct hostfiles *h);

const struct resolvconf *hostfiles_resolvers(const struct hostfiles *h);
/* Those before the last change. */
const struct resolvconf *hostfiles_resolvers_before(const struct hostfiles *h);
/* 0 with *ret hosts, open for reading, the caller's, -1: there is none; or
 * -errno. */
int hostfiles_open_hosts(int *ret);

#endif
