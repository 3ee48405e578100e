/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only way DNS bytes are read and written.  A reader or writer that would
 * step over its end sets a flag that stays set; everything it returns from then
 * on is zero, so a parser may check once at the end of a record.
 */
#ifndef DNSFILTER_WIRE_H
#define DNSFILTER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_NAME_MAX 255

/* Uncompressed labels with the final zero (RFC 1035 3.1). */
struct wire_name {
	uint8_t len; /* 1..255, the root's byte included */
	uint8_t bytes[WIRE_NAME_MAX];
};

struct wire_reader {
	const uint8_t *data; /* the whole message: pointers count from here */
	size_t len;
	size_t pos;
	bool bad;
};

struct wire_writer {
	uint8_t *buf;
	size_t size;
	size_t len;
	bool full;
};

struct wire_reader wire_reader(const void *data, size_t len);
uint8_t wire_get_u8(struct wire_reader *r);
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
/* Steps over n bytes and returns the first, or NULL. */
const uint8_t *wire_get_bytes(struct wire_reader *r, size_t n);
/* Without pointers a compressed name is an error.  With them every pointer
 * must lead further back than the one before it, so that no loop exists. */
bool wire_get_name(struct wire_reader *r, bool pointers, struct wire_name *ret);

struct wire_writer wire_writer(void *buf, size_t size);
void wire_put_u8(struct wire_writer *w, uint8_t v);
void wire_put_u16(struct wire_writer *w, uint16_t v);
void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_bytes(struct wire_writer *w, const void *data, size_t n);
/* Overwrites what was put at offset at. */
void wire_set_u16(struct wire_writer *w, size_t at, uint16_t v);

/* ASCII letters only (RFC 4343). */
void wire_name_fold(struct wire_name *n);
bool wire_name_equal(const struct wire_name *a, const struct wire_name *b);
/* text is canonical (hostname.h). */
bool wire_name_from_text(const char *text, struct wire_name *ret);
/* Presentation form without the final dot ("." for the root); bytes that are
 * no printable ASCII, and dots and backslashes inside a label, as \DDD.  Cut at
 * whole characters to size, which is at least 5. */
void wire_name_to_text(const struct wire_name *n, char *buf, size_t size);

#endif
