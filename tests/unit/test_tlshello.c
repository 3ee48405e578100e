/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of a ClientHello, however it is cut; and what is refused. */
#include "relay/tlshello.h"

#include "tests/unit/hello.h"

static enum tlshello_result read_copy(const struct bytes *b, size_t len,
				      struct tlshello *h, struct bytes *copy)
{
	/* Exactly as long, so that a sanitizer sees a step beyond. */
	uint8_t *tight = malloc(len);
	enum tlshello_result rc;

	assert_non_null(tight);
	memcpy(tight, b->data, len);
	rc = tlshello_read(tight, len, h);
	if (h->name && rc == TLSHELLO_DONE) {
		copy->len = 0;
		put(copy, h->name, h->name_len);
		h->name = copy->data;
	}
	free(tight);
	return rc;
}

static enum tlshello_result result_of(const struct bytes *b)
{
	struct bytes *name = bytes_new();
	struct tlshello h;
	enum tlshello_result rc = read_copy(b, b->len, &h, name);

	free(name);
	return rc;
}

static void assert_name(const struct bytes *b, const char *expected)
{
	struct bytes *name = bytes_new();
	struct tlshello h;

	assert_int_equal(read_copy(b, b->len, &h, name), TLSHELLO_DONE);
	assert_int_equal(h.has_name, expected != NULL);
	if (expected) {
		assert_int_equal(h.name_len, strlen(expected));
		assert_memory_equal(h.name, expected, h.name_len);
	}
	free(name);
}

/* Every shorter piece is not enough, says by how much at least, and is not
 * changed. */
static void assert_incomplete(const struct bytes *b)
{
	for (size_t len = 1; len < b->len; len++) {
		struct bytes *name = bytes_new();
		struct tlshello h;

		assert_int_equal(read_copy(b, len, &h, name), TLSHELLO_MORE);
		assert_in_range(h.want, len + 1, b->len);
		free(name);
	}
}

static void test_real(void **state)
{
	struct bytes *b = bytes_new();

	(void)state;
	for (size_t i = 0; i < N_REAL_HELLOS; i++) {
		struct tlshello h;
		struct bytes *copy = bytes_new();

		hello_load(b, real_hellos[i].file);
		assert_int_equal(tlshello_match(b->data, b->len), TLSHELLO_YES);
		assert_name(b,
			    real_hellos[i].has_name ? REAL_HELLO_NAME : NULL);
		assert_incomplete(b);
		(void)read_copy(b, b->len, &h, copy);
		assert_int_equal(h.size, b->len);
		assert_false(h.has_ech);
		free(copy);
	}
	free(b);
}

/* The same message in records of every size. */
static void test_records(void **state)
{
	struct bytes *b = bytes_new();
	struct bytes *message = bytes_new();

	(void)state;
	for (size_t i = 0; i < N_REAL_HELLOS; i++) {
		hello_load(b, real_hellos[i].file);
		message->len = 0;
		put(message, b->data + 5, b->len - 5);
		for (size_t n = 1; n < message->len; n++) {
			b->len = 0;
			put_records(b, message, n);
			assert_name(b, real_hellos[i].has_name ? REAL_HELLO_NAME
							       : NULL);
		}
		b->len = 0;
		put_records(b, message, 1);
		assert_incomplete(b);
	}
	free(message);
	free(b);
}

/* What browsers send: GREASE (RFC 8701), a post-quantum key share, ECH's
 * GREASE, padding; the name anywhere. */
static void test_browser(void **state)
{
	static uint8_t share[1300];
	struct bytes *message = bytes_new();
	struct bytes *b = bytes_new();

	(void)state;
	for (int place = 0; place < 4; place++) {
		size_t begin = hello_begin(message);
		struct bytes *copy = bytes_new();
		struct tlshello h;

		for (int i = 0; i < 4; i++) {
			if (i == place)
				put_server_name(message, "b.test");
			put_extension(message, (uint16_t)(0x0a0a + i * 0x1010),
				      "", i & 1);
			put_extension(message, i == 2 ? 0xfe0d : 51, share,
				      sizeof(share));
		}
		hello_end(message, begin);
		b->len = 0;
		put_records(b, message, 16384);
		assert_name(b, "b.test");
		(void)read_copy(b, b->len, &h, copy);
		assert_true(h.has_ech);
		assert_incomplete(b);
		free(copy);
	}
	free(message);
	free(b);
}

static void test_size(void **state)
{
	static uint8_t zeroes[65535];
	struct bytes *message = bytes_new();
	struct bytes *b = bytes_new();
	struct bytes *copy = bytes_new();
	struct tlshello h;
	size_t begin = hello_begin(message);

	(void)state;
	put_server_name(message, "a.test");
	put_extension(message, 21, zeroes,
		      TLSHELLO_MAX + 4 - message->len - 4 - 100);
	put_number(message, 0x0015, 2);
	put_number(message, 96, 2);
	put_fill(message, 0, 96);
	hello_end(message, begin);
	assert_int_equal(message->len, TLSHELLO_MAX + 4);
	put_records(b, message, 16384);
	assert_name(b, "a.test");

	/* Too long is told as soon as the length is there. */
	b->len = 0;
	put_number(b, 0x1603014000, 5);
	put_number(b, 0x01010001, 4);
	assert_int_equal(read_copy(b, b->len, &h, copy), TLSHELLO_TOO_LONG);
	free(message);
	free(copy);
	free(b);
}

/* A message of which each byte in turn is something else: never a crash, and
 * the name is told only if it is the one. */
static void test_changed(void **state)
{
	struct bytes *b = bytes_new();
	struct bytes *copy = bytes_new();

	(void)state;
	hello_load(b, "curl-tls1.2");
	for (size_t i = 0; i < b->len; i++) {
		uint8_t was = b->data[i];

		for (unsigned v = 0; v < 256; v++) {
			struct tlshello h;

			b->data[i] = (uint8_t)v;
			(void)read_copy(b, b->len, &h, copy);
		}
		b->data[i] = was;
	}
	free(copy);
	free(b);
}

/* Builds a hello with one extension of type 0 and that body. */
static enum tlshello_result with_list(const void *body, size_t len)
{
	struct bytes *message = bytes_new();
	struct bytes *b = bytes_new();
	size_t begin = hello_begin(message);
	enum tlshello_result rc;

	put_extension(message, 0, body, len);
	hello_end(message, begin);
	put_records(b, message, 16384);
	rc = result_of(b);
	free(message);
	free(b);
	return rc;
}

#define LIST(...)                                      \
	with_list(((const uint8_t[]) { __VA_ARGS__ }), \
		  sizeof((const uint8_t[]) { __VA_ARGS__ }))

static void test_name_lists(void **state)
{
	struct bytes *message = bytes_new();
	struct bytes *b = bytes_new();
	size_t begin = hello_begin(message);

	(void)state;
	assert_int_equal(LIST(0, 4, 0, 0, 1, 'a'), TLSHELLO_DONE);
	assert_int_equal(LIST(0), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 0), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 3, 0, 0, 0), TLSHELLO_BAD);
	/* Two names, another type, too long, too short, something behind. */
	assert_int_equal(LIST(0, 8, 0, 0, 1, 'a', 0, 0, 1, 'b'), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 8, 1, 0, 1, 'a', 0, 0, 1, 'b'), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 4, 1, 0, 1, 'a'), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 5, 0, 0, 1, 'a'), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 4, 0, 0, 2, 'a'), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 4, 0, 0, 0, 'a'), TLSHELLO_BAD);
	assert_int_equal(LIST(0, 4, 0, 0, 1, 'a', 0), TLSHELLO_BAD);

	put_server_name(message, "a.test");
	put_server_name(message, "a.test");
	hello_end(message, begin);
	put_records(b, message, 16384);
	assert_int_equal(result_of(b), TLSHELLO_BAD);
	free(message);
	free(b);
}

static void test_no_extensions(void **state)
{
	struct bytes *message = bytes_new();
	struct bytes *b = bytes_new();
	size_t begin;

	(void)state;
	hello_named(message, NULL);
	put_records(b, message, 100);
	assert_name(b, NULL);

	begin = hello_begin(message);
	message->len = begin - 2; /* TLS 1.0 without the block */
	put_end(message, 4, 3);
	b->len = 0;
	put_records(b, message, 100);
	assert_name(b, NULL);

	/* A byte behind the block, and a block that is cut. */
	hello_named(message, "a.test");
	put_number(message, 0, 1);
	put_end(message, 4, 3);
	b->len = 0;
	put_records(b, message, 16384);
	assert_int_equal(result_of(b), TLSHELLO_BAD);
	hello_named(message, "a.test");
	message->len--;
	put_end(message, 4, 3);
	b->len = 0;
	put_records(b, message, 16384);
	assert_int_equal(result_of(b), TLSHELLO_BAD);
	free(message);
	free(b);
}

static void test_framing(void **state)
{
	struct bytes *message = bytes_new();
	struct bytes *b = bytes_new();

	(void)state;
	hello_named(message, "a.test");
	put_number(b, 0x1603010000, 5); /* an empty record in front */
	put_records(b, message, 100);
	assert_int_equal(result_of(b), TLSHELLO_BAD);

	b->len = 0; /* another message in the same record */
	put_number(message, 0x14, 1);
	put_records(b, message, 16384);
	assert_int_equal(result_of(b), TLSHELLO_BAD);
	message->len--;

	b->len = 0; /* an alert between the pieces */
	put_records(b, message, 50);
	b->data[55] = 21;
	assert_int_equal(result_of(b), TLSHELLO_BAD);

	b->len = 0; /* SSL 2.0 major, a record that is too long */
	put_records(b, message, 16384);
	b->data[1] = 2;
	assert_int_equal(result_of(b), TLSHELLO_BAD);
	b->len = 0;
	put_number(b, 0x1603014001, 5);
	assert_int_equal(result_of(b), TLSHELLO_BAD);

	b->len = 0; /* a ServerHello */
	message->data[0] = 2;
	put_records(b, message, 16384);
	assert_int_equal(result_of(b), TLSHELLO_BAD);
	free(message);
	free(b);
}

static void test_match(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum tlshello_match expected;
	} cases[] = {
		{ "\x16", 1, TLSHELLO_PERHAPS },
		{ "\x16\x03", 2, TLSHELLO_YES },
		{ "\x16\x02", 2, TLSHELLO_YES },
		{ "\x15\x03", 2, TLSHELLO_YES },
		{ "\x14\x03", 2, TLSHELLO_YES },
		{ "\x18\x03", 2, TLSHELLO_YES },
		{ "\x16\x41", 2, TLSHELLO_NO },
		{ "\x80", 1, TLSHELLO_PERHAPS },
		{ "\x80\x2e\x01\x03", 4, TLSHELLO_PERHAPS },
		{ "\x80\x2e\x01\x03\x01", 5, TLSHELLO_YES },
		{ "\x80\x2e\x01\x00\x02", 5, TLSHELLO_YES },
		{ "\x80\x2e\x01\x00\x03", 5, TLSHELLO_NO },
		{ "\x80\x2e\x04", 3, TLSHELLO_NO },
		{ "GET ", 4, TLSHELLO_NO },
		{ "SSH-2.0", 7, TLSHELLO_NO },
		{ "\0\0\0\x08\x04\xd2\x16\x2f", 8, TLSHELLO_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(tlshello_match((const uint8_t *)cases[i].bytes,
						cases[i].len),
				 cases[i].expected);
}

/* In pieces of every size. */
static void assert_answer(const struct bytes *b, enum tlsanswer_result expected)
{
	for (size_t n = 1; n <= b->len; n++) {
		struct tlsanswer a = { 0 };
		enum tlsanswer_result rc = TLSANSWER_MORE;

		for (size_t i = 0; rc == TLSANSWER_MORE && i < b->len; i += n)
			rc = tlsanswer_read(&a, b->data + i,
					    b->len - i < n ? b->len - i : n);
		assert_int_equal(rc, expected);
	}
}

static void test_answers(void **state)
{
	static const uint8_t retry[] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a,
					 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02,
					 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
					 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
					 0x33, 0x9c };
	struct bytes *b = bytes_new();

	(void)state;
	put_number(b, 0x1503030002, 5); /* a warning in front */
	put_number(b, 0x0170, 2);
	put_number(b, 0x1603030058, 5);
	put_number(b, 0x02000054, 4);
	put_number(b, 0x0303, 2);
	put(b, retry, sizeof(retry));
	put_fill(b, 0, 50);
	assert_answer(b, TLSANSWER_RETRY);
	b->data[7 + 11 + 31] ^= 1;
	assert_answer(b, TLSANSWER_FINAL);
	b->data[7] = 23;
	assert_answer(b, TLSANSWER_FINAL);
	/* Cut so short that it may be either. */
	b->data[7] = 22;
	b->data[11] = 37;
	assert_answer(b, TLSANSWER_RETRY);
	b->len = 7;
	assert_answer(b, TLSANSWER_MORE);
	b->len = 0;
	put(b, "HTTP/1.1 400 Bad Request\r\n", 26);
	assert_answer(b, TLSANSWER_FINAL);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_browser),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_name_lists),
		cmocka_unit_test(test_no_extensions),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
