/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GO_KEYRING_PREFIX "go-keyring-base64:"

static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

int secret_new(struct secret *s, size_t size, struct err *e)
{
	*s = (struct secret) { .size = whole_pages(size) };
	s->data = mmap(NULL, s->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->data == MAP_FAILED) {
		*s = (struct secret) { 0 };
		return err_errno(e, errno, "memory for a secret");
	}
	if (madvise(s->data, s->size, MADV_DONTDUMP) < 0) {
		int rc = err_errno(e, errno, "keep a secret out of core dumps");

		secret_free(s);
		return rc;
	}
	/* The limit may be small, and swap may be encrypted or absent. */
	(void)mlock2(s->data, s->size, MLOCK_ONFAULT);
	return 0;
}

int secret_grow(struct secret *s, size_t size, struct err *e)
{
	size_t wanted = whole_pages(size);
	void *moved;

	if (!s->data)
		return secret_new(s, size, e);
	if (wanted <= s->size)
		return 0;
	/* Moves the pages themselves, with the advice that they have. */
	moved = mremap(s->data, s->size, wanted, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED && errno == EAGAIN) {
		/* Too much to lock. */
		(void)munlock(s->data, s->size);
		moved = mremap(s->data, s->size, wanted, MREMAP_MAYMOVE);
	}
	if (moved == MAP_FAILED)
		return err_errno(e, errno, "memory for a secret");
	s->data = moved;
	s->size = wanted;
	return 0;
}

void secret_free(struct secret *s)
{
	if (s->data) {
		explicit_bzero(s->data, s->size);
		(void)munmap(s->data, s->size);
	}
	*s = (struct secret) { 0 };
}

void secret_chomp(struct secret *s)
{
	if (s->len > 0 && s->data[s->len - 1] == '\n')
		s->len--;
	else
		return;
	if (s->len > 0 && s->data[s->len - 1] == '\r')
		s->len--;
}

static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = memchr(digits, c, sizeof(digits) - 1);

	return found ? (int)(found - digits) : -1;
}

/* RFC 4648 section 4, with padding; the result is shorter than the text.
 * Returns its length, or -1. */
static ssize_t base64_decode(const char *in, size_t len, char *out)
{
	size_t n = 0;
	size_t pad = 0;
	uint32_t bits = 0;

	if (len % 4 != 0)
		return -1;
	while (pad < 2 && pad < len && in[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i++) {
		int value = i < len - pad ? base64_value(in[i]) : 0;

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		out[n++] = (char)(bits >> 16 & 0xff);
		out[n++] = (char)(bits >> 8 & 0xff);
		out[n++] = (char)(bits & 0xff);
	}
	return (ssize_t)(n - pad);
}

int secret_unwrap_go_keyring(struct secret *s, struct err *e)
{
	const size_t prefix = sizeof(GO_KEYRING_PREFIX) - 1;
	ssize_t len;

	if (s->len < prefix || memcmp(s->data, GO_KEYRING_PREFIX, prefix) != 0)
		return 0;
	len = base64_decode(s->data + prefix, s->len - prefix, s->data);
	if (len < 0)
		return err_set(e, EINVAL,
			       "its value begins with " GO_KEYRING_PREFIX
			       " and is not base64: store it anew");
	explicit_bzero(s->data + len, s->len - (size_t)len);
	s->len = (size_t)len;
	return 0;
}
