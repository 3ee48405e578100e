# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile command reaches no file, socket, process or key outside.

Every attempt is made on the host first, by the same user, where it works, and
then inside.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

import lab
from escape_helpers import (PYTHON, VIEW, home_of, inside, listener, outside,
                            program, temporary)
from launch_helpers import ask, finish, read_line, running

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


def there(home):
    """Options of a run in that home's working folder."""
    return {"cwd": home.work}


# ---- sockets ----------------------------------------------------------------

CONNECT = """
for path in WHERE["paths"]:
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
        s = socket.socket(socket.AF_UNIX, kind)
        if attempt(f"{path} {int(kind)}", s.connect, path) == "done":
            break
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    attempt(f"{path} sendto", s.sendto, b"x", path)
"""
DAEMONS = ("/run/docker.sock", "/run/containerd/containerd.sock",
           "/run/podman/podman.sock", "/run/libvirt/libvirt-sock",
           "/run/dbus/system_bus_socket", "/run/nscd/socket",
           "/run/systemd/private", "/run/systemd/journal/socket",
           "/run/systemd/resolve/io.systemd.Resolve",
           "/run/user/{uid}/bus", "/run/user/{uid}/systemd/private",
           "/run/user/{uid}/gnupg/S.gpg-agent", "/run/user/{uid}/wayland-0",
           "/tmp/.X11-unix/X77", "/tmp/tmux-{uid}/default77",
           "/tmp/ssh-77/agent.1", "/var/tmp/vscode-ipc-77.sock",
           "/dev/shm/lab-77.sock", "/var/run/docker2.sock",
           "{home}/.docker/run/docker.sock", "{home}/.gnupg/S.gpg-agent",
           "{home}/.1password/agent.sock")
# Where the path has been granted or is in a granted folder: masked.
MASKED = ("{home}/work/.daemon.sock", "{home}/work/deep/er/daemon.sock")


def places(paths, home):
    return [path.format(uid=home.user.uid, home=home.user.home)
            for path in paths]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM,
                                  socket.SOCK_SEQPACKET])
@pytest.mark.parametrize("files", ["profile", "host"])
@pytest.mark.parametrize("path", DAEMONS + MASKED)
def test_socket_of_the_host(home, who, path, files, kind):
    """Neither connected nor sent to; in both modes of files."""
    path, = places([path], home)
    with listener(path, kind, who):
        got = outside(CONNECT, who, there(home), paths=[path])
        assert "done" in got.values(), got
        got = inside(CONNECT, who, ["--files", files], there(home),
                     paths=[path])
        assert set(got.values()) <= {"ENOENT", "EACCES", "ECONNREFUSED"}, got


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_abstract_socket(home, who, kind):
    with listener("\0lab-abstract", kind):
        paths = ["\0lab-abstract"]
        assert "done" in outside(CONNECT, who, paths=paths).values()
        got = inside(CONNECT, who, [], there(home), paths=paths)
        assert set(got.values()) <= {"EPERM", "ECONNREFUSED"}, got


def test_socket_of_a_later_daemon(home, who):
    """Bound after the start: in private places it is as little there."""
    body = program(CONNECT, paths=(paths := places(DAEMONS, home)))
    with running([*VIEW, "--", "sh", "-c", "echo up; read x; exec "
                  f"{PYTHON} -c \"$0\"", body], who, **there(home)) as process:
        assert read_line(process) == "up\n"
        with listener(paths[0]), listener(paths[9]), listener(paths[13]), \
                listener(paths[14]):
            answer = ask(process, "go")
            assert "ENOENT" in answer and "done" not in answer
        assert finish(process)[0] == 0


# A line is a path; tells how connect() ends once it is hidden, or at last.
CONNECTER = """
import errno, os, socket, sys, time
print("up", flush=True)
own = []
for line in sys.stdin:
    word, path = line.split()
    end = time.monotonic() + 6
    if word == "bind":
        own.append(socket.socket(socket.AF_UNIX))
        os.chdir(os.path.dirname(path))
        own[-1].bind(os.path.basename(path))
        own[-1].listen()
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
            told = "done"
        except OSError as e:
            told = errno.errorcode[e.errno]
        if told == "EACCES" or time.monotonic() > end or word == "bind":
            break
        time.sleep(0.005)
    print(told, flush=True)
"""


@pytest.mark.parametrize("files", ["profile", "host"])
def test_socket_bound_later(home, who, files):
    """Below a granted folder, at its top and deep in it: hidden within
    moments, and said. What the command binds itself is its own."""
    home.folder(home.work / "deep/er")
    paths = [home.work / x for x in ("s", "deep/er/s", "deep/er/t")]
    with running([*VIEW, "--files", files, PYTHON, "-c", CONNECTER], who,
                 **there(home)) as process:
        assert read_line(process) == "up\n"
        assert ask(process, f"bind {home.work}/own") == "done\n"
        for path in paths:
            with listener(path, user=who):
                assert ask(process, f"try {path}") == "EACCES\n"
        assert ask(process, f"bind {home.work}/deep/er/own") == "done\n"
        rc, _, err = finish(process)
    assert rc == 0, err
    for path in paths:
        assert err.count(f"{path} is a socket that was bound outside") == 1
    assert "own" not in err, err
    for path in "own", "deep/er/own":
        (home.work / path).unlink()


def test_socket_bound_by_a_relative_name(home, who):
    """Before the start and after it; nobody can tell where it is but by
    looking."""
    body = """
import os, socket, sys
for line in sys.stdin:
    folder, name = line.split()
    os.chdir(folder)
    s = socket.socket(socket.AF_UNIX)
    s.bind(name)
    s.listen()
    globals().setdefault("all", []).append(s)
    print("bound", flush=True)
"""
    pipe = subprocess.PIPE
    with lab.started([PYTHON, "-c", body], who, stdin=pipe,
                     stdout=pipe) as daemon:
        assert ask(daemon, f"{home.work} before") == "bound\n"
        with running([*VIEW, PYTHON, "-c", CONNECTER], who,
                     **there(home)) as process:
            assert read_line(process) == "up\n"
            assert ask(process, f"try {home.work}/before") == "EACCES\n"
            assert ask(daemon, f"{home.work} after") == "bound\n"
            assert ask(process, f"try {home.work}/after") == "EACCES\n"
            # The same name in two places: the command's own stays.
            own = home.folder(home.work / "sub") / "after"
            assert ask(process, f"bind {own}") == "done\n"
            rc, _, err = finish(process)
    assert rc == 0 and f"{home.work}/after is a socket" in err, err
    assert "sub" not in err, err


def test_socket_that_is_mounted(home, who):
    """As a container gets one: under a name that nobody bound."""
    path = home.write("work/mounted.sock", "")
    with temporary() as folder, listener(f"{folder}/s", user=who):
        os.chmod(folder, 0o755)
        subprocess.run(["mount", "--bind", f"{folder}/s", path], check=True)
        try:
            assert "done" in outside(CONNECT, who, there(home),
                                     paths=[str(path)]).values()
            for files in "profile", "host":
                got = inside(CONNECT, who, ["--files", files], there(home),
                             paths=[str(path)])
                assert set(got.values()) == {"EACCES"}, got
        finally:
            subprocess.run(["umount", path], check=True)


def test_socket_bound_while_the_sandbox_is_built(home, who):
    trace = home.user.home / "trace"
    with lab.started(["strace", "-f", "-o", trace, "-e", "trace=pivot_root",
                      "-e", "inject=pivot_root:delay_exit=1000000",
                      lab.EGRESS_RUN, *VIEW, PYTHON, "-c",
                      program(CONNECT, paths=[str(home.work / "s")])], who,
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, **there(home)) as process:
        lab.wait_until(lambda: trace.exists()
                       and "pivot_root" in trace.read_text())
        with listener(home.work / "s", user=who):
            rc, out, err = finish(process)
    assert rc == 0 and "done" not in out and "EACCES" in out, (out, err)
    assert not err, err


@pytest.mark.parametrize("where", ["work", "work/deep"])
def test_socket_bound_again(home, who, where):
    """A daemon outside that binds its socket anew: the mask goes with the old
    one, and comes back."""
    path = home.folder(home.user.home / where) / "daemon.sock"
    body = f"""
import time
s = None
for n in range(400):
    s = socket.socket(socket.AF_UNIX)
    if attempt("now", s.connect, {str(path)!r}) in ("EACCES", "ENOENT"):
        break
    time.sleep(0.005)
"""
    with listener(path), running([*VIEW, "--", "sh", "-c", "echo up; read x; "
                                  f"exec {PYTHON} -c \"$0\"", program(body)],
                                 who, **there(home)) as process:
        assert read_line(process) == "up\n"
        path.unlink()
        with listener(path):
            assert ask(process, "go") == '{"now": "EACCES"}\n'
        rc, _, err = finish(process)
    assert rc == 0 and str(path) in err, err


def test_ssh_agent(home, who, host):
    """A real one, by its variable and by its path."""
    with temporary() as folder:
        os.chmod(folder, 0o777)
        path = f"{folder}/agent"
        with lab.started(["ssh-agent", "-D", "-a", path], who,
                         stdout=subprocess.DEVNULL):
            lab.wait_until(lambda: os.path.exists(path), what="the agent")
            env = {"SSH_AUTH_SOCK": path}
            # 1: no identities, but an answer.
            assert host(["ssh-add", "-l"], user=who, env=env).rc == 1
            got = lab.egress([*VIEW, "sh", "-c",
                              "echo ${SSH_AUTH_SOCK-unset}; ssh-add -l; "
                              f"SSH_AUTH_SOCK={path} ssh-add -l"], user=who,
                             env=env, **there(home))
            assert (got.rc, got.out) == (2, "unset\n"), got


def test_session_bus(home, who, host):
    with temporary() as folder:
        os.chmod(folder, 0o777)
        address = f"unix:path={folder}/bus"
        send = ["dbus-send", "--print-reply", f"--bus={address}",
                "--dest=org.freedesktop.DBus", "/",
                "org.freedesktop.DBus.ListNames"]
        env = {"DBUS_SESSION_BUS_ADDRESS": address}
        with lab.started(["dbus-daemon", "--session", "--nofork",
                          f"--address={address}"], who):
            lab.wait_until(lambda: host(send, user=who).ok, what="the bus")
            got = lab.egress([*VIEW, "--", *send], user=who, env=env,
                             **there(home))
            assert not got.ok and "NotFound" not in got.out, got
            assert "Failed to" in got.err


def test_tmux_of_the_user(home, who, host):
    """Keys for the outer shell."""
    # The place that it has by default.
    tmux = ["tmux", "-L", "lab-outer"]
    env = {"TMUX_TMPDIR": "/tmp", "TMPDIR": "/tmp"}
    assert host([*tmux, "-f", "/dev/null", "new-session", "-d", "sleep 99"],
                user=who, env=env).ok
    try:
        assert host([*tmux, "ls"], user=who, env=env).ok
        got = lab.egress([*VIEW, *tmux, "ls"], user=who,
                         env={**env, "TMUX": f"/tmp/tmux-{home.user.uid}/"
                                             "lab-outer,1,0"}, **there(home))
        assert not got.ok and "No such file" in got.err, got
    finally:
        assert host([*tmux, "kill-server"], user=who, env=env).ok


def test_session_variables(home, who):
    """What would point to the sockets is gone."""
    names = ("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "TMUX", "DISPLAY", "XAUTHORITY",
             "DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY",
             "VSCODE_IPC_HOOK_CLI", "SSH_AGENT_PID", "TMUX_PANE")
    got = lab.egress([*VIEW, "env"], user=who, env=dict.fromkeys(names, "x"),
                     **there(home))
    assert got.ok
    assert not {x.split("=")[0] for x in got.out.splitlines()} & set(names)


# ---- files ------------------------------------------------------------------

# As the owner of the file, below a folder that is granted for reading.
ON_READ_ONLY = """
path = WHERE["path"]
folder = os.path.dirname(path)
attempt("open", lambda: os.close(os.open(path, os.O_WRONLY)))
attempt("append", lambda: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)))
attempt("open for truncation", lambda: os.close(
    os.open(path, os.O_RDONLY | os.O_TRUNC)))
attempt("truncate", os.truncate, path, 1)
attempt("chmod", os.chmod, path, 0o777)
attempt("chmod of the folder", os.chmod, folder, 0o777)
attempt("fchmod", lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o777))
attempt("chown", os.chown, path, os.getuid(), os.getgid())
attempt("utimes", os.utime, path, (1, 1))
attempt("setxattr", os.setxattr, path, "user.lab", b"x")
attempt("create", lambda: os.close(os.open(folder + "/new",
                                           os.O_CREAT | os.O_WRONLY)))
attempt("mkdir", os.mkdir, folder + "/newdir")
attempt("symlink", os.symlink, "/", folder + "/newlink")
attempt("mkfifo", os.mkfifo, folder + "/newfifo")
attempt("link in", os.link, path, folder + "/hard")
attempt("bind", lambda: socket.socket(socket.AF_UNIX).bind(folder + "/sock"))
attempt("through /proc/self/fd", lambda: os.close(os.open(
    f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", os.O_WRONLY)))
attempt("through a path descriptor", lambda: os.close(os.open(
    f"/proc/self/fd/{os.open(path, os.O_PATH)}", os.O_WRONLY)))
attempt("rename", os.rename, path, folder + "/moved")
attempt("unlink", os.unlink, folder + "/other")
attempt("rmdir", os.rmdir, folder + "/empty")
"""


def test_read_only_is_read_only(home, who):
    """Also for what Landlock leaves open: modes, times, attributes."""
    folder = home.folder(home.user.home / "shown")
    path = home.write("shown/file", "content")

    def reset():
        home.write("shown/other", "x")
        home.folder(folder / "empty")
    reset()
    got = inside(ON_READ_ONLY, who, ["--read", folder], there(home), path=path)
    assert {x for x in got.values()} <= {"EROFS", "EACCES", "EXDEV"}, got
    assert path.read_text() == "content" and path.stat().st_mode & 0o7777 == \
        0o600
    got = outside(ON_READ_ONLY, who, there(home), path=path)
    wrong = {x: y for x, y in got.items() if y != "done"}
    assert set(wrong) <= {"setxattr"}, got  # tmpfs of some kernels


SECRET = """
for path in WHERE["paths"]:
    attempt(path, read, path)
    attempt(path + " stat", lambda: str(os.stat(path).st_size))
    attempt(path + " O_PATH", lambda: str(os.open(path, os.O_PATH)))
"""


def test_what_is_not_granted_is_not_there(home, who):
    secret = home.write(".ssh/id_ed25519", "secret")
    paths = [str(secret), "/etc/sudoers.d/lab", str(lab.LAB / "tls/ca.key"),
             str(home.user.home / ".config")]
    home.folder(home.config)
    assert outside(SECRET, who, paths=paths[:1])[paths[0]] == "secret"
    got = inside(SECRET, who, [], there(home), paths=paths)
    assert set(got.values()) == {"ENOENT"}, got


def test_denied_below_a_grant(home, who):
    """There, and closed; it can be neither moved nor mounted away."""
    home.write("work/deep/secret", "secret")
    home.write("work/folder/inner", "secret")
    work = home.work
    profile = home.profile("p", {"filesystem": {
        "allow": [str(work)],
        "deny": [str(work / "deep/secret"), str(work / "folder")]}})
    body = """
path = WHERE["file"]
def exchange(a, b):
    return syscall(316, -100, a, -100, b, 2)
attempt("read", read, path)
attempt("write", lambda: os.open(path, os.O_WRONLY))
attempt("chmod", os.chmod, path, 0o777)
attempt("unlink", os.unlink, path)
attempt("rename", os.rename, path, path + "2")
attempt("over it", os.rename, WHERE["work"] + "/own", path)
attempt("exchange", exchange, WHERE["work"] + "/own", path)
attempt("link", os.link, path, path + "3")
attempt("list", lambda: os.listdir(WHERE["folder"]))
attempt("inner", read, WHERE["folder"] + "/inner")
attempt("chmod of the folder", os.chmod, WHERE["folder"], 0o777)
attempt("create", lambda: os.open(WHERE["folder"] + "/x", os.O_CREAT))
attempt("rename of the folder", os.rename, WHERE["folder"],
        WHERE["work"] + "/f2")
attempt("umount", lambda: libc_umount(path))
"""
    home.write("work/own", "own")
    body = "libc_umount = lambda x: syscall(166, x, 2)\n" + body
    got = inside(body, who, ["-p", profile], there(home), work=work,
                 file=work / "deep/secret", folder=work / "folder")
    assert "done" not in got.values() and "secret" not in got.values(), got
    assert {got[x] for x in ("read", "list", "inner")} == {"EACCES"}, got
    # The parent may be moved as long as the denied stays what it is.
    body = """
attempt("rename of the parent", os.rename, WHERE["work"] + "/deep",
        WHERE["work"] + "/d2")
for x in "deep", "d2":
    attempt(x, read, WHERE["work"] + f"/{x}/secret")
"""
    got = inside(body, who, ["-p", profile], there(home), work=work)
    assert "secret" not in got.values(), got


READ_AT = """
def read_at(fd):
    return os.read(os.open(WHERE["path"], os.O_RDONLY, dir_fd=fd), 99).decode()
"""


@pytest.fixture
def secret():
    """The path from / of a file that all may read and that is not granted."""
    with temporary() as folder:
        os.chmod(folder, 0o755)
        pathlib.Path(folder, "secret").write_text("secret")
        yield folder.lstrip("/") + "/secret"


LATER = """
import sys, time
print("up", flush=True)
for line in sys.stdin:
    begin = time.monotonic()
    while (told := attempt("read", read, line.strip())) not in (
            "EACCES", "ENOENT") and time.monotonic() < begin + 3:
        time.sleep(0.005)
    print(told, flush=True)
"""


@pytest.mark.parametrize("kind", ["file", "folder", "parent", "missing"])
def test_denied_and_replaced_from_outside(home, who, kind):
    """As editors save and as git checks out. What cannot be held is put up
    again, and said."""
    old = home.folder(home.work / "deep")
    denied = home.folder(old / "env") if kind == "folder" else old / ".env"
    secret = denied / "inner" if kind == "folder" else denied
    if kind != "missing":
        home.write(secret, "secret")
    profile = home.profile("p", {"filesystem": {
        "allow": [str(home.work)], "deny": [str(denied)]}})
    with running([*VIEW, "-p", profile, PYTHON, "-c", program(LATER)], who,
                 cwd=home.work) as process:
        assert read_line(process) == "up\n"
        assert ask(process, str(secret)) in ("EACCES\n", "ENOENT\n")
        if kind == "folder":
            home.write(home.user.home / "work/new/inner", "secret")
            denied.rename(home.work / "away")
            (home.work / "new").rename(denied)
        elif kind == "parent":
            home.write(home.user.home / "work/new/.env", "secret")
            old.rename(home.work / "away")
            (home.work / "new").rename(old)
        else:
            home.write(home.user.home / "work/new", "secret").rename(denied)
        assert secret.read_text() == "secret"
        assert ask(process, str(secret)) == "EACCES\n"
        _, _, err = finish(process)
    assert str(denied) in err, err


def test_descriptors_of_the_caller(home, who, secret):
    """Folders and a socket at numbers above 2, which no one closed."""
    body = READ_AT + """
attempt("open", lambda: sorted(int(x) for x in os.listdir("/proc/self/fd")))
for fd in 9, 40:
    attempt(str(fd), read_at, fd)
"""
    shell = ["bash", "-c", 'exec 9</ 40</ 41<>/dev/udp/127.0.0.1/8002; '
             'exec "$@"', "-"]
    text = program(body, path=secret)
    got = lab.host([*shell, PYTHON, "-c", text], user=who)
    told = json.loads(got.out)
    assert told["9"] == told["40"] == "secret" and 41 in told["open"], got
    got = lab.host([*shell, lab.EGRESS_RUN, *VIEW, PYTHON, "-c", text],
                   user=who, **there(home))
    told = json.loads(got.out)
    # The last is the listing's own.
    assert told == {"open": [0, 1, 2, 3], "9": "EBADF", "40": "EBADF"}, got


BY_STREAM = READ_AT + """
attempt("at", read_at, 7)
def walk():
    os.fchdir(7)
    return read(WHERE["path"])
attempt("fchdir", walk)
attempt("list", lambda: bool(os.listdir(7)) and "done")
# What Landlock knows nothing of.
attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect(
    "/proc/self/fd/7/run/lab-std.sock"))
with open(WHERE["told"], "w") as f:
    json.dump(results, f)
"""


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_folder_as_standard_stream(home, who, secret, fd):
    """A run that got one would not start: all below it could be reached."""
    # Python itself does not start with such a thing.
    hand_over = ["bash", "-c", 'n=$0; exec 7<&"$n"; case $n in '
                 "0) exec </dev/null;; *) exec >&- 2>&-;; esac; exec \"$@\"",
                 str(fd), PYTHON, "-c",
                 program(BY_STREAM, path=secret, told=home.work / "told")]
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    streams = ["stdin", "stdout", "stderr"]

    def run(*cmd):
        given = dict.fromkeys(streams, subprocess.PIPE)
        given[streams[fd]] = folder
        with lab.started([*cmd, *hand_over], who, cwd=home.work,
                         **given) as process:
            _, err = process.communicate(timeout=15)
            return process.returncode, err
    try:
        with listener("/run/lab-std.sock"):
            run()
            told = json.loads((home.work / "told").read_text())
            assert told == {"at": "secret", "fchdir": "secret",
                            "list": "done", "connect": "done"}
            (home.work / "told").unlink()
            rc, err = run(lab.EGRESS_RUN, *VIEW)
    finally:
        os.close(folder)
    assert rc == 125 and not (home.work / "told").exists()
    if fd != 2:
        assert f"descriptor {fd} is a folder" in err.decode()


REOPEN = """
for fd in 0, 1:
    for name, flags in ("read", os.O_RDONLY), ("write", os.O_WRONLY), \\
            ("truncate", os.O_RDONLY | os.O_TRUNC):
        attempt(f"{fd} {name}", lambda: os.close(os.open(
            f"/proc/self/fd/{fd}", flags)))
with open(WHERE["told"], "w") as f:
    json.dump(results, f)
"""


def test_file_as_standard_stream(home, who):
    """What the caller opened for reading is not to be written, nor what it
    opened for writing to be read. (Landlock alone holds this.)"""
    told = home.work / "told"
    text = program(REOPEN, told=told)

    def run(*cmd):
        paths = [home.write(x, "content") for x in ("in", "out")]
        with paths[0].open() as given, paths[1].open("a") as taken:
            with lab.started([*cmd, PYTHON, "-c", text], who, cwd=home.work,
                             stdin=given, stdout=taken) as process:
                assert process.wait(15) == 0
        return json.loads(told.read_text()), paths[0].read_text()

    got, left = run()
    assert set(got.values()) == {"done"} and left == "", got
    got, left = run(lab.EGRESS_RUN, *VIEW)
    assert set(got.values()) == {"EACCES"} and left == "content", got


def test_working_directory_that_is_covered(home, who):
    """A stale one would lead to the host's tree by '..'."""
    home.write(".ssh/id", "secret")
    body = """
attempt("up", read, "../.ssh/id")
attempt("far up", lambda: read("../" * 30 + WHERE["path"]))
attempt("old", lambda: read("/proc/self/cwd/../.ssh/id"))
attempt("chroot", in_child, os.chroot, ".")
"""
    path = str(home.user.home / ".ssh/id")
    got = outside(body, who, there(home), path=path)
    assert got["up"] == got["far up"] == "secret", got
    got = inside(body, who, [], there(home), path=path)
    assert got == {"up": "ENOENT", "far up": "ENOENT", "old": "ENOENT",
                   "chroot": "EPERM"}, got


OWN = (".config/egress-run/profiles/p.json", ".config/nono/profiles/p.json",
       ".local/state/egress-run/x")


@pytest.mark.parametrize("grant", ["nothing", "home", "folder", "host"])
def test_our_own_files(home, who, grant):
    """Profiles and state are never the command's to write, whatever it is
    granted; neither is the program."""
    for path in OWN:
        home.write(path, "{}")
    args = {"nothing": [], "host": ["--files", "host"],
            "home": ["--allow", home.user.home],
            "folder": ["--allow", home.config, "--allow",
                       home.user.home / ".local"]}[grant]
    body = """
def overwrite(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
for path in WHERE["paths"]:
    attempt(path, overwrite, path)
    attempt(path + " new", overwrite, path + ".new")
    attempt(path + " over", lambda: (overwrite("own"),
                                     os.rename("own", path)))
    folder = os.path.dirname(path)
    attempt(path + " away", os.rename, folder, folder + "2")
    up = os.path.dirname(folder)
    attempt(path + " all away", os.rename, up, up + "2")
"""
    paths = [str(home.user.home / x) for x in OWN]
    got = inside(body, who, args, there(home), paths=paths)
    assert "done" not in got.values(), got
    for path in paths:
        assert pathlib.Path(path).read_text() == "{}"


def test_the_program_itself(home, who):
    """Where it lies in a folder that the command may write, it would be
    another one the next time."""
    own = home.work / "egress-run"
    shutil.copy(lab.EGRESS_RUN, own)
    body = """
attempt("rename", os.rename, WHERE["path"], WHERE["path"] + "2")
attempt("unlink", os.unlink, WHERE["path"])
attempt("write", lambda: os.open(WHERE["path"], os.O_WRONLY))
attempt("chmod", os.chmod, WHERE["path"], 0)
"""
    os.chown(own, home.user.uid, home.user.gid)
    got = lab.host([own, *VIEW, PYTHON, "-c", program(body, path=own)],
                   user=who, **there(home))
    assert got.rc == 125 or str(own) in got.err or "done" not in got.out, got


def test_temporary_places_are_private(home, who):
    """Nothing of the host in them, and nothing of the command's on the host."""
    spots = ["/tmp", "/var/tmp", "/dev/shm", "/run"]
    body = """
for path in WHERE["spots"]:
    attempt(path, lambda: sorted(x for x in os.listdir(path) if x != "user"))
    attempt(path + " write", lambda: open(path + "/lab-trace", "w").close())
"""
    with temporary():
        seen = pathlib.Path("/tmp/lab-host-trace")
        seen.touch()
        try:
            got = inside(body, who, [], there(home), spots=spots)
        finally:
            seen.unlink()
    assert got == {**dict.fromkeys(spots, []),
                   **{f"{x} write": "done" for x in spots}}, got
    assert not [x for x in spots if os.path.exists(f"{x}/lab-trace")]


def test_sysv_and_posix_memory(home, who):
    body = """
import multiprocessing.shared_memory as shm
key = WHERE["key"]
call("shmget", 29, key, 4096, 0o666)
call("semget", 64, key, 1, 0o666)
call("msgget", 68, key, 0o666)
libc.mq_open.restype = ctypes.c_int
attempt("mq", lambda: "done" if libc.mq_open(b"/lab77", 0) >= 0 else
        errno.errorcode[ctypes.get_errno()])
"""
    make = """
key = WHERE["key"]
for number, args in (29, (4096, 0o1666)), (64, (1, 0o1666)), (68, (0o1666,)):
    syscall(number, key, *args)
libc.mq_open.restype = ctypes.c_int
assert libc.mq_open(b"/lab77", 0o102, 0o666, None) >= 0
"""
    remove = """
key = WHERE["key"]
for get, control, args in (29, 31, (0, 0)), (64, 66, (0, 0)), (68, 71, (0,)):
    libc.syscall.restype = ctypes.c_long
    ident = libc.syscall(get, key, *args)
    libc.syscall(control, ident, *((0, 0) if control == 66 else (0,)), None)
libc.mq_unlink(b"/lab77")
"""
    outside(make, key=0x1AB77)
    try:
        assert set(outside(body, key=0x1AB77).values()) == {"done"}
        got = inside(body, who, [], there(home), key=0x1AB77)
        assert set(got.values()) == {"ENOENT"}, got
    finally:
        outside(remove, key=0x1AB77)


# ---- processes --------------------------------------------------------------

ON_PROCESS = """
pid = WHERE["pid"]
local = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)),
                             8)
remote = (ctypes.c_ulong * 2)(0x400000, 8)
call("attach", 101, 16, pid, 0, 0)
call("seize", 101, 0x4206, pid, 0, 0)
call("vm_readv", 310, pid, local, 1, remote, 1, 0)
call("vm_writev", 311, pid, local, 1, remote, 1, 0)
call("kcmp", 312, os.getpid(), pid, 0, 0, 0)
call("signal", 62, pid, 10) if pid != 1 else None
for name in "mem", "environ", "maps", "auxv", "stack", "syscall", "pagemap", \
        "io", "fdinfo/0":
    attempt(name, lambda: os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
    if results[name] != "ENOENT":
        attempt(name, lambda: os.read(os.open(f"/proc/{pid}/{name}",
                                              os.O_RDONLY), 8) and "done")
for name in "root", "cwd", "exe", "fd/0", "fd/1", "ns/net", "ns/mnt", \
        "ns/user", "map_files":
    attempt(name, lambda: os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
for name in "mem", "oom_score_adj", "coredump_filter", "comm", "clear_refs":
    attempt(name + " write", lambda: os.open(f"/proc/{pid}/{name}",
                                             os.O_WRONLY))
def getfd():
    return syscall(438, os.pidfd_open(pid), 3, 0)
attempt("pidfd_getfd", getfd)
attempt("pidfd_setns", lambda: syscall(308, os.pidfd_open(pid), 0x40000000))
attempt("prlimit", lambda: __import__("resource").prlimit(pid, 4))
call("move_pages", 279, pid, 0, None, None, None, 0)
call("setpriority", 141, 0, pid, 19) if pid != 1 else None
"""


def test_process_of_the_same_user_outside(home, who):
    """By the number that it has outside, which is nobody's inside."""
    with lab.started(["sleep", "1000"], who) as victim:
        lab.wait_until(lambda: pathlib.Path(f"/proc/{victim.pid}/comm")
                       .read_text() == "sleep\n")
        control = program("""
attempt("mem", lambda: os.open(f"/proc/{WHERE['pid']}/mem", os.O_RDONLY))
attempt("environ", read, f"/proc/{WHERE['pid']}/environ")
attempt("getfd", lambda: syscall(438, os.pidfd_open(WHERE["pid"]), 0, 0))
""", pid=victim.pid)
        told = json.loads(lab.host([PYTHON, "-c", control], user=who).out)
        assert isinstance(told["mem"], int) and told["getfd"] == "done", told
        got = inside(ON_PROCESS, who, [], there(home), pid=victim.pid)
        assert set(got.values()) <= {"ESRCH", "ENOENT", "EPERM"}, got
        # All numbers that there are, it sees its own.
        body = """
attempt("pids", lambda: sorted(int(x) for x in os.listdir("/proc")
                               if x.isdigit()))
"""
        assert inside(body, who, [], there(home))["pids"] == [1, 2]
        assert victim.poll() is None


def test_process_outside_by_descriptor(home, who):
    """A pidfd has no need of a number."""
    body = """
local = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)),
                             8)
call("getfd", 438, 0, 0, 0)
call("setns", 308, 0, 0x40000000)
call("signal", 424, 0, 15, None, 0)
"""
    text = program(body)
    for run in [], [lab.EGRESS_RUN, *VIEW]:
        with lab.started(["sleep", "1000"], who) as victim:
            pidfd = os.pidfd_open(victim.pid)
            try:
                with lab.started([*run, PYTHON, "-c", text], who,
                                 stdin=pidfd, stdout=subprocess.PIPE,
                                 cwd=home.work) as process:
                    told = json.loads(
                        process.communicate(timeout=15)[0])
            finally:
                os.close(pidfd)
            if run:
                assert set(told.values()) <= {"EPERM", "EINVAL"}, told
                assert victim.poll() is None
            else:
                assert told["getfd"] == told["signal"] == "done", told
                assert victim.wait(5) == -signal.SIGTERM


def test_init(home, who):
    """Pid 1 is of the same user and in the same namespaces."""
    got = inside(ON_PROCESS, who, [], there(home), pid=1)
    opened = {x for x, y in got.items() if y not in
              ("EPERM", "EACCES", "ENOENT", "ESRCH")}
    # Of a process of the same user, and of no use: each run has an init of
    # its own. Root also owns what the kernel gives to root.
    harmless = {"prlimit"}
    if who == "root":
        harmless |= {"oom_score_adj write", "coredump_filter write",
                     "comm write", "clear_refs write", "map_files"}
    assert opened <= harmless, {x: got[x] for x in opened}


def test_init_outlives_signals(home, who):
    """The monitor would end the run with 125."""
    body = """
for number in 9, 19, 15, 11, 6, 2, 18, 31, 34:
    attempt(str(number), os.kill, 1, number)
attempt("all", os.kill, -1, 9)
attempt("group", os.kill, 0, 0)
"""
    with lab.started(["sleep", "1000"], who) as victim:
        got = inside(body, who, [], there(home))
        assert victim.poll() is None
    assert got["all"] in ("done", "ESRCH"), got
    got = lab.egress([*VIEW, "sh", "-c", "kill -9 -1; kill -9 1; kill -STOP 1;"
                      "sleep 0.01 & wait; exit 7"], user=who, **there(home))
    assert got.rc == 7, got


def test_memory_of_init_by_its_child(home, who):
    """The command is its child; a grandchild is adopted by it."""
    got = lab.egress([*VIEW, "sh", "-c",
                      "(sh -c 'sleep 0.1; gdb -p 1 -batch 2>&1; "
                      "cat /proc/1/environ' &) ; sleep 3"], user=who,
                     timeout=30, **there(home))
    assert "not permitted" in got.out or "Could not attach" in got.out, got
    assert "PATH=" not in got.out


# ---- for later --------------------------------------------------------------

def test_link_planted_for_the_next_run(home, who):
    """The command replaces what the profile grants by a link to something
    else; the next run does not grant that."""
    home.write(".ssh/id", "secret")
    cache = home.folder(home.work / "cache")
    args = ["--allow", home.work, "--allow", cache]
    body = """
os.rename("cache", "old")
attempt("plant", os.symlink, WHERE["target"], "cache")
attempt("now", lambda: read("cache/id"))
"""
    got = inside(body, who, args, there(home), target=home.user.home / ".ssh")
    assert got["now"] in ("ENOENT", "EACCES"), got
    text = program('attempt("later", lambda: read("cache/id"))')
    got = lab.egress([*VIEW, *args, PYTHON, "-c", text], user=who,
                     **there(home))
    assert "secret" not in got.out + got.err, got


def test_git_hooks(home, who):
    """Neither written, replaced, nor moved away with all of .git."""
    assert lab.host(["git", "init", "-q"], user=who, cwd=home.work).ok
    body = """
def put(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").close()
attempt("write", put, ".git/hooks/pre-commit")
attempt("replace", os.rename, ".git/hooks", ".git/h2")
attempt("away", os.rename, ".git", "git2")
attempt("link", os.symlink, "/tmp", ".git/hooks")
attempt("config", put, ".git/lab")
"""
    got = inside(body, who, [], there(home))
    assert got.pop("config") == "done"
    assert "done" not in got.values(), got
    assert set(os.listdir(home.work / ".git/hooks")) == {
        x for x in os.listdir(home.work / ".git/hooks")
        if x.endswith(".sample")}
    profile = home.profile("lifted", {"egress_run": {"git_hooks": "write"},
                                      "filesystem": {"allow": ["$WORKDIR"]}})
    got = inside(body, who, ["-p", profile], there(home))
    assert got["write"] == "done", got
