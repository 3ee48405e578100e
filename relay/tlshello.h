/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a TLS ClientHello (RFC 8446 4.1.2; RFC 5246 7.4.1.2 and older have the
 * same shape) as far as the name check needs it: the server name of RFC 6066,
 * section 3.  With Encrypted Client Hello (RFC 9849) that is the outer name.
 *
 * Pure: it is shown the beginning of the stream, again with more behind it
 * until it is content, and keeps nothing.
 */
#ifndef RELAY_TLSHELLO_H
#define RELAY_TLSHELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the handshake message, without its header and the records'. */
#define TLSHELLO_MAX 65536

enum tlshello_result {
	TLSHELLO_MORE,
	TLSHELLO_DONE,
	TLSHELLO_BAD, /* no ClientHello, or one that breaks a rule */
	TLSHELLO_TOO_LONG,
};

struct tlshello {
	size_t want;   /* MORE: bytes that are needed at least, > len */
	size_t size;   /* DONE: bytes of the records that it came in */
	bool has_name; /* a server_name extension with a host_name */
	bool has_early_data;
	/* Borrowed from data; not terminated, any bytes. */
	const uint8_t *name;
	size_t name_len;
};

/* Whether len > 0 bytes can begin a TLS connection: a handshake record of some
 * version.  The hello of SSL 2.0 is none. */
bool tlshello_is_tls(const uint8_t *data, size_t len);

/* data: the stream from its first byte; changed if the result is not MORE (a
 * message in several records is joined in place). */
enum tlshello_result tlshello_read(uint8_t *data, size_t len,
				   struct tlshello *ret);

#endif
