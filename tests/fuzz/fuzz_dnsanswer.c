/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a resolver may answer to a question for www.example.com; the first byte
 * picks the type that was asked.  Nothing must crash, and: what is taken out of
 * an answer keeps its bounds, its names are canonical, and the answer that is
 * made of it fits and is read as the same again.
 *
 *   make fuzz-bins CC=clang SANITIZE=1 FUZZ=1 BUILD=build-fuzz
 *   build-fuzz/fuzz/fuzz_dnsanswer tests/fuzz/corpus/dnsanswer
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsfilter/chain.h"
#include "dnsfilter/message.h"
#include "profiles/hostname.h"

#define NAME	"www.example.com"
#define FLAG_TC 0x02 /* of the third byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s\n", what);
	abort();
}

static void check_hops(const struct dns_chain *c)
{
	size_t at = 0;

	require(c->n_hops <= DNS_HOPS_MAX && c->hops_len <= sizeof(c->hops),
		"too many aliases");
	for (unsigned i = 0; i < c->n_hops; i++) {
		struct wire_reader r = wire_reader(c->hops, c->hops_len);
		struct wire_name name, again;
		char text[HOSTNAME_BUF];

		r.pos = at;
		require(wire_get_name(&r, false, &name) &&
				hostname_from_wire(name.bytes, text) &&
				wire_name_from_text(text, &again) &&
				again.len == name.len &&
				memcmp(again.bytes, name.bytes, name.len) == 0,
			"an alias that is no canonical name");
		at = r.pos;
	}
	require(at == c->hops_len, "something between the aliases");
}

static void check_addresses(const struct dns_chain *c)
{
	size_t width = dns_addr_width(c->type);

	require(c->n_addr <= DNS_ADDRESSES_MAX, "too many addresses");
	for (unsigned i = 0; i < c->n_addr; i++)
		for (unsigned k = 0; k < i; k++)
			require(memcmp(c->addr + i * width, c->addr + k * width,
				       width) != 0,
				"an address twice");
}

static void check_rdata(const struct dns_chain *c)
{
	size_t at = 0;

	require(c->n_rdata <= DNS_RECORDS_MAX && c->rdata_len <= DNS_RDATA_MAX,
		"too many records");
	for (unsigned i = 0; i < c->n_rdata; i++)
		at += 2u + (size_t)(c->rdata[at] << 8 | c->rdata[at + 1]);
	require(at == c->rdata_len, "something between the records");
}

static void check_same(const struct dns_chain *a, const struct dns_chain *b)
{
	size_t width = dns_addr_width(a->type);

	require(a->rcode == b->rcode && a->n_addr == b->n_addr &&
			a->n_rdata == b->n_rdata &&
			a->rdata_len == b->rdata_len,
		"not the same answer");
	require(a->n_addr == 0 ||
			memcmp(a->addr, b->addr, a->n_addr * width) == 0,
		"not the same addresses");
	require(a->n_rdata == 0 ||
			memcmp(a->rdata, b->rdata, a->rdata_len) == 0,
		"not the same records");
	require(a->n_hops == b->n_hops && a->hops_len == b->hops_len &&
			memcmp(a->hops, b->hops, a->hops_len) == 0,
		"not the same aliases");
	require(a->ttl_sec == b->ttl_sec, "not the same TTL");
}

static void check_again(const struct dns_chain *c)
{
	struct dns_question q = { .type = c->type,
				  .class = DNS_CLASS_IN,
				  .udp_size = DNS_UDP_MIN,
				  .has_question = true,
				  .has_edns = true };
	struct dns_records records = dns_chain_records(c);
	struct dns_reply r = { .rcode = c->rcode,
			       .ttl_sec = c->ttl_sec,
			       .soa = dns_records_empty(&records),
			       .records = &records,
			       .ede = DNS_EDE_NONE };
	struct dns_chain again;
	uint8_t buf[DNS_ANSWER_MAX];
	size_t len;

	require(wire_name_from_text(NAME, &q.name), "no name");
	require(dns_build_reply(&q, &r, DNS_UDP_MIN, buf) <= DNS_UDP_MIN,
		"too big for the client");
	len = dns_build_reply(&q, &r, sizeof(buf), buf);
	require(!(buf[2] & FLAG_TC), "no room for the largest answer");
	require(dns_parse_answer(buf, len, NAME, c->type, &again) == 0,
		"an answer that cannot be read");
	check_same(c, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_TYPE_A,	DNS_TYPE_AAAA,
					  DNS_TYPE_PTR, DNS_TYPE_MX,
					  DNS_TYPE_TXT, DNS_TYPE_SRV,
					  DNS_TYPE_CAA };
	struct dns_chain c;
	uint16_t type;

	if (size < 1)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	if (dns_parse_answer(data + 1, size - 1, NAME, type, &c) < 0)
		return 0;
	require(c.type == type && (c.rcode == DNS_RCODE_NOERROR ||
				   c.rcode == DNS_RCODE_NXDOMAIN),
		"another answer");
	require(c.ttl_sec >= DNS_TTL_MIN_SEC && c.ttl_sec <= DNS_TTL_MAX_SEC,
		"a TTL out of bounds");
	check_hops(&c);
	if (dns_type_is_address(type)) {
		require(c.n_rdata == 0, "records of another kind");
		check_addresses(&c);
	} else {
		require(c.n_addr == 0, "addresses of another kind");
		check_rdata(&c);
	}
	check_again(&c);
	return 0;
}
