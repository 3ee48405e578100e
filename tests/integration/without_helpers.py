# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of egress-run with measures switched off (clients/without.c), and the
worlds outside that the escapes of test_escapes_without.py are attempts on.

A world is a context manager of a home; it gives what the hostile program is
told (WHERE). PREFIX in it is put in front of egress-run, ENV into its
environment, ARGS among its arguments.
"""
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import pty
import shutil
import socket
import subprocess
import tempfile
import typing

import pytest

import lab
from escape_helpers import PYTHON, VIEW, listener, program
from launch_helpers import client

# How an attempt that is stopped ends; anything else is a failure of the test.
STOPPED = {"EPERM", "EACCES", "ENOENT", "ESRCH", "EROFS", "ECONNREFUSED",
           "ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ENOKEY", "EBADF",
           "EXDEV", "none", "killed -31"}


@contextlib.contextmanager
def no_world(_home):
    yield {}


@dataclasses.dataclass
class Escape:
    """An attempt and what stops it.

    body    gives result "it"; hole is what that is when it succeeds
    locks   each stops it alone; a lock is words for WITHOUT. With all of them
            off it succeeds
    only    the user for whom the measures are needed; for the other it is
            stopped even without them: "userns" cannot be switched off for an
            ordinary user, and his files are not the machine's
    skip    why not, by user
    """
    name: str
    body: str
    locks: list
    world: typing.Callable = no_world
    hole: object = "done"
    only: str = None
    skip: dict = dataclasses.field(default_factory=dict)
    stopped: set = dataclasses.field(default_factory=lambda: STOPPED)


def without(*locks):
    """The environment of such a run."""
    if not locks:
        return {}
    return {"LD_PRELOAD": str(client("without", "-shared", "-fPIC")),
            "WITHOUT": " ".join(locks),
            "ASAN_OPTIONS": "verify_asan_link_order=0:disable_coredump=0:" +
            os.environ.get("ASAN_OPTIONS", "")}


def attempt(escape, home, where, off=(), by=None):
    """What "it" came to in that world; by root for that user, or by him."""
    told = {"home": home.user.home, "work": home.work, "uid": home.user.uid,
            **where}
    # The measures are egress-run's: what runs it is left alone.
    env = {**told.pop("ENV", {}),
           **without(*[lock.format(**told) for lock in off])}
    prefix, args = told.pop("PREFIX", []), told.pop("ARGS", [])
    if by:
        args = [*args, "--user", home.name]
    got = lab.host([*prefix, "env", *[f"{x}={y}" for x, y in env.items()],
                    lab.EGRESS_RUN, *VIEW, *args, "--", PYTHON, "-IS", "-c",
                    program(escape.body, **told)],
                   user=by or home.name, cwd=home.work)
    assert got.ok and got.out, (off, got)
    return json.loads(got.out.splitlines()[-1])["it"]


# ---- worlds -----------------------------------------------------------------

def at(path):
    @contextlib.contextmanager
    def world(_home):
        if not os.path.exists(path):
            pytest.skip(f"this kernel has no {path}")
        yield {"path": path}
    return world


def variable(name, value):
    @contextlib.contextmanager
    def world(_home):
        yield {"name": name, "ENV": {name: value}}
    return world


def bound(path, kind=socket.SOCK_STREAM):
    """A socket on the host."""
    @contextlib.contextmanager
    def world(home):
        # /tmp and /var/tmp are the machine's, which may have another lab.
        told = path.format(uid=home.user.uid, work=home.work, pid=os.getpid())
        with listener(told, kind, home.name):
            yield {"path": told}
    return world


def host_file(name, add):
    """A file of the host's /etc with a line more."""
    @contextlib.contextmanager
    def world(_home):
        path = pathlib.Path("/etc", name)
        before = path.read_text() if path.exists() else None
        path.write_text((before or "") + add)
        try:
            yield {"path": path, "text": add.strip()}
        finally:
            path.unlink()
            if before is not None:
                path.write_text(before)
    return world


@contextlib.contextmanager
def folder_in_tmp(home):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chown(name, home.user.uid, home.user.gid)
        yield pathlib.Path(name)


@contextlib.contextmanager
def agent(home):
    with folder_in_tmp(home) as folder, lab.started(
            ["ssh-agent", "-D", "-a", folder / "agent"], home.name,
            stdout=subprocess.DEVNULL):
        lab.wait_until((folder / "agent").exists, what="the agent")
        yield {"ENV": {"SSH_AUTH_SOCK": folder / "agent"}}


@contextlib.contextmanager
def tmux(home):
    with folder_in_tmp(home) as folder:
        env = {"TMUX_TMPDIR": str(folder)}
        assert lab.host(["tmux", "-f", "/dev/null", "new-session", "-d",
                         "sleep 99"], env=env, user=home.name).ok
        try:
            yield {"ENV": env}
        finally:
            assert lab.host(["tmux", "kill-server"], env=env,
                            user=home.name).ok


@contextlib.contextmanager
def terminal(home):
    """Another one of the same user, with something typed."""
    master, slave = pty.openpty()
    try:
        os.fchown(slave, home.user.uid, home.user.gid)
        os.write(master, b"hunter2\n")
        yield {"path": os.ttyname(slave)}
    finally:
        os.close(master)
        os.close(slave)


@contextlib.contextmanager
def victim(home):
    """A process of the same user; root's without capabilities, as the
    command is."""
    drop = [] if home.name != "root" else [
        "setpriv", "--bounding-set=-all", "--inh-caps=-all",
        "--securebits=+noroot,+noroot_locked"]
    with lab.started([*drop, "sleep", "1000"], home.name) as process:
        comm = pathlib.Path(f"/proc/{process.pid}/comm")
        lab.wait_until(lambda: comm.read_text() == "sleep\n")
        yield {"pid": process.pid}


@contextlib.contextmanager
def secret_file(_home):
    """That all may read, and that is not granted."""
    with tempfile.TemporaryDirectory(dir=lab.LAB) as folder:
        os.chmod(folder, 0o755)
        path = pathlib.Path(folder, "secret")
        path.write_text("secret")
        yield {"path": path, "relative": str(path).lstrip("/")}


def descriptor(which):
    """Inherited as 9: the secret file or the root."""
    @contextlib.contextmanager
    def world(home):
        with secret_file(home) as where:
            what = "/" if which == "folder" else where["path"]
            yield {**where, "PREFIX": ["bash", "-c", f'exec 9<{what}; '
                                       'exec "$@"', "-"]}
    return world


# In front of egress-run, in the same process group: its last word is whether
# a signal came.
IN_GROUP = """
import signal, subprocess, sys
seen = []
signal.signal(signal.SIGURG, lambda *_: seen.append(1))
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
print('{"it": "%s"}' % ("done" if seen else "none"))
sys.exit(done.returncode)
"""


@contextlib.contextmanager
def group(_home):
    yield {"PREFIX": [PYTHON, "-c", IN_GROUP]}


KEY = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.syscall(250, 1, None)
assert libc.syscall(248, b"user", b"lab", b"secret", ctypes.c_size_t(6), -3) > 0
os.execvp(sys.argv[1], sys.argv[1:])
"""


@contextlib.contextmanager
def key(_home):
    yield {"PREFIX": [PYTHON, "-c", KEY]}


@contextlib.contextmanager
def key_list(home):
    with key(home) as where:
        yield {**where, "path": "/proc/keys", "text": " lab: "}


@contextlib.contextmanager
def unlimited_cores(_home):
    yield {"PREFIX": ["bash", "-c", 'ulimit -c unlimited; exec "$@"', "-"]}


@contextlib.contextmanager
def denied(home):
    path = home.write("work/denied", "secret")
    home.profile("denies", {"filesystem": {"allow": [str(home.work)],
                                           "deny": [str(path)]}})
    yield {"path": path, "ARGS": ["-p", "denies"]}


@contextlib.contextmanager
def nested(home):
    home.profile("nests", {"egress_run": {"user_namespaces": True},
                           "filesystem": {"allow": [str(home.work)]}})
    yield {"ARGS": ["-p", "nests"]}


@contextlib.contextmanager
def granted_to_read(home):
    path = home.write("only/file", "text", 0o644)
    yield {"path": path, "ARGS": ["--read", path.parent]}


@contextlib.contextmanager
def device(home):
    path = home.work / "zero"
    os.mknod(path, 0o20666, os.makedev(1, 5))
    path.chmod(0o666)
    yield {"path": path}
    path.unlink()


@contextlib.contextmanager
def with_sys(_home):
    """A switch of the kernel's that the user id 0 may open."""
    for folder, _, names in os.walk("/sys/kernel"):
        for name in names:
            path = pathlib.Path(folder, name)
            if path.is_file() and path.stat().st_mode & 0o200:
                yield {"path": path, "ARGS": ["--read", "/sys"]}
                return


@contextlib.contextmanager
def interface(_home):
    """By its address: the names are the same inside."""
    path = next(x for x in pathlib.Path("/sys/class/net").iterdir()
                if x.name != "lo") / "address"
    yield {"path": path, "text": path.read_text(), "ARGS": ["--read", "/sys"]}


@contextlib.contextmanager
def shared_memory(_home):
    libc = ctypes.CDLL(None)
    number = 0x1AB00000 + os.getpid() % 0xFFFFF
    ident = libc.shmget(number, 4096, 0o1666)
    assert ident >= 0
    try:
        yield {"key": number}
    finally:
        libc.shmctl(ident, 0, None)


@contextlib.contextmanager
def posix_memory(home):
    path = pathlib.Path("/dev/shm/lab-31")
    path.write_text("secret")
    os.chown(path, home.user.uid, home.user.gid)
    try:
        yield {"path": path}
    finally:
        path.unlink()


@contextlib.contextmanager
def capable_program(home):
    """A copy of Python with a file capability."""
    copy = home.work / "python"
    shutil.copy(os.path.realpath(PYTHON), copy)
    copy.chmod(0o755)
    assert lab.host(["setcap", "cap_net_admin=ep", copy]).ok
    yield {"path": copy}


@contextlib.contextmanager
def setuid_program(home):
    """Of root's."""
    copy = home.work / "id"
    shutil.copy(shutil.which("id"), copy)
    copy.chmod(0o4755)
    yield {"path": copy, "uid": home.user.uid}


@contextlib.contextmanager
def shell_start(home):
    path = home.write("work/start", "echo done\n")
    yield {"ENV": {"BASH_ENV": path}}


@contextlib.contextmanager
def own_files(home):
    path = home.write(".config/egress-run/profiles/p.json", "{}")
    yield {"path": path, "ARGS": ["--allow", home.user.home]}


@contextlib.contextmanager
def repository(home):
    assert lab.host(["git", "init", "-q"], user=home.name, cwd=home.work).ok
    yield {}
    shutil.rmtree(home.work / ".git")


@contextlib.contextmanager
def process_limit(_home):
    yield {"ARGS": ["--max-processes", "20"]}
