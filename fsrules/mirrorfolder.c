/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/mirrorfolder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"

#define RANDOM_CHARS 8
#define MAKE_TRIES   16
/* For the content of one mirror; the rest waits for the next start. */
#define REMOVE_MS 5000

int mirror_name(const char *prefix, char *ret)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t noise[RANDOM_CHARS];
	char text[RANDOM_CHARS + 1] = "";

	if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
		return -EIO;
	for (size_t i = 0; i < sizeof(noise); i++)
		text[i] = chars[noise[i] & 31];
	(void)snprintf(ret, MIRROR_NAME_SIZE, "%s%s", prefix, text);
	return 0;
}

static bool is_of(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 &&
	       strlen(name) == len + RANDOM_CHARS;
}

/* The descriptor of a folder that is the user's, not through a link; readable
 * by then, whatever the command made of its mode. */
static int open_own(int dirfd, const char *name)
{
	cleanup_fd int fd = openat(
		dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[sizeof("/proc/self/fd/-2147483648")];
	struct stat st;
	int dir;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((st.st_mode & 0700) != 0700 && chmod(path, 0700) < 0)
		return -errno;
	dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

/* Locked, and still there under its name: a start that clears leftovers away
 * may have been faster. */
static int lock_folder(int dirfd, const char *name, int fd)
{
	struct stat a;
	struct stat b;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	if (fstat(fd, &a) < 0 ||
	    fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return a.st_ino == b.st_ino && a.st_dev == b.st_dev ? 0 : -ESTALE;
}

int mirror_folder_make(int dirfd, const char *prefix, char *ret_name)
{
	int rc = -EEXIST;

	for (int i = 0; i < MAKE_TRIES; i++) {
		cleanup_fd int fd = -1;

		rc = mirror_name(prefix, ret_name);
		if (rc < 0)
			return rc;
		if (mkdirat(dirfd, ret_name, 0700) < 0) {
			rc = -errno;
			if (rc == -EEXIST)
				continue;
			return rc;
		}
		fd = open_own(dirfd, ret_name);
		rc = fd < 0 ? fd : lock_folder(dirfd, ret_name, fd);
		if (rc == 0)
			return fd_steal(&fd);
	}
	return rc;
}

/*
 * Removal without recursion, however deep the folders lie: what a folder at
 * the top holds is removed, but for folders, which are moved up to the top to
 * be next.  Mounts and links are not followed: rename and rmdir refuse the
 * one, O_NOFOLLOW the other.
 */
struct removal {
	int top;
	unsigned long n_moved;
	uint64_t until_ms;
	bool progress;
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void move_up(struct removal *r, int dirfd, const char *name)
{
	/* A folder that is not writable cannot get another parent. */
	cleanup_fd int fd = open_own(dirfd, name);
	char to[32];
	int rc;

	if (fd < 0)
		return;
	do {
		(void)snprintf(to, sizeof(to), "%lu", r->n_moved++);
		rc = renameat2(dirfd, name, r->top, to, RENAME_NOREPLACE);
	} while (rc < 0 && errno == EEXIST);
	r->progress |= rc == 0;
}

static void empty_folder(struct removal *r, int fd, bool top);

static void remove_entry(struct removal *r, int dirfd, const char *name,
			 bool top)
{
	cleanup_fd int fd = -1;

	if (unlinkat(dirfd, name, 0) == 0 ||
	    unlinkat(dirfd, name, AT_REMOVEDIR) == 0) {
		r->progress = true;
		return;
	}
	if (!top) {
		move_up(r, dirfd, name);
		return;
	}
	fd = open_own(dirfd, name);
	if (fd < 0)
		return;
	empty_folder(r, fd, false);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		r->progress = true;
}

static void empty_folder(struct removal *r, int fd, bool top)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *d;

	if (!dir) {
		fd_close(&own);
		return;
	}
	while (clock_ms() < r->until_ms && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			remove_entry(r, fd, d->d_name, top);
	(void)closedir(dir);
}

int mirror_folder_remove(int dirfd, const char *name, int fd)
{
	struct removal r = { .top = fd, .until_ms = clock_ms() + REMOVE_MS };

	while (unlinkat(dirfd, name, AT_REMOVEDIR) < 0) {
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -errno;
		if (clock_ms() >= r.until_ms)
			return -EAGAIN;
		r.progress = false;
		empty_folder(&r, fd, true);
		if (!r.progress)
			return -EBUSY;
	}
	return 0;
}

static void remove_leftover(int dirfd, const char *name)
{
	cleanup_fd int fd = open_own(dirfd, name);

	if (fd >= 0 && lock_folder(dirfd, name, fd) == 0)
		(void)mirror_folder_remove(dirfd, name, fd);
}

/* A run that was killed between link and rename left it; one that is alive
 * finds it gone, and starts again. */
static void remove_temporary(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_uid == geteuid())
		(void)unlinkat(dirfd, name, 0);
}

void mirror_leftovers(int dirfd, const char *prefix)
{
	int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *d;

	if (!dir) {
		fd_close(&own);
		return;
	}
	while ((d = readdir(dir))) {
		if (is_of(d->d_name, prefix))
			remove_leftover(dirfd, d->d_name);
		else if (is_of(d->d_name, MIRROR_TEMPORARY))
			remove_temporary(dirfd, d->d_name);
	}
	(void)closedir(dir);
}
