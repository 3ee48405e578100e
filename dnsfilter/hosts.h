/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's /etc/hosts.  Only names on the allowlist are kept, so its size is
 * bounded by that, however long the file.
 */
#ifndef DNSFILTER_HOSTS_H
#define DNSFILTER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dnsfilter/chain.h"
#include "profiles/allowlist.h"

#define HOSTS_TTL_SEC 10

struct hosts;

/* Empty.  al is borrowed. */
int hosts_new(struct hosts **ret, const struct allowlist *al);
void hosts_free(struct hosts *h); /* NULL is fine */

/* Replaces all by what the file has; fd is borrowed, -1: no file.  -ENOMEM: as
 * before. */
int hosts_load(struct hosts *h, int fd);

/* True if the file has name; *ret then holds its addresses of that type, which
 * may be none (no data). */
bool hosts_find(const struct hosts *h, const char *name, uint16_t type,
		struct dns_chain *ret);

#endif
