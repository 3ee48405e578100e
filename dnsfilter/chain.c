/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records may come in any order, so each alias costs one pass over the answer
 * section; RECORDS_MAX bounds what a hostile server can make of that.
 */
#include "dnsfilter/chain.h"

#include <errno.h>
#include <string.h>

#include "dnsfilter/rdata.h"
#include "profiles/hostname.h"

#define RECORDS_MAX	  512
#define AUTHORITY_MAX	  64
#define ADDITIONAL_MAX	  64
#define NEG_TTL_UNSET_SEC 5 /* a denial without SOA */

#define FLAG_QR	    0x8000
#define FLAG_TC	    0x0200
#define FLAG_OPCODE 0x7800
#define FLAG_RCODE  0x000f

struct rr {
	struct wire_name owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl_sec;
	size_t rdata; /* offset in the message */
	size_t len;
};

struct section {
	const uint8_t *msg;
	size_t len;
	size_t at;
	unsigned n;
};

void dns_chain_init(struct dns_chain *c, uint16_t type, uint32_t ttl_sec)
{
	memset(c, 0, offsetof(struct dns_chain, hops));
	c->type = type;
	c->ttl_sec = ttl_sec;
}

void dns_chain_add(struct dns_chain *c, const uint8_t *addr)
{
	size_t width = dns_addr_width(c->type);

	for (unsigned i = 0; i < c->n_addr; i++)
		if (memcmp(c->addr + i * width, addr, width) == 0)
			return;
	if (c->n_addr < DNS_ADDRESSES_MAX)
		memcpy(c->addr + c->n_addr++ * width, addr, width);
}

struct addr dns_chain_addr(const struct dns_chain *c, unsigned i)
{
	size_t width = dns_addr_width(c->type);

	return c->type == DNS_TYPE_AAAA ? addr_v6(c->addr + i * width)
					: addr_v4(c->addr + i * width);
}

void dns_chain_keep(struct dns_chain *c, uint64_t mask)
{
	size_t width = dns_addr_width(c->type);
	uint8_t n = 0;

	for (unsigned i = 0; i < c->n_addr; i++)
		if (mask >> i & 1)
			memmove(c->addr + n++ * width, c->addr + i * width,
				width);
	c->n_addr = n;
}

struct dns_records dns_chain_records(const struct dns_chain *c)
{
	return (struct dns_records) {
		.type = c->type,
		.n_hops = c->n_hops,
		.n_addr = c->n_addr,
		.n_rdata = c->n_rdata,
		.hops_len = c->hops_len,
		.rdata_len = c->rdata_len,
		.hops = c->hops,
		.addr = c->addr,
		.rdata = c->rdata,
	};
}

static bool get_rr(struct wire_reader *r, struct rr *rr)
{
	if (!wire_get_name(r, true, &rr->owner))
		return false;
	rr->type = wire_get_u16(r);
	rr->class = wire_get_u16(r);
	rr->ttl_sec = wire_get_u32(r);
	if (rr->ttl_sec > INT32_MAX &&
	    rr->type != DNS_TYPE_OPT) /* RFC 2181 8 */
		rr->ttl_sec = 0;
	rr->len = wire_get_u16(r);
	rr->rdata = r->pos;
	return wire_get_bytes(r, rr->len);
}

static struct wire_reader reader_at(const struct section *s, size_t at)
{
	struct wire_reader r = wire_reader(s->msg, s->len);

	r.pos = at;
	return r;
}

/* The least that a resolver may keep the denial for: RFC 2308 5. */
static uint32_t negative_ttl(const struct section *authority)
{
	struct wire_reader r = reader_at(authority, authority->at);
	unsigned n =
		authority->n < AUTHORITY_MAX ? authority->n : AUTHORITY_MAX;
	uint32_t ttl = NEG_TTL_UNSET_SEC;
	struct rr rr;

	while (n-- > 0 && get_rr(&r, &rr)) {
		struct wire_reader soa = reader_at(authority, rr.rdata);
		struct wire_name unused;
		uint32_t minimum;

		if (rr.type != DNS_TYPE_SOA || rr.class != DNS_CLASS_IN)
			continue;
		if (!wire_get_name(&soa, true, &unused) ||
		    !wire_get_name(&soa, true, &unused) ||
		    !wire_get_bytes(&soa, 4 * sizeof(uint32_t)))
			break;
		minimum = wire_get_u32(&soa);
		if (soa.bad || soa.pos != rr.rdata + rr.len)
			break;
		ttl = minimum < rr.ttl_sec ? minimum : rr.ttl_sec;
		break;
	}
	if (ttl < DNS_NEG_TTL_MIN_SEC)
		return DNS_NEG_TTL_MIN_SEC;
	return ttl < DNS_NEG_TTL_MAX_SEC ? ttl : DNS_NEG_TTL_MAX_SEC;
}

static bool was_seen(const struct dns_chain *c, const struct wire_name *n)
{
	size_t len;

	for (size_t at = 0; at < c->hops_len; at += len) {
		len = 0;
		while (c->hops[at + len] != 0)
			len += 1u + c->hops[at + len];
		len++;
		if (len == n->len && memcmp(c->hops + at, n->bytes, len) == 0)
			return true;
	}
	return false;
}

/* Makes the target of an alias the next name of the chain. */
static int add_hop(struct dns_chain *c, const struct section *answers,
		   const struct rr *rr, const struct wire_name *asked,
		   struct wire_name *ret)
{
	struct wire_reader r = reader_at(answers, rr->rdata);
	char text[HOSTNAME_BUF];

	if (!wire_get_name(&r, true, ret) || r.pos != rr->rdata + rr->len ||
	    ret->len == 1)
		return -EBADMSG;
	wire_name_fold(ret);
	if (!hostname_from_wire(ret->bytes, text) ||
	    c->n_hops == DNS_HOPS_MAX || wire_name_equal(ret, asked) ||
	    was_seen(c, ret))
		return -EBADMSG;
	memcpy(c->hops + c->hops_len, ret->bytes, ret->len);
	c->hops_len = (uint16_t)(c->hops_len + ret->len);
	c->n_hops++;
	return 0;
}

static void lower_ttl(struct dns_chain *c, uint32_t ttl_sec)
{
	if (ttl_sec < DNS_TTL_MIN_SEC)
		ttl_sec = DNS_TTL_MIN_SEC;
	if (ttl_sec < c->ttl_sec)
		c->ttl_sec = ttl_sec;
}

/* Leaves out what is beyond the room. */
static int add_record(struct dns_chain *c, const struct section *answers,
		      const struct rr *rr)
{
	struct wire_reader r = reader_at(answers, rr->rdata);
	struct wire_writer w = wire_writer(c->rdata + c->rdata_len,
					   sizeof(c->rdata) - c->rdata_len);

	wire_put_u16(&w, 0);
	if (!rdata_rewrite(&r, rr->len, c->type, &w))
		return -EBADMSG;
	if (w.full || c->n_rdata == DNS_RECORDS_MAX)
		return 0;
	wire_set_u16(&w, 0, (uint16_t)(w.len - 2));
	c->rdata_len = (uint16_t)(c->rdata_len + w.len);
	c->n_rdata++;
	return 0;
}

static int add_address(struct dns_chain *c, const struct section *answers,
		       const struct rr *rr)
{
	if (rr->len != dns_addr_width(c->type))
		return -EBADMSG;
	dns_chain_add(c, answers->msg + rr->rdata);
	return 0;
}

static bool has_data(const struct dns_chain *c)
{
	return c->n_addr > 0 || c->n_rdata > 0;
}

/* One pass: takes the records that owner has.  ret_alias->len is 0 if it has
 * no alias. */
static int scan_owner(const struct section *answers,
		      const struct wire_name *owner, struct dns_chain *c,
		      struct rr *ret_alias)
{
	struct wire_reader r = reader_at(answers, answers->at);
	unsigned n = answers->n;
	struct rr rr;
	int rc;

	ret_alias->len = 0;
	while (n-- > 0) {
		if (!get_rr(&r, &rr))
			return -EBADMSG;
		if (rr.class != DNS_CLASS_IN ||
		    !wire_name_equal(&rr.owner, owner))
			continue;
		if (rr.type == DNS_TYPE_CNAME && ret_alias->len == 0)
			*ret_alias = rr;
		if (rr.type != c->type)
			continue;
		lower_ttl(c, rr.ttl_sec);
		rc = dns_type_is_address(c->type) ? add_address(c, answers, &rr)
						  : add_record(c, answers, &rr);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int follow(const struct section *answers, const struct wire_name *asked,
		  struct dns_chain *c)
{
	struct wire_name owner = *asked;

	for (;;) {
		struct rr alias;
		int rc = scan_owner(answers, &owner, c, &alias);

		if (rc < 0 || has_data(c) || alias.len == 0)
			return rc;
		lower_ttl(c, alias.ttl_sec);
		rc = add_hop(c, answers, &alias, asked, &owner);
		if (rc < 0)
			return rc;
	}
}

/* Steps over a section to the next; false if it is malformed. */
static bool find_next(const struct section *s, struct section *next)
{
	struct wire_reader r = reader_at(s, s->at);
	struct rr rr;

	for (unsigned i = 0; i < s->n; i++)
		if (!get_rr(&r, &rr))
			return false;
	next->at = r.pos;
	return true;
}

/* The upper bits of the RCODE say that it failed: RFC 6891 6.1.3. */
static bool has_extended_error(const struct section *authority,
			       struct section *additional)
{
	unsigned n =
		additional->n < ADDITIONAL_MAX ? additional->n : ADDITIONAL_MAX;
	struct wire_reader r;
	struct rr rr;

	if (n == 0 || authority->n > RECORDS_MAX ||
	    !find_next(authority, additional))
		return false;
	r = reader_at(additional, additional->at);
	while (n-- > 0 && get_rr(&r, &rr))
		if (rr.type == DNS_TYPE_OPT && rr.ttl_sec >> 24 != 0)
			return true;
	return false;
}

int dns_parse_answer(const uint8_t *msg, size_t len, const char *name,
		     uint16_t type, struct dns_chain *ret)
{
	struct wire_reader r = wire_reader(msg, len);
	struct section answers = { .msg = msg, .len = len };
	struct section authority = answers;
	struct section additional = answers;
	struct wire_name asked, echoed;
	uint16_t flags, n_question;

	(void)wire_get_u16(&r); /* c-ares has matched the id */
	flags = wire_get_u16(&r);
	n_question = wire_get_u16(&r);
	answers.n = wire_get_u16(&r);
	authority.n = wire_get_u16(&r);
	additional.n = wire_get_u16(&r);
	if (!(flags & FLAG_QR) || (flags & (FLAG_OPCODE | FLAG_TC)) ||
	    n_question != 1 || !wire_name_from_text(name, &asked) ||
	    !wire_get_name(&r, false, &echoed) ||
	    !wire_name_equal(&asked, &echoed) || wire_get_u16(&r) != type ||
	    wire_get_u16(&r) != DNS_CLASS_IN || r.bad)
		return -EBADMSG;
	answers.at = r.pos;
	if (answers.n > RECORDS_MAX) {
		answers.n = RECORDS_MAX;
		authority.n = 0;
		additional.n = 0;
	}
	if (!find_next(&answers, &authority) ||
	    has_extended_error(&authority, &additional))
		return -EBADMSG;

	dns_chain_init(ret, type, DNS_TTL_MAX_SEC);
	ret->rcode = flags & FLAG_RCODE;
	if (ret->rcode == DNS_RCODE_NOERROR) {
		int rc = follow(&answers, &asked, ret);

		if (rc < 0 || has_data(ret))
			return rc;
	} else if (ret->rcode != DNS_RCODE_NXDOMAIN) {
		return -EBADMSG;
	}
	ret->n_hops = 0;
	ret->hops_len = 0;
	ret->ttl_sec = negative_ttl(&authority);
	return 0;
}
