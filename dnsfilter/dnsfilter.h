/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DNS filter process and what it exchanges with the monitor.
 *
 * Every message is one SOCK_SEQPACKET datagram of exactly the size of its
 * struct; the first member is its type.  The filter trusts the monitor; the
 * monitor checks everything the filter says.
 *
 * The filter has no file system and opens no sockets.  Which resolvers there
 * are, and /etc/hosts, come with DNS_MSG_CONFIG on the channel; a socket that
 * is connected to one of them comes over a second one, desk, which carries
 * nothing but dns_msg_socket and its answer, in order.
 */
#ifndef DNSFILTER_DNSFILTER_H
#define DNSFILTER_DNSFILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "dnsfilter/resolvconf.h"
#include "profiles/allowlist.h"
#include "profiles/hostname.h"

/* Addresses of one answer; a larger RRset is cut, the rest never given out. */
#define DNS_ADDRESSES_MAX 64

enum dns_msg_type {
	DNS_MSG_ADMIT = 1, /* filter -> monitor */
	DNS_MSG_ADMITTED,  /* monitor -> filter */
	DNS_MSG_EVENT,	   /* filter -> monitor */
	DNS_MSG_READY,	   /* filter -> monitor, once: listening */
	DNS_MSG_CONFIG,	   /* monitor -> filter: first, and at changes */
	DNS_MSG_REFRESH,   /* filter -> monitor: answered with CONFIG */
	DNS_MSG_SOCKET,	   /* desk, both ways */
};

/* With a descriptor: /etc/hosts, a regular file, to be read with pread();
 * without: there is none. */
struct dns_msg_config {
	uint32_t type;
	uint32_t reserved;
	struct resolvconf resolvers;
};

/* The files may have changed; no question is begun before they were read. */
struct dns_msg_refresh {
	uint32_t type;
	uint32_t reserved;
};

enum dns_transport { DNS_UDP, DNS_TCP, DNS_TRANSPORT__COUNT };

/* Asks for a socket of its own that is connected (TCP: or about to be) to port
 * 53 of a resolver; the answer is the same with error filled in, and brings it
 * if that is 0. */
struct dns_msg_socket {
	uint32_t type;
	uint32_t transport; /* enum dns_transport */
	struct addr server; /* one of the configured */
	int32_t error;	    /* errno value; 0 in a request */
};

/* Asks to admit the addresses that name resolved to; no answer may reach the
 * client before DNS_MSG_ADMITTED came back. */
struct dns_msg_admit {
	uint32_t type;
	uint32_t n;		 /* 1..DNS_ADDRESSES_MAX */
	uint64_t id;		 /* echoed */
	uint32_t ttl_sec;	 /* what the client will be told */
	char name[HOSTNAME_BUF]; /* canonical, NUL-terminated */
	struct addr addr[DNS_ADDRESSES_MAX];
};

struct dns_msg_admitted {
	uint32_t type;
	int32_t error; /* 0, or an errno value: nothing was admitted */
	uint64_t id;
	uint64_t granted;   /* bit i: addr[i] is admitted */
	uint64_t forbidden; /* bit i: refused as dangerous (loopback, the host's
			       own ...); a bit in neither: no route to it */
};

enum dns_verdict {
	DNS_VERDICT_ALLOW,	     /* answered with what upstream said */
	DNS_VERDICT_DENY,	     /* name not on the allowlist */
	DNS_VERDICT_REFUSED_ADDRESS, /* allowed, but every address was refused
				      */
	DNS_VERDICT_FAILED,  /* allowed, but upstream or admission failed */
	DNS_VERDICT_EMPTY,   /* allowed name: NXDOMAIN or no data */
	DNS_VERDICT_LIMITED, /* too many names of that rule: the first one */
	DNS_VERDICT__COUNT,
};

/* One decision, for the log and the summary.  Also sent for refused single
 * addresses. */
struct dns_msg_event {
	uint32_t type;
	uint32_t verdict; /* enum dns_verdict */
	uint16_t qtype;
	uint16_t rcode; /* what the client was told */
	uint16_t n_addr;
	uint16_t cached; /* 1: answered from the cache */
	uint32_t count;	 /* how many identical decisions this stands for */
	char name[HOSTNAME_BUF]; /* canonical; "" if the wire name was no host
				    name */
	char text[HOSTNAME_BUF]; /* presentation form, escaped as \DDD, cut */
	struct addr addr[DNS_ADDRESSES_MAX];
};

struct dns_msg_ready {
	uint32_t type;
	uint32_t reserved;
};

/* How many listeners: G dual stack and the loopback of the agent's netns. */
#define DNS_LISTENERS_MAX 8

struct dnsfilter_config {
	const struct allowlist *allowlist; /* borrowed */
	/* Borrowed; names that it takes get a stand-in and are not asked. */
	const struct proxy_rules *proxy;
	int channel; /* SEQPACKET to the monitor; borrowed */
	int desk;    /* another, for sockets; borrowed */
	int changed; /* readable (poll) when the files may have changed;
		      * borrowed
		      */
	int udp[DNS_LISTENERS_MAX]; /* bound, non-blocking; borrowed */
	int n_udp;
	int tcp[DNS_LISTENERS_MAX]; /* bound, listening, non-blocking; borrowed
				     */
	int n_tcp;
	bool log_all; /* send DNS_MSG_EVENT for allowed answers as well */
};

/* Serves until the channel reports end of file.  Runs in its own process (the
 * caller has forked and closed everything else).  Returns an exit status. */
int dnsfilter_main(const struct dnsfilter_config *c);

#endif
