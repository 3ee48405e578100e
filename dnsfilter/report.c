/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/report.h"

#include <string.h>

#include "common/addr.h"

static void put_addresses(struct dns_msg_event *m, const struct decision *d)
{
	size_t width = dns_addr_width(d->type);

	for (unsigned i = 0; i < d->records->n_addr; i++) {
		const uint8_t *a = d->records->addr + i * width;

		if (d->mask >> i & 1)
			m->addr[m->n_addr++] =
				width == 4 ? addr_v4(a) : addr_v6(a);
	}
}

void dns_report(struct dns_channel *c, bool log_all, const struct decision *d)
{
	struct dns_msg_event m;

	if (!log_all && (d->verdict == DNS_VERDICT_ALLOW ||
			 d->verdict == DNS_VERDICT_EMPTY))
		return;
	memset(&m, 0, sizeof(m));
	m.type = DNS_MSG_EVENT;
	m.verdict = d->verdict;
	m.qtype = d->type;
	m.rcode = d->rcode;
	m.cached = d->cached;
	m.count = d->count;
	memcpy(m.name, d->name, strnlen(d->name, HOSTNAME_MAX));
	if (d->wire)
		wire_name_to_text(d->wire, m.text, sizeof(m.text));
	else
		memcpy(m.text, d->name, strnlen(d->name, HOSTNAME_MAX));
	if (d->records)
		put_addresses(&m, d);
	dns_channel_event(c, &m);
}
