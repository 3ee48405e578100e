/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of resolv.conf(5) that c-ares 1.18 does not know under their
 * glibc names (it reads retrans: in milliseconds and retry: instead), with
 * glibc's defaults and caps.
 */
#ifndef DNSFILTER_RESOLVCONF_H
#define DNSFILTER_RESOLVCONF_H

#include <stdbool.h>

struct resolvconf {
	int timeout_ms; /* of the first attempt; c-ares doubles it */
	int attempts;	/* for each server */
	int n_servers;	/* at least 1 */
	bool use_vc;	/* TCP only */
};

/* A file that cannot be read gives the defaults. */
struct resolvconf resolvconf_read(const char *path);

/* The timeout lowered so far that all attempts take no longer than budget_ms,
 * but not below half a second. */
int resolvconf_fit_timeout_ms(const struct resolvconf *rc, int budget_ms);

#endif
