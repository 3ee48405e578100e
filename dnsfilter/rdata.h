/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data of records other than addresses, taken apart and written anew. */
#ifndef DNSFILTER_RDATA_H
#define DNSFILTER_RDATA_H

#include <stdbool.h>

#include "dnsfilter/wire.h"

/* Reads len bytes from r on, of that type, and writes what they mean to w: no
 * compression, names in lower case.  False if they are malformed, if a name is
 * no host name (nor the root), or if the type is not known here; then w may
 * hold a part.  What does not fit sets w->full. */
bool rdata_rewrite(struct wire_reader *r, size_t len, uint16_t type,
		   struct wire_writer *w);

#endif
