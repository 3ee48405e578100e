/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "launcher/cgroup.h"

int limits_parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	uint64_t n = 0;
	const char *p = text;
	const char *unit;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *p - '0', &n))
			return -ERANGE;
	if (p == text)
		return -EINVAL;
	if (*p) {
		unit = strchr(units, *p);
		if (!unit || p[1])
			return -EINVAL;
		if (__builtin_mul_overflow(
			    n, (uint64_t)1 << (10 * (unit - units + 1)), &n))
			return -ERANGE;
	}
	*ret = n;
	return 0;
}

/* Since 5.14 RLIMIT_NPROC counts the processes of the user in its user
 * namespace; before, all that the user has on the machine. */
static bool counts_by_namespace(void)
{
	struct utsname u;
	char *rest = NULL;
	unsigned long major;

	if (uname(&u) < 0)
		return false;
	major = strtoul(u.release, &rest, 10);
	return major > 5 || (major == 5 && *rest == '.' &&
			     strtoul(rest + 1, NULL, 10) >= 14);
}

/* Below our own group, then beside it: under systemd our own holds processes,
 * and its folder is the user's if it is delegated. */
static int make_group(struct limits *l, pid_t init)
{
	char own[PATH_MAX];
	char path[PATH_MAX];
	char *slash;
	bool is_root = true;
	int rc = cgroup_find_own(own, &is_root);

	for (int i = 0; i < 2; i++) {
		if (rc == -ENOENT || rc == -ENAMETOOLONG || (i > 0 && is_root))
			return rc;
		slash = i > 0 ? strrchr(own, '/') : NULL;
		if (slash)
			*slash = '\0';
		if (snprintf(path, sizeof(path), "%s/egress-run.%d", own,
			     getpid()) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		rc = cgroup_make(path, l->memory, l->processes, init);
		if (rc == 0) {
			memcpy(l->cgroup, path, sizeof(path));
			return 0;
		}
	}
	return rc;
}

/* Why a limit by other means is less, for the log. */
static const char *describe(const struct limits *l)
{
	if (!l->processes)
		return "memory by resource limit, for each process alone: no "
		       "cgroup is delegated";
	if (l->processes_free && l->memory)
		return "memory by resource limit, for each process alone; "
		       "processes not limited: no cgroup is delegated";
	if (l->processes_free)
		return "processes not limited: no cgroup is delegated, and "
		       "root or this kernel has no resource limit for it";
	if (!l->memory)
		return "processes by resource limit";
	return "processes by resource limit, memory likewise, for each process "
	       "alone: no cgroup is delegated";
}

int limits_apply(struct limits *l, pid_t init, const char **ret_how,
		 struct err *e)
{
	const struct rlimit memory = { l->memory, l->memory };

	l->cgroup[0] = '\0';
	l->memory_each = false;
	l->processes_free = false;
	*ret_how = NULL;
	if (!l->memory && !l->processes)
		return 0;
	if (make_group(l, init) == 0) {
		*ret_how = "by a cgroup";
		return 0;
	}
	l->memory_each = l->memory > 0;
	l->processes_free =
		l->processes > 0 && (!counts_by_namespace() || geteuid() == 0);
	*ret_how = describe(l);
	if (l->memory && prlimit(init, RLIMIT_AS, &memory, NULL) < 0)
		return err_errno(e, errno, "limit the command's memory");
	return 0;
}

void limits_raise_core(void)
{
	const struct rlimit core = { 1, 1 };
	struct rlimit now;

	if (getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_max == 0)
		(void)setrlimit(RLIMIT_CORE, &core);
}

int limits_apply_self(const struct limits *l, struct err *e)
{
	/* 0 would still start a handler that core_pattern pipes to, as root
	 * and outside. */
	const struct rlimit core = { 1, 1 };
	struct rlimit processes;
	struct rlimit now;

	/* A caller's hard limit of 0 cannot be raised, and has to do. */
	if (getrlimit(RLIMIT_CORE, &now) < 0 ||
	    (now.rlim_max > 0 && setrlimit(RLIMIT_CORE, &core) < 0))
		return err_errno(e, errno, "turn core dumps off");
	if (!l->processes || !counts_by_namespace())
		return 0;
	if (getrlimit(RLIMIT_NPROC, &processes) < 0)
		return err_errno(e, errno, "read the limit of processes");
	/* Init is one.  A lower limit of the caller's stays. */
	if (l->processes < processes.rlim_max)
		processes.rlim_max = l->processes + 1;
	if (processes.rlim_cur > processes.rlim_max)
		processes.rlim_cur = processes.rlim_max;
	if (setrlimit(RLIMIT_NPROC, &processes) < 0)
		return err_errno(e, errno, "limit the number of processes");
	return 0;
}

bool limits_ran_out(const struct limits *l)
{
	return l->cgroup[0] && l->memory &&
	       cgroup_count(l->cgroup, "memory.events", "oom_kill") > 0;
}

void limits_done(struct limits *l)
{
	if (l->cgroup[0])
		cgroup_remove(l->cgroup);
	l->cgroup[0] = '\0';
}
