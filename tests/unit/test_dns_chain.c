/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken from upstream answers. */
#include "dnsfilter/chain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dns_build.h"

static struct msg m;
static struct dns_chain c;

static void begin(const char *name, unsigned type)
{
	m_header(&m, 9, 0x8180, 1, 0, 0, 0);
	m_question(&m, name, type);
}

static int parse(const char *name)
{
	return dns_parse_answer(m.b, m.len, name, DNS_TYPE_A, &c);
}

static void test_plain(void **state)
{
	(void)state;
	begin("WWW.Example", 1);
	m_a(&m, "wWw.example", 300, 1);
	m_a(&m, "www.example", 200, 2);
	m_a(&m, "www.example", 400, 1); /* twice */
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.rcode, 0);
	assert_int_equal(c.n_addr, 2);
	assert_int_equal(c.n_hops, 0);
	assert_int_equal(c.ttl_sec, 200);
	assert_memory_equal(c.addr, "\300\0\2\1\300\0\2\2", 8);
}

static void test_not_the_question(void **state)
{
	(void)state;
	begin("other.example", 1);
	m_a(&m, "other.example", 300, 1);
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 28);
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 1);
	m_a(&m, "www.example", 300, 1);
	m_set16(&m, 2, 0x0100); /* a query */
	assert_int_equal(parse("www.example"), -EBADMSG);
	m_set16(&m, 2, 0x8380); /* truncated */
	assert_int_equal(parse("www.example"), -EBADMSG);
	m_set16(&m, 2, 0x8182); /* SERVFAIL */
	assert_int_equal(parse("www.example"), -EBADMSG);
	m_set16(&m, 2, 0x8180);
	m_set16(&m, 4, 2);
	assert_int_equal(parse("www.example"), -EBADMSG);
	m_set16(&m, 4, 0);
	assert_int_equal(parse("www.example"), -EBADMSG);
}

static void test_unrelated_records(void **state)
{
	static const uint8_t addr[4] = { 192, 0, 2, 66 };

	(void)state;
	begin("www.example", 1);
	m_a(&m, "evil.example", 1, 66);
	m_a(&m, "www.example", 300, 1);
	m_rr(&m, M_ANSWER, "www.example", 16, 1, "\1x", 2);   /* TXT */
	m_rr(&m, M_ANSWER, "www.example", 39, 1, "\1x\0", 3); /* DNAME */
	m_rr(&m, M_AUTHORITY, "www.example", 1, 1, addr, 4);
	m_rr(&m, M_ADDITIONAL, "www.example", 1, 1, addr, 4);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_addr, 1);
	assert_int_equal(c.addr[3], 1);
	assert_int_equal(c.ttl_sec, 300);

	begin("www.example", 1);
	m_a(&m, "www.example", 300, 1);
	m_set16(&m, m.len - 12, 3); /* class CHAOS */
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_addr, 0);

	begin("www.example", 1);
	m_rr(&m, M_ANSWER, "www.example", 1, 9, addr, 3); /* short */
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 1);
	m_rr(&m, M_ANSWER, "www.example", 28, 9, "0123456789abcdef", 16);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_addr, 0);
}

static void test_aliases(void **state)
{
	(void)state;
	begin("www.example", 1); /* in any order */
	m_a(&m, "cdn.test", 50, 1);
	m_cname(&m, "b.example", 40, "CDN.test");
	m_cname(&m, "www.example", 60, "b.example");
	m_a(&m, "b.example", 1, 66); /* seen first: it ends the chain */
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_hops, 1);
	assert_int_equal(c.addr[3], 66);

	begin("www.example", 1);
	m_a(&m, "cdn.test", 50, 1);
	m_cname(&m, "b.example", 40, "CDN.test");
	m_cname(&m, "www.example", 60, "b.example");
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_hops, 2);
	assert_int_equal(c.ttl_sec, 40);
	assert_int_equal(c.hops_len, 21);
	assert_memory_equal(c.hops, "\1b\7example\0\3cdn\4test\0", 21);

	begin("www.example", 1); /* leads nowhere: no data */
	m_cname(&m, "www.example", 60, "b.example");
	m_soa(&m, 100, 20);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_addr, 0);
	assert_int_equal(c.n_hops, 0);
	assert_int_equal(c.ttl_sec, 20);
}

static void test_bad_aliases(void **state)
{
	char from[32], to[32];

	(void)state;
	begin("www.example", 1);
	m_cname(&m, "www.example", 60, "www.example");
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 1);
	m_cname(&m, "www.example", 60, "a.example");
	m_cname(&m, "a.example", 60, "b.example");
	m_cname(&m, "b.example", 60, "A.example");
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 1);
	m_cname(&m, "www.example", 60, "a b.example");
	m_a(&m, "a b.example", 60, 1);
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 1);
	m_rr(&m, M_ANSWER, "www.example", 5, 60, "\1a\0x", 4); /* excess */
	assert_int_equal(parse("www.example"), -EBADMSG);
	begin("www.example", 1);
	m_cname(&m, "www.example", 60, "");
	assert_int_equal(parse("www.example"), -EBADMSG);

	for (unsigned n = 8; n <= 9; n++) { /* eight hops are allowed */
		begin("h0.example", 1);
		for (unsigned i = 0; i < n; i++) {
			(void)snprintf(from, sizeof(from), "h%u.example", i);
			(void)snprintf(to, sizeof(to), "h%u.example", i + 1);
			m_cname(&m, from, 60, to);
		}
		m_a(&m, to, 60, 1);
		assert_int_equal(parse("h0.example"), n == 8 ? 0 : -EBADMSG);
	}
}

static void test_ttl(void **state)
{
	(void)state;
	begin("www.example", 1);
	m_a(&m, "www.example", 86400, 1);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.ttl_sec, DNS_TTL_MAX_SEC);
	begin("www.example", 1);
	m_a(&m, "www.example", 0x80000000u, 1);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.ttl_sec, DNS_TTL_MIN_SEC);
}

static void test_negative(void **state)
{
	(void)state;
	begin("www.example", 1);
	m_set16(&m, 2, 0x8183);
	m_a(&m, "www.example", 9, 1); /* a contradiction: the RCODE counts */
	m_soa(&m, 3600, 3600);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.rcode, DNS_RCODE_NXDOMAIN);
	assert_int_equal(c.n_addr, 0);
	assert_int_equal(c.ttl_sec, DNS_NEG_TTL_MAX_SEC);
	begin("www.example", 1);
	m_soa(&m, 0, 3600);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.rcode, DNS_RCODE_NOERROR);
	assert_int_equal(c.ttl_sec, DNS_NEG_TTL_MIN_SEC);
	begin("www.example", 1);
	assert_int_equal(parse("www.example"), 0);
	assert_in_range(c.ttl_sec, 1, 30);
	begin("www.example", 1);
	m_rr(&m, M_AUTHORITY, "example", 6, 9, "\0\0\0", 3); /* broken SOA */
	assert_int_equal(parse("www.example"), 0);
	assert_in_range(c.ttl_sec, 1, 30);
}

static void test_many(void **state)
{
	(void)state;
	begin("www.example", 1);
	for (unsigned i = 0; i < 200; i++)
		m_a(&m, "www.example", 60, i);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_addr, DNS_ADDRESSES_MAX);
	begin("www.example", 1); /* nothing useful among the first 512 */
	for (unsigned i = 0; i < 2000; i++)
		m_a(&m, "x.example", 60, i);
	m_a(&m, "www.example", 60, 1);
	assert_int_equal(parse("www.example"), 0);
	assert_int_equal(c.n_addr, 0);
}

static int parse_type(uint16_t type)
{
	return dns_parse_answer(m.b, m.len, "www.example", type, &c);
}

/* Each record's data as it came and as it leaves; NULL: malformed. */
static void test_rdata(void **state)
{
#define DATA(x) x, sizeof(x) - 1
	static const struct {
		uint16_t type;
		const char *in;
		size_t in_len;
		const char *out;
		size_t out_len;
	} cases[] = {
		/* A pointer to the question becomes the name. */
		{ 15, DATA("\0\12\2MX\300\14"),
		  DATA("\0\12\2mx\3www\7example\0") },
		{ 15, DATA("\0\0\0"), DATA("\0\0\0") }, /* RFC 7505 */
		{ 15, DATA("\0\12\1a\0x"), NULL, 0 },
		{ 15, DATA("\0\12\1a"), NULL, 0 },
		{ 15, DATA("\0\12\1\33\0"), NULL, 0 },
		{ 15, DATA("\0"), NULL, 0 },
		{ 12, DATA("\1A\0"), DATA("\1a\0") },
		{ 12, DATA(""), NULL, 0 },
		{ 16, DATA("\0"), DATA("\0") },
		{ 16, DATA("\3a\0b\1c"), DATA("\3a\0b\1c") },
		{ 16, DATA("\3ab"), NULL, 0 },
		{ 16, DATA("\1a\1"), NULL, 0 },
		{ 16, DATA(""), NULL, 0 },
		{ 33, DATA("\0\1\0\2\1\273\4_srv\0"),
		  DATA("\0\1\0\2\1\273\4_srv\0") },
		{ 33, DATA("\0\1\0\2\1"), NULL, 0 },
		{ 257, DATA("\200\5issue;"), DATA("\200\5issue;") },
		{ 257, DATA("\0\5issue"), DATA("\0\5issue") },
		{ 257, DATA("\0\0x"), NULL, 0 },
		{ 257, DATA("\0\7issue"), NULL, 0 },
		{ 2, DATA("\1a\0"), NULL, 0 }, /* not one of ours */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc;

		begin("www.example", cases[i].type);
		m_rr(&m, M_ANSWER, "www.example", cases[i].type, 60,
		     cases[i].in, cases[i].in_len);
		/* So that a name that runs on finds something. */
		m_rr(&m, M_ADDITIONAL, "x", 1, 60, "\1x\0\0", 4);
		rc = parse_type(cases[i].type);
		if (rc != (cases[i].out ? 0 : -EBADMSG))
			fail_msg("case %zu: %d", i, rc);
		if (!cases[i].out)
			continue;
		assert_int_equal(c.n_rdata, 1);
		assert_int_equal(c.rdata_len, 2 + cases[i].out_len);
		assert_int_equal(c.rdata[0] << 8 | c.rdata[1],
				 cases[i].out_len);
		assert_memory_equal(c.rdata + 2, cases[i].out,
				    cases[i].out_len);
	}
}

static void test_much_rdata(void **state)
{
	static char text[256] = "\377";

	(void)state;
	begin("www.example", 16);
	for (int i = 0; i < 14; i++)
		m_rr(&m, M_ANSWER, "www.example", 16, 60, text, 256);
	assert_int_equal(parse_type(16), 0);
	assert_int_equal(c.n_rdata, 14);
	begin("www.example", 16);
	for (int i = 0; i < 65; i++)
		m_rr(&m, M_ANSWER, "www.example", 16, 60, "\1x", 2);
	assert_int_equal(parse_type(16), 0);
	assert_int_equal(c.n_rdata, DNS_RECORDS_MAX);
	assert_int_equal(c.rdata_len, 4 * DNS_RECORDS_MAX);
}

static void test_extended_rcode(void **state)
{
	(void)state;
	for (uint32_t rcode = 0; rcode < 256; rcode += 51) {
		begin("www.example", 1);
		m_a(&m, "www.example", 60, 1);
		m_soa(&m, 60, 60);
		m_rr(&m, M_ADDITIONAL, "x", 1, 60, "\1\2\3\4", 4);
		m_rr(&m, M_ADDITIONAL, "", 41, rcode << 24 | 0x8000, "", 0);
		assert_int_equal(parse("www.example"), rcode ? -EBADMSG : 0);
	}
}

static void test_keep(void **state)
{
	static const uint8_t addr[3][16] = { { 1 }, { 2 }, { 3 } };

	(void)state;
	dns_chain_init(&c, DNS_TYPE_AAAA, 1);
	for (unsigned i = 0; i < 3; i++)
		dns_chain_add(&c, addr[i]);
	dns_chain_keep(&c, 5);
	assert_int_equal(c.n_addr, 2);
	assert_int_equal(dns_chain_addr(&c, 1).bytes[0], 3);
	assert_int_equal(dns_chain_addr(&c, 1).family, AF_INET6);
	dns_chain_keep(&c, 0);
	assert_int_equal(c.n_addr, 0);
}

/* No prefix is taken for the whole, no damage leads astray. */
static void test_damaged(void **state)
{
	uint64_t seed = 88172645463325252u;
	size_t end;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		begin("www.example", 1);
		m_cname(&m, "www.example", 60, "b.example");
		m_cname(&m, "b.example", 60, "c.example");
		m_a(&m, "c.example", 60, 1);
		end = m.len;
		m_soa(&m, 10, 10);
		if (i < (int)end) {
			m.len = (size_t)i;
			assert_int_equal(parse("www.example"), -EBADMSG);
			continue;
		}
		for (int k = m_random(&seed) % 8; k > 0; k--)
			m.b[m_random(&seed) % m.len] =
				m_random(&seed) % 3 ? (uint8_t)m_random(&seed)
						    : 0xc0;
		if (parse("www.example") == 0) {
			assert_true(c.n_addr <= DNS_ADDRESSES_MAX);
			assert_true(c.n_hops <= DNS_HOPS_MAX);
			assert_true(c.hops_len <= sizeof(c.hops));
			assert_true(c.ttl_sec <= DNS_TTL_MAX_SEC);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_not_the_question),
		cmocka_unit_test(test_unrelated_records),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_bad_aliases),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_negative),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_rdata),
		cmocka_unit_test(test_much_rdata),
		cmocka_unit_test(test_extended_rcode),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
