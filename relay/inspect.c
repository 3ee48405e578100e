/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States of an inspection, and what leads on:
 *
 *	START	the first bytes say TLS, HTTP or something else
 *	HELLO	a ClientHello, whose name decides
 *	ANSWER	it has gone; does the server want another one, with other key
 *		shares?  If not, the inspection is over.  Until it is known
 *		every record may go but one that could be that hello
 *	RETRY	the second ClientHello; some servers take the name of this one
 *	HTTP	the host of every request decides, to the end (httpcheck.h)
 *	ENDED	too short for a name, and the last to come: no byte more
 */
#include "relay/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "profiles/allowlist.h"
#include "relay/http1.h"
#include "relay/httpcheck.h"
#include "relay/tlshello.h"

/* RFC 8446 5; RFC 5246 6.2.3 for the length. */
#define RECORD_HEADER	 5
#define RECORD_MAX	 (16384 + 2048)
#define RECORD_LOWEST	 20 /* change_cipher_spec */
#define RECORD_HANDSHAKE 22
#define RECORD_HIGHEST	 23 /* application_data */
#define NAME_TEXT_MAX	 1024

enum state {
	STATE_START,
	STATE_HELLO,
	STATE_ANSWER,
	STATE_RETRY,
	STATE_HTTP,
	STATE_ENDED,
};

struct inspect {
	struct inspect_target target;
	enum state state;
	uint8_t doubt[HTTP1_SNIFF_MAX]; /* gone already; may begin HTTP */
	size_t n_doubt;
	struct tlsanswer answer;
	struct httpcheck *http;
};

bool inspect_is_needless(const struct inspect_target *t)
{
	return t->mode == VERIFY_OFF || t->by_address;
}

struct inspect *inspect_new(const struct inspect_target *t)
{
	struct inspect *i = calloc(1, sizeof(*i));

	if (i)
		i->target = *t;
	return i;
}

void inspect_free(struct inspect *i)
{
	if (i)
		httpcheck_free(i->http);
	free(i);
}

static bool is_web_port(uint16_t port)
{
	return port == 80 || port == 443;
}

/* Whether a protocol without a name may be spoken. */
static bool may_be_other(const struct inspect_target *t)
{
	return t->port_named ||
	       (t->mode == VERIFY_NAMES && !is_web_port(t->port));
}

static void want(struct inspect_verdict *v, size_t n)
{
	v->action = INSPECT_MORE;
	v->want = n;
}

static void grant(struct inspect_verdict *v, uint64_t n)
{
	v->action = INSPECT_GRANT;
	v->grant = n;
}

static void refuse(struct inspect_verdict *v, enum inspect_protocol protocol,
		   enum inspect_reason reason)
{
	v->action = INSPECT_REFUSE;
	v->protocol = protocol;
	v->reason = reason;
}

static void decide_other(const struct inspect *i, struct inspect_verdict *v)
{
	if (may_be_other(&i->target))
		v->action = INSPECT_PASS;
	else
		refuse(v, INSPECT_OTHER, INSPECT_NOT_EXPECTED);
}

static bool allows(const struct inspect *i, const char *canonical)
{
	struct allow_ports ports;

	return allowlist_match(i->target.allow, canonical, &ports) &&
	       allow_ports_has(&ports, i->target.port);
}

/* The name as sent: a DNS name in ASCII (RFC 6066 3), canonical in ret. */
static bool canonical_name(const uint8_t *name, size_t len,
			   char ret[static HOSTNAME_BUF])
{
	char text[NAME_TEXT_MAX];

	if (len >= sizeof(text))
		return false;
	for (size_t k = 0; k < len; k++)
		if (name[k] == 0 || name[k] >= 0x80)
			return false;
	memcpy(text, name, len);
	text[len] = '\0';
	return hostname_from_text(text, ret, NULL) == 0;
}

/* True if the name may be asked for; else v says why not. */
static bool check_name(const struct inspect *i, const uint8_t *name, size_t len,
		       struct inspect_verdict *v)
{
	char canonical[HOSTNAME_BUF];

	if (!canonical_name(name, len, canonical))
		refuse(v, INSPECT_TLS, INSPECT_NAME_MALFORMED);
	else if (!allows(i, canonical))
		refuse(v, INSPECT_TLS, INSPECT_NAME_NOT_ALLOWED);
	else
		return true;
	text_escape((const char *)name, len, v->name, sizeof(v->name));
	return false;
}

static void decide_hello(struct inspect *i, const struct tlshello *h,
			 struct inspect_verdict *v)
{
	if (!h->has_name) {
		refuse(v, INSPECT_TLS, INSPECT_NO_NAME);
		return;
	}
	if (!check_name(i, h->name, h->name_len, v))
		return;
	if (h->has_ech && i->target.mode == VERIFY_STRICT) {
		refuse(v, INSPECT_TLS, INSPECT_NAME_HIDDEN);
		text_escape((const char *)h->name, h->name_len, v->name,
			    sizeof(v->name));
		return;
	}
	if (i->state == STATE_RETRY) {
		v->action = INSPECT_PASS;
		return;
	}
	grant(v, h->size);
	i->state = STATE_ANSWER;
}

static void read_hello(struct inspect *i, uint8_t *data, size_t len,
		       struct inspect_verdict *v)
{
	struct tlshello h;

	switch (tlshello_read(data, len, &h)) {
	case TLSHELLO_MORE:
		want(v, h.want);
		break;
	case TLSHELLO_DONE:
		decide_hello(i, &h, v);
		break;
	case TLSHELLO_TOO_LONG:
		refuse(v, INSPECT_TLS, INSPECT_TOO_LONG);
		break;
	case TLSHELLO_BAD:
		refuse(v, INSPECT_TLS, INSPECT_MALFORMED);
		break;
	}
}

/* Lets a record pass that is no handshake message: early data, an alert, the
 * change of the cipher that only looks like one. */
static void step_over(const uint8_t *data, size_t len,
		      struct inspect_verdict *v)
{
	size_t size;

	if (len < RECORD_HEADER) {
		want(v, RECORD_HEADER);
		return;
	}
	size = (size_t)data[3] << 8 | data[4];
	if (data[0] < RECORD_LOWEST || data[0] > RECORD_HIGHEST ||
	    size > RECORD_MAX)
		refuse(v, INSPECT_TLS, INSPECT_MALFORMED);
	else
		grant(v, RECORD_HEADER + size);
}

static void read_answered(struct inspect *i, uint8_t *data, size_t len,
			  struct inspect_verdict *v)
{
	if (data[0] != RECORD_HANDSHAKE)
		step_over(data, len, v);
	else if (i->state == STATE_RETRY)
		read_hello(i, data, len, v);
	else
		want(v, len + 1);
}

/* The port that the request tells decides nothing: the one dialled does. */
static bool allows_authority(void *arg, const struct authority *a)
{
	const struct inspect *i = arg;

	return !a->is_address && allows(i, a->host);
}

static void deny_host(const struct inspect *i, struct inspect_verdict *v)
{
	const struct authority *a = httpcheck_authority(i->http);

	refuse(v, httpcheck_protocol(i->http),
	       a->is_address ? INSPECT_NAME_MALFORMED
			     : INSPECT_NAME_NOT_ALLOWED);
	text_escape(a->host, strlen(a->host), v->name, sizeof(v->name));
}

static void read_http(struct inspect *i, uint8_t *data, size_t len,
		      struct inspect_verdict *v)
{
	uint64_t n;

	switch (httpcheck_client(i->http, data, len, allows_authority, i, &n)) {
	case HTTPCHECK_MORE:
		want(v, len + 1);
		break;
	case HTTPCHECK_GRANT:
		grant(v, n);
		break;
	case HTTPCHECK_PASS:
		v->action = INSPECT_PASS;
		break;
	case HTTPCHECK_DENIED:
		deny_host(i, v);
		break;
	case HTTPCHECK_REFUSED:
		refuse(v, httpcheck_protocol(i->http), INSPECT_MALFORMED);
		v->detail = httpcheck_reason(i->http);
		break;
	}
}

static void begin_http(struct inspect *i, uint8_t *data, size_t len,
		       struct inspect_verdict *v)
{
	i->http = httpcheck_new(i->doubt, i->n_doubt);
	if (!i->http) {
		refuse(v, INSPECT_HTTP1, INSPECT_INCOMPLETE);
		return;
	}
	i->state = STATE_HTTP;
	read_http(i, data, len, v);
}

/*
 * A word, or less, may be the beginning of a request or of anything.  Where
 * anything may pass it goes on, for the client may wait for an answer to it; it
 * is remembered, and if it turns out to be a request's, what is missing of that
 * is held.
 */
static void let_doubt_go(struct inspect *i, const uint8_t *data, size_t len,
			 struct inspect_verdict *v)
{
	/* The second cannot be: http1_sniff() knows all that it needs. */
	if (!may_be_other(&i->target) || len > sizeof(i->doubt) - i->n_doubt) {
		want(v, len + 1);
		return;
	}
	memcpy(i->doubt + i->n_doubt, data, len);
	i->n_doubt += len;
	grant(v, len);
}

static void sniff_http(struct inspect *i, uint8_t *data, size_t len,
		       struct inspect_verdict *v)
{
	uint8_t begin[HTTP1_SNIFF_MAX];
	size_t n = HTTP1_SNIFF_MAX - i->n_doubt;

	if (n > len)
		n = len;
	memcpy(begin, i->doubt, i->n_doubt);
	memcpy(begin + i->n_doubt, data, n);
	switch (http1_sniff(begin, i->n_doubt + n)) {
	case HTTP1_SNIFF_YES:
		begin_http(i, data, len, v);
		break;
	case HTTP1_SNIFF_MORE:
		let_doubt_go(i, data, len, v);
		break;
	case HTTP1_SNIFF_NO:
		decide_other(i, v);
		break;
	}
}

static void read_start(struct inspect *i, uint8_t *data, size_t len,
		       struct inspect_verdict *v)
{
	enum tlshello_match tls =
		i->n_doubt > 0 ? TLSHELLO_NO : tlshello_match(data, len);

	if (tls == TLSHELLO_YES) {
		i->state = STATE_HELLO;
		read_hello(i, data, len, v);
	} else if (tls == TLSHELLO_PERHAPS) {
		want(v, len + 1);
	} else {
		sniff_http(i, data, len, v);
	}
}

/* No more will come to tell what it is. */
static void decide_incomplete(const struct inspect *i,
			      struct inspect_verdict *v)
{
	static const enum inspect_protocol protocols[] = {
		[STATE_START] = INSPECT_OTHER, [STATE_HELLO] = INSPECT_TLS,
		[STATE_ANSWER] = INSPECT_TLS,  [STATE_RETRY] = INSPECT_TLS,
		[STATE_HTTP] = INSPECT_HTTP1,  [STATE_ENDED] = INSPECT_OTHER,
	};

	refuse(v, protocols[i->state], INSPECT_INCOMPLETE);
}

/*
 * Nothing has begun so and come to this.  What is shown ends at TCP's urgent
 * mark too, and the FIN may be known before what is behind that mark can be
 * seen: so no more passes than was looked at.
 */
static void end_start(struct inspect *i, size_t len, struct inspect_verdict *v)
{
	decide_other(i, v);
	if (v->action != INSPECT_PASS)
		return;
	grant(v, len);
	i->state = STATE_ENDED;
}

static void read_ended(struct inspect *i, uint8_t *data, size_t len,
		       struct inspect_verdict *v)
{
	(void)data;
	(void)len;
	decide_incomplete(i, v);
}

void inspect_client(struct inspect *i, uint8_t *data, size_t len, bool is_end,
		    struct inspect_verdict *v)
{
	static void (*const readers[])(struct inspect *, uint8_t *, size_t,
				       struct inspect_verdict *) = {
		[STATE_START] = read_start,	[STATE_HELLO] = read_hello,
		[STATE_ANSWER] = read_answered, [STATE_RETRY] = read_answered,
		[STATE_HTTP] = read_http,	[STATE_ENDED] = read_ended,
	};

	*v = (struct inspect_verdict) { 0 };
	readers[i->state](i, data, len, v);
	if (v->action != INSPECT_MORE)
		return;
	if (is_end && i->state == STATE_START)
		end_start(i, len, v);
	else if (is_end)
		decide_incomplete(i, v);
	else if (len >= INSPECT_HELD_MAX)
		refuse(v, i->http ? INSPECT_HTTP1 : INSPECT_TLS,
		       INSPECT_TOO_LONG);
}

bool inspect_watches_server(const struct inspect *i)
{
	if (i->state == STATE_HTTP)
		return httpcheck_watches_server(i->http);
	return i->state == STATE_ANSWER;
}

enum inspect_turn inspect_server(struct inspect *i, const uint8_t *data,
				 size_t len)
{
	enum tlsanswer_result rc;

	if (i->state == STATE_HTTP)
		return httpcheck_server(i->http, data, len);
	rc = tlsanswer_read(&i->answer, data, len);
	if (rc == TLSANSWER_FINAL)
		return INSPECT_OVER;
	if (rc == TLSANSWER_MORE)
		return INSPECT_NOTHING;
	i->state = STATE_RETRY;
	return INSPECT_AGAIN;
}

void inspect_timed_out(const struct inspect *i, struct inspect_verdict *v)
{
	*v = (struct inspect_verdict) { 0 };
	decide_incomplete(i, v);
}

bool inspect_needs_client(const struct inspect *i)
{
	return i->state == STATE_START && !may_be_other(&i->target);
}

const char *inspect_reason_text(enum inspect_reason r)
{
	static const char *const texts[INSPECT_REASON__COUNT] = {
		[INSPECT_NAME_NOT_ALLOWED] = "name not allowed",
		[INSPECT_NAME_MALFORMED] = "not a host name",
		[INSPECT_NO_NAME] = "no server name",
		[INSPECT_NAME_HIDDEN] = "encrypted server name",
		[INSPECT_MALFORMED] = "malformed",
		[INSPECT_TOO_LONG] = "too long",
		[INSPECT_NOT_EXPECTED] = "protocol not allowed on this port",
		[INSPECT_INCOMPLETE] = "incomplete",
	};

	return texts[r];
}

const char *inspect_protocol_text(enum inspect_protocol p)
{
	static const char *const texts[INSPECT_PROTOCOL__COUNT] = {
		[INSPECT_UNKNOWN] = "unknown", [INSPECT_TLS] = "tls",
		[INSPECT_HTTP1] = "http/1",    [INSPECT_HTTP2] = "http/2",
		[INSPECT_OTHER] = "other",
	};

	return texts[p];
}
