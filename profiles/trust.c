/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/trust.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOBODY	    65534
#define LINKS_MAX   40 /* as the kernel */
#define ACCOUNT_BUF 4096
#define QUOTED_MAX  (PATH_MAX + 2)

struct walk {
	const char *file;	 /* what the caller named */
	const struct stat *st;	 /* of the open file */
	struct stat folder;	 /* of ->done */
	unsigned links;		 /* followed so far */
	char done[PATH_MAX];	 /* resolved, without a slash at the end */
	char rest[2 * PATH_MAX]; /* still to be resolved */
};

/* What is looked at, for the messages. */
enum thing { THING_FILE, THING_FOLDER, THING_LINK };

bool trust_owner(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* As a shell would take it, so that the command can be copied. */
static const char *quoted(const char *path, char *buf, size_t size)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789/._-+,:@%";

	if (path[strspn(path, plain)] == '\0' || strchr(path, '\''))
		return path;
	return snprintf(buf, size, "'%s'", path) < (int)size ? buf : path;
}

/* Distributions give each user a group of his own and a umask of 0002, so
 * that files writable by that group are writable by nobody else. */
static bool is_private_group(gid_t gid)
{
	char user_buf[ACCOUNT_BUF];
	char group_buf[ACCOUNT_BUF];
	struct passwd pw;
	struct passwd *user = NULL;
	struct group gr;
	struct group *group = NULL;

	if (gid != getegid() ||
	    getpwuid_r(geteuid(), &pw, user_buf, sizeof(user_buf), &user) ||
	    getgrgid_r(gid, &gr, group_buf, sizeof(group_buf), &group))
		return false;
	if (!user || !group || strcmp(user->pw_name, group->gr_name) != 0)
		return false;
	for (char **m = group->gr_mem; *m; m++)
		if (strcmp(*m, user->pw_name) != 0)
			return false;
	return true;
}

static int refuse_owner(const struct walk *w, const char *path,
			enum thing thing, uid_t owner, struct err *e)
{
	static const char *const what[] = {
		[THING_FILE] = "it",
		[THING_FOLDER] = "the folder",
		[THING_LINK] = "the link",
	};
	const char *me = geteuid() == 0 ? "root" : "you or root";
	char buf[QUOTED_MAX];

	return err_set(e, EPERM,
		       "profile %s: %s%s%s belongs to uid %u, not to %s, and a "
		       "profile gives rights; mend it with: sudo chown %s%u %s",
		       w->file, what[thing], thing == THING_FILE ? "" : " ",
		       thing == THING_FILE ? "" : path, owner, me,
		       thing == THING_LINK ? "-h " : "", geteuid(),
		       quoted(path, buf, sizeof(buf)));
}

static int refuse_mode(const struct walk *w, const char *path, enum thing thing,
		       struct err *e)
{
	char buf[QUOTED_MAX];

	if (thing == THING_FILE)
		return err_set(
			e, EPERM,
			"profile %s: other users may write to it, and a "
			"profile gives rights; mend it with: chmod go-w %s",
			w->file, quoted(path, buf, sizeof(buf)));
	return err_set(e, EPERM,
		       "profile %s: other users may write to the folder %s "
		       "and so replace it, and a profile gives rights; mend "
		       "it with: chmod go-w %s",
		       w->file, path, quoted(path, buf, sizeof(buf)));
}

static int check_node(const struct walk *w, const char *path, enum thing thing,
		      const struct stat *st, struct err *e)
{
	mode_t others = 0;

	if (!trust_owner(st->st_uid))
		return refuse_owner(w, path, thing, st->st_uid, e);
	if (thing != THING_LINK)
		others = st->st_mode & (S_IWGRP | S_IWOTH);
	/* In a sticky folder only the owner replaces a thing, and the owner
	 * of each is looked at. */
	if (thing == THING_FOLDER && (st->st_mode & S_ISVTX))
		others = 0;
	if ((others & S_IWOTH) ||
	    ((others & S_IWGRP) && !is_private_group(st->st_gid)))
		return refuse_mode(w, path, thing, e);
	return 0;
}

/* That of a file or a link. */
static int check_folder(const struct walk *w, struct err *e)
{
	return check_node(w, w->done[0] ? w->done : "/", THING_FOLDER,
			  &w->folder, e);
}

/* A folder that only leads to the file.  In one that others may write to they
 * could put another folder of ours into the place.  /tmp is sticky wherever
 * anything is to be trusted at all, so it is not asked.  In a user namespace
 * the root of the machine may be nobody. */
static int check_on_the_way(const struct walk *w, struct err *e)
{
	static const char *const shared[] = { "/tmp", "/var/tmp" };
	const struct stat *st = &w->folder;

	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (strcmp(w->done, shared[i]) == 0 && st->st_uid == 0)
			return 0;
	if (st->st_uid == NOBODY && !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return check_folder(w, e);
}

static int look_at_folder(struct walk *w, struct err *e)
{
	const char *path = w->done[0] ? w->done : "/";

	if (stat(path, &w->folder) < 0)
		return err_errno(e, errno, "profile %s: %s", w->file, path);
	return 0;
}

/* Puts the target of the link in front of what is still to be resolved. */
static int follow(struct walk *w, const char *path, struct err *e)
{
	char behind[sizeof(w->rest)];
	char target[PATH_MAX];
	ssize_t n;
	int len;

	if (++w->links > LINKS_MAX)
		return err_errno(e, ELOOP, "profile %s", w->file);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return err_errno(e, errno, "profile %s: link %s", w->file,
				 path);
	target[n] = '\0';
	memcpy(behind, w->rest, sizeof(behind));
	len = snprintf(w->rest, sizeof(w->rest), "%s/%s", target, behind);
	if (len < 0 || (size_t)len >= sizeof(w->rest))
		return err_errno(e, ENAMETOOLONG, "profile %s", w->file);
	if (target[0] != '/')
		return 0;
	w->done[0] = '\0';
	return look_at_folder(w, e);
}

/* Takes the next component off ->rest; false at the end. */
static bool next_name(struct walk *w, char name[static NAME_MAX + 1])
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");

	if (len == 0)
		return false;
	/* The kernel would not have opened a longer one. */
	if (len > NAME_MAX)
		len = NAME_MAX;
	memcpy(name, from, len);
	name[len] = '\0';
	memmove(w->rest, from + len, strlen(from + len) + 1);
	return true;
}

static int check_last(struct walk *w, const char *path, const struct stat *st,
		      struct err *e)
{
	char name[NAME_MAX + 1];

	if (next_name(w, name) || st->st_dev != w->st->st_dev ||
	    st->st_ino != w->st->st_ino)
		return err_set(e, EAGAIN,
			       "profile %s was replaced while it was read; "
			       "try again",
			       w->file);
	if (check_folder(w, e) < 0)
		return -EPERM;
	return check_node(w, path, THING_FILE, w->st, e);
}

/* One component.  *ret_end: it was the file. */
static int step(struct walk *w, const char *name, bool *ret_end, struct err *e)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct stat st;
	int rc;

	*ret_end = false;
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		char *slash = strrchr(w->done, '/');

		if (slash)
			*slash = '\0';
		return look_at_folder(w, e);
	}
	(void)snprintf(path, sizeof(path), "%s/%s", w->done, name);
	if (lstat(path, &st) < 0)
		return err_errno(e, errno, "profile %s: %s", w->file, path);
	if (S_ISLNK(st.st_mode)) {
		rc = check_folder(w, e);
		if (rc == 0)
			rc = check_node(w, path, THING_LINK, &st, e);
		return rc ? rc : follow(w, path, e);
	}
	if (!S_ISDIR(st.st_mode)) {
		*ret_end = true;
		return check_last(w, path, &st, e);
	}
	if (strlen(path) >= sizeof(w->done))
		return err_errno(e, ENAMETOOLONG, "profile %s", w->file);
	rc = check_on_the_way(w, e);
	memcpy(w->done, path, strlen(path) + 1);
	w->folder = st;
	return rc;
}

int trust_check(const char *path, const struct stat *st, struct err *e)
{
	struct walk w = { .file = path, .st = st };
	char here[PATH_MAX] = "";
	char name[NAME_MAX + 1];
	bool end = false;
	int rc;

	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		return err_errno(e, errno, "profile %s: current folder", path);
	rc = snprintf(w.rest, sizeof(w.rest), "%s/%s", here, path);
	if (rc < 0 || (size_t)rc >= sizeof(w.rest))
		return err_errno(e, ENAMETOOLONG, "profile %s", path);
	rc = look_at_folder(&w, e);
	while (rc == 0 && !end && next_name(&w, name))
		rc = step(&w, name, &end, e);
	if (rc == 0 && !end)
		rc = err_set(e, EAGAIN,
			     "profile %s was replaced while it was read; try "
			     "again",
			     path);
	return rc;
}
