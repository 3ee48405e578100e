/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_reader_stops_at_the_end(void **state)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct wire_reader r = wire_reader(data, sizeof(data));

	(void)state;
	assert_int_equal(wire_get_u8(&r), 1);
	assert_int_equal(wire_get_u16(&r), 0x0203);
	assert_int_equal(wire_get_u32(&r), 0x04050607);
	assert_false(r.bad);
	assert_non_null(wire_get_bytes(&r, 0));
	assert_int_equal(wire_get_u8(&r), 0);
	assert_true(r.bad);
	assert_null(wire_get_bytes(&r, 0)); /* stays bad */

	r = wire_reader(data, 3);
	assert_int_equal(wire_get_u32(&r), 0);
	assert_true(r.bad);
	r = wire_reader(data, sizeof(data));
	assert_null(wire_get_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
}

static void test_writer_stops_at_the_end(void **state)
{
	uint8_t buf[8] = { 0 };
	struct wire_writer w = wire_writer(buf, 6);

	(void)state;
	wire_put_u16(&w, 0x0102);
	wire_put_u32(&w, 0x03040506);
	assert_false(w.full);
	assert_int_equal(w.len, 6);
	wire_put_u8(&w, 9);
	assert_true(w.full);
	assert_int_equal(buf[6], 0);
	wire_set_u16(&w, 4, 0xaabb);
	wire_set_u16(&w, 5, 0xffff); /* outside: ignored */
	assert_memory_equal(buf, "\1\2\3\4\xaa\xbb\0\0", 8);
}

static bool read_name(const void *data, size_t len, size_t at, bool pointers,
		      struct wire_name *n)
{
	struct wire_reader r = wire_reader(data, len);

	r.pos = at;
	return wire_get_name(&r, pointers, n);
}

static void test_names(void **state)
{
	/* at 0: "a.b"; at 5: "c" and a pointer to 2 ("b") */
	static const uint8_t data[] = "\0\1b\0\1a\300\1\1c\300\4\300\10x";
	struct wire_reader r = wire_reader(data, sizeof(data) - 1);
	struct wire_name n;

	(void)state;
	r.pos = 4;
	assert_true(wire_get_name(&r, true, &n));
	assert_int_equal(r.pos, 8);
	assert_int_equal(n.len, 5);
	assert_memory_equal(n.bytes, "\1a\1b\0", 5);
	assert_true(wire_get_name(&r, true, &n));
	assert_int_equal(r.pos, 12);
	assert_memory_equal(n.bytes, "\1c\1a\1b\0", 7);
	assert_true(wire_get_name(&r, true, &n)); /* a pointer alone */
	assert_int_equal(n.len, 7);
	assert_int_equal(r.pos, 14);
	assert_false(read_name(data, 8, 4, false, &n));
}

static void test_bad_names(void **state)
{
	struct wire_name n;

	(void)state;
	assert_false(read_name("", 0, 0, true, &n));
	assert_false(read_name("\3ab", 3, 0, true, &n));	  /* cut */
	assert_false(read_name("\1a", 2, 0, true, &n));		  /* no end */
	assert_false(read_name("x\300", 2, 1, true, &n));	  /* half */
	assert_false(read_name("\100a\0", 3, 0, true, &n));	  /* 0x40 */
	assert_false(read_name("\200a\0", 3, 0, true, &n));	  /* 0x80 */
	assert_false(read_name("x\300\1", 3, 1, true, &n));	  /* itself */
	assert_false(read_name("x\300\3\300\1", 5, 1, true, &n)); /* forward */
	assert_false(read_name("x\1a\300\1", 5, 1, true, &n));	  /* loop */
	assert_false(read_name("\0\1a\300\0", 5, 1, true, &n));	  /* header */
	/* A label that ends in NUL, and a pointer to 0, is not the root. */
	assert_false(read_name("\0\1\0\300\0", 5, 1, true, &n));
	assert_false(read_name("x\300\377", 3, 1, true, &n)); /* outside */
}

static void test_name_length(void **state)
{
	uint8_t data[300];
	struct wire_name n;
	size_t len = 0;

	(void)state;
	/* 3 * 64 + 62 + 1 = 255 bytes */
	for (int i = 0; i < 4; i++) {
		size_t label = i < 3 ? 63 : 61;

		data[len++] = (uint8_t)label;
		memset(data + len, 'a', label);
		len += label;
	}
	data[len++] = 0;
	assert_int_equal(len, 255);
	assert_true(read_name(data, len, 0, true, &n));
	assert_int_equal(n.len, 255);
	data[192] = 62; /* one more */
	data[255] = 0;
	assert_false(read_name(data, 256, 0, true, &n));
}

/* Pointers that each lead two bytes back: they end, and are not followed for
 * ever. */
static void test_pointer_chain(void **state)
{
	uint8_t data[16384] = { 0 };
	struct wire_name n;

	(void)state;
	for (size_t at = 2; at + 1 < sizeof(data); at += 2) {
		size_t to = at == 2 ? 1 : at - 2;

		data[at] = (uint8_t)(0xc0 | to >> 8);
		data[at + 1] = (uint8_t)to;
	}
	assert_false(read_name(data, sizeof(data), 16382, true, &n));
	assert_true(read_name(data, sizeof(data), 100, true, &n));
	assert_int_equal(n.len, 1);
}

static void test_text(void **state)
{
	struct wire_name n, m;
	char buf[64];

	(void)state;
	assert_true(wire_name_from_text("www.example", &n));
	assert_memory_equal(n.bytes, "\3www\7example\0", 13);
	wire_name_to_text(&n, buf, sizeof(buf));
	assert_string_equal(buf, "www.example");
	assert_false(wire_name_from_text("a..b", &n));
	assert_false(wire_name_from_text("a.", &n));
	assert_false(wire_name_from_text(".a", &n));

	assert_true(read_name("\4a.\n\\\2\033b\0", 9, 0, false, &n));
	wire_name_to_text(&n, buf, sizeof(buf));
	assert_string_equal(buf, "a\\046\\010\\092.\\027b");
	wire_name_to_text(&n, buf, 8); /* cut at whole characters */
	assert_string_equal(buf, "a\\046");
	assert_true(read_name("", 1, 0, false, &n));
	wire_name_to_text(&n, buf, sizeof(buf));
	assert_string_equal(buf, ".");

	assert_true(read_name("\3wWw\0", 5, 0, false, &n));
	assert_true(read_name("\3WwW\0", 5, 0, false, &m));
	assert_true(wire_name_equal(&n, &m));
	wire_name_fold(&n);
	assert_memory_equal(n.bytes, "\3www\0", 5);
	assert_true(read_name("\3www\1a\0", 7, 0, false, &m));
	assert_false(wire_name_equal(&n, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader_stops_at_the_end),
		cmocka_unit_test(test_writer_stops_at_the_end),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_name_length),
		cmocka_unit_test(test_pointer_chain),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
