/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"

#define EMPTY_WAIT_MS 1000
#define FILE_MAX      4096

static void cleanup_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

/* The path of "0::PATH"; -ENOENT on a machine with the old version alone. */
static int own_path(char *ret, size_t size)
{
	__attribute__((cleanup(cleanup_file))) FILE *f =
		fopen("/proc/self/cgroup", "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0)
			return snprintf(ret, size, "%s", line + 3) < (int)size
				       ? 0
				       : -ENAMETOOLONG;
	}
	return -ENOENT;
}

/* Fields 4 and 5 of a line of mountinfo, if it is of cgroup2. */
static bool read_mount(char *line, char **ret_root, char **ret_point)
{
	char *save = NULL;
	char *type = strstr(line, " - ");
	char *word;

	if (!type || strncmp(type, " - cgroup2 ", 11) != 0)
		return false;
	*type = '\0';
	word = strtok_r(line, " ", &save);
	for (int i = 2; word && i <= 5; i++) {
		word = strtok_r(NULL, " ", &save);
		if (i == 4)
			*ret_root = word;
		if (i == 5)
			*ret_point = word;
	}
	return word != NULL;
}

/* What is left of path below root, NULL if it is elsewhere. */
static const char *below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (strcmp(root, "/") == 0)
		return strcmp(path, "/") == 0 ? "" : path;
	if (strncmp(path, root, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path + n;
}

int cgroup_find_own(char ret[static PATH_MAX], bool *ret_is_root)
{
	__attribute__((cleanup(cleanup_file))) FILE *f =
		fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	char path[PATH_MAX];
	size_t room = 0;
	int rc = own_path(path, sizeof(path));

	while (rc == 0 && f && getline(&line, &room, f) >= 0) {
		char *root = NULL;
		char *point = NULL;
		const char *rest;

		if (!read_mount(line, &root, &point))
			continue;
		rest = below(path, root);
		/* Outside of our view of the tree: as inside a container. */
		if (!rest || strstr(rest, "/.."))
			continue;
		*ret_is_root = rest[0] == '\0';
		return snprintf(ret, PATH_MAX, "%s%s", point, rest) < PATH_MAX
			       ? 0
			       : -ENAMETOOLONG;
	}
	return rc < 0 ? rc : -ENOENT;
}

static int open_in(const char *folder, const char *file, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int put(const char *folder, const char *file, const char *text)
{
	cleanup_fd int fd = open_in(folder, file, O_WRONLY);
	size_t len = strlen(text);

	if (fd < 0)
		return fd;
	return write(fd, text, len) == (ssize_t)len ? 0 : -errno;
}

static int put_number(const char *folder, const char *file, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	return put(folder, file, text);
}

static bool has(const char *folder, const char *file)
{
	cleanup_fd int fd = open_in(folder, file, O_RDONLY);

	return fd >= 0;
}

static int set_limits(const char *path, uint64_t memory, uint64_t processes)
{
	int rc = 0;

	if (memory)
		rc = put_number(path, "memory.max", memory);
	/* Without swap in the kernel there is no such file. */
	if (rc == 0 && memory && has(path, "memory.swap.max"))
		rc = put(path, "memory.swap.max", "0");
	/* All or nothing: half a build is worse than none. */
	if (rc == 0 && memory)
		rc = put(path, "memory.oom.group", "1");
	/* Init is one. */
	if (rc == 0 && processes)
		rc = put_number(path, "pids.max", processes + 1);
	return rc;
}

/* Controllers are passed down folder by folder; one that has processes of its
 * own cannot (EBUSY), the root aside. */
static int enable(const char *path, uint64_t memory, uint64_t processes)
{
	char folder[PATH_MAX];
	char *slash;
	int rc = 0;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	if (memory && !has(path, "memory.max"))
		rc = put(folder, "cgroup.subtree_control", "+memory");
	if (rc == 0 && processes && !has(path, "pids.max"))
		rc = put(folder, "cgroup.subtree_control", "+pids");
	return rc;
}

/* The very root of the tree is writable by privilege alone, which is given up
 * before the end: a group made there would stay. */
static bool can_remove_from(const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	char *slash;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return stat(folder, &st) == 0 && (st.st_mode & S_IWUSR);
}

int cgroup_make(const char *path, uint64_t memory, uint64_t processes,
		pid_t pid)
{
	int rc = 0;

	if (!can_remove_from(path))
		return -EACCES;
	/* One left by a run of this number that was killed. */
	if (mkdir(path, 0755) < 0 &&
	    (errno != EEXIST || rmdir(path) < 0 || mkdir(path, 0755) < 0))
		return -errno;
	rc = enable(path, memory, processes);
	if (rc == 0)
		rc = set_limits(path, memory, processes);
	if (rc == 0)
		rc = put_number(path, "cgroup.procs", (uint64_t)pid);
	if (rc < 0)
		(void)rmdir(path);
	return rc;
}

uint64_t cgroup_count(const char *path, const char *file, const char *key)
{
	cleanup_fd int fd = open_in(path, file, O_RDONLY);
	char text[FILE_MAX];
	size_t len = strlen(key);
	char *save = NULL;
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (n < 0)
		return 0;
	text[n] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoull(line + len + 1, NULL, 10);
	return 0;
}

void cgroup_remove(const char *path)
{
	cleanup_fd int events = -1;
	struct pollfd change = { .events = POLLPRI };
	char text[FILE_MAX];

	if (rmdir(path) == 0 || errno != EBUSY)
		return;
	/* The kernel is still taking the last process away, or something was
	 * moved here. */
	events = open_in(path, "cgroup.events", O_RDONLY);
	if (events < 0 || read(events, text, sizeof(text)) <= 0)
		return;
	(void)put(path, "cgroup.kill", "1");
	change.fd = events;
	/* What has changed since it was read. */
	if (cgroup_count(path, "cgroup.events", "populated") > 0)
		(void)poll(&change, 1, EMPTY_WAIT_MS);
	(void)rmdir(path);
}
