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
	bool has_name; /* a server_name extension with its host_name */
	bool has_ech;  /* perhaps only the look of it (GREASE) */
	/* Borrowed from data; not terminated, any bytes. */
	const uint8_t *name;
	size_t name_len;
};

enum tlshello_match { TLSHELLO_NO, TLSHELLO_YES, TLSHELLO_PERHAPS };

/* Whether len > 0 bytes begin a connection that a TLS server might take for
 * one of its own, well-formed or not: a record of any TLS version and type, or
 * the hello of SSL 2.0.  PERHAPS: more bytes are needed, at most 5. */
enum tlshello_match tlshello_match(const uint8_t *data, size_t len);

/* data: the stream from the first byte of a record; changed if the result is
 * not MORE (a message in several records is joined in place). */
enum tlshello_result tlshello_read(uint8_t *data, size_t len,
				   struct tlshello *ret);

/*
 * The server's answer: does it ask for a second ClientHello (HelloRetryRequest,
 * RFC 8446 4.1.4)?
 */
#define TLSANSWER_BYTES 43 /* record, handshake, version, random */

struct tlsanswer {
	uint8_t n;
	uint16_t skip; /* of an alert in front of it */
	uint8_t bytes[TLSANSWER_BYTES];
};

enum tlsanswer_result { TLSANSWER_MORE, TLSANSWER_RETRY, TLSANSWER_FINAL };

/* A zeroed *a; the server's bytes from the first, each once. */
enum tlsanswer_result tlsanswer_read(struct tlsanswer *a, const uint8_t *data,
				     size_t len);

#endif
