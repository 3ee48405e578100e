/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions, versions, and what is read from os-release. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/when.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct system_id fedora = {
	.id = "fedora",
	.id_like = "rhel centos",
	.version_id = "43",
	.variant_id = "workstation",
};
static const struct system_id ubuntu = {
	.id = "ubuntu",
	.id_like = "debian",
	.version_id = "24.04",
};
static const struct system_id nameless = { .id = "" };

static void test_holds(void **state)
{
	static const struct {
		const char *condition;
		const struct system_id *os;
		bool holds;
	} cases[] = {
		{ "linux", &fedora, true },
		{ "linux:fedora", &fedora, true },
		{ "linux:rhel-like", &fedora, true },
		{ "linux:fedora:>=42", &fedora, true },
		{ "linux:fedora:43:workstation", &fedora, true },
		{ "linux:ubuntu", &fedora, false },
		{ "!macos", &fedora, true },
		{ "macos", &fedora, false },
		{ "linux:fedora:>=43", &fedora, true },
		{ "freebsd", &fedora, false },

		{ "!linux", &fedora, false },
		{ "!freebsd", &fedora, true },
		{ "!linux:ubuntu", &fedora, true },
		{ "!linux:fedora:>=43", &fedora, false },
		{ " linux\t", &fedora, true },
		{ " !macos ", &fedora, true },
		{ "Linux", &fedora, false },
		{ "linux:Fedora", &fedora, false },
		{ "linux:fedora-like", &fedora, true },
		{ "linux:centos-like", &fedora, true },
		{ "linux:cent-like", &fedora, false },
		{ "linux:rhel", &fedora, false },
		{ "linux:-like", &fedora, false },
		{ "linux:fed", &fedora, false },
		{ "linux:fedora:43", &fedora, true },
		{ "linux:fedora:==43", &fedora, true },
		{ "linux:fedora:42", &fedora, false },
		{ "linux:fedora:>43", &fedora, false },
		{ "linux:fedora:>42", &fedora, true },
		{ "linux:fedora:<43", &fedora, false },
		{ "linux:fedora:<44", &fedora, true },
		{ "linux:fedora:<=43", &fedora, true },
		{ "linux:fedora:<=42", &fedora, false },
		{ "linux:fedora:>=43.1", &fedora, false },
		{ "linux:fedora:43:server", &fedora, false },
		{ "linux:fedora:42:workstation", &fedora, false },
		{ "linux:rhel-like:>=42:workstation", &fedora, true },
		{ "linux:debian-like:24.04", &ubuntu, true },
		{ "linux:ubuntu:24.4", &ubuntu, true },
		{ "linux:ubuntu:>=24.04:server", &ubuntu, false },
		{ "linux", &nameless, true },
		{ "linux:x", &nameless, false },
		{ "linux:x-like", &nameless, false },
		{ "linux:x:<1", &nameless, false },
		{ "macos:15", &fedora, false },
		{ "macos:>=15.2", &fedora, false },
		{ "!macos:>=15.2", &fedora, true },
		{ "windows", &fedora, false },
		{ "windows:>=10", &fedora, false },
		{ "windows:>=10:22000", &fedora, false },
		{ "freebsd:x:y:z", &fedora, false },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		bool holds = !cases[i].holds;
		struct err e = { 0 };

		if (when_holds(cases[i].condition, cases[i].os, &holds, &e))
			fail_msg("%s", e.msg);
		if (holds != cases[i].holds)
			fail_msg("%s on %s", cases[i].condition,
				 cases[i].os->id);
	}
}

/* A version of a system that does not tell its own never holds. */
static void test_no_version(void **state)
{
	static const char *const cases[] = {
		"linux:arch:1",	 "linux:arch:>=1", "linux:arch:<=1",
		"linux:arch:>1", "linux:arch:<1",
	};
	struct system_id arch = { .id = "arch" };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		bool holds = true;

		assert_int_equal(when_holds(cases[i], &arch, &holds, NULL), 0);
		assert_false(holds);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *condition;
		const char *says;
	} cases[] = {
		{ "", "condition '' is empty; leave `when` out" },
		{ " ", "is empty" },
		{ "!", "condition '!' is empty" },
		{ "linux:fedora:~=43",
		  "condition 'linux:fedora:~=43': '~=43' is no version with "
		  "==, >=, <=, > or < in front; conditions look like linux, "
		  "linux:debian" },
		{ "linux:fedora:!=43", "'!=43' is no version" },
		{ "linux:fedora:=43", "'=43' is no version" },
		{ "linux:fedora:=>43", "'=>43' is no version" },
		{ "linux:fedora:>>43", "'>>43' is no version" },
		{ "linux:fedora:===43", "'===43' is no version" },
		{ "linux:fedora:>= 43", "'>= 43' is no version" },
		{ "linux:fedora:^43", "'^43' is no version" },
		{ "linux:fedora:-1", "'-1' is no version" },
		{ "linux:fedora:.1", "'.1' is no version" },
		{ "linux:fedora:>=", "'>=' has no version" },
		{ "linux:fedora:==", "'==' has no version" },
		{ "linux:fedora:>", "'>' has no version" },
		/* On any system, and wherever the rest is false. */
		{ "linux:ubuntu:~=43", "'~=43' is no version" },
		{ "linux:ubuntu:1:a b", "'a b' has a character other than" },
		{ "macos:~=15", "'~=15' is no version" },
		{ "windows:10:~1", "'~1' is no version" },
		{ "!linux:fedora:~=43", "'~=43' is no version" },
		{ "linux:", "'linux:' has an empty part" },
		{ ":linux", "has an empty part" },
		{ ":", "has an empty part" },
		{ "linux::43", "'linux::43' has an empty part" },
		{ "linux:fedora:43:", "has an empty part" },
		{ "linux:fedora:43:workstation:x", "'x' is a part too many" },
		{ "linux:fedora:43:workstation:", "has an empty part" },
		{ "macos:15:1", "'1' is a part too many" },
		{ "windows:10:1:2", "'2' is a part too many" },
		{ "freebsd:a:b:c:d", "'d' is a part too many" },
		{ "!!linux", "'!linux' has a character other than" },
		{ "! linux", "' linux' has a character other than" },
		{ "linux:!fedora", "'!fedora' has a character" },
		{ "linux: fedora", "' fedora' has a character" },
		{ "linux,macos", "'linux,macos' has a character" },
		{ "linux||macos", "has a character" },
		{ "f\xc3\xbc", "has a character" },
		{ "freebsd:>=14", "'>=14' has a character" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct err e = { 0 };
		bool holds;
		int rc = when_holds(cases[i].condition, &fedora, &holds, &e);

		if (rc != -EINVAL || e.code != EINVAL)
			fail_msg("accepted: %s", cases[i].condition);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].condition, e.msg);
		assert_int_equal(
			when_holds(cases[i].condition, &fedora, &holds, NULL),
			-EINVAL);
	}
}

static void test_long_condition(void **state)
{
	char text[4000] = "linux:fedora:";
	struct err e = { 0 };
	bool holds;

	(void)state;
	memset(text + 13, '1', sizeof(text) - 14);
	assert_int_equal(when_holds(text, &fedora, &holds, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "the version is longer than 127 bytes"));
	memset(text, '~', sizeof(text) - 1);
	assert_int_equal(when_holds(text, &fedora, &holds, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "conditions look like"));
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void test_versions(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		int sign;
	} cases[] = {
		{ "24.10", "24.4", 1 },
		{ "24", "24.04", -1 },
		{ "unstable", "25.05", -1 },
		{ "unstable", "unstable", 0 },

		{ "24.4", "24.10", -1 },
		{ "24.04", "24", 1 },
		{ "24.04", "24.4", 0 },
		{ "25.05", "unstable", -1 },
		{ "a", "b", -1 },
		{ "b", "a", -1 },
		{ "1.a.2", "1.a.1", 1 },
		{ "1.a", "1.a.0", -1 },
		{ "1", "1.", -1 },
		{ "1.2.3", "1.2.3", 0 },
		{ "18446744073709551615", "18446744073709551614", 1 },
		{ "18446744073709551616", "1", -1 },
		{ "1", "18446744073709551616", -1 },
		{ "99999999999999999999999999", "99999999999999999999999999",
		  0 },
		{ "", "", 0 },
		{ "", "1", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		if (sign(version_compare(cases[i].a, cases[i].b)) !=
		    cases[i].sign)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
}

static void test_os_release(void **state)
{
	struct system_id os;

	(void)state;
	system_id_parse("NAME=\"Fedora Linux\"\n"
			"# ID=comment\n"
			"ID=fedora\n"
			"ID_LIKE=\"rhel centos\"\r\n"
			"  VERSION_ID='43'  \n"
			"\n"
			"no assignment\n"
			"VERSION_IDS=44\n"
			"VARIANT_ID=work\\station",
			&os);
	assert_string_equal(os.id, "fedora");
	assert_string_equal(os.id_like, "rhel centos");
	assert_string_equal(os.version_id, "43");
	assert_string_equal(os.variant_id, "workstation");

	/* The later one counts, as in a shell. */
	system_id_parse("ID=a\nID=\"b\\\"\\$\\\\\"\nVERSION_ID='\\1'\n"
			"ID_LIKE=\"\"\nVARIANT_ID=\"x",
			&os);
	assert_string_equal(os.id, "b\"$\\");
	assert_string_equal(os.version_id, "\\1");
	assert_string_equal(os.id_like, "");
	assert_string_equal(os.variant_id, "\"x");

	system_id_parse("", &os);
	assert_memory_equal(&os, &nameless, sizeof(os));
	system_id_parse("ID=\nVERSION_ID==\n=x\n\"\n", &os);
	assert_string_equal(os.id, "");
	assert_string_equal(os.version_id, "=");
}

/* Too long to hold: unknown, not cut. */
static void test_os_release_long(void **state)
{
	char text[SYSTEM_ID_MAX + 8] = "ID=";
	struct system_id os;

	(void)state;
	memset(text + 3, 'x', SYSTEM_ID_MAX - 1);
	system_id_parse(text, &os);
	assert_int_equal(strlen(os.id), SYSTEM_ID_MAX - 1);
	memset(text + 3, 'x', SYSTEM_ID_MAX);
	system_id_parse(text, &os);
	assert_string_equal(os.id, "");
}

/* The file of this very system, if it has one. */
static void test_os_release_here(void **state)
{
	FILE *f = fopen("/etc/os-release", "re");
	char text[8192] = "";
	struct system_id want;
	struct system_id os;

	(void)state;
	if (!f)
		f = fopen("/usr/lib/os-release", "re");
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		(void)fclose(f);
	}
	system_id_parse(text, &want);
	system_id_read(&os);
	assert_memory_equal(&os, &want, sizeof(os));
	if (strstr(text, "\nID="))
		assert_string_not_equal(os.id, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_no_version),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_condition),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_os_release),
		cmocka_unit_test(test_os_release_long),
		cmocka_unit_test(test_os_release_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
