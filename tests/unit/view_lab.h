/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A view of the tree of tree.h, planned, built and looked at from inside: by
 * an ordinary user in namespaces of its own, as the command will be.  What
 * looks runs in a child without a capability; CHECK() ends it.  cmocka.h and
 * tree.h are included before.
 */
#ifndef TESTS_UNIT_VIEW_LAB_H
#define TESTS_UNIT_VIEW_LAB_H

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "fsrules/mirror.h"
#include "fsrules/mounts.h"
#include "fsrules/view.h"
#include "profiles/grants.h"
#include "profiles/workdir.h"

#define LAB_USER     1234
#define LAB_SKIP     77
#define LAB_TEXTS(f) "this is the new " f "\n"

#define CHECK(cond)                                                       \
	do {                                                              \
		errno = 0;                                                \
		if (!(cond)) {                                            \
			(void)fprintf(stderr, "%s:%d: not so: %s (%s)\n", \
				      __FILE__, __LINE__, #cond,          \
				      strerror(errno));                   \
			_exit(1);                                         \
		}                                                         \
	} while (0)

struct lab {
	struct tree *t;
	struct grants grants;
	struct view_texts texts;
	struct view_options o;
	struct view_plan plan;
	struct mirrors *mirrors;
	struct err e;
	uid_t uid;
	/* In the namespaces, before the plan is made; may be NULL. */
	void (*prepare)(struct lab *);
	/* Between the plan and the mounts; may be NULL. */
	void (*disturb)(struct lab *);
	int fail; /* what mounts_build() must return */
	bool keep_caps;
	bool mirror; /* files granted by name have mirrors */
	/* For talk with the test itself. */
	int in[2], out[2];
};

static inline void lab_init(struct lab *l, struct tree *t)
{
	*l = (struct lab) { .t = t,
			    .uid = geteuid() == 0 ? LAB_USER : geteuid() };
	l->texts = (struct view_texts) {
		.resolv_conf = LAB_TEXTS("resolv.conf"),
		.hosts = LAB_TEXTS("hosts"),
		.nsswitch = LAB_TEXTS("nsswitch.conf"),
		.passwd = LAB_TEXTS("passwd"),
		.group = LAB_TEXTS("group"),
		.hostname = LAB_TEXTS("hostname"),
		.machine_id = LAB_TEXTS("machine-id"),
	};
	l->o = (struct view_options) { .texts = &l->texts,
				       .home = t->vars.home,
				       .workdir = t->vars.workdir };
	assert_int_equal(pipe2(l->in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(l->out, O_CLOEXEC), 0);
}

static inline void lab_done(struct lab *l)
{
	for (int i = 0; i < 2; i++) {
		(void)close(l->in[i]);
		(void)close(l->out[i]);
	}
}

static inline bool lab_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* One id, to itself. */
static inline bool lab_map(uid_t uid, gid_t gid)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "%u %u 1", uid, uid);
	if (!lab_write("/proc/self/uid_map", line) ||
	    !lab_write("/proc/self/setgroups", "deny"))
		return false;
	(void)snprintf(line, sizeof(line), "%u %u 1", gid, gid);
	return lab_write("/proc/self/gid_map", line);
}

static inline void lab_become(const struct lab *l)
{
	gid_t gid = geteuid() == 0 ? l->uid : getegid();

	if (geteuid() == 0 && l->uid != 0)
		CHECK(setgid(gid) == 0 && setuid(l->uid) == 0 &&
		      prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) == 0);
	/* The second one, as in the program: locks the mounts. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !lab_map(l->uid, gid) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !lab_map(l->uid, gid) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(LAB_SKIP);
}

static inline void lab_drop(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct d[2] = { { 0 }, { 0 } };

	CHECK(syscall(SYS_capset, &h, d) == 0);
}

static inline void lab_plan(struct lab *l)
{
	struct tree *t = l->t;
	unsigned access;

	if (grants_resolve(t->profile, &t->vars, &t->arena, &l->grants, &l->e) <
		    0 ||
	    workdir_grant(t->profile, &t->vars, &t->arena, &l->grants, &access,
			  &l->e) < 0 ||
	    (l->mirror && mirrors_make(&l->grants, NULL, &t->arena, &l->mirrors,
				       &l->e) < 0) ||
	    (l->o.grants = &l->grants, l->o.mirrors = l->mirrors,
	     l->o.uid = l->uid,
	     view_plan(&l->o, &t->arena, &l->plan, &l->e)) < 0 ||
	    view_mask_sockets(&l->o, &t->arena, &l->plan, &l->e) < 0) {
		(void)fprintf(stderr, "plan: %s\n", l->e.msg);
		_exit(1);
	}
}

static inline void lab_child(struct lab *l, void (*look)(struct lab *))
{
	int status;
	pid_t pid;

	lab_become(l);
	if (l->prepare)
		l->prepare(l);
	lab_plan(l);
	CHECK(unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC) == 0);
	if (l->disturb)
		l->disturb(l);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int rc;

		/* The parent stays outside. */
		CHECK(unshare(CLONE_NEWNS) == 0);
		rc = mounts_build(&l->plan, &l->e);

		if (rc != l->fail)
			(void)fprintf(stderr, "build: %s\n", l->e.msg);
		CHECK(rc == l->fail);
		if (!l->keep_caps)
			lab_drop();
		look(l);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (l->mirrors)
		mirrors_finish(l->mirrors);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

static inline int lab_own_one(const char *path, const struct stat *st, int type,
			      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return lchown(path, LAB_USER, LAB_USER);
}

/* Starts it; lab_wait() has the result. */
static inline pid_t lab_start(struct lab *l, void (*look)(struct lab *))
{
	pid_t pid;

	if (geteuid() == 0 && l->uid != 0)
		assert_int_equal(nftw(l->t->root, lab_own_one, 16, FTW_PHYS),
				 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		lab_child(l, look);
	return pid;
}

static inline void lab_wait(struct lab *l, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	lab_done(l);
	if (WIFEXITED(status) && WEXITSTATUS(status) == LAB_SKIP) {
		print_message("skipped: no user namespaces here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static inline void lab_run(struct lab *l, void (*look)(struct lab *))
{
	lab_wait(l, lab_start(l, look));
}

/* From inside. */

/* 0 or -errno. */
static inline int lab_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static inline bool lab_reads(const char *path, const char *text)
{
	char buf[512] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		(void)close(fd);
	return n >= 0 && strcmp(buf, text) == 0;
}

static inline bool lab_link(const char *path, const char *target)
{
	char buf[PATH_MAX];
	ssize_t n = readlink(path, buf, sizeof(buf) - 1);

	if (n < 0)
		return false;
	buf[n] = '\0';
	return strcmp(buf, target) == 0;
}

/* errno of a call that returns -1, or 0. */
#define FAILS(call) ((call) < 0 ? errno : 0)

#endif
