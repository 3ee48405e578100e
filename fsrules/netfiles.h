/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that steer name resolution inside: resolv.conf, hosts and
 * nsswitch.conf.  The host's would lead around the filter (a stub resolver on
 * 127.0.0.53, nss-resolve, nscd) or give addresses that were never admitted
 * (/etc/hosts, which the filter reads instead).
 */
#ifndef FSRULES_NETFILES_H
#define FSRULES_NETFILES_H

#include "common/err.h"

#define NETFILE_MAX 65536

struct netfiles {
	char *resolv_conf;
	char *hosts;
	char *nsswitch; /* NULL: the host has none; libc's default is right */
};

/* Reads the host's files as the invoking user and composes the new ones.
 * nameserver: what resolv.conf names. */
int netfiles_prepare(struct netfiles *nf, const char *nameserver,
		     struct err *e);
void netfiles_done(struct netfiles *nf);

#endif
