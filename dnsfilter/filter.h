/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DNSFILTER_FILTER_H
#define DNSFILTER_FILTER_H

#include "common/err.h"
#include "common/loop.h"
#include "dnsfilter/dnsfilter.h"

struct filter;

/* Serves config's listeners in the loop and tells the monitor so.  config is
 * borrowed until filter_free(); its descriptors stay the caller's. */
int filter_new(struct filter **ret, struct loop *l,
	       const struct dnsfilter_config *config, struct err *e);
void filter_free(struct filter *f); /* NULL is fine */
/* Why the filter stopped the loop, as an exit status. */
int filter_status(const struct filter *f);

#endif
