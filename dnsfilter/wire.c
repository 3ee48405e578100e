/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/wire.h"

#include <stdio.h>
#include <string.h>

#define LABEL_MAX	63
#define POINTERS_MAX	127 /* more than the labels of the longest name */
#define LABEL_TYPE_MASK 0xc0
#define LABEL_POINTER	0xc0

struct wire_reader wire_reader(const void *data, size_t len)
{
	return (struct wire_reader) { .data = data, .len = len };
}

const uint8_t *wire_get_bytes(struct wire_reader *r, size_t n)
{
	const uint8_t *p = r->data + r->pos;

	if (r->bad || n > r->len - r->pos) {
		r->bad = true;
		return NULL;
	}
	r->pos += n;
	return p;
}

uint8_t wire_get_u8(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 1);

	return p ? p[0] : 0;
}

uint16_t wire_get_u16(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			       (uint32_t)p[2] << 8 | p[3]
		 : 0;
}

/* Reads the labels that stand at r->pos up to the root or a pointer.  Returns
 * the pointer's target, 0 at the root, or -1.  A pointer to 0 would lead into
 * the header: an error. */
static long get_labels(struct wire_reader *r, struct wire_name *n)
{
	for (;;) {
		uint8_t c = wire_get_u8(r);
		const uint8_t *label;

		if (r->bad)
			return -1;
		if ((c & LABEL_TYPE_MASK) == LABEL_POINTER) {
			long to = (c & ~LABEL_TYPE_MASK) << 8 | wire_get_u8(r);

			return r->bad || to == 0 ? -1 : to;
		}
		if (c > LABEL_MAX || n->len + 1 + c > WIRE_NAME_MAX)
			return -1;
		n->bytes[n->len++] = c;
		if (c == 0)
			return 0;
		label = wire_get_bytes(r, c);
		if (!label || n->len + c >= WIRE_NAME_MAX)
			return -1;
		memcpy(n->bytes + n->len, label, c);
		n->len = (uint8_t)(n->len + c);
	}
}

bool wire_get_name(struct wire_reader *r, bool pointers, struct wire_name *ret)
{
	size_t back_of = r->pos;
	size_t end = 0; /* where reading goes on, once a pointer was met */

	ret->len = 0;
	for (int i = 0; i <= POINTERS_MAX && !r->bad; i++) {
		long target = get_labels(r, ret);

		if (target < 0)
			break;
		if (target == 0) {
			if (end > 0)
				r->pos = end;
			return true;
		}
		if (!pointers || (size_t)target >= back_of)
			break;
		if (end == 0)
			end = r->pos;
		back_of = (size_t)target;
		r->pos = back_of;
	}
	r->bad = true;
	return false;
}

struct wire_writer wire_writer(void *buf, size_t size)
{
	return (struct wire_writer) { .buf = buf, .size = size };
}

void wire_put_bytes(struct wire_writer *w, const void *data, size_t n)
{
	if (w->full || n > w->size - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->len, data, n);
	w->len += n;
}

void wire_put_u8(struct wire_writer *w, uint8_t v)
{
	wire_put_bytes(w, &v, 1);
}

void wire_put_u16(struct wire_writer *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wire_put_bytes(w, b, sizeof(b));
}

void wire_put_u32(struct wire_writer *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
			 (uint8_t)(v >> 8), (uint8_t)v };

	wire_put_bytes(w, b, sizeof(b));
}

void wire_set_u16(struct wire_writer *w, size_t at, uint16_t v)
{
	if (w->len < 2 || at > w->len - 2)
		return;
	w->buf[at] = (uint8_t)(v >> 8);
	w->buf[at + 1] = (uint8_t)v;
}

static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Length bytes are at most 63 and 'A' is 65: they are never folded. */
void wire_name_fold(struct wire_name *n)
{
	for (size_t i = 0; i < n->len; i++)
		n->bytes[i] = fold(n->bytes[i]);
}

bool wire_name_equal(const struct wire_name *a, const struct wire_name *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (fold(a->bytes[i]) != fold(b->bytes[i]))
			return false;
	return true;
}

bool wire_name_from_text(const char *text, struct wire_name *ret)
{
	struct wire_writer w = wire_writer(ret->bytes, sizeof(ret->bytes));

	while (*text) {
		size_t n = strcspn(text, ".");

		if (n == 0 || n > LABEL_MAX)
			return false;
		wire_put_u8(&w, (uint8_t)n);
		wire_put_bytes(&w, text, n);
		text += n;
		if (*text == '.' && *++text == '\0')
			return false;
	}
	wire_put_u8(&w, 0);
	ret->len = (uint8_t)w.len;
	return !w.full;
}

static size_t put_text(char *buf, size_t room, uint8_t c)
{
	bool plain = c > ' ' && c < 0x7f && c != '.' && c != '\\';

	if (room < (plain ? 2 : 5))
		return 0;
	if (!plain)
		return (size_t)snprintf(buf, room, "\\%03u", c);
	buf[0] = (char)c;
	return 1;
}

void wire_name_to_text(const struct wire_name *n, char *buf, size_t size)
{
	size_t used = 0;
	size_t pos = 0;

	if (n->len <= 1)
		buf[used++] = '.';
	while (pos < n->len && n->bytes[pos] != 0) {
		size_t end = pos + 1 + n->bytes[pos];

		if (pos > 0 && used + 1 < size)
			buf[used++] = '.';
		for (pos++; pos < end && pos < n->len; pos++) {
			size_t step = put_text(buf + used, size - used,
					       n->bytes[pos]);

			used += step;
			if (step == 0) {
				buf[used] = '\0';
				return;
			}
		}
	}
	buf[used] = '\0';
}
