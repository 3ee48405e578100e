/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who asked, and what the listeners call for each message. */
#ifndef DNSFILTER_CLIENT_H
#define DNSFILTER_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dnsfilter/message.h"

/* Queries need less, whatever their transport. */
#define DNS_QUERY_MAX 4096

struct tcp_conn;
struct udp_socket;

/* A value: may be copied and kept while an answer is pending. */
struct dns_client {
	struct tcp_conn *conn; /* NULL: UDP, and then: */
	const struct udp_socket *udp;
	socklen_t peer_len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;
	union { /* the address asked, to be the source of the answer */
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	} local;
};

/* The most that an answer to this query may have. */
static inline size_t dns_reply_limit(const struct dns_client *c,
				     const struct dns_question *q)
{
	return c->conn ? DNS_ANSWER_MAX : q->udp_size;
}

struct listener_ops {
	/* Returns the length of the answer, put in answer (DNS_ANSWER_MAX
	 * bytes), or 0 if there is none or none yet. */
	size_t (*query)(void *arg, const struct dns_client *from,
			const uint8_t *msg, size_t len, uint8_t *answer);
	/* False: what is there to read shall stay for another process. */
	bool (*may_read)(void *arg);
	/* Called before a batch of such answers is sent. */
	void (*before_send)(void *arg);
	void *arg;
};

#endif
