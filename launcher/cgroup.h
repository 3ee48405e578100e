/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cgroup v2 below or beside our own. */
#ifndef LAUNCHER_CGROUP_H
#define LAUNCHER_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The folder of our own group, by /proc/self/cgroup and /proc/self/mountinfo;
 * *ret_is_root: no group above it can be seen.  -ENOENT: there is no v2. */
int cgroup_find_own(char ret[static PATH_MAX], bool *ret_is_root);

/* Makes the group `path`, sets its limits (0: none) and puts pid into it; the
 * controllers must be had there, or be enabled for its folder now.  -errno:
 * nothing is left. */
int cgroup_make(const char *path, uint64_t memory, uint64_t processes,
		pid_t pid);
/* Ends what is in it and removes it. */
void cgroup_remove(const char *path);
/* A number of a file with lines "key value", as memory.events; 0 without. */
uint64_t cgroup_count(const char *path, const char *file, const char *key);

#endif
