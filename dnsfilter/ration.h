/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much the names asked below one wildcard may carry out.  Whoever runs the
 * servers of a zone reads each new name of it, so names are counted in bytes,
 * whatever they look like: an estimate of entropy can be played.  A bucket for
 * each wildcard; the numbers are here and in egress-run(1).
 */
#ifndef DNSFILTER_RATION_H
#define DNSFILTER_RATION_H

#include <stdbool.h>
#include <stdint.h>

#define RATION_BURST_BYTES 8192
#define RATION_BYTES_SEC   256
/* A new name costs its part below the wildcard and this. */
#define RATION_NAME_BYTES 16
/* One that was asked lately: which of RATION_NAMES is 12 bits. */
#define RATION_AGAIN_BYTES 4
#define RATION_WAIT_MAX_MS 2000
/* Powers of two; wildcards, or names, that fall together share a place. */
#define RATION_BUCKETS 1024
#define RATION_NAMES   4096

struct ration;

int ration_new(struct ration **ret);
void ration_free(struct ration *r); /* NULL is fine */

/* A question for name, which is canonical and matches rule, is to go upstream.
 * Returns how many milliseconds it is to wait, mostly 0, or -EDQUOT: it must
 * not go.  Only wildcards are limited; "*" alone is not, because with it every
 * server can be reached anyway.  *ret_report: the first time that this rule's
 * ration ran out since it was last full. */
int ration_take(struct ration *r, const char *rule, const char *name,
		uint64_t now_ms, bool *ret_report);

#endif
