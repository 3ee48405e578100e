/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of packets that the command made: each field, each truncation
 * and noise.  Packets lie at the end of exact allocations, so that a sanitizer
 * sees every byte too many. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netns/packet.h"

#define PACKET_MAX 512

struct sample {
	uint8_t data[PACKET_MAX];
	size_t len;
};

static bool parse(const uint8_t *data, size_t len, struct packet_info *ret)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy, data, len);
	memset(ret, 0xa5, sizeof(*ret));
	good = packet_parse(copy, len, ret);
	free(copy);
	return good;
}

static void put(struct sample *s, const void *data, size_t len)
{
	assert_true(s->len + len <= sizeof(s->data));
	memcpy(s->data + s->len, data, len);
	s->len += len;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

/* words: header length in 32-bit words; fragment: the field of RFC 791. */
static struct sample ipv4(uint8_t protocol, uint8_t words, uint16_t fragment)
{
	struct sample s = { .len = 0 };
	struct addr src = addr_of("192.0.0.2");
	struct addr dst = addr_of("203.0.113.9");
	uint8_t header[20] = { (uint8_t)(0x40 | words), 0 };

	header[6] = (uint8_t)(fragment >> 8);
	header[7] = (uint8_t)fragment;
	header[8] = 64;
	header[9] = protocol;
	memcpy(header + 12, src.bytes, 4);
	memcpy(header + 16, dst.bytes, 4);
	put(&s, header, sizeof(header));
	for (unsigned i = 5; i < words; i++)
		put(&s, "\x01\x01\x01", 4); /* no-operation, end */
	return s;
}

static struct sample ipv6(uint8_t next)
{
	struct sample s = { .len = 0 };
	struct addr src = addr_of("2001:2::2");
	struct addr dst = addr_of("2001:db8::9");
	uint8_t header[40] = { 0x60, [6] = next, [7] = 64 };

	memcpy(header + 8, src.bytes, 16);
	memcpy(header + 24, dst.bytes, 16);
	put(&s, header, sizeof(header));
	return s;
}

/* An extension header of 8 + 8 * units bytes. */
static void put_extension(struct sample *s, uint8_t next, uint8_t units)
{
	uint8_t fixed[8] = { next, units };
	static const uint8_t more[8] = { 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff, 0xff };

	put(s, fixed, sizeof(fixed));
	for (uint8_t i = 0; i < units; i++)
		put(s, more, sizeof(more));
}

/* Ports 40000 and 443, and the rest of a TCP header. */
static void put_ports(struct sample *s)
{
	static const uint8_t tcp[20] = { 0x9c, 0x40, 0x01, 0xbb };

	put(s, tcp, sizeof(tcp));
}

static void check(const struct sample *s, uint8_t protocol, bool ports)
{
	bool v6 = s->data[0] >> 4 == 6;
	struct addr src = addr_of(v6 ? "2001:2::2" : "192.0.0.2");
	struct addr dst = addr_of(v6 ? "2001:db8::9" : "203.0.113.9");
	struct packet_info info;

	assert_true(parse(s->data, s->len, &info));
	assert_true(addr_equal(&info.src, &src));
	assert_true(addr_equal(&info.dst, &dst));
	assert_int_equal(info.protocol, protocol);
	assert_int_equal(info.has_ports, ports);
	assert_int_equal(info.src_port, ports ? 40000 : 0);
	assert_int_equal(info.dst_port, ports ? 443 : 0);
}

static void test_ipv4(void **state)
{
	struct sample s = ipv4(IPPROTO_TCP, 5, 0);

	(void)state;
	put_ports(&s);
	check(&s, IPPROTO_TCP, true);
	s = ipv4(IPPROTO_TCP, 15, 0x4000); /* longest header; don't fragment */
	put_ports(&s);
	check(&s, IPPROTO_TCP, true);
	s = ipv4(IPPROTO_ICMP, 5, 0);
	put_ports(&s);
	check(&s, IPPROTO_ICMP, false);
}

/* Only the first fragment has ports, wherever the flags stand. */
static void test_ipv4_fragments(void **state)
{
	static const struct {
		uint16_t field;
		bool ports;
	} cases[] = {
		{ 0x2000, true },  { 0x6000, true },  { 0x0001, false },
		{ 0x2001, false }, { 0x1fff, false }, { 0x1000, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample s = ipv4(IPPROTO_UDP, 5, cases[i].field);

		put_ports(&s);
		check(&s, IPPROTO_UDP, cases[i].ports);
	}
}

/* A header shorter than 20 bytes is none (RFC 791 3.1). */
static void test_ipv4_short_header(void **state)
{
	struct packet_info info;

	(void)state;
	for (uint8_t words = 0; words < 5; words++) {
		struct sample s = ipv4(IPPROTO_TCP, words, 0);

		put_ports(&s);
		assert_false(parse(s.data, s.len, &info));
	}
}

static void test_ipv6(void **state)
{
	struct sample s = ipv6(IPPROTO_TCP);

	(void)state;
	put_ports(&s);
	check(&s, IPPROTO_TCP, true);
	s = ipv6(IPPROTO_ICMPV6);
	put_ports(&s);
	check(&s, IPPROTO_ICMPV6, false);
	s = ipv6(IPPROTO_NONE);
	check(&s, IPPROTO_NONE, false);
}

static void test_ipv6_extensions(void **state)
{
	struct sample s = ipv6(IPPROTO_HOPOPTS);

	(void)state;
	put_extension(&s, IPPROTO_DSTOPTS, 0);
	put_extension(&s, IPPROTO_ROUTING, 3);
	put_extension(&s, IPPROTO_UDP, 1);
	put_ports(&s);
	check(&s, IPPROTO_UDP, true);

	/* What is behind a fragment header may be the middle of a packet. */
	s = ipv6(IPPROTO_HOPOPTS);
	put_extension(&s, IPPROTO_FRAGMENT, 0);
	put_extension(&s, IPPROTO_UDP, 0);
	put_ports(&s);
	check(&s, IPPROTO_FRAGMENT, false);

	/* A length that leads far behind the end. */
	s = ipv6(IPPROTO_DSTOPTS);
	put_extension(&s, IPPROTO_TCP, 0);
	s.data[41] = 255;
	put_ports(&s);
	check(&s, IPPROTO_TCP, false);
}

/* Any number of extension headers ends the walk somewhere. */
static void test_ipv6_many_extensions(void **state)
{
	struct sample s = ipv6(IPPROTO_DSTOPTS);
	struct packet_info info;

	(void)state;
	while (s.len + 8 <= sizeof(s.data))
		put_extension(&s, IPPROTO_DSTOPTS, 0);
	assert_true(parse(s.data, s.len, &info));
	assert_int_equal(info.protocol, IPPROTO_DSTOPTS);
	assert_false(info.has_ports);
}

/* Ports are told only if all four bytes are there; nothing shorter than a
 * header parses; nothing is read behind the end. */
static void cut_everywhere(const struct sample *s, size_t header, size_t ports)
{
	for (size_t len = 0; len <= s->len; len++) {
		struct packet_info info;

		assert_int_equal(parse(s->data, len, &info), len >= header);
		assert_int_equal(info.has_ports, len >= ports + 4);
	}
}

static void test_truncations(void **state)
{
	struct sample s = ipv4(IPPROTO_TCP, 8, 0);

	(void)state;
	put_ports(&s);
	cut_everywhere(&s, 20, 32);
	s = ipv6(IPPROTO_HOPOPTS);
	put_extension(&s, IPPROTO_ROUTING, 1);
	put_extension(&s, IPPROTO_DSTOPTS, 0);
	put_extension(&s, IPPROTO_SCTP, 2);
	put_ports(&s);
	cut_everywhere(&s, 40, 40 + 16 + 8 + 24);
}

static void test_other_versions(void **state)
{
	struct packet_info info;

	(void)state;
	for (unsigned version = 0; version < 16; version++) {
		struct sample s = ipv4(IPPROTO_TCP, 15, 0);

		s.data[0] = (uint8_t)(version << 4 | 15);
		put_ports(&s);
		assert_int_equal(parse(s.data, s.len, &info),
				 version == 4 || version == 6);
	}
}

/* Noise with a believable start; the seed is fixed, so a failure repeats. */
static void test_noise(void **state)
{
	static const uint8_t protocols[] = {
		IPPROTO_TCP,	 IPPROTO_UDP,	  IPPROTO_HOPOPTS,
		IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT,
	};
	unsigned seed = 20261123;
	uint8_t data[160];

	(void)state;
	for (int round = 0; round < 50000; round++) {
		size_t len = (size_t)rand_r(&seed) % (sizeof(data) + 1);
		bool v6 = rand_r(&seed) % 2;
		struct packet_info info;

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)(rand_r(&seed) >> 7);
		if (round % 8 != 0) {
			data[0] =
				(uint8_t)((v6 ? 0x60 : 0x40) | (data[0] & 15));
			data[v6 ? 6 : 9] = protocols[(size_t)rand_r(&seed) %
						     sizeof(protocols)];
			for (size_t i = 40; i < sizeof(data); i += 8)
				if (rand_r(&seed) % 2) {
					data[i] = protocols[i % 6];
					data[i + 1] &= 3;
				}
		}
		if (!parse(data, len, &info))
			continue;
		assert_int_equal(info.src.family, info.dst.family);
		assert_int_equal(info.src.family,
				 data[0] >> 4 == 6 ? AF_INET6 : AF_INET);
		assert_true(info.has_ports ||
			    (info.src_port == 0 && info.dst_port == 0));
	}
}

static void test_protocol_names(void **state)
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} names[] = {
		{ IPPROTO_TCP, "tcp" },		{ IPPROTO_UDP, "udp" },
		{ IPPROTO_UDPLITE, "udplite" }, { IPPROTO_SCTP, "sctp" },
		{ IPPROTO_DCCP, "dccp" },	{ IPPROTO_ICMP, "icmp" },
		{ IPPROTO_ICMPV6, "icmpv6" },	{ IPPROTO_GRE, "gre" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(packet_protocol_name(names[i].protocol),
				    names[i].name);
	assert_null(packet_protocol_name(IPPROTO_FRAGMENT));
	assert_null(packet_protocol_name(254));
	/* Those with ports, in one packet each. */
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		struct sample s = ipv4((uint8_t)protocol, 5, 0);
		bool ports =
			protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
			protocol == IPPROTO_UDPLITE ||
			protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;

		put_ports(&s);
		check(&s, (uint8_t)protocol, ports);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_ipv4_short_header),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_ipv6_extensions),
		cmocka_unit_test(test_ipv6_many_extensions),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_other_versions),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_protocol_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
