/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An upstream answer reduced to what the question is entitled to: the aliases
 * that lead from the name asked to one owner, and that owner's addresses, or
 * records of another type.
 * Everything else in the message (records of other owners, the authority and
 * additional sections) is ignored.
 */
#ifndef DNSFILTER_CHAIN_H
#define DNSFILTER_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "dnsfilter/dnsfilter.h"
#include "dnsfilter/message.h"

#define DNS_HOPS_MAX	    8
#define DNS_TTL_MIN_SEC	    1 /* or each question would go upstream */
#define DNS_TTL_MAX_SEC	    3600
#define DNS_RECORDS_MAX	    64
#define DNS_NEG_TTL_MIN_SEC 1
#define DNS_NEG_TTL_MAX_SEC 30

struct dns_chain {
	uint16_t rcode; /* NOERROR or NXDOMAIN */
	uint16_t type;
	uint32_t ttl_sec; /* the least of all records; of the denial if none */
	uint8_t n_hops;
	uint8_t n_addr;	 /* of DNS_TYPE_A or DNS_TYPE_AAAA */
	uint8_t n_rdata; /* of other types */
	uint16_t hops_len;
	uint16_t rdata_len;
	uint8_t hops[DNS_HOPS_MAX * WIRE_NAME_MAX];   /* packed, lower case */
	union {					      /* packed */
		uint8_t addr[DNS_ADDRESSES_MAX * 16]; /* distinct */
		uint8_t rdata[DNS_RDATA_MAX];
	};
};

/* A positive answer without records yet. */
void dns_chain_init(struct dns_chain *c, uint16_t type, uint32_t ttl_sec);
/* Ignores an address that is there already, and all beyond the room. */
void dns_chain_add(struct dns_chain *c, const uint8_t *addr);
struct addr dns_chain_addr(const struct dns_chain *c, unsigned i);
/* Keeps the addresses whose bit is set. */
void dns_chain_keep(struct dns_chain *c, uint64_t mask);
/* Points into *c. */
struct dns_records dns_chain_records(const struct dns_chain *c);

/* name is canonical.  Returns 0, or -EBADMSG: no answer to this question, an
 * error code, malformed, a loop or too long a chain of aliases. */
int dns_parse_answer(const uint8_t *msg, size_t len, const char *name,
		     uint16_t type, struct dns_chain *ret);

#endif
