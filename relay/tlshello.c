/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ClientHello may span records (RFC 8446 5.1).  Their lengths are walked
 * first; only when the whole message is there are the pieces joined and read,
 * so the reader proper sees one run of bytes.
 */
#include "relay/tlshello.h"

#include <string.h>

#define RECORD_HEADER	 5
#define RECORD_MAX	 16384 /* RFC 8446 5.1 */
#define HANDSHAKE_HEADER 4
#define VERSION_MAJOR	 3 /* SSL 3.0 and every TLS */

#define SESSION_ID_MAX 32
#define RANDOM_BYTES   32

enum content_type {
	TYPE_CHANGE_CIPHER_SPEC = 20,
	TYPE_ALERT = 21,
	TYPE_HANDSHAKE = 22,
	TYPE_HEARTBEAT = 24,
};

enum extension_type {
	EXT_SERVER_NAME = 0,
	EXT_ECH = 0xfe0d, /* RFC 9849 */
};

#define CLIENT_HELLO   1
#define SERVER_HELLO   2
#define NAME_TYPE_HOST 0

/* One that would step over its end becomes bad, and gives zeroes from then
 * on. */
struct reader {
	const uint8_t *data;
	size_t len;
	bool bad;
};

static const uint8_t *get_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = r->data;

	if (r->bad || n > r->len) {
		r->bad = true;
		return NULL;
	}
	r->data += n;
	r->len -= n;
	return p;
}

static uint8_t get_u8(struct reader *r)
{
	const uint8_t *p = get_bytes(r, 1);

	return p ? *p : 0;
}

static uint16_t get_u16(struct reader *r)
{
	const uint8_t *p = get_bytes(r, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

/* The next n bytes as a reader of their own. */
static struct reader get_part(struct reader *r, size_t n)
{
	const uint8_t *p = get_bytes(r, n);

	return (struct reader) { p, p ? n : 0, !p };
}

enum tlshello_match tlshello_match(const uint8_t *data, size_t len)
{
	/* The major version decides nothing: some servers ignore it.  A stray
	 * alert or heartbeat in front of the hello is ignored by some. */
	if (data[0] >= TYPE_CHANGE_CIPHER_SPEC && data[0] <= TYPE_HEARTBEAT)
		return len < 2		? TLSHELLO_PERHAPS
		       : data[1] < 0x10 ? TLSHELLO_YES
					: TLSHELLO_NO;
	/* SSL 2.0: length with the high bit, type, version 3.x or 0.2. */
	if (!(data[0] & 0x80))
		return TLSHELLO_NO;
	if (len > 2 && data[2] != CLIENT_HELLO)
		return TLSHELLO_NO;
	if (len > 3 && data[3] != VERSION_MAJOR && data[3] != 0)
		return TLSHELLO_NO;
	if (len > 4 && data[3] == 0 && data[4] != 2)
		return TLSHELLO_NO;
	return len > 4 ? TLSHELLO_YES : TLSHELLO_PERHAPS;
}

/* ServerNameList of one host_name: RFC 6066 permits one of each type and
 * defines no other. */
static bool read_server_name(struct reader *ext, struct tlshello *h)
{
	struct reader list = get_part(ext, get_u16(ext));
	uint8_t type = get_u8(&list);

	h->name_len = get_u16(&list);
	h->name = get_bytes(&list, h->name_len);
	if (list.bad || list.len > 0 || ext->len > 0 ||
	    type != NAME_TYPE_HOST || h->name_len == 0 || h->has_name)
		return false;
	h->has_name = true;
	return true;
}

static bool read_extensions(struct reader *r, struct tlshello *h)
{
	struct reader all = get_part(r, get_u16(r));

	while (!all.bad && all.len > 0) {
		uint16_t type = get_u16(&all);
		struct reader ext = get_part(&all, get_u16(&all));

		if (ext.bad)
			return false;
		if (type == EXT_SERVER_NAME && !read_server_name(&ext, h))
			return false;
		if (type == EXT_ECH)
			h->has_ech = true;
	}
	return !all.bad && r->len == 0;
}

static bool read_body(struct reader *r, struct tlshello *h)
{
	uint16_t version = get_u16(r);
	uint8_t session_id_len;
	uint16_t suites_len;

	(void)get_bytes(r, RANDOM_BYTES);
	session_id_len = get_u8(r);
	(void)get_bytes(r, session_id_len);
	suites_len = get_u16(r);
	(void)get_bytes(r, suites_len);
	(void)get_bytes(r, get_u8(r)); /* compression methods */
	if (r->bad || version >> 8 != VERSION_MAJOR ||
	    session_id_len > SESSION_ID_MAX || suites_len % 2 != 0)
		return false;
	/* Before TLS 1.2 there may be none. */
	return r->len == 0 || read_extensions(r, h);
}

/* Where the message lies. */
struct span {
	size_t size;	/* of the records up to its end */
	size_t body;	/* length of the message, its header included; 0: not
			 * yet known */
	size_t have;	/* bytes of it that are here */
	size_t records; /* that are here in part at least */
};

/* The bytes of the message's header, wherever the records cut it. */
static void note_header(struct span *s, uint8_t header[HANDSHAKE_HEADER],
			const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && s->have + i < HANDSHAKE_HEADER; i++)
		header[s->have + i] = p[i];
	if (s->have < HANDSHAKE_HEADER && s->have + n >= HANDSHAKE_HEADER)
		s->body =
			HANDSHAKE_HEADER + ((size_t)header[1] << 16 |
					    (size_t)header[2] << 8 | header[3]);
	s->have += n;
}

static enum tlshello_result check_header(const struct span *s,
					 const uint8_t header[HANDSHAKE_HEADER])
{
	if (s->have > 0 && header[0] != CLIENT_HELLO)
		return TLSHELLO_BAD;
	if (s->body > HANDSHAKE_HEADER + (size_t)TLSHELLO_MAX)
		return TLSHELLO_TOO_LONG;
	/* A second message before the answer to the first. */
	if (s->body > 0 && s->have > s->body)
		return TLSHELLO_BAD;
	return s->body > 0 && s->have == s->body ? TLSHELLO_DONE
						 : TLSHELLO_MORE;
}

/* The length of the record at p, or 0 if it cannot be one. */
static size_t record_length(const uint8_t *p, size_t len)
{
	size_t n;

	if (p[0] != TYPE_HANDSHAKE || (len > 1 && p[1] != VERSION_MAJOR))
		return 0;
	if (len < RECORD_HEADER)
		return RECORD_HEADER;
	n = (size_t)p[3] << 8 | p[4];
	return n > RECORD_MAX ? 0 : n;
}

/* Walks the records; fills want if the result is MORE. */
static enum tlshello_result find_message(const uint8_t *data, size_t len,
					 struct span *s, size_t *want)
{
	uint8_t header[HANDSHAKE_HEADER] = { 0 };
	enum tlshello_result rc;

	while (len > s->size) {
		size_t left = len - s->size;
		size_t n = record_length(data + s->size, left);
		size_t here;

		if (n == 0)
			return TLSHELLO_BAD;
		if (left < RECORD_HEADER)
			break;
		left -= RECORD_HEADER;
		here = left < n ? left : n;
		note_header(s, header, data + s->size + RECORD_HEADER, here);
		s->records++;
		rc = check_header(s, header);
		/* A record is used up to its end. */
		if (rc == TLSHELLO_DONE && here < n)
			rc = TLSHELLO_BAD;
		if (rc == TLSHELLO_MORE && here < n) {
			*want = s->size + RECORD_HEADER + n;
			return rc;
		}
		s->size += RECORD_HEADER + n;
		if (rc != TLSHELLO_MORE)
			return rc;
	}
	*want = s->size + RECORD_HEADER;
	return TLSHELLO_MORE;
}

/* Moves the pieces together, behind the first record's header. */
static void join(uint8_t *data, const struct span *s)
{
	size_t from = 0;
	size_t to = RECORD_HEADER;

	for (size_t i = 0; i < s->records; i++) {
		size_t n = (size_t)data[from + 3] << 8 | data[from + 4];

		memmove(data + to, data + from + RECORD_HEADER, n);
		from += RECORD_HEADER + n;
		to += n;
	}
}

enum tlshello_result tlshello_read(uint8_t *data, size_t len,
				   struct tlshello *ret)
{
	struct span s = { 0 };
	struct reader r;
	enum tlshello_result rc;

	*ret = (struct tlshello) { 0 };
	rc = find_message(data, len, &s, &ret->want);
	if (rc != TLSHELLO_DONE)
		return rc;
	ret->size = s.size;
	if (s.records > 1)
		join(data, &s);
	r = (struct reader) { data + RECORD_HEADER + HANDSHAKE_HEADER,
			      s.body - HANDSHAKE_HEADER, false };
	return read_body(&r, ret) ? TLSHELLO_DONE : TLSHELLO_BAD;
}

/* SHA-256 of "HelloRetryRequest" in place of a ServerHello's random. */
static const uint8_t retry_random[RANDOM_BYTES] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c
};

/* A record's header is there.  True if the answer is decided. */
static bool judge_record(struct tlsanswer *a, enum tlsanswer_result *ret)
{
	size_t len = (size_t)a->bytes[3] << 8 | a->bytes[4];

	if (a->bytes[0] == TYPE_ALERT) {
		a->skip = (uint16_t)len;
		a->n = 0;
		return false;
	}
	*ret = TLSANSWER_FINAL;
	if (a->bytes[0] != TYPE_HANDSHAKE)
		return true;
	/* Cut by the server: a retry is not ruled out. */
	if (len < TLSANSWER_BYTES - RECORD_HEADER)
		*ret = TLSANSWER_RETRY;
	return *ret == TLSANSWER_RETRY;
}

enum tlsanswer_result tlsanswer_read(struct tlsanswer *a, const uint8_t *data,
				     size_t len)
{
	static const size_t random_at = TLSANSWER_BYTES - RANDOM_BYTES;

	while (len > 0) {
		enum tlsanswer_result rc;

		if (a->skip > 0) {
			size_t n = len < a->skip ? len : a->skip;

			a->skip -= (uint16_t)n;
			data += n;
			len -= n;
			continue;
		}
		a->bytes[a->n++] = *data++;
		len--;
		if (a->n == RECORD_HEADER && judge_record(a, &rc))
			return rc;
		if (a->n == TLSANSWER_BYTES)
			return a->bytes[RECORD_HEADER] == SERVER_HELLO &&
					       memcmp(a->bytes + random_at,
						      retry_random,
						      RANDOM_BYTES) == 0
				       ? TLSANSWER_RETRY
				       : TLSANSWER_FINAL;
	}
	return TLSANSWER_MORE;
}
