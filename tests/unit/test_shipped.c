/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The profiles and the policy data that come with the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profile_files.h"
#include "profiles/allowlist.h"
#include "profiles/decode.h"
#include "profiles/json.h"
#include "profiles/keys.h"
#include "profiles/load.h"

/* A profile of a user as nono's older releases wrote it. */
#define SEED "tests/data/schedar.json"

static struct loaded load(struct files *f, const char *name)
{
	struct loader l;
	struct loaded ret;

	assert_int_equal(loader_init(&l, &f->arena, &f->library, &f->err), 0);
	if (load_profile(&l, name, NULL, NULL, &ret, &f->err))
		fail_msg("%s", f->err.msg);
	return ret;
}

static const struct json *parse(struct files *f, const char *path)
{
	struct library_file file;
	struct json *root = NULL;

	if (library_read(&f->arena, path, true, &file, &f->err) ||
	    json_parse(&f->arena, path, file.text, file.len, &root, &f->err))
		fail_msg("%s", f->err.msg);
	return root;
}

static const struct entry *find(const struct profile *p, enum profile_key key,
				const char *text)
{
	const struct field *field = &p->field[key];

	for (size_t i = 0; i < field->n; i++)
		if (strcmp(field->items[i].text, text) == 0)
			return &field->items[i];
	return NULL;
}

/* One line of what a profile must grant. */
struct want {
	enum profile_key key;
	const char *group; /* NULL: the profile itself */
	const char *paths; /* separated by spaces */
};

static void check_wants(struct files *f, const struct profile *p,
			const struct want *wants, size_t n)
{
	size_t counted[KEY__COUNT] = { 0 };

	for (size_t i = 0; i < n; i++) {
		char *copy = arena_strdup(&f->arena, wants[i].paths);
		char *rest = NULL;

		assert_non_null(copy);
		for (char *path = strtok_r(copy, " ", &rest); path;
		     path = strtok_r(NULL, " ", &rest)) {
			const struct entry *got = find(p, wants[i].key, path);
			const char *group = wants[i].group;

			if (!got)
				fail_msg("%s is missing", path);
			if (group)
				assert_string_equal(got->from.group, group);
			else
				assert_null(got->from.group);
			counted[wants[i].key]++;
		}
	}
	/* and nothing else */
	for (size_t key = KEY_FS_ALLOW; key <= KEY_FS_BYPASS_PROTECTION; key++)
		assert_int_equal(counted[key], p->field[key].n);
}

#define CLAUDE_GROUPS                                                          \
	{ KEY_FS_READ, "system_read_linux_core",                               \
	  "/bin /sbin /usr/bin /usr/sbin /usr/local/bin /lib /lib64 "          \
	  "/lib/x86_64-linux-gnu /lib/aarch64-linux-gnu /usr/lib /usr/lib64 "  \
	  "/usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu "              \
	  "/usr/local/lib /usr/local/lib64 /etc/resolv.conf "                  \
	  "/run/systemd/resolve /etc/hosts /etc/nsswitch.conf /etc/gai.conf "  \
	  "/etc/ssl /etc/pki /etc/ca-certificates /etc/crypto-policies "       \
	  "/etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d "                \
	  "/etc/localtime /etc/timezone /etc/locale.conf /etc/locale.gen "     \
	  "/etc/alternatives /etc/os-release /etc/services /usr/share "        \
	  "/usr/share/locale /usr/share/locale-langpack /usr/share/zoneinfo "  \
	  "/usr/share/terminfo /usr/share/ca-certificates /lib/terminfo "      \
	  "/etc/terminfo /dev/null /dev/zero /dev/random /dev/urandom "        \
	  "/dev/full /dev/tty /dev/console /dev/stdin /dev/stdout "            \
	  "/dev/stderr /dev/fd /dev/pts /proc/self /proc/cpuinfo "             \
	  "/proc/meminfo /proc/stat /proc/loadavg /proc/version "              \
	  "/proc/filesystems" },                                               \
		{ KEY_FS_READ, "system_read_linux_programs",                   \
		  "/usr/include /usr/libexec /usr/lib32 /usr/libx32 "          \
		  "/lib32 /libx32 /usr/local/include /usr/local/libexec "      \
		  "/usr/local/share /usr/games /usr/local/games "              \
		  "/etc/manpath.config /etc/man_db.conf /etc/groff "           \
		  "/etc/protocols /etc/networks /etc/rpc /etc/shells "         \
		  "/etc/mime.types /etc/magic /etc/debian_version "            \
		  "/etc/lsb-release /etc/inputrc /etc/gitconfig "              \
		  "/etc/gitattributes /etc/gdb /etc/ssh/ssh_config "           \
		  "/etc/ssh/ssh_known_hosts /etc/fonts /etc/vim "              \
		  "/etc/nanorc /etc/python3 /etc/perl "                        \
		  "/etc/java-*-openjdk /etc/chromium.d" },                     \
		{ KEY_FS_READ, "user_tools",                                   \
		  "~/.local/bin ~/.local/share/applications "                  \
		  "~/.local/share/man "                                        \
		  "~/.local/share/bash-completion ~/.local/share/zsh" },       \
		{ KEY_FS_READ, "homebrew_linux",                               \
		  "/home/linuxbrew/.linuxbrew" },                              \
		{ KEY_FS_READ, "claude_code_linux", "~/.local/share/claude" }, \
		{ KEY_FS_READ, "node_runtime",                                 \
		  "~/.nvm ~/.fnm ~/.npm ~/.node ~/.local/share/fnm "           \
		  "/usr/local/lib/node_modules ~/Library/pnpm "                \
		  "~/.local/share/pnpm" },                                     \
		{ KEY_FS_READ, "rust_runtime", "~/.cargo ~/.rustup" },         \
		{ KEY_FS_READ, "python_runtime",                               \
		  "~/.pyenv ~/.local/lib ~/.local/share/uv ~/.conda" },        \
		{ KEY_FS_READ, "linux_sysfs_read", "/sys" },                   \
		{ KEY_FS_READ, "nix_runtime",                                  \
		  "~/.nix-profile ~/.local/state/nix/profile "                 \
		  "~/.local/state/nix/profiles ~/.nix-defexpr "                \
		  "~/.local/state/nix/defexpr /run/current-system/sw "         \
		  "/etc/profiles/per-user /nix/var/nix/profiles /nix/store" }, \
		{ KEY_FS_READ, "git_config",                                   \
		  "~/.gitconfig ~/.gitignore_global ~/.config/git/config "     \
		  "~/.config/git/ignore ~/.config/git/attributes" },           \
		{ KEY_FS_READ, NULL, "$NONO_PACKAGES $NONO_CONFIG/profiles" }, \
		{ KEY_FS_WRITE, "system_write_linux",                          \
		  "/tmp /dev/null /dev/zero /dev/full /dev/tty /dev/stdout "   \
		  "/dev/stderr /dev/fd /dev/pts /proc/self/fd $TMPDIR" },      \
		{ KEY_FS_ALLOW, "claude_cache_linux",                          \
		  "~/.cache/claude-cli-nodejs" },                              \
		{ KEY_FS_ALLOW, "vscode_linux", "~/.vscode ~/.config/Code" },  \
		{ KEY_FS_ALLOW, NULL,                                          \
		  "~/.claude ~/.local/state/claude/locks ~/.cache/claude "     \
		  "$NONO_CONFIG/profile-drafts /tmp/claude-$UID" },            \
		{ KEY_FS_ALLOW_FILE, NULL,                                     \
		  "~/.claude.json ~/.claude.json.lock ~/.claude.lock" },       \
		{ KEY_FS_DENY, "deny_credentials",                             \
		  "~/.ssh ~/.gnupg ~/.aws ~/.azure ~/.config/gcloud "          \
		  "~/.gcloud "                                                 \
		  "~/.kube ~/.docker ~/.git-credentials ~/.netrc ~/.npmrc "    \
		  "~/.bunfig.toml ~/.config/bun/bunfig.toml ~/.vault-token "   \
		  "~/.credentials ~/.secrets ~/.keys ~/.pki ~/.terraform.d "   \
		  "~/.config/op" },                                            \
		{ KEY_FS_DENY, "deny_keychains_linux",                         \
		  "~/.password-store ~/.1password ~/.op "                      \
		  "~/.local/share/keyrings" },                                 \
		{ KEY_FS_DENY, "deny_browser_data_linux",                      \
		  "~/.config/google-chrome ~/.config/chromium "                \
		  "~/.mozilla/firefox "                                        \
		  "~/.config/microsoft-edge ~/.config/BraveSoftware "          \
		  "~/.config/vivaldi ~/.config/opera" },                       \
		{ KEY_FS_DENY, "deny_shell_history",                           \
		  "~/.bash_history ~/.zsh_history ~/.history "                 \
		  "~/.python_history" },                                       \
	{                                                                      \
		KEY_FS_DENY, "deny_shell_configs",                             \
			"~/.zshrc ~/.zprofile ~/.zshenv ~/.zlogin ~/.zlogout " \
			"~/.bashrc "                                           \
			"~/.bash_profile ~/.bash_login ~/.bash_logout "        \
			"~/.profile "                                          \
			"~/.config/fish ~/.env ~/.envrc"                       \
	}

static void test_claude_code(void **state)
{
	static const struct want wants[] = { CLAUDE_GROUPS };
	struct files *f = *state;
	struct loaded got = load(f, "claude-code");

	check_wants(f, got.effective, wants, sizeof(wants) / sizeof(wants[0]));
	assert_string_equal(profile_scalar(got.effective, KEY_WORKDIR_ACCESS),
			    "readwrite");
	/* Restricting the network is left to the child or the flags. */
	assert_int_equal(got.effective->field[KEY_NET_ALLOW_DOMAIN].n, 0);
	assert_int_equal(got.effective->field[KEY_COMMANDS_DENY].n, 46);
	assert_non_null(find(got.effective, KEY_COMMANDS_DENY, "sudo"));
	assert_non_null(find(got.effective, KEY_COMMANDS_DENY, "pkexec"));
}

/* The names of nono for it, old and new. */
static void test_claude(void **state)
{
	static const struct want wants[] = { CLAUDE_GROUPS };
	static const char *const names[] = { "claude", "claude-no-kc" };
	struct files *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct loaded got = load(f, names[i]);

		check_wants(f, got.effective, wants,
			    sizeof(wants) / sizeof(wants[0]));
		assert_string_equal(
			profile_scalar(got.effective, KEY_WORKDIR_ACCESS),
			"readwrite");
	}
}

static void check_schedar(struct files *f, struct loaded got)
{
	static const struct want wants[] = {
		CLAUDE_GROUPS,
		{ KEY_FS_ALLOW, NULL,
		  "$HOME/go/pkg/mod $HOME/.cache/go-build" },
		{ KEY_FS_READ, NULL,
		  "$HOME/go/bin $HOME/.config/gh ~/.local/state/claude/locks" },
		{ KEY_FS_WRITE, NULL, "~/.local/share/claude/versions" },
	};
	const struct profile *p = got.effective;
	const struct field *domains = &p->field[KEY_NET_ALLOW_DOMAIN];
	const struct field *secrets = &p->field[KEY_ENV_CREDENTIALS];
	size_t wildcards = 0;

	check_wants(f, p, wants, sizeof(wants) / sizeof(wants[0]));
	for (size_t i = 0; i < domains->n; i++)
		wildcards += domains->items[i].text[0] == '*';
	assert_int_equal(domains->n, 153);
	assert_int_equal(wildcards, 27);
	assert_int_equal(secrets->n, 1);
	assert_string_equal(secrets->items[0].key, "github_token");
	assert_string_equal(secrets->items[0].text, "GH_TOKEN");
	/* The child's "none" says nothing. */
	assert_string_equal(profile_scalar(p, KEY_WORKDIR_ACCESS), "readwrite");
	/* null inherits. */
	assert_int_equal(p->field[KEY_OPEN_URLS].state, FIELD_SET);
	assert_string_equal(got.name, "schedar");
	assert_int_equal(load_check(&f->arena, p, &f->err), 0);
	/* Empty legacy keys are no news. */
	assert_null(p->notes);
}

static void test_schedar(void **state)
{
	struct files *f = *state;

	check_schedar(f, load(f, "schedar"));
}

/* The same out of the user's own file, by path and by name. */
static void test_seed(void **state)
{
	static const char *const places[] = { "config/nono/profiles",
					      "config/egress-run/profiles" };
	struct files *f = *state;
	struct library_file seed;
	struct loaded own;
	struct loaded shipped = load(f, "schedar");

	assert_int_equal(library_read(&f->arena, SEED, true, &seed, &f->err),
			 0);
	check_schedar(f, load(f, files_put(f, "x/schedar.json", seed.text)));
	for (size_t i = 0; i < 2; i++) {
		const char *name =
			arena_printf(&f->arena, "%s/schedar.json", places[i]);

		assert_non_null(name);
		(void)files_put(f, name, seed.text);
		own = load(f, "schedar");
		assert_false(own.shipped);
		check_schedar(f, own);
	}
	for (size_t i = 0; i < 153; i++)
		assert_string_equal(
			own.profile->field[KEY_NET_ALLOW_DOMAIN].items[i].text,
			shipped.profile->field[KEY_NET_ALLOW_DOMAIN]
				.items[i]
				.text);
}

/* What a shipped file must be, whatever it is about. */
static void check_file(struct files *f, const struct library_item *item)
{
	const struct json *root = parse(f, item->path);
	const struct json *meta = json_get(root, "meta");
	const struct json *about = meta ? json_get(meta, "description") : NULL;
	struct loaded got = load(f, item->name);

	if (!about || !about->string || strlen(about->string) < 10)
		fail_msg("%s: no description", item->path);
	assert_string_equal(got.name, item->name);
	assert_true(got.shipped);
	if (load_check(&f->arena, got.effective, &f->err))
		fail_msg("%s", f->err.msg);
	/* Nothing deprecated, no group that does not exist. */
	if (got.effective->notes)
		fail_msg("%s", got.effective->notes->text);
	assert_non_null(find(got.effective, KEY_FS_DENY, "~/.ssh"));
	assert_non_null(find(got.effective, KEY_FS_READ, "/usr/bin"));
	assert_int_equal(got.effective->field[KEY_FS_BYPASS_PROTECTION].n, 0);
}

static void test_all(void **state)
{
	static const char *const names[] = {
		"bun-dev",	     "ci",	     "claude",
		"claude-code",	     "claude-no-kc", "codex",
		"default",	     "go-dev",	     "java-dev",
		"linux-host-compat", "mise-dev",     "node-dev",
		"opencode",	     "python-dev",   "rust-dev",
		"schedar",
	};
	struct files *f = *state;
	struct library_item *items;
	size_t n;

	assert_int_equal(
		library_list(&f->library, &f->arena, &items, &n, &f->err), 0);
	assert_int_equal(n, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(items[i].name, names[i]);
		check_file(f, &items[i]);
	}
}

/* Each group stands for itself: decoded by including it. */
static void test_groups(void **state)
{
	struct files *f = *state;
	const struct json *root = parse(f, "profiles/policy/groups.json");

	assert_true(root->n > 30);
	for (size_t i = 0; i < root->n; i++) {
		const struct json *group = &root->items[i];
		const struct json *about = json_get(group, "description");
		const char *text = arena_printf(
			&f->arena, "{ \"groups\": { \"include\": [\"%s\"] } }",
			group->key);

		assert_non_null(text);
		(void)files_put(f, "config/egress-run/profiles/g.json", text);
		assert_non_null(find(load(f, "g").effective, KEY_GROUPS_INCLUDE,
				     group->key));
		assert_true(about && about->type == JSON_STRING);
		for (size_t j = 0; j < group->n; j++) {
			const char *key = group->items[j].key;

			if (strcmp(key, "description") != 0 &&
			    strcmp(key, "required") != 0 &&
			    strcmp(key, "filesystem") != 0 &&
			    strcmp(key, "commands") != 0)
				fail_msg("%s: %s", group->key, key);
		}
		/* What is denied cannot be taken out. */
		if (strncmp(group->key, "deny_", 5) == 0)
			assert_true(json_get(group, "required")->boolean);
		else
			assert_null(json_get(group, "required"));
	}
}

static void test_networks(void **state)
{
	struct files *f = *state;
	const struct json *root = parse(f, "profiles/policy/networks.json");
	const struct json *groups = json_get(root, "groups");
	const struct json *profiles = json_get(root, "profiles");
	struct allowlist *al;

	assert_int_equal(allowlist_new(&al, &f->err), 0);
	assert_int_equal(groups->n, 10);
	for (size_t i = 0; i < groups->n; i++)
		for (size_t j = 0; j < groups->items[i].n; j++)
			assert_int_equal(
				allowlist_add_domain(
					al, groups->items[i].items[j].string,
					&f->err),
				0);
	assert_int_equal(allowlist_n_domains(al), 61);
	allowlist_free(al);
	assert_int_equal(profiles->n, 6);
	for (size_t i = 0; i < profiles->n; i++)
		for (size_t j = 0; j < profiles->items[i].n; j++)
			assert_non_null(json_get(
				groups, profiles->items[i].items[j].string));
	assert_int_equal(json_get(profiles, "minimal")->n, 1);
	assert_int_equal(json_get(profiles, "developer")->n, 6);
	assert_int_equal(json_get(profiles, "enterprise")->n, 9);
}

/* A folder that is made is one that is granted for writing. */
static void test_created_folders(void **state)
{
	static const char *const made_by[] = { "claude-code", "schedar",
					       "codex",	      "opencode",
					       "ci",	      "go-dev" };
	struct files *f = *state;

	for (size_t i = 0; i < sizeof(made_by) / sizeof(made_by[0]); i++) {
		const struct profile *p = load(f, made_by[i]).effective;
		const struct field *made = &p->field[KEY_OWN_CREATE_FOLDERS];

		assert_true(made->n > 0);
		for (size_t j = 0; j < made->n; j++)
			if (!find(p, KEY_FS_ALLOW, made->items[j].text))
				fail_msg("%s: %s", made_by[i],
					 made->items[j].text);
	}
}

/* Every host that a shipped profile names is one, or a group of them. */
static void test_hosts(void **state)
{
	struct files *f = *state;
	const struct json *root = parse(f, "profiles/policy/networks.json");
	struct library_item *items;
	size_t n;

	assert_int_equal(
		library_list(&f->library, &f->arena, &items, &n, &f->err), 0);
	for (size_t i = 0; i < n; i++) {
		const struct profile *p = load(f, items[i].name).effective;
		const struct field *list = &p->field[KEY_NET_ALLOW_DOMAIN];
		const char *network = profile_scalar(p, KEY_NET_PROFILE);
		struct allowlist *al;

		if (network)
			assert_non_null(
				json_get(json_get(root, "profiles"), network));
		assert_int_equal(allowlist_new(&al, &f->err), 0);
		for (size_t j = 0; j < list->n; j++) {
			const char *text = list->items[j].text;

			if (!json_get(json_get(root, "groups"), text) &&
			    (!strchr(text, '.') ||
			     allowlist_add_domain(al, text, &f->err)))
				fail_msg("%s: %s", items[i].name, text);
		}
		allowlist_free(al);
	}
}

/* `egress-run --profile node-dev -- npm test` must start. */
static void test_tools(void **state)
{
	struct files *f = *state;
	const struct profile *ci = load(f, "ci").effective;

	assert_non_null(
		find(load(f, "node-dev").effective, KEY_COMMANDS_ALLOW, "npm"));
	assert_non_null(find(load(f, "python-dev").effective,
			     KEY_COMMANDS_ALLOW, "pip"));
	assert_int_equal(ci->field[KEY_COMMANDS_DENY].n, 0);
	assert_int_equal(ci->field[KEY_ENV_CREDENTIALS].n, 0);
	assert_non_null(find(ci, KEY_NET_ALLOW_DOMAIN, "package_registries"));
	assert_string_equal(profile_scalar(ci, KEY_WORKDIR_ACCESS),
			    "readwrite");
}

int main(void)
{
#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, files_setup, files_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_claude_code), TEST(test_claude),
		TEST(test_schedar),	TEST(test_seed),
		TEST(test_all),		TEST(test_groups),
		TEST(test_networks),	TEST(test_hosts),
		TEST(test_tools),	TEST(test_created_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
