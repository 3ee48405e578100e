/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities and keys, in user and network namespaces of the test's own. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/keyctl.h>

#include "forked.h"
#include "ns.h"

#include "launcher/privileges.h"

/* A field of /proc/self/status, as a number of base 16; read by a program, so
 * that it is what the command has. */
static unsigned long long after_exec(const char *field)
{
	char out[8192];
	const char *const argv[] = { "cat", "/proc/self/status", NULL };
	const char *p;

	CHECK(ns_run(out, sizeof(out), argv) == 0);
	p = strstr(out, field);
	CHECK(p);
	return strtoull(p + strlen(field), NULL, 16);
}

/* A namespace as the command's: uid is the one inside. */
static void enter(uid_t uid)
{
	char map[32];
	uid_t own = geteuid();
	gid_t gid = getegid();

	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0);
	CHECK(ns_write_file("/proc/self/setgroups", "deny"));
	(void)snprintf(map, sizeof(map), "%u %u 1", uid, own);
	CHECK(ns_write_file("/proc/self/uid_map", map));
	(void)snprintf(map, sizeof(map), "%u %u 1", uid, gid);
	CHECK(ns_write_file("/proc/self/gid_map", map));
}

static void dropped(void *arg)
{
	static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:",
					    "CapBnd:", "CapAmb:" };
	const uid_t *uid = arg;
	struct err e = { 0 };

	enter(*uid);
	CHECK(privileges_drop(&e) == 0);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		CHECK(after_exec(sets[i]) == 0);
	CHECK(after_exec("NoNewPrivs:") == 1);
}

static void kept(void *arg)
{
	static const int gone[] = { CAP_SYS_ADMIN,
				    CAP_SYS_PTRACE,
				    CAP_SETFCAP,
				    CAP_SYS_MODULE,
				    CAP_SYS_RAWIO,
				    CAP_SYS_BOOT,
				    CAP_SYS_TIME,
				    CAP_SYSLOG,
				    CAP_MAC_ADMIN,
				    CAP_MAC_OVERRIDE,
				    CAP_AUDIT_CONTROL,
				    CAP_AUDIT_READ,
				    CAP_AUDIT_WRITE,
				    38,
				    39,
				    40 };
	static const int there[] = { CAP_NET_ADMIN,	   CAP_NET_RAW,
				     CAP_NET_BIND_SERVICE, CAP_CHOWN,
				     CAP_SETUID,	   CAP_KILL };
	static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:",
					    "CapBnd:", "CapAmb:" };
	const uid_t *uid = arg;
	struct err e = { 0 };
	char out[4096];

	enter(*uid);
	CHECK(privileges_keep_namespace(&e) == 0);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		unsigned long long set = after_exec(sets[i]);

		for (size_t k = 0; k < sizeof(gone) / sizeof(gone[0]); k++)
			CHECK(!(set >> gone[k] & 1));
		for (size_t k = 0; k < sizeof(there) / sizeof(there[0]); k++)
			CHECK(set >> there[k] & 1);
	}
	CHECK(after_exec("NoNewPrivs:") == 1);
	/* Locked. */
	CHECK_FAILS(EPERM, prctl(PR_SET_SECUREBITS, 0L, 0L, 0L, 0L));
	CHECK_FAILS(EPERM, prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_RAISE,
				 (long)CAP_NET_ADMIN, 0L, 0L));
	CHECK_FAILS(EPERM, umount2("/proc", MNT_DETACH));
	CHECK(ns_shell(out, sizeof(out), "ip link set lo up") == 0);
	CHECK(ns_shell(out, sizeof(out), "ip addr add 192.0.2.7/24 dev lo") ==
	      0);
	CHECK(ns_shell(out, sizeof(out), "nft add table inet mine") == 0);
	CHECK(ns_shell(out, sizeof(out), "nft list ruleset") == 0);
	CHECK(strstr(out, "table inet mine"));
}

static bool has_namespaces(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(ns_enter() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static void with_uids(forked_fn *fn)
{
	uid_t uids[] = { 0, 1000 };

	if (!has_namespaces() || !forked_has_userns())
		skip();
	for (size_t i = 0; i < 2; i++)
		forked(fn, &uids[i]);
}

static void test_drop(void **state)
{
	(void)state;
	with_uids(dropped);
}

static void test_keep_namespace(void **state)
{
	(void)state;
	with_uids(kept);
}

static long keyctl_search(const char *name)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING,
		       "user", name, 0);
}

static void keyring(void *arg)
{
	static const char name[] = "egress-run-test";
	struct err e = { 0 };

	(void)arg;
	/* The caller's, with a secret in it. */
	CHECK(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) > 0);
	CHECK(syscall(SYS_add_key, "user", name, "secret", 6L,
		      KEY_SPEC_SESSION_KEYRING) > 0);
	CHECK(keyctl_search(name) > 0);
	CHECK(privileges_new_keyring(&e) == 0);
	CHECK_FAILS(ENOKEY, keyctl_search(name));
}

static void test_keyring(void **state)
{
	(void)state;
	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING,
		    0) < 0 &&
	    (errno == ENOSYS || errno == EPERM))
		skip();
	forked(keyring, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_keep_namespace),
		cmocka_unit_test(test_keyring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
