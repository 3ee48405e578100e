/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the network keys of a profile to the compiled policy: groups, files,
 * places in errors, contradictions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/netpolicy.h"
#include "profiles/networks.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* What the shipped data looks like. */
static const char networks_json[] =
	"{\"groups\":{\"github\":[\"github.com\",\"*.github.com\"],"
	"\"llm_apis\":[\"api.openai.com\"],\"azure\":[\"*.azure.com\"]},"
	"\"profiles\":{\"minimal\":[\"llm_apis\"],"
	"\"developer\":[\"llm_apis\",\"github\"]}}";

struct desk {
	struct arena arena;
	struct library library;
	struct vars vars;
	struct profile *p;
	struct netpolicy policy;
	struct err e;
	char dir[64];
};

static void write_file(const struct desk *d, const char *name, const char *text,
		       size_t len)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", d->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
	static char *const no_environment[] = { NULL };
	struct desk *d = calloc(1, sizeof(*d));
	char path[128];

	if (!d)
		return -1;
	*state = d;
	(void)snprintf(d->dir, sizeof(d->dir),
		       "/var/tmp/egress-run-test.XXXXXX");
	if (!mkdtemp(d->dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/policy", d->dir);
	if (mkdir(path, 0700) < 0)
		return -1;
	write_file(d, "policy/networks.json", networks_json,
		   sizeof(networks_json) - 1);
	(void)snprintf(d->library.dir[LIBRARY_SHIPPED], PATH_MAX, "%s", d->dir);
	d->vars = (struct vars) { .home = d->dir,
				  .workdir = "/",
				  .uid = getuid(),
				  .environ = no_environment };
	d->p = profile_new(&d->arena);
	return d->p ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "names", "policy/networks.json" };
	struct desk *d = *state;
	char path[256];

	for (size_t i = 0; i < N(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", d->dir, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/policy", d->dir);
	(void)rmdir(path);
	(void)rmdir(d->dir);
	netpolicy_done(&d->policy);
	arena_free(&d->arena);
	free(d);
	return 0;
}

/* Appends an entry; line 0 is a flag. */
static struct entry *set(struct desk *d, enum profile_key key, const char *text,
			 unsigned line)
{
	struct field *f = &d->p->field[key];
	struct entry item = { .text = text };

	item.from.line = line;
	item.from.column = line ? 7 : 0;
	item.from.file =
		line ? arena_printf(&d->arena, "%s/p.json", d->dir) : "--flag";
	f->from = item.from;
	assert_int_equal(profile_append(&d->arena, f, &item), 0);
	return &f->items[f->n - 1];
}

static void compile(struct desk *d, bool open)
{
	netpolicy_done(&d->policy);
	if (netpolicy_compile(&d->library, d->p, &d->vars, open, &d->arena,
			      &d->policy, &d->e) < 0)
		fail_msg("%s", d->e.msg);
}

/* It fails, with all of these words. */
static void refuse(struct desk *d, const char *const *words)
{
	int rc = netpolicy_compile(&d->library, d->p, &d->vars, false,
				   &d->arena, &d->policy, &d->e);

	assert_true(rc < 0);
	assert_int_equal(rc, -d->e.code);
	assert_null(d->policy.allow);
	for (; *words; words++)
		if (!strstr(d->e.msg, *words))
			fail_msg("no '%s' in: %s", *words, d->e.msg);
}

#define WORDS(...) ((const char *const[]) { __VA_ARGS__, NULL })

static bool allows(const struct desk *d, const char *name)
{
	struct allow_ports ports;

	return allowlist_match(d->policy.allow, name, &ports);
}

static bool opens(const struct desk *d, const char *text, uint16_t port)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return allowlist_match_address(d->policy.allow, &a, port) != NULL;
}

static void test_nothing(void **state)
{
	struct desk *d = *state;

	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_NOTHING);
	assert_false(allows(d, "github.com"));
	/* [], null and denials open nothing. */
	d->p->field[KEY_NET_ALLOW_DOMAIN].state = FIELD_SET;
	d->p->field[KEY_NET_PROFILE].state = FIELD_NULL;
	(void)set(d, KEY_NET_DENY_DOMAIN, "x.test", 3);
	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_NOTHING);
	assert_false(allows(d, "github.com"));
}

static void test_blocked(void **state)
{
	struct desk *d = *state;

	(void)set(d, KEY_NET_BLOCK, "true", 3);
	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_BLOCKED);
	assert_int_equal(allowlist_n_domains(d->policy.allow), 0);
	/* --allow-net does not open what the profile blocks. */
	netpolicy_done(&d->policy);
	assert_int_equal(netpolicy_compile(&d->library, d->p, &d->vars, true,
					   &d->arena, &d->policy, &d->e),
			 -EINVAL);
	assert_null(d->policy.allow);
	assert_non_null(strstr(d->e.msg, "network.block and --allow-net "
					 "contradict"));
	assert_non_null(strstr(d->e.msg, "p.json:3:7"));
	d->p->field[KEY_NET_BLOCK].items[0].text = "false";
	compile(d, true);
	assert_int_equal(d->policy.kind, NETPOLICY_OPEN);
}

static void test_open(void **state)
{
	struct desk *d = *state;

	(void)set(d, KEY_NET_ALLOW_DOMAIN, "x.test", 3);
	(void)set(d, KEY_NET_DENY_DOMAIN, "*.evil.test", 4);
	(void)set(d, KEY_NET_DENY_DOMAIN, "203.0.113.0/24", 5);
	(void)set(d, KEY_NET_DENY_DOMAIN, "azure", 6);
	compile(d, true);
	assert_int_equal(d->policy.kind, NETPOLICY_OPEN);
	assert_true(allows(d, "any.example"));
	assert_true(opens(d, "192.0.2.1", 1));
	assert_true(opens(d, "2001:db8::1", 1));
	assert_false(allows(d, "a.evil.test"));
	assert_false(allows(d, "dev.azure.com"));
	assert_false(opens(d, "203.0.113.9", 443));
	assert_false(allows(d, "metadata.google.internal"));
	assert_false(opens(d, "169.254.169.254", 80));
	assert_false(opens(d, "fd00:ec2::254", 80));
	assert_false(opens(d, "127.0.0.1", 80));
}

static void test_list(void **state)
{
	struct desk *d = *state;

	(void)set(d, KEY_NET_ALLOW_DOMAIN, "github", 3);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "*x.com", 4);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "192.0.2.1", 5);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "redis", 6);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "y.test:443", 0);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "llm_apis", 0);
	(void)set(d, KEY_OWN_ALLOW_ADDRESS, "198.51.100.0/24:22", 7);
	(void)set(d, KEY_NET_DENY_DOMAIN, "gist.github.com", 8);
	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_LIST);
	assert_null(d->p->notes);
	assert_true(allows(d, "github.com"));
	assert_true(allows(d, "api.github.com"));
	assert_false(allows(d, "gist.github.com"));
	assert_true(allows(d, "evilx.com"));
	assert_true(allows(d, "redis"));
	assert_true(allows(d, "y.test"));
	assert_true(allows(d, "api.openai.com"));
	assert_false(allows(d, "github"));
	assert_true(opens(d, "192.0.2.1", 5));
	assert_true(opens(d, "198.51.100.7", 22));
	assert_false(opens(d, "198.51.100.7", 80));
}

static void test_notes(void **state)
{
	struct desk *d = *state;

	(void)set(d, KEY_NET_ALLOW_DOMAIN, "a.*.b", 3);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "metadata.google.internal", 4);
	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_LIST);
	assert_int_equal(allowlist_n_domains(d->policy.allow), 0);
	assert_non_null(d->p->notes);
	assert_non_null(strstr(d->p->notes->text, "p.json:3:7"));
	assert_non_null(strstr(d->p->notes->text, "network.allow_domain"));
	assert_non_null(strstr(d->p->notes->text, "'a.*.b'"));
	assert_non_null(d->p->notes->next);
	assert_non_null(strstr(d->p->notes->next->text, "metadata"));
}

static void test_network_profile(void **state)
{
	struct desk *d = *state;
	struct entry *item = set(d, KEY_NET_PROFILE, "developer", 3);

	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_LIST);
	assert_true(allows(d, "api.openai.com"));
	assert_true(allows(d, "a.github.com"));
	assert_false(allows(d, "x.azure.com"));
	item->text = "minimal";
	compile(d, false);
	assert_false(allows(d, "github.com"));
	netpolicy_done(&d->policy);
	item->text = "develper";
	refuse(d, WORDS("p.json:3:7", "network.network_profile", "'develper'",
			"did you mean 'developer'", "minimal, developer"));
}

/* The command line is strict, and its messages have no place. */
static void test_flag_errors(void **state)
{
	struct desk *d = *state;
	struct entry *item = set(d, KEY_NET_ALLOW_DOMAIN, "*.com", 0);

	refuse(d, WORDS("top-level"));
	assert_int_equal(strncmp(d->e.msg, "pattern ", 8), 0);
	item->text = "metadata.google.internal";
	refuse(d, WORDS("metadata"));
	item->text = "*x.com";
	refuse(d, WORDS("first label"));
	item->text = "192.0.2.1";
	refuse(d, WORDS("--allow-address"));
	item->text = "https://github.com/org/**";
	refuse(d, WORDS("path rules are not supported", "'github.com'"));
}

static void test_endpoints(void **state)
{
	static const struct endpoint rule = { .method = "GET", .path = "/x" };
	struct desk *d = *state;
	struct entry *item = set(d, KEY_NET_ALLOW_DOMAIN, "api.github.com", 9);

	item->endpoints = &rule;
	compile(d, false); /* an object without any is plain */
	assert_true(allows(d, "api.github.com"));
	netpolicy_done(&d->policy);
	item->n_endpoints = 1;
	refuse(d, WORDS("p.json:9:7", "network.allow_domain",
			"'api.github.com'", "TLS interception", "host alone"));
}

static void test_bad_entries(void **state)
{
	static const struct {
		enum profile_key key;
		const char *text;
		const char *says;
	} cases[] = {
		{ KEY_NET_ALLOW_DOMAIN, "x..com", "allow_domain" },
		{ KEY_NET_DENY_DOMAIN, "x..com", "deny_domain" },
		{ KEY_NET_DENY_DOMAIN, "10.0.0.1/8", "deny_domain" },
		{ KEY_OWN_ALLOW_ADDRESS, "x.com", "egress_run.allow_address" },
		{ KEY_OWN_ALLOW_ADDRESS, "127.0.0.1", "never permitted" },
	};
	struct desk *d = *state;

	for (size_t i = 0; i < N(cases); i++) {
		(void)set(d, cases[i].key, cases[i].text, 12);
		refuse(d, WORDS("p.json:12:7: ", cases[i].says));
		d->p->field[cases[i].key] = (struct field) { 0 };
	}
}

static void test_file(void **state)
{
	static const char text[] = "# comment\n\n  X.test.  # why\r\n\r\n"
				   "*.y.test:443\r\n\tz.test\nlast.test";
	struct desk *d = *state;

	write_file(d, "names", text, sizeof(text) - 1);
	(void)set(d, KEY_OWN_ALLOW_DOMAIN_FILE, "names", 3);
	compile(d, false);
	assert_int_equal(d->policy.kind, NETPOLICY_LIST);
	assert_int_equal(allowlist_n_domains(d->policy.allow), 4);
	assert_string_equal(allowlist_domain(d->policy.allow, 0), "x.test");
	assert_string_equal(allowlist_domain(d->policy.allow, 3), "last.test");
	/* ~ is the home folder, which is the same here. */
	d->p->field[KEY_OWN_ALLOW_DOMAIN_FILE].items[0].text = "~/names";
	compile(d, false);
	assert_int_equal(allowlist_n_domains(d->policy.allow), 4);
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *says;
	} cases[] = {
		{ "a.test\n# c\n*.com\n", 16, "/names:3: is no host name" },
		{ "a.test b.test\n", 14, "/names:1: " },
		{ "a.test\nb\0.test\n", 15, "/names:2: has a NUL" },
		{ "192.0.2.1\n", 10, "/names:1: " },
		{ "github.com/x\n", 13, "/names:1: " },
		{ "password: hunter2\n", 18, "/names:1: is no host name" },
		{ "x..test", 7, "/names:1: " },
	};
	struct desk *d = *state;
	struct entry *item = set(d, KEY_OWN_ALLOW_DOMAIN_FILE, "names", 3);
	char path[128];

	for (size_t i = 0; i < N(cases); i++) {
		write_file(d, "names", cases[i].text, cases[i].len);
		refuse(d, WORDS(cases[i].says));
		/* No word of what may be a secret. */
		assert_null(strstr(d->e.msg, "hunter2"));
	}
	(void)snprintf(path, sizeof(path), "%s/names", d->dir);
	assert_int_equal(chmod(path, 0666), 0);
	refuse(d, WORDS("names"));
	assert_int_equal(d->e.code, EPERM);
	item->text = "missing";
	refuse(d, WORDS("/missing", "No such file"));
	item->text = "policy";
	refuse(d, WORDS("no regular file"));
	item->text = "names";
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, (off_t)128 << 20 | 1), 0);
	refuse(d, WORDS("names", "134217729 bytes, more than 134217728"));
	assert_int_equal(d->e.code, EFBIG);
}

/* Nobody's memory is to be filled by a line. */
static void test_long_lines(void **state)
{
	char text[2 + 1025 + 8] = "#\n";
	struct desk *d = *state;

	memset(text + 2, '#', 1025);
	memcpy(text + 2 + 1024, "\nx.test", 8);
	write_file(d, "names", text, strlen(text));
	(void)set(d, KEY_OWN_ALLOW_DOMAIN_FILE, "names", 3);
	compile(d, false);
	assert_int_equal(allowlist_n_domains(d->policy.allow), 1);
	netpolicy_done(&d->policy);
	memcpy(text + 2 + 1024, "#\nx.test", 9);
	write_file(d, "names", text, strlen(text));
	refuse(d, WORDS("/names:2: is longer than 1024 bytes"));
}

/* A profile without words like group names needs no shipped data. */
static void test_without_networks(void **state)
{
	struct desk *d = *state;

	memcpy(d->library.dir[LIBRARY_SHIPPED], "/nonexistent", 13);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "github.com", 3);
	compile(d, false);
	assert_true(allows(d, "github.com"));
	netpolicy_done(&d->policy);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "github", 3);
	refuse(d, WORDS("/nonexistent"));
}

static void test_bad_networks(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{ "[]", "an object" },
		{ "{\"groups\":{}}", "'profiles'" },
		{ "{\"profiles\":{}}", "'groups'" },
		{ "{\"groups\":{\"a\":1},\"profiles\":{}}", "list of strings" },
		{ "{\"groups\":{\"a\":[1]},\"profiles\":{}}", "a string" },
		{ "{\"groups\":{},\"profiles\":{\"p\":[\"a\"]}}", "'a'" },
		{ "{", "f:" },
	};
	struct desk *d = *state;
	struct networks *n;

	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(networks_parse(&d->arena, "f", cases[i].text,
						strlen(cases[i].text), &n,
						&d->e),
				 -EINVAL);
		if (!strstr(d->e.msg, cases[i].says))
			fail_msg("%s", d->e.msg);
	}
}

static void test_contradictions(void **state)
{
	static const struct {
		enum profile_key key;
		const char *text;
		const char *path;
	} cases[] = {
		{ KEY_NET_PROFILE, "minimal", "network.network_profile" },
		{ KEY_NET_ALLOW_DOMAIN, "x.test", "network.allow_domain" },
		{ KEY_NET_CREDENTIALS, "openai", "network.credentials" },
		{ KEY_NET_UPSTREAM_PROXY, "p:3128", "network.upstream_proxy" },
		{ KEY_OWN_ALLOW_ADDRESS, "192.0.2.1",
		  "egress_run.allow_address" },
		{ KEY_OWN_ALLOW_DOMAIN_FILE, "f",
		  "egress_run.allow_domain_file" },
	};
	struct desk *d = *state;
	struct field *block = &d->p->field[KEY_NET_BLOCK];

	for (size_t i = 0; i < N(cases); i++) {
		struct field *f = &d->p->field[cases[i].key];
		char said[128];

		(void)set(d, cases[i].key, cases[i].text, 12);
		assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), 0);
		(void)set(d, KEY_NET_BLOCK, "true", 11);
		assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e),
				 -EINVAL);
		(void)snprintf(said, sizeof(said),
			       "network.block and %s contradict each other: ",
			       cases[i].path);
		assert_non_null(strstr(d->e.msg, said));
		assert_non_null(strstr(d->e.msg, "p.json:11:7"));
		assert_non_null(strstr(d->e.msg, "p.json:12:7"));
		block->items[0].text = "false";
		assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), 0);
		*block = (struct field) { 0 };
		*f = (struct field) { 0 };
	}
	/* Flags are called by their names. */
	(void)set(d, KEY_NET_BLOCK, "true", 0);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "x.test", 12);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), -EINVAL);
	assert_non_null(strstr(d->e.msg, "--flag and network.allow_domain "
					 "contradict"));
	/* Denials contradict nothing. */
	d->p->field[KEY_NET_ALLOW_DOMAIN] = (struct field) { 0 };
	(void)set(d, KEY_NET_DENY_DOMAIN, "x.test", 12);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), 0);
}

static void test_upstream_bypass(void **state)
{
	struct desk *d = *state;

	(void)set(d, KEY_NET_UPSTREAM_BYPASS, "x.test", 3);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), -EINVAL);
	assert_non_null(
		strstr(d->e.msg, "p.json:3:7: network.upstream_bypass"));
	assert_non_null(strstr(d->e.msg, "needs network.upstream_proxy"));
	(void)set(d, KEY_NET_UPSTREAM_PROXY, "p:3128", 4);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), 0);
}

static void test_no_proxy(void **state)
{
	struct desk *d = *state;
	struct entry *item = set(d, KEY_NET_NO_PROXY, ".dev.local", 3);

	(void)set(d, KEY_NET_ALLOW_DOMAIN, "github.com", 8);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), 0);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "api.dev.local", 9);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), -EINVAL);
	assert_non_null(strstr(d->e.msg, "p.json:3:7: network.no_proxy: "
					 "'.dev.local' overlaps"));
	assert_non_null(strstr(d->e.msg, "'api.dev.local'"));
	assert_non_null(strstr(d->e.msg, "p.json:9:7"));
	item->text = "dev.local";
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), -EINVAL);
	assert_non_null(strstr(d->e.msg, "write '.dev.local'"));
}

/* One list times the other must not take minutes. */
static void test_pairs(void **state)
{
	struct desk *d = *state;

	for (unsigned i = 0; i < 2000; i++) {
		(void)set(d, KEY_NET_NO_PROXY, ".a.local", 3);
		(void)set(d, KEY_NET_ALLOW_DOMAIN, "x.test", 4);
	}
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), 0);
	(void)set(d, KEY_NET_ALLOW_DOMAIN, "x.test", 4);
	assert_int_equal(netpolicy_check(d->p, &d->arena, &d->e), -E2BIG);
	assert_non_null(strstr(d->e.msg, "network.no_proxy with 2000 entries"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define DESK_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		DESK_TEST(test_nothing),
		DESK_TEST(test_blocked),
		DESK_TEST(test_open),
		DESK_TEST(test_list),
		DESK_TEST(test_notes),
		DESK_TEST(test_network_profile),
		DESK_TEST(test_flag_errors),
		DESK_TEST(test_endpoints),
		DESK_TEST(test_bad_entries),
		DESK_TEST(test_file),
		DESK_TEST(test_bad_files),
		DESK_TEST(test_without_networks),
		DESK_TEST(test_bad_networks),
		DESK_TEST(test_contradictions),
		DESK_TEST(test_upstream_bypass),
		DESK_TEST(test_long_lines),
		DESK_TEST(test_no_proxy),
		DESK_TEST(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
