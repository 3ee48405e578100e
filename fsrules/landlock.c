/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Constants and calls are spelled out: the headers of supported distributions
 * end at ABI 2, their C libraries have no wrappers.
 *
 * Missing corrections (errata) are no reason to stop.  What they widen (a
 * scope that includes threads of another process, a folder that is moved away
 * while it is used) the view and the pid namespace stop as well.
 */
#include "fsrules/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION	 1U
#define CREATE_RULESET_ERRATA	 2U
#define RULE_PATH_BENEATH	 1
#define RESTRICT_LOG_NEW_EXEC_ON 2U

#define FS_EXECUTE	((uint64_t)1 << 0)
#define FS_WRITE_FILE	((uint64_t)1 << 1)
#define FS_READ_FILE	((uint64_t)1 << 2)
#define FS_READ_DIR	((uint64_t)1 << 3)
#define FS_REMOVE_DIR	((uint64_t)1 << 4)
#define FS_REMOVE_FILE	((uint64_t)1 << 5)
#define FS_MAKE_CHAR	((uint64_t)1 << 6)
#define FS_MAKE_DIR	((uint64_t)1 << 7)
#define FS_MAKE_REG	((uint64_t)1 << 8)
#define FS_MAKE_SOCK	((uint64_t)1 << 9)
#define FS_MAKE_FIFO	((uint64_t)1 << 10)
#define FS_MAKE_BLOCK	((uint64_t)1 << 11)
#define FS_MAKE_SYM	((uint64_t)1 << 12)
#define FS_REFER	((uint64_t)1 << 13) /* ABI 2 */
#define FS_TRUNCATE	((uint64_t)1 << 14) /* ABI 3 */
#define FS_IOCTL_DEV	((uint64_t)1 << 15) /* ABI 5 */
#define FS_RESOLVE_UNIX ((uint64_t)1 << 16) /* ABI 9 */

#define NET_BIND_TCP	((uint64_t)1 << 0) /* ABI 4 */
#define NET_CONNECT_TCP ((uint64_t)1 << 1)

#define SCOPE_ABSTRACT_SOCKET ((uint64_t)1 << 0) /* ABI 6 */
#define SCOPE_SIGNAL	      ((uint64_t)1 << 1)

#define ABI_REFER	 2
#define ABI_NET		 4
#define ABI_LOG_NEW_EXEC 7
#define ABI_RESOLVE_UNIX 9

/* Device nodes are made nowhere: the view is mounted nodev. */
#define READ_RIGHTS (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)
#define WRITE_RIGHTS                                                          \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |       \
	 FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER | \
	 FS_TRUNCATE)
/* All that the kernel takes for what is not a folder. */
#define FILE_RIGHTS                                                \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | \
	 FS_IOCTL_DEV | FS_RESOLVE_UNIX)

struct ruleset_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* The kernel's is packed. */
struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
			   CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

int landlock_errata(void)
{
	long errata = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
			      CREATE_RULESET_ERRATA);

	return errata < 0 ? -errno : (int)errata;
}

const char *landlock_lack(int abi)
{
	if (abi == -ENOSYS)
		return "this kernel is built without Landlock; run a kernel "
		       "that has it, Linux 5.19 or later";
	if (abi == -EOPNOTSUPP)
		return "Landlock is built but not enabled; add landlock to "
		       "the kernel's parameter lsm=";
	if (abi < 0)
		return "Landlock is forbidden here, as by the seccomp filter "
		       "of a container; start the container with "
		       "'--security-opt seccomp=unconfined'";
	if (abi < ABI_REFER)
		return "this kernel's Landlock (ABI 1) forbids every rename "
		       "between folders and is not used for the command; run "
		       "Linux 5.19 or later";
	return NULL;
}

bool landlock_holds_sockets(int abi)
{
	return abi >= ABI_RESOLVE_UNIX;
}

/* What each version of the interface added; a right that is not handled is not
 * restricted. */
static struct ruleset_attr rights_of(int abi)
{
	static const struct {
		int abi;
		struct ruleset_attr adds;
	} table[] = {
		{ 1,
		  { READ_RIGHTS | (WRITE_RIGHTS & ~(FS_REFER | FS_TRUNCATE)) |
			    FS_MAKE_CHAR | FS_MAKE_BLOCK,
		    0, 0 } },
		{ 2, { FS_REFER, 0, 0 } },
		{ 3, { FS_TRUNCATE, 0, 0 } },
		{ 4, { 0, NET_BIND_TCP | NET_CONNECT_TCP, 0 } },
		{ 5, { FS_IOCTL_DEV, 0, 0 } },
		{ 6, { 0, 0, SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL } },
		{ ABI_RESOLVE_UNIX, { FS_RESOLVE_UNIX, 0, 0 } },
	};
	struct ruleset_attr all = { 0 };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].abi > abi)
			break;
		all.fs |= table[i].adds.fs;
		all.net |= table[i].adds.net;
		all.scoped |= table[i].adds.scoped;
	}
	return all;
}

static uint64_t rights_of_rule(const struct view_rule *r)
{
	uint64_t rights = 0;

	if (r->list_only)
		rights |= FS_READ_DIR;
	if (r->access & ACCESS_READ)
		rights |= READ_RIGHTS;
	if (r->access & ACCESS_WRITE)
		rights |= WRITE_RIGHTS;
	if (r->access & (ACCESS_CONNECT | ACCESS_BIND))
		rights |= FS_RESOLVE_UNIX;
	if (r->access & ACCESS_BIND)
		rights |= FS_MAKE_SOCK | FS_REMOVE_FILE;
	if (r->device)
		rights |= FS_IOCTL_DEV;
	return rights;
}

static int create_ruleset(const struct ruleset_attr *attr, struct err *e)
{
	long fd = syscall(SYS_landlock_create_ruleset, attr, sizeof(*attr), 0U);

	if (fd < 0)
		return err_errno(e, errno, "create a Landlock ruleset");
	return (int)fd;
}

/* No rule is the same as no access: what is not there, or cannot be reached
 * with the user's rights, gets none.  That of a link is the link's own, worth
 * nothing.  EBADFD: a namespace that is mounted on a file. */
static int add_path(int ruleset, const char *path, uint64_t rights,
		    struct err *e)
{
	struct path_beneath rule;
	struct stat st;
	cleanup_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == EACCES ||
		    errno == ELOOP)
			return 0;
		return err_errno(e, errno, "open %s for Landlock", path);
	}
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		rights &= FILE_RIGHTS;
	if (rights == 0)
		return 0;
	rule = (struct path_beneath) { .allowed = rights, .parent_fd = fd };
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule,
		    0U) < 0 &&
	    errno != EBADFD)
		return err_errno(e, errno, "add a Landlock rule for %s", path);
	return 0;
}

static int restrict_self(int ruleset, int abi, struct err *e)
{
	/* Where the kernel's audit is on, it names what was refused. */
	unsigned flags = abi >= ABI_LOG_NEW_EXEC ? RESTRICT_LOG_NEW_EXEC_ON : 0;

	if (syscall(SYS_landlock_restrict_self, ruleset, flags) == 0)
		return 0;
	if (errno == E2BIG)
		return err_set(e, E2BIG,
			       "cannot restrict files with Landlock: this "
			       "process is inside too many sandboxes already");
	return err_errno(e, errno, "restrict files with Landlock");
}

int landlock_restrict(const struct view_rule *rules, size_t n, int *ret_abi,
		      struct err *e)
{
	int abi = landlock_abi();
	struct ruleset_attr attr = rights_of(abi);
	cleanup_fd int ruleset = -1;
	int rc = 0;

	if (ret_abi)
		*ret_abi = abi < ABI_REFER ? 0 : abi;
	if (abi < ABI_REFER)
		return 0;
	attr.net = 0;
	ruleset = create_ruleset(&attr, e);
	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_path(ruleset, rules[i].path,
			      rights_of_rule(&rules[i]) & attr.fs, e);
	return rc < 0 ? rc : restrict_self(ruleset, abi, e);
}

int landlock_restrict_helper(int *ret_abi, struct err *e)
{
	int abi = landlock_abi();
	struct ruleset_attr attr = rights_of(abi);
	cleanup_fd int ruleset = -1;

	if (ret_abi)
		*ret_abi = abi < 0 ? 0 : abi;
	if (abi <= 0)
		return 0;
	ruleset = create_ruleset(&attr, e);
	return ruleset < 0 ? ruleset : restrict_self(ruleset, abi, e);
}
