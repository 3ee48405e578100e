/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv.conf(5) as the monitor reads it for the filter: the resolvers, and
 * the options with glibc's names, defaults and caps (c-ares 1.18 knows others).
 */
#ifndef DNSFILTER_RESOLVCONF_H
#define DNSFILTER_RESOLVCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

#define RESOLVERS_MAX 8
#define DNS_PORT      53

/* Without padding that is not zero: equal ones are equal bytes. */
struct resolvconf {
	int32_t timeout_ms; /* of the first attempt; c-ares doubles it */
	int32_t attempts;   /* for each server */
	int32_t n_servers;  /* 1..RESOLVERS_MAX; 127.0.0.1 if none is named */
	uint32_t use_vc;    /* TCP only */
	/* Of fe80::1%eth0 the interface; 0: none. */
	uint32_t scope[RESOLVERS_MAX];
	struct addr server[RESOLVERS_MAX];
};

/* text is cut up; "" gives the defaults. */
void resolvconf_parse(char *text, struct resolvconf *ret);

/* The timeout lowered so far that all attempts take no longer than budget_ms,
 * but not below half a second. */
int resolvconf_fit_timeout_ms(const struct resolvconf *rc, int budget_ms);

#endif
