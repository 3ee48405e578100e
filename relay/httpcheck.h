/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP part of an inspection: runs the readers of HTTP/1 and HTTP/2 over
 * one connection and says how much of it may go.  The bytes are shown as in
 * inspect.h: from the first that was not granted, again and again.
 */
#ifndef RELAY_HTTPCHECK_H
#define RELAY_HTTPCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/authority.h"
#include "relay/inspect.h"

struct httpcheck;

/* May requests for this host be sent on this connection? */
typedef bool httpcheck_allowed_fn(void *arg, const struct authority *a);

/* begin: the first n bytes of the connection, which have gone already, less
 * than a head.  NULL if there is no memory. */
struct httpcheck *httpcheck_new(const uint8_t *begin, size_t n);
void httpcheck_free(struct httpcheck *h); /* NULL is fine */

enum httpcheck_result {
	HTTPCHECK_MORE,
	HTTPCHECK_GRANT,   /* *ret_grant bytes of data, and behind it */
	HTTPCHECK_PASS,	   /* switched to something else; it is over */
	HTTPCHECK_DENIED,  /* allowed() has said no */
	HTTPCHECK_REFUSED, /* httpcheck_reason() */
};

enum httpcheck_result httpcheck_client(struct httpcheck *h, const uint8_t *data,
				       size_t len,
				       httpcheck_allowed_fn *allowed, void *arg,
				       uint64_t *ret_grant);
/* True while the server's bytes decide. */
bool httpcheck_watches_server(const struct httpcheck *h);
enum inspect_turn httpcheck_server(struct httpcheck *h, const uint8_t *data,
				   size_t len);

/* DENIED: what was asked for; borrowed. */
const struct authority *httpcheck_authority(const struct httpcheck *h);
const char *httpcheck_reason(const struct httpcheck *h);
enum inspect_protocol httpcheck_protocol(const struct httpcheck *h);

#endif
