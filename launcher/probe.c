/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "common/fd.h"
#include "common/log.h"
#include "fsrules/landlock.h"
#include "launcher/limits.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Rename through a folder that was moved away could gain rights. */
#define ERRATUM_DISCONNECTED 4

void finding_set(struct finding *f, enum probe_state state, const char *fmt,
		 ...)
{
	va_list ap;
	char *split;

	f->state = state;
	f->remedy[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(f->what, sizeof(f->what), fmt, ap);
	va_end(ap);
	split = strstr(f->what, "; ");
	if (!split)
		return;
	memcpy(f->remedy, split + 2, strlen(split + 2) + 1);
	*split = '\0';
}

/* What this version of the interface leaves to the other measures. */
static void describe_landlock(struct finding *f, int abi)
{
	static const struct {
		int abi;
		const char *text;
	} later[] = {
		{ 3, "truncation (read-only mounts)" },
		{ 4, "the TCP ports of the DNS filter (seccomp)" },
		{ 5, "requests to devices (a private /dev)" },
		{ 6, "signals and abstract sockets (namespaces)" },
		{ 9, "sockets by path (masks)" },
	};
	int errata = landlock_errata();
	const char *sep = ", left to others: ";
	size_t len;

	finding_set(f, PROBE_OK, "ABI %d", abi);
	len = strlen(f->what);
	for (size_t i = 0; i < N(later); i++) {
		if (later[i].abi <= abi)
			continue;
		f->state = PROBE_NOTE;
		len += (size_t)snprintf(f->what + len, sizeof(f->what) - len,
					"%s%s", sep, later[i].text);
		sep = ", ";
	}
	if (errata < 0 || !(errata & ERRATUM_DISCONNECTED)) {
		f->state = PROBE_NOTE;
		(void)snprintf(f->what + len, sizeof(f->what) - len,
			       "%sfolders moved away while in use (mounts)",
			       sep);
	}
}

/* n: 0 if it is not known. */
static void lack_watches(struct finding *f, size_t n, int error)
{
	char count[24] = "";

	if (n > 0)
		(void)snprintf(count, sizeof(count), "%zu ", n);
	finding_set(f, PROBE_DEGRADED,
		    "%shidden places cannot be watched (%s); as root: "
		    "'sysctl -w fs.inotify.max_user_watches=1048576'",
		    count, strerror(error));
	f->loss = "what is hidden from the command becomes visible when "
		  "something outside replaces it";
}

static void probe_landlock(struct finding *f)
{
	int abi = landlock_abi();
	const char *lack = landlock_lack(abi);

	if (!lack) {
		describe_landlock(f, abi);
		return;
	}
	finding_set(f, PROBE_DEGRADED, "%s", lack);
	/* The helpers do not rename. */
	f->loss = abi > 0 ? "mounts alone hold the command's files, and what "
			    "it may only write it can read"
			  : "mounts alone hold the command's files, what it "
			    "may only write it can read, and a DNS filter "
			    "that is taken over could read the user's files";
}

/* Every process of a run closes what it does not need, and the run's are held
 * by pidfd. */
static void probe_descriptors(struct finding *f)
{
	cleanup_fd int pidfd = pidfd_open(getpid(), 0);

	if (pidfd >= 0 &&
	    syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		finding_set(f, PROBE_OK, "close_range, pidfd_open");
	else if (errno == EPERM)
		finding_set(f, PROBE_MISSING,
			    "close_range or pidfd_open is forbidden, as by a "
			    "container's filter; start the container with "
			    "'--security-opt seccomp=unconfined'");
	else
		finding_set(f, PROBE_MISSING,
			    "this kernel lacks close_range or pidfd_open; run "
			    "Linux 5.12 or later");
}

/* For what replaces a hidden file (fsrules/maskwatch.h). */
static void probe_watches(struct finding *f)
{
	cleanup_fd int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		finding_set(f, PROBE_MISSING,
			    "inotify: %s; as root: 'sysctl -w "
			    "fs.inotify.max_user_instances=1024'",
			    strerror(errno));
	else if (inotify_add_watch(fd, "/", IN_MOVED_TO) < 0)
		lack_watches(f, 0, errno);
	else
		finding_set(f, PROBE_OK, "inotify");
}

/* A limit of 1 keeps the kernel from starting the handler; 0 does not, and
 * cannot be raised (launcher/limits.c). */
static void probe_cores(struct finding *f)
{
	char pattern[256] = "";
	struct rlimit now = { 0 };
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");

	if (file) {
		if (!fgets(pattern, sizeof(pattern), file))
			pattern[0] = '\0';
		(void)fclose(file);
	}
	pattern[strcspn(pattern, " \n")] = '\0';
	if (getrlimit(RLIMIT_CORE, &now) < 0) {
		finding_set(f, PROBE_MISSING,
			    "the limit of core files cannot be read; %s",
			    strerror(errno));
		return;
	}
	if (pattern[0] != '|') {
		finding_set(f, PROBE_OK, "no dumps");
		return;
	}
	if (now.rlim_max > 0) {
		finding_set(f, PROBE_NOTE,
			    "no dumps, though core_pattern has a handler (%s)",
			    pattern + 1);
		return;
	}
	finding_set(f, PROBE_DEGRADED,
		    "core_pattern starts a handler (%s), which only a limit of "
		    "1 prevents, and the hard limit of core files is 0; raise "
		    "it (limits.conf(5): 'hard core unlimited'), or as root: "
		    "'sysctl -w kernel.core_pattern=core'",
		    pattern + 1);
	f->loss = "a crash of the command starts that handler, as root and "
		  "outside of the sandbox";
}

static const char *cgroup_remedy(void)
{
	return geteuid() == 0
		       ? "start it under 'systemd-run --scope', or limit the "
			 "container itself (docker run --memory, --pids-limit)"
		       : "start it under 'systemd-run --user --scope'";
}

/* Something to limit. */
static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	(void)pause();
	_exit(0);
}

static void probe_limits(struct finding *f)
{
	struct limits l = { .memory = (uint64_t)1 << 40, .processes = 10000 };
	struct err e = { 0 };
	const char *how;
	pid_t pid = start_sleeper();
	int rc = pid < 0 ? err_errno(&e, errno, "fork")
			 : limits_apply(&l, pid, &how, &e);

	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	limits_done(&l);
	if (rc < 0)
		finding_set(f, PROBE_NOTE, "%s", e.msg);
	else if (!l.memory_each)
		finding_set(f, PROBE_OK, "by a cgroup");
	else
		finding_set(f, PROBE_NOTE, "no cgroup is delegated; %s",
			    cgroup_remedy());
	if (l.processes_free)
		f->loss = "--memory limits each process alone, and "
			  "--max-processes needs --allow-degraded";
	else if (l.memory_each)
		f->loss = "--memory limits each process alone";
}

const struct measure measures[MEASURE__COUNT] = {
	[MEASURE_USER_NAMESPACES] = { "namespaces", NULL, false },
	[MEASURE_MOUNTS] = { "mounts", NULL, false },
	[MEASURE_PROC] = { "/proc", NULL, false },
	[MEASURE_SYS] = { "/sys", NULL, false },
	[MEASURE_LINK] = { "link", NULL, false },
	[MEASURE_NFTABLES] = { "nftables", NULL, false },
	[MEASURE_PACKET_QUEUE] = { "packet queue", NULL, false },
	[MEASURE_PACKET_LOG] = { "packet log", NULL, false },
	[MEASURE_PRIVILEGES] = { "privileges", NULL, false },
	[MEASURE_SECCOMP] = { "seccomp", NULL, false },
	[MEASURE_KEYRING] = { "keyring", NULL, false },
	[MEASURE_DESCRIPTORS] = { "descriptors", probe_descriptors, true },
	[MEASURE_LANDLOCK] = { "Landlock", probe_landlock, true },
	[MEASURE_WATCHES] = { "watches", probe_watches, false },
	[MEASURE_CORES] = { "core dumps", probe_cores, true },
	[MEASURE_LIMITS] = { "limits", probe_limits, false },
	[MEASURE_PROFILES] = { "profiles", NULL, false },
	[MEASURE_RESOLVERS] = { "resolvers", NULL, false },
};

static int require(const char *name, const struct finding *f, bool allowed,
		   struct err *e)
{
	if (!allowed)
		return err_set(e, EPERM,
			       "%s: %s; without it %s; %s; or go on with "
			       "--allow-degraded",
			       name, f->what, f->loss, f->remedy);
	log_warning("degraded: %s: %s; %s", name, f->what, f->loss);
	return 0;
}

int probe_require(bool allowed, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N(measures); i++) {
		struct finding f = { 0 };

		if (!measures[i].at_start)
			continue;
		measures[i].probe(&f);
		if (f.state == PROBE_MISSING)
			rc = err_set(e, EPERM, "%s: %s; %s", measures[i].name,
				     f.what, f.remedy);
		else if (f.state == PROBE_DEGRADED)
			rc = require(measures[i].name, &f, allowed, e);
	}
	return rc;
}

int probe_require_limits(const struct limits *l, bool allowed, struct err *e)
{
	struct finding f = { 0 };

	if (!l->processes_free)
		return 0;
	finding_set(&f, PROBE_DEGRADED,
		    "no cgroup is delegated, and root, or Linux before 5.14, "
		    "has no other limit; %s",
		    cgroup_remedy());
	f.loss = "--max-processes (egress_run.processes) has no effect";
	return require("number of processes", &f, allowed, e);
}

int probe_require_watches(size_t n, int error, bool allowed, struct err *e)
{
	struct finding f = { 0 };

	lack_watches(&f, n, error);
	return require(measures[MEASURE_WATCHES].name, &f, allowed, e);
}
