/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ClientHellos for the tests: real ones out of tests/data/hello, and built
 * ones with whatever extensions. */
#ifndef TESTS_UNIT_HELLO_H
#define TESTS_UNIT_HELLO_H

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HELLO_BUF 200000

/* A message, or a stream of records. */
struct bytes {
	size_t len;
	uint8_t data[HELLO_BUF];
};

static inline struct bytes *bytes_new(void)
{
	struct bytes *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	return b;
}

static inline void put(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->data));
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void put_number(struct bytes *b, size_t value, size_t n)
{
	while (n-- > 0) {
		uint8_t byte = (uint8_t)(value >> (8 * n));

		put(b, &byte, 1);
	}
}

static inline void put_fill(struct bytes *b, uint8_t byte, size_t n)
{
	while (n-- > 0)
		put(b, &byte, 1);
}

/* A length of n bytes that put_end() fills in. */
static inline size_t put_begin(struct bytes *b, size_t n)
{
	put_number(b, 0, n);
	return b->len;
}

static inline void put_end(struct bytes *b, size_t begin, size_t n)
{
	size_t value = b->len - begin;

	for (size_t i = 0; i < n; i++)
		b->data[begin - 1 - i] = (uint8_t)(value >> (8 * i));
}

static inline void put_extension(struct bytes *b, uint16_t type,
				 const void *data, size_t len)
{
	put_number(b, type, 2);
	put_number(b, len, 2);
	put(b, data, len);
}

static inline void put_server_name(struct bytes *b, const char *name)
{
	size_t n = strlen(name);

	put_number(b, 0, 2);
	put_number(b, n + 5, 2);
	put_number(b, n + 3, 2);
	put_number(b, 0, 1);
	put_number(b, n, 2);
	put(b, name, n);
}

/* The message up to its extensions; returns what hello_end() wants. */
static inline size_t hello_begin(struct bytes *b)
{
	static const uint8_t suites[] = { 0x1a, 0x1a, 0x13, 1, 0xc0, 0x2b };

	b->len = 0;
	put_number(b, 1, 1);
	put_number(b, 0, 3);
	put_number(b, 0x0303, 2);
	put_fill(b, 0x5a, 32);
	put_number(b, 32, 1);
	put_fill(b, 0xa5, 32);
	put_number(b, sizeof(suites), 2);
	put(b, suites, sizeof(suites));
	put_number(b, 1, 1);
	put_number(b, 0, 1);
	return put_begin(b, 2);
}

static inline void hello_end(struct bytes *b, size_t begin)
{
	put_end(b, begin, 2);
	put_end(b, 4, 3);
}

/* With the name alone, or without any extension if that is NULL. */
static inline void hello_named(struct bytes *b, const char *name)
{
	size_t begin = hello_begin(b);

	if (name)
		put_server_name(b, name);
	hello_end(b, begin);
}

/* The message in records of at most n bytes, behind what s holds. */
static inline void put_records(struct bytes *s, const struct bytes *message,
			       size_t n)
{
	for (size_t i = 0; i < message->len; i += n) {
		size_t here = message->len - i < n ? message->len - i : n;

		put_number(s, 0x160301, 3);
		put_number(s, here, 2);
		put(s, message->data + i, here);
	}
}

static inline int hex_value(int c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

static inline void hello_load(struct bytes *b, const char *name)
{
	char path[256];
	FILE *f;
	int c;
	int high = -1;

	(void)snprintf(path, sizeof(path), "tests/data/hello/%s.hex", name);
	f = fopen(path, "re");
	assert_non_null(f);
	b->len = 0;
	while ((c = fgetc(f)) != EOF) {
		if (!isxdigit(c))
			continue;
		if (high >= 0)
			put_number(b, (size_t)(high << 4 | hex_value(c)), 1);
		high = high < 0 ? hex_value(c) : -1;
	}
	(void)fclose(f);
}

static const struct real_hello {
	const char *file;
	bool has_name;
} real_hellos[] = {
	{ "openssl-tls1", true },
	{ "openssl-tls1_1", true },
	{ "openssl-tls1_2", true },
	{ "openssl-tls1_3", true },
	{ "openssl-groups", true },
	{ "openssl-noname", false },
	{ "curl", true },
	{ "curl-tls1.2", true },
	{ "python", true },
	{ "node", true },
	{ "go", true },
	{ "java", true },
};

#define N_REAL_HELLOS	(sizeof(real_hellos) / sizeof(real_hellos[0]))
#define REAL_HELLO_NAME "www.allowed.test"

#endif
