# SPDX-License-Identifier: GPL-2.0-or-later
"""What every command has for itself: private places, devices, processes,
generated files, sockets; and real programs in all that.
"""
import contextlib
import os
import pathlib
import re
import shutil
import tempfile

import pytest

import lab
from escape_helpers import PYTHON, home_of, listener, temporary
from files_helpers import look, python, shell

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


@pytest.fixture
def tester(egress):
    with home_of("tester") as made:
        yield made


# ---- private places ---------------------------------------------------------

PRIVATE = {"/tmp": 0o1777, "/var/tmp": 0o1777, "/dev/shm": 0o1777,
           "/run": 0o755}


def test_private_places(who):
    """Empty, writable, with their modes; gone afterwards."""
    body = """
import os, sys
for path in sys.argv[1:]:
    names = sorted(os.listdir(path))
    st = os.stat(path)
    open(path + "/lab-left", "w").close()
    print(path, oct(st.st_mode & 0o7777), *names)
"""
    home = lab.USERS[who].home
    got = python(who, body, *PRIVATE, cwd=home).splitlines()
    assert got == [f"{path} {oct(mode)}" for path, mode in PRIVATE.items()]
    assert not [x for x in PRIVATE if os.path.exists(f"{x}/lab-left")]
    got = python(who, body, *PRIVATE, cwd=home).splitlines()
    assert not any("lab-left" in line for line in got), got


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm", "/run"])
def test_grant_in_a_private_place(home, who, place):
    """It is there, and nothing around it."""
    with tempfile.TemporaryDirectory(prefix="lab-", dir=place) as name:
        path = pathlib.Path(name)
        (path / "granted").mkdir()
        for each in path, path / "granted":
            os.chown(each, home.user.uid, home.user.gid)
        (path / "secret").write_text("x")
        got = shell(who, f"cd {path} && find . && touch granted/made own",
                    ["--allow", path / "granted"], cwd=home.work)
        assert got.ok and got.out == ".\n./granted\n", got
        assert sorted(os.listdir(path)) == ["granted", "secret"]
        assert os.listdir(path / "granted") == ["made"]


def test_programs_in_tmp(who):
    got = shell(who, "cp /bin/echo /tmp/mine && /tmp/mine ran")
    assert got.out == "ran\n", got


def test_runtime_dir(who):
    """Private and with its mode, where the host has one; else there is
    none."""
    uid = lab.USERS[who].uid
    got = shell(who, "echo $XDG_RUNTIME_DIR; stat -c %a $XDG_RUNTIME_DIR; "
                "touch $XDG_RUNTIME_DIR/x && ls -A $XDG_RUNTIME_DIR",
                env={"XDG_RUNTIME_DIR": f"/run/user/{uid}"})
    assert got.out == f"/run/user/{uid}\n700\nx\n", got
    assert not os.path.exists(f"/run/user/{uid}/x")
    got = shell(who, "echo ${XDG_RUNTIME_DIR-unset}; ls -A /run",
                env={"XDG_RUNTIME_DIR": None})
    assert got.out == "unset\n", got


def test_tmpdir_elsewhere(home, who):
    """A folder for temporary files that nothing grants is private as well."""
    place = home.folder(home.user.home / "scratch")
    home.write("scratch/old", "x")
    got = shell(who, "d=$(mktemp -d) && ls -A $d && echo ok; "
                f"ls -A {place}", cwd=home.work, env={"TMPDIR": str(place)})
    assert got.out.splitlines()[0] == "ok" and "old" not in got.out, got
    assert os.listdir(place) == ["old"]


@pytest.mark.parametrize("how", ["option", "profile"])
def test_share_tmp(home, who, how):
    args = ["--share-tmp"] if how == "option" else \
        ["-p", home.profile("p", {"egress_run": {"share_tmp": True}})]
    with contextlib.ExitStack() as files:
        names = []
        for place in "/tmp", "/var/tmp", "/dev/shm":
            file = files.enter_context(tempfile.NamedTemporaryFile(
                prefix="lab-", dir=place))
            os.chown(file.name, home.user.uid, home.user.gid)
            names.append(file.name)
        assert look(who, names, args, cwd=home.work) == ["file rw"] * 3
        assert look(who, names, cwd=home.work) == ["ENOENT"] * 3


def test_processes(who):
    """Only the run's own."""
    with lab.started(["sleep", "1000"], who) as outside:
        got = shell(who, "ls /proc; ps -e -o comm=; "
                    f"ls /proc/{outside.pid} && echo seen")
    pids = [int(x) for x in got.out.split() if x.isdigit()]
    assert pids and max(pids) < 50, got
    assert "seen" not in got.out and "sleep" not in got.out
    got = shell(who, "readlink /proc/self/exe; cat /proc/1/comm")
    assert got.out.splitlines()[1] == "egress-init", got


def test_dev(who):
    """The nodes that programs need, and no others."""
    names = shell(who, "ls /dev").out.split()
    want = {"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr",
            "stdin", "stdout", "tty", "urandom", "zero"}
    assert set(names) - {"console"} == want
    seen = look(who, ["/dev", "/dev/null", "/dev/full", "/dev/urandom",
                      "/dev/pts", "/dev/fd", "/dev/kmsg", "/dev/mem"])
    assert seen == ["folder r-", "device rw", "device rw", "device rw",
                    "folder r-", "link /proc/self/fd", "ENOENT", "ENOENT"]
    got = shell(who, "(echo x >/dev/stdout) | cat; echo y | cat /dev/stdin; "
                "head -c3 /dev/zero | wc -c; echo z | tee /dev/full")
    assert got.out == "x\ny\n3\nz\n" and "No space left" in got.err, got
    # Pseudo-terminals of its own.
    got = shell(who, "ls /dev/pts; script -qc 'tty; stty size' /dev/null")
    assert re.search(r"/dev/pts/0\b", got.out), got


def test_granted_device(tester):
    seen = look("tester", ["/dev/zero", "/dev/kmsg"],
                ["--read", "/dev/kmsg"], cwd=tester.work)
    assert seen[0].startswith("device r")
    assert seen[1] in ("device --", "ENOENT", "device r-"), seen


def test_sys(home, who):
    """Only if granted; then its own, with the run's network."""
    assert look(who, ["/sys"], cwd=home.work) == "ENOENT"
    text = "cat /sys/class/net/*/address"
    got = shell(who, f"{text}; ls -d /sys/kernel; touch /sys/x",
                ["--read", "/sys"], cwd=home.work)
    outside = lab.host(["sh", "-c", text]).out.split()
    assert not (set(outside) - {"00:00:00:00:00:00"}) & set(got.out.split())
    assert got.out.endswith("/sys/kernel\n"), got
    assert "Read-only" in got.err or "denied" in got.err, got


# ---- generated files --------------------------------------------------------

def test_generated_files(home, who):
    """Those of the run, not those of the machine."""
    host_id = lab.host(["cat", "/etc/machine-id"]).out.strip()
    text = ("cat /etc/hostname; hostname; cat /etc/machine-id; "
            "cat /etc/resolv.conf; whoami; id -un; id -gn; "
            "getent passwd git; grep -c . /etc/passwd; "
            "getent hosts localhost")
    one = shell(who, text, cwd=home.work)
    two = shell(who, "cat /etc/machine-id", cwd=home.work)
    lines = one.out.splitlines()
    assert lines[:2] == ["egress-run", "egress-run"], one
    assert re.fullmatch(r"[0-9a-f]{32}", lines[2]) and lines[2] != host_id
    assert lines[2] != two.out.strip()
    assert lines[3:7] == ["nameserver 192.0.0.1", who, who, who], one
    assert "192.0.2.53" not in one.out and "git-shell" not in one.out
    assert int(lines[7]) <= 3
    assert re.match(r"(::1|127\.0\.0\.1)\s+localhost", lines[8])
    files = ["resolv.conf", "hosts", "nsswitch.conf", "passwd", "group",
             "hostname", "machine-id"]
    assert look(who, [f"/etc/{x}" for x in files], cwd=home.work) == \
        ["file r-"] * len(files)


@pytest.mark.parametrize("grant", [["--read-file", "/etc/passwd"],
                                   ["--read", "/etc"]], ids=str)
def test_generated_files_and_grants(home, who, grant):
    """A grant of that very file brings the host's; of all /etc does not."""
    got = shell(who, "cat /etc/passwd /etc/resolv.conf /etc/hosts", grant,
                cwd=home.work)
    assert ("git-shell" in got.out) == ("/etc/passwd" in grant), got
    assert "192.0.2.53" not in got.out and "fromhosts" not in got.out
    assert "nameserver 192.0.0.1" in got.out
    # What steers name resolution is ours in any case.
    got = shell(who, "cat /etc/resolv.conf /etc/hosts",
                ["--read-file", "/etc/resolv.conf", "--read-file",
                 "/etc/hosts"], cwd=home.work)
    assert "192.0.2.53" not in got.out and "fromhosts" not in got.out, got


def test_user_without_an_account(egress):
    """There is a name for it all the same."""
    got = lab.host(["setpriv", "--reuid=3999", "--regid=3999",
                    "--clear-groups", "env", "-u", "USER", "HOME=/nonexistent",
                    lab.EGRESS_RUN, "-q", "sh", "-c", "id -u; whoami"],
                   env={"EGRESS_RUN_FILES": None}, cwd="/usr/bin")
    assert got.out == "3999\nuser\n", got


def test_secrets_in_etc(home, who):
    assert look(who, ["/etc/shadow", "/etc/sudoers"], cwd=home.work) == \
        ["ENOENT"] * 2
    # Modes of the host hold whatever is granted.
    seen = look("tester", ["/etc/shadow"], ["--read", "/etc"],
                cwd=lab.USERS["tester"].home)
    assert seen == "file --"


# ---- sockets ----------------------------------------------------------------

SOCKETS = r"""
import errno, os, socket, sys
def connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
def bind(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    os.unlink(path)
for word in sys.argv[1:]:
    action, path = word.split(":")
    try:
        globals()[action](path)
        print("done")
    except OSError as e:
        print(errno.errorcode[e.errno])
"""
# What works of connecting to d/s, d/sub/s and binding d/n, d/sub/n.
GRANTS = {
    None: "----",
    "unix-socket": "c---",
    "unix-socket-bind": "c---",
    "unix-socket-dir": "c---",
    "unix-socket-dir-bind": "c-b-",
    "unix-socket-subtree": "cc--",
    "unix-socket-subtree-bind": "ccbb",
}


@pytest.mark.parametrize("by", ["option", "profile"])
@pytest.mark.parametrize("option", GRANTS)
def test_socket_grants(home, who, option, by):
    folder = home.folder(home.user.home / "d/sub").parent
    with listener(folder / "s", user=who), \
            listener(folder / "sub/s", user=who):
        named = folder / ("s" if option in ("unix-socket", "unix-socket-bind")
                          else "")
        args = []
        if option and by == "option":
            args = [f"--allow-{option}", named]
        elif option:
            args = ["-p", home.profile("p", {"filesystem": {
                option.replace("-", "_"): [str(named)]}})]
        got = python(who, SOCKETS, f"connect:{folder}/s",
                     f"connect:{folder}/sub/s", f"bind:{folder}/n",
                     f"bind:{folder}/sub/n", args=args, cwd=home.work)
    told = "".join(letter if word == "done" else "-" for letter, word
                   in zip("ccbb", got.split()))
    assert told == GRANTS[option], got


def test_socket_that_the_command_makes(home, who):
    """unix_socket_bind of a path that is not there yet: it appears outside,
    where others connect to it."""
    path = home.folder(home.user.home / "d") / "s"
    got = python(who, SOCKETS, f"bind:{path}", f"bind:{path}x",
                 args=["--allow-unix-socket-bind", path], cwd=home.work)
    assert got.split()[0] == "done", got


def test_socket_in_a_granted_folder(home, who):
    """Granting the folder does not grant the sockets in it, at any depth."""
    with listener(home.work / "s", user=who), \
            listener(home.work / "deep/s", user=who):
        got = python(who, SOCKETS, f"connect:{home.work}/s",
                     f"connect:{home.work}/deep/s", f"bind:{home.work}/own",
                     cwd=home.work)
        assert got.split()[:2] == ["EACCES", "EACCES"], got
        got = python(who, SOCKETS, f"connect:{home.work}/s",
                     f"connect:{home.work}/deep/s",
                     args=["--allow-unix-socket", home.work / "s"],
                     cwd=home.work)
        assert got.split() == ["done", "EACCES"], got


def test_sockets_among_its_own(home, who):
    """In private places and in the working directory it makes what it
    likes."""
    got = python(who, """
import os, socket
for path in "/tmp/s", "/run/s", "own":
    with socket.socket(socket.AF_UNIX) as a, socket.socket(
            socket.AF_UNIX) as b:
        a.bind(path)
        a.listen()
        b.connect(path)
        os.unlink(path)
print("done")
""", cwd=home.work)
    assert got == "done"


# ---- --files host -----------------------------------------------------------

def test_host_files(home, who):
    """The host's tree at the user's rights; private places and hidden
    sockets as ever."""
    home.write(".ssh/id", "secret")
    home.write("notes", "x")
    base = home.user.home
    outside = base / "s"
    with listener(outside, user=who), temporary() as folder:
        os.chmod(folder, 0o755)
        pathlib.Path(folder, "file").write_text("x")
        pathlib.Path(folder, "file").chmod(0o644)
        seen = look(who, [base / "notes", f"{folder}/file", "/etc/shadow",
                          base / ".ssh/id", "/tmp", "/usr/bin"],
                    ["--files", "host"], cwd=home.work)
        got = python(who, SOCKETS, f"connect:{outside}", "connect:/run/x",
                     args=["--files", "host"], cwd=home.work)
    root = who == "root"
    assert seen[0] == "file rw"
    assert seen[1] == ("file rw" if root else "file r-")
    assert seen[2].startswith("file") and (root or seen[2] == "file --")
    assert seen[3] in ("ENOENT", "EACCES", "file --"), seen
    assert seen[4] == "folder rw"
    assert got.split() == ["EACCES", "ENOENT"], got
    got = shell(who, f"ls -A /tmp; cat /etc/resolv.conf; echo x >{base}/new",
                ["--files", "host"], cwd=home.work)
    assert got.out == "nameserver 192.0.0.1\n", got
    assert (base / "new").read_text() == "x\n"


# ---- the host afterwards ----------------------------------------------------

def test_nothing_is_left(home, who):
    home.write("work/secret", "x")
    home.write(".tool.json", "{}")
    before = lab.residue()
    listing = sorted(os.listdir(home.user.home))
    profile = home.profile("p", {"filesystem": {
        "allow": ["$WORKDIR"], "deny": ["$WORKDIR/secret"],
        "allow_file": ["~/.tool.json"]}})
    got = shell(who, "touch /tmp/x /run/x ~/private", ["-p", profile],
                cwd=home.work)
    assert got.ok, got
    lab.wait_clean(before)
    now = set(os.listdir(home.user.home)) - {".config", ".local"}
    assert now == set(listing), got
    assert os.listdir(home.work) == ["secret"]


# ---- real programs ----------------------------------------------------------

def test_git_clone(home, who):
    got = lab.egress(["--files", "profile", "-q", "--allow-domain",
                      "git.test", "--read-file", os.environ["LAB_CA"], "sh",
                      "-c", "git clone -q https://git.test/repo.git r && "
                      "cat r/README && cd r && git log --format=%s && "
                      "git status -s && git -c user.name=a -c user.email=b "
                      "commit -q --allow-empty -m two && git gc -q"],
                     user=who, cwd=home.work, timeout=30)
    assert got.out == "Content of repo.git.\nFirst commit\n", got
    assert (home.work / "r/.git/HEAD").exists()


def test_python_venv(home, who):
    got = shell(who, f"{PYTHON} -m venv --without-pip v && "
                "v/bin/python -c 'import ssl, json, sqlite3, ctypes, "
                "multiprocessing; multiprocessing.Lock(); "
                "import sys; print(sys.prefix)'", cwd=home.work, timeout=60)
    assert got.out == f"{home.work}/v\n", got


PROGRAMS = {
    "node": "node -e 'const {Worker} = require(\"worker_threads\"); "
            "new Worker(\"require(\\\"fs\\\").writeFileSync(\\\"w\\\", "
            "\\\"x\\\")\", {eval: true}).on(\"exit\", () => "
            "console.log(require(\"child_process\")"
            ".execSync(\"echo child\").toString(), require(\"os\")"
            ".homedir()))'; cat w",
    "npm": "npm --version",
    "gcc": "echo 'int main(void) { return 7; }' >a.c && gcc -pipe a.c && "
           "gcc -c a.c -o /tmp/a.o && ./a.out; echo $?",
    "go": "go version",
    "vim": "vim -es -u NONE -c 'normal ihello' -c wq out </dev/null; "
           "cat out",
    "tmux": "tmux new-session -d 'echo inside >t; tmux wait-for -S done; "
            "exec cat'; tmux wait-for done; cat t; tmux kill-server",
    "make": "printf 'all:\\n\\techo made\\n' >Makefile; make -s",
    "perl": "perl -MPOSIX -e 'print getcwd(), qq(\\n)'",
    "gdb": "gdb -q -batch -ex run -ex bt --args true 2>&1 | tail -1",
    "strace": "strace -f -e trace=none -o t sh -c 'true'; tail -1 t",
    "locale": "locale -a | head -1; date +%Z; df . | tail -1 | wc -l",
}
WANTED = {
    "node": "child", "npm": ".", "gcc": "7\n", "go": "go version",
    "vim": "hello\n", "tmux": "inside\n", "make": "made\n", "perl": "/work\n",
    "strace": "exited with 0", "locale": "1\n",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(home, who, name):
    if not shutil.which(name.replace("locale", "date"),
                        path="/usr/local/bin:/usr/bin:/bin"):
        pytest.skip(f"{name} is not installed")
    got = shell(who, PROGRAMS[name], cwd=home.work, timeout=60,
                env={"NODE_EXTRA_CA_CERTS": None})
    assert WANTED.get(name, "") in got.out and not got.err, got
