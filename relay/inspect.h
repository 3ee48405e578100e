/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The name check of one connection: which protocol does the client speak,
 * which name does it ask for, may the bytes go on.
 *
 * Nothing is copied and nothing is sent twice: the flow peeks at what the
 * client's socket holds (MSG_PEEK) and shows it to inspect_client(); what is
 * let through is then spliced from the same queue, so the bytes checked are
 * the bytes sent.  Each answer covers the beginning of what was shown:
 *
 *	MORE	 hold all of it; ask again when there is more, or at its end
 *	GRANT	 so many bytes may go, some of them perhaps not even here yet;
 *		 ask again behind them
 *	PASS	 everything from here on may go; the inspection is over
 *	REFUSE	 nothing more goes; reset the connection
 *
 * Pure: no I/O, no clock.
 *
 * What a reader of a protocol (tlshello.h, http1.h, http2.h) has to be:
 *	- fed with the client's bytes in order; each byte once, in pieces of any
 *	  size; what it has not consumed is shown again, with more behind it
 *	- done with every byte that it consumes: a reader of heads consumes a
 *	  head as it comes, keeps what it needs of it, and says so at its end.
 *	  Consumed bytes are held by the caller until a name was checked
 *	- able to say "the next n bytes are a body", which then pass unseen
 *	- bounded: a head of at most INSPECT_HELD_MAX bytes, no allocation in
 *	  proportion to what the client sends
 *	- strict: what two implementations could read differently is an error
 */
#ifndef RELAY_INSPECT_H
#define RELAY_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/hostname.h"

/* The longest ClientHello or head that is waited for, with the headers of the
 * records that it comes in, bytes. */
#define INSPECT_HELD_MAX (65536 + 8192)

struct allowlist;

enum verify_mode {
	VERIFY_NAMES,  /* unknown protocols pass, but not on 80 and 443 */
	VERIFY_STRICT, /* they pass where the entry has a port of its own */
	VERIFY_OFF,
};

enum inspect_protocol {
	INSPECT_UNKNOWN, /* not known yet */
	INSPECT_TLS,
	INSPECT_HTTP1,
	INSPECT_HTTP2, /* with prior knowledge, or by an upgrade */
	INSPECT_OTHER,
	INSPECT_PROTOCOL__COUNT,
};

/* Why a connection is refused; inspect_reason_text() says it in words. */
enum inspect_reason {
	INSPECT_NAME_NOT_ALLOWED,
	INSPECT_NAME_MALFORMED, /* also an address instead of a name */
	INSPECT_NO_NAME,	/* TLS without SNI */
	INSPECT_NAME_HIDDEN,	/* Encrypted Client Hello, strict */
	INSPECT_MALFORMED,	/* TLS or HTTP, but broken or ambiguous */
	INSPECT_TOO_LONG,	/* INSPECT_HELD_MAX */
	INSPECT_NOT_EXPECTED,	/* no protocol that may be spoken there */
	INSPECT_INCOMPLETE,	/* ended, or silent, in the middle */
	INSPECT_REASON__COUNT,
};

enum inspect_action {
	INSPECT_MORE,
	INSPECT_GRANT,
	INSPECT_PASS,
	INSPECT_REFUSE,
};

/* What the server's bytes change. */
enum inspect_turn {
	INSPECT_NOTHING,
	INSPECT_AGAIN, /* what the client has sent is worth another look */
	INSPECT_OVER,  /* as PASS */
};

struct inspect_verdict {
	enum inspect_action action;
	uint64_t grant; /* GRANT: bytes from the beginning of what was shown */
	size_t want;	/* MORE: no use to ask with less than so many bytes */
	enum inspect_reason reason;	/* REFUSE */
	enum inspect_protocol protocol; /* REFUSE */
	const char *detail; /* REFUSE: what is malformed; static, or NULL */
	/* REFUSE: the name asked for, as the client wrote it, cut; every byte
	 * outside printable ASCII is escaped.  May be empty. */
	char name[HOSTNAME_BUF];
};

/* Of one connection. */
struct inspect_target {
	const struct allowlist *allow; /* borrowed */
	enum verify_mode mode;
	uint16_t port;	 /* the one that the command dialled */
	bool by_address; /* an entry without a name opens this address */
	bool port_named; /* an entry that names this port opens it */
};

struct inspect;

/* True if t needs no inspection: every byte may pass. */
bool inspect_is_needless(const struct inspect_target *t);
/* NULL if there is no memory. */
struct inspect *inspect_new(const struct inspect_target *t);
void inspect_free(struct inspect *i); /* NULL is fine */

/* The len > 0 bytes that the client has sent behind what was granted so far.
 * data is changed.  is_end: no more will come before these are let through
 * (the client has sent FIN). */
void inspect_client(struct inspect *i, uint8_t *data, size_t len, bool is_end,
		    struct inspect_verdict *v);
/* True while the server's bytes have to be shown before they go on. */
bool inspect_watches_server(const struct inspect *i);
/* The next len > 0 bytes of the server, which go on whatever they are. */
enum inspect_turn inspect_server(struct inspect *i, const uint8_t *data,
				 size_t len);
/* The client took too long for what is held, or has said nothing. */
void inspect_timed_out(const struct inspect *i, struct inspect_verdict *v);
/* True if a client that says nothing is to be given up some day: nothing but
 * what the client says first could be spoken here. */
bool inspect_needs_client(const struct inspect *i);

/* What the connection is refused for, in words; borrowed for ever. */
const char *inspect_reason_text(enum inspect_reason r);
const char *inspect_protocol_text(enum inspect_protocol p);

#endif
