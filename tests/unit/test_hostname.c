/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical names from text and from wire labels, and that both readers agree
 * on every name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/hostname.h"
#include "profiles/idna.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define L10 "abcdefghij"
#define L63 L10 L10 L10 L10 L10 L10 "klm"

static void test_text_good(void **state)
{
	static const struct {
		const char *text;
		const char *name;
	} cases[] = {
		{ "allowed.test", "allowed.test" },
		{ "API.Allowed.TEST", "api.allowed.test" },
		{ "api.allowed.test.", "api.allowed.test" },
		{ "db", "db" },
		{ "_dmarc.x.wild.test", "_dmarc.x.wild.test" },
		{ "_https._tcp.wild.test", "_https._tcp.wild.test" },
		{ "r3---sn-4g5e.test", "r3---sn-4g5e.test" },
		{ "1.2.3.4a", "1.2.3.4a" },
		{ "0x7g", "0x7g" },
		{ "1password.com", "1password.com" },
		{ L63 ".test", L63 ".test" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
		/* U-labels */
		{ "b\xc3\xbc"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.EXAMPLE.",
		  "xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.de", "xn--fa-hia.de" }, /* non-transitional */
		/* U+3002, U+FF0E and U+FF61 are dots */
		{ "allowed\xe3\x80\x82test", "allowed.test" },
		{ "allowed\xef\xbc\x8etest", "allowed.test" },
		{ "allowed\xef\xbd\xa1test\xe3\x80\x82", "allowed.test" },
		/* full-width letters fold; a Cyrillic look-alike does not */
		{ "\xef\xbd\x81llowed.test", "allowed.test" },
		{ "\xd0\xb0llowed.test", "xn--llowed-2nf.test" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char name[HOSTNAME_BUF];
		struct err e = { 0 };

		if (hostname_from_text(cases[i].text, name, &e) < 0)
			fail_msg("'%s' %s", cases[i].text, e.msg);
		assert_string_equal(name, cases[i].name);
	}
}

static void test_text_bad(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{ "", "empty" },
		{ ".", "empty" },
		{ "..", "empty label" },
		{ ".allowed.test", "empty label" },
		{ "..allowed.test", "empty label" },
		{ "a..b", "empty label" },
		{ "a.b..", "empty label" },
		{ L63 "n.test", "63" },
		{ "evil.test&x=.allowed.test", "character" },
		{ "a b.test", "character" },
		{ "a\tb.test", "character" },
		{ "a.test\n", "character" },
		{ "a.test\r", "character" },
		{ "\"a.test\"", "character" },
		{ "'a.test'", "character" },
		{ "a;b.test", "character" },
		{ "a#b.test", "character" },
		{ "a\\.b.test", "character" },
		{ "[a-z].test", "character" },
		{ "?x.test", "character" },
		{ "*.test", "character" },
		{ "user@a.test", "character" },
		{ "a%2e.test", "character" },
		{ "a.test:443", "character" },
		{ "\x7f.test", "character" },
		{ "\x01.test", "character" },
		{ "192.0.2.10", "address" },
		{ "192.0.2.10.", "address" },
		{ "0x7f.1", "address" },
		{ "a.test.123", "address" },
		{ "xn--.test", "malformed" },
		{ "xn---bcher.test", "malformed" },
		{ "xn--abc-.test", "malformed" },
		{ "xn--a_b.test", "malformed" },
		{ "xn--99999999.test", "malformed" },
		{ "xn--bcher-kv9999999999a.test", "malformed" },
		/* not UTF-8, disallowed, mixed, look-alike of an address */
		{ "\xff.test", "internationalised" },
		{ "b\xc3", "internationalised" },
		{ "xn--b\xc3\xbc"
		  "cher.test",
		  "internationalised" },
		{ "a\xe2\x80\xae"
		  "b.test",
		  "internationalised" },
		{ "b\xc3\xbc"
		  "cher.example..",
		  "" },
		{ "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", "address" },
		{ "a\xef\xbc\x8f"
		  "b.test",
		  "" }, /* full-width solidus */
		{ "a\xef\xbc\x9a"
		  "b.test",
		  "" }, /* full-width colon */
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char name[HOSTNAME_BUF];
		struct err e = { 0 };

		if (hostname_from_text(cases[i].text, name, &e) != -EINVAL)
			fail_msg("case %zu: '%s' gave '%s'", i, cases[i].text,
				 name);
		if (!strstr(e.msg, cases[i].reason))
			fail_msg("'%s' %s", cases[i].text, e.msg);
	}
}

static void test_text_length(void **state)
{
	/* 3 * 64 + 61 = 253 */
	static const char longest[] =
		L63 "." L63 "." L63 "." L10 L10 L10 L10 L10 L10 "k";
	char text[2000];
	char name[HOSTNAME_BUF];

	(void)state;
	assert_int_equal(strlen(longest), HOSTNAME_MAX);
	assert_int_equal(hostname_from_text(longest, name, NULL), 0);
	assert_string_equal(name, longest);
	/* With the dot it is still 253 bytes. */
	memcpy(text, longest, 253);
	memcpy(text + 253, ".", 2);
	assert_int_equal(hostname_from_text(text, name, NULL), 0);
	assert_string_equal(name, longest);
	memcpy(text + 253, "x", 2);
	assert_int_equal(hostname_from_text(text, name, NULL), -EINVAL);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(hostname_from_text(text, name, NULL), -EINVAL);
	memcpy(text, "\xc3\xbc", 2);
	assert_int_equal(hostname_from_text(text, name, NULL), -EINVAL);
	text[900] = '\0';
	assert_int_equal(hostname_from_text(text, name, NULL), -EINVAL);
}

static void test_wire(void **state)
{
	static const struct {
		const char *wire;
		const char *name; /* NULL: refused */
	} cases[] = {
		{ "\x07"
		  "allowed\x04"
		  "test",
		  "allowed.test" },
		{ "\x03"
		  "API\x07"
		  "Allowed\x04"
		  "TEST",
		  "api.allowed.test" },
		{ "\x02"
		  "db",
		  "db" },
		{ "\x06"
		  "_dmarc\x01x",
		  "_dmarc.x" },
		{ "", NULL },
		{ "\x04"
		  "e.ab\x04"
		  "test",
		  NULL },
		{ "\x05"
		  "e\\.ab\x04"
		  "test",
		  NULL },
		{ "\x0b"
		  "evil.test&x\x04"
		  "test",
		  NULL },
		{ "\x03"
		  "a=b",
		  NULL },
		{ "\x03"
		  "a b",
		  NULL },
		{ "\x01*\x04"
		  "test",
		  NULL },
		{ "\x02\xc3\xbc\x04"
		  "test",
		  NULL },
		{ "\x0d"
		  "xn--bcher-kva\x07"
		  "example",
		  "xn--bcher-kva.example" },
		{ "\x0c"
		  "xn--99999999\x07"
		  "example",
		  NULL },
		{ "\x40" L63 "n", NULL },
	};
	/* evil.test\0 as one label, then allowed.test */
	static const uint8_t with_nul[] = "\x0a"
					  "evil.test\0\x07"
					  "allowed\x04"
					  "test";
	char name[HOSTNAME_BUF];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		bool ok = hostname_from_wire((const uint8_t *)cases[i].wire,
					     name);

		if (ok != (cases[i].name != NULL))
			fail_msg("case %zu", i);
		if (ok)
			assert_string_equal(name, cases[i].name);
	}
	assert_false(hostname_from_wire(with_nul, name));
}

static void test_wire_length(void **state)
{
	uint8_t wire[300] = { 0 };
	char name[HOSTNAME_BUF];

	(void)state;
	memset(wire, 'a', sizeof(wire));
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	wire[254] = 0; /* 255 bytes in all */
	assert_true(hostname_from_wire(wire, name));
	assert_int_equal(strlen(name), HOSTNAME_MAX);
	wire[192] = 62;
	wire[254] = 'a';
	wire[255] = 0;
	assert_false(hostname_from_wire(wire, name));
	/* 127 labels of one byte */
	for (size_t i = 0; i < 254; i += 2) {
		wire[i] = 1;
		wire[i + 1] = 'a';
	}
	wire[254] = 0;
	assert_true(hostname_from_wire(wire, name));
	assert_int_equal(strlen(name), HOSTNAME_MAX);
}

static void test_looks_like_address(void **state)
{
	static const char *const addresses[] = {
		"192.0.2.1", "192.0.2.1.", "127.1", "2130706433",
		"0x7f.1",    "0X7F000001", "0x",    "0177.0.0.1",
		"1.2.3.0xA", "999999999",  "a.1",   "a.b.0x1f.",
		"::",	     "::1",	   "[::1]", "[::ffff:192.0.2.1]",
		"[::1]:443", "2001:DB8::", "::/0",  "fe80::1%eth0",
	};
	static const char *const names[] = {
		"",	   ".",	      "a",	   "example.com", "1.2.3.4a",
		"0x7g",	   "1a.com",  "x.y:443",   "a.0xfg",	  "dead.beef",
		"[a-z].x", "a:b:c:x", "db:1:2.zz", "face.cafe:8"
	};

	(void)state;
	for (size_t i = 0; i < N(addresses); i++)
		if (!hostname_looks_like_address(addresses[i]))
			fail_msg("%s", addresses[i]);
	for (size_t i = 0; i < N(names); i++)
		if (hostname_looks_like_address(names[i]))
			fail_msg("%s", names[i]);
}

/* RFC 3492 7.1, lower case (the decoder sees folded labels only). */
static void test_punycode(void **state)
{
	static const char *const good[] = {
		"egbpdaj6bu4bxfgehfvwxn",
		"ihqwcrb4cv8a8dqg056pqjye",
		"proprostnemluvesky-uyb24dma41a",
		"4dbcagdahymbxekheh6e0a7fei0b",
		"ihqwctvzc91f659drss3x8bo0yb",
		"b1abfaaepdrnnbgefbadotcwatmq2g4l",
		"porqunopuedensimplementehablarenespaol-fmd56a",
		"3b-ww4c5e180e575a65lsy2b",
		"-with-super-monkeys-pc58ag80a8qai00g7n9n",
		"d9juau41awczczp",
		"p1ai",
		/* U+0440 */ "a", /* U+0080: decodes, whatever IDNA says */
	};
	static const char *const bad[] = { "",	 "-",	     "-a",  "b-",
					   "a-", "99999999", "\xff" };

	(void)state;
	for (size_t i = 0; i < N(good); i++)
		if (!idna_punycode_valid((const uint8_t *)good[i],
					 strlen(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < N(bad); i++)
		if (idna_punycode_valid((const uint8_t *)bad[i],
					strlen(bad[i])))
			fail_msg("%s", bad[i]);
}

/* One to three labels of at most nine bytes, mostly good ones, in wire form
 * and joined by dots.  True if a label has a dot in it. */
static bool random_name(unsigned *seed, uint8_t wire[static 64],
			char text[static 64])
{
	static const char alphabet[] = "abzAZ019-_xn--.&= \\*%\x7f";
	int n_labels = 1 + rand_r(seed) % 3;
	size_t used = 0;
	bool dot = false;

	do {
		size_t len = 1 + (size_t)rand_r(seed) % 9;

		wire[used] = (uint8_t)len;
		for (size_t i = used; i < used + len; i++) {
			int r = rand_r(seed);
			int n = r % 8 ? 8 : (int)sizeof(alphabet) - 1;

			text[i] = alphabet[r / 8 % n];
			wire[i + 1] = (uint8_t)text[i];
			dot |= text[i] == '.';
		}
		used += len;
		text[used++] = '.';
	} while (--n_labels > 0);
	wire[used] = 0;
	text[used - 1] = '\0';
	return dot;
}

/* The text reader accepts what the wire reader accepts, with the same result,
 * but for addresses. */
static void test_readers_agree(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		uint8_t wire[64];
		char text[64];
		char from_wire[HOSTNAME_BUF];
		char from_text[HOSTNAME_BUF];
		bool dot = random_name(&seed, wire, text);
		bool a = hostname_from_wire(wire, from_wire);
		bool b = hostname_from_text(text, from_text, NULL) == 0;

		if (dot) {
			assert_false(a);
			continue;
		}
		assert_true(a ==
			    (b || (a && hostname_looks_like_address(text))));
		if (b)
			assert_string_equal(from_wire, from_text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_good),
		cmocka_unit_test(test_text_bad),
		cmocka_unit_test(test_text_length),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_wire_length),
		cmocka_unit_test(test_looks_like_address),
		cmocka_unit_test(test_punycode),
		cmocka_unit_test(test_readers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
