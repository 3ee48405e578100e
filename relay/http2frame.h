/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a frame's header may be, and whether bodies are as long as told. */
#ifndef RELAY_HTTP2FRAME_H
#define RELAY_HTTP2FRAME_H

#include "relay/http2.h"

#define HTTP2_PRIORITY_LEN 5

/* Each returns NULL or the reason to refuse. */

/* The frame whose header has been read into h. */
const char *http2_frame_check(struct http2 *h);

/* A block is complete; a frame of n bytes of DATA begins; END_STREAM or
 * RST_STREAM. */
const char *http2_upload_begin(struct http2 *h);
const char *http2_upload_data(struct http2 *h, uint32_t n);
const char *http2_upload_end(struct http2 *h);

#endif
