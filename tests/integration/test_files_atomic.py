# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that save by writing a temporary file and renaming it over the old
one: the host's file is the new one, whether its folder is granted or only the
file; and what renames and links do otherwise.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import pytest

import lab
from escape_helpers import PYTHON, home_of
from files_helpers import VIEW, look, python, shell
from launch_helpers import ask, finish, is_stopped, read_line, running

pytestmark = pytest.mark.usefixtures("egress")
NAME = ".tool.json"


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


@pytest.fixture
def state(home):
    """A file in the home that is granted by name, as ~/.claude.json is."""
    return home.write(NAME, '{"runs": 0}')


def leftovers(home):
    """Of mirrors, wherever they are made."""
    kept = home.user.home / ".local/state/egress-run"
    return [*(kept.iterdir() if kept.exists() else []),
            *home.user.home.glob(".egress-run-*"),
            *home.work.glob(".egress-run-*")]


# ---- saving -----------------------------------------------------------------

SAVE = {
    "python": [PYTHON, "-c", "import os, sys; p = sys.argv[1]; "
               "t = p + '.tmp.1'; open(t, 'w').write(sys.argv[2]); "
               "os.replace(t, p)"],
    "node": ["node", "-e", "const fs = require('fs'); "
             "const [p, text] = process.argv.slice(1); "
             "fs.writeFileSync(p + '.tmp', text); "
             "fs.renameSync(p + '.tmp', p)"],
    "mv": ["sh", "-c", 'echo "$2" >"$1.new" && chmod 600 "$1.new" && '
           'mv "$1.new" "$1"', "sh"],
    "in place": ["sh", "-c", 'echo "$2" >"$1"', "sh"],
    "backup": ["sh", "-c", 'ln "$1" "$1~" && echo "$2" >"$1.n" && '
               'chmod 600 "$1.n" && mv "$1.n" "$1"', "sh"],
    "removed": ["sh", "-c", 'rm "$1" && umask 077 && echo "$2" >"$1"', "sh"],
}


@pytest.mark.parametrize("place", ["file", "folder"])
@pytest.mark.parametrize("how", SAVE)
def test_save(home, who, state, how, place):
    if not shutil.which(SAVE[how][0]):
        pytest.skip(f"{SAVE[how][0]} is not installed")
    if place == "folder":
        path, args = home.write("work/conf", "{}"), []
    else:
        path, args = state, ["--allow-file", state]
    got = lab.egress([*VIEW, *args, "--", "sh", "-c",
                      'umask 077 && exec "$@"', "sh", *SAVE[how], path,
                      '{"runs": 1}'], user=who, cwd=home.work,
                     env={"NODE_EXTRA_CA_CERTS": None})
    assert got.ok and not got.err, got
    assert json.loads(path.read_text()) == {"runs": 1}
    st = path.lstat()
    assert stat.S_ISREG(st.st_mode) and st.st_mode & 0o777 == 0o600
    assert st.st_uid == lab.USERS[who].uid
    assert not leftovers(home)
    if place == "file":
        assert st.st_nlink == 1
        # What else it made there was its own.
        assert {x for x in os.listdir(home.user.home)
                if x.startswith(NAME)} == {NAME}


@pytest.mark.parametrize("tool", ["git config", "sed -i", "vim"])
def test_save_by_tools(home, who, tool):
    path = home.write(".toolrc", "[a]\n\tb = 1\n")
    command = {
        "git config": f"git config --file {path} a.b 2",
        "sed -i": f"sed -i s/1/2/ {path}",
        "vim": f"vim.tiny -es -u NONE --cmd 'set backupcopy=no' -c '%s/1/2/' "
               f"-c wq {path} </dev/null",
    }[tool]
    got = shell(who, command, ["--allow-file", path], cwd=home.work)
    assert got.ok and path.read_text() == "[a]\n\tb = 2\n", got
    assert not leftovers(home)


def test_file_that_is_not_there_yet(home, who):
    """It is made outside when the command makes it; nothing else is."""
    path = home.user.home / ".new.json"
    got = lab.egress([*VIEW, "--allow-file", path, "--", *SAVE["python"],
                      path, "{}"], user=who, cwd=home.work)
    assert path.read_text() == "{}", got
    assert path.owner() == who
    path.unlink()
    shell(who, "touch ~/.other.json", ["--allow-file", path], cwd=home.work)
    assert not path.exists()
    assert not (home.user.home / ".other.json").exists()


SAVER = """
import os, sys
path = sys.argv[1]
print("up", flush=True)
for line in sys.stdin:
    word, _, text = line.strip().partition(" ")
    if word == "save":
        with open(path + ".t", "w") as f:
            f.write(text)
        os.replace(path + ".t", path)
    elif word == "append":
        with open(path, "a") as f:
            f.write(text)
    print(open(path).read(), flush=True)
"""


@contextlib.contextmanager
def saver(home, path, *args):
    with running([*VIEW, "--allow-file", path, *args, PYTHON, "-c", SAVER,
                  str(path)], home.name, cwd=home.work) as process:
        assert read_line(process) == "up\n"
        yield process


def test_both_sides(home, who, state):
    """Each sees what the other wrote or replaced, while the run lasts."""
    with saver(home, state) as process:
        assert ask(process, "append x") == '{"runs": 0}x\n'
        assert state.read_text() == '{"runs": 0}x'
        assert ask(process, "save one") == "one\n"
        lab.wait_until(lambda: state.read_text() == "one")
        assert ask(process, "append +") == "one+\n"
        assert state.read_text() == "one+"
        new = home.write(".outside", "two")
        new.rename(state)
        lab.wait_until(lambda: ask(process, "look") == "two\n")
        assert ask(process, "append +") == "two+\n"
        assert state.read_text() == "two+"
        assert ask(process, "save three") == "three\n"
        lab.wait_until(lambda: state.read_text() == "three")
        rc, _, err = finish(process)
    assert rc == 0 and not err and state.read_text() == "three"


@contextlib.contextmanager
def stopped(process):
    """Nothing is carried over meanwhile."""
    os.kill(process.pid, signal.SIGSTOP)
    lab.wait_until(lambda: is_stopped(process.pid))
    yield
    os.kill(process.pid, signal.SIGCONT)


def test_write_and_save_at_once(home, who, state):
    """Before the first of two changes is noticed there is the second."""
    with saver(home, state) as process:
        with stopped(process):
            ask(process, "append x")
            assert ask(process, "save one") == "one\n"
        lab.wait_until(lambda: state.read_text() == "one")
        assert ask(process, "look") == "one\n"
        with stopped(process):
            with state.open("a") as f:
                f.write("+")
            home.write(".outside", "two").rename(state)
        lab.wait_until(lambda: ask(process, "look") == "two\n")
        assert state.read_text() == "two"
        # Of both sides, the later one.
        with stopped(process):
            ask(process, "save three")
            home.write(".outside", "four").rename(state)
        lab.wait_until(lambda: ask(process, "look") == "four\n")
        assert state.read_text() == "four"
        rc, _, err = finish(process)
    assert (rc, err) == (0, "")


def test_two_runs(home, who, state):
    """Both may save; both see it."""
    with saver(home, state) as one, saver(home, state) as two:
        ask(one, "save by one")
        lab.wait_until(lambda: ask(two, "look") == "by one\n")
        ask(two, "save by two")
        lab.wait_until(lambda: ask(one, "look") == "by two\n")
        assert finish(one)[0] == 0 and state.read_text() == "by two"
        ask(two, "save again")
        lab.wait_until(lambda: state.read_text() == "again")
        assert finish(two)[0] == 0
    assert not leftovers(home)


def test_many_saves(home, who, state):
    """Whoever reads outside never finds half a file, and at the end the
    last."""
    body = """
import os, sys
path = sys.argv[1]
for i in range(2000):
    with open(path + ".t", "w") as f:
        f.write(f"<{'x' * 5000}{i}>")
    os.replace(path + ".t", path)
"""
    with running([*VIEW, "--allow-file", state, PYTHON, "-c", body, state],
                 who, cwd=home.work) as process:
        while process.poll() is None:
            text = state.read_text()
            assert text == '{"runs": 0}' or (text[0], text[-1]) == ("<", ">")
        rc, _, err = finish(process)
    assert (rc, err) == (0, "")
    assert state.read_text().endswith("x1999>")


def test_removed_file(home, who, state):
    """Removing it inside takes nothing away outside."""
    got = shell(who, f"rm {state}; ls -A ~", ["--allow-file", state],
                cwd=home.work)
    assert NAME not in got.out, got
    assert state.read_text() == '{"runs": 0}'


def test_two_files_in_one_folder(home, who, state):
    other = home.write(".other.json", "other")
    got = shell(who, f"cd; echo new >t; mv t {NAME}; cat {other}; "
                f"mv {other} kept; echo x >t; mv t {other}",
                ["--allow-file", state, "--allow-file", other],
                cwd=home.work)
    assert got.out == "other", got
    assert state.read_text() == "new\n" and other.read_text() == "x\n"


def test_granted_folder_beside_it(home, who, state):
    """The folder around holds what else is granted, at its place."""
    home.write("data/file", "x")
    home.write("data/ro/file", "x")
    base = home.user.home
    args = ["--allow-file", state, "--allow", base / "data/rw", "--read",
            base / "data/ro"]
    home.folder(base / "data/rw")
    assert look(who, [state, base / "data/rw", base / "data/ro/file",
                      base / "data/file", home.work], args,
                cwd=home.work) == ["file rw", "folder rw", "file r-",
                                   "ENOENT", "folder rw"]
    got = shell(who, f"touch {base}/data/rw/made ~/mine; ls -A ~", args,
                cwd=home.work)
    assert (base / "data/rw/made").exists() and "mine" in got.out, got
    assert not (base / "mine").exists()


def test_link_to_the_file(home, who):
    """~/.tool.json -> .tool/tool.json, with the folder granted."""
    base = home.user.home
    home.write(".tool/tool.json", "{}")
    os.symlink(".tool/tool.json", base / NAME)
    args = ["--allow", base / ".tool", "--allow-file", base / NAME]
    assert look(who, [base / NAME], args,
                cwd=home.work) == "link .tool/tool.json"
    got = shell(who, f"echo 1 >>~/{NAME}; f=$(readlink -f ~/{NAME}); "
                "cp $f $f.t && echo 2 >>$f.t && mv $f.t $f", args,
                cwd=home.work)
    assert got.ok and (base / NAME).is_symlink(), got
    assert (base / ".tool/tool.json").read_text() == "{}1\n2\n"


def test_link_to_a_file_that_is_granted_by_it(home, who):
    base = home.user.home
    home.write("dot/tool.json", "{}")
    os.symlink("dot/tool.json", base / NAME)
    got = shell(who, f"f=$(readlink -f ~/{NAME}); echo 2 >$f.t && "
                "mv $f.t $f", ["--allow-file", base / NAME], cwd=home.work)
    assert got.ok and (base / NAME).is_symlink(), got
    assert (base / "dot/tool.json").read_text() == "2\n"


# ---- a hostile command ------------------------------------------------------

PLANTS = {
    "link": "ln -s {secret} {path}",
    "fifo": "mkfifo {path}",
    "folder": "mkdir {path}",
}


@pytest.mark.parametrize("kind", PLANTS)
def test_plant(home, who, state, kind):
    """Only plain files travel outwards; what did not is said."""
    secret = home.write(".ssh/id", "secret")
    text = "rm {path}; " + PLANTS[kind]
    got = shell(who, text.format(path=state, secret=secret),
                ["--allow-file", state], cwd=home.work)
    assert state.read_text() == '{"runs": 0}', got
    assert stat.S_ISREG(state.lstat().st_mode)
    assert "was not carried over" in got.err and str(state) in got.err, got
    assert not leftovers(home)


def test_no_setuid_program_travels_outwards(home, who, state):
    """Not by its mode, and not by a copy that brings it along."""
    got = shell(who, f"cp -p /usr/bin/su {state}.t; chmod u+s {state}.t; "
                f"chmod 755 {state}.t && mv {state}.t {state}",
                ["--allow-file", state], cwd=home.work)
    assert got.ok and "Operation not permitted" in got.err, got
    assert state.read_bytes() == pathlib.Path("/usr/bin/su").read_bytes()
    assert stat.S_IMODE(state.stat().st_mode) == 0o755
    assert not leftovers(home)


def test_neighbours_stay_hidden(home, who, state):
    """What has no grant is not in the folder around the file, nor can it be
    reached by links from there."""
    base = home.user.home
    secret = home.write("notes", "secret")
    got = shell(who, f"ls -A ~; cat {secret}; ln {secret} ~/x; "
                f"echo mine >{secret}; cat {secret}", ["--allow-file", state],
                cwd=home.work)
    assert "secret" not in got.out and "notes" not in got.out.split(), got
    assert secret.read_text() == "secret"
    assert set(os.listdir(base)) >= {"notes", NAME}


def test_the_folder_for_copies_is_hidden(home, who, state):
    """Whatever is granted around it: other runs have their files there."""
    base = home.user.home
    home.folder(base / ".local/state/egress-run/other")
    home.write(".local/state/egress-run/other/file", "secret")
    for args in ["--allow", base], ["--read", base / ".local"]:
        got = shell(who, "ls ~/.local/state/egress-run/*; "
                    "cat ~/.local/state/egress-run/*/file",
                    [*args, "--allow-file", state], cwd=home.work)
        assert "secret" not in got.out and "other" not in got.out, got


def test_the_folder_for_copies_comes_later(home, who, state):
    """Another run makes it, and has there what this one must not read."""
    base = home.user.home
    secret = home.write("secret", "secret")
    body = ("import os, sys; print('up', flush=True); sys.stdin.readline(); "
            "base = os.environ['HOME'] + '/.local'; "
            "print([p for p, _, names in os.walk(base) if names])")
    shutil.rmtree(base / ".local/state", ignore_errors=True)
    profile = home.write("deny.json", json.dumps(
        {"filesystem": {"allow": [str(base)], "deny": [str(secret)]}}))
    with running([*VIEW, "-p", profile, PYTHON, "-c", body], user=who,
                 cwd=home.work) as one:
        read_line(one)
        with running([*VIEW, "--allow-file", secret, "sh", "-c",
                      "echo up; read x"], user=who, cwd=home.work) as two:
            read_line(two)
            assert leftovers(home), "the other run has its mirror"
            assert ask(one, "") == "[]\n"
            finish(two)
        finish(one)


def test_no_flood_of_warnings(home, who, state):
    """By putting in turn what is carried over and what is not, until the last
    warning has come."""
    body = f"""
import os, select, sys
os.chdir({str(state.parent)!r})
while not select.select([sys.stdin], [], [], 0)[0]:
    os.symlink("elsewhere", "t")
    os.rename("t", {NAME!r})
    open("t", "w").close()
    os.rename("t", {NAME!r})
"""
    with lab.started(["timeout", "60", lab.EGRESS_RUN, *VIEW, "--allow-file",
                      state, PYTHON, "-c", body], who, stdin=subprocess.PIPE,
                     stderr=subprocess.PIPE, cwd=home.work) as process:
        told = []
        while not told or b"more changes of the command" not in told[-1]:
            told.append(process.stderr.readline())
            assert told[-1] and len(told) <= 22, told
        process.stdin.close()
        told += process.stderr.readlines()
        assert process.wait(10) == 0
    assert len(told) <= 23, told


# ---- files that cannot be had so --------------------------------------------

def test_file_for_reading_only(home, who, state):
    got = shell(who, f"cat {state}; echo x >{state}.t; mv {state}.t {state}",
                ["--read-file", state], cwd=home.work)
    assert got.out == '{"runs": 0}' and got.rc == 1, got
    assert "Read-only file system" in got.err
    assert state.read_text() == '{"runs": 0}'


def test_file_of_somebody_else(egress):
    """The user may write it, but not make it his own: a plain mount, which
    refuses to be replaced (EBUSY), and can be written in place."""
    with home_of("tester") as home:
        state = home.write(NAME, "{}")
        path = home.write("shared.conf", "old", mode=0o666)
        os.chown(path, 0, 0)
        got = shell("tester", f"echo in place >{path}; echo x >~/t && "
                    f"mv -f ~/t {path}", ["--allow-file", path,
                                          "--allow-file", state],
                    cwd=home.work)
        assert path.read_text() == "in place\n", got
        assert path.stat().st_uid == 0 and got.rc == 1
        assert "Device or resource busy" in got.err


def test_file_in_a_system_folder(egress):
    """Where the user may not make files, saving fails as it does outside."""
    folder = lab.LAB / "shared"
    folder.mkdir(mode=0o755)
    try:
        path = folder / "conf"
        path.write_text("old")
        os.chown(path, *lab.USERS["tester"][:2])
        with home_of("tester") as home:
            got = shell("tester", f"echo new >{path}; echo x >{path}.t",
                        ["--allow-file", path], cwd=home.work)
        assert path.read_text() == "new\n" and got.rc != 0, got
        assert os.listdir(folder) == ["conf"]
    finally:
        shutil.rmtree(folder)


# ---- renames and links ------------------------------------------------------

def test_inside_a_folder(home, who):
    """As outside: renames of files and folders, hard links, exchange."""
    body = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("a/b")
open("a/b/f", "w").write("1")
os.link("a/b/f", "a/g")
os.rename("a/b", "b")
os.rename("a/g", "b/g")
open("h", "w").write("2")
assert libc.renameat2(-100, b"h", -100, b"b/f", 2) == 0
assert libc.renameat2(-100, b"h", -100, b"b/g", 1) == -1
os.symlink("b/f", "l")
os.rename("b", "a/c")
print(os.stat("h").st_nlink, open("a/c/f").read(), sorted(os.listdir("a/c")))
"""
    got = python(who, body, cwd=home.work)
    assert got == "2 2 ['f', 'g']"
    assert (home.work / "h").stat().st_nlink == 2
    assert (home.work / "a/c/f").read_text() == "2"


def test_between_two_folders(home, who):
    """Two mounts: EXDEV, on which mv copies; one grant above them, none."""
    base = home.user.home
    home.write("top/one/file", "x")
    home.folder(base / "top/two")
    body = """
import errno, os, sys
for call in os.link, os.rename:
    try:
        call(sys.argv[1] + "/one/file", sys.argv[1] + "/two/file")
        print("done")
        os.unlink(sys.argv[1] + "/two/file") if call == os.link else 0
    except OSError as e:
        print(errno.errorcode[e.errno])
"""
    apart = ["--allow", base / "top/one", "--allow", base / "top/two"]
    assert python(who, body, base / "top", args=apart,
                  cwd=home.work) == "EXDEV\nEXDEV"
    got = shell(who, f"mv {base}/top/one/file {base}/top/two/", apart,
                cwd=home.work)
    assert got.ok and (base / "top/two/file").read_text() == "x", got
    (base / "top/two/file").rename(base / "top/one/file")
    above = ["--allow", base / "top"]
    assert python(who, body, base / "top", args=above,
                  cwd=home.work) == "done\ndone"
    # A lesser grant below the same tree is no border.
    (base / "top/two/file").rename(base / "top/one/file")
    assert python(who, body, base / "top",
                  args=[*above, "--read", base / "top/two"],
                  cwd=home.work) == "done\ndone"


# ---- git --------------------------------------------------------------------

def test_git_in_the_working_directory(home, who):
    """It saves .git/config, the index and refs by rename and by link."""
    assert lab.host(["git", "init", "-q", "-b", "main"], user=who,
                    cwd=home.work).ok
    got = shell(who, """set -e
git config user.name Lab; git config user.email lab@example
echo 1 >f; git add f; git commit -qm one
git checkout -qb side; echo 2 >f; git commit -qam two
git checkout -q main; git merge -q side; git mv f g; git commit -qm three
git stash list; git branch -m side other; git gc -q; git worktree add -q w
git log --format=%s; git status -s""", cwd=home.work)
    assert got.out.split()[:3] == ["three", "two", "one"], got
    outside = lab.host(["git", "log", "--format=%s %an"], user=who,
                       cwd=home.work)
    assert outside.out == "three Lab\ntwo Lab\none Lab\n", outside
    assert lab.host(["git", "fsck"], user=who, cwd=home.work).ok


@pytest.mark.parametrize("key", [None, "read", "write"])
def test_git_hooks(home, who, key):
    assert lab.host(["git", "init", "-q"], user=who, cwd=home.work).ok
    args = []
    if key:
        args = ["-p", home.profile("p", {
            "workdir": {"access": "readwrite"},
            "egress_run": {"git_hooks": key}})]
    got = shell(who, "echo evil >.git/hooks/pre-commit; mv .git/hooks .git/h;"
                "mv .git g; rm -rf .git 2>/dev/null; ls -d .git", args,
                cwd=home.work)
    hook = home.work / ".git/hooks/pre-commit"
    if key == "write":
        assert not (home.work / ".git").exists(), got
        assert (home.work / "g/h/pre-commit").read_text() == "evil\n"
    else:
        assert not hook.exists() and hook.parent.is_dir(), got
        assert not (home.work / "g").exists(), got


def git(who, folder, *args):
    done = lab.host(["git", "-c", "user.name=a", "-c", "user.email=b", "-c",
                     "protocol.file.allow=always", *args], user=who,
                    cwd=folder)
    assert done.ok, done


WRITE_HOOKS = """
import contextlib, os, sys
def tries(function, *args):
    with contextlib.suppress(OSError):
        function(*args)
def write(folder):
    with open(folder + "/evil", "w"):
        pass
for i, folder in enumerate(sys.argv[1:]):
    tries(write, folder)
    above = folder
    while above:
        tries(os.rename, above, f"old{i}-{len(above)}")
        tries(os.makedirs, folder)
        tries(write, folder)
        above = os.path.dirname(above)
"""


def write_hooks(who, home, folders, cwd, args=()):
    """Those of the folders in which a hook could be made, in place or by way
    of another folder in its place."""
    assert python(who, WRITE_HOOKS, *folders, args=args, cwd=cwd) == ""
    return [x for x in folders if (cwd / x / "evil").exists()]


def test_hooks_of_modules_and_worktrees(home, who):
    """Submodules, one in a submodule, and further working trees: their hooks
    are in the repository or in its modules."""
    for name in "inner", "middle":
        folder = home.folder(home.user.home / name)
        git(who, folder, "init", "-q")
        git(who, folder, "commit", "-q", "--allow-empty", "-m", "one")
    git(who, home.user.home / "middle", "submodule", "-q", "add",
        str(home.user.home / "inner"), "lib/in")
    git(who, home.user.home / "middle", "commit", "-qm", "two")
    git(who, home.work, "init", "-q")
    git(who, home.work, "submodule", "-q", "add",
        str(home.user.home / "middle"), "mid")
    git(who, home.work, "submodule", "-q", "update", "--init", "--recursive")
    git(who, home.work, "commit", "-qm", "one")
    git(who, home.work, "worktree", "add", "-qb", "side", "tree")
    folders = [".git/hooks", ".git/modules/mid/hooks",
               ".git/modules/mid/modules/lib/in/hooks"]
    for folder in folders:
        assert (home.work / folder).is_dir(), folder
    # In the other working tree, with the repository granted.
    tree = home.user.home / "tree"
    git(who, home.work, "worktree", "add", "-qb", "other", tree)
    allow = ["--allow", home.work]
    got = shell(who, f"echo x >{home.work}/.git/hooks/evil; "
                f"echo x >{home.work}/.git/modules/mid/hooks/evil; "
                f"git -C {home.work} status -s", allow, cwd=tree)
    assert got.err.count("Read-only file system") == 2, got
    # Work goes on as ever.
    got = shell(who, "git submodule -q foreach --recursive git status -s && "
                "git worktree remove tree && git submodule -q deinit -f mid "
                "&& git -c user.name=a -c user.email=b commit -q "
                "--allow-empty -m x && echo done", cwd=home.work)
    assert got.out == "done\n", got
    assert not write_hooks(who, home, folders, home.work)


def test_hooks_in_a_folder_of_projects(home, who):
    """Those of each project, wherever it is; but a repository inside a
    repository may be one that a build has fetched and has to remove."""
    for name in "one", "group/two", "one/build/fetched", "node_modules/x":
        git(who, home.folder(home.work / name), "init", "-q")
    assert write_hooks(who, home, ["one/.git/hooks", "group/two/.git/hooks"],
                       home.work) == []
    assert write_hooks(who, home, ["build/fetched/.git/hooks"],
                       home.work / "one") == ["build/fetched/.git/hooks"]
    got = shell(who, "rm -rf build old* && ls -A", cwd=home.work / "one")
    assert got.ok and got.out == ".git\n", got
    key = ["-p", home.profile("p", {"workdir": {"access": "readwrite"},
                                    "egress_run": {"git_hooks": "write"}})]
    assert len(write_hooks(who, home, ["one/.git/hooks"], home.work, key)) == 1


def test_git_without_hooks(home, who):
    """A folder for them is made, lest the command make it."""
    assert lab.host(["git", "init", "-q", "--template="], user=who,
                    cwd=home.work).ok
    assert not (home.work / ".git/hooks").exists()
    got = shell(who, "mkdir -p .git/hooks; echo x >.git/hooks/pre-commit; "
                "git config a.b c", cwd=home.work)
    assert (home.work / ".git/hooks").is_dir(), got
    assert not os.listdir(home.work / ".git/hooks")
    assert "b = c" in (home.work / ".git/config").read_text()


def test_git_init_inside(home, who):
    """What the command makes itself is its own."""
    got = shell(who, "git init -q sub && cd sub && echo x >.git/hooks/post && "
                "git config a.b c && cat .git/hooks/post", cwd=home.work)
    assert got.out == "x\n", got


# ---- killed, and full disks -------------------------------------------------

@pytest.mark.parametrize("victim", ["monitor", "init", "command"])
def test_killed(home, who, state, victim):
    """kill -9: the file is whole, what is left the next run removes."""
    before = lab.residue()
    with saver(home, state) as process:
        ask(process, "save one")
        lab.wait_until(lambda: state.read_text() == "one")
        process.run.ready()
        pid = {"monitor": process.pid,
               "init": process.run.helper("egress-init"),
               "command": process.run.command()}[victim]
        os.kill(pid, 9)
        process.wait(5)
    assert state.read_text() == "one"
    lab.wait_clean(before)
    # A run without the file as well.
    got = shell(who, "true", cwd=home.work)
    assert got.ok and (victim == "monitor" or not leftovers(home))
    got = shell(who, f"cat {state}", ["--allow-file", state], cwd=home.work)
    assert got.out == "one" and not leftovers(home), got
    assert state.stat().st_nlink == 1


@pytest.fixture
def disk(home):
    """A folder on a small file system of its own, nearly full."""
    path = home.folder(home.user.home / "disk")
    uid, gid = home.user.uid, home.user.gid
    subprocess.run(["mount", "-t", "tmpfs", "-o",
                    f"size=64k,mode=0755,uid={uid},gid={gid}", "lab", path],
                   check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_full_disk(home, who, disk):
    """Saving fails inside as it does outside, and the old file stays."""
    path = home.write("disk/state", "old")
    fill = home.write("disk/fill", "")
    with contextlib.suppress(OSError), fill.open("wb", 0) as f:
        while True:
            f.write(bytes(4096))
    body = """
import os, sys
try:
    with open(sys.argv[1] + ".t", "w") as f:
        f.write("new" * 3000)
        f.flush()
except OSError as e:
    print(e.strerror)
    os.unlink(sys.argv[1] + ".t")
else:
    os.replace(sys.argv[1] + ".t", sys.argv[1])
    print("saved")
"""
    got = python(who, body, path, args=["--allow-file", path], cwd=home.work)
    assert got == "No space left on device"
    assert path.read_text() == "old" and path.stat().st_nlink == 1
    fill.unlink()
    got = python(who, body, path, args=["--allow-file", path], cwd=home.work)
    assert got == "saved" and path.read_text() == "new" * 3000
    # On a file system of its own the copy lies beside it.
    assert os.listdir(disk) == ["state"] and not leftovers(home)


def test_state_folder_that_cannot_be_made(home, who, state):
    """Then the copy lies beside the file."""
    home.write(".local", "not a folder")
    got = lab.egress([*VIEW, "--allow-file", state, "--", *SAVE["python"],
                      state, "1"], user=who, cwd=home.work)
    assert got.ok and state.read_text() == "1", got
    assert not leftovers(home)
