/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of ClientHellos on any bytes.  Not only must nothing crash: a
 * beginning of a hello is never taken for one, how the records cut the message
 * makes no difference, and the name lies within it.  The same for a server's
 * answer in pieces.
 *
 *   make fuzz-bins CC=clang SANITIZE=1 FUZZ=1 BUILD=build-fuzz
 *   build-fuzz/fuzz/fuzz_tlshello tests/fuzz/corpus/tlshello
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/tlshello.h"

#define RECORD_HEADER 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a copy of exactly len bytes is. */
struct outcome {
	enum tlshello_result result;
	struct tlshello hello;
	uint8_t *copy; /* what the hello borrows from */
};

__attribute__((noreturn)) static void broken(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	abort();
}

static void *copy_of(const void *data, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);

	if (!copy)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

static struct outcome outcome(const uint8_t *data, size_t len)
{
	struct outcome o = { .copy = copy_of(data, len) };
	const struct tlshello *h = &o.hello;

	o.result = tlshello_read(o.copy, len, &o.hello);
	if (o.result == TLSHELLO_MORE && h->want <= len)
		broken("more is wanted than is asked for");
	if (o.result == TLSHELLO_MORE && memcmp(o.copy, data, len) != 0)
		broken("changed too early");
	if (o.result != TLSHELLO_DONE)
		return o;
	if (h->size > len || h->size <= RECORD_HEADER)
		broken("a size that cannot be");
	if (h->has_name && (h->name_len == 0 || h->name < o.copy ||
			    h->name_len > (size_t)(o.copy + h->size - h->name)))
		broken("a name outside of the hello");
	return o;
}

static void check_prefixes(const uint8_t *data, size_t size)
{
	size_t step = size / 16 + 1;

	for (size_t len = 1; len < size; len += step) {
		struct outcome o = outcome(data, len);

		if (o.result != TLSHELLO_MORE || o.hello.want > size)
			broken("a beginning is taken for the whole");
		free(o.copy);
	}
}

/* The message of the records, in records of at most n bytes. */
static size_t cut(const uint8_t *data, size_t size, size_t n, uint8_t *ret)
{
	size_t at = 0; /* in the present record */
	size_t left = 0;
	size_t here = n;
	uint8_t *header = ret;
	uint8_t *p = ret;

	while (at < size) {
		if (left == 0) {
			left = (size_t)data[at + 3] << 8 | data[at + 4];
			at += RECORD_HEADER;
			continue;
		}
		if (here == n) {
			here = 0;
			header = p;
			memcpy(p, "\x16\x03\x01\0\0", RECORD_HEADER);
			p += RECORD_HEADER;
		}
		*p++ = data[at++];
		left--;
		here++;
		header[3] = (uint8_t)(here >> 8);
		header[4] = (uint8_t)here;
	}
	return (size_t)(p - ret);
}

static void check_cut(const uint8_t *data, const struct outcome *whole,
		      size_t n)
{
	const struct tlshello *h = &whole->hello;
	uint8_t *pieces = malloc(h->size * (RECORD_HEADER + 1));
	struct outcome o;
	size_t len;

	if (!pieces)
		abort();
	len = cut(data, h->size, n, pieces);
	o = outcome(pieces, len);
	if (o.result != TLSHELLO_DONE || o.hello.size != len ||
	    o.hello.has_name != h->has_name || o.hello.has_ech != h->has_ech)
		broken("cut otherwise it is something else");
	if (h->has_name && (o.hello.name_len != h->name_len ||
			    memcmp(o.hello.name, h->name, h->name_len) != 0))
		broken("cut otherwise it has another name");
	free(o.copy);
	free(pieces);
}

static enum tlsanswer_result answer(const uint8_t *data, size_t size, size_t n)
{
	struct tlsanswer a = { 0 };
	enum tlsanswer_result rc = TLSANSWER_MORE;

	for (size_t i = 0; rc == TLSANSWER_MORE && i < size; i += n)
		rc = tlsanswer_read(&a, data + i, size - i < n ? size - i : n);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 1, 2, 5, 37, 500, 16384 };
	struct outcome o;

	if (size == 0)
		return 0;
	(void)tlshello_match(data, size);
	o = outcome(data, size);
	if (o.result == TLSHELLO_DONE) {
		check_prefixes(data, o.hello.size);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			check_cut(data, &o, sizes[i]);
	}
	free(o.copy);
	if (answer(data, size, 1) != answer(data, size, size))
		broken("an answer in pieces is another");
	return 0;
}
