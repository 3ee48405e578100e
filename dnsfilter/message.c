/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/message.h"

#include <string.h>

#define FLAG_QR	     0x8000
#define FLAG_TC	     0x0200
#define FLAG_RD	     0x0100
#define FLAG_RA	     0x0080
#define OPCODE_SHIFT 11
#define OPCODE_MASK  15

#define POINTER		0xc000
#define OPT_LEN		11 /* without options */
#define OPT_CODE_EDE	15
#define EDE_LEN		6 /* code, length, info code */
#define SOA_RDATA_LEN	22
#define SOA_REFRESH_SEC 3600
#define SOA_EXPIRE_SEC	86400

size_t dns_addr_width(uint16_t type)
{
	return type == DNS_TYPE_AAAA ? 16 : 4;
}

/* RFC 6891 6.1.2; what the options say is of no interest. */
static bool options_are_sound(const uint8_t *data, size_t len)
{
	struct wire_reader r = wire_reader(data, len);

	while (r.pos < len && !r.bad) {
		(void)wire_get_u16(&r);
		(void)wire_get_bytes(&r, wire_get_u16(&r));
	}
	return !r.bad;
}

/* The additional section: at most one OPT, owned by the root. */
static int parse_additional(struct wire_reader *r, unsigned n,
			    struct dns_question *q)
{
	unsigned version = 0;

	while (n-- > 0) {
		struct wire_name owner;
		const uint8_t *rdata;
		uint16_t type, class, len;
		uint32_t ttl;

		if (!wire_get_name(r, true, &owner))
			return DNS_RCODE_FORMERR;
		type = wire_get_u16(r);
		class = wire_get_u16(r);
		ttl = wire_get_u32(r);
		len = wire_get_u16(r);
		rdata = wire_get_bytes(r, len);
		if (!rdata)
			return DNS_RCODE_FORMERR;
		if (type != DNS_TYPE_OPT)
			continue;
		if (q->has_edns || owner.len != 1 ||
		    !options_are_sound(rdata, len))
			return DNS_RCODE_FORMERR;
		q->has_edns = true;
		if (class > DNS_UDP_MIN)
			q->udp_size = class < DNS_UDP_MAX ? class : DNS_UDP_MAX;
		version = ttl >> 16 & 0xff;
	}
	return version > 0 ? DNS_RCODE_BADVERS : DNS_RCODE_NOERROR;
}

int dns_parse_query(const uint8_t *msg, size_t len, struct dns_question *ret)
{
	struct wire_reader r = wire_reader(msg, len);
	struct dns_question *q = ret;
	uint16_t flags, n_question, n_answer, n_authority, n_additional;

	memset(q, 0, offsetof(struct dns_question, name) + 1);
	q->udp_size = DNS_UDP_MIN;
	q->id = wire_get_u16(&r);
	flags = wire_get_u16(&r);
	n_question = wire_get_u16(&r);
	n_answer = wire_get_u16(&r);
	n_authority = wire_get_u16(&r);
	n_additional = wire_get_u16(&r);
	if (r.bad || (flags & FLAG_QR))
		return -1;
	q->opcode = flags >> OPCODE_SHIFT & OPCODE_MASK;
	q->rd = flags & FLAG_RD;
	if (q->opcode != 0)
		return DNS_RCODE_NOTIMP;
	if (n_question != 1 || !wire_get_name(&r, false, &q->name))
		return DNS_RCODE_FORMERR;
	q->type = wire_get_u16(&r);
	q->class = wire_get_u16(&r);
	if (r.bad)
		return DNS_RCODE_FORMERR;
	q->has_question = true;
	if (n_answer > 0 || n_authority > 0) /* only IXFR has such (RFC 1995) */
		return q->type == DNS_TYPE_IXFR ? DNS_RCODE_NOERROR
						: DNS_RCODE_FORMERR;
	return parse_additional(&r, n_additional, q);
}

static void put_rr(struct wire_writer *w, uint16_t owner, uint16_t type,
		   uint32_t ttl_sec, const void *rdata, size_t len)
{
	wire_put_u16(w, owner);
	wire_put_u16(w, type);
	wire_put_u16(w, DNS_CLASS_IN);
	wire_put_u32(w, ttl_sec);
	wire_put_u16(w, (uint16_t)len);
	wire_put_bytes(w, rdata, len);
}

static size_t name_len(const uint8_t *name)
{
	size_t n = 0;

	while (name[n] != 0)
		n += 1u + name[n];
	return n + 1;
}

/* Returns the number of records; w->full tells that they do not fit. */
static uint16_t put_records(struct wire_writer *w, const struct dns_records *s,
			    uint32_t ttl_sec)
{
	size_t width = dns_addr_width(s->type);
	const uint8_t *hop = s->hops;
	const uint8_t *rdata = s->rdata;
	uint16_t owner = POINTER | DNS_HEADER_LEN;

	for (unsigned i = 0; i < s->n_hops; i++) {
		size_t len = name_len(hop);

		put_rr(w, owner, DNS_TYPE_CNAME, ttl_sec, hop, len);
		owner = (uint16_t)(POINTER | (w->len - len));
		hop += len;
	}
	for (unsigned i = 0; i < s->n_addr; i++)
		put_rr(w, owner, s->type, ttl_sec, s->addr + i * width, width);
	for (unsigned i = 0; i < s->n_rdata; i++) {
		size_t len = (size_t)rdata[0] << 8 | rdata[1];

		put_rr(w, owner, s->type, ttl_sec, rdata + 2, len);
		rdata += 2 + len;
	}
	return (uint16_t)(s->n_hops + s->n_addr + s->n_rdata);
}

/* The root's name stands for a server and a mailbox that do not exist. */
static void put_soa(struct wire_writer *w, uint32_t ttl_sec)
{
	wire_put_u8(w, 0);
	wire_put_u16(w, DNS_TYPE_SOA);
	wire_put_u16(w, DNS_CLASS_IN);
	wire_put_u32(w, ttl_sec);
	wire_put_u16(w, SOA_RDATA_LEN);
	wire_put_u16(w, 0); /* MNAME and RNAME */
	wire_put_u32(w, 1); /* serial */
	wire_put_u32(w, SOA_REFRESH_SEC);
	wire_put_u32(w, SOA_REFRESH_SEC); /* retry */
	wire_put_u32(w, SOA_EXPIRE_SEC);
	wire_put_u32(w, ttl_sec); /* RFC 2308 4 */
}

static void put_opt(struct wire_writer *w, const struct dns_reply *r)
{
	size_t text_len =
		r->ede_text ? strnlen(r->ede_text, DNS_EDE_TEXT_MAX) : 0;
	size_t room = w->size - w->len;
	bool ede = r->ede != DNS_EDE_NONE && room >= OPT_LEN + EDE_LEN;

	if (room < OPT_LEN + EDE_LEN + text_len)
		text_len = 0;
	wire_put_u8(w, 0);
	wire_put_u16(w, DNS_TYPE_OPT);
	wire_put_u16(w, DNS_UDP_MAX);
	wire_put_u32(w, (uint32_t)r->rcode >> 4 << 24);
	wire_put_u16(w, (uint16_t)(ede ? EDE_LEN + text_len : 0));
	if (!ede)
		return;
	wire_put_u16(w, OPT_CODE_EDE);
	wire_put_u16(w, (uint16_t)(2 + text_len));
	wire_put_u16(w, (uint16_t)r->ede);
	if (text_len > 0)
		wire_put_bytes(w, r->ede_text, text_len);
}

static void put_question(struct wire_writer *w, const struct dns_question *q)
{
	wire_put_bytes(w, q->name.bytes, q->name.len);
	wire_put_u16(w, q->type);
	wire_put_u16(w, q->class);
}

size_t dns_build_reply(const struct dns_question *q, const struct dns_reply *r,
		       size_t limit, uint8_t *buf)
{
	static const uint8_t header[DNS_HEADER_LEN];
	struct wire_writer w =
		wire_writer(buf, q->has_edns ? limit - OPT_LEN : limit);
	unsigned flags = FLAG_QR | FLAG_RA | (r->rcode & 15u);
	uint16_t n_answer = 0;
	size_t mark;

	wire_put_bytes(&w, header, sizeof(header));
	if (q->has_question)
		put_question(&w, q);
	mark = w.len;
	if (r->records)
		n_answer = put_records(&w, r->records, r->ttl_sec);
	if (w.full) {
		w.full = false;
		w.len = mark;
		n_answer = 0;
		flags |= FLAG_TC;
	}
	if (r->soa)
		put_soa(&w, r->ttl_sec);
	w.size = limit;
	if (q->has_edns)
		put_opt(&w, r);

	flags |= (unsigned)q->opcode << OPCODE_SHIFT;
	flags |= q->rd ? FLAG_RD : 0;
	wire_set_u16(&w, 0, q->id);
	wire_set_u16(&w, 2, (uint16_t)flags);
	wire_set_u16(&w, 4, q->has_question);
	wire_set_u16(&w, 6, n_answer);
	wire_set_u16(&w, 8, r->soa);
	wire_set_u16(&w, 10, q->has_edns);
	return w.len;
}
