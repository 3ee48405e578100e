/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages put together by hand, independently of the code under test. */
#ifndef TESTS_DNS_BUILD_H
#define TESTS_DNS_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct msg {
	size_t len;
	uint8_t b[65535];
};

static inline void m_raw(struct msg *m, const void *p, size_t n)
{
	memcpy(m->b + m->len, p, n);
	m->len += n;
}

static inline void m_u8(struct msg *m, unsigned v)
{
	m->b[m->len++] = (uint8_t)v;
}

static inline void m_u16(struct msg *m, unsigned v)
{
	m_u8(m, v >> 8 & 0xff);
	m_u8(m, v & 0xff);
}

static inline void m_u32(struct msg *m, uint32_t v)
{
	m_u16(m, v >> 16);
	m_u16(m, v & 0xffff);
}

/* "a.b.c" without escapes; "" is the root. */
static inline void m_name(struct msg *m, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		m_u8(m, (unsigned)n);
		m_raw(m, text, n);
		text += n;
		text += *text == '.';
	}
	m_u8(m, 0);
}

static inline void m_header(struct msg *m, unsigned id, unsigned flags,
			    unsigned qd, unsigned an, unsigned ns, unsigned ar)
{
	m->len = 0;
	m_u16(m, id);
	m_u16(m, flags);
	m_u16(m, qd);
	m_u16(m, an);
	m_u16(m, ns);
	m_u16(m, ar);
}

static inline void m_question(struct msg *m, const char *name, unsigned type)
{
	m_name(m, name);
	m_u16(m, type);
	m_u16(m, 1);
}

static inline void m_query(struct msg *m, unsigned id, const char *name,
			   unsigned type)
{
	m_header(m, id, 0x0100, 1, 0, 0, 0);
	m_question(m, name, type);
}

static inline void m_set16(struct msg *m, size_t at, unsigned v)
{
	m->b[at] = (uint8_t)(v >> 8);
	m->b[at + 1] = (uint8_t)v;
}

static inline unsigned m_get16(const struct msg *m, size_t at)
{
	return (unsigned)m->b[at] << 8 | m->b[at + 1];
}

/* Counts one more record of the section at header offset at. */
static inline void m_count(struct msg *m, size_t at)
{
	m_set16(m, at, m_get16(m, at) + 1);
}

enum { M_ANSWER = 6, M_AUTHORITY = 8, M_ADDITIONAL = 10 };

static inline void m_rr(struct msg *m, size_t section, const char *owner,
			unsigned type, uint32_t ttl, const void *rdata,
			size_t len)
{
	m_count(m, section);
	m_name(m, owner);
	m_u16(m, type);
	m_u16(m, 1);
	m_u32(m, ttl);
	m_u16(m, (unsigned)len);
	m_raw(m, rdata, len);
}

static inline void m_cname(struct msg *m, const char *owner, uint32_t ttl,
			   const char *target)
{
	static struct msg rdata;

	rdata.len = 0;
	m_name(&rdata, target);
	m_rr(m, M_ANSWER, owner, 5, ttl, rdata.b, rdata.len);
}

/* The last byte of 192.0.2.x. */
static inline void m_a(struct msg *m, const char *owner, uint32_t ttl,
		       unsigned last)
{
	uint8_t rdata[4] = { 192, 0, 2, (uint8_t)last };

	m_rr(m, M_ANSWER, owner, 1, ttl, rdata, sizeof(rdata));
}

static inline void m_soa(struct msg *m, uint32_t ttl, uint32_t minimum)
{
	static struct msg rdata;

	rdata.len = 0;
	m_name(&rdata, "ns.example");
	m_name(&rdata, "root.example");
	for (int i = 0; i < 4; i++)
		m_u32(&rdata, 1);
	m_u32(&rdata, minimum);
	m_rr(m, M_AUTHORITY, "example", 6, ttl, rdata.b, rdata.len);
}

static inline void m_opt(struct msg *m, unsigned size, unsigned version,
			 const void *options, size_t len)
{
	m_count(m, M_ADDITIONAL);
	m_u8(m, 0);
	m_u16(m, 41);
	m_u16(m, size);
	m_u32(m, (uint32_t)version << 16);
	m_u16(m, (unsigned)len);
	m_raw(m, options, len);
}

/* xorshift64: the same numbers in every run. */
static inline uint32_t m_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

#endif
