/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a name to the whole profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "profile_files.h"
#include "profiles/json.h"
#include "profiles/load.h"

#define OWN  "config/egress-run/profiles/"
#define NONO "config/nono/profiles/"

/* Loads with all that load_profile() takes. */
static int load_with(struct files *f, const char *name,
		     const char *const *extends, const struct profile *flags,
		     struct loaded *ret)
{
	struct loader l;

	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(loader_init(&l, &f->arena, &f->library, &f->err), 0);
	return load_profile(&l, name, extends, flags, ret, &f->err);
}

static struct loaded load(struct files *f, const char *name)
{
	struct loaded ret;

	if (load_with(f, name, NULL, NULL, &ret))
		fail_msg("%s", f->err.msg);
	return ret;
}

static void fails(struct files *f, const char *name, int error)
{
	struct loaded ret;

	assert_int_equal(load_with(f, name, NULL, NULL, &ret), -error);
}

/* The texts of a list, separated by spaces. */
static const char *texts(struct files *f, const struct profile *p,
			 enum profile_key key)
{
	const struct field *field = &p->field[key];
	const char *all = "";

	for (size_t i = 0; i < field->n; i++)
		all = arena_printf(&f->arena, "%s%s%s", all, i ? " " : "",
				   field->items[i].text);
	assert_non_null(all);
	return all;
}

#define assert_texts(f, p, key, want) \
	assert_string_equal(texts(f, p, key), want)

static bool has(const struct profile *p, enum profile_key key, const char *text)
{
	const struct field *field = &p->field[key];

	for (size_t i = 0; i < field->n; i++)
		if (strcmp(field->items[i].text, text) == 0)
			return true;
	return false;
}

/* Bases from left to right, then the child. */
static void test_order(void **state)
{
	struct files *f = *state;
	const struct profile *p;

	(void)files_put(f, OWN "a.json",
			"{ \"network\": { \"network_profile\": \"net-a\" },"
			" \"workdir\": { \"access\": \"read\" },"
			" \"filesystem\": { \"read\": [\"/a\", \"/both\"] } }");
	(void)files_put(
		f, OWN "b.jsonc",
		"{ \"network\": { \"network_profile\": \"net-b\" }, //\n"
		" \"workdir\": { \"access\": \"readwrite\" },"
		" \"filesystem\": { \"read\": [\"/both\", \"/b\"] }, }");
	(void)files_put(f, OWN "c.json",
			"{ \"extends\": [\"a\", \"b\"],"
			" \"filesystem\": { \"read\": [\"/c\"] } }");
	p = load(f, "c").profile;
	assert_texts(f, p, KEY_NET_PROFILE, "net-b");
	assert_texts(f, p, KEY_WORKDIR_ACCESS, "readwrite");
	assert_texts(f, p, KEY_FS_READ, "/a /both /b /c");
	assert_int_equal(p->field[KEY_EXTENDS].state, FIELD_ABSENT);
}

static void test_forms(void **state)
{
	struct files *f = *state;

	(void)files_put(f, OWN "a.json",
			"{ \"filesystem\": { \"read\": [\"/a\"] } }");
	(void)files_put(f, OWN "one.json", "{ \"extends\": \"a\" }");
	(void)files_put(f, OWN "none.json", "{ \"extends\": [] }");
	(void)files_put(f, OWN "null.json", "{ \"extends\": null }");
	(void)files_put(f, OWN "twice.json", "{ \"extends\": [\"a\",\"a\"] }");
	assert_texts(f, load(f, "one").profile, KEY_FS_READ, "/a");
	assert_texts(f, load(f, "none").profile, KEY_FS_READ, "");
	assert_texts(f, load(f, "null").profile, KEY_FS_READ, "");
	assert_texts(f, load(f, "twice").profile, KEY_FS_READ, "/a");
}

static void test_diamond(void **state)
{
	struct files *f = *state;

	(void)files_put(f, OWN "a.json",
			"{ \"filesystem\": { \"read\": [\"/a\"] } }");
	(void)files_put(f, OWN "b.json",
			"{ \"extends\": \"a\","
			" \"filesystem\": { \"read\": [\"/b\"] } }");
	(void)files_put(f, OWN "c.json",
			"{ \"extends\": \"a\","
			" \"filesystem\": { \"read\": [\"/c\"] } }");
	(void)files_put(f, OWN "d.json", "{ \"extends\": [\"b\", \"c\"] }");
	assert_texts(f, load(f, "d").profile, KEY_FS_READ, "/a /b /c");
}

static void test_cycle(void **state)
{
	struct files *f = *state;
	const char *b;

	(void)files_put(f, OWN "a.json", "{ \"extends\": \"b\" }");
	b = files_put(f, OWN "b.json", "{\n  \"extends\": [\"a\"] }");
	fails(f, "a", ELOOP);
	files_error(&f->err,
		    "%s:2:15: circular dependency detected: a -> b -> a; "
		    "remove one of the `extends`",
		    b);
	/* Reached in another way it is the same file. */
	fails(f, files_path(f, OWN "a.json"), ELOOP);
	assert_non_null(strstr(f->err.msg, "a -> b -> a"));
}

/* Ten profiles in a row are fine. */
static void test_depth(void **state)
{
	struct files *f = *state;

	for (int i = 0; i < 11; i++) {
		const char *name = arena_printf(&f->arena, OWN "p%d.json", i);
		const char *text = arena_printf(
			&f->arena, "{ \"extends\": \"p%d\" }", i + 1);

		assert_true(name && text);
		(void)files_put(f, name, i < 10 ? text : "{}");
	}
	(void)load(f, "p1");
	fails(f, "p0", ELOOP);
	files_error(&f->err,
		    "%s:1:14: inheritance chain too deep (max 10): p0 -> p1 "
		    "-> p2 -> p3 -> p4 -> p5 -> p6 -> p7 -> p8 -> p9 -> p10",
		    files_path(f, OWN "p9.json"));
}

/* Bases of bases multiply. */
static void test_many(void **state)
{
	static const char *const twins[] = { "p", "q" };
	struct files *f = *state;

	for (int i = 0; i < 18; i++) {
		const char *name = arena_printf(&f->arena, OWN "%s%d.json",
						twins[i % 2], i / 2);
		const char *text = arena_printf(
			&f->arena, "{ \"extends\": [\"p%d\",\"q%d\"] }",
			i / 2 - 1, i / 2 - 1);

		assert_true(name && text);
		(void)files_put(f, name, i < 2 ? "{}" : text);
	}
	(void)load(f, "p7"); /* 254 bases */
	fails(f, "p8", E2BIG);
	assert_non_null(
		strstr(f->err.msg, "too many base profiles in all (max 256)"));
}

/* A file of len bytes. */
static void put_long(struct files *f, const char *name, const char *text,
		     size_t len)
{
	char *all = malloc(len + 1);

	assert_non_null(all);
	memset(all, ' ', len);
	memcpy(all, text, strlen(text));
	all[len] = '\0';
	(void)files_put(f, name, all);
	free(all);
}

static void test_bytes(void **state)
{
	static const char all[] = "{ \"extends\": [\"a0\",\"a1\",\"a2\","
				  "\"a3\",\"a4\",\"a5\",\"a6\"] }";
	struct files *f = *state;

	for (int i = 0; i < 7; i++)
		put_long(f, arena_printf(&f->arena, OWN "a%d.json", i), "{}",
			 JSON_SIZE_MAX);
	put_long(f, OWN "b.json", all, JSON_SIZE_MAX);
	(void)load(f, "b");
	(void)files_put(f, OWN "c.json", "{ \"extends\": \"b\" }");
	fails(f, "c", E2BIG);
	assert_non_null(strstr(f->err.msg, OWN "b.json:1:"));
	assert_non_null(strstr(f->err.msg, OWN "a6.json the profiles have "
					       "8388626 bytes in all, more "
					       "than 8388608"));
}

static void test_missing(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, OWN "a.json", "{ \"extends\": \"claude-cod\" }");

	fails(f, "a", ENOENT);
	files_error(&f->err,
		    "%s:1:14: base profile 'claude-cod' not found in %s, %s, "
		    "%s, %s, %s; near: 'claude-code'; 'egress-run profile "
		    "list' shows all",
		    path, f->library.dir[0], f->library.dir[0],
		    f->library.dir[1], f->library.dir[2], f->library.dir[3]);
	fails(f, "zzz", ENOENT);
	assert_non_null(strstr(f->err.msg, "profile 'zzz' not found in"));
}

static void test_bad_names(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, OWN "a.json", "{ \"extends\": [\"ci\",\"\"] }");

	fails(f, "a", EINVAL);
	files_error(&f->err,
		    "%s:1:20: invalid base profile name '': letters, digits "
		    "and hyphens",
		    path);
	(void)files_put(f, OWN "a.json", "{ \"extends\": \"ns/claude\" }");
	fails(f, "a", EINVAL);
	files_error(&f->err,
		    "%s:1:14: invalid base profile name 'ns/claude': letters, "
		    "digits and hyphens; packs of nono's registry cannot be "
		    "downloaded, and paths are not bases",
		    path);
}

/* The base that lies beside the file comes first. */
static void test_beside(void **state)
{
	struct files *f = *state;
	const char *path;

	(void)files_put(f, OWN "a.json",
			"{ \"filesystem\": { \"read\": [\"/own\"] } }");
	(void)files_put(f, NONO "a.json",
			"{ \"filesystem\": { \"read\": [\"/nono\"] } }");
	(void)files_put(f, NONO "b.json", "{ \"extends\": \"a\" }");
	path = files_put(f, "x/c.json", "{ \"extends\": \"a\" }");
	assert_texts(f, load(f, "a").profile, KEY_FS_READ, "/own");
	assert_texts(f, load(f, "b").profile, KEY_FS_READ, "/nono");
	assert_texts(f, load(f, path).profile, KEY_FS_READ, "/own");
	(void)files_put(f, "x/a.jsonc",
			"{ \"filesystem\": { \"read\": [\"/x\"] } }");
	assert_texts(f, load(f, path).profile, KEY_FS_READ, "/x");
}

/* A shipped one that extends another takes the user's. */
static void test_shipped_base(void **state)
{
	struct files *f = *state;

	(void)files_put(f, NONO "claude-code.json",
			"{ \"filesystem\": { \"read\": [\"/mine\"] } }");
	assert_true(has(load(f, "schedar").profile, KEY_FS_READ, "/mine"));
}

/* Each takes the next of its name in the order of the search. */
static void test_own_name(void **state)
{
	struct files *f = *state;
	struct loaded got;

	(void)files_put(f, NONO "ci.json",
			"{ \"extends\": \"ci\","
			" \"filesystem\": { \"read\": [\"/nono\"] } }");
	got = load(f, "ci");
	assert_true(has(got.profile, KEY_FS_READ, "/nono"));
	assert_true(has(got.profile, KEY_FS_READ, "/usr"));
	assert_false(got.shipped);
	(void)files_put(f, OWN "ci.json",
			"{ \"extends\": \"ci\","
			" \"filesystem\": { \"read\": [\"/own\"] } }");
	got = load(f, "ci");
	assert_true(has(got.profile, KEY_FS_READ, "/own"));
	assert_true(has(got.profile, KEY_FS_READ, "/nono"));
	assert_true(has(got.profile, KEY_FS_READ, "/usr"));
	/* and both files of one folder */
	(void)files_put(f, OWN "ci.jsonc",
			"{ \"extends\": \"ci\","
			" \"filesystem\": { \"read\": [\"/jsonc\"] } }");
	got = load(f, "ci");
	assert_true(has(got.profile, KEY_FS_READ, "/jsonc"));
	assert_true(has(got.profile, KEY_FS_READ, "/own"));
	assert_true(has(got.profile, KEY_FS_READ, "/usr"));
	(void)files_put(f, OWN "alone.json", "{ \"extends\": \"alone\" }");
	fails(f, "alone", ENOENT);
	assert_non_null(strstr(f->err.msg, "base profile 'alone' not found"));
}

/* Merged last, those of the bases too. */
static void test_overrides(void **state)
{
	struct files *f = *state;
	const struct profile *p;
	struct loaded got;

	(void)files_put(f, OWN "a.json",
			"{ \"meta\": { \"name\": \"A\" },"
			" \"workdir\": { \"access\": \"read\" },"
			" \"platform_overrides\": { \"linux\": {"
			"   \"workdir\": { \"access\": \"write\" },"
			"   \"security\": { \"signal_mode\": \"allow_all\" },"
			"   \"filesystem\": { \"read\": [\"/a-linux\"] } },"
			"  \"macos\": { \"filesystem\":"
			"   { \"read\": [\"/a-macos\"] } } },"
			" \"filesystem\": { \"read\": [\"/a\"] } }");
	(void)files_put(f, OWN "b.json",
			"{ \"extends\": \"a\", \"meta\": { \"name\": \"B\" },"
			" \"workdir\": { \"access\": \"readwrite\" },"
			" \"platform_overrides\": { \"linux\": {"
			"   \"security\": { \"signal_mode\": \"isolated\" },"
			"   \"filesystem\": { \"read\": [\"/b-linux\"] } } },"
			" \"filesystem\": { \"read\": [\"/b\"] } }");
	got = load(f, "b");
	p = got.profile;
	assert_texts(f, p, KEY_FS_READ, "/a /b /a-linux /b-linux");
	assert_texts(f, p, KEY_WORKDIR_ACCESS, "write");
	assert_texts(f, p, KEY_SIGNAL_MODE, "isolated");
	assert_null(p->override);
	assert_string_equal(got.name, "B");
}

static void test_name(void **state)
{
	struct files *f = *state;
	const char *path = files_put(f, OWN "my-file.jsonc", "{}");
	struct loaded got = load(f, "my-file");

	assert_string_equal(got.name, "my-file");
	assert_string_equal(got.path, path);
	assert_false(got.shipped);
	got = load(f, "ci");
	assert_string_equal(got.name, "ci");
	assert_true(got.shipped);
}

/* The groups of `default` are under every profile. */
static void test_default_groups(void **state)
{
	struct files *f = *state;
	struct loaded got;

	(void)files_put(f, OWN "a.json",
			"{ \"groups\": { \"include\": [\"go_runtime\"],"
			" \"exclude\": [\"user_tools\"] } }");
	got = load(f, "a");
	assert_texts(f, got.profile, KEY_GROUPS_INCLUDE, "go_runtime");
	assert_texts(f, got.profile, KEY_GROUPS_EXCLUDE, "user_tools");
	assert_texts(f, got.profile, KEY_FS_DENY, "");
	assert_texts(f, got.effective, KEY_GROUPS_INCLUDE,
		     "deny_credentials deny_keychains_linux "
		     "deny_browser_data_linux deny_shell_history "
		     "deny_shell_configs system_read_linux_core "
		     "system_read_linux_programs system_write_linux "
		     "homebrew_linux dangerous_commands "
		     "dangerous_commands_linux go_runtime");
	assert_texts(f, got.effective, KEY_GROUPS_EXCLUDE, "");
	assert_true(has(got.effective, KEY_FS_DENY, "~/.ssh"));
	assert_true(has(got.effective, KEY_FS_READ, "~/go"));
	assert_false(has(got.effective, KEY_FS_READ, "~/.local/bin"));
	assert_true(has(got.effective, KEY_COMMANDS_DENY, "rm"));
}

static void test_group_origin(void **state)
{
	struct files *f = *state;
	const struct field *read;
	const struct entry *last;
	const char *path = files_put(
		f, OWN "a.json", "{ \"filesystem\": { \"read\": [\"/a\"] } }");

	read = &load(f, "a").effective->field[KEY_FS_READ];
	assert_string_equal(read->items[0].text, "/bin");
	assert_string_equal(read->items[0].from.group,
			    "system_read_linux_core");
	assert_non_null(strstr(read->items[0].from.file, "groups.json"));
	last = &read->items[read->n - 1];
	assert_string_equal(last->text, "/a");
	assert_null(last->from.group);
	assert_string_equal(origin_text(&f->arena, &last->from),
			    arena_printf(&f->arena, "%s:1:28", path));
}

static void test_group_errors(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, OWN "a.json",
			  "{ \"groups\": { \"include\": [\"node_runtme\"] } }");

	fails(f, "a", EINVAL);
	files_error(&f->err,
		    "%s:1:27: unknown policy group: 'node_runtme'; did you "
		    "mean 'node_runtime'?",
		    path);
	(void)files_put(f, OWN "a.json",
			"{ \"groups\": { \"include\": [\"qqqqqqqqqq\"] } }");
	fails(f, "a", EINVAL);
	files_error(&f->err, "%s:1:27: unknown policy group: 'qqqqqqqqqq'",
		    path);
	(void)files_put(f, OWN "a.json",
			"{ \"groups\": { \"exclude\": [\"user_tools\","
			" \"deny_credentials\"] } }");
	fails(f, "a", EINVAL);
	files_error(&f->err,
		    "%s:1:41: cannot exclude required groups: "
		    "'deny_credentials'; for one path of it use "
		    "filesystem.bypass_protection",
		    path);
}

/* No error, as in nono, but a misspelling is said. */
static void test_unknown_excluded(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, OWN "a.json",
			  "{ \"groups\": { \"exclude\": [\"user_tool\","
			  " \"no-such\", \"nor-this\"] } }");
	const struct profile *p = load(f, "a").effective;

	assert_non_null(p->notes);
	assert_string_equal(
		p->notes->text,
		arena_printf(&f->arena,
			     "%s:1:27: groups.exclude names a group that does "
			     "not exist: 'user_tool'; did you mean "
			     "'user_tools'?",
			     path));
	assert_null(p->notes->next);
}

static void test_no_name(void **state)
{
	struct files *f = *state;
	struct loaded got;

	/* A file of that name is not taken unasked. */
	(void)files_put(f, OWN "default.json",
			"{ \"filesystem\": { \"read\": [\"/mine\"] } }");
	got = load(f, NULL);
	assert_string_equal(got.name, "default");
	assert_true(got.shipped);
	assert_true(has(got.effective, KEY_FS_DENY, "~/.ssh"));
	assert_true(has(got.effective, KEY_FS_READ, "/usr/bin"));
	assert_false(has(got.effective, KEY_FS_READ, "/mine"));
	assert_texts(f, got.effective, KEY_COMMANDS_DENY, "");
	assert_false(
		has(got.effective, KEY_GROUPS_INCLUDE, "dangerous_commands"));
	got = load(f, "default");
	assert_true(has(got.effective, KEY_FS_READ, "/mine"));
	assert_true(has(got.effective, KEY_COMMANDS_DENY, "rm"));
}

static void test_extends_flag(void **state)
{
	static const char *const bases[] = { "a", NULL };
	static const char *const missing[] = { "zzzzzz", NULL };
	struct files *f = *state;
	struct loaded got;

	(void)files_put(f, OWN "a.json",
			"{ \"workdir\": { \"access\": \"read\" },"
			" \"filesystem\": { \"read\": [\"/a\"] } }");
	(void)files_put(f, OWN "b.json",
			"{ \"workdir\": { \"access\": \"write\" },"
			" \"filesystem\": { \"read\": [\"/b\"] } }");
	(void)files_put(f, OWN "c.json",
			"{ \"extends\": \"b\","
			" \"filesystem\": { \"read\": [\"/c\"] } }");
	assert_int_equal(load_with(f, "c", bases, NULL, &got), 0);
	assert_texts(f, got.profile, KEY_FS_READ, "/a /b /c");
	assert_texts(f, got.profile, KEY_WORKDIR_ACCESS, "write");
	assert_int_equal(load_with(f, NULL, bases, NULL, &got), 0);
	assert_texts(f, got.profile, KEY_FS_READ, "/a");
	assert_int_equal(load_with(f, "c", missing, NULL, &got), -ENOENT);
	assert_non_null(strstr(
		f->err.msg, "--extends: base profile 'zzzzzz' not found in "));
}

static void test_flags(void **state)
{
	struct files *f = *state;
	struct profile *flags = profile_new(&f->arena);
	const struct entry path = {
		.text = "/flag",
		.from = { .file = "--read" },
	};
	struct loaded got;

	assert_non_null(flags);
	assert_int_equal(
		profile_append(&f->arena, &flags->field[KEY_FS_READ], &path),
		0);
	(void)files_put(f, OWN "a.json",
			"{ \"meta\": { \"name\": \"kept\" },"
			" \"filesystem\": { \"read\": [\"/a\"] } }");
	assert_int_equal(load_with(f, "a", NULL, flags, &got), 0);
	assert_texts(f, got.profile, KEY_FS_READ, "/a /flag");
	assert_string_equal(got.name, "kept");
	assert_int_equal(load_with(f, NULL, NULL, flags, &got), 0);
	assert_texts(f, got.profile, KEY_FS_READ, "/flag");
}

/* What is wrong in a base is said with its place. */
static void test_bad_base(void **state)
{
	struct files *f = *state;
	const char *path =
		files_put(f, OWN "a.json", "{\n \"filesytem\": {} }");

	(void)files_put(f, OWN "b.json", "{ \"extends\": \"a\" }");
	fails(f, "b", EINVAL);
	assert_int_equal(strncmp(f->err.msg,
				 arena_printf(&f->arena, "%s:2:2: ", path),
				 strlen(path) + 6),
			 0);
	(void)files_put(f, OWN "a.json", "{}");
	assert_int_equal(chmod(path, 0666), 0);
	fails(f, "b", EPERM);
	assert_non_null(strstr(f->err.msg, "chmod go-w"));
}

static int check(struct files *f, const char *text)
{
	struct loaded got;

	(void)files_put(f, OWN "a.json", text);
	got = load(f, "a");
	memset(&f->err, 0, sizeof(f->err));
	return load_check(&f->arena, got.effective, &f->err);
}

static void test_check(void **state)
{
	struct files *f = *state;
	const char *path = files_path(f, OWN "a.json");
	const char *want;

	assert_int_equal(check(f, "{}"), 0);
	assert_int_equal(check(f, "{ \"security\":"
				  " { \"capability_elevation\": false },"
				  " \"network\": { \"upstream_proxy\": null,"
				  "   \"credentials\": [] } }"),
			 0);
	assert_int_equal(check(f, "{ \"network\": {"
				  " \"upstream_proxy\": \"p.test:1\" },\n"
				  " \"security\":"
				  " { \"capability_elevation\": true } }"),
			 -EOPNOTSUPP);
	want = arena_printf(&f->arena,
			    "%s:2:40: security.capability_elevation is not "
			    "supported: ",
			    path);
	assert_non_null(want);
	/* and then the table's reason and remedy */
	assert_ptr_equal(strstr(f->err.msg, want), f->err.msg);
	assert_true(strlen(f->err.msg) > strlen(want) + 20);
}

/* "x0MIDv0", "x1MIDv1", ...: n strings, or members. */
static const char *many(struct files *f, const char *head, const char *mid,
			unsigned n, const char *tail)
{
	size_t room = strlen(head) + strlen(tail) + n * 32 + 1;
	char *text = arena_alloc(&f->arena, room, 1);
	size_t used;

	assert_non_null(text);
	used = (size_t)snprintf(text, room, "%s", head);
	for (unsigned i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, room - used,
					 "%s\"x%u%sv%u\"", i ? "," : "", i, mid,
					 i);
	(void)snprintf(text + used, room - used, "%s", tail);
	return text;
}

static void test_counts(void **state)
{
	static const struct {
		const char *head, *mid, *tail, *says;
		unsigned max;
	} cases[] = {
		{ "{\"network\":{\"no_proxy\":[", "-", "]}}",
		  "network.no_proxy has 1001 entries, more than 1000", 1000 },
		{ "{\"environment\":{\"set_vars\":{", "\":\"", "}}}",
		  "environment.set_vars has 4097 entries", 4096 },
		{ "{\"env_credentials\":{", "\":\"", "}}",
		  "env_credentials has 4097 entries", 4096 },
	};
	struct files *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *head = cases[i].head;
		const char *mid = cases[i].mid;
		const char *tail = cases[i].tail;
		unsigned max = cases[i].max;

		assert_int_equal(check(f, many(f, head, mid, max, tail)), 0);
		assert_int_equal(check(f, many(f, head, mid, max + 1, tail)),
				 -E2BIG);
		assert_non_null(strstr(f->err.msg, cases[i].says));
	}
}

/* All groups, the ones of other systems too, can be named. */
static void test_other_systems(void **state)
{
	struct files *f = *state;
	const struct profile *p;

	(void)files_put(f, OWN "a.json",
			"{ \"groups\": { \"include\": [\"go_runtime_macos\","
			" \"unlink_protection\", \"vscode_macos\"],"
			" \"exclude\": [\"dangerous_commands_macos\"] } }");
	p = load(f, "a").effective;
	assert_true(has(p, KEY_GROUPS_INCLUDE, "unlink_protection"));
	assert_null(p->notes);
}

int main(void)
{
#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, files_setup, files_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_order),	   TEST(test_forms),
		TEST(test_diamond),	   TEST(test_cycle),
		TEST(test_depth),	   TEST(test_many),
		TEST(test_bytes),	   TEST(test_missing),
		TEST(test_bad_names),	   TEST(test_beside),
		TEST(test_shipped_base),   TEST(test_own_name),
		TEST(test_overrides),	   TEST(test_name),
		TEST(test_default_groups), TEST(test_group_origin),
		TEST(test_group_errors),   TEST(test_unknown_excluded),
		TEST(test_no_name),	   TEST(test_extends_flag),
		TEST(test_flags),	   TEST(test_bad_base),
		TEST(test_check),	   TEST(test_counts),
		TEST(test_other_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
