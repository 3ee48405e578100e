/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libidn2 is loaded at the first U-label and not linked: few runs need it, and
 * its tables are larger than this program.  The decoder follows RFC 3492 and
 * only judges; the decoded text is never used.
 */
#include "profiles/idna.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#define IDN2_LIBRARY "libidn2.so.0"

/* From <idn2.h>; the header is not needed to build, as the library is loaded
 * only when a name asks for it. */
#define IDN2_NFC_INPUT	     1
#define IDN2_NONTRANSITIONAL 8

struct idn2 {
	void *library;
	int (*lookup_u8)(const uint8_t *src, uint8_t **ret, int flags);
	void (*free)(void *ptr);
	const char *(*strerror)(int rc);
};

/* RFC 3492 6.1. */
static uint32_t punycode_adapt(uint32_t delta, uint32_t n_points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / n_points;
	for (; delta > 35 * 26 / 2; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

/* One generalised variable-length integer (RFC 3492 3.3), added to i.
 * Returns the bytes used, or 0 if malformed. */
static size_t punycode_integer(const uint8_t *p, size_t len, uint32_t bias,
			       uint64_t *i)
{
	uint64_t weight = 1;

	for (size_t used = 0; used < len; used++) {
		uint32_t k = 36 * ((uint32_t)used + 1);
		uint32_t t = k <= bias ? 1 : k - bias > 26 ? 26 : k - bias;
		uint8_t c = p[used];
		uint32_t digit;

		if (c >= 'a' && c <= 'z')
			digit = c - 'a';
		else if (c >= '0' && c <= '9')
			digit = 26 + c - '0';
		else
			return 0;
		*i += digit * weight;
		if (*i > INT32_MAX)
			return 0;
		if (digit < t)
			return used + 1;
		weight *= 36 - t;
		if (weight > INT32_MAX)
			return 0;
	}
	return 0;
}

bool idna_punycode_valid(const uint8_t *p, size_t len)
{
	uint32_t n = 0x80;
	uint32_t bias = 72;
	uint32_t n_points = 0;
	uint64_t i = 0;
	const uint8_t *delimiter = memrchr(p, '-', len);

	if (delimiter) {
		n_points = (uint32_t)(delimiter - p);
		len -= n_points + 1;
		p = delimiter + 1;
	}
	if (len == 0 || (delimiter && n_points == 0))
		return false;
	for (bool first = true; len > 0; first = false) {
		uint64_t before = i;
		size_t used = punycode_integer(p, len, bias, &i);

		if (used == 0)
			return false;
		n_points++;
		bias = punycode_adapt((uint32_t)(i - before), n_points, first);
		n += (uint32_t)(i / n_points);
		if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff))
			return false;
		i = i % n_points + 1;
		p += used;
		len -= used;
	}
	return true;
}

/* Returns NULL or what is wrong. */
static const char *idn2_open(struct idn2 *ret)
{
	/* Stays mapped: a list may hold many such names. */
	ret->library = dlopen(IDN2_LIBRARY, RTLD_NOW | RTLD_NODELETE);
	if (!ret->library)
		return "cannot be loaded (package libidn2-0 or libidn2)";
	*(void **)&ret->lookup_u8 = dlsym(ret->library, "idn2_lookup_u8");
	*(void **)&ret->free = dlsym(ret->library, "idn2_free");
	*(void **)&ret->strerror = dlsym(ret->library, "idn2_strerror");
	if (ret->lookup_u8 && ret->free && ret->strerror)
		return NULL;
	(void)dlclose(ret->library);
	return "lacks a function";
}

static int convert(const struct idn2 *l, const char *text, char *out,
		   size_t size, struct err *e)
{
	uint8_t *ascii = NULL;
	int rc = l->lookup_u8((const uint8_t *)text, &ascii,
			      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

	if (rc != 0)
		return err_set(e, EINVAL,
			       "is no valid internationalised name (%s)",
			       l->strerror(rc));
	if (strlen((const char *)ascii) < size)
		memcpy(out, ascii, strlen((const char *)ascii) + 1);
	else
		rc = err_set(e, EINVAL, "is longer than 253 bytes");
	l->free(ascii);
	return rc;
}

int idna_to_ascii(const char *text, char *out, size_t size, struct err *e)
{
	struct idn2 l = { 0 };
	const char *fault = idn2_open(&l);
	int rc;

	if (fault)
		return err_set(e, EINVAL,
			       "is not ASCII, and " IDN2_LIBRARY " %s; write "
			       "the name in its xn-- form",
			       fault);
	rc = convert(&l, text, out, size, e);
	(void)dlclose(l.library);
	return rc;
}
