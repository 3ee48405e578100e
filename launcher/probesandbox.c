/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes, as in cage.c: the gateway stage in U and G, and its child
 * with the namespaces of the command.  Both write what they find into a pipe,
 * a record a measure; its end is the end of the trial.
 */
#include "launcher/probesandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "fsrules/landlock.h"
#include "fsrules/mountcalls.h"
#include "fsrules/mounts.h"
#include "fsrules/newroot.h"
#include "launcher/cage.h"
#include "launcher/calls.h"
#include "launcher/privileges.h"
#include "launcher/userns.h"
#include "netns/link.h"
#include "netns/nft.h"
#include "netns/queue.h"
#include "netns/ruleset.h"

#define TRIAL_WAIT_MS 30000
/* Any will do: nobody connects. */
#define RELAY_PORT 1

/* In one write, so that those of two processes do not mix. */
struct record {
	uint32_t id;
	uint32_t state;
	char what[ERR_MSG_MAX];
};

struct trial {
	const struct identity *id;
	int out;  /* pipe of records */
	int nft;  /* of G; -1 */
	pid_t in; /* the child with the command's namespaces */
};

static void tell(const struct trial *t, enum measure_id id,
		 enum probe_state state, const char *what)
{
	struct record r;

	memset(&r, 0, sizeof(r));
	r.id = id;
	r.state = state;
	(void)snprintf(r.what, sizeof(r.what), "%s", what);
	if (write(t->out, &r, sizeof(r)) != sizeof(r))
		_exit(1);
}

/* rc < 0: the error is told instead of what. */
static int tell_result(const struct trial *t, enum measure_id id, int rc,
		       const struct err *e, const char *what)
{
	tell(t, id, rc < 0 ? PROBE_MISSING : PROBE_OK, rc < 0 ? e->msg : what);
	return rc;
}

/* ---- in the namespaces of the command ----------------------------------- */

/* One of each kind of call. */
static int try_mount_calls(struct err *e)
{
	static const char *const pts[] = { "mode", "620", "ptmxmode", "0666",
					   NULL };
	cleanup_fd int at = mount_open(-1, "/");
	cleanup_fd int copy = at < 0 ? at : mount_copy(at);
	cleanup_fd int devpts = -1;
	cleanup_fd int tmpfs = -1;

	int rc = copy;

	if (rc >= 0)
		rc = mount_restrict(copy, MOUNT_READ_ONLY | MOUNT_NOSUID, true);
	if (rc < 0)
		return err_errno(e, -rc, "copy the mounts of /");
	devpts = mount_new("devpts", pts, MOUNT_NOSUID);
	if (devpts < 0)
		return err_errno(e, -devpts, "mount a new devpts");
	tmpfs = mount_new("tmpfs", NULL, MOUNT_NOSUID);
	rc = tmpfs < 0 ? tmpfs : mount_attach(tmpfs, at);
	return rc < 0 ? err_errno(e, -rc, "mount a tmpfs") : 0;
}

static void try_files(const struct trial *t)
{
	cleanup_fd int proc = -1;
	cleanup_fd int sys = -1;
	struct err e = { 0 };
	int rc = mounts_supported(&e);

	if (rc < 0) {
		(void)tell_result(t, MEASURE_MOUNTS, rc, &e, "");
		return;
	}
	rc = kernelfs_proc(&proc, &e);
	(void)tell_result(t, MEASURE_PROC, rc, &e, "a fresh one for each run");
	sys = mount_new("sysfs", NULL, MOUNT_READ_ONLY | MOUNT_NOSUID);
	if (sys < 0)
		tell(t, MEASURE_SYS, PROBE_NOTE,
		     "no fresh one can be mounted, as in a container: where "
		     "it is granted it shows the network devices outside; "
		     "start the container with '--security-opt "
		     "systempaths=unconfined'");
	else
		tell(t, MEASURE_SYS, PROBE_OK, "a fresh one for each run");
	rc = try_mount_calls(&e);
	(void)tell_result(t, MEASURE_MOUNTS, rc, &e,
			  "copied, read-only, attached by descriptor");
}

/* The order of init.c. */
static void try_confinement(const struct trial *t)
{
	static const struct calls_options calls = { 0 };
	struct err e = { 0 };
	int rc = privileges_new_keyring(&e);

	if (rc > 0)
		tell(t, MEASURE_KEYRING, PROBE_NOTE,
		     "no session keyring can be made, and the filter of "
		     "system calls alone keeps the command from every key");
	else
		(void)tell_result(t, MEASURE_KEYRING, rc, &e,
				  "a new one for each run");
	rc = privileges_drop(&e);
	if (tell_result(t, MEASURE_PRIVILEGES, rc, &e,
			"no capabilities, no_new_privs") < 0)
		return;
	/* Only if it fails: what there is, is told by probe.c. */
	rc = landlock_restrict(NULL, 0, NULL, &e);
	if (rc < 0)
		tell(t, MEASURE_LANDLOCK, PROBE_MISSING, e.msg);
	rc = calls_filter_command(&calls, &e);
	(void)tell_result(t, MEASURE_SECCOMP, rc, &e,
			  "system calls are filtered");
}

__attribute__((noreturn)) static void inside_main(const struct trial *t,
						  int link_ready)
{
	struct err e = { 0 };
	char byte;
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	rc = userns_map_self(t->id->uid, t->id->gid, &e);
	if (rc == 0)
		rc = userns_private_mounts(&e);
	if (tell_result(t, MEASURE_USER_NAMESPACES, rc, &e,
			"user namespaces, two deep, with all others") < 0)
		_exit(1);
	try_files(t);
	/* The other end of the link is put here. */
	if (read(link_ready, &byte, 1) == 1) {
		rc = link_setup_agent(&e);
		if (rc < 0)
			(void)tell_result(t, MEASURE_LINK, rc, &e, "");
	}
	try_confinement(t);
	_exit(0);
}

/* ---- in G ---------------------------------------------------------------- */

static int try_link(const struct trial *t)
{
	struct err e = { 0 };
	bool ipv6 = false;
	int rc = link_setup_gateway(t->in, &ipv6, &e);

	if (rc == 0 && !ipv6) {
		tell(t, MEASURE_LINK, PROBE_NOTE,
		     "veth, with IPv4 alone: this kernel has no IPv6");
		return 0;
	}
	return tell_result(t, MEASURE_LINK, rc, &e, "veth, IPv4 and IPv6");
}

static void try_gate(struct trial *t)
{
	cleanup_fd int syn = -1;
	cleanup_fd int denied = -1;
	struct err e = { 0 };
	int rc = nft_open(&t->nft, &e);

	if (rc == 0)
		rc = ruleset_install(t->nft, RELAY_PORT, NULL, &e);
	(void)tell_result(t, MEASURE_NFTABLES, rc, &e,
			  "the rules of the gate, sets with timeouts");
	rc = queue_open_syn(&syn, &e);
	(void)tell_result(t, MEASURE_PACKET_QUEUE, rc, &e, "NFQUEUE");
	rc = queue_open_denied(&denied, &e);
	(void)tell_result(t, MEASURE_PACKET_LOG, rc, &e, "NFLOG");
}

__attribute__((noreturn)) static void gateway_main(struct trial *t)
{
	int link_pipe[2] = { -1, -1 };
	struct err e = { 0 };
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	rc = userns_map_self(t->id->uid, t->id->gid, &e);
	if (rc == 0 && pipe2(link_pipe, O_CLOEXEC) < 0)
		rc = err_errno(&e, errno, "pipe");
	if (rc == 0) {
		t->in = userns_clone(CAGE_FLAGS);
		if (t->in < 0)
			rc = userns_explain(-t->in, &e);
	}
	if (rc < 0) {
		/* The limits of this namespace are not the host's. */
		tell(t, MEASURE_USER_NAMESPACES, PROBE_MISSING,
		     rc == -ENOSPC ? "" : e.msg);
		_exit(1);
	}
	if (t->in == 0) {
		(void)close(link_pipe[1]);
		inside_main(t, link_pipe[0]);
	}
	(void)close(link_pipe[0]);
	if (try_link(t) == 0)
		(void)!write(link_pipe[1], "", 1);
	(void)close(link_pipe[1]);
	try_gate(t);
	(void)waitpid(t->in, NULL, 0);
	_exit(0);
}

/* ---- outside --------------------------------------------------------------
 */

static int take_records(int in, struct finding f[static MEASURE__COUNT],
			struct err *e)
{
	struct pollfd readable = { .fd = in, .events = POLLIN };
	struct record r;
	ssize_t n;

	for (;;) {
		if (poll(&readable, 1, TRIAL_WAIT_MS) <= 0)
			return err_set(e, ETIMEDOUT,
				       "the trial of a sandbox did not end");
		n = read(in, &r, sizeof(r));
		if (n == 0)
			return 0;
		if (n != sizeof(r) || r.id >= MEASURE__COUNT ||
		    r.state >= PROBE__COUNT)
			return err_set(e, EPROTO,
				       "the trial of a sandbox spoke nonsense");
		r.what[sizeof(r.what) - 1] = '\0';
		/* Both ends of the link have a say: the worse stands. */
		if (f[r.id].state != PROBE_MISSING)
			finding_set(&f[r.id], (enum probe_state)r.state, "%s",
				    r.what);
	}
}

static void explain(struct finding *f, int errnum)
{
	struct err e = { 0 };

	(void)userns_explain(errnum, &e);
	finding_set(f, PROBE_MISSING, "%s", e.msg);
}

static int watch_trial(pid_t stage, int in,
		       struct finding f[static MEASURE__COUNT], struct err *e)
{
	struct finding *user = &f[MEASURE_USER_NAMESPACES];
	int rc = take_records(in, f, e);

	if (rc < 0)
		(void)kill(stage, SIGKILL);
	(void)waitpid(stage, NULL, 0);
	/* The stage sees the limits of its own namespace, not ours. */
	if (user->state == PROBE_MISSING && !user->what[0])
		explain(user, ENOSPC);
	else if (user->state == PROBE_UNTRIED)
		finding_set(user, PROBE_MISSING,
			    "the trial of a sandbox ended without a word");
	return rc;
}

int probe_sandbox(const struct identity *id,
		  struct finding f[static MEASURE__COUNT], struct err *e)
{
	struct trial t = { .id = id, .nft = -1 };
	int records[2];
	pid_t stage;
	int rc = 0;

	for (int i = MEASURE_USER_NAMESPACES; i <= MEASURE_KEYRING; i++)
		finding_set(&f[i], PROBE_UNTRIED,
			    "needs another that is missing");
	if (pipe2(records, O_CLOEXEC) < 0)
		return err_errno(e, errno, "pipe");
	t.out = records[1];
	stage = userns_clone(CLONE_NEWUSER | CLONE_NEWNET);
	if (stage == 0) {
		(void)close(records[0]);
		gateway_main(&t);
	}
	(void)close(records[1]);
	if (stage < 0)
		explain(&f[MEASURE_USER_NAMESPACES], -stage);
	else
		rc = watch_trial(stage, records[0], f, e);
	(void)close(records[0]);
	return rc;
}
