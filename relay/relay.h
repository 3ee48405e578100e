/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay process and what it exchanges with the monitor.
 *
 * The relay opens no socket of its own: the monitor connects to the far end
 * while the command's SYN is held, hands the connected socket over, and only
 * then lets the SYN through.  The relay accepts the command's end, pairs the
 * two by the original addresses, and moves bytes.  So what it needs of the
 * kernel is the handling of descriptors it was given.
 *
 * Every message is one SOCK_SEQPACKET datagram of exactly the size of its
 * struct; the first member is its type.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "relay/inspect.h"

enum relay_msg_type {
	RELAY_MSG_CONN = 1, /* monitor -> relay, with one descriptor */
	RELAY_MSG_PAIR,	    /* monitor -> relay, with two descriptors */
	RELAY_MSG_FINISH,   /* monitor -> relay: the command has ended */
	RELAY_MSG_CLOSED,   /* relay -> monitor */
	RELAY_MSG_READY,    /* relay -> monitor, once */
	RELAY_MSG_REFUSED,  /* relay -> monitor: instead of CLOSED */
	RELAY_MSG_UDP_ASK,  /* relay -> monitor: a flow is wanted */
	RELAY_MSG_UDP,	    /* monitor -> relay, with one descriptor */
	RELAY_MSG_UDP_DENY, /* monitor -> relay: instead */
};

/* A connected, non-blocking socket to the far end; the command's end with
 * this source port and original destination will be accepted soon. */
struct relay_msg_conn {
	uint32_t type;
	uint16_t src_port;  /* the command's, host order */
	uint16_t dst_port;  /* original destination, host order */
	uint64_t id;	    /* chosen by the monitor, unique in the run */
	struct addr dst;    /* original destination */
	uint8_t by_address; /* as in struct inspect_target */
	uint8_t port_named;
};

/* Two connected, non-blocking sockets: to a listener of the command's, and
 * from who asked for it. */
struct relay_msg_pair {
	uint32_t type;
	uint32_t reserved;
	uint64_t id;
};

/* Flows of one relay, unless descriptors are few. */
#define UDP_FLOWS_MAX 1024

/* Of a flow of datagrams: from this port of the command to this destination.
 * The descriptor is a non-blocking socket connected with it.  A request that
 * cannot be answered now has no answer. */
struct relay_msg_udp {
	uint32_t type;
	uint16_t src_port;
	uint16_t dst_port;
	uint64_t id; /* of UDP; else 0 */
	struct addr dst;
};

struct relay_msg_finish {
	uint32_t type;
	uint32_t reserved;
};

enum relay_end {
	RELAY_END_EOF,	     /* both directions ended by FIN */
	RELAY_END_RESET,     /* one side sent RST, carried across */
	RELAY_END_ERROR,     /* read or write failed otherwise */
	RELAY_END_UNCLAIMED, /* the command's end never came */
	RELAY_END_FINISH,    /* closed at the end of the run */
	RELAY_END_REFUSED,   /* by the name check; RELAY_MSG_REFUSED */
	RELAY_END_SILENT,    /* the client had to speak, and did not */
	RELAY_END_IDLE,	     /* UDP: nothing came for its time */
	RELAY_END_CROWDED,   /* UDP: the oldest of too many flows */
	RELAY_END__COUNT,
};

struct relay_msg_closed {
	uint32_t type;
	uint32_t end; /* enum relay_end */
	uint64_t id;
	uint64_t bytes_up;   /* command -> far end */
	uint64_t bytes_down; /* far end -> command */
};

#define RELAY_DETAIL_MAX 80

struct relay_msg_refused {
	struct relay_msg_closed closed; /* type is REFUSED, end likewise */
	uint32_t reason;		/* enum inspect_reason */
	uint32_t protocol;		/* enum inspect_protocol */
	/* As in struct inspect_verdict; terminated. */
	char name[HOSTNAME_BUF];
	char detail[RELAY_DETAIL_MAX];
};

struct relay_msg_ready {
	uint32_t type;
	uint32_t reserved;
};

#define RELAY_LISTENERS 4

/* For UDP besides DNS. */
struct relay_udp {
	int icmp[2];	       /* sockets_open_icmp(); -1: none */
	const int *fds;	       /* sockets_open_udp(); borrowed */
	const uint16_t *ports; /* theirs */
	size_t n;
	/* How long a flow waits for the monitor, and lives without a datagram
	 * before and after its first answer; milliseconds. */
	uint32_t asked_ms;
	uint32_t unanswered_ms;
	uint32_t answered_ms;
};

struct relay_config {
	int channel; /* SEQPACKET to the monitor; borrowed */
	/* Listening, non-blocking; borrowed; -1: none.  Those of the gateway,
	 * IPv4 and IPv6, then those of the agent's loopback. */
	int listeners[RELAY_LISTENERS];
	/* How long an unclaimed socket is kept, and how long the relay goes on
	 * delivering after RELAY_MSG_FINISH without progress; milliseconds. */
	uint32_t claim_timeout_ms;
	uint32_t finish_timeout_ms;
	/* How long the name check waits: in the middle of a hello or head, and
	 * for the first byte where the client has to speak first. */
	uint32_t partial_timeout_ms;
	uint32_t silent_timeout_ms;
	/* The name check; borrowed, may be NULL with VERIFY_OFF. */
	const struct allowlist *allow;
	enum verify_mode verify;
	struct relay_udp udp;
};

/* Serves until FINISH has been honoured or the channel reports end of file.
 * Runs in its own process.  Returns an exit status. */
int relay_main(const struct relay_config *c);

#endif
