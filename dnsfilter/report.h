/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decisions as events for the monitor. */
#ifndef DNSFILTER_REPORT_H
#define DNSFILTER_REPORT_H

#include "dnsfilter/channel.h"
#include "dnsfilter/message.h"

struct decision {
	enum dns_verdict verdict;
	uint16_t type;
	uint16_t rcode;
	const char *name;
	const struct wire_name *wire; /* NULL: the name says it all */
	bool cached;
	unsigned count;
	const struct dns_records *records; /* may be NULL */
	uint64_t mask;			   /* which of them */
};

/* Allowed and empty answers are reported only with log_all. */
void dns_report(struct dns_channel *c, bool log_all, const struct decision *d);

#endif
