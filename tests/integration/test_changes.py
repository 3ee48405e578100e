# SPDX-License-Identifier: GPL-2.0-or-later
"""The list at the end: files that the command made or changed, and that
something outside would execute or trust."""
import os
import pathlib
import re
import tempfile

import pytest

import lab
from escape_helpers import home_of
from launch_helpers import finish, read_line, running

pytestmark = pytest.mark.usefixtures("egress")
HEAD = "egress-run: look at these before you use them:\n"


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        assert lab.host(["git", "init", "-q"], user=who, cwd=made.work).ok
        yield made


def run(home, text, *args, **options):
    options.setdefault("cwd", home.work)
    return lab.egress(["--files", "profile", *args, "--", "sh", "-c", text],
                      user=home.name, **options)


def listed(home, text, *args, **options):
    """{path: (new or changed, why)}; paths from the working directory."""
    got = run(home, text, *args, **options)
    assert got.ok, got
    before, head, after = got.err.partition(HEAD)
    found = re.findall(r"^egress-run:   (.+) \((new|changed), (.+)\)\n",
                       after, re.M)
    assert len(found) == after.count("\n") and bool(found) == bool(head), got
    assert [x[0] for x in found] == sorted(x[0] for x in found)
    return {path.replace(f"{home.work}/", ""): what
            for path, *what in found}


def test_nothing_to_tell(home):
    """Work as usual: sources, build files, commits."""
    home.write("work/Makefile", "all:\n")
    home.write("work/.envrc", "export A=1")
    got = run(home, "echo 'all: x' >Makefile; echo {} >package.json; "
              "echo x >a.c; mkdir -p src && echo y >src/b.py; "
              "git add . && git -c user.name=a -c user.email=b commit -qm m;"
              "git config user.name Lab; git branch side; touch .envrc; "
              "echo x >.env; echo x >CLAUDE.md; git checkout -q side")
    assert got.ok and "look at" not in got.err and ".envrc" not in got.err, \
        got


def test_changed_and_new(home):
    home.write("work/.vscode/tasks.json", "{}")
    home.write("work/.envrc", "export A=1")
    found = listed(home, "echo 'rm -rf /' >>.envrc; "
                   "echo '{\"x\": 1}' >.vscode/tasks.json; "
                   "echo {} >.mcp.json; git config core.fsmonitor ./evil; "
                   "echo 'all: evil' >Makefile; mkdir -p .claude; "
                   "echo {} >.claude/settings.json; "
                   "mkdir -p .github/workflows; "
                   "echo x >.github/workflows/ci.yml")
    assert found == {
        ".envrc": ["changed", "run by direnv"],
        ".vscode/tasks.json": ["changed", "read by VS Code, may run tasks"],
        ".mcp.json": ["new", "read by coding agents, may run commands"],
        ".git/config": ["changed", "has commands for git"],
        ".claude/settings.json": ["new",
                                  "read by coding agents, may run commands"],
        ".github/workflows/ci.yml": ["new",
                                     "run by the CI service after a push"],
    }


@pytest.mark.parametrize("entry", [
    "core.fsmonitor ./x", "core.hooksPath /tmp", "core.sshCommand ./x",
    "core.pager ./x", "alias.st !./x", "filter.lab.clean ./x",
    "diff.external ./x", "credential.helper ./x", "include.path ../x",
    "gpg.program ./x", "core.editor ./x", "url.ext::.insteadOf https:",
])
def test_git_config(home, entry):
    """Each entry that makes git run something."""
    found = listed(home, f"git config {entry.split(' ')[0]} "
                   f"'{entry.split(' ')[1]}'")
    assert found == {".git/config": ["changed", "has commands for git"]}


@pytest.mark.parametrize("entry", ["user.name x", "core.filemode false",
                                   "branch.main.remote origin",
                                   "alias.st status",
                                   "remote.o.url https://git.test/r"])
def test_git_config_that_runs_nothing(home, entry):
    assert not listed(home, f"git config {entry}")


def test_git_config_that_was_so_before(home):
    assert lab.host(["git", "config", "core.fsmonitor", "true"],
                    user=home.name, cwd=home.work).ok
    assert not listed(home, "git config user.name x")
    assert listed(home, "git config core.fsmonitor ./evil")


def test_hooks(home):
    """Where the key allows them to be written."""
    profile = home.profile("p", {"workdir": {"access": "readwrite"},
                                 "egress_run": {"git_hooks": "write"}})
    found = listed(home, "echo x >.git/hooks/pre-commit", "-p", profile)
    assert found == {".git/hooks/pre-commit": ["new", "run by git"]}


def test_hooks_elsewhere(home):
    """In a folder that core.hooksPath names, before or only now."""
    home.write("work/.githooks/pre-commit", "x")
    home.write("work/.githooks/post-commit", "x")
    assert lab.host(["git", "config", "core.hooksPath", ".githooks"],
                    user=home.name, cwd=home.work).ok
    found = listed(home, "echo y >.githooks/pre-commit; "
                   "echo y >.githooks/pre-push; echo y >x")
    assert found == {".githooks/pre-commit": ["changed", "run by git"],
                     ".githooks/pre-push": ["new", "run by git"]}
    found = listed(home, "mkdir h; echo y >h/pre-commit; "
                   "git config core.hooksPath h")
    assert found == {".git/config": ["changed", "has commands for git"],
                     "h/pre-commit": ["new", "run by git"]}


def test_modules(home):
    """Configurations of submodules, of theirs, and those with a slash."""
    names = [f".git/modules/{x}/config" for x in ("a", "b/c", "a/modules/d")]
    for name in names:
        home.write(f"work/{name}", "[core]\n")
    found = listed(home, "for x in " + " ".join(names) + "; do "
                   "printf '[core]\\nfsmonitor = ./evil\\n' >$x; done")
    assert found == {x: ["changed", "has commands for git"] for x in names}


def test_files_of_the_host(home):
    """The working directory's, where all the user's are writable."""
    got = lab.egress(["--files", "host", "--", "sh", "-c",
                      "echo x >.envrc; git config core.pager ./x"],
                     user=home.name, cwd=home.work)
    assert got.ok and got.err.endswith(
        HEAD + f"egress-run:   {home.work}/.envrc (new, run by direnv)\n"
        f"egress-run:   {home.work}/.git/config (changed, has commands for "
        "git)\n"), got


def test_projects_below(home):
    """At the top of each folder that looks like one."""
    home.write("work/apps/one/.envrc", "x")
    found = listed(home, "echo y >apps/one/.envrc; mkdir -p apps/two/.vscode;"
                   "echo {} >apps/two/.vscode/settings.json; "
                   "git init -q three; git -C three config core.pager x; "
                   "mkdir -p node_modules/x; echo x >node_modules/x/.envrc")
    assert set(found) >= {"apps/one/.envrc", "apps/two/.vscode/settings.json",
                          "three/.git/config"}
    assert not any(x.startswith("node_modules") for x in found)


def test_folder_that_looks_like_a_repository(home):
    """git takes it for a bare one."""
    found = listed(home, "mkdir -p docs/objects docs/refs; "
                   "echo 'ref: refs/heads/x' >docs/HEAD; "
                   "printf '[core]\\nfsmonitor = ./evil\\n' >docs/config")
    assert found["docs/config"] == ["new", "has commands for git"]


def test_links_and_replacements(home):
    home.write("work/.envrc", "x")
    home.write("work/other", "x")
    found = listed(home, "rm .envrc; ln -s other .envrc; "
                   "ln -s /nosuch .mcp.json")
    assert set(found) == {".envrc", ".mcp.json"}
    # What is gone runs nothing.
    assert not listed(home, "rm .envrc .mcp.json")


def test_same_content(home):
    """Saved anew without a change."""
    home.write("work/.envrc", "x")
    assert not listed(home, "cp .envrc t; mv t .envrc")


def test_home(home):
    """Start files and the like, where a grant makes them writable."""
    base = home.user.home
    home.write(".bashrc", "x")
    home.write(".vimrc", "x")
    found = listed(home, f"echo y >>{base}/.bashrc; mkdir -p {base}/.ssh; "
                   f"echo y >>{base}/.vimrc; echo x >{base}/.gitconfig; "
                   f"git config --global core.pager x; mkdir -p {base}/bin; "
                   f"echo x >{base}/bin/ls; echo x >{base}/notes",
                   "--allow", base, "--bypass-protection", base / ".bashrc")
    got = {x.replace(f"{base}/", "") for x in found}
    assert {".bashrc", ".vimrc", ".gitconfig", "bin/ls"} <= got
    assert "notes" not in got


@pytest.mark.parametrize("option", ["-q", "--no-diagnostics"])
def test_not_wanted(home, option):
    got = run(home, "echo x >.envrc", option)
    assert got.ok and ".envrc" not in got.err, got


def test_command_that_fails(home):
    got = run(home, "echo x >.envrc; exit 3")
    assert got.rc == 3 and f"  {home.work}/.envrc (new" in got.err, got
    got = run(home, "echo y >.envrc; kill -9 $$")
    assert got.rc == 137 and f"  {home.work}/.envrc (changed" in got.err, got


def test_traps(home):
    """Nothing waits, and names come out harmless."""
    got = run(home, "mkfifo .envrc; mkdir .mcp.json; "
              "ln -s /dev/zero .gitlab-ci.yml; mkdir -p .git/modules; "
              "mkdir -p .vscode; truncate -s 4G .vscode/tasks.json; "
              "mkdir .husky; printf x >\".husky/$(printf 'a\\033[2J\\nb')\"")
    assert got.ok and got.seconds < 5, got
    assert "\033" not in got.err and "\nb" not in got.err
    assert ".husky/a" in got.err and "tasks.json (new" in got.err


def test_long_list(home):
    got = run(home, "mkdir -p .github/workflows; for i in $(seq 100 160); do "
              "echo x >.github/workflows/$i.yml; done")
    lines = got.err.partition(HEAD)[2].splitlines()
    more = re.fullmatch(r"egress-run:   and (\d+) more", lines[-1])
    assert more and int(more[1]) + len(lines) - 1 == 61, got


@pytest.fixture
def shared(home):
    """A folder of the host's /tmp."""
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/tmp") as path:
        os.chown(path, home.user.uid, home.user.gid)
        yield pathlib.Path(path)


def test_work_of_others_in_tmp(home, shared):
    """Done meanwhile: /tmp is the command's, but not that one, unless it is
    shared."""
    for args in [], ["--share-tmp"]:
        with running(["--files", "profile", *args, "sh", "-c",
                      "echo up; read x"], home.name,
                     cwd=home.work) as process:
            assert read_line(process) == "up\n"
            home.write(shared / ".envrc", str(args))
            _, _, err = finish(process)
        assert (f"{shared}/.envrc (new" in err) == bool(args), err
        (shared / ".envrc").unlink()


def test_working_directory_in_tmp(home, shared):
    found = listed(home, "echo x >.envrc; echo x >/tmp/.envrc", cwd=shared)
    assert set(found) == {f"{shared}/.envrc"}


def test_work_of_others(home, who):
    """Only what the command could write is looked at."""
    path = home.write("other/.envrc", "x")
    got = run(home, "true; cat", stdin="x")
    assert got.ok and "look at" not in got.err
    found = listed(home, "echo y >.envrc", "--read", path.parent)
    assert set(found) == {".envrc"}
    assert os.path.exists(path)
