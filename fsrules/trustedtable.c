/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs, or is believed, without anybody asking for it: hooks, editors'
 * tasks, agents' settings, start files.  Build files (Makefile, package.json,
 * conftest.py, build.rs) run as well, but when they are told to, and changing
 * them is what the command is there for; the same holds for .env, which is
 * data, and for instructions to agents (CLAUDE.md).
 */
#include "fsrules/trusted.h"

#define P TRUSTED_PLACE
#define H TRUSTED_HOME
#define G TRUSTED_GIT

static const char by_git[] = TRUSTED_BY_GIT;
static const char git_commands[] = "has commands for git";
static const char by_code[] = "read by VS Code, may run tasks";
static const char by_agents[] = "read by coding agents, may run commands";
static const char by_ci[] = "run by the CI service after a push";
static const char by_npm[] = "read by package managers";
static const char by_shell[] = "run by every new shell";
static const char by_session[] = "run when you log in";
static const char in_path[] = "a program in your PATH";
static const char by_editor[] = "run by your editor";
static const char by_ssh[] = "trusted by ssh";

const struct trusted_pattern trusted_patterns[] = {
	{ ".git", "leads git to another folder", P },
	{ ".git/config", git_commands, P | G },
	{ ".git/config.worktree", git_commands, P | G },
	{ ".git/hooks/*", by_git, P },
	{ ".git/info/attributes", "chooses filters that git runs", P },
	{ ".git/modules/*/config", git_commands, P | G },
	{ ".git/modules/*/hooks/*", by_git, P },
	/* Modules in modules, and names with a slash. */
	{ ".git/modules/*/*/config", git_commands, P | G },
	{ ".git/modules/*/*/hooks/*", by_git, P },
	{ ".git/modules/*/modules/*/config", git_commands, P | G },
	{ ".git/modules/*/modules/*/hooks/*", by_git, P },
	{ ".git/worktrees/*/config.worktree", git_commands, P | G },
	{ ".gitmodules", "says what git fetches", P },
	/* A folder that looks like a repository is one for git. */
	{ "config", git_commands, P | G },
	{ ".husky/*", by_git, P },
	{ ".pre-commit-config.yaml", by_git, P },
	{ ".envrc", "run by direnv", P },
	{ ".mise.toml", "read by mise, may run commands", P },
	{ ".vscode/settings.json", by_code, P },
	{ ".vscode/tasks.json", by_code, P },
	{ ".vscode/launch.json", by_code, P },
	{ ".vscode/mcp.json", by_code, P },
	{ ".idea/**", "read by JetBrains IDEs, may run tasks", P },
	{ ".zed/*", "read by Zed, may run tasks", P },
	{ ".devcontainer.json", "run by dev containers", P },
	{ ".devcontainer/**", "run by dev containers", P },
	{ ".mcp.json", by_agents, P },
	{ ".claude/settings.json", by_agents, P | H },
	{ ".claude/settings.local.json", by_agents, P | H },
	{ ".claude/commands/**", by_agents, P | H },
	{ ".claude/agents/**", by_agents, P | H },
	{ ".claude/hooks/**", by_agents, P | H },
	{ ".claude/skills/**", by_agents, P | H },
	{ ".cursor/**", by_agents, P },
	{ ".codex/**", by_agents, P },
	{ ".gemini/**", by_agents, P },
	{ ".cursor/mcp.json", by_agents, H },
	{ ".codex/config.toml", by_agents, H },
	{ ".gemini/settings.json", by_agents, H },
	{ ".github/workflows/*", by_ci, P },
	{ ".github/actions/**", by_ci, P },
	{ ".gitlab-ci.yml", by_ci, P },
	{ ".circleci/config.yml", by_ci, P },
	{ ".npmrc", by_npm, P | H },
	{ ".yarnrc", by_npm, P | H },
	{ ".yarnrc.yml", by_npm, P | H },
	{ ".pnpmfile.cjs", by_npm, P },
	{ ".config/pip/pip.conf", by_npm, H },
	{ ".cargo/config", by_npm, P | H },
	{ ".cargo/config.toml", by_npm, P | H },
	{ ".gitconfig", git_commands, H | G },
	{ ".config/git/config", git_commands, H | G },
	{ ".bashrc", by_shell, H },
	{ ".bash_profile", by_shell, H },
	{ ".bash_login", by_shell, H },
	{ ".bash_logout", by_shell, H },
	{ ".bash_aliases", by_shell, H },
	{ ".profile", by_shell, H },
	{ ".zshrc", by_shell, H },
	{ ".zshenv", by_shell, H },
	{ ".zprofile", by_shell, H },
	{ ".zlogin", by_shell, H },
	{ ".zlogout", by_shell, H },
	{ ".kshrc", by_shell, H },
	{ ".inputrc", by_shell, H },
	{ ".cargo/env", by_shell, H },
	{ ".config/fish/config.fish", by_shell, H },
	{ ".config/fish/conf.d/*", by_shell, H },
	{ ".config/fish/functions/*", by_shell, H },
	{ ".pam_environment", by_session, H },
	{ ".xprofile", by_session, H },
	{ ".xinitrc", by_session, H },
	{ ".xsession", by_session, H },
	{ ".config/autostart/*", by_session, H },
	{ ".config/environment.d/*", by_session, H },
	{ ".config/systemd/user/**", by_session, H },
	{ ".local/share/systemd/user/**", by_session, H },
	{ ".local/share/dbus-1/services/*", by_session, H },
	{ ".local/share/applications/*", "started from the desktop", H },
	{ ".local/bin/*", in_path, H },
	{ "bin/*", in_path, H },
	{ ".cargo/bin/*", in_path, H },
	{ "go/bin/*", in_path, H },
	{ ".ssh/*", by_ssh, H },
	{ ".vimrc", by_editor, H },
	{ ".vim/plugin/*", by_editor, H },
	{ ".config/nvim/**", by_editor, H },
	{ ".emacs", by_editor, H },
	{ ".emacs.d/init.el", by_editor, H },
	{ ".tmux.conf", "run by tmux", H },
	{ ".config/tmux/tmux.conf", "run by tmux", H },
	{ ".gdbinit", "run by gdb", P | H },
	{ ".docker/config.json", "runs credential helpers of docker", H },
	{ ".kube/config", "runs credential helpers of kubectl", H },
	{ ".aws/config", "runs credential helpers of aws", H },
};

_Static_assert(sizeof(trusted_patterns) / sizeof(trusted_patterns[0]) <=
		       TRUSTED_PATTERNS_MAX,
	       "raise TRUSTED_PATTERNS_MAX");
const size_t trusted_patterns_n =
	sizeof(trusted_patterns) / sizeof(trusted_patterns[0]);
