/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file to one profile: every key, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/keys.h"
#include "tests/unit/profile_text.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int setup(void **state)
{
	static struct arena arena;

	*state = &arena;
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static void expect(struct arena *a, const char *text, enum profile_key key,
		   const char *entries)
{
	const struct profile *p = profile_of(a, text);
	const char *got = key_text(a, p, key);

	if (strcmp(got, entries) != 0)
		fail_msg("%s: %s, not %s", text, got, entries);
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		enum profile_key key;
		const char *entries;
	} cases[] = {
		{ "{}", KEY_EXTENDS, "-" },
		{ "{\"extends\": \"x\"}", KEY_EXTENDS, "x" },
		{ "{\"extends\": [\"a\", \"b\"]}", KEY_EXTENDS, "a b" },
		{ "{\"extends\": []}", KEY_EXTENDS, "-" },
		{ "{\"extends\": null}", KEY_EXTENDS, "null" },
		{ "{\"meta\": {\"name\": \"x\", \"author\": null}}", KEY_META,
		  "{}" },
		{ "{\"filesystem\": {\"read\": []}}", KEY_FS_READ, "" },
		{ "{\"filesystem\": {\"read\": [\"/a\", \"/b\", \"/a\"]}}",
		  KEY_FS_READ, "/a /b" },
		{ "{\"filesystem\": {\"ignore\": [\"/a\"]}}",
		  KEY_FS_SUPPRESS_SAVE_PROMPT, "/a" },
		{ "{\"network\": {\"block\": true}}", KEY_NET_BLOCK, "true" },
		{ "{\"network\": {\"open_port\": [3000, 65535]}}",
		  KEY_NET_OPEN_PORT, "3000 65535" },
		{ "{\"network\": {\"open_port_range\": [[1, 2], [7, 7]]}}",
		  KEY_NET_OPEN_PORT_RANGE, "1-2 7-7" },
		{ "{\"network\": {\"network_profile\": null}}", KEY_NET_PROFILE,
		  "null" },
		{ "{\"network\": {\"credentials\": null}}", KEY_NET_CREDENTIALS,
		  "null" },
		{ "{\"network\": {\"proxy_allow\": [\"a.test\", "
		  "{\"domain\": \"b.test\", \"endpoints\": []}, \"A.test\"]}}",
		  KEY_NET_ALLOW_DOMAIN, "a.test b.test" },
		{ "{\"network\": {\"allow_domain\": [\"a.test\", "
		  "{\"domain\": \"b.test\", \"endpoints\": ["
		  "{\"method\": \"GET\", \"path\": \"/repos/my-org/**\"}, "
		  "{\"method\": \"POST\", \"path\": \"/x\"}]}]}}",
		  KEY_NET_ALLOW_DOMAIN,
		  "a.test b.test{GET /repos/my-org/**,POST /x}" },
		{ "{\"environment\": null}", KEY_ENV_ALLOW_VARS, "-" },
		{ "{\"environment\": {\"allow_vars\": null}}",
		  KEY_ENV_ALLOW_VARS, "-" },
		{ "{\"environment\": {\"allow_vars\": []}}", KEY_ENV_ALLOW_VARS,
		  "" },
		{ "{\"environment\": {\"set_vars\": {\"A\": \"\", "
		  "\"B\": \"x\"}}}",
		  KEY_ENV_SET_VARS, "A= B=x" },
		{ "{\"secrets\": {\"github_token\": \"GH_TOKEN\"}}",
		  KEY_ENV_CREDENTIALS, "github_token=GH_TOKEN" },
		{ "{\"env_credentials\": {"
		  "\"a\": {\"env_var\": \"A\", \"when\": \"linux\"}, "
		  "\"b\": {\"env_var\": \"A\", \"when\": \"macos\"}, "
		  "\"c\": {\"env_var\": \"C\"}}}",
		  KEY_ENV_CREDENTIALS, "a=A c=C" },
		{ "{\"command_args\": [\"\", \"-x\"]}", KEY_COMMAND_ARGS,
		  " -x" },
		{ "{\"command_policies\": {}}", KEY_COMMAND_POLICIES, "" },
		{ "{\"command_policies\": {\"commands\": {}}}",
		  KEY_COMMAND_POLICIES, "{}" },
		{ "{\"session_hooks\": null}", KEY_SESSION_HOOK_BEFORE, "-" },
		{ "{\"undo\": {\"exclude_globs\": [\"*.o\"]}}",
		  KEY_ROLLBACK_GLOBS, "*.o" },
		{ "{\"egress_run\": {\"grace\": 86400}}", KEY_OWN_GRACE,
		  "86400" },
		{ "{\"$schema\": \"https://x.test/s.json\"}", KEY_META, "-" },
		{ "{\"linux\": {\"sandbox_policy\": \"external\"}}",
		  KEY_LINUX_SANDBOX_POLICY, "external" },
		{ "{\"security\": {\"signal_mode\": \"allow_same_sandbox\"}}",
		  KEY_SIGNAL_MODE, "allow_same_sandbox" },
		{ "{\"security\": {\"process_info_mode\": \"allow_all\"}}",
		  KEY_PROCESS_INFO_MODE, "allow_all" },
		{ "{\"security\": {\"ipc_mode\": \"full\"}}", KEY_IPC_MODE,
		  "full" },
		{ "{\"security\": {\"ipc_mode\": null}}", KEY_IPC_MODE,
		  "null" },
	};

	for (size_t i = 0; i < N(cases); i++)
		expect(*state, cases[i].text, cases[i].key, cases[i].entries);
}

static void test_conditions(void **state)
{
	expect(*state,
	       "{\"filesystem\": {\"read\": [\"/a\","
	       "{\"path\": \"/b\", \"when\": \"linux\"},"
	       "{\"path\": \"/c\", \"when\": \"macos\"},"
	       "{\"path\": \"/d\", \"when\": [\"macos\","
	       " \"linux:fedora:>=43\"]},"
	       "{\"path\": \"/d2\", \"when\": [\"linux\","
	       " \"macos\"]},"
	       "{\"path\": \"/e\", \"when\": \"!linux\"},"
	       "{\"path\": \"/f\", \"when\": \"freebsd\"},"
	       "{\"path\": \"/g\"},"
	       "{\"path\": \"/a\", \"when\": \"linux:rhel-like\"}]}}",
	       KEY_FS_READ, "/a /b /d /d2 /g");
	expect(*state,
	       "{\"groups\": {\"include\": [{\"name\": \"a\","
	       " \"when\": \"linux\"}, {\"name\": \"b\","
	       " \"when\": \"linux:ubuntu\"}]}}",
	       KEY_GROUPS_INCLUDE, "a");
	/* Nothing left is still a list. */
	expect(*state,
	       "{\"filesystem\": {\"deny\": [{\"path\": \"/a\","
	       " \"when\": \"macos\"}]}}",
	       KEY_FS_DENY, "");
}

static void test_origins(void **state)
{
	const struct profile *p = profile_of(
		*state, "{\n"
			"  \"network\": {\n"
			"    \"allow_domain\": [\"a\",\n"
			"      {\"domain\": \"b\", \"endpoints\": [\n"
			"        {\"method\": \"GET\", \"path\": \"/\"}]}]\n"
			"  },\n"
			"  \"env_credentials\": { \"x\": \"Y\" }\n"
			"}\n");
	const struct field *f = &p->field[KEY_NET_ALLOW_DOMAIN];
	const struct entry *x = p->field[KEY_ENV_CREDENTIALS].items;

	assert_string_equal(origin_text(*state, &f->from), "t.json:3:5");
	assert_string_equal(origin_text(*state, &f->items[0].from),
			    "t.json:3:22");
	assert_string_equal(origin_text(*state, &f->items[1].from),
			    "t.json:4:7");
	assert_string_equal(origin_text(*state, &f->items[1].endpoints[0].from),
			    "t.json:5:9");
	assert_string_equal(origin_text(*state, &x->from), "t.json:7:24");
	assert_null(x->from.group);
	assert_string_equal(
		origin_text(*state, &(struct origin) { .file = "--read" }),
		"--read");
}

#define LEGACY                                                                \
	"{\"filesystem\": {\"allow\": [\"/rw-base\"]},"                       \
	"\"security\": {\"groups\": [\"node_runtime\"],"                      \
	" \"allowed_commands\": [\"pip\"]},"                                  \
	"\"policy\": {\"exclude_groups\": [\"dangerous_commands\"],"          \
	" \"add_allow_read\": [\"/r\"], \"add_allow_write\": [\"/w\"],"       \
	" \"add_allow_readwrite\": [\"/rw\"], \"add_deny_access\": [\"/d\"]," \
	" \"add_deny_commands\": [\"docker\"],"                               \
	" \"override_deny\": [\"/rw-base\"]}}"
#define CANONICAL                                                       \
	"{\"filesystem\": {\"allow\": [\"/rw-base\", \"/rw\"],"         \
	" \"read\": [\"/r\"], \"write\": [\"/w\"], \"deny\": [\"/d\"]," \
	" \"bypass_protection\": [\"/rw-base\"]},"                      \
	"\"groups\": {\"include\": [\"node_runtime\"],"                 \
	" \"exclude\": [\"dangerous_commands\"]},"                      \
	"\"commands\": {\"allow\": [\"pip\"], \"deny\": [\"docker\"]}}"

static void test_legacy(void **state)
{
	const struct profile *old = profile_of(*state, LEGACY);
	const struct profile *new = profile_of(*state, CANONICAL);

	for (int i = 0; i < KEY__COUNT; i++)
		assert_string_equal(key_text(*state, old, (enum profile_key)i),
				    key_text(*state, new, (enum profile_key)i));
	assert_int_equal(n_notes(old), 9);
	assert_int_equal(n_notes(new), 0);
	assert_string_equal(old->notes->text,
			    "t.json:1:53: deprecated key 'security.groups': "
			    "use 'groups.include' instead");
	assert_string_equal(
		origin_text(*state, &old->field[KEY_GROUPS_INCLUDE].from),
		"t.json:1:53");
	/* Behind the canonical key's own, wherever it stands. */
	expect(*state,
	       "{\"security\": {\"groups\": [\"python_runtime\"]},"
	       "\"groups\": {\"include\": [\"node_runtime\"]}}",
	       KEY_GROUPS_INCLUDE, "node_runtime python_runtime");
	expect(*state,
	       "{\"security\": {\"allowed_commands\": [\"pip\", \"npm\"]},"
	       "\"commands\": {\"allow\": [\"npm\"]}}",
	       KEY_COMMANDS_ALLOW, "npm pip");
	/* Empty ones are silent. */
	old = profile_of(*state, "{\"policy\": {\"add_allow_read\": []},"
				 "\"security\": {\"allowed_commands\": []}}");
	assert_null(old->notes);
	assert_string_equal(key_text(*state, old, KEY_FS_READ), "-");
}

static void test_overrides(void **state)
{
	const struct profile *p = profile_of(
		*state, "{\"filesystem\": {\"read\": [\"/a\"]},"
			"\"platform_overrides\": {"
			"\"macos\": {\"network\": {\"open_port\": [0]},"
			" \"extends\": null, \"platform_overrides\": null},"
			"\"linux\": {\"filesystem\": {\"read\": [\"/b\"]},"
			" \"policy\": {\"add_allow_write\": [\"/c\"]}},"
			"\"windows\": null}}");

	assert_string_equal(key_text(*state, p, KEY_FS_READ), "/a");
	assert_string_equal(key_text(*state, p, KEY_NET_OPEN_PORT), "-");
	assert_non_null(p->override);
	assert_string_equal(key_text(*state, p->override, KEY_FS_READ), "/b");
	assert_string_equal(key_text(*state, p->override, KEY_FS_WRITE), "/c");
	assert_int_equal(n_notes(p->override), 1);
	assert_null(
		profile_of(*state, "{\"platform_overrides\": null}")->override);
	assert_null(profile_of(*state, "{\"platform_overrides\": "
				       "{\"macos\": {}}}")
			    ->override);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		const char *message; /* behind "t.json:" */
	} cases[] = {
		{ "[]",
		  "1:1: a profile must be an object { ... }, not a list" },
		{ "{\"filesytsem\": {}}",
		  "1:2: unknown key 'filesytsem'; did you mean 'filesystem'?" },
		{ "{\"filesystem\": {\"alow\": []}}",
		  "1:17: unknown key 'filesystem.alow'; did you mean "
		  "'allow'?" },
		{ "{\"policy\": {\"add_deny_acces\": []}}",
		  "1:13: unknown key 'policy.add_deny_acces'; did you mean "
		  "'add_deny_access'?" },
		{ "{\"filesystem\": {\"allow_domain\": []}}",
		  "1:17: unknown key 'filesystem.allow_domain'; "
		  "'allow_domain' belongs into 'network'" },
		{ "{\"network\": {\"signal_mode\": null}}",
		  "1:14: unknown key 'network.signal_mode'; 'signal_mode' "
		  "belongs into 'security'" },
		{ "{\"network\": {\"include\": []}}",
		  "1:14: unknown key 'network.include'; 'include' belongs "
		  "into 'groups'" },
		{ "{\"workdir\": {\"read\": []}}",
		  "1:14: unknown key 'workdir.read'; 'read' belongs into "
		  "'filesystem'" },
		{ "{\"deny\": []}",
		  "1:2: unknown key 'deny'; 'deny' belongs into 'commands' or "
		  "into 'filesystem'" },
		{ "{\"network\": {\"workdir\": {}}}",
		  "1:14: unknown key 'network.workdir'; 'workdir' belongs to "
		  "the top level" },
		{ "{\"xyzzy\": 1}",
		  "1:2: unknown key 'xyzzy'; remove it, or see "
		  "egress-run-profile(5) for what may stand here" },
		{ "{\"filesystem.read\": []}",
		  "1:2: unknown key 'filesystem.read'; write what the dots "
		  "part as objects within each other" },
		{ "{\"network\": null}",
		  "1:13: network: must be an object, not null; remove the key "
		  "to leave it unset" },
		{ "{\"network\": []}",
		  "1:13: network: must be an object, not a list" },
		{ "{\"filesystem\": {\"read\": \"/a\"}}",
		  "1:25: filesystem.read: must be a list of strings, not a "
		  "string; put it between [ and ]" },
		{ "{\"filesystem\": {\"read\": {}}}",
		  "1:25: filesystem.read: must be a list of strings, not an "
		  "object; put it between [ and ]" },
		{ "{\"filesystem\": {\"read\": null}}",
		  "1:25: filesystem.read: must be a list of strings, not "
		  "null; remove the key to leave it unset" },
		{ "{\"filesystem\": {\"read\": [\"/a\", \"\"]}}",
		  "1:32: filesystem.read[1]: must not be empty; remove it or "
		  "write what is meant" },
		{ "{\"filesystem\": {\"read\": [7]}}",
		  "1:26: filesystem.read[0]: must be a string or an object "
		  "with 'path' and 'when', not a number" },
		{ "{\"filesystem\": {\"read\": [{\"name\": \"/a\"}]}}",
		  "1:27: unknown key 'filesystem.read[0].name'; remove it, or "
		  "see egress-run-profile(5) for what may stand here" },
		{ "{\"filesystem\": {\"read\": [{\"when\": \"linux\"}]}}",
		  "1:26: filesystem.read[0]: 'path' is missing; add it" },
		{ "{\"filesystem\": {\"read\": [{\"path\": \"/a\", "
		  "\"when\": []}]}}",
		  "1:49: filesystem.read[0].when: must not be an empty list, "
		  "which would never hold; remove the entry, or the "
		  "condition" },
		{ "{\"filesystem\": {\"read\": [{\"path\": \"/a\", "
		  "\"when\": 7}]}}",
		  "1:49: filesystem.read[0].when: must be a condition or a "
		  "list of conditions, not a number" },
		{ "{\"filesystem\": {\"read\": [{\"path\": \"/a\", "
		  "\"when\": [7]}]}}",
		  "1:50: filesystem.read[0].when[0]: must be a string, not a "
		  "number" },
		{ "{\"groups\": {\"include\": [{\"path\": \"/a\"}]}}",
		  "1:26: unknown key 'groups.include[0].path'; remove it, or "
		  "see egress-run-profile(5) for what may stand here" },
		{ "{\"network\": {\"block\": \"true\"}}",
		  "1:23: network.block: must be true or false, not a string; "
		  "write it without quotes" },
		{ "{\"network\": {\"block\": null}}",
		  "1:23: network.block: must be true or false, not null; "
		  "remove the key to leave it unset" },
		{ "{\"security\": {\"signal_mode\": \"isolatd\"}}",
		  "1:30: security.signal_mode: must be 'isolated', "
		  "'allow_same_sandbox' or 'allow_all', not 'isolatd'; did "
		  "you mean 'isolated'?" },
		{ "{\"workdir\": {\"access\": \"ReadWrite\"}}",
		  "1:24: workdir.access: must be 'none', 'read', 'write' or "
		  "'readwrite', not 'ReadWrite'; did you mean 'readwrite'?" },
		{ "{\"workdir\": {\"access\": \"all\"}}",
		  "1:24: workdir.access: must be 'none', 'read', 'write' or "
		  "'readwrite', not 'all'" },
		{ "{\"network\": {\"open_port\": [0]}}",
		  "1:28: network.open_port[0]: port 0 stands for every port "
		  "on macOS only; write the ports that are meant, 1 to "
		  "65535" },
		{ "{\"network\": {\"open_port\": [65536]}}",
		  "1:28: network.open_port[0]: must be a whole number from 1 "
		  "to 65535, not 65536" },
		{ "{\"network\": {\"open_port\": [80.5]}}",
		  "1:28: network.open_port[0]: must be a whole number from 1 "
		  "to 65535, not 80.5" },
		{ "{\"network\": {\"open_port\": [-1]}}",
		  "1:28: network.open_port[0]: must be a whole number from 1 "
		  "to 65535, not -1" },
		{ "{\"network\": {\"open_port\": [\"80\"]}}",
		  "1:28: network.open_port[0]: must be a number, not a "
		  "string; write it without quotes" },
		{ "{\"network\": {\"open_port_range\": [[1]]}}",
		  "1:34: network.open_port_range[0]: must be a range [FIRST, "
		  "LAST] of two ports, such as [3000, 3010]" },
		{ "{\"network\": {\"open_port_range\": [[9, 8]]}}",
		  "1:34: network.open_port_range[0]: the first port of the "
		  "range, 9, is above the last, 8; exchange them" },
		{ "{\"egress_run\": {\"grace\": 86401}}",
		  "1:26: egress_run.grace: must be a whole number from 0 to "
		  "86400, not 86401" },
		{ "{\"network\": {\"allow_domain\": [[]]}}",
		  "1:31: network.allow_domain[0]: must be a string or an "
		  "object with 'domain' and 'endpoints', not a list" },
		{ "{\"network\": {\"allow_domain\": [{\"domain\": \"\"}]}}",
		  "1:42: network.allow_domain[0].domain: must not be empty; "
		  "remove it or write what is meant" },
		{ "{\"network\": {\"allow_domain\": [{\"domain\": \"a\", "
		  "\"endpoints\": [{\"method\": \"GET\"}]}]}}",
		  "1:61: network.allow_domain[0].endpoints[0]: 'path' is "
		  "missing; add it" },
		{ "{\"network\": {\"allow_domain\": [], \"proxy_allow\": []}}",
		  "1:34: network.proxy_allow: 'network.allow_domain' stands "
		  "in line 1 already, under another of its names; remove "
		  "one" },
		{ "{\"environment\": {\"set_vars\": {\"\": \"x\"}}}",
		  "1:31: environment.set_vars: a name must not be empty; "
		  "write one or remove the member" },
		{ "{\"env_credentials\": {\"a\": \"X\",\n\"b\": \"X\"}}",
		  "2:1: env_credentials.b: 'X' is the variable of line 1 too; "
		  "remove one, or give it another variable" },
		{ "{\"env_credentials\": {\"a\": \"\"}}",
		  "1:27: env_credentials.a: must not be empty; remove it or "
		  "write what is meant" },
		{ "{\"command_policies\": null}",
		  "1:22: command_policies: null does not clear the policies "
		  "of a base; remove the key" },
		{ "{\"meta\": {}}", "1:10: meta: 'name' is missing; add it" },
		{ "{\"meta\": {\"name\": \"x\", \"versoin\": \"1\"}}",
		  "1:24: unknown key 'meta.versoin'; did you mean "
		  "'version'?" },
		{ "{\"$schema\": 7}",
		  "1:13: $schema: must be a string, not a number" },
		{ "{\"platform_overrides\": {\"linux\": {\"extends\": "
		  "\"x\"}}}",
		  "1:35: platform_overrides.linux.extends: may not stand in a "
		  "fragment of platform_overrides; move it to the top level "
		  "of the file" },
		{ "{\"platform_overrides\": {\"macos\": "
		  "{\"platform_overrides\": {}}}}",
		  "1:35: platform_overrides.macos.platform_overrides: may not "
		  "stand in a fragment of platform_overrides; move it to the "
		  "top level of the file" },
		{ "{\"platform_overrides\": {\"macos\": {\"filesystem\": "
		  "{\"alow\": []}}}}",
		  "1:50: unknown key 'platform_overrides.macos.filesystem."
		  "alow'; did you mean 'allow'?" },
		{ "{\"platform_overrides\": {\"lnux\": {}}}",
		  "1:25: unknown key 'platform_overrides.lnux'; did you mean "
		  "'linux'?" },
		{ "{\"network\": {\"custom_credentials\": {\"x\": "
		  "{\"upstream\": \"https://x\", \"endpoint_policy\": "
		  "{\"default\": \"alow\"}}}}}",
		  "1:99: network.custom_credentials.x.endpoint_policy."
		  "default: must be 'deny', 'approve' or 'allow', not 'alow'; "
		  "did you mean 'allow'?" },
		{ "{\"credential_capture\": {\"x\": {\"output\": 7}}}",
		  "1:41: credential_capture.x.output: must be a string or an "
		  "object, not a number" },
	};

	for (size_t i = 0; i < N(cases); i++) {
		const char *got = profile_error(*state, cases[i].text);

		if (strncmp(got, "t.json:", 7) != 0 ||
		    strcmp(got + 7, cases[i].message) != 0)
			fail_msg("%s:\n%s\n       %s", cases[i].text, got,
				 cases[i].message);
	}
	/* The words of when.c, behind the place. */
	assert_non_null(strstr(
		profile_error(*state, "{\"open_urls\": {\"allow_origins\": [{"
				      "\"origin\": \"https://x\","
				      " \"when\": \"linux:fedora:~=43\"}]}}"),
		"open_urls.allow_origins[0].when: "));
}

/* A value that suits the type, and one that does not. */
struct sample {
	const char *good;
	const char *bad;
};

static struct sample sample_of(struct arena *a, const struct key_spec *k)
{
	static const struct sample by_type[TYPE__COUNT] = {
		[TYPE_STRING] = { "\"x\"", "[\"x\"]" },
		[TYPE_STRING_OR_LIST] = { "[\"x\"]", "[7]" },
		[TYPE_BOOL] = { "true", "1" },
		[TYPE_UINT] = { "7", "-1" },
		[TYPE_STRINGS] = { "[\"x\"]", "[\"x\", 7]" },
		[TYPE_WHEN_STRINGS] = { "[\"x\"]", "[{\"when\": \"linux\"}]" },
		[TYPE_PORTS] = { "[7]", "[65536]" },
		[TYPE_PORT_RANGES] = { "[[7, 9]]", "[7, 9]" },
		[TYPE_DOMAINS] = { "[\"x\"]", "[null]" },
		[TYPE_STRING_MAP] = { "{\"x\": \"y\"}", "{\"x\": null}" },
		[TYPE_WHEN_MAP] = { "{\"x\": \"y\"}", "{\"x\": {}}" },
		[TYPE_ANY_OBJECT] = { "{\"x\": 7}", "[]" },
	};

	if (k->type == TYPE_ENUM)
		return (struct sample) {
			arena_printf(a, "\"%s\"", k->values[1]), "\"no\""
		};
	return by_type[k->type];
}

/* An object with what is required in it, and a list or map of such. */
static const char *object_text(struct arena *a, const struct shape *s);

static const char *shape_text(struct arena *a, const struct shape *s)
{
	switch (s->type) {
	case TYPE_ENUM:
		return arena_printf(a, "\"%s\"", s->values[0]);
	case TYPE_OBJECT:
		return object_text(a, s->object);
	case TYPE_OBJECTS:
		return arena_printf(a, "[%s]", object_text(a, s->object));
	default:
		return s->type == TYPE_UINT	 ? "1"
		       : s->type == TYPE_STRINGS ? "[\"x\"]"
						 : "\"x\"";
	}
}

static const char *object_text(struct arena *a, const struct shape *s)
{
	const char *text = "";

	for (; s->name; s++) {
		if (s->required)
			text = arena_printf(a, "%s%s\"%s\": %s", text,
					    text[0] ? ", " : "", s->name,
					    shape_text(a, s));
	}
	return arena_printf(a, "{%s}", text);
}

static struct sample object_sample(struct arena *a, const struct key_spec *k)
{
	const char *good = object_text(a, k->object);
	const char *bad = "{\"xyzzy\": 7}";

	if (k->type == TYPE_OBJECT)
		return (struct sample) { good, bad };
	if (k->type == TYPE_OBJECTS)
		return (struct sample) { arena_printf(a, "[%s]", good),
					 arena_printf(a, "[%s]", bad) };
	return (struct sample) { arena_printf(a, "{\"x\": %s}", good),
				 arena_printf(a, "{\"x\": %s}", bad) };
}

/* {"section": {"name": value}} */
static const char *file_of(struct arena *a, const char *path, const char *value)
{
	const char *dot = strchr(path, '.');

	if (!dot)
		return arena_printf(a, "{\"%s\": %s}", path, value);
	return arena_printf(a, "{\"%.*s\": {\"%s\": %s}}", (int)(dot - path),
			    path, dot + 1, value);
}

static void check_key(struct arena *a, enum profile_key key, const char *path)
{
	const struct key_spec *k = key_spec(key);
	bool nested = k->object && k->type != TYPE_DOMAINS;
	struct sample s = nested ? object_sample(a, k) : sample_of(a, k);
	const char *text = file_of(a, path, s.good);
	const struct profile *p = profile_of(a, text);
	const char *message;

	for (int i = 0; i < KEY__COUNT; i++) {
		enum field_state want =
			i == (int)key ? FIELD_SET : FIELD_ABSENT;

		if (p->field[i].state != want)
			fail_msg("%s: %s", text, key_table[i].path);
	}
	assert_int_equal(p->field[key].n, 1);
	message = profile_error(a, file_of(a, path, s.bad));
	if (!strstr(message, path))
		fail_msg("%s", message);
	/* null, as the table has it */
	text = file_of(a, path, "null");
	if (k->null_ok)
		assert_int_equal(profile_of(a, text)->field[key].n, 0);
	else
		(void)profile_error(a, text);
	/* "" in a list of strings */
	if (k->type == TYPE_STRINGS && !k->empty_ok)
		(void)profile_error(a, file_of(a, path, "[\"\"]"));
}

static void test_every_key(void **state)
{
	for (int i = 0; i < KEY__COUNT; i++) {
		const struct key_spec *k = key_spec((enum profile_key)i);

		check_key(*state, (enum profile_key)i, k->path);
		for (const char *const *p = k->aliases; p && *p; p++) {
			const char *dot = strchr(k->path, '.');
			int parent = dot ? (int)(dot - k->path) + 1 : 0;

			check_key(*state, (enum profile_key)i,
				  strchr(*p, '.')
					  ? *p
					  : arena_printf(*state, "%.*s%s",
							 parent, k->path, *p));
		}
	}
}

static void test_unknown_everywhere(void **state)
{
	static const char *const sections[] = {
		"security",    "groups",     "commands",	   "filesystem",
		"policy",      "network",    "diagnostics",	   "linux",
		"environment", "workdir",    "session_hooks",	   "rollback",
		"undo",	       "egress_run", "platform_overrides",
	};

	for (size_t i = 0; i < N(sections); i++) {
		const char *text = arena_printf(
			*state, "{\"%s\": {\"xyzzy\": []}}", sections[i]);
		const char *want = arena_printf(
			*state, "unknown key '%s.xyzzy'", sections[i]);

		if (!strstr(profile_error(*state, text), want))
			fail_msg("%s", text);
	}
}

/* More than a look at every entry would bear. */
static void test_long_lists(void **state)
{
	const size_t n = 20000;
	char *text = arena_alloc(*state, n * 2 + 8, 16);
	char *end = text;
	const struct profile *p;

	end += sprintf(end, "{\"network\": {\"allow_domain\": [");
	for (size_t i = 0; i < 2 * n; i++)
		end += sprintf(end, "%s\"h%zu.test\"", i > 0 ? "," : "", i % n);
	(void)sprintf(end, "]}}");
	p = profile_of(*state, text);
	assert_int_equal(p->field[KEY_NET_ALLOW_DOMAIN].n, n);
	assert_string_equal(p->field[KEY_NET_ALLOW_DOMAIN].items[n - 1].text,
			    "h19999.test");
	p = profile_merged(*state, p, p);
	assert_int_equal(p->field[KEY_NET_ALLOW_DOMAIN].n, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_unknown_everywhere),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
