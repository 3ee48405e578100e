/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the lists of `filesystem` to what a path may be used for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiles/grants.h"
#include "tests/unit/tree.h"

#define R  ((unsigned)ACCESS_READ)
#define W  ((unsigned)ACCESS_WRITE)
#define RW (R | W)
#define C  ((unsigned)ACCESS_CONNECT)
#define B  ((unsigned)ACCESS_BIND)

static struct grants resolve(struct tree *t)
{
	struct grants g;
	struct err e = { 0 };

	if (grants_resolve(t->profile, &t->vars, &t->arena, &g, &e) < 0)
		fail_msg("%s", e.msg);
	return g;
}

/* The message of the error that there must be. */
static const char *failure(struct tree *t)
{
	struct grants g;
	struct err e = { 0 };

	assert_int_equal(
		grants_resolve(t->profile, &t->vars, &t->arena, &g, &e),
		-EINVAL);
	return arena_strdup(&t->arena, e.msg);
}

static void assert_says(const char *message, const char *part)
{
	if (!strstr(message, part))
		fail_msg("\"%s\" lacks \"%s\"", message, part);
}

static const struct grant *find(struct tree *t, const struct grants *g,
				const char *resolved)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->items[i].resolved, with_root(t, resolved)) == 0)
			return &g->items[i];
	return NULL;
}

static unsigned access_to(struct tree *t, const struct grants *g,
			  const char *path)
{
	return grants_access(g, with_root(t, path));
}

/* The entry that was skipped for that path or text. */
static const struct skipped *skip_of(struct tree *t, const struct grants *g,
				     const char *text)
{
	for (size_t i = 0; i < g->n_skipped; i++)
		if (strcmp(g->skipped[i].text, with_root(t, text)) == 0)
			return &g->skipped[i];
	fail_msg("%s was not skipped", text);
	return NULL;
}

static void test_kinds(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "d/f");
	make_file(t, "e/f");
	add(t, KEY_FS_ALLOW, "@/d");
	add(t, KEY_FS_READ, "@/e/f");
	add(t, KEY_FS_WRITE, "/dev/null");
	add(t, KEY_FS_READ_FILE, "/dev/null");
	add(t, KEY_FS_READ, "@/missing");
	add_flag(t, KEY_FS_READ, "@/missing-flag", "--read");
	g = resolve(t);
	assert_int_equal(g.n, 3);
	assert_int_equal(find(t, &g, "@/d")->kind, GRANT_DIR);
	assert_int_equal(find(t, &g, "@/e/f")->kind, GRANT_FILE);
	assert_int_equal(find(t, &g, "/dev/null")->access, RW);
	assert_int_equal(access_to(t, &g, "@/d"), RW);
	assert_int_equal(access_to(t, &g, "@/d/f/x"), RW);
	assert_int_equal(access_to(t, &g, "@/dd"), 0);
	assert_int_equal(access_to(t, &g, "@/e"), 0);
	assert_int_equal(access_to(t, &g, "@/e/f"), R);
	assert_int_equal(access_to(t, &g, "@/e/f/x"), 0);
	assert_int_equal(g.n_skipped, 2);
	assert_string_equal(skip_of(t, &g, "@/missing")->why, "does not exist");
	assert_false(skip_of(t, &g, "@/missing")->flag);
	assert_true(skip_of(t, &g, "@/missing-flag")->flag);
	assert_int_equal(find(t, &g, "@/d")->from.line, 1);
}

static void test_directory_in_file_list(void **state)
{
	struct tree *t = *state;

	make_dir(t, "d");
	add(t, KEY_FS_READ_FILE, "@/d");
	assert_says(failure(t), "p.json:1:7: filesystem.read_file: \"");
	assert_says(failure(t), "expected a file but got a directory: grant "
				"it by filesystem.read");
	t->profile->field[KEY_FS_READ_FILE].n = 0;
	add_flag(t, KEY_FS_ALLOW_FILE, "@/d", "--allow-file");
	assert_says(failure(t), "--allow-file: \"");
	assert_says(failure(t), "grant it by --allow");
}

/* The lists of the seed: levels add up along the path. */
static void test_union(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_dir(t, "home/u/.local/share/claude/versions");
	make_dir(t, "home/u/.local/state/claude/locks");
	add(t, KEY_FS_ALLOW, "~/.local/state/claude/locks");
	add(t, KEY_FS_READ, "~/.local/state/claude/locks");
	add_group(t, KEY_FS_READ, "~/.local/share/claude", "claude_code_linux");
	add(t, KEY_FS_WRITE, "~/.local/share/claude/versions");
	g = resolve(t);
	assert_int_equal(g.n, 3);
	assert_int_equal(access_to(t, &g, "@/home/u/.local/state/claude/locks"),
			 RW);
	assert_int_equal(access_to(t, &g, "@/home/u/.local/share/claude/x"), R);
	assert_int_equal(
		access_to(t, &g, "@/home/u/.local/share/claude/versions/x"),
		RW);
}

static void test_replaces_group(void **state)
{
	struct tree *t = *state;
	struct grants g;
	const struct grant *x;

	make_dir(t, "a");
	make_dir(t, "b");
	make_link(t, "la", "a");
	add_group(t, KEY_FS_ALLOW, "@/a", "one");
	add_group(t, KEY_FS_READ, "@/b", "one");
	add_group(t, KEY_FS_WRITE, "@/b", "two");
	add(t, KEY_FS_READ, "@/la");
	g = resolve(t);
	assert_int_equal(g.n, 2);
	x = find(t, &g, "@/a");
	assert_int_equal(x->access, R);
	assert_null(x->from.group);
	assert_int_equal(x->from.line, 4);
	/* both names remain, with the links on their way */
	assert_string_equal(x->path, at(t, "a"));
	assert_string_equal(x->aliases->path, at(t, "la"));
	assert_string_equal(x->aliases->links->target, "a");
	assert_null(x->aliases->next);
	x = find(t, &g, "@/b");
	assert_int_equal(x->access, RW);
	assert_string_equal(x->from.group, "one");
	assert_int_equal(x->from.line, 2);
}

/* A group behind the profile does not widen it either. */
static void test_group_behind_profile(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_dir(t, "a");
	add(t, KEY_FS_READ, "@/a");
	add_group(t, KEY_FS_WRITE, "@/a", "one");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/a"), R);
}

static void test_variables(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_dir(t, "work/app/$NOPE");
	make_dir(t, "work/app/rel");
	make_dir(t, "work/other");
	make_dir(t, "a*b/x");
	make_dir(t, "axb/x");
	t->environ[0] = arena_printf(&t->arena, "ODD=%s", at(t, "a*b"));
	add(t, KEY_FS_READ, "rel");
	add(t, KEY_FS_READ, "../other");
	add(t, KEY_FS_READ, "$NOPE");
	add(t, KEY_FS_READ, "");
	add(t, KEY_FS_WRITE, "$ODD");
	add(t, KEY_FS_WRITE, "$ODD/*");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/work/app/rel"), R);
	assert_int_equal(access_to(t, &g, "@/work/other"), R);
	assert_int_equal(access_to(t, &g, "@/work/app/$NOPE"), 0);
	assert_int_equal(access_to(t, &g, "@/work/app"), 0);
	assert_int_equal(access_to(t, &g, "@/a*b/x"), W);
	assert_int_equal(access_to(t, &g, "@/axb/x"), 0);
	assert_says(skip_of(t, &g, "$NOPE")->why, "variable that is not set");
	add(t, KEY_FS_WRITE, "@/*/$ODD");
	assert_says(failure(t), "has a * in it");
}

/* A denial that is lost is an error, not a word among others. */
static void test_lost_denials(void **state)
{
	static const struct {
		enum profile_key key;
		const char *text;
		const char *says;
	} cases[] = {
		{ KEY_FS_DENY, "@/d/key?", "write * for any text" },
		{ KEY_FS_DENY, "@/d/[ab]", "p.json:1:7: filesystem.deny: " },
		{ KEY_FS_DENY, "@/d[1]/*", "? and [ are no patterns" },
		{ KEY_FS_BYPASS_PROTECTION, "@/d/key?", "are no patterns" },
		{ KEY_FS_BYPASS_PROTECTION, "@/d[1]/*", "are no patterns" },
		{ KEY_FS_DENY, "$NOPE/x", "variable that is not set" },
		{ KEY_FS_DENY, "$NOPE/*", "variable that is not set" },
	};
	struct tree *t = *state;
	struct grants g;

	make_file(t, "d/key1");
	make_file(t, "d/a");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		t->line = 0;
		add(t, cases[i].key, cases[i].text);
		assert_says(failure(t), cases[i].says);
		t->profile->field[cases[i].key].n = 0;
	}
	/* What is there is meant, and a plain path may come later. */
	make_file(t, "d/[ab]");
	add(t, KEY_FS_DENY, "@/d/[ab]");
	add(t, KEY_FS_DENY, "@/d/later");
	add(t, KEY_FS_READ, "@/d");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/d/[ab]"), 0);
	assert_int_equal(access_to(t, &g, "@/d/a"), R);
}

static void test_entry_errors(void **state)
{
	static const struct {
		const char *text;
		const char *group;
		const char *says;
	} cases[] = {
		{ "${HOME}/x", NULL, "p.json:1:7: filesystem.read: \"${HOME}" },
		{ "$NOPE/x", "g", "groups.json:1:9: filesystem.read: \"$NOPE" },
		{ "~root", NULL, "write the path" },
		{ "~*", NULL, "a / is missing" },
		{ "$HOME*", NULL, "a / is missing" },
		{ "~/*.?", NULL, "? and [ are not known in patterns" },
		{ "~/*/[ab]", NULL, "? and [ are not known in patterns" },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		t->profile->field[KEY_FS_READ].n = 0;
		t->line = 0;
		if (cases[i].group)
			add_group(t, KEY_FS_READ, cases[i].text, "g");
		else
			add(t, KEY_FS_READ, cases[i].text);
		assert_says(failure(t), cases[i].says);
	}
}

static void test_patterns(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "p/[x]/one.log");
	make_file(t, "p/[x]/two.log");
	make_file(t, "p/[x]/dir.log/f");
	make_file(t, "out/key");
	make_link(t, "p/[x]/key.log", "@out/key");
	make_link(t, "p/[x]/in.log", "one.log");
	add(t, KEY_FS_READ_FILE, "@/p/[x]/*.log");
	add(t, KEY_FS_WRITE, "@/p/*/dir*");
	add(t, KEY_FS_READ, "@/p/*.none");
	add(t, KEY_FS_READ, "@/p/[y]");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/p/[x]/one.log"), R);
	assert_int_equal(access_to(t, &g, "@/p/[x]/two.log"), R);
	assert_int_equal(access_to(t, &g, "@/p/[x]/dir.log/f"), W);
	assert_int_equal(access_to(t, &g, "@/out/key"), 0);
	assert_says(skip_of(t, &g, "@/p/[x]/key.log")->why, "leads out of");
	assert_string_equal(skip_of(t, &g, "@/p/*.none")->why,
			    "matches nothing");
	assert_says(skip_of(t, &g, "@/p/[y]")->why, "are no patterns");
	/* in.log is another name of one.log: which is the first is by sort */
	assert_string_equal(find(t, &g, "@/p/[x]/one.log")->path,
			    at(t, "p/[x]/in.log"));
	assert_int_equal(g.n, 3);
}

static void test_links(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "home/u/.claude/claude.json");
	make_link(t, "home/u/.claude.json", ".claude/claude.json");
	make_link(t, "home/u/loop", "loop");
	make_link(t, "home/u/dead", "@nowhere");
	add(t, KEY_FS_ALLOW_FILE, "~/.claude.json");
	add(t, KEY_FS_READ, "~/loop");
	add(t, KEY_FS_READ, "~/dead");
	g = resolve(t);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.items[0].path, at(t, "home/u/.claude.json"));
	assert_string_equal(g.items[0].resolved,
			    at(t, "home/u/.claude/claude.json"));
	assert_string_equal(g.items[0].links->target, ".claude/claude.json");
	assert_int_equal(access_to(t, &g, "@/home/u/.claude/claude.json"), RW);
	assert_says(skip_of(t, &g, "~/loop")->why,
		    "cannot be reached: Too many");
	assert_says(skip_of(t, &g, "~/dead")->why, "nowhere, which does not");
}

/* A link that an earlier run could have made opens nothing. */
static void test_planted_link(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "private/key");
	make_dir(t, "cache/real");
	make_link(t, "cache/tool", "@private");
	make_link(t, "cache/inner", "real");
	make_link(t, "work/app/data", "@private");
	add(t, KEY_FS_ALLOW, "@/cache");
	add(t, KEY_FS_READ, "@/cache/tool");
	add(t, KEY_FS_READ_FILE, "@/cache/tool/key");
	add(t, KEY_FS_READ, "@/cache/inner");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/private/key"), 0);
	assert_int_equal(access_to(t, &g, "@/cache/real"), RW);
	assert_int_equal(g.n, 2);
	assert_true(skip_of(t, &g, "@/cache/tool")->flag);
	assert_says(skip_of(t, &g, "@/cache/tool")->why,
		    "where the command may write");
	/* named by another way too: then it is granted */
	add(t, KEY_FS_READ, "@/private");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/private/key"), R);
	assert_null(find(t, &g, "@/private")->aliases);
	/* nor does it lift a denial */
	add(t, KEY_FS_DENY, "@/private");
	add(t, KEY_FS_BYPASS_PROTECTION, "@/cache/tool");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/private/key"), 0);
	t->profile->field[KEY_FS_DENY].n = 0;
	t->profile->field[KEY_FS_BYPASS_PROTECTION].n = 0;
	/* a folder that is only read is nobody's to plant in */
	make_link(t, "etc/data", "@private");
	t->profile->field[KEY_FS_READ].n = 0;
	add(t, KEY_FS_READ, "@/etc");
	add(t, KEY_FS_READ, "@/etc/data");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/private/key"), R);
	/* the same in the working directory, if that is granted */
	t->profile->field[KEY_FS_READ].n = 0;
	t->profile->field[KEY_FS_READ_FILE].n = 0;
	add(t, KEY_FS_READ, "data");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/private/key"), R);
	add(t, KEY_WORKDIR_ACCESS, "readwrite");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/private/key"), 0);
}

static void test_home_in_tmp(void **state)
{
	struct tree *t = *state;
	struct grants g;

	add_group(t, KEY_FS_WRITE, "/tmp", "system_write_linux");
	add_group(t, KEY_FS_WRITE, "/dev/null", "system_write_linux");
	g = resolve(t);
	assert_int_equal(g.n, 1);
	assert_says(skip_of(t, &g, "/tmp")->why, "home folder lies in it");
	t->vars.home = "/home/u";
	g = resolve(t);
	assert_int_equal(g.n, 2);
}

static void locked(struct tree *t)
{
	struct grants g = resolve(t);

	assert_int_equal(g.n, 0);
	assert_string_equal(skip_of(t, &g, "@/locked/f")->why,
			    "cannot be reached: Permission denied");
	assert_int_equal(g.n_denials, 1);
	assert_false(g.denials[0].exists);
	assert_string_equal(g.denials[0].resolved, at(t, "locked/g"));
}

static void test_unreadable_parent(void **state)
{
	struct tree *t = *state;

	make_file(t, "locked/f");
	make_file(t, "locked/g");
	add(t, KEY_FS_READ, "@/locked/f");
	add(t, KEY_FS_READ, "@/locked/*");
	add(t, KEY_FS_DENY, "@/locked/g");
	assert_int_equal(chmod(at(t, "locked"), 0), 0);
	as_nobody(locked, t);
	assert_int_equal(chmod(at(t, "locked"), 0755), 0);
}

static void test_sockets(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_socket(t, "s/one");
	make_file(t, "s/file");
	make_socket(t, "s/sub/two");
	make_dir(t, "n");
	add(t, KEY_FS_UNIX_SOCKET, "@/s/one");
	add(t, KEY_FS_UNIX_SOCKET, "@/s/file");
	add(t, KEY_FS_UNIX_SOCKET, "@/s/gone");
	add(t, KEY_FS_UNIX_SOCKET_BIND, "@/n/new");
	add(t, KEY_FS_UNIX_SOCKET_BIND, "@/nodir/new");
	add(t, KEY_FS_UNIX_SOCKET_BIND, "~/new");
	add(t, KEY_FS_UNIX_SOCKET_DIR, "@/s/sub");
	add(t, KEY_FS_UNIX_SOCKET_DIR, "@/s/file");
	add(t, KEY_FS_UNIX_SOCKET_SUBTREE_BIND, "@/work");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/s/one"), R | C);
	assert_int_equal(access_to(t, &g, "@/s/one/x"), 0);
	assert_int_equal(access_to(t, &g, "@/s/file"), 0);
	assert_int_equal(access_to(t, &g, "@/s/sub/two"), C);
	assert_int_equal(access_to(t, &g, "@/s/sub/x/y"), 0);
	assert_int_equal(access_to(t, &g, "@/s/sub"), 0);
	assert_int_equal(access_to(t, &g, "@/work/a/b"), C | B);
	assert_int_equal(access_to(t, &g, "@/work"), 0);
	assert_int_equal(access_to(t, &g, "@/n/new"), RW | C | B);
	assert_int_equal(access_to(t, &g, "@/n/tmp"), RW);
	assert_true(find(t, &g, "@/n")->implied);
	assert_string_equal(skip_of(t, &g, "@/s/file")->why, "is not a socket");
	assert_string_equal(skip_of(t, &g, "@/nodir/new")->why,
			    "its folder does not exist");
	assert_says(skip_of(t, &g, "~/new")->why, "all of your home folder");
	assert_int_equal(access_to(t, &g, "@/home/u/x"), 0);
	make_link(t, "n/dead", "@n/other");
	add(t, KEY_FS_UNIX_SOCKET_BIND, "@/n/dead");
	assert_says(failure(t), "which does not exist: remove the link");
}

static void test_deny(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "home/u/.ssh/id");
	make_dir(t, "home/u/.sshfoo");
	make_file(t, "dot/netrc");
	make_link(t, "home/u/.netrc", "@dot/netrc");
	add_group(t, KEY_FS_DENY, "~/.ssh", "deny_credentials");
	add_group(t, KEY_FS_DENY, "~/.netrc", "deny_credentials");
	add_group(t, KEY_FS_DENY, "~/.aws", "deny_credentials");
	add(t, KEY_FS_READ, "~");
	add(t, KEY_FS_READ, "@/dot");
	g = resolve(t);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.n_denials, 3);
	assert_int_equal(access_to(t, &g, "@/home/u/.ssh/id"), 0);
	assert_int_equal(access_to(t, &g, "@/home/u/.ssh"), 0);
	assert_int_equal(access_to(t, &g, "@/home/u/.sshfoo"), R);
	assert_int_equal(access_to(t, &g, "@/home/u/.netrc"), 0);
	assert_int_equal(access_to(t, &g, "@/dot/netrc"), 0);
	assert_int_equal(access_to(t, &g, "@/dot/x"), R);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/x"), 0);
	assert_true(g.denials[0].exists && g.denials[0].directory);
	assert_true(g.denials[1].exists && !g.denials[1].directory);
	assert_false(g.denials[2].exists);
}

/* A grant at or below a denial loses, and the user is told of the flag. */
static void test_deny_beats_grant(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "home/u/.ssh/known_hosts");
	make_file(t, "home/u/.zshrc");
	make_file(t, "dot/config");
	make_link(t, "home/u/.ssh/config", "@dot/config");
	add_group(t, KEY_FS_DENY, "~/.ssh", "deny_credentials");
	add_group(t, KEY_FS_DENY, "~/.zshrc", "deny_shell_configs");
	add_flag(t, KEY_FS_READ, "~/.ssh", "--read");
	add(t, KEY_FS_READ_FILE, "~/.ssh/known_hosts");
	add(t, KEY_FS_READ_FILE, "~/.ssh/config");
	add_group(t, KEY_FS_READ_FILE, "~/.zshrc", "some");
	g = resolve(t);
	assert_int_equal(g.n, 0);
	assert_int_equal(g.n_skipped, 4);
	assert_true(skip_of(t, &g, "@/home/u/.ssh")->flag);
	assert_true(skip_of(t, &g, "@/home/u/.ssh/config")->flag);
	assert_false(skip_of(t, &g, "@/home/u/.zshrc")->flag);
	assert_says(skip_of(t, &g, "@/home/u/.ssh/known_hosts")->why,
		    "is denied by deny_credentials: --bypass-protection");
	assert_int_equal(access_to(t, &g, "@/dot/config"), 0);
	/* the same place by a way that is not denied */
	add(t, KEY_FS_READ_FILE, "@/dot/config");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/dot/config"), R);
	assert_string_equal(g.items[0].path, at(t, "dot/config"));
}

static void test_deny_patterns(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "work/app/.env");
	make_file(t, "work/app/sub/.env");
	make_file(t, "work/app/sub/main.c");
	make_file(t, "vault/key");
	make_link(t, "work/app/sub/.envrc", "@vault/key");
	add(t, KEY_FS_ALLOW, "$WORKDIR");
	add(t, KEY_FS_READ, "@/vault");
	add(t, KEY_FS_DENY, "**/.env*");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/work/app/.env"), 0);
	assert_int_equal(access_to(t, &g, "@/work/app/sub/.env"), 0);
	assert_int_equal(access_to(t, &g, "@/work/app/sub/main.c"), RW);
	/* a match that leads out is denied there too */
	assert_int_equal(access_to(t, &g, "@/vault/key"), 0);
	assert_int_equal(access_to(t, &g, "@/vault/x"), R);
}

static void test_bypass(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "home/u/.aws/config");
	make_file(t, "home/u/.kube/config");
	add_group(t, KEY_FS_DENY, "~/.aws", "deny_credentials");
	add_group(t, KEY_FS_DENY, "~/.kube", "deny_credentials");
	add(t, KEY_FS_READ, "~/.aws");
	add_group(t, KEY_FS_ALLOW, "~/.aws/config", "some");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.aws");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.gone");
	g = resolve(t);
	/* no more than the grant that it rests on */
	assert_int_equal(g.denials[0].bypassed, R);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/config"), R);
	assert_int_equal(g.denials[1].bypassed, 0);
	assert_true(skip_of(t, &g, "~/.gone")->flag);
	/* a grant of a group is no grant */
	add_group(t, KEY_FS_READ, "~/.kube", "some");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.kube");
	assert_says(failure(t),
		    "filesystem.bypass_protection: "
		    "bypass_protection \"~/.kube\" has no matching");
	add_flag(t, KEY_FS_READ_FILE, "~/.kube/config", "--read-file");
	assert_says(failure(t), "has no matching grant");
	add_flag(t, KEY_FS_ALLOW, "~", "--allow");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/home/u/.kube/config"), RW);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/config"), RW);
}

/* Inside a denied folder only what is named comes back. */
static void test_bypass_below(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "home/u/.aws/config");
	make_file(t, "home/u/.aws/credentials");
	add_group(t, KEY_FS_DENY, "~/.aws", "deny_credentials");
	add(t, KEY_FS_READ, "~");
	add(t, KEY_FS_WRITE, "~/.aws/config");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/.aws/config");
	g = resolve(t);
	assert_int_equal(g.denials[0].bypassed, 0);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/config"), RW);
	assert_int_equal(find(t, &g, "@/home/u/.aws/config")->access, RW);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/credentials"), 0);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws"), 0);
	assert_non_null(grants_denial(&g, at(t, "home/u/.aws/x"), R));
	/* by a link from outside of it */
	make_link(t, "home/u/creds", ".aws/credentials");
	add(t, KEY_FS_BYPASS_PROTECTION, "~/creds");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/credentials"), R);
	t->profile->field[KEY_FS_BYPASS_PROTECTION].n = 1;
	/* one denial lifted, the one above stays */
	add(t, KEY_FS_DENY, "~/.aws/config");
	add(t, KEY_FS_DENY, "~/.aws/credentials");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/config"), RW);
	assert_int_equal(access_to(t, &g, "@/home/u/.aws/credentials"), 0);
}

/* The level of the working directory is a grant to rest on. */
static void test_bypass_in_workdir(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_file(t, "work/app/.env");
	add_group(t, KEY_FS_DENY, "$HOME/../../work/app/.env", "some");
	add(t, KEY_WORKDIR_ACCESS, "read");
	add(t, KEY_FS_BYPASS_PROTECTION, ".env");
	g = resolve(t);
	assert_int_equal(g.denials[0].bypassed, R);
}

static void test_protected(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_dir(t, "home/u/.config/egress-run/profiles");
	make_dir(t, "home/u/.config/nono/profiles");
	make_dir(t, "home/u/.config/nono/profile-drafts");
	add(t, KEY_FS_ALLOW, "~/.config/nono/profiles");
	add(t, KEY_FS_WRITE, "~/.config/egress-run/profiles");
	add(t, KEY_FS_ALLOW, "~/.config/nono/profile-drafts");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/home/u/.config/nono/profiles"), R);
	assert_int_equal(
		access_to(t, &g, "@/home/u/.config/nono/profile-drafts"), RW);
	assert_null(find(t, &g, "@/home/u/.config/egress-run/profiles"));
	assert_says(skip_of(t, &g, "@/home/u/.config/nono/profiles")->why,
		    "is not writable");
	assert_int_equal(g.n_protected, 4);
	assert_true(g.protected[0].exists);
	/* a grant above stays, and they stay read-only in it */
	add(t, KEY_FS_ALLOW, "~/.config");
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/home/u/.config/x"), RW);
	assert_int_equal(access_to(t, &g, "@/home/u/.config/egress-run/x"), R);
	t->environ[0] =
		arena_printf(&t->arena, "XDG_CONFIG_HOME=%s", at(t, "work"));
	g = resolve(t);
	assert_int_equal(access_to(t, &g, "@/home/u/.config/egress-run/x"), RW);
	assert_string_equal(g.protected[0].path, at(t, "work/egress-run"));
	assert_false(g.protected[0].exists);
}

static void test_by_flag(void **state)
{
	struct tree *t = *state;
	struct grants g;

	make_dir(t, "d/e");
	add(t, KEY_FS_ALLOW, "@/d");
	add(t, KEY_FS_ALLOW, "@/d/e");
	add_flag(t, KEY_FS_READ, "@/d/e", "--read");
	g = resolve(t);
	assert_int_equal(find(t, &g, "@/d/e")->access, RW);
	assert_int_equal(grants_access_by_flag(&g, at(t, "d/e/f")), R);
	assert_int_equal(grants_access_by_flag(&g, at(t, "d")), 0);
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(grant_access_text(R), "r");
	assert_string_equal(grant_access_text(W), "w");
	assert_string_equal(grant_access_text(RW), "r+w");
	assert_string_equal(grant_access_text(C), "connect");
	assert_string_equal(grant_access_text(R | C), "r connect");
	assert_string_equal(grant_access_text(RW | C | B), "r+w connect+bind");
	assert_string_equal(grant_access_text(B), "bind");
	assert_string_equal(grant_access_text(0), "");
}

/* Combining, denying and looking up stay linear. */
static void test_many(void **state)
{
	enum { MANY = 3000 };
	struct tree *t = *state;
	struct grants g;

	for (int i = 0; i < MANY; i++)
		make_file(t, arena_printf(&t->arena, "m/%05d", i));
	add(t, KEY_FS_READ, "@/m/*");
	add(t, KEY_FS_WRITE_FILE, "@/**/m/*");
	add(t, KEY_FS_DENY, "@/m/*9");
	g = resolve(t);
	assert_int_equal(g.n, MANY - MANY / 10);
	assert_int_equal(g.n_denials, MANY / 10);
	assert_int_equal(g.items[0].access, RW);
	assert_int_equal(access_to(t, &g, "@/m/00009"), 0);
}

int main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_kinds),
		TREE_TEST(test_directory_in_file_list),
		TREE_TEST(test_union),
		TREE_TEST(test_replaces_group),
		TREE_TEST(test_group_behind_profile),
		TREE_TEST(test_variables),
		TREE_TEST(test_lost_denials),
		TREE_TEST(test_entry_errors),
		TREE_TEST(test_patterns),
		TREE_TEST(test_links),
		TREE_TEST(test_planted_link),
		TREE_TEST(test_home_in_tmp),
		TREE_TEST(test_unreadable_parent),
		TREE_TEST(test_sockets),
		TREE_TEST(test_deny),
		TREE_TEST(test_deny_beats_grant),
		TREE_TEST(test_deny_patterns),
		TREE_TEST(test_bypass),
		TREE_TEST(test_bypass_below),
		TREE_TEST(test_bypass_in_workdir),
		TREE_TEST(test_protected),
		TREE_TEST(test_by_flag),
		cmocka_unit_test(test_texts),
		TREE_TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
