# SPDX-License-Identifier: GPL-2.0-or-later
"""Denials below grants, while somebody outside saves, checks out and moves
what they hide: hidden again within moments, and said.
"""
import contextlib
import os
import shutil
import subprocess

import pytest

import lab
from escape_helpers import PYTHON, home_of
from files_helpers import VIEW, look, shell
from launch_helpers import ask, finish, read_line, running

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


# A line is a path; what there is to be read, until it is hidden.
READER = """
import errno, os, sys, time
def look(path):
    try:
        if os.path.isdir(path):
            return "list " + " ".join(sorted(os.listdir(path)))
        with open(path) as f:
            return "read " + f.read()
    except OSError as e:
        return errno.errorcode[e.errno]
print("up", flush=True)
for line in sys.stdin:
    word, path = line.split()
    end = time.monotonic() + 5
    while True:
        told = look(path)
        hidden = told in ("EACCES", "ENOENT")
        if word == "now" or hidden == (word == "hidden") or \\
                time.monotonic() > end:
            break
        time.sleep(0.002)
    print(told, flush=True)
"""


@contextlib.contextmanager
def reader(home, *args):
    with running([*VIEW, *args, PYTHON, "-c", READER], home.name,
                 cwd=home.work) as process:
        assert read_line(process) == "up\n"
        yield process


def denying(home, *paths):
    return ["-p", home.profile("p", {"filesystem": {
        "allow": [str(home.work)], "deny": [str(x) for x in paths]}})]


def again(path):
    """What is said of a mask that was lost."""
    return (f"egress-run: warning: {path} was replaced from outside; it was "
            "visible to the command for a moment, and is hidden again\n")


# ---- replaced from outside --------------------------------------------------

def test_file_saved_by_an_editor(home, who):
    """Again and again; each time it is hidden again."""
    secret = home.write("work/.env", "secret 0")
    with reader(home, *denying(home, secret)) as process:
        assert ask(process, f"now {secret}") == "EACCES\n"
        for i in range(1, 6):
            new = home.write("work/.env.new", f"secret {i}")
            new.rename(secret)
            assert ask(process, f"hidden {secret}") == "EACCES\n"
            assert secret.read_text() == f"secret {i}"
        # Written in place it never was visible.
        secret.write_text("secret x")
        assert ask(process, f"now {secret}") == "EACCES\n"
        rc, _, err = finish(process)
    assert rc == 0 and 1 <= err.count(again(secret)) <= 5, err
    assert not err.replace(again(secret), ""), err


def test_cannot_be_hidden_again(egress):
    """Then the command is ended: it must not go on with what it sees."""
    with home_of("tester") as home:
        secret = home.write("work/.env", "secret 0")
        with reader(home, *denying(home, secret)) as process:
            # No process can be made that would hide it.
            assert lab.host(["prlimit", "--pid", process.pid,
                             "--nproc=1:1"], user="tester").ok
            home.write("work/.env.new", "secret 1").rename(secret)
            rc, _, err = finish(process)
    assert rc == 125, err
    assert f"{secret} was replaced from outside, and could not be" in err, err


def test_folder_swapped(home, who):
    folder = home.write("work/keys/one", "secret").parent
    with reader(home, *denying(home, folder)) as process:
        assert ask(process, f"now {folder}") == "EACCES\n"
        home.write("new/two", "secret")
        folder.rename(home.user.home / "old")
        (home.user.home / "new").rename(folder)
        assert ask(process, f"hidden {folder}") == "EACCES\n"
        assert ask(process, f"hidden {folder}/two") in ("EACCES\n",
                                                        "ENOENT\n")
        rc, _, err = finish(process)
    assert (rc, err) == (0, again(folder))


def test_parent_swapped(home, who):
    """A folder on the way, one or several levels above."""
    secret = home.write("work/a/b/c/.env", "secret")
    with reader(home, *denying(home, secret)) as process:
        for level in "a/b/c", "a/b", "a":
            new = home.user.home / "new"
            shutil.copytree(home.work / level, new)
            for path in [new, *new.rglob("*")]:
                os.chown(path, home.user.uid, home.user.gid)
            (home.work / level).rename(home.user.home / level.replace("/", ""))
            new.rename(home.work / level)
            assert ask(process, f"hidden {secret}") == "EACCES\n"
        rc, _, err = finish(process)
    assert rc == 0 and again(secret) in err, err
    assert not err.replace(again(secret), ""), err


def test_removed_and_made_again(home, who):
    """rm outside, then a new one; also what was missing at the start."""
    secret = home.write("work/.env", "secret")
    missing = home.work / "later/.env"
    with reader(home, *denying(home, secret, missing)) as process:
        secret.unlink()
        assert ask(process, f"hidden {secret}") == "ENOENT\n"
        home.write("work/.env", "secret")
        home.write("work/later/.env", "secret")
        assert ask(process, f"hidden {secret}") in ("EACCES\n", "ENOENT\n")
        assert ask(process, f"hidden {missing}") in ("EACCES\n", "ENOENT\n")
        lab.wait_until(lambda: ask(process, f"now {secret}") == "EACCES\n")
        lab.wait_until(lambda: ask(process, f"now {missing}") == "EACCES\n")
        rc, _, err = finish(process)
    assert rc == 0 and again(secret) in err and again(missing) in err, err


def test_file_becomes_a_folder(home, who):
    secret = home.write("work/thing", "secret")
    with reader(home, *denying(home, secret)) as process:
        home.write("new/inner", "secret")
        secret.unlink()
        (home.user.home / "new").rename(secret)
        assert ask(process, f"hidden {secret}") == "EACCES\n"
        assert ask(process, f"hidden {secret}/inner") != "read secret\n"
        assert finish(process)[0] == 0


def test_git_checkout_outside(home, who):
    """git replaces what it checks out."""
    def git(*args):
        done = lab.host(["git", "-c", "user.name=a", "-c", "user.email=b",
                         *args], user=who, cwd=home.work)
        assert done.ok, done
    git("init", "-q", "-b", "main")
    secret = home.write("work/conf/.env", "secret one")
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "side")
    secret.write_text("secret two")
    git("commit", "-qam", "two")
    with reader(home, *denying(home, secret)) as process:
        for branch in "main", "side", "main":
            git("checkout", "-q", branch)
            assert ask(process, f"hidden {secret}") in ("EACCES\n",
                                                        "ENOENT\n")
            lab.wait_until(lambda: ask(process,
                                       f"now {secret}") == "EACCES\n")
        # Nothing of it stands in the way outside.
        git("rm", "-rq", "conf")
        rc, _, err = finish(process)
    assert rc == 0 and again(secret) in err, err


def test_many_masks(home, who):
    """A glob; all of them replaced at once."""
    paths = [home.write(f"work/d{i % 10}/{i}.pem", "secret")
             for i in range(200)]
    args = denying(home, home.work / "**/*.pem")
    with reader(home, *args) as process:
        for path in paths:
            new = home.write("work/new", "secret")
            new.rename(path)
        for path in paths:
            assert ask(process, f"hidden {path}") == "EACCES\n"
        rc, _, err = finish(process, 20)
    assert rc == 0 and err.count("hidden again") >= 200, err[-300:]


def test_moved_by_the_command(home, who):
    """The parent may be renamed; the mask goes with it."""
    secret = home.write("work/a/.env", "secret")
    got = shell(who, "mv a b; cat b/.env; mkdir a; cp -r b/. a; cat a/.env; "
                "rm -rf b; mv b/.env c; cat c", denying(home, secret),
                cwd=home.work)
    assert "secret" not in got.out + got.err, got
    assert not any(x.read_text() == "secret"
                   for x in home.work.rglob("c") if x.is_file())


def test_what_the_command_makes_in_place_of_the_missing(home, who):
    """It is hidden like any."""
    missing = home.work / ".env"
    got = shell(who, "echo mine >.env; while cat .env >/dev/null 2>&1; do :; "
                "done; rm .env; ls -A", denying(home, missing), cwd=home.work)
    assert got.out == ".env\n" and again(missing) in got.err, got
    assert missing.read_text() == "mine\n"


def test_read_only_hooks_replaced(home, who):
    """.git/hooks that something outside makes anew is read-only again, and
    so is all of .git."""
    assert lab.host(["git", "init", "-q"], user=who, cwd=home.work).ok
    body = """
import os, sys
def put(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
        return "done"
    except OSError as e:
        return e.strerror
for line in sys.stdin:
    print(put(line.strip()), flush=True)
"""
    hook = home.work / ".git/hooks/pre-commit"
    with running([*VIEW, PYTHON, "-c", body], who,
                 cwd=home.work) as process:
        assert ask(process, str(hook)) == "Read-only file system\n"
        hook.parent.rename(home.work / ".git/old")
        home.folder(hook.parent)
        lab.wait_until(
            lambda: ask(process, str(hook)) == "Read-only file system\n")
        (home.work / ".git").rename(home.work / "old")
        assert lab.host(["git", "init", "-q"], user=who, cwd=home.work).ok
        lab.wait_until(
            lambda: ask(process, str(hook)) == "Read-only file system\n")
        assert ask(process, str(home.work / ".git/x")) == "done\n"
        rc, _, err = finish(process)
    assert rc == 0 and "hooks was replaced from outside" in err, err


# ---- replaced while the sandbox is being built ------------------------------

@contextlib.contextmanager
def held(home, args):
    """A run that is held for a second when its new root is complete; goes on
    at the end of the block."""
    trace = home.user.home / "trace"
    with lab.started(
            ["strace", "-f", "-o", trace, "-e", "trace=pivot_root",
             "-e", "inject=pivot_root:delay_exit=1000000", lab.EGRESS_RUN,
             *VIEW, *args], home.name, cwd=home.work, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lab.wait_until(lambda: trace.exists()
                       and "pivot_root" in trace.read_text())
        yield process


def test_file_replaced_before_the_command(home, who):
    """No moment is missed, and nothing is said: nobody saw it."""
    secret = home.write("work/.env", "secret 0")
    new = home.write("work/.env.new", "secret 1")
    with held(home, [*denying(home, secret), "cat", ".env"]) as process:
        new.rename(secret)
        rc, out, err = finish(process)
    assert (rc, out) == (1, ""), (out, err)
    assert "Permission denied" in err and "replaced" not in err, err


def test_folder_replaced_before_the_command(home, who):
    """A granted folder by another one, which would not be watched."""
    secret = home.write("work/one/.env", "secret 0")
    home.write("new/.env", "secret 1")
    profile = home.profile("p", {"filesystem": {
        "allow": [str(secret.parent)], "deny": [str(secret)]}})
    # Held before the folder is opened.
    trace = home.user.home / "trace"
    with lab.started(
            ["strace", "-f", "-o", trace, "-e", "trace=fsopen", "-e",
             "inject=fsopen:delay_exit=1000000:when=1", lab.EGRESS_RUN,
             *VIEW, "-p", profile, "cat", secret], home.name, cwd=home.work,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        lab.wait_until(lambda: trace.exists()
                       and "fsopen" in trace.read_text())
        secret.parent.rename(home.user.home / "old")
        (home.user.home / "new").rename(secret.parent)
        rc, out, err = finish(process)
    assert (rc, out) == (125, ""), (out, err)
    assert f"{secret.parent} was replaced while the sandbox was" in err, err


# ---- masks themselves -------------------------------------------------------

def test_masks_of_the_host(home, who):
    """With --files host denials hide as well, and are put up again."""
    secret = home.write(".ssh/id", "secret").parent
    with reader(home, "--files", "host") as process:
        assert ask(process, f"now {secret}") == "EACCES\n"
        home.write("new/id", "secret")
        secret.rename(home.user.home / "old")
        (home.user.home / "new").rename(secret)
        assert ask(process, f"hidden {secret}") == "EACCES\n"
        rc, _, err = finish(process)
    assert rc == 0 and again(secret) in err, err


def test_attributes_of_a_mask(home, who):
    """Nothing of what lies below is told: size, times, owner, mode."""
    secret = home.write("work/.env", "x" * 4321, mode=0o755)
    os.utime(secret, (1, 1))
    got = shell(who, "stat -c '%s %a %Y' .env; ls -la .env; wc -c .env; "
                "test -x .env && echo executable; cp .env copy; "
                "tar cf t .env; grep -c x .env", denying(home, secret),
                cwd=home.work)
    size, mode, mtime = got.out.split()[:3]
    assert (size, mode) == ("0", "0") and int(mtime) > 1, got
    assert "4321" not in got.out and "executable" not in got.out


def test_host_goes_on_as_ever(home, who):
    """A mask is in nobody's way outside."""
    secret = home.write("work/.env", "secret")
    folder = home.folder(home.work / "keys")
    with reader(home, *denying(home, secret, folder)) as process:
        got = lab.host(["sh", "-c", "cat .env; echo more >>.env; chmod 640 "
                        ".env; mv .env e; mv e .env; rm .env; rmdir keys"],
                       user=who, cwd=home.work)
        assert got.ok and got.out == "secret", got
        assert finish(process)[0] == 0
    assert os.listdir(home.work) == []


def test_nothing_is_left(home, who):
    """Of masks, when the run is killed."""
    secret = home.write("work/.env", "secret")
    before = lab.residue()
    with reader(home, *denying(home, secret, home.work / "no/such")
                ) as process:
        os.kill(process.pid, 9)
        process.wait(5)
    lab.wait_clean(before)
    assert os.listdir(home.work) == [".env"]
    assert secret.read_text() == "secret"


def test_file_with_another_name(home, who):
    """A mask hides the name that is denied; that there is another is said."""
    secret = home.write("work/.env", "secret")
    os.link(secret, home.work / "other")
    got = shell(who, "cat .env; cat other", denying(home, secret),
                cwd=home.work)
    assert got.out == "secret", got
    assert f"warning: {secret} is denied, but its file has another" in got.err
    (home.work / "other").unlink()
    got = shell(who, "cat .env", denying(home, secret), cwd=home.work)
    assert "another name" not in got.err and not got.ok, got


def test_mount_of_the_same_folder(home, who):
    """What is denied is denied through another mount of it, of a folder
    around it and of one in it."""
    secret = home.write("work/keys/deep/one", "secret")
    keys, deep = secret.parent.parent, secret.parent
    for name, source in (("a", keys), ("b", deep)):
        home.folder(home.work / "other" / name)
        subprocess.run(["mount", "--bind", source, home.work / "other" / name],
                       check=True)
    try:
        for denied in secret, keys:
            got = shell(who, "cat other/a/deep/one other/b/one "
                        "keys/deep/one", denying(home, denied), cwd=home.work)
            assert got.out == "" and got.err.count("Permission") == 3, got
    finally:
        for name in "a", "b":
            subprocess.run(["umount", home.work / "other" / name], check=True)


def test_parent_of_the_grant_moved(home, who):
    """A grant is the folder and not its name: what is denied in it stays
    hidden, wherever it is moved, and what comes to its old place is not
    there."""
    base = home.folder(home.user.home / "base/project")
    secret = home.write("base/project/.env", "secret")
    profile = home.profile("p", {"filesystem": {"allow": [str(base)],
                                                "deny": [str(secret)]}})
    with reader(home, "-p", profile) as process:
        assert ask(process, f"now {secret}") == "EACCES\n"
        base.parent.rename(home.user.home / "moved")
        home.write("base/project/.env", "secret 1")
        home.write("base/project/new", "new")
        assert ask(process, f"now {secret}") == "EACCES\n"
        assert ask(process, f"now {base}/new") == "ENOENT\n"
        new = home.write("moved/project/x", "secret 2")
        new.rename(new.parent / ".env")
        assert ask(process, f"hidden {secret}") == "EACCES\n"
        assert finish(process)[0] == 0


def test_denial_of_what_is_not_granted(home, who):
    """There is nothing to hide: it is not there."""
    secret = home.write("secret/file", "secret")
    assert look(who, [secret, secret.parent], denying(home, secret),
                cwd=home.work) == ["ENOENT", "ENOENT"]
