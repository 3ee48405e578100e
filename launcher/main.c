/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of steps.  Whatever fails before the command starts is one line on
 * stderr and exit status 125 (2 for wrong usage); this is the only file that
 * prints errors of set-up and chooses the status.  `egress-run profile` and
 * `egress-run doctor` have statuses of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "fsrules/netfiles.h"
#include "launcher/banner.h"
#include "launcher/cage.h"
#include "launcher/doctor.h"
#include "launcher/filewatch.h"
#include "launcher/dryrun.h"
#include "launcher/inbound.h"
#include "launcher/monitor.h"
#include "launcher/networks.h"
#include "launcher/options.h"
#include "launcher/prepare.h"
#include "launcher/privileges.h"
#include "launcher/probe.h"
#include "launcher/profilecmd.h"
#include "launcher/report.h"
#include "launcher/terminal.h"
#include "netns/plan.h"

#define EXIT_USAGE 2
/* Files named in the summary. */
#define CHANGES_SHOWN 12

/* By its descriptor all below it could be reached that Landlock knows nothing
 * of: sockets, modes and times of files. */
static int refuse_folders(struct err *e)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFL);

		if (fstat(fd, &st) < 0 || flags < 0)
			return err_errno(e, errno, "look at descriptor %d", fd);
		if (S_ISDIR(st.st_mode) || (flags & O_PATH))
			return err_set(e, EINVAL,
				       "descriptor %d is a folder, through "
				       "which the command would get out; start "
				       "egress-run with %s",
				       fd,
				       fd == 0 ? "</dev/null" : "a file there");
	}
	return 0;
}

/* A socket must not become descriptor 0, 1 or 2 of the command. */
static int ensure_stdio(struct err *e)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return err_errno(e, errno, "open /dev/null");
	return refuse_folders(e);
}

static void set_log_level(const struct options *o)
{
	if (o->quiet)
		log_set_level(LOG_LEVEL_WARNING);
	else if (o->verbose > 0)
		log_set_level(o->verbose > 1 ? LOG_LEVEL_DEBUG
					     : LOG_LEVEL_INFO);
}

/* One connection is one descriptor while it is handed on. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* From here on the monitor handles the signals; the command gets the caller's
 * mask back. */
static int take_signals(sigset_t *ret_old, struct err *e)
{
	sigset_t set;

	(void)signal(SIGCHLD, SIG_DFL);
	monitor_signals(&set);
	(void)sigaddset(&set, SIGCHLD); /* init's signalfd */
	(void)sigaddset(&set, SIGTTIN);
	(void)sigaddset(&set, SIGTTOU);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigaddset(&set, SIGXFSZ); /* the log at its limit: an error */
	if (sigprocmask(SIG_BLOCK, &set, ret_old) < 0)
		return err_errno(e, errno, "block signals");
	return 0;
}

static int apply_limits(const struct options *o, struct limits *l, pid_t init,
			struct err *e)
{
	const char *how = NULL;
	int rc = limits_apply(l, init, &how, e);

	if (rc == 0)
		rc = probe_require_limits(l, o->allow_degraded, e);
	if (rc == 0 && how)
		log_msg(l->memory_each ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO,
			"limits: %s", how);
	return rc;
}

/* What comes between the sandbox and its first packet. */
static int complete(const struct options *o, struct prepared *p,
		    struct cage *cage, struct err *e)
{
	int rc;

	log_debug("the sandbox is built; its init is process %d",
		  cage->init_pid);
	raise_fd_limit();
	/* Not before: the id maps are written through /proc/self. */
	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "prctl(PR_SET_DUMPABLE)");
	rc = apply_limits(o, &p->files.limits, cage->init_pid, e);
	/* Root of a container: what is left to do needs its uid alone, which
	 * owns the namespaces.  The helpers inherit the lack. */
	if (rc == 0 && geteuid() == 0)
		rc = privileges_drop(e);
	if (rc == 0)
		rc = networks_install(p->net.allow,
				      cage->gateway[GATEWAY_FD_NFT], e);
	return rc;
}

static int build(const struct options *o, const struct cage_plan *plan,
		 struct prepared *p, struct cage *cage, struct err *e)
{
	int rc = cage_build(plan, cage, e);

	environment_wipe(&p->environment);
	if (rc < 0)
		return rc;
	rc = complete(o, p, cage, e);
	if (rc < 0) {
		cage_prefer_init_error(cage, e);
		cage_destroy(cage);
		limits_done(&p->files.limits);
	}
	return rc;
}

static int run(const struct options *o, struct prepared *p,
	       const struct inbound_sockets *listen, struct report *report,
	       int *ret_status, struct err *e)
{
	struct cage_plan plan = { .identity = &p->base.identity,
				  .files = &p->files,
				  .open = &p->net.open,
				  .allow = p->net.allow,
				  .command = p->command,
				  .env = &p->environment };
	struct terminal terminal;
	struct cage cage;
	struct monitor_config monitor = { .cage = &cage,
					  .allow = p->net.allow,
					  .open = &p->net.open,
					  .listen = listen,
					  .proxy = &p->proxy,
					  .command = p->command,
					  .grace_sec = p->grace_sec,
					  .verify = p->verify,
					  .log_all = o->log_path != NULL,
					  .limits = &p->files.limits,
					  .hint = p->hint,
					  .report = report,
					  .terminal = &terminal };
	int rc = take_signals(&plan.command_mask, e);

	if (rc < 0)
		return rc;
	terminal_init(&terminal);
	plan.take_terminal = terminal.wanted;
	rc = loop_new(&monitor.loop, e);
	if (rc == 0)
		rc = filewatch_start(&monitor.files, &p->files, &p->grants,
				     monitor.loop, e);
	if (rc == 0)
		rc = build(o, &plan, p, &cage, e);
	if (rc < 0) {
		filewatch_finish(monitor.files);
		loop_free(monitor.loop);
		return rc;
	}
	/* Not before: a start that failed is one line, the reason. */
	banner_print(o, p);
	rc = monitor_run(&monitor, ret_status, e);
	loop_free(monitor.loop);
	if (limits_ran_out(&p->files.limits))
		log_warning(
			"the memory of the run was used up (limit %s)",
			profile_scalar(p->loaded.effective, KEY_OWN_MEMORY));
	limits_done(&p->files.limits);
	return rc;
}

static int print_plan(const struct options *o, struct prepared *p,
		      int *ret_status, struct err *e)
{
	banner_print(o, p);
	if (dryrun_print(p) < 0)
		return err_set(e, EIO, "write to standard output failed");
	*ret_status = 0;
	return 0;
}

/* What was blocked, and what was left behind that something outside would
 * execute. */
static void summarise(struct prepared *p, struct report *report)
{
	struct change *list = NULL;
	size_t n = 0;
	size_t more = 0;

	report_summary(report);
	if (!p->files.changes ||
	    changes_end(p->files.changes, &p->base.arena, &list, &n,
			CHANGES_SHOWN, &more) < 0 ||
	    n == 0)
		return;
	log_notice("look at these before you use them:");
	for (size_t i = 0; i < n; i++)
		log_notice("  %s (%s, %s)", list[i].path,
			   list[i].is_new ? "new" : "changed", list[i].why);
	if (more > 0)
		log_notice("  and %zu more", more);
}

/* With the identity and the files that the command will have. */
static int prepare_and_run(const struct options *o, int *ret_status,
			   struct err *e)
{
	struct inbound_sockets listen = { 0 };
	struct report *report = NULL;
	struct prepared p;
	int rc;

	/* As root of the machine; probe.c judges what is there then. */
	limits_raise_core();
	rc = prepare(o, &p, e);

	if (p.usage)
		*ret_status = EXIT_USAGE;
	if (rc == 0 && o->action == ACTION_DRY_RUN) {
		rc = print_plan(o, &p, ret_status, e);
	} else if (rc == 0) {
		rc = report_new(&report, p.log_path, p.net.allow, e);
		if (rc == 0)
			rc = inbound_listen(&p.net.listen, &listen, e);
		if (rc == 0)
			rc = run(o, &p, &listen, report, ret_status, e);
	}
	if (rc == 0 && report && !o->quiet && !o->no_summary)
		summarise(&p, report);
	report_free(report);
	inbound_unlisten(&listen);
	prepared_done(&p);
	return rc;
}

/* stdout may be a full disk or a closed pipe. */
static int print_and_check(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
		log_error("write to standard output failed");
		return EXIT_FAILED;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e = { 0 };
	int status = EXIT_FAILED;
	int rc = ensure_stdio(&e);

	if (rc == 0) {
		rc = options_parse(&o, argc, argv, &e);
		if (rc < 0)
			status = EXIT_USAGE;
	}
	if (rc == 0) {
		set_log_level(&o);
		if (o.action == ACTION_HELP)
			status = print_and_check(options_help());
		else if (o.action == ACTION_VERSION)
			status = print_and_check("egress-run " VERSION "\n");
		else if (o.action == ACTION_PROFILE)
			rc = profile_command(argv + 2, &status, &e);
		else if (o.action == ACTION_DOCTOR)
			rc = doctor_command(argv + 2, &status, &e);
		else if (o.action == ACTION_RUN)
			rc = probe_require(o.allow_degraded, &e);
		if (rc == 0 && o.action <= ACTION_DRY_RUN)
			rc = prepare_and_run(&o, &status, &e);
	}
	/* Empty: a helper has said it itself. */
	if (rc < 0 && e.msg[0])
		log_error("%s", e.msg);
	options_done(&o);
	return status;
}
