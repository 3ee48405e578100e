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
#include "fsrules/maskwatch.h"
#include "fsrules/mounts.h"
#include "launcher/cage.h"
#include "launcher/probe.h"

struct filewatch {
	const struct files *files;
	const struct cage *cage;
	struct maskwatch *masks;
	bool started;
	size_t n_unwatched; /* at the start, by this error */
	int unwatched_error;
	filewatch_open_fn *left_open;
	void *arg;
};

/* In the sandbox's mount namespace, but not in its pid namespace: nothing
 * inside can see, trace or signal this process, which has every capability
 * there for a moment. */
__attribute__((noreturn)) static void
put_up(const struct cage *c, const char *path, enum maskwatch_how how)
{
	struct err e = { 0 };
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	if (setns(c->ready[READY_FD_USERNS], CLONE_NEWUSER) < 0 ||
	    setns(c->ready[READY_FD_MNTNS], CLONE_NEWNS) < 0)
		_exit(errno > 0 && errno < 126 ? errno : EPERM);
	rc = how == MASKWATCH_HIDE
		     ? mounts_mask(path, &e)
		     : mounts_keep(path, how == MASKWATCH_READ_ONLY, &e);
	_exit(-rc);
}

static int remask(void *arg, const char *path, enum maskwatch_how how)
{
	const struct filewatch *w = arg;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		put_up(w->cage, path, how);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
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
	(void)arg;
	log_warning("%s: a change of the command was not carried over: %s",
		    path, why);
}

static int start_masks(struct filewatch *w, const struct grants *g,
		       struct loop *loop, struct err *e)
{
	const struct maskwatch_events masks = {
		.remask = remask, .lost = lost, .unwatched = unwatched, .arg = w
	};
	int rc =
		maskwatch_start(&w->masks, &w->files->plan, g, loop, &masks, e);

	if (rc == 0 && w->n_unwatched > 0)
		rc = probe_require_watches(w->n_unwatched, w->unwatched_error,
					   w->files->allow_degraded, e);
	if (rc < 0)
		maskwatch_free(w->masks);
	return rc;
}

int filewatch_start(struct filewatch **ret, const struct files *f,
		    const struct grants *g, const struct cage *c,
		    struct loop *loop, filewatch_open_fn *left_open, void *arg,
		    struct err *e)
{
	struct filewatch *w = calloc(1, sizeof(*w));
	const struct mirrors_events mirrors = { .refused = refused, .arg = w };
	struct err why = { 0 };
	int rc;

	if (!w)
		return err_errno(e, ENOMEM, "watch files");
	w->files = f;
	w->cage = c;
	w->left_open = left_open;
	w->arg = arg;
	rc = start_masks(w, g, loop, e);
	if (rc < 0) {
		free(w);
		return rc;
	}
	w->started = true;
	if (f->mirrors && mirrors_watch(f->mirrors, loop, &mirrors, &why) < 0)
		log_warning("%s; files are carried over at the end of the run",
			    why.msg);
	*ret = w;
	return 0;
}

void filewatch_finish(struct filewatch *w)
{
	if (!w)
		return;
	maskwatch_stop(w->masks);
	if (w->files->mirrors)
		mirrors_finish(w->files->mirrors);
	maskwatch_free(w->masks);
	free(w);
}
