/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to each file is gone as the kernel goes it, name by name and link by
 * link, and each folder on it is watched for its next name; the file itself is
 * watched as well, since it may be a mount whose folder is elsewhere.  After a
 * change everything is watched anew.  Watches come first, then the files are
 * read: what happens in between shows as a change.
 */
#include "launcher/hostfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/uninit.h"

#define TEXT_MAX      65536
#define LINKS_MAX     40 /* as the kernel */
#define WATCHES_MAX   64
#define CHECK_EACH_MS 1000
#define FOLDER_EVENTS                                                      \
	(IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_MODIFY | \
	 IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |      \
	 IN_ONLYDIR)
#define FILE_EVENTS \
	(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct stamp {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct timespec ctime;
};

struct watch {
	int wd;
	char name[NAME_MAX + 1];
};

struct hostfiles {
	struct loop *loop;
	hostfiles_changed_fn *changed;
	void *arg;
	int inotify; /* -1: cannot be had */
	struct loop_source source;
	int signal;
	int busy; /* an eventfd: a change is being dealt with, or nothing is
		   * watched: inotify does not help, or nobody asked yet */
	bool asked;
	uint64_t checked_ms;
	struct resolvconf resolvers;
	struct resolvconf before;
	struct stamp stamp[2];
	size_t n_watches;
	struct watch watch[WATCHES_MAX];
};

static const char *const paths[] = { HOSTFILES_RESOLV_CONF, HOSTFILES_HOSTS };

#define N_FILES (sizeof(paths) / sizeof(paths[0]))

static struct stamp stamp_of(const char *path)
{
	struct stamp s = { 0 };
	struct stat st;

	if (stat(path, &st) < 0)
		return s;
	s.exists = true;
	s.dev = st.st_dev;
	s.ino = st.st_ino;
	s.size = st.st_size;
	s.mtime = st.st_mtim;
	s.ctime = st.st_ctim;
	return s;
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

static bool is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* 0 with *ret -1: there is none, or it may not be read, which is as good as an
 * empty one, as for the libc; or it is not a regular file: others can be waited
 * for, or have no end. */
static int open_file(const char *path, int *ret)
{
	cleanup_fd int fd =
		open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	*ret = -1;
	if (fd < 0)
		return is_absent(errno) || errno == EACCES ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		*ret = fd_steal(&fd);
	return 0;
}

int hostfiles_open_hosts(int *ret)
{
	return open_file(HOSTFILES_HOSTS, ret);
}

static int read_resolvers(struct resolvconf *ret)
{
	cleanup_fd int fd = -1;
	cleanup_free char *text = malloc(TEXT_MAX);
	size_t len = 0;
	int rc = open_file(HOSTFILES_RESOLV_CONF, &fd);

	if (rc < 0 || !text)
		return rc < 0 ? rc : -ENOMEM;
	while (fd >= 0 && len < TEXT_MAX - 1) {
		ssize_t n = read(fd, text + len, TEXT_MAX - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	resolvconf_parse(text, ret);
	return 0;
}

/* Watching */

/* A name in a folder; "": the file itself. */
static bool watch(struct hostfiles *h, const char *path, const char *name)
{
	struct watch *w = &h->watch[h->n_watches];
	size_t len = strlen(name);

	if (h->n_watches == WATCHES_MAX || len >= sizeof(w->name))
		return false;
	w->wd = inotify_add_watch(h->inotify, path,
				  *name ? FOLDER_EVENTS : FILE_EVENTS);
	/* What is not there is seen by the watch of the folder above it, which
	 * tells of the file's mode as well. */
	if (w->wd < 0)
		return is_absent(errno) || (!*name && errno == EACCES);
	memcpy(w->name, name, len + 1);
	h->n_watches++;
	return true;
}

struct way {
	char at[PATH_MAX];   /* a folder, without links; "" is the root */
	char rest[PATH_MAX]; /* to be gone from there */
};

/* Puts what a link says before the rest of the way. */
static bool follow(struct way *w, const char *link, const char *rest)
{
	uninit char joined[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s/%s", link, rest);

	if (n < 0 || (size_t)n >= sizeof(joined))
		return false;
	memcpy(w->rest, joined, (size_t)n + 1);
	if (*link == '/')
		w->at[0] = '\0';
	return true;
}

/* One name of the way.  1: there is more; 0: it is gone to its end, or as far
 * as it goes; -1: it cannot be watched. */
static int step(struct hostfiles *h, struct way *w, unsigned *n_links)
{
	uninit char name[NAME_MAX + 1], full[PATH_MAX], link[PATH_MAX];
	const char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");
	const char *rest = from + len + strspn(from + len, "/");
	ssize_t n;
	int size;

	if (len == 0)
		return 0;
	if (len >= sizeof(name))
		return -1;
	memcpy(name, from, len);
	name[len] = '\0';
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		char *slash = name[1] ? strrchr(w->at, '/') : NULL;

		if (slash)
			*slash = '\0';
		memmove(w->rest, rest, strlen(rest) + 1);
		return 1;
	}
	if (!watch(h, *w->at ? w->at : "/", name))
		return -1;
	size = snprintf(full, sizeof(full), "%s/%s", w->at, name);
	if (size < 0 || (size_t)size >= sizeof(full))
		return -1;
	n = readlink(full, link, sizeof(link) - 1);
	if (n >= 0) {
		link[n] = '\0';
		if (++*n_links > LINKS_MAX)
			return 0; /* nobody gets further */
		return follow(w, link, rest) ? 1 : -1;
	}
	if (!*rest)
		return watch(h, full, "") ? 0 : -1;
	memmove(w->rest, rest, strlen(rest) + 1);
	memcpy(w->at, full, (size_t)size + 1);
	return errno == EINVAL ? 1 : 0;
}

static bool watch_way(struct hostfiles *h, const char *path)
{
	unsigned n_links = 0;
	uninit struct way w;
	int rc;

	w.at[0] = '\0';
	(void)snprintf(w.rest, sizeof(w.rest), "%s", path);
	do
		rc = step(h, &w, &n_links);
	while (rc > 0);
	return rc == 0;
}

static void on_events(void *arg, uint32_t events)
{
	(void)events;
	hostfiles_sync(arg);
}

static bool watch_all(struct hostfiles *h)
{
	struct epoll_event ev = { .events = EPOLLIN };

	h->n_watches = 0;
	h->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (h->inotify < 0)
		return false;
	for (size_t i = 0; i < N_FILES; i++)
		if (!watch_way(h, paths[i]))
			return false;
	return epoll_ctl(h->signal, EPOLL_CTL_ADD, h->inotify, &ev) == 0 &&
	       loop_add(h->loop, &h->source, h->inotify, EPOLLIN, on_events,
			h) == 0;
}

static void unwatch(struct hostfiles *h)
{
	loop_remove(h->loop, &h->source);
	fd_close(&h->inotify); /* leaves signal by that */
}

/* Without watches signal stays readable, and each question costs a look. */
static void rewatch(struct hostfiles *h)
{
	unwatch(h);
	if (watch_all(h))
		return;
	log_debug("cannot watch %s and %s: %s; they are looked at for each "
		  "question",
		  paths[0], paths[1], strerror(errno));
	unwatch(h);
}

static void set_busy(struct hostfiles *h, bool busy)
{
	uint64_t count = 1;

	if (busy)
		(void)!write(h->busy, &count, sizeof(count));
	else if (h->inotify >= 0)
		(void)!read(h->busy, &count, sizeof(count));
}

/* Reading */

static int look(struct hostfiles *h)
{
	struct resolvconf now;
	int rc;

	if (h->asked)
		rewatch(h);
	for (size_t i = 0; i < N_FILES; i++)
		h->stamp[i] = stamp_of(paths[i]);
	rc = read_resolvers(&now);
	if (rc < 0)
		return rc;
	if (memcmp(&now, &h->resolvers, sizeof(now)) != 0) {
		h->before = h->resolvers;
		h->resolvers = now;
	}
	h->checked_ms = loop_now_ms(h->loop);
	return 0;
}

static bool concerns(const struct hostfiles *h, const struct inotify_event *ev)
{
	const char *name = ev->len ? ev->name : "";

	if (ev->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT |
			IN_DELETE_SELF | IN_MOVE_SELF))
		return true;
	for (size_t i = 0; i < h->n_watches; i++)
		if (h->watch[i].wd == ev->wd &&
		    strcmp(h->watch[i].name, name) == 0)
			return true;
	return false;
}

static bool read_events(struct hostfiles *h)
{
	_Alignas(struct inotify_event) char buf[4096];
	bool found = false;
	ssize_t n;

	while ((n = read(h->inotify, buf, sizeof(buf))) > 0)
		for (const char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const void *)p;

			p += sizeof(*ev) + ev->len;
			found = found || concerns(h, ev);
		}
	return found;
}

static bool is_another(const struct hostfiles *h)
{
	for (size_t i = 0; i < N_FILES; i++) {
		struct stamp now = stamp_of(paths[i]);

		if (!stamp_equal(&now, &h->stamp[i]))
			return true;
	}
	return false;
}

static void look_or_warn(struct hostfiles *h)
{
	int rc = look(h);

	if (rc < 0)
		log_warning("cannot read %s again: %s", paths[0],
			    strerror(-rc));
}

static void look_again(struct hostfiles *h)
{
	set_busy(h, true);
	look_or_warn(h);
	h->changed(h->arg);
	set_busy(h, false);
}

void hostfiles_sync(struct hostfiles *h)
{
	/* signal falls when the events are read: not before the change is
	 * known to its holder. */
	set_busy(h, true);
	if (!h->asked) {
		/* Most commands ask no question, and a watch is dear: its end
		 * waits for a grace period of the kernel. */
		h->asked = true;
		look_or_warn(h);
	} else if (h->inotify >= 0 ? read_events(h) : is_another(h)) {
		look_again(h);
	}
	set_busy(h, false);
}

void hostfiles_check(struct hostfiles *h)
{
	uint64_t now = loop_now_ms(h->loop);

	if (now - h->checked_ms < CHECK_EACH_MS)
		return;
	h->checked_ms = now;
	if (is_another(h))
		look_again(h);
}

int hostfiles_signal(const struct hostfiles *h)
{
	return h->signal;
}

const struct resolvconf *hostfiles_resolvers(const struct hostfiles *h)
{
	return &h->resolvers;
}

const struct resolvconf *hostfiles_resolvers_before(const struct hostfiles *h)
{
	return &h->before;
}

int hostfiles_new(struct hostfiles **ret, struct loop *l,
		  hostfiles_changed_fn *changed, void *arg, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct hostfiles *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return err_errno(e, ENOMEM, "read %s", paths[0]);
	h->loop = l;
	h->changed = changed;
	h->arg = arg;
	h->inotify = -1;
	h->source = LOOP_SOURCE_NONE;
	h->busy = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	h->signal = epoll_create1(EPOLL_CLOEXEC);
	if (h->busy < 0 || h->signal < 0 ||
	    epoll_ctl(h->signal, EPOLL_CTL_ADD, h->busy, &ev) < 0)
		rc = -errno;
	else
		rc = look(h);
	set_busy(h, false);
	if (rc < 0) {
		hostfiles_free(h);
		return err_errno(e, -rc, "read %s", paths[0]);
	}
	*ret = h;
	return 0;
}

void hostfiles_free(struct hostfiles *h)
{
	if (!h)
		return;
	unwatch(h);
	fd_close(&h->busy);
	fd_close(&h->signal);
	free(h);
}
