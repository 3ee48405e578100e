/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/mirror.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "fsrules/mirrorset.h"
#include "profiles/paths.h"

#define WATCHED (IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE)

const char *mirrors_source(const struct mirrors *m, const char *folder)
{
	const struct mirror *x =
		m ? mirror_of(m, folder, strlen(folder)) : NULL;

	return x ? x->source : NULL;
}

bool mirrors_holds(const struct mirrors *m, const char *path)
{
	const struct mirror *x =
		m ? mirror_of(m, path, path_parent(path, strlen(path))) : NULL;

	for (size_t i = 0; x && i < x->n; i++)
		if (strcmp(x->files[i].link.path, path) == 0)
			return true;
	return false;
}

/* The exchange. */

/* Many programs lock a file by making a folder, for mkdir(2) fails if it is
 * there, and the name of the lock may be granted too.  It is gone soon, or left
 * over from one that was killed; what is said into the screen of a program
 * must be worth it. */
static bool is_lock(struct mirrors *m, struct mirror_file *f, int rc)
{
	return rc == -EISDIR &&
	       (!m->finished || mirror_link_drop_lock(&f->link));
}

static void exchange(struct mirrors *m, struct mirror_file *f)
{
	const char *why;
	int rc = mirror_link_exchange(&f->link, &why);

	f->dirty = false;
	if (is_lock(m, f, rc))
		return;
	if (rc < 0 && m->ev.refused && (f->error != rc || f->why != why))
		m->ev.refused(m->ev.arg, f->link.path,
			      why ? why : strerror(-rc));
	f->error = rc;
	f->why = why;
}

static void on_event(void *arg, int wd, uint32_t mask, const char *name)
{
	struct mirrors *m = arg;

	for (size_t i = 0; i < m->n; i++) {
		struct mirror *x = &m->items[i];

		if (wd != x->wd_inner && wd != x->wd_outer)
			continue;
		for (size_t j = 0; j < x->n; j++) {
			struct mirror_file *f = &x->files[j];

			if (strcmp(f->link.name, name) != 0)
				continue;
			if (!(mask & IN_CREATE) ||
			    mirror_link_whole(&f->link, wd == x->wd_inner))
				f->dirty = true;
		}
	}
}

static void exchange_all(struct mirrors *m, bool all)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->items[i].n; j++)
			if (all || m->items[i].files[j].dirty)
				exchange(m, &m->items[i].files[j]);
}

static void on_overflow(void *arg)
{
	exchange_all(arg, true);
}

static void on_turn(void *arg)
{
	exchange_all(arg, false);
}

int mirrors_watch(struct mirrors *m, struct notify_hub *hub,
		  const struct mirrors_events *ev, struct err *e)
{
	const struct notify_events own = { on_event, on_overflow, on_turn, m };
	int rc;

	m->ev = *ev;
	if (m->n == 0)
		return 0;
	rc = notify_new(&m->notify, hub, &own);
	if (rc < 0)
		return err_errno(e, -rc, "watch files");
	for (size_t i = 0; rc == 0 && i < m->n; i++) {
		struct mirror *x = &m->items[i];

		x->wd_inner = notify_watch(m->notify, x->inner, WATCHED);
		x->wd_outer = notify_watch(m->notify, x->outer, WATCHED);
		if (x->wd_inner >= 0 && x->wd_outer >= 0)
			continue;
		rc = x->wd_inner < 0 ? x->wd_inner : x->wd_outer;
		rc = err_errno(e, -rc,
			       "watch %s (files that are replaced there are "
			       "exchanged only at the end; if there are too "
			       "many watches: sysctl "
			       "fs.inotify.max_user_watches)",
			       x->folder);
	}
	/* Since they were made. */
	exchange_all(m, true);
	return rc;
}

void mirrors_finish(struct mirrors *m)
{
	if (!m || m->finished)
		return;
	m->finished = true;
	notify_free(m->notify);
	m->notify = NULL;
	for (size_t i = 0; i < m->n; i++)
		(void)fchmod(m->items[i].inner, 0700);
	exchange_all(m, true);
	for (size_t i = 0; i < m->n; i++)
		mirror_drop(&m->items[i]);
}

void mirrors_free(struct mirrors *m)
{
	if (!m)
		return;
	notify_free(m->notify);
	m->notify = NULL;
	for (size_t i = 0; i < m->n; i++) {
		fd_close(&m->items[i].inner);
		fd_close(&m->items[i].outer);
	}
	m->n = 0;
	fd_close(&m->state);
}
