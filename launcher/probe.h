/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measures of confinement, and what this machine has of each: one table
 * for `egress-run doctor`, which asks for all of them, and for a run, which
 * asks beforehand for those that it could go without, or could not explain
 * later.  A run learns of the others by building the sandbox.
 */
#ifndef LAUNCHER_PROBE_H
#define LAUNCHER_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct identity;
struct limits;

enum probe_state {
	PROBE_OK,
	PROBE_NOTE,	/* a run is as tight; worth knowing */
	PROBE_UNTRIED,	/* what it needs is missing */
	PROBE_DEGRADED, /* a run needs --allow-degraded */
	PROBE_MISSING,	/* no run is possible */
	PROBE__COUNT,
};

enum measure_id {
	MEASURE_USER_NAMESPACES,
	MEASURE_MOUNTS,
	MEASURE_PROC,
	MEASURE_SYS,
	MEASURE_LINK,
	MEASURE_NFTABLES,
	MEASURE_PACKET_QUEUE,
	MEASURE_PACKET_LOG,
	MEASURE_PRIVILEGES,
	MEASURE_SECCOMP,
	MEASURE_KEYRING, /* the last that only a trial shows */
	MEASURE_DESCRIPTORS,
	MEASURE_LANDLOCK,
	MEASURE_WATCHES,
	MEASURE_CORES,
	MEASURE_LIMITS,
	MEASURE_PROFILES,
	MEASURE_RESOLVERS,
	MEASURE__COUNT,
};

struct finding {
	enum probe_state state;
	char what[ERR_MSG_MAX];	  /* what is there, or missing and why */
	const char *loss;	  /* static: what that means; NULL: nothing */
	char remedy[ERR_MSG_MAX]; /* "" without one */
};

struct measure {
	const char *name;
	/* Looks at this process, and changes nothing.  NULL: see
	 * probesandbox.h and doctor.c. */
	void (*probe)(struct finding *f);
	bool at_start; /* a run asks for it before it begins */
};

extern const struct measure measures[MEASURE__COUNT];

/* Fills f with what a text says: "what; remedy", or "what". */
__attribute__((format(printf, 3, 4))) void
finding_set(struct finding *f, enum probe_state state, const char *fmt, ...);

/* Before the start: refuses (-EPERM, in one line) if a measure is missing, or
 * degraded, which is a warning if it is allowed. */
int probe_require(bool allowed, struct err *e);
/* The same for the limits that were asked for, after limits_apply(). */
int probe_require_limits(const struct limits *l, bool allowed, struct err *e);
/* The same for hidden places of which n cannot be watched for that reason. */
int probe_require_watches(size_t n, int error, bool allowed, struct err *e);

#endif
