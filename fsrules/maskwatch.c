/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each target is a path below a bound folder.  Every folder on the way to it
 * is watched for the next name of the path; when that name appears anew, the
 * way is walked again.
 */
#include "fsrules/maskwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/htab.h"
#include "fsrules/masktargets.h"
#include "fsrules/notify.h"

#define WATCHED (IN_CREATE | IN_MOVED_TO)
/* Each may cost a process; other work of the loop comes between. */
#define REMASKS_PER_TURN 16
#define TURN_PAUSE_MS	 2
/* Batches of events between the first look and the start of the command: who
 * makes more of them is dealt with in the loop. */
#define SETTLE_BATCHES 64

struct step;

struct folder {
	struct htab_node node;
	int wd;
	struct step *steps; /* that are looked for in it */
};

/* One name of a target's path. */
struct step {
	struct target *target;
	struct folder *folder; /* NULL: not watched */
	struct step *next, **link;
	const char *name;
	size_t len;
};

struct target {
	struct mask_target is;
	int base; /* borrowed */
	struct step *steps;
	size_t n;
	bool dirty;  /* to be walked again */
	bool remask; /* whatever the walk finds */
	bool blind;  /* could not be watched */
	/* What was there, folder by folder. */
	uint64_t identity;
};

struct maskwatch {
	struct arena arena;
	struct notify *notify;
	struct htab folders;
	struct target *targets;
	size_t n;
	int *bases; /* one for each target; -1: that of the target before */
	struct loop *loop;
	struct loop_timer timer;
	struct maskwatch_events ev;
	size_t n_blind;
	int blind_error;
	bool dirty;
	/* While the command is not there to see anything: the first that failed
	 * and why. */
	bool settling;
	const char *failed;
	int failed_error;
};

static uint64_t folder_hash(const struct maskwatch *w, int wd)
{
	return htab_hash(&w->folders, &wd, sizeof(wd));
}

static bool folder_equal(const struct htab_node *node, const void *key)
{
	return htab_entry(node, struct folder, node)->wd == *(const int *)key;
}

static struct folder *find_folder(const struct maskwatch *w, int wd)
{
	struct htab_node *node =
		htab_find(&w->folders, folder_hash(w, wd), folder_equal, &wd);

	return node ? htab_entry(node, struct folder, node) : NULL;
}

static void drop_folder(struct maskwatch *w, struct folder *f)
{
	htab_remove(&w->folders, &f->node);
	free(f);
}

static void detach(struct maskwatch *w, struct step *s)
{
	struct folder *f = s->folder;

	if (!f)
		return;
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->folder = NULL;
	if (f->steps)
		return;
	notify_unwatch(w->notify, f->wd);
	drop_folder(w, f);
}

/* In the folder that fd stands for. */
static int attach(struct maskwatch *w, struct step *s, int fd)
{
	int wd = notify_watch(w->notify, fd, WATCHED);
	struct folder *f;

	if (wd < 0)
		return wd;
	f = find_folder(w, wd);
	if (f && f == s->folder)
		return 0;
	detach(w, s);
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		f->wd = wd;
		if (htab_insert(&w->folders, &f->node, folder_hash(w, wd)) <
		    0) {
			free(f);
			return -ENOMEM;
		}
	}
	s->folder = f;
	s->next = f->steps;
	s->link = &f->steps;
	if (s->next)
		s->next->link = &s->next;
	f->steps = s;
	return 0;
}

static void blinded(struct maskwatch *w, struct target *t, int error)
{
	w->n_blind += !t->blind;
	w->blind_error = error;
	t->blind = true;
}

/* The time of birth tells a new file from an old one with the same number. */
static uint64_t identify(const struct maskwatch *w, uint64_t before, int fd)
{
	struct statx st;
	struct {
		uint64_t before, ino, birth_sec, birth_nsec, dev;
	} key = { .before = before };

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) == 0) {
		key.ino = st.stx_ino;
		key.birth_sec = (uint64_t)st.stx_btime.tv_sec;
		key.birth_nsec = st.stx_btime.tv_nsec;
		key.dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	}
	return htab_hash(&w->folders, &key, sizeof(key));
}

/* Watches first, and looks then.  True if the target is there. */
static bool walk(struct maskwatch *w, struct target *t, uint64_t *ret_identity)
{
	cleanup_fd int fd = openat(t->base, ".", O_PATH | O_CLOEXEC);
	uint64_t identity = 0;
	size_t i = 0;

	for (; fd >= 0 && i < t->n; i++) {
		struct step *s = &t->steps[i];
		char name[NAME_MAX + 1];
		int rc = attach(w, s, fd);
		int next;

		if (rc == -ENOTDIR)
			break;
		if (rc < 0)
			blinded(w, t, rc);
		(void)memcpy(name, s->name, s->len);
		name[s->len] = '\0';
		next = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		fd_close(&fd);
		fd = next;
		if (fd >= 0)
			identity = identify(w, identity, fd);
	}
	*ret_identity = identity;
	/* The step whose name is missing waits for it. */
	for (size_t j = i; j < t->n; j++)
		detach(w, &t->steps[j]);
	return fd >= 0 && i == t->n;
}

static bool renew(struct maskwatch *w, struct target *t)
{
	uint64_t before = t->identity;
	bool there = walk(w, t, &t->identity);
	bool wanted = t->remask || t->identity != before;
	int rc;

	t->dirty = false;
	t->remask = false;
	if (!there || !wanted)
		return false;
	rc = w->ev.remask(w->ev.arg, t->is.path, t->is.how);
	if (!w->settling) {
		if (rc != -ENOENT)
			w->ev.lost(w->ev.arg, t->is.path, rc);
	} else if (rc < 0 && rc != -ENOENT && !w->failed) {
		w->failed = t->is.path;
		w->failed_error = -rc;
	}
	return true;
}

static void report_blind(struct maskwatch *w)
{
	if (w->n_blind > 0 && w->ev.unwatched)
		w->ev.unwatched(w->ev.arg, w->n_blind, w->blind_error);
	w->n_blind = 0;
}

/* Folders come before what is in them. */
static void on_turn(void *arg)
{
	struct maskwatch *w = arg;
	unsigned n = 0;

	if (!w->dirty)
		return;
	w->dirty = false;
	for (size_t i = 0; i < w->n; i++) {
		if (!w->targets[i].dirty)
			continue;
		if (n == REMASKS_PER_TURN) {
			w->dirty = true;
			break;
		}
		n += renew(w, &w->targets[i]);
	}
	report_blind(w);
	/* Without memory: with the next event. */
	if (w->dirty)
		(void)loop_timer_arm(w->loop, &w->timer, TURN_PAUSE_MS);
}

static void mark(struct maskwatch *w, struct target *t, bool remask)
{
	t->dirty = true;
	t->remask |= remask;
	w->dirty = true;
}

static void on_event(void *arg, int wd, uint32_t mask, const char *name)
{
	struct maskwatch *w = arg;
	struct folder *f = find_folder(w, wd);
	size_t len = strlen(name);

	if (!f)
		return;
	for (struct step *s = f->steps; s; s = s->next)
		if (mask & IN_IGNORED)
			mark(w, s->target, false);
		else if (s->len == len && memcmp(s->name, name, len) == 0)
			mark(w, s->target, true);
	if (!(mask & IN_IGNORED))
		return;
	for (struct step *s = f->steps; s; s = s->next)
		s->folder = NULL;
	drop_folder(w, f);
}

static void on_overflow(void *arg)
{
	struct maskwatch *w = arg;

	for (size_t i = 0; i < w->n; i++)
		mark(w, &w->targets[i], false);
}

static int split(struct maskwatch *w, struct target *t)
{
	size_t len = strlen(t->is.base);
	const char *p = t->is.path + (len > 1 ? len : 0);

	t->steps = arena_alloc(&w->arena, strlen(p), sizeof(*t->steps));
	if (!t->steps)
		return -ENOMEM;
	while (*p) {
		size_t n = strcspn(++p, "/");

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		t->steps[t->n++] =
			(struct step) { .target = t, .name = p, .len = n };
		p += n;
	}
	return 0;
}

/* Targets are sorted, so those of one base follow each other, mostly. */
static int add_target(struct maskwatch *w, const struct mask_target *is)
{
	struct target *t = &w->targets[w->n];
	const struct target *last = w->n > 0 ? t - 1 : NULL;

	*t = (struct target) { .is = *is };
	w->bases[w->n] = -1;
	if (last && strcmp(last->is.base, is->base) == 0) {
		t->base = last->base;
	} else {
		t->base = open(is->base,
			       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Gone by now: the view leaves it out as well. */
		if (t->base < 0)
			return 0;
		w->bases[w->n] = t->base;
	}
	w->n++;
	return split(w, t);
}

static int add_targets(struct maskwatch *w, const struct view_plan *plan,
		       const struct grants *g)
{
	struct mask_target *all = NULL;
	size_t n = 0;
	int rc = mask_targets(plan, g, &w->arena, &all, &n);

	if (rc < 0)
		return rc;
	w->targets = arena_alloc(&w->arena, n, sizeof(*w->targets));
	w->bases = arena_alloc(&w->arena, n, sizeof(*w->bases));
	if (!w->targets || !w->bases)
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_target(w, &all[i]);
	return rc;
}

int maskwatch_start(struct maskwatch **ret, const struct view_plan *plan,
		    const struct grants *g, struct loop *loop,
		    struct notify_hub *hub, const struct maskwatch_events *ev,
		    struct err *e)
{
	struct maskwatch *w = calloc(1, sizeof(*w));
	const struct notify_events own = { on_event, on_overflow, on_turn, w };
	int rc = w ? htab_init(&w->folders) : -ENOMEM;

	if (rc < 0) {
		free(w);
		return err_errno(e, -rc, "watch denied files");
	}
	w->loop = loop;
	w->ev = *ev;
	w->timer = (struct loop_timer) { .fn = on_turn, .arg = w };
	rc = add_targets(w, plan, g);
	if (rc < 0) {
		maskwatch_free(w);
		return err_errno(e, -rc, "watch denied files");
	}
	rc = notify_new(&w->notify, hub, &own);
	if (rc < 0) {
		maskwatch_free(w);
		return err_errno(e, -rc, "watch denied files");
	}
	for (size_t i = 0; i < w->n; i++)
		(void)walk(w, &w->targets[i], &w->targets[i].identity);
	report_blind(w);
	*ret = w;
	return 0;
}

static int list_bases(struct maskwatch *w, struct maskwatch_base **ret,
		      size_t *ret_n)
{
	struct maskwatch_base *all = arena_alloc(&w->arena, w->n, sizeof(*all));
	size_t n = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++) {
		struct stat st;

		if (w->bases[i] < 0)
			continue;
		if (fstat(w->bases[i], &st) < 0)
			return -errno;
		all[n++] = (struct maskwatch_base) { w->targets[i].is.base,
						     st.st_dev, st.st_ino };
	}
	*ret = all;
	*ret_n = n;
	return 0;
}

/* The watch and the view came to their folders at different times. */
static int compare_bases(struct maskwatch *w, struct err *e)
{
	struct maskwatch_base *all = NULL;
	size_t n = 0;
	int rc = list_bases(w, &all, &n);

	if (rc == 0)
		rc = w->ev.compare(w->ev.arg, all, n);
	/* One by one, for its name. */
	for (size_t i = 0; rc == -ESTALE && i < n; i++)
		if (w->ev.compare(w->ev.arg, &all[i], 1) == -ESTALE)
			return err_set(e, ESTALE,
				       "%s was replaced while the sandbox was "
				       "being built; start again if that was "
				       "you",
				       all[i].path);
	return rc < 0 ? err_errno(e, -rc, "look at the granted folders again")
		      : 0;
}

int maskwatch_settle(struct maskwatch *w, struct err *e)
{
	int rc;

	if (!w || w->n == 0)
		return 0;
	rc = compare_bases(w, e);
	if (rc < 0)
		return rc;
	w->settling = true;
	for (size_t i = 0; i < w->n; i++)
		if (w->targets[i].blind)
			mark(w, &w->targets[i], false);
	for (unsigned i = 0; i < SETTLE_BATCHES && notify_read(w->notify); i++)
		;
	while (w->dirty)
		on_turn(w);
	w->settling = false;
	return w->failed ? err_errno(e, w->failed_error,
				     "%s was replaced from outside, and could "
				     "not be hidden again",
				     w->failed)
			 : 0;
}

void maskwatch_free(struct maskwatch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		for (size_t j = 0; j < w->targets[i].n; j++)
			detach(w, &w->targets[i].steps[j]);
	for (size_t i = 0; i < w->n; i++)
		fd_close(&w->bases[i]);
	loop_timer_stop(w->loop, &w->timer);
	notify_free(w->notify);
	htab_done(&w->folders);
	arena_free(&w->arena);
	free(w);
}
