/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A granted folder may hold another root (a chroot, a container) with the
 * host's /proc or /sys mounted in it.  They show the host's processes, and to
 * the user id 0 they are switches of the kernel: hidden, unless granted by
 * name.  So are sockets that are mounted there one by one, as into containers:
 * they belong to another network namespace, whose list nobody here can see.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "fsrules/viewplan.h"
#include "profiles/paths.h"

static bool is_kernel_type(const char *type)
{
	static const char *const types[] = {
		"proc",	   "sysfs",	  "cgroup",	"cgroup2",   "debugfs",
		"tracefs", "configfs",	  "securityfs", "selinuxfs", "efivarfs",
		"bpf",	   "pstore",	  "fusectl",	"devtmpfs",  "devpts",
		"mqueue",  "binfmt_misc",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

static bool is_granted_above(const struct planning *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->marks[i].kind == MARK_GRANT &&
		    path_covers(w->marks[i].path, path))
			return true;
	return false;
}

/* "\040" and the like, in place. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++, out++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] &&
		    p[3]) {
			*out = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 +
				      (p[3] - '0'));
			p += 3;
		} else {
			*out = *p;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 /root /mount/point options - type source options" */
static int add_line(struct planning *w, char *line)
{
	struct mark m = { .kind = MARK_DENIAL };
	char *type = strstr(line, " - ");
	char *at = line;
	struct stat st;

	for (int i = 0; at && i < 4; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at || !type || type <= at)
		return 0;
	type += 3;
	type[strcspn(type, " ")] = '\0';
	at[strcspn(at, " ")] = '\0';
	unescape(at);
	if (planning_private(w, at) || !is_granted_above(w, at) ||
	    lstat(at, &st) < 0 ||
	    (!is_kernel_type(type) && !S_ISSOCK(st.st_mode)))
		return 0;
	m.path = arena_strdup(w->arena, at);
	m.directory = S_ISDIR(st.st_mode);
	return m.path ? planning_mark(w, &m) : planning_no_memory(w);
}

int planning_foreign(struct planning *w)
{
	static const char path[] = "/proc/self/mountinfo";
	FILE *f = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (!f)
		return err_errno(w->e, errno, "read %s", path);
	while (rc == 0 && getline(&line, &size, f) >= 0)
		rc = add_line(w, line);
	if (rc == 0 && ferror(f))
		rc = err_errno(w->e, EIO, "read %s", path);
	(void)fclose(f);
	return rc;
}
