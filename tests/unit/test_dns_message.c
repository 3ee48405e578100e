/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dnsfilter/chain.h"
#include "tests/unit/dns_build.h"

static struct msg m;
static struct dns_question q;
static uint8_t out[DNS_ANSWER_MAX];

static int parse(void)
{
	return dns_parse_query(m.b, m.len, &q);
}

static unsigned out16(size_t at)
{
	return (unsigned)out[at] << 8 | out[at + 1];
}

static void test_plain_query(void **state)
{
	(void)state;
	m_query(&m, 0x1234, "WwW.eXample", 1);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.type, DNS_TYPE_A);
	assert_int_equal(q.class, DNS_CLASS_IN);
	assert_int_equal(q.udp_size, 512);
	assert_true(q.rd);
	assert_false(q.has_edns);
	assert_memory_equal(q.name.bytes, "\3WwW\7eXample\0", 13);
	for (size_t n = 0; n < m.len; n++) /* every prefix is refused */
		assert_int_equal(dns_parse_query(m.b, n, &q),
				 n < 12 ? -1 : DNS_RCODE_FORMERR);
	m_raw(&m, "trailing bytes", 14);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
}

static void test_header_ladder(void **state)
{
	(void)state;
	m_query(&m, 1, "example", 1);
	m_set16(&m, 2, 0x8180); /* an answer */
	assert_int_equal(parse(), -1);
	m_set16(&m, 2, 0x2800); /* UPDATE */
	assert_int_equal(parse(), DNS_RCODE_NOTIMP);
	assert_int_equal(q.opcode, 5);
	assert_false(q.has_question);
	m_set16(&m, 2, 0x0140); /* the reserved bit is ignored */
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	m_set16(&m, 4, 0);
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	m_set16(&m, 4, 2);
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	m_set16(&m, 4, 1);
	m_set16(&m, 6, 1);
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	m_set16(&m, 6, 0);
	m_set16(&m, 10, 1); /* a record that is not there */
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	m_query(&m, 1, "example", DNS_TYPE_IXFR);
	m_set16(&m, 8, 1);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
}

static void test_odd_names(void **state)
{
	(void)state;
	/* a compression pointer */
	m_header(&m, 1, 0x0100, 1, 0, 0, 0);
	m_raw(&m, "\1a\300\014\0\1\0\1", 8);
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	/* NUL, dot and control characters are read as they are */
	m_header(&m, 1, 0x0100, 1, 0, 0, 0);
	m_raw(&m, "\5a\0.\n\377\0\0\1\0\1", 11);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_memory_equal(q.name.bytes, "\5a\0.\n\377\0", 7);
	/* the root */
	m_query(&m, 1, "", 2);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_int_equal(q.name.len, 1);
	/* 64 bytes */
	m_header(&m, 1, 0x0100, 1, 0, 0, 0);
	m_u8(&m, 64);
	memset(m.b + m.len, 'a', 64);
	m.len += 64;
	m_raw(&m, "\0\0\1\0\1", 5);
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
}

static void test_edns(void **state)
{
	(void)state;
	m_query(&m, 1, "example", 1);
	m_opt(&m, 4096, 0, "\xfd\xe9\0\3abc", 7);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_true(q.has_edns);
	assert_int_equal(q.udp_size, 1232);
	m_opt(&m, 4096, 0, "", 0); /* a second */
	assert_int_equal(parse(), DNS_RCODE_FORMERR);

	m_query(&m, 1, "example", 1);
	m_opt(&m, 100, 0, "", 0);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_int_equal(q.udp_size, 512);
	m_query(&m, 1, "example", 1);
	m_opt(&m, 1000, 0, "", 0);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_int_equal(q.udp_size, 1000);
	m_query(&m, 1, "example", 1);
	m_opt(&m, 1000, 1, "", 0);
	assert_int_equal(parse(), DNS_RCODE_BADVERS);
	m_query(&m, 1, "example", 1);
	m_opt(&m, 1000, 0, "\0\12\0\11x", 5); /* the option is cut */
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	m_query(&m, 1, "example", 1);
	m_rr(&m, M_ADDITIONAL, "a", 41, 0, "", 0); /* not the root */
	assert_int_equal(parse(), DNS_RCODE_FORMERR);
	m_query(&m, 1, "example", 1);
	m_rr(&m, M_ADDITIONAL, "key", 250, 0, "xyz", 3); /* TSIG: ignored */
	m_opt(&m, 1000, 0, "", 0);
	assert_int_equal(parse(), DNS_RCODE_NOERROR);
	assert_true(q.has_edns);
}

static void test_reject_has_only_what_was_read(void **state)
{
	struct dns_reply r = { .rcode = DNS_RCODE_BADVERS,
			       .ede = DNS_EDE_NONE };
	size_t n;

	(void)state;
	m_query(&m, 7, "Example", 1);
	m_opt(&m, 1000, 3, "", 0);
	assert_int_equal(parse(), DNS_RCODE_BADVERS);
	n = dns_build_reply(&q, &r, 512, out);
	assert_int_equal(n, 12 + 13 + 11);
	assert_int_equal(out16(0), 7);
	assert_int_equal(out16(2), 0x8180);
	assert_int_equal(out16(10), 1);
	assert_memory_equal(out + 12, "\7Example\0\0\1\0\1", 13);
	assert_memory_equal(out + 25, "\0\0\51\4\320\1\0\0\0\0\0", 11);

	m_query(&m, 7, "example", 1);
	m_set16(&m, 2, 0x2100);
	r.rcode = (uint16_t)parse();
	n = dns_build_reply(&q, &r, 512, out);
	assert_int_equal(n, 12);
	assert_int_equal(out16(2), 0xa184); /* opcode and RD copied */
	assert_int_equal(out16(4), 0);
}

static void test_denial(void **state)
{
	struct dns_reply r = { .rcode = DNS_RCODE_NXDOMAIN,
			       .ttl_sec = 5,
			       .soa = true,
			       .ede = DNS_EDE_BLOCKED,
			       .ede_text = "no" };
	struct wire_reader rd;
	size_t n;

	(void)state;
	m_query(&m, 7, "eVil.test", 28);
	assert_int_equal(parse(), 0);
	n = dns_build_reply(&q, &r, 512, out);
	assert_int_equal(n, 12 + 15 + 33); /* no OPT if none was sent */
	assert_int_equal(out16(2), 0x8183);
	assert_int_equal(out16(8), 1);
	assert_int_equal(out16(10), 0);
	rd = wire_reader(out, n);
	rd.pos = 27 + 11;
	assert_int_equal(n - rd.pos, 22);
	rd.pos = n - 4;
	assert_int_equal(wire_get_u32(&rd), 5);

	m_opt(&m, 1232, 0, "", 0);
	assert_int_equal(parse(), 0);
	n = dns_build_reply(&q, &r, 512, out);
	assert_int_equal(n, 12 + 15 + 33 + 11 + 8);
	assert_memory_equal(out + n - 10, "\0\10\0\17\0\4\0\17no", 10);
}

static void test_long_text_is_left_out(void **state)
{
	char name[254], text[DNS_EDE_TEXT_MAX];
	struct dns_reply r = { .rcode = DNS_RCODE_NXDOMAIN,
			       .soa = true,
			       .ede = DNS_EDE_BLOCKED,
			       .ede_text = text };
	size_t n;

	(void)state;
	memset(name, 'a', 253);
	name[253] = '\0';
	name[63] = name[127] = name[191] = '.';
	memset(text, 't', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	m_query(&m, 7, name, 1);
	m_opt(&m, 512, 0, "", 0);
	assert_int_equal(parse(), 0);
	n = dns_build_reply(&q, &r, 512, out);
	assert_int_equal(n, 12 + 259 + 33 + 17);
	n = dns_build_reply(&q, &r, 1232, out);
	assert_int_equal(n, 12 + 259 + 33 + 17 + 319);
}

/* Builds an answer and reads it back with the parser for upstream's. */
static void test_records_come_back(void **state)
{
	static const uint8_t hops[] = "\2c1\7example\0\2c2\4test\0";
	static const uint8_t addr[] = { 192, 0, 2, 1, 192, 0, 2, 2 };
	struct dns_records s = { .type = DNS_TYPE_A,
				 .n_hops = 2,
				 .n_addr = 2,
				 .hops_len = 21,
				 .hops = hops,
				 .addr = addr };
	struct dns_reply r = { .ttl_sec = 77,
			       .records = &s,
			       .ede = DNS_EDE_NONE };
	static struct dns_chain c;
	size_t n;

	(void)state;
	m_query(&m, 7, "WWW.example", 1);
	m_opt(&m, 1232, 0, "", 0);
	assert_int_equal(parse(), 0);
	n = dns_build_reply(&q, &r, 512, out);
	assert_int_equal(out16(6), 4);
	assert_int_equal(dns_parse_answer(out, n, "www.example", 1, &c), 0);
	assert_int_equal(c.ttl_sec, 77);
	assert_int_equal(c.n_hops, 2);
	assert_int_equal(c.hops_len, 21);
	assert_memory_equal(c.hops, hops, 21);
	assert_int_equal(c.n_addr, 2);
	assert_memory_equal(c.addr, addr, 8);
	for (size_t cut = 0; cut < n - 11; cut++)
		assert_true(dns_parse_answer(out, cut, "www.example", 1, &c) <
			    0);
}

static void test_truncation(void **state)
{
	uint8_t addr[64 * 16];
	struct dns_records s = { .type = DNS_TYPE_AAAA,
				 .n_addr = 64,
				 .addr = addr };
	struct dns_reply r = { .ttl_sec = 1,
			       .records = &s,
			       .ede = DNS_EDE_NONE };
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(addr); i++)
		addr[i] = (uint8_t)(i / 16);
	m_query(&m, 7, "example", 28);
	m_opt(&m, 4096, 0, "", 0);
	assert_int_equal(parse(), 0);
	n = dns_build_reply(&q, &r, q.udp_size, out);
	assert_int_equal(n, 12 + 13 + 11);
	assert_int_equal(out16(2), 0x8380);
	assert_int_equal(out16(6), 0);
	assert_int_equal(out16(10), 1);
	n = dns_build_reply(&q, &r, DNS_ANSWER_MAX, out);
	assert_int_equal(n, 12 + 13 + 64 * 28 + 11);
	assert_int_equal(out16(2), 0x8180);
	/* exactly what fits */
	s.n_addr = (1232 - 36) / 28;
	n = dns_build_reply(&q, &r, 1232, out);
	assert_int_equal(out16(6), s.n_addr);
	assert_true(n <= 1232);
	s.n_addr++;
	n = dns_build_reply(&q, &r, 1232, out);
	assert_int_equal(n, 36);
}

/* Whatever comes in, the answer is well-formed and within its limit. */
static void test_random_queries(void **state)
{
	uint64_t seed = 88172645463325252u;
	struct dns_reply r = {
		.rcode = 3, .soa = true, .ede = 15, .ede_text = "text"
	};

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t n;

		m_query(&m, 7, "www.example.test", 1);
		m_opt(&m, m_random(&seed), 0, "\0\12\0\2xy", 6);
		for (int k = m_random(&seed) % 6; k > 0; k--)
			m.b[m_random(&seed) % m.len] = (uint8_t)m_random(&seed);
		if (m_random(&seed) % 4 == 0)
			m.len = m_random(&seed) % m.len;
		if (parse() < 0)
			continue;
		n = dns_build_reply(&q, &r, q.udp_size, out);
		assert_in_range(n, 12, q.udp_size);
		assert_true(out[2] & 0x80);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_query),
		cmocka_unit_test(test_header_ladder),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_edns),
		cmocka_unit_test(test_reject_has_only_what_was_read),
		cmocka_unit_test(test_denial),
		cmocka_unit_test(test_long_text_is_left_out),
		cmocka_unit_test(test_records_come_back),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_random_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
