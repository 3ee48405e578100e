/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients ask and what they are told, in wire form.  Nothing of a query
 * but its id, its RD bit, its question and the UDP size ever comes back, and
 * nothing of it goes anywhere else: messages are parsed, never passed on.
 */
#ifndef DNSFILTER_MESSAGE_H
#define DNSFILTER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsfilter/wire.h"

#define DNS_HEADER_LEN 12
#define DNS_UDP_MIN    512
#define DNS_UDP_MAX    1232 /* no fragments on any usual path */
/* The largest answer that dns_build_reply() makes: eight aliases, 64 records
 * with DNS_RDATA_MAX bytes and the fixed parts take less than 7700 bytes. */
#define DNS_ANSWER_MAX	 8192
#define DNS_RDATA_MAX	 4096
#define DNS_EDE_TEXT_MAX 320

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_CAA = 257,
};

#define DNS_CLASS_IN 1

enum dns_rcode {
	DNS_RCODE_NOERROR = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5,
	DNS_RCODE_BADVERS = 16,
};

/* RFC 8914 */
enum dns_ede {
	DNS_EDE_NONE = -1,
	DNS_EDE_OTHER = 0,
	DNS_EDE_BLOCKED = 15,
	DNS_EDE_FILTERED = 17,
	DNS_EDE_PROHIBITED = 18,
	DNS_EDE_NOT_SUPPORTED = 21,
	DNS_EDE_NO_REACHABLE_AUTHORITY = 22,
	DNS_EDE_NETWORK_ERROR = 23,
	DNS_EDE_INVALID_DATA = 24,
};

struct dns_question {
	uint16_t id;
	uint16_t type;
	uint16_t class;
	uint16_t udp_size; /* DNS_UDP_MIN..DNS_UDP_MAX */
	uint8_t opcode;
	bool rd;
	bool has_question; /* false: could not be read, is not echoed */
	bool has_edns;
	struct wire_name name; /* in the client's case */
};

/* Returns -1 if the message deserves no answer (too short, or itself an
 * answer), DNS_RCODE_NOERROR if the question is to be decided, or the RCODE to
 * reject it with; *ret is filled as far as dns_build_reply() needs. */
int dns_parse_query(const uint8_t *msg, size_t len, struct dns_question *ret);

/* Aliases, and addresses or other records, in packed form; a view, borrowed. */
struct dns_records {
	uint16_t type;
	uint8_t n_hops;
	uint8_t n_addr;	 /* DNS_TYPE_A and DNS_TYPE_AAAA only */
	uint8_t n_rdata; /* other types only */
	uint16_t hops_len;
	uint16_t rdata_len;   /* bytes in all */
	const uint8_t *hops;  /* n_hops wire names, one after the other */
	const uint8_t *addr;  /* n_addr times 4 or 16 bytes */
	const uint8_t *rdata; /* n_rdata times a length of two bytes (in
				 network order) and that many */
};

static inline bool dns_records_empty(const struct dns_records *s)
{
	return s->n_addr == 0 && s->n_rdata == 0;
}

static inline bool dns_type_is_address(uint16_t type)
{
	return type == DNS_TYPE_A || type == DNS_TYPE_AAAA;
}

/* 4 or 16. */
size_t dns_addr_width(uint16_t type);

struct dns_reply {
	uint16_t rcode;
	uint32_t ttl_sec;
	bool soa; /* negative: with an SOA, so that it is cached for ttl_sec */
	const struct dns_records *records; /* may be NULL */
	int ede;			   /* enum dns_ede */
	const char *ede_text;		   /* may be NULL */
};

/* At most limit bytes (DNS_UDP_MIN..DNS_ANSWER_MAX); records that do not fit
 * are left out as a whole and TC is set.  Returns the length. */
size_t dns_build_reply(const struct dns_question *q, const struct dns_reply *r,
		       size_t limit, uint8_t *buf);

#endif
