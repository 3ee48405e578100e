/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* Room kept for json_end() and an open array: "]}\n" and the NUL. */
#define JSON_TAIL 4

void text_escape(const char *in, size_t len, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)in[i];

		if (c >= 0x20 && c < 0x7f) {
			if (used + 1 >= size)
				break;
			out[used++] = (char)c;
			continue;
		}
		if (used + 4 >= size)
			break;
		out[used++] = '\\';
		out[used++] = 'x';
		out[used++] = hex[c >> 4];
		out[used++] = hex[c & 15];
	}
	out[used] = '\0';
}

bool text_to_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (*text == '\0')
		return false;
	for (const char *p = text; *p; p++) {
		unsigned digit = (unsigned char)*p - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static void put(struct json_line *j, const char *s, size_t n)
{
	if (j->overflow || j->len + n + JSON_TAIL > j->size) {
		j->overflow = true;
		return;
	}
	memcpy(j->buf + j->len, s, n);
	j->len += n;
}

static void put_quoted(struct json_line *j, const char *s)
{
	put(j, "\"", 1);
	for (; *s && !j->overflow; s++) {
		unsigned char c = (unsigned char)*s;
		char esc[8];

		if (c == '"' || c == '\\') {
			esc[0] = '\\';
			esc[1] = (char)c;
			put(j, esc, 2);
		} else if (c < 0x20 || c >= 0x7f) {
			(void)snprintf(esc, sizeof(esc), "\\u%04x", c);
			put(j, esc, 6);
		} else {
			put(j, s, 1);
		}
	}
	put(j, "\"", 1);
}

static void put_key(struct json_line *j, const char *key)
{
	if (j->need_comma)
		put(j, ",", 1);
	j->need_comma = true;
	put_quoted(j, key);
	put(j, ":", 1);
}

/* Undoes a value that did not fit; later, shorter ones may still. */
static void settle(struct json_line *j, size_t mark, bool comma)
{
	if (!j->overflow)
		return;
	j->len = mark;
	j->need_comma = comma;
	j->overflow = false;
}

void json_begin(struct json_line *j, char *buf, size_t size)
{
	*j = (struct json_line) { .buf = buf, .size = size };
	put(j, "{", 1);
}

void json_string(struct json_line *j, const char *key, const char *value)
{
	size_t mark = j->len;
	bool comma = j->need_comma;

	put_key(j, key);
	put_quoted(j, value);
	settle(j, mark, comma);
}

void json_uint(struct json_line *j, const char *key, uint64_t value)
{
	size_t mark = j->len;
	bool comma = j->need_comma;
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu",
			 (unsigned long long)value);

	put_key(j, key);
	put(j, digits, n > 0 ? (size_t)n : 0);
	settle(j, mark, comma);
}

void json_array_begin(struct json_line *j, const char *key)
{
	size_t mark = j->len;
	bool comma = j->need_comma;

	put_key(j, key);
	put(j, "[", 1);
	j->in_array = !j->overflow;
	if (j->in_array)
		j->need_comma = false;
	settle(j, mark, comma);
}

void json_array_string(struct json_line *j, const char *value)
{
	size_t mark = j->len;
	bool comma = j->need_comma;

	if (!j->in_array)
		return;
	if (j->need_comma)
		put(j, ",", 1);
	j->need_comma = true;
	put_quoted(j, value);
	settle(j, mark, comma);
}

void json_array_end(struct json_line *j)
{
	if (!j->in_array)
		return;
	j->in_array = false;
	j->buf[j->len++] = ']'; /* JSON_TAIL keeps the room */
	j->need_comma = true;
}

size_t json_end(struct json_line *j)
{
	j->buf[j->len++] = '}';
	j->buf[j->len++] = '\n';
	j->buf[j->len] = '\0';
	return j->len;
}
