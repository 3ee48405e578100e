/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A preloaded library that switches measures of egress-run off, for the tests
 * that show what each of them stops.  WITHOUT is a list of words:
 *
 *   landlock             not entered
 *   call=N abi           the filter without the rules about that call, or with
 *                        foreign entries
 *   low32                comparing all 64 bits where it should be 32
 *   nnp                  no_new_privs not set (nor can Landlock and the filter)
 *   capset bset          capabilities kept, the bounding set kept
 *   userns pidns ipcns   that namespace not made
 *   keyring dumpable closed core nproc group watch termios
 *                        the call of that name does nothing
 *   rdonly nosuid nodev  mounts without that attribute
 *   skip=PATH host=PATH  nothing mounted there; in the end the host's there
 *   oldroot              it stays, over the new one
 *   environment          the caller's, whole
 *
 * What is executed is left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>

#include <seccomp.h>

#define WORDS_MAX 32
#define CAPS	  41
/* On top of it the new root is built (fsrules/mounts.c). */
#define STAGE "/proc"
/* Of the old /proc, and of a copy of it that is to be the command's. */
#define PROC_FD 900
#define COPY_FD 901

static const char *words[WORDS_MAX];
static int n_words;
static bool on;
static struct __user_cap_data_struct wanted_caps[2];
static bool kept_caps; /* all, and wanted_caps is what is told */

extern char **environ;

__attribute__((constructor)) static void set_up(void)
{
	char exe[256] = "";
	char *list = getenv("WITHOUT");

	if (!list || readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0 ||
	    !strstr(exe, "egress-run"))
		return;
	list = strdup(list);
	for (char *w = strtok(list, " "); w && n_words < WORDS_MAX;
	     w = strtok(NULL, " "))
		words[n_words++] = w;
	on = true;
}

static bool without(const char *word)
{
	for (int i = 0; i < n_words; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

/* True for KEY=VALUE. */
static bool without_that(const char *key, const char *value)
{
	size_t len = strlen(key);

	for (int i = 0; i < n_words; i++)
		if (strncmp(words[i], key, len) == 0 && words[i][len] == '=' &&
		    strcmp(words[i] + len + 1, value) == 0)
			return true;
	return false;
}

#define REAL(function)                     \
	static __typeof__(&function) real; \
	if (!real)                         \
	real = (__typeof__(&function))dlsym(RTLD_NEXT, #function)

/* Its arguments as they come, whatever their number. */
static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
	REAL(syscall);

	return real(number, a, b, c, d, e, f);
}

#define K(number, a, b, c, d, e) \
	kernel(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* The place below the new root that the descriptor and the name mean. */
static bool is_skipped(int at, const char *name)
{
	char link[64];
	char path[4096] = "";

	(void)snprintf(link, sizeof(link), "self/fd/%d", at);
	if (readlinkat(PROC_FD, link, path, sizeof(path) / 2) < 0)
		return false;
	if (name[0])
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path),
			       "/%s", name);
	return strncmp(path, STAGE, strlen(STAGE)) == 0 &&
	       without_that("skip", path + strlen(STAGE));
}

static int copy_of(const char *path)
{
	return (int)K(SYS_open_tree, AT_FDCWD, path,
		      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE, 0, 0);
}

/* The working folder is the new root, and the old one is still there. */
static void put_host_places(void)
{
	for (int i = 0; i < n_words; i++) {
		const char *path = strchr(words[i], '/');
		int copy;

		if (strncmp(words[i], "host=/", strlen("host=/")) != 0)
			continue;
		copy = copy_of(path);
		if (copy < 0 || K(SYS_move_mount, copy, "", AT_FDCWD, path + 1,
				  MOVE_MOUNT_F_EMPTY_PATH) < 0)
			dprintf(2, "without: host=%s: %s\n", path,
				strerror(errno));
		(void)close(copy);
	}
}

static unsigned fewer(unsigned flags)
{
	if (without("rdonly"))
		flags &= ~(unsigned)MOUNT_ATTR_RDONLY;
	if (without("nosuid"))
		flags &= ~(unsigned)MOUNT_ATTR_NOSUID;
	if (without("nodev"))
		flags &= ~(unsigned)MOUNT_ATTR_NODEV;
	return flags;
}

static long clone_less(const struct clone_args *given, size_t size)
{
	struct clone_args args = *given;

	if (without("userns"))
		args.flags &= ~(uint64_t)CLONE_NEWUSER;
	if (without("pidns"))
		args.flags &= ~(uint64_t)CLONE_NEWPID;
	if (without("ipcns"))
		args.flags &= ~(uint64_t)CLONE_NEWIPC;
	return K(SYS_clone3, &args, size, 0, 0, 0);
}

/* All that init has, and past execve(). */
static long keep_capabilities(void *header,
			      const struct __user_cap_data_struct *want)
{
	struct __user_cap_data_struct now[2];

	memcpy(wanted_caps, want, sizeof(wanted_caps));
	kept_caps = true;
	if (K(SYS_capget, header, now, 0, 0, 0) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		now[i].inheritable = now[i].permitted;
	if (K(SYS_capset, header, now, 0, 0, 0) < 0)
		return -1;
	for (long cap = 0; cap < CAPS; cap++)
		(void)K(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0,
			0);
	return 0;
}

/* A fresh /proc may be had for a pid namespace of one's own only. */
static long copy_proc(void)
{
	int copy = copy_of("/proc");
	int rc = copy < 0 ? -1 : dup3(copy, COPY_FD, O_CLOEXEC);

	(void)close(copy);
	return rc;
}

static long changed(long number, const long v[6], bool *ret_done)
{
	static const struct {
		long number;
		const char *word;
	} nothing[] = {
		{ SYS_landlock_restrict_self, "landlock" },
		{ SYS_landlock_restrict_self, "nnp" },
		{ SYS_close_range, "closed" },
	};

	*ret_done = true;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		if (number == nothing[i].number && without(nothing[i].word))
			return 0;
	if (number == SYS_clone3)
		return clone_less((const void *)v[0], (size_t)v[1]);
	if (number == SYS_keyctl && v[0] == KEYCTL_JOIN_SESSION_KEYRING &&
	    without("keyring"))
		return 0;
	if (number == SYS_capset && without("capset"))
		return keep_capabilities((void *)v[0], (void *)v[1]);
	if (number == SYS_capget && kept_caps) {
		memcpy((void *)v[1], wanted_caps, sizeof(wanted_caps));
		return 0;
	}
	if (number == SYS_fsopen && v[0] && without("pidns") &&
	    strcmp((const char *)v[0], "proc") == 0)
		return copy_proc();
	if (number == SYS_fsconfig && v[0] == COPY_FD)
		return 0;
	if (number == SYS_fsmount && v[0] == COPY_FD)
		return fcntl(COPY_FD, F_DUPFD_CLOEXEC, 0);
	if (number == SYS_fsmount)
		return K(number, v[0], v[1], fewer((unsigned)v[2]), 0, 0);
	if (number == SYS_mount_setattr && v[0] >= 0) {
		struct mount_attr attr = *(const struct mount_attr *)v[3];

		attr.attr_set = fewer((unsigned)attr.attr_set);
		return K(number, v[0], v[1], v[2], &attr, v[4]);
	}
	if (number == SYS_move_mount &&
	    is_skipped((int)v[2], (const char *)v[3]))
		return 0;
	if (number == SYS_pivot_root)
		put_host_places();
	if (number == SYS_umount2 && without("oldroot") &&
	    strcmp((const char *)v[0], ".") == 0)
		return 0;
	*ret_done = false;
	return 0;
}

long syscall(long number, ...)
{
	va_list ap;
	long v[6];
	bool done;
	long rc;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		v[i] = va_arg(ap, long);
	va_end(ap);
	if (on) {
		rc = changed(number, v, &done);
		if (done)
			return rc;
	}
	return kernel(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

int prctl(int option, ...)
{
	REAL(prctl);
	va_list ap;
	long v[4];

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		v[i] = va_arg(ap, long);
	va_end(ap);
	if ((option == PR_SET_NO_NEW_PRIVS && without("nnp")) ||
	    (option == PR_SET_DUMPABLE && !v[0] && without("dumpable")) ||
	    (option == PR_CAPBSET_DROP &&
	     (without("bset") || without("capset"))) ||
	    (option == PR_SET_SECUREBITS && without("capset")))
		return 0;
	return real(option, v[0], v[1], v[2], v[3]);
}

/* The first step of the view, with the old /proc in its place. */
int mount(const char *a, const char *b, const char *c, unsigned long d,
	  const void *e)
{
	int fd;

	if (on) {
		fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || dup3(fd, PROC_FD, O_CLOEXEC) < 0)
			abort();
		(void)close(fd);
	}
	return (int)K(SYS_mount, a, b, c, d, e);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (without("userns") &&
	    (strstr(path, "/self/uid_map") || strstr(path, "/self/gid_map") ||
	     strstr(path, "/self/setgroups")))
		path = "/dev/null";
	return (int)K(SYS_openat, AT_FDCWD, path, flags, mode, 0);
}

int setpgid(pid_t pid, pid_t group)
{
	if (without("group"))
		return 0;
	return (int)K(SYS_setpgid, pid, group, 0, 0, 0);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask);
int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	static int number;

	if (without("watch"))
		return ++number;
	return (int)K(SYS_inotify_add_watch, fd, path, mask, 0, 0);
}

int setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
	REAL(setrlimit);

	if ((what == RLIMIT_CORE && without("core")) ||
	    (what == RLIMIT_NPROC && without("nproc")))
		return 0;
	return real(what, limit);
}

int tcsetattr(int fd, int how, const struct termios *t)
{
	REAL(tcsetattr);

	return without("termios") ? 0 : real(fd, how, t);
}

int execvpe(const char *file, char *const argv[], char *const env[])
{
	REAL(execvpe);

	if (!without("environment"))
		return real(file, argv, env);
	(void)unsetenv("LD_PRELOAD");
	return real(file, argv, environ);
}

/* ---- the filter ---------------------------------------------------------- */

int seccomp_rule_add(scmp_filter_ctx ctx, uint32_t action, int number,
		     unsigned n, ...)
{
	struct scmp_arg_cmp args[6];
	char text[16];
	va_list ap;

	va_start(ap, n);
	for (unsigned i = 0; i < n && i < 6; i++) {
		args[i] = va_arg(ap, struct scmp_arg_cmp);
		if (args[i].datum_a == UINT32_MAX && without("low32"))
			args[i].datum_a = UINT64_MAX;
	}
	va_end(ap);
	(void)snprintf(text, sizeof(text), "%d", number);
	if (without_that("call", text))
		return 0;
	return seccomp_rule_add_array(ctx, action, number, n, args);
}

int seccomp_attr_set(scmp_filter_ctx ctx, enum scmp_filter_attr attr,
		     uint32_t value)
{
	REAL(seccomp_attr_set);

	if (attr == SCMP_FLTATR_ACT_BADARCH && without("abi"))
		value = SCMP_ACT_ALLOW;
	return real(ctx, attr, value);
}

int seccomp_load(const scmp_filter_ctx ctx)
{
	REAL(seccomp_load);

	return without("nnp") ? 0 : real(ctx);
}
