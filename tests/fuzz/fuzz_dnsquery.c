/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of the DNS filter may send.  Nothing must crash, and: the name
 * that the policy sees is the one that would be asked upstream; a name is
 * resolved only if it is what the pattern says; an answer fits its limit,
 * holds the question as it came, and is read by our own reader as what was
 * put into it.
 *
 *   make fuzz-bins CC=clang SANITIZE=1 FUZZ=1 BUILD=build-fuzz
 *   build-fuzz/fuzz/fuzz_dnsquery tests/fuzz/corpus/dnsquery
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsfilter/chain.h"
#include "dnsfilter/message.h"
#include "dnsfilter/policy.h"
#include "profiles/hostname.h"

#define ALLOWED ".example.com"
#define TTL_SEC 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s\n", what);
	abort();
}

static struct allowlist *make_list(void)
{
	struct allowlist *al;
	struct err e;

	require(allowlist_new(&al, &e) == 0 &&
			allowlist_add_domain(al, "*" ALLOWED, &e) == 0 &&
			allowlist_add_record_type(al, "TXT", &e) == 0 &&
			allowlist_seal(al, &e) == 0,
		"no allowlist");
	return al;
}

static void check_policy(const struct dns_question *q, const char *name)
{
	/* Made once, and what the process ends with. */
	static struct allowlist *al;
	size_t len = strlen(name);
	size_t tail = strlen(ALLOWED);
	enum policy p;

	if (!al)
		al = make_list();
	p = dns_policy_decide(al, name, q->type, q->class);
	require(p < POLICY__COUNT, "no policy");
	if (p != POLICY_RESOLVE)
		return;
	require(q->class == DNS_CLASS_IN, "a class that is not asked");
	require(dns_type_is_address(q->type) || q->type == DNS_TYPE_TXT,
		"a type that is not asked");
	require(len > tail && strcmp(name + len - tail, ALLOWED) == 0,
		"a name that is not allowed");
}

static void check_name(const struct dns_question *q,
		       char name[static HOSTNAME_BUF])
{
	struct wire_name again;
	char shown[5];

	wire_name_to_text(&q->name, shown, sizeof(shown));
	require(strnlen(shown, sizeof(shown)) < sizeof(shown), "no end");
	if (!hostname_from_wire(q->name.bytes, name)) {
		name[0] = '\0';
		return;
	}
	require(wire_name_from_text(name, &again) &&
			wire_name_equal(&again, &q->name),
		"another name would be asked than is matched");
	for (const char *p = name; *p; p++)
		require(*p == '.' || *p == '-' || *p == '_' ||
				(*p >= '0' && *p <= '9') ||
				(*p >= 'a' && *p <= 'z'),
			"a name that is not canonical");
}

static void check_reply(const struct dns_question *q, const struct dns_reply *r,
			size_t limit, uint8_t *buf)
{
	size_t len = dns_build_reply(q, r, limit, buf);
	size_t asked = q->has_question ? q->name.len + 4u : 0;

	require(len >= DNS_HEADER_LEN + asked && len <= limit,
		"a reply of a wrong size");
	require((buf[0] << 8 | buf[1]) == q->id && (buf[2] & 0x80),
		"no reply to this");
	require(!q->has_question || memcmp(buf + DNS_HEADER_LEN, q->name.bytes,
					   q->name.len) == 0,
		"another question in the reply");
}

static void fill(struct dns_chain *c, uint16_t type)
{
	dns_chain_init(c, type, TTL_SEC);
	for (uint8_t i = 0; i < DNS_ADDRESSES_MAX; i++) {
		uint8_t addr[16] = { 192, 0, 2, i };

		dns_chain_add(c, addr);
	}
}

/* Our own answer, read as one from upstream. */
static void check_addresses(const struct dns_question *q, const char *name)
{
	struct dns_chain full, seen;
	struct dns_records records;
	struct dns_reply r = { .ttl_sec = TTL_SEC,
			       .records = &records,
			       .ede = DNS_EDE_NONE };
	uint8_t buf[DNS_ANSWER_MAX];
	size_t len;

	fill(&full, q->type);
	records = dns_chain_records(&full);
	check_reply(q, &r, q->udp_size, buf);
	len = dns_build_reply(q, &r, sizeof(buf), buf);
	require(dns_parse_answer(buf, len, name, q->type, &seen) == 0 &&
			seen.n_addr == full.n_addr && seen.ttl_sec == TTL_SEC &&
			memcmp(seen.addr, full.addr,
			       full.n_addr * dns_addr_width(q->type)) == 0,
		"an answer that says something else");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[DNS_EDE_TEXT_MAX];
	char name[HOSTNAME_BUF] = "";
	struct dns_question q;
	struct dns_reply r = { .ttl_sec = 5,
			       .soa = true,
			       .ede = DNS_EDE_BLOCKED,
			       .ede_text = text };
	uint8_t buf[DNS_ANSWER_MAX];
	int rcode = dns_parse_query(data, size, &q);

	if (rcode < 0)
		return 0;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	r.rcode = (uint16_t)rcode;
	require(q.udp_size >= DNS_UDP_MIN && q.udp_size <= DNS_UDP_MAX,
		"a size of no datagram");
	check_reply(&q, &r, q.udp_size, buf);
	check_reply(&q, &r, sizeof(buf), buf);
	if (rcode != DNS_RCODE_NOERROR)
		return 0;
	check_name(&q, name);
	check_policy(&q, name);
	if (name[0] && q.class == DNS_CLASS_IN && dns_type_is_address(q.type))
		check_addresses(&q, name);
	return 0;
}
