/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"

/* Members of these groups are root on the host by other means. */
static const char *const dropped_groups[] = { "docker", "lxd",	"libvirt",
					      "disk",	"sudo", "wheel" };

#define GROUPS_MAX 4096

static int copy_string(char *to, size_t size, const char *from, struct err *e)
{
	if (strlen(from) >= size)
		return err_set(e, ENAMETOOLONG,
			       "the account's entry in passwd is too long");
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

static int take_passwd(const struct passwd *pw, struct identity *id,
		       struct err *e)
{
	int rc;

	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	rc = copy_string(id->name, sizeof(id->name), pw->pw_name, e);
	if (rc == 0)
		rc = copy_string(id->home, sizeof(id->home), pw->pw_dir, e);
	if (rc == 0)
		rc = copy_string(id->shell, sizeof(id->shell), pw->pw_shell, e);
	return rc;
}

static int from_sudo(const char *sudo_uid, struct identity *id, struct err *e)
{
	const struct passwd *pw;
	uint64_t uid;

	if (!text_to_uint(sudo_uid, 0, UINT32_MAX - 1, &uid))
		return err_set(e, EINVAL,
			       "SUDO_UID is '%s', which is no user id: unset "
			       "it, or name the user with --user",
			       sudo_uid);
	errno = 0;
	pw = getpwuid((uid_t)uid);
	if (!pw)
		return err_set(e, ENOENT,
			       "SUDO_UID %s has no account in passwd: name "
			       "the user with --user",
			       sudo_uid);
	return take_passwd(pw, id, e);
}

static int from_name(const char *user, struct identity *id, struct err *e)
{
	const struct passwd *pw = getpwnam(user);
	uint64_t uid;

	if (!pw && text_to_uint(user, 0, UINT32_MAX - 1, &uid))
		pw = getpwuid((uid_t)uid);
	if (!pw)
		return err_set(e, ENOENT, "--user '%s': no such user", user);
	return take_passwd(pw, id, e);
}

int identity_choose(const char *user, struct identity *ret, struct err *e)
{
	const char *sudo_uid = getenv("SUDO_UID");
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	ret->uid = geteuid();
	ret->gid = getegid();
	if (getuid() != geteuid() || getgid() != getegid())
		return err_set(e, EPERM,
			       "egress-run must not be installed setuid or "
			       "setgid: remove the bit with 'chmod ug-s'");
	if (user)
		rc = from_name(user, ret, e);
	else if (geteuid() == 0 && sudo_uid && strcmp(sudo_uid, "0") != 0)
		rc = from_sudo(sudo_uid, ret, e);
	if (rc < 0)
		return rc;
	if (ret->uid != geteuid() && geteuid() != 0)
		return err_set(e, EPERM,
			       "--user '%s': only root can run a command as "
			       "somebody else; use sudo",
			       user ? user : "");
	if (ret->uid == geteuid() && geteuid() != 0)
		ret->gid = getegid();
	ret->changed = ret->uid != geteuid();
	return 0;
}

static bool is_dropped(gid_t gid)
{
	for (size_t i = 0;
	     i < sizeof(dropped_groups) / sizeof(dropped_groups[0]); i++) {
		const struct group *g = getgrnam(dropped_groups[i]);

		if (g && g->gr_gid == gid)
			return true;
	}
	return false;
}

/* The groups to keep, of the account or of root itself. */
static int collect_groups(const struct identity *id, gid_t **ret, size_t *ret_n,
			  struct err *e)
{
	cleanup_free gid_t *all = calloc(GROUPS_MAX, sizeof(gid_t));
	int n = GROUPS_MAX;
	size_t kept = 0;

	if (!all)
		return err_errno(e, ENOMEM, "groups");
	if (!id->changed)
		n = getgroups(GROUPS_MAX, all);
	else if (getgrouplist(id->name, id->gid, all, &n) < 0)
		n = -1;
	if (n < 0)
		return err_set(e, E2BIG, "cannot read the groups of %s",
			       id->name[0] ? id->name : "the user");
	for (int i = 0; i < n; i++)
		if (!is_dropped(all[i]))
			all[kept++] = all[i];
	*ret = all;
	*ret_n = kept;
	all = NULL;
	return 0;
}

int identity_become(const struct identity *id, struct err *e)
{
	cleanup_free gid_t *groups = NULL;
	size_t n = 0;
	int rc;

	if (geteuid() != 0)
		return 0;
	rc = collect_groups(id, &groups, &n, e);
	if (rc < 0)
		return rc;
	if (is_dropped(id->gid))
		return err_set(e, EPERM,
			       "the primary group of %s is worth root: choose "
			       "another user with --user",
			       id->name);
	/* Root of a container may lack CAP_SETGID: keeping a docker group
	 * would be a hole, so that is an error; without groups it is not. */
	if (setgroups(n, groups) < 0 && getgroups(0, NULL) != 0)
		return err_errno(e, errno, "drop supplementary groups");
	if (!id->changed)
		return 0;
	if (setresgid(id->gid, id->gid, id->gid) < 0 ||
	    setresuid(id->uid, id->uid, id->uid) < 0)
		return err_errno(e, errno, "become user %s", id->name);
	if (id->uid != 0 &&
	    (setuid(0) == 0 || geteuid() != id->uid || getegid() != id->gid))
		return err_set(e, EPERM, "could not give up root for user %s",
			       id->name);
	/* The kernel made the process undumpable and its /proc files root's;
	 * the id maps are written through them. */
	if (prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) < 0)
		return err_errno(e, errno, "prctl(PR_SET_DUMPABLE)");
	return 0;
}

/* Names of places and sockets of the caller's session. */
static int remove_session(void)
{
	char name[256];

	for (size_t i = 0; environ && environ[i];) {
		size_t len = strcspn(environ[i], "=");

		if (strncmp(environ[i], "XDG_", 4) != 0 ||
		    len >= sizeof(name)) {
			i++;
			continue;
		}
		memcpy(name, environ[i], len);
		name[len] = '\0';
		if (unsetenv(name) < 0)
			return -1;
	}
	return unsetenv("DBUS_SESSION_BUS_ADDRESS");
}

int identity_environment(const struct identity *id, struct err *e)
{
	static const char *const removed[] = {
		"HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "SUDO_COMMAND",
		"SUDO_UID",    "SUDO_GID",    "SUDO_USER",   "SUDO_HOME",
	};
	const struct {
		const char *name, *value;
	} account[] = { { "HOME", id->home },
			{ "USER", id->name },
			{ "LOGNAME", id->name },
			{ "SHELL", id->shell } };

	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		if (unsetenv(removed[i]) < 0)
			return err_errno(e, errno, "environment");
	if (id->changed && remove_session() < 0)
		return err_errno(e, errno, "environment");
	for (size_t i = 0;
	     id->changed && i < sizeof(account) / sizeof(account[0]); i++)
		if (setenv(account[i].name, account[i].value, 1) < 0)
			return err_errno(e, errno, "environment");
	return 0;
}
