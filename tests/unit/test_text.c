/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Escapes, numbers, and lines of JSON in buffers of every size. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/text.h"

#define CANARY 0x5a

static void escape_is(const char *in, size_t len, size_t size, const char *want)
{
	char *out = malloc(size); /* exact: a sanitizer sees a byte too many */

	assert_non_null(out);
	text_escape(in, len, out, size);
	assert_string_equal(out, want);
	free(out);
}

static void test_escape(void **state)
{
	(void)state;
	escape_is("", 0, 1, "");
	escape_is("abc", 3, 1, "");
	escape_is("abc", 3, 3, "ab");
	escape_is("abc", 3, 4, "abc");
	escape_is(" ~\\\"", 4, 64, " ~\\\"");
	escape_is("\x1b[31m", 5, 64, "\\x1b[31m");
	escape_is("a\0b", 3, 64, "a\\x00b");
	escape_is("\x7f\x80\xff\n\t", 5, 64, "\\x7f\\x80\\xff\\x0a\\x09");
	escape_is("\xc3\xa4", 2, 64, "\\xc3\\xa4");
}

/* No escape is ever cut in two. */
static void test_escape_cut(void **state)
{
	static const char whole[] = "a\\x00\\xffb";

	(void)state;
	for (size_t size = 1; size <= sizeof(whole); size++) {
		char *out = malloc(size);
		size_t n;

		assert_non_null(out);
		text_escape("a\0\xff"
			    "b",
			    4, out, size);
		n = strlen(out);
		assert_true(n < size);
		assert_memory_equal(out, whole, n);
		assert_true(n == 0 || n == 1 || n == 5 || n == 9 || n == 10);
		free(out);
	}
}

static void test_escape_every_byte(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char in = (char)c;
		char want[8];

		(void)snprintf(want, sizeof(want),
			       c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x",
			       (unsigned)c);
		escape_is(&in, 1, 8, want);
	}
}

static void test_to_uint(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max, value;
		bool good;
	} cases[] = {
		{ "0", 0, 0, 0, true },
		{ "0", 1, 9, 0, false },
		{ "007", 0, 9, 7, true },
		{ "86400", 0, 86400, 86400, true },
		{ "86401", 0, 86400, 0, false },
		{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, true },
		{ "18446744073709551616", 0, UINT64_MAX, 0, false },
		{ "18446744073709551620", 0, UINT64_MAX, 0, false },
		{ "99999999999999999999999", 0, UINT64_MAX, 0, false },
		{ "", 0, 9, 0, false },
		{ " 1", 0, 9, 0, false },
		{ "1 ", 0, 9, 0, false },
		{ "+1", 0, 9, 0, false },
		{ "-1", 0, UINT64_MAX, 0, false },
		{ "0x1", 0, 9, 0, false },
		{ "1.0", 0, 99, 0, false },
		{ "1e1", 0, 99, 0, false },
		{ "1\n", 0, 9, 0, false },
		{ "\xd9\xa1", 0, 9, 0, false }, /* ARABIC-INDIC DIGIT ONE */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 4711;
		bool good = text_to_uint(cases[i].text, cases[i].min,
					 cases[i].max, &value);

		assert_int_equal(good, cases[i].good);
		assert_true(value == (good ? cases[i].value : 4711));
	}
}

/* A reader of what the writer may write: objects of strings, unsigned
 * numbers and arrays of strings.  Each returns what is behind, or NULL. */
static const char *read_string(const char *p)
{
	if (!p || *p++ != '"')
		return NULL;
	while (*p != '"') {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			return NULL;
		if (*p++ != '\\')
			continue;
		if (*p == 'u') {
			for (int i = 1; i <= 4; i++)
				if (!isxdigit((unsigned char)p[i]))
					return NULL;
			p += 5;
		} else if (*p == '"' || *p == '\\') {
			p++;
		} else {
			return NULL;
		}
	}
	return p + 1;
}

static const char *read_array(const char *p)
{
	if (*++p == ']')
		return p + 1;
	for (;; p++) {
		p = read_string(p);
		if (!p || (*p != ',' && *p != ']'))
			return NULL;
		if (*p == ']')
			return p + 1;
	}
}

static const char *read_value(const char *p)
{
	if (*p == '[')
		return read_array(p);
	if (*p == '"')
		return read_string(p);
	if (!isdigit((unsigned char)*p))
		return NULL;
	while (isdigit((unsigned char)*p))
		p++;
	return p;
}

static bool is_line(const char *p)
{
	if (*p++ != '{')
		return false;
	if (*p == '}')
		return strcmp(p, "}\n") == 0;
	for (;; p++) {
		p = read_string(p);
		if (!p || *p != ':')
			return false;
		p = read_value(p + 1);
		if (!p || (*p != ',' && *p != '}'))
			return false;
		if (*p == '}')
			return strcmp(p, "}\n") == 0;
	}
}

static void test_json(void **state)
{
	char buf[512];
	struct json_line j;
	size_t len;

	(void)state;
	json_begin(&j, buf, sizeof(buf));
	assert_int_equal(json_end(&j), 3);
	assert_string_equal(buf, "{}\n");

	json_begin(&j, buf, sizeof(buf));
	json_string(&j, "a", "q\"b\\\x01\x7f\xff/");
	json_uint(&j, "n", UINT64_MAX);
	json_array_begin(&j, "empty");
	json_array_end(&j);
	json_array_begin(&j, "two");
	json_array_string(&j, "x");
	json_array_string(&j, "");
	json_array_end(&j);
	json_uint(&j, "z", 0);
	len = json_end(&j);
	assert_int_equal(len, strlen(buf));
	assert_string_equal(buf, "{\"a\":\"q\\\"b\\\\\\u0001\\u007f\\u00ff/\","
				 "\"n\":18446744073709551615,\"empty\":[],"
				 "\"two\":[\"x\",\"\"],\"z\":0}\n");
	assert_true(is_line(buf));
	assert_false(j.overflow);
}

/* Writes lines that touch every function into a buffer of this size. */
static size_t write_all(char *buf, size_t size)
{
	struct json_line j;

	json_begin(&j, buf, size);
	json_string(&j, "time", "2026");
	json_string(&j, "long", "\x01\x02\x03\x04\x05\x06\x07\x08");
	json_array_begin(&j, "addresses");
	json_array_string(&j, "192.0.2.1");
	json_array_string(&j, "2001:db8::\xff");
	json_array_string(&j, "x");
	json_array_end(&j);
	json_uint(&j, "port", 65535);
	json_array_begin(&j, "more");
	json_array_string(&j, "\"\\");
	json_array_end(&j);
	json_uint(&j, "n", 1);
	return json_end(&j);
}

/* Whatever does not fit is left out as a whole, and nothing is written behind
 * the end. */
static void test_json_every_size(void **state)
{
	char whole[512];
	size_t full = write_all(whole, sizeof(whole));

	(void)state;
	assert_true(is_line(whole));
	for (size_t size = 8; size < full + 8; size++) {
		char buf[512];
		size_t len;

		memset(buf, CANARY, sizeof(buf));
		len = write_all(buf, size);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], CANARY);
		assert_true(len < size);
		assert_int_equal(len, strlen(buf));
		if (!is_line(buf))
			fail_msg("%zu bytes: %s", size, buf);
	}
}

/* A value that does not fit does not stop shorter ones behind it. */
static void test_json_left_out(void **state)
{
	char buf[32];
	char huge[4096];
	struct json_line j;

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	json_begin(&j, buf, sizeof(buf));
	json_string(&j, "a", huge);
	json_uint(&j, "b", 1);
	json_array_begin(&j, "c");
	json_array_string(&j, huge);
	json_array_string(&j, "d");
	json_array_end(&j);
	(void)json_end(&j);
	assert_string_equal(buf, "{\"b\":1,\"c\":[\"d\"]}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cut),
		cmocka_unit_test(test_escape_every_byte),
		cmocka_unit_test(test_to_uint),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_every_size),
		cmocka_unit_test(test_json_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
