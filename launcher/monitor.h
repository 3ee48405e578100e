/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Supervises one run: the command through init, the helpers through the
 * gatekeeper, signals and the terminal. */
#ifndef LAUNCHER_MONITOR_H
#define LAUNCHER_MONITOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "relay/inspect.h"

struct allowlist;
struct filewatch;
struct inbound_sockets;
struct limits;
struct loop;
struct ports;
struct proxy;
struct cage;
struct report;
struct terminal;

#define EXIT_FAILED 125 /* egress-run itself failed */

/* The signals that the monitor handles; to be blocked before the cage is
 * built, so that none is lost. */
void monitor_signals(sigset_t *ret);

struct monitor_config {
	struct cage *cage;	       /* built, waiting for GO; borrowed */
	const struct allowlist *allow; /* borrowed */
	const struct ports *open;      /* of the host, reached from inside */
	/* Of the host, leading inside. */
	const struct inbound_sockets *listen;
	const struct proxy *proxy;
	char *const *command; /* borrowed; NULL-terminated */
	uint32_t grace_sec;
	enum verify_mode verify;
	bool log_all;	   /* every look-up is recorded, not only the refused */
	struct loop *loop; /* borrowed */
	struct filewatch *files;     /* started; borrowed, but finished */
	const struct limits *limits; /* borrowed */
	const char *hint;      /* why the command may not be found, or NULL */
	struct report *report; /* borrowed */
	struct terminal *terminal; /* borrowed */
};

/* Runs the command to its end.  Returns 0 with *ret_status the exit status
 * for our own caller, or -errno: then the command did not start. */
int monitor_run(const struct monitor_config *c, int *ret_status, struct err *e);

#endif
