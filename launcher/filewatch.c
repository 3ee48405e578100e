/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/filewatch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "fsrules/landlock.h"
#include "fsrules/maskwatch.h"
#include "fsrules/mounts.h"
#include "fsrules/notify.h"
#include "fsrules/sockwatch.h"
#include "launcher/cage.h"
#include "launcher/probe.h"

/* Changes that are not carried over; the command makes any number of them. */
#define REFUSED_MAX 20

struct filewatch {
	const struct files *files;
	const struct cage *cage;
	struct notify_hub *hub;
	struct maskwatch *masks;
	bool started;
	unsigned n_refused;
	size_t n_unwatched; /* at the start, by this error */
	int unwatched_error;
	struct sockwatch *sockets; /* or NULL */
	filewatch_open_fn *left_open;
	void *arg;
};

/* What is to be done in the sandbox's mount namespace. */
struct task {
	const struct cage *cage;
	const char *path;
	enum maskwatch_how how;
	const struct maskwatch_base *bases; /* NULL: path and how */
	size_t n;
};

static int compare_all(const struct task *t)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->n; i++)
		rc = mounts_compare(t->bases[i].path, t->bases[i].dev,
				    t->bases[i].ino);
	return rc;
}

/* In the sandbox's mount namespace, but not in its pid namespace: nothing
 * inside can see, trace or signal this process, which has every capability
 * there for a moment. */
__attribute__((noreturn)) static void do_inside(const struct task *t)
{
	const struct cage *c = t->cage;
	struct err e = { 0 };
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	if (setns(c->ready[READY_FD_USERNS], CLONE_NEWUSER) < 0 ||
	    setns(c->ready[READY_FD_MNTNS], CLONE_NEWNS) < 0)
		_exit(errno > 0 && errno < 126 ? errno : EPERM);
	if (t->bases)
		rc = compare_all(t);
	else if (t->how == MASKWATCH_HIDE)
		rc = mounts_mask(t->path, &e);
	else
		rc = mounts_keep(t->path, t->how == MASKWATCH_READ_ONLY, &e);
	_exit(-rc);
}

static int run_inside(const struct task *t)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		do_inside(t);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int remask(void *arg, const char *path, enum maskwatch_how how)
{
	const struct filewatch *w = arg;

	return run_inside(
		&(struct task) { .cage = w->cage, .path = path, .how = how });
}

static int compare(void *arg, const struct maskwatch_base *bases, size_t n)
{
	const struct filewatch *w = arg;

	return run_inside(
		&(struct task) { .cage = w->cage, .bases = bases, .n = n });
}

static int hide(void *arg, const char *path)
{
	return remask(arg, path, MASKWATCH_HIDE);
}

static void hidden(void *arg, const char *path, int error)
{
	const struct filewatch *w = arg;
	struct err e = { 0 };

	if (error) {
		(void)err_errno(&e, error < 0 ? -error : error,
				"%s, a socket that was bound outside, could "
				"not be hidden",
				path);
		w->left_open(w->arg, e.msg);
	} else {
		log_warning("%s is a socket that was bound outside; the "
			    "command could reach it for a moment, and cannot "
			    "any more (filesystem.unix_socket grants it)",
			    path);
	}
}

static void lost(void *arg, const char *path, int error)
{
	const struct filewatch *w = arg;
	struct err e = { 0 };

	if (error) {
		(void)err_errno(&e, error < 0 ? -error : error,
				"%s was replaced from outside, and could not "
				"be hidden again",
				path);
		w->left_open(w->arg, e.msg);
	} else {
		log_warning("%s was replaced from outside; it was visible to "
			    "the command for a moment, and is hidden again",
			    path);
	}
}

static void unwatched(void *arg, size_t n, int error)
{
	struct filewatch *w = arg;

	error = error < 0 ? -error : error;
	if (w->started)
		log_warning("%zu hidden places are not watched: %s; one that "
			    "is replaced from outside would become visible",
			    n, strerror(error));
	w->n_unwatched = n;
	w->unwatched_error = error;
}

static void refused(void *arg, const char *path, const char *why)
{
	struct filewatch *w = arg;

	if (w->n_refused > REFUSED_MAX)
		return;
	if (w->n_refused++ < REFUSED_MAX)
		log_warning("%s: a change of the command was not carried "
			    "over: %s",
			    path, why);
	else
		log_warning("more changes of the command were not carried "
			    "over; they are not told");
}

static int start_masks(struct filewatch *w, const struct grants *g,
		       struct loop *loop, struct err *e)
{
	const struct maskwatch_events masks = {
		.remask = remask,
		.lost = lost,
		.unwatched = unwatched,
		.compare = compare,
		.arg = w,
	};
	int rc = maskwatch_start(&w->masks, &w->files->plan, g, loop, w->hub,
				 &masks, e);

	if (rc == 0 && w->n_unwatched > 0)
		rc = probe_require_watches(w->n_unwatched, w->unwatched_error,
					   w->files->allow_degraded, e);
	return rc;
}

/* Landlock's rule for the sockets in a folder is one for all below. */
static bool needs_sockwatch(const struct grants *g)
{
	bool needed = !landlock_holds_sockets(landlock_abi());

	for (size_t i = 0; i < g->n; i++)
		needed |= g->items[i].kind == GRANT_SOCKET_DIR;
	return needed;
}

int filewatch_start(struct filewatch **ret, const struct files *f,
		    const struct grants *g, struct loop *loop, struct err *e)
{
	struct filewatch *w = calloc(1, sizeof(*w));
	const struct mirrors_events mirrors = { .refused = refused, .arg = w };
	const struct sockwatch_events sockets = { .hide = hide,
						  .hidden = hidden,
						  .arg = w };
	struct err why = { 0 };
	int rc;

	if (!w)
		return err_errno(e, ENOMEM, "watch files");
	w->files = f;
	rc = notify_hub_new(&w->hub, loop, e);
	if (rc == 0)
		rc = start_masks(w, g, loop, e);
	if (rc == 0 && needs_sockwatch(g))
		rc = sockwatch_start(&w->sockets, &f->plan, g, loop, w->hub,
				     &sockets, e);
	if (rc < 0) {
		maskwatch_free(w->masks);
		notify_hub_free(w->hub);
		free(w);
		return rc;
	}
	w->started = true;
	if (f->mirrors && mirrors_watch(f->mirrors, w->hub, &mirrors, &why) < 0)
		log_warning("%s; files are carried over at the end of the run",
			    why.msg);
	*ret = w;
	return 0;
}

int filewatch_settle(struct filewatch *w, const struct cage *c,
		     filewatch_open_fn *left_open, void *arg, struct err *e)
{
	int rc;

	w->cage = c;
	w->left_open = left_open;
	w->arg = arg;
	rc = maskwatch_settle(w->masks, e);
	return rc < 0 ? rc : sockwatch_settle(w->sockets, e);
}

void filewatch_finish(struct filewatch *w)
{
	if (!w)
		return;
	maskwatch_free(w->masks);
	sockwatch_free(w->sockets);
	if (w->files->mirrors)
		mirrors_finish(w->files->mirrors);
	notify_hub_free(w->hub);
	free(w);
}
