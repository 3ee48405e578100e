# SPDX-License-Identifier: GPL-2.0-or-later
"""Escapes in which something outside takes part while the command runs: a
terminal, a listener, an editor, the next run. With and without the measure,
as in test_escapes_without.py, which has the table of all.
"""
import contextlib
import fcntl
import os
import pathlib
import pty
import select
import subprocess
import termios

import pytest

import lab
from escape_helpers import (PYTHON, VIEW, home_of, inside, listener,
                            program)
from launch_helpers import ask, client, finish, read_line, running
from without_helpers import without

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


# ---- the terminal -----------------------------------------------------------

def at_terminal(home, command, off=()):
    """(exit status, its output, the modes in the end) of a run whose
    controlling terminal is a new one."""
    master, slave = pty.openpty()
    try:
        os.fchown(slave, home.user.uid, home.user.gid)
        with lab.started([lab.EGRESS_RUN, *VIEW, *command], home.name,
                         env=without(*off), cwd=home.work, stdin=slave,
                         stdout=slave, stderr=slave,
                         preexec_fn=lambda: fcntl.ioctl(
                             0, termios.TIOCSCTTY, 0)) as process:
            rc = process.wait(15)
        output = b""
        while select.select([master], [], [], 0)[0]:
            output += os.read(master, 4096)
        return rc, output.decode(), termios.tcgetattr(slave)
    finally:
        os.close(master)
        os.close(slave)


# Name: (request, what the kernel says when it gets it).
REQUESTS = {"TIOCSTI": (termios.TIOCSTI, "done"),
            "TIOCLINUX": (termios.TIOCLINUX, "ENOTTY"),
            "TIOCSETD": (termios.TIOCSETD, "EINVAL")}


def typed(home, value, *off):
    """How the request ended; and whether the terminal got the character."""
    attack = client("tty_attack")
    rc, output, _ = at_terminal(home, ["--read", attack.parent, attack,
                                       "syscall", hex(value)], off)
    assert rc == 0, output
    words = output.split()
    echoed = any(word.startswith("x") for word in words)
    return words[-1].lstrip("x"), echoed


@pytest.mark.parametrize("name", REQUESTS)
def test_keys_for_the_outer_shell(home, name):
    """11, 12, 14. By what the kernel makes of the request, its low half."""
    request, answer = REQUESTS[name]
    if name == "TIOCSTI" and pathlib.Path(
            "/proc/sys/dev/tty/legacy_tiocsti").read_text() == "0\n":
        answer = "EIO"
    for value in request, request | 1 << 32:
        assert typed(home, value) == ("EPERM", False)
        assert typed(home, value, "call=16") == (answer, answer == "done")
    assert typed(home, request, "low32")[0] == "EPERM"
    assert typed(home, request | 1 << 32, "low32")[0] == answer


def test_raw_mode_is_left(home):
    """14. The shell that follows would be unusable."""
    spoil = ["sh", "-c", "stty raw -echo"]
    master, slave = pty.openpty()
    plain = termios.tcgetattr(slave)
    os.close(master)
    os.close(slave)
    rc, output, modes = at_terminal(home, spoil)
    assert (rc, modes) == (0, plain), output
    rc, output, modes = at_terminal(home, spoil, ["termios"])
    assert rc == 0 and modes != plain, output


# ---- sockets ----------------------------------------------------------------

LISTEN = """
import socket
s = socket.socket(socket.AF_UNIX)
s.bind("\\0lab-abstract")
s.listen()
print("up", flush=True)
s.accept()
"""
CONNECT = 'attempt("it", socket.socket(socket.AF_UNIX).connect, ' \
    '"\\0lab-abstract")\n'


def connected(home, where, *off):
    """To an abstract socket on the host, or in the command's own network."""
    body = program(CONNECT)
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(running(
            [*VIEW, "sh", "-c", f"echo up; read x; exec {PYTHON} -c \"$0\"",
             body], home.name, cwd=home.work, env=without(*off)))
        assert read_line(process) == "up\n"
        enter = [] if where == "host" else [
            "nsenter", "--net", "-t", process.run.ready().command()]
        listener = stack.enter_context(lab.started(
            [*enter, PYTHON, "-c", LISTEN], stdout=subprocess.PIPE))
        assert read_line(listener) == "up\n"
        return ask(process, "go").strip()


def test_abstract_socket(home):
    """7. The namespace is one lock (on it stands the whole network, and there
    is no start without it), Landlock's scope is the other."""
    assert connected(home, "host") == '{"it": "ECONNREFUSED"}'
    assert connected(home, "host", "landlock") == '{"it": "ECONNREFUSED"}'
    assert connected(home, "inside") == '{"it": "EPERM"}'
    assert connected(home, "inside", "landlock") == '{"it": "done"}'


CONNECT_TO = """
import sys, time
print("up", flush=True)
for line in sys.stdin:
    until = time.monotonic() + 3
    while True:
        told = attempt("it", socket.socket(socket.AF_UNIX).connect,
                       WHERE["path"])
        if told == line.strip() or time.monotonic() > until:
            break
        time.sleep(0.002)
    print(told, flush=True)
"""


@pytest.mark.parametrize("off, want", [((), "EACCES"), (["watch"], "done")])
def test_socket_bound_again(home, who, off, want):
    """1. A daemon outside that binds its socket anew takes the mask away."""
    path = home.work / "daemon.sock"
    with listener(path, user=who), running(
            [*VIEW, PYTHON, "-c", program(CONNECT_TO, path=path)], who,
            cwd=home.work, env=without(*off)) as process:
        assert read_line(process) == "up\n"
        assert ask(process, "EACCES") == "EACCES\n"
        path.unlink()
        with listener(path, user=who):
            assert ask(process, want) == f"{want}\n"


# ---- what is denied and replaced --------------------------------------------

READER = """
import sys, time
print("up", flush=True)
for line in sys.stdin:
    until = time.monotonic() + 3
    while True:
        told = attempt("it", read, WHERE["path"])
        if told == line.strip() or time.monotonic() > until:
            break
        time.sleep(0.002)
    print(told, flush=True)
"""
# Off: there is no message, so what it saw it goes on seeing.
REPLACED = {"real": ((), "EACCES"), "off": (["watch"], "secret")}


@pytest.mark.parametrize("kind", ["file", "folder", "missing", "git"])
@pytest.mark.parametrize("measure", REPLACED)
def test_denied_and_replaced(home, kind, measure):
    """As editors save and as git checks out; and what was missing at the
    start."""
    off, want = REPLACED[measure]
    denied = home.work / ("env" if kind == "folder" else ".env")
    secret = denied / "inner" if kind == "folder" else denied
    if kind != "missing":
        home.write(secret, "old")
    profile = home.profile("p", {"filesystem": {
        "allow": [str(home.work)], "deny": [str(denied)]}})
    with running([*VIEW, "-p", profile, PYTHON, "-c",
                  program(READER, path=secret)], home.name, cwd=home.work,
                 env=without(*off)) as process:
        assert read_line(process) == "up\n"
        first = "ENOENT" if kind == "missing" else "EACCES"
        assert ask(process, first) == f"{first}\n"
        if kind == "folder":
            home.write("new/inner", "secret")
            denied.rename(home.work / "away")
            (home.user.home / "new").rename(denied)
        elif kind == "git":
            # Away first, as git does.
            denied.unlink()
            home.write(denied, "secret")
        else:
            home.write("new", "secret").rename(denied)
        assert ask(process, want) == f"{want}\n"
        rc, _, err = finish(process)
    assert rc == 0 and (str(denied) in err) == (measure == "real"), err


# ---- the next run -----------------------------------------------------------

def test_link_planted_for_the_next_run(home, who):
    """A link in a folder that the command may write is not followed to what
    is not granted. Where it may not, the user made the link, and it is."""
    home.write("private/id", "secret")
    link = home.work / "cache"
    link.symlink_to(home.user.home / "private")
    os.lchown(link, home.user.uid, home.user.gid)
    elsewhere = home.folder(home.user.home / "elsewhere")
    body = 'attempt("it", read, WHERE["path"])'
    for more, want in (["--allow", home.work], "ENOENT"), ([], "secret"):
        got = inside(body, who, [*more, "--allow", link],
                     {"cwd": elsewhere}, path=link / "id")
        assert got == {"it": want}, more


# ---- init -------------------------------------------------------------------

def test_init_is_confined_as_the_command(home, who):
    """10. Whoever has its memory (without "dumpable", above) has no more."""
    body = """
names = "NoNewPrivs", "Seccomp", "Seccomp_filters", "CapInh", "CapPrm", \\
    "CapEff", "CapBnd", "CapAmb", "Uid", "Gid"
for pid in "1", "self":
    lines = open(f"/proc/{pid}/status").read().splitlines()
    attempt(pid, lambda: [x for x in lines if x.split(":")[0] in names])
"""
    got = inside(body, who, [], {"cwd": home.work})
    assert got["1"] == got["self"] and len(got["1"]) == 10, got
    assert "Seccomp:\t2" in got["1"] and "NoNewPrivs:\t1" in got["1"]
