/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is named at the end of a run, and the parser for git's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "fsrules/changes.h"
#include "fsrules/gitconfig.h"
#include "tests/unit/tree.h"

#define R  ((unsigned)ACCESS_READ)
#define RW ((unsigned)(ACCESS_READ | ACCESS_WRITE))

struct lab {
	struct tree *t;
	struct grants g;
	struct changes *c;
	struct change *all;
	size_t n, more;
};

static int setup(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(tree_setup((void **)&l->t), 0);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	changes_free(l->c);
	tree_teardown((void **)&l->t);
	free(l);
	return 0;
}

static struct grant *grant(struct lab *l, const char *path,
			   enum grant_kind kind, unsigned access)
{
	struct grant *items = arena_grow(&l->t->arena, l->g.items, l->g.n,
					 &l->g.room, sizeof(*items));

	assert_non_null(items);
	l->g.items = items;
	items[l->g.n] = (struct grant) { .path = at(l->t, path),
					 .resolved = at(l->t, path),
					 .kind = kind,
					 .access = access };
	return &items[l->g.n++];
}

static void put(struct lab *l, const char *path, const char *text)
{
	int fd;

	make_parent(l->t, path);
	fd = open(at(l->t, path), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC,
		  0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void begin(struct lab *l)
{
	struct err e = { 0 };

	grant(l, "work/app", GRANT_DIR, RW)->implied = true;
	if (changes_begin(&l->g, l->t->vars.home, &l->c, &e) < 0)
		fail_msg("%s", e.msg);
}

static void end(struct lab *l)
{
	assert_int_equal(
		changes_end(l->c, &l->t->arena, &l->all, &l->n, 100, &l->more),
		0);
}

static const struct change *find(struct lab *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->all[i].path, at(l->t, path)) == 0)
			return &l->all[i];
	return NULL;
}

static void assert_named(struct lab *l, const char *path, bool is_new)
{
	const struct change *x = find(l, path);

	if (!x)
		fail_msg("%s is not named", path);
	else
		assert_int_equal(x->is_new, is_new);
}

/* Nothing is named but what the test has asked for. */
static void assert_n(struct lab *l, size_t n)
{
	if (l->n != n)
		fail_msg("%zu instead of %zu, the last is %s", l->n, n,
			 l->n > 0 ? l->all[l->n - 1].path : "none");
}

static void test_nothing(void **state)
{
	struct lab *l = *state;

	put(l, "work/app/.envrc", "x");
	put(l, "work/app/.git/config", "[alias]\nx = !sh\n");
	begin(l);
	put(l, "work/app/main.c", "x");
	put(l, "work/app/Makefile", "x");
	put(l, "work/app/.env", "x");
	end(l);
	assert_n(l, 0);
	assert_int_equal(l->more, 0);
}

static void test_new_and_changed(void **state)
{
	struct lab *l = *state;

	put(l, "work/app/.envrc", "old");
	put(l, "work/app/.vscode/tasks.json", "old");
	put(l, "work/app/.vscode/launch.json", "old");
	put(l, "work/app/.husky/pre-commit", "old");
	begin(l);
	put(l, "work/app/.envrc", "new");
	put(l, "work/app/.vscode/settings.json", "new");
	/* Written again as it was. */
	put(l, "work/app/.vscode/tasks.json", "old");
	assert_int_equal(unlink(at(l->t, "work/app/.vscode/launch.json")), 0);
	assert_int_equal(chmod(at(l->t, "work/app/.husky/pre-commit"), 0755),
			 0);
	put(l, "work/app/.git/hooks/post-commit", "new");
	put(l, "work/app/.git/hooks/pre-push.sample", "new");
	put(l, "work/app/.claude/commands/a/b.md", "new");
	put(l, "work/app/.mcp.json", "");
	end(l);
	assert_named(l, "work/app/.envrc", false);
	assert_named(l, "work/app/.vscode/settings.json", true);
	assert_named(l, "work/app/.husky/pre-commit", false);
	assert_named(l, "work/app/.git/hooks/post-commit", true);
	assert_named(l, "work/app/.claude/commands/a/b.md", true);
	assert_named(l, "work/app/.mcp.json", true);
	assert_n(l, 6);
	assert_string_equal(find(l, "work/app/.envrc")->why, "run by direnv");
	for (size_t i = 1; i < l->n; i++)
		assert_true(strcmp(l->all[i - 1].path, l->all[i].path) < 0);
}

static void test_git(void **state)
{
	struct lab *l = *state;

	put(l, "work/app/.git/config",
	    "[core]\n\tbare = false\n[alias]\n\tst = status\n\tx = !true\n");
	put(l, "work/app/lib/.git/config", "[core]\n");
	begin(l);
	put(l, "work/app/.git/config",
	    "[user]\n\tname = me\n[alias]\n\tx = !true\n");
	end(l);
	assert_n(l, 0);
	changes_free(l->c);
	l->g.n = 0;
	begin(l);
	put(l, "work/app/.git/config", "[core]\n\tfsmonitor = ./x\n");
	put(l, "work/app/lib/.git/config", "[user]\n\tname = me\n");
	put(l, "work/app/new/.git/config",
	    "[remote \"o\"]\n\turl = https://example.org/x\n");
	put(l, "work/app/new2/.git/config", "[core]\n\tpager = ./x\n");
	put(l, "work/app/sub/.git", "gitdir: /elsewhere\n");
	put(l, "work/app/.git/modules/m/config", "[core]hooksPath=.\n");
	put(l, "work/app/bare/HEAD", "ref: refs/heads/main\n");
	put(l, "work/app/bare/config", "[core]\nfsmonitor = ./x\n");
	make_dir(l->t, "work/app/bare/objects");
	make_dir(l->t, "work/app/bare/refs");
	put(l, "work/app/other/config", "[core]\nfsmonitor = ./x\n");
	end(l);
	assert_named(l, "work/app/.git/config", false);
	assert_named(l, "work/app/new2/.git/config", true);
	assert_named(l, "work/app/sub/.git", true);
	assert_named(l, "work/app/.git/modules/m/config", true);
	assert_named(l, "work/app/bare/config", true);
	assert_n(l, 5);
}

static void test_nested(void **state)
{
	struct lab *l = *state;

	begin(l);
	put(l, "work/app/a/b/c/d/.envrc", "deep enough");
	put(l, "work/app/a/b/c/d/e/.envrc", "too deep");
	put(l, "work/app/node_modules/x/.envrc", "not ours");
	put(l, "work/app/pkg/.vscode/tasks.json", "x");
	end(l);
	assert_named(l, "work/app/a/b/c/d/.envrc", true);
	assert_named(l, "work/app/pkg/.vscode/tasks.json", true);
	assert_n(l, 2);
}

/* Only what the command may write. */
static void test_home(void **state)
{
	struct lab *l = *state;

	put(l, "home/u/.bashrc", "old");
	put(l, "home/u/.zshrc", "old");
	grant(l, "home/u/.claude", GRANT_DIR, RW);
	grant(l, "home/u/.local/bin", GRANT_DIR, RW);
	grant(l, "home/u/.zshrc", GRANT_FILE, RW);
	grant(l, "home/u/.ssh", GRANT_DIR, R);
	begin(l);
	put(l, "home/u/.bashrc", "new");
	put(l, "home/u/.zshrc", "new");
	put(l, "home/u/.claude/settings.json", "{}");
	put(l, "home/u/.claude/history.jsonl", "{}");
	put(l, "home/u/.local/bin/ls", "#!");
	put(l, "home/u/.ssh/authorized_keys", "x");
	end(l);
	assert_named(l, "home/u/.zshrc", false);
	assert_named(l, "home/u/.claude/settings.json", true);
	assert_named(l, "home/u/.local/bin/ls", true);
	assert_n(l, 3);
}

static void test_denied(void **state)
{
	struct lab *l = *state;
	struct denial d = { .path = at(l->t, "work/app/.vscode"),
			    .resolved = at(l->t, "work/app/.vscode"),
			    .exists = true,
			    .directory = true };

	l->g.denials = &d;
	l->g.n_denials = 1;
	begin(l);
	put(l, "work/app/.vscode/tasks.json", "from outside");
	end(l);
	assert_n(l, 0);
}

/* What the command leaves there to stop or to mislead. */
static void test_hostile(void **state)
{
	struct lab *l = *state;

	put(l, "work/app/.envrc", "old");
	put(l, "work/app/.npmrc", "old");
	begin(l);
	assert_int_equal(unlink(at(l->t, "work/app/.envrc")), 0);
	make_link(l->t, "work/app/.envrc", "/etc/passwd");
	assert_int_equal(unlink(at(l->t, "work/app/.npmrc")), 0);
	assert_int_equal(mkfifo(at(l->t, "work/app/.npmrc"), 0600), 0);
	make_dir(l->t, "work/app/.git");
	assert_int_equal(mkfifo(at(l->t, "work/app/.git/config"), 0600), 0);
	make_link(l->t, "work/app/loop", "@work/app");
	make_link(l->t, "work/app/.idea", ".idea");
	end(l);
	assert_named(l, "work/app/.envrc", false);
	assert_n(l, 1);
}

static void test_many(void **state)
{
	struct lab *l = *state;

	begin(l);
	for (int i = 0; i < 150; i++)
		put(l, arena_printf(&l->t->arena, "work/app/.husky/h%03d", i),
		    "x");
	end(l);
	assert_int_equal(l->n, 100);
	assert_int_equal(l->more, 50);
	assert_named(l, "work/app/.husky/h000", true);
}

/* A file too big to be read is known by its stamp. */
static void test_big(void **state)
{
	struct lab *l = *state;

	put(l, "work/app/.envrc", "x");
	put(l, "work/app/.npmrc", "x");
	assert_int_equal(truncate(at(l->t, "work/app/.envrc"), 1 << 20), 0);
	assert_int_equal(truncate(at(l->t, "work/app/.npmrc"), 1 << 20), 0);
	begin(l);
	put(l, "work/app/tmp", "x");
	assert_int_equal(truncate(at(l->t, "work/app/tmp"), 1 << 20), 0);
	assert_int_equal(
		rename(at(l->t, "work/app/tmp"), at(l->t, "work/app/.envrc")),
		0);
	end(l);
	assert_named(l, "work/app/.envrc", false);
	assert_n(l, 1);
}

/* Until the clock of the file systems is past what was written last. */
static void next_tick(void)
{
	struct timespec now;
	struct timespec tick;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	do {
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &tick);
	} while (tick.tv_sec < now.tv_sec ||
		 (tick.tv_sec == now.tv_sec && tick.tv_nsec <= now.tv_nsec));
}

/* The start did not see everything: what is older than it is not new. */
static void test_cut(void **state)
{
	struct lab *l = *state;

	for (int i = 0; i < 600; i++)
		put(l, arena_printf(&l->t->arena, "work/app/.husky/h%03d", i),
		    "x");
	next_tick();
	begin(l);
	for (int i = 0; i < 300; i++)
		assert_int_equal(
			unlink(at(l->t,
				  arena_printf(&l->t->arena,
					       "work/app/.husky/h%03d", i))),
			0);
	end(l);
	assert_n(l, 0);
}

struct parsed {
	char text[512];
	size_t len;
};

static int add_parsed(void *arg, const char *name, const char *value)
{
	struct parsed *p = arg;

	p->len += (size_t)snprintf(p->text + p->len, sizeof(p->text) - p->len,
				   "%s=%s|", name, value);
	assert_true(p->len < sizeof(p->text));
	return 0;
}

static void test_gitconfig(void **state)
{
	static const struct {
		const char *text, *commands;
	} cases[] = {
		{ "", "" },
		{ "[alias]\nx = !sh", "alias.x=!sh|" },
		{ "[alias]\nx = status", "" },
		{ "[ALIAS] X = !sh ; c", "alias.x=!sh|" },
		{ "\xef\xbb\xbf[core]\npager=a\r\n", "core.pager=a|" },
		{ "[core]\n# pager = a\n; editor = b\neditor = c # d\n",
		  "core.editor=c|" },
		{ "[core]\npager = \"a # b\" ; c\n", "core.pager=a # b|" },
		{ "[core]\npager = a\\\nb\n", "core.pager=ab|" },
		{ "[core]\npager = a\\\"\\\\\\t\n", "core.pager=a\"\\\t|" },
		{ "[core]\nfsmonitor\n", "core.fsmonitor=|" },
		{ "[credential \"https://x.y\"]\nhelper = z\n",
		  "credential.https://x.y.helper=z|" },
		{ "[filter \"A \\\"]b\"]\nclean = z\n",
		  "filter.A \"]b.clean=z|" },
		{ "[filter.old]\nclean = z\n", "filter.old.clean=z|" },
		{ "[remote \"o\"]\nurl = ext::sh\n[remote \"p\"]\nurl = "
		  "https://x\n",
		  "remote.o.url=ext::sh|" },
		{ "[include]\npath = x\n[includeIf \"gitdir:y\"]\npath = z\n",
		  "include.path=x|includeif.gitdir:y.path=z|" },
		{ "pager = x\n[core\neditor = y\n[core]\npager = z\n",
		  "core.pager=z|" },
		{ "[core]\n=x\n!\npager = \\", "core.pager=|" },
		{ "[core]\npager = a # \\\neditor = b",
		  "core.pager=a|core.editor=b|" },
		{ "[corex]\npager = a\n[cor]\npager = b", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p = { .len = 0 };
		/* On the heap, so that a read behind the end is seen. */
		size_t len = strlen(cases[i].text);
		char *copy = malloc(len + !len);

		assert_non_null(copy);
		memcpy(copy, cases[i].text, len);
		assert_int_equal(gitconfig_commands(copy, len, add_parsed, &p),
				 0);
		free(copy);
		if (strcmp(p.text, cases[i].commands) != 0)
			fail_msg("\"%s\" has \"%s\"", cases[i].text, p.text);
	}
}

/* Every text that can be cut out of one, and every byte in it. */
static void test_gitconfig_any(void **state)
{
	static const char text[] =
		"[core \"a\\\"\"]\npager = \"x\\\n y\" # c\n[alias] q = !z\n";

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		for (int c = 0; c < 256; c++) {
			struct parsed p = { .len = 0 };
			char *copy = malloc(i + 1);

			assert_non_null(copy);
			memcpy(copy, text, i);
			copy[i] = (char)c;
			assert_int_equal(
				gitconfig_commands(copy, i + 1, add_parsed, &p),
				0);
			free(copy);
		}
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_new_and_changed),
		TEST(test_git),
		TEST(test_nested),
		TEST(test_home),
		TEST(test_denied),
		TEST(test_hostile),
		TEST(test_many),
		TEST(test_big),
		TEST(test_cut),
		cmocka_unit_test(test_gitconfig),
		cmocka_unit_test(test_gitconfig_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
