/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decoded fields of one HTTP/2 request or trailer section (RFC 9113 8). */
#ifndef RELAY_HTTP2FIELD_H
#define RELAY_HTTP2FIELD_H

#include "relay/http2.h"

/* One field into h->block and h->authority; neither text ends with NUL.
 * Returns NULL or the reason to refuse. */
const char *http2_field(struct http2 *h, const uint8_t *name, size_t n_name,
			const uint8_t *value, size_t n_value);
/* The same at the end of the block. */
const char *http2_block_check(struct http2 *h);

#endif
