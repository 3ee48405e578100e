/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one canonical form of a name.  Text and wire labels pass through the
 * same label check, so that no two parts of the program can read one name in
 * two ways.  Bytes outside ASCII exist only before idna_to_ascii().
 */
#include "profiles/hostname.h"

#include <errno.h>
#include <string.h>

#include "profiles/idna.h"

#define LABEL_MAX 63
/* An A-label can be shorter than the UTF-8 that it stands for. */
#define TEXT_MAX 1024

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_label_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* p is lower case.  Returns NULL or what is wrong. */
static const char *label_fault(const uint8_t *p, size_t len)
{
	if (len == 0)
		return "has an empty label (a dot too many)";
	if (len > LABEL_MAX)
		return "has a label longer than 63 bytes";
	for (size_t i = 0; i < len; i++)
		if (!is_label_byte(p[i]))
			return "has a character other than letters, digits, "
			       "'-', '_' and dots";
	if (len >= 4 && memcmp(p, "xn--", 4) == 0 &&
	    !idna_punycode_valid(p + 4, len - 4))
		return "has a malformed internationalised label (xn--)";
	return NULL;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static int canonical(const char *text, size_t len, char *ret, struct err *e)
{
	size_t start = 0;

	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0)
		return err_set(e, EINVAL, "is empty");
	if (len > HOSTNAME_MAX)
		return err_set(e, EINVAL, "is longer than 253 bytes");
	for (size_t i = 0; i < len; i++)
		ret[i] = (char)lower((uint8_t)text[i]);
	ret[len] = '\0';
	for (size_t i = 0; i <= len; i++) {
		const char *fault;

		if (i < len && ret[i] != '.')
			continue;
		fault = label_fault((const uint8_t *)ret + start, i - start);
		if (fault)
			return err_set(e, EINVAL, "%s", fault);
		start = i + 1;
	}
	if (hostname_looks_like_address(ret))
		return err_set(e, EINVAL,
			       "is or resembles an address, not a name");
	return 0;
}

int hostname_from_text(const char *text, char ret[static HOSTNAME_BUF],
		       struct err *e)
{
	char ascii[TEXT_MAX];
	size_t len = strlen(text);

	if (len >= sizeof(ascii))
		return err_set(e, EINVAL, "is longer than 253 bytes");
	if (is_ascii(text))
		return canonical(text, len, ret, e);

	int rc = idna_to_ascii(text, ascii, sizeof(ascii), e);

	return rc < 0 ? rc : canonical(ascii, strlen(ascii), ret, e);
}

bool hostname_from_wire(const uint8_t *wire, char ret[static HOSTNAME_BUF])
{
	size_t used = 0;

	if (*wire == 0)
		return false;
	while (*wire != 0) {
		size_t len = *wire++;

		/* 255 bytes on the wire are 253 of text and a NUL. */
		if (len > LABEL_MAX || used + len + 1 > HOSTNAME_BUF)
			return false;
		for (size_t i = 0; i < len; i++)
			ret[used + i] = (char)lower(wire[i]);
		if (label_fault((const uint8_t *)ret + used, len))
			return false;
		used += len;
		wire += len;
		ret[used++] = '.';
	}
	ret[used - 1] = '\0';
	return true;
}

/* Every spelling of IPv6 has two colons and nothing but these bytes, up to a
 * scope or the port after a bracket. */
static bool looks_like_ipv6(const char *text)
{
	size_t n_colons = 0;

	for (; *text && *text != '%' && *text != '/'; text++) {
		uint8_t c = lower((uint8_t)*text);

		n_colons += c == ':';
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		      c == ':' || c == '.' || c == '[' || c == ']'))
			return false;
	}
	return n_colons >= 2;
}

bool hostname_looks_like_address(const char *text)
{
	size_t end = strlen(text);
	size_t start;
	size_t n;

	if (looks_like_ipv6(text))
		return true;
	/* WHATWG URL, "ends in a number": the last label is decimal, octal
	 * or hexadecimal.  inet_aton(3) takes nothing beyond that. */
	if (end > 0 && text[end - 1] == '.')
		end--;
	for (start = end; start > 0 && text[start - 1] != '.'; start--)
		;
	n = end - start;
	text += start;
	if (n >= 2 && text[0] == '0' && lower((uint8_t)text[1]) == 'x')
		return strspn(text + 2, "0123456789abcdefABCDEF") >= n - 2;
	return n > 0 && strspn(text, "0123456789") >= n;
}
