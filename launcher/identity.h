/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the command runs as. */
#ifndef LAUNCHER_IDENTITY_H
#define LAUNCHER_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

#define IDENTITY_NAME_MAX 64
#define IDENTITY_PATH_MAX 1024

struct identity {
	uid_t uid;
	gid_t gid;
	bool changed; /* differs from the caller's: become, new environment */
	char name[IDENTITY_NAME_MAX];  /* "" if unknown */
	char home[IDENTITY_PATH_MAX];  /* set if changed */
	char shell[IDENTITY_PATH_MAX]; /* set if changed */
};

/* Chooses: the caller, as root the user who called sudo (SUDO_UID), or the
 * one named by user (--user; may be NULL). */
int identity_choose(const char *user, struct identity *ret, struct err *e);

/* Root only acts: takes the groups of the user less those that are worth root
 * (docker, lxd, libvirt, disk, sudo, wheel), then gid and uid for good, and
 * verifies.  Afterwards the process has no way back. */
int identity_become(const struct identity *id, struct err *e);

/* The environment follows: HOME, USER, LOGNAME and SHELL if the user changed;
 * variables of sudo and those that redirect name resolution are removed, and
 * if the user changed those of the caller's session (XDG_*, D-Bus). */
int identity_environment(const struct identity *id, struct err *e);

#endif
