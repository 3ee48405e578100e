/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's /etc/hosts, read at the first look-up and again whenever the file
 * has changed.  Only names on the allowlist are kept, so its size is bounded by
 * that, however long the file.
 */
#ifndef DNSFILTER_HOSTS_H
#define DNSFILTER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dnsfilter/chain.h"
#include "profiles/allowlist.h"

#define HOSTS_TTL_SEC 10

struct hosts;

/* path and al are borrowed.  Does not touch the file. */
int hosts_new(struct hosts **ret, const char *path, const struct allowlist *al);
void hosts_free(struct hosts *h); /* NULL is fine */

/* True if the file has name; *ret then holds its addresses of that type, which
 * may be none (no data). */
bool hosts_find(struct hosts *h, const char *name, uint16_t type,
		struct dns_chain *ret);

#endif
