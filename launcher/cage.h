/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds the namespaces.  Three processes take part:
 *
 *   monitor          stays where it is
 *   gateway stage    new user and network namespace (U, G); makes the link,
 *                    the rules and every socket that lives in G, hands the
 *                    sockets to the monitor and exits
 *   init             child of the monitor, but cloned by the gateway stage so
 *                    that its user namespace (U2) is a child of U; pid 1 of
 *                    the cage
 *
 * Afterwards no process is left in U or G: G lives as long as its sockets.
 */
#ifndef LAUNCHER_CAGE_H
#define LAUNCHER_CAGE_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "launcher/files.h"
#include "launcher/environment.h"
#include "launcher/identity.h"
#include "profiles/allowlist.h"
#include "profiles/ports.h"

/* The namespaces of the command. */
#define CAGE_FLAGS                                                   \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

enum cage_msg_type {
	/* gateway stage or init -> monitor */
	CAGE_MSG_ERROR = 1, /* text: why the start failed; value: errno */
	CAGE_MSG_GATEWAY,   /* with enum gateway_fd descriptors; value: port */
	CAGE_MSG_UDP,	    /* as GATEWAY's: more of them, for UDP */
	CAGE_MSG_ICMP,	    /* behind the last of these, with one or two */
	CAGE_MSG_READY,	    /* with enum ready_fd descriptors */
	CAGE_MSG_STARTED,   /* from the command's process: its pid by creds */
	CAGE_MSG_EXEC_FAILED, /* value: errno */
	CAGE_MSG_STOPPED,     /* value: signal */
	CAGE_MSG_EXITED,      /* value: wait status of the command */
	/* monitor -> init */
	CAGE_MSG_GO,
	CAGE_MSG_SIGNAL, /* value: signal; to_group */
};

struct cage_msg {
	uint32_t type;
	int32_t value;
	uint32_t to_group; /* the command's process group, not it alone */
	char text[ERR_MSG_MAX];
};

/* What the gateway stage hands over, in this order. */
enum gateway_fd {
	GATEWAY_FD_NFT,	   /* nftables requests */
	GATEWAY_FD_SYN,	   /* held SYNs */
	GATEWAY_FD_DENIED, /* copies of rejected packets */
	GATEWAY_FD_DNS_UDP,
	GATEWAY_FD_DNS_TCP,
	GATEWAY_FD_RELAY4,
	GATEWAY_FD_RELAY6, /* the last: absent without IPv6 */
	GATEWAY_FD__COUNT,
};

/* What init hands over, in this order. */
enum ready_fd {
	READY_FD_DNS_UDP, /* port 53 on the loopback of the agent's netns */
	READY_FD_DNS_TCP,
	READY_FD_USERNS, /* U2 and its mount namespace, for mounts that are */
	READY_FD_MNTNS,	 /* to be put up again during the run */
	READY_FD_NETNS,	 /* A, for sockets that lead to its listeners */
	READY_FD__ALWAYS,
	/* with ports of the host's loopback only */
	READY_FD_LOOP_SYN = READY_FD__ALWAYS, /* held SYNs to them */
	READY_FD_LOOP_RELAY4,
	READY_FD_LOOP_RELAY6, /* the last: absent without IPv6 */
	READY_FD__COUNT,
};

struct cage_plan {
	const struct identity *identity;
	const struct files *files;
	const struct ports *open; /* of the host's loopback */
	const struct allowlist *allow;
	char **command;
	/* The command's.  Init and the gateway stage wipe the credentials in
	 * their copies; the caller does in its own after cage_build(). */
	struct environment *env;
	sigset_t command_mask; /* the caller's signal mask */
	bool take_terminal;    /* the command gets the foreground at once */
};

struct cage {
	pid_t stage_pid; /* the gateway stage; 0: reaped */
	pid_t init_pid;
	int init_pidfd;
	int init_channel; /* SEQPACKET of struct cage_msg, SO_PASSCRED */
	int gateway[GATEWAY_FD__COUNT]; /* -1: absent */
	int ready[READY_FD__COUNT];	/* -1: absent */
	/* In G, one for each of allowlist_udp_ports(), in that order. */
	size_t n_udp;
	int udp[ALLOW_UDP_ALL];
	int icmp[2]; /* beside them, IPv4 and IPv6; -1: absent */
};

#define READY_NONE_INIT                        \
	{                                      \
		-1, -1, -1, -1, -1, -1, -1, -1 \
	}
#define CAGE_NONE_INIT                                        \
	{                                                     \
		.init_pidfd = -1, .init_channel = -1,         \
		.gateway = { -1, -1, -1, -1, -1, -1, -1 },    \
		.ready = READY_NONE_INIT, .icmp = { -1, -1 }, \
	}

/* Builds everything; init waits for cage_go().  On failure nothing is left. */
int cage_build(const struct cage_plan *plan, struct cage *ret, struct err *e);
/* Lets init start the command, when the link lets packets pass. */
int cage_go(struct cage *c, struct err *e);
/* After a step that failed: if init gave up before, its word is the cause (of
 * the failure of others, which stumble over its absence) and becomes e. */
void cage_prefer_init_error(const struct cage *c, struct err *e);
/* Kills what is inside, reaps init, closes everything.  Safe to repeat. */
void cage_destroy(struct cage *c);

/* Sends without blocking; 0 or -errno. */
int cage_send(int fd, enum cage_msg_type type, int value, bool to_group);
/* Tells the monitor why this process gives up; then exit. */
void cage_report_error(int fd, const struct err *e);

#endif
