# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of escapes share: a hostile program is Python text, run as it
is on the host (the control) and inside. Each line of an attempt ends as the
name of an error or as what it gave.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import tempfile
import threading

import lab
from profile_helpers import Home

PYTHON = "/usr/bin/python3"
# attempt(name, function, ...) notes how it ended; call(name, number, ...) the
# same for a system call.
PRELUDE = r"""
import ctypes, errno, fcntl, json, os, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
results = {}

def attempt(name, function, *args, **named):
    try:
        value = function(*args, **named)
    except OSError as e:
        value = errno.errorcode.get(e.errno, str(e))
    results[name] = value if isinstance(value, (str, list, int)) else "done"
    return results[name]

def word(value):
    if isinstance(value, str):
        value = value.encode()
    return value if isinstance(value, bytes) or value is None else \
        value if hasattr(value, "_obj") or isinstance(value, ctypes.Array) \
        else ctypes.c_ulong(value & (1 << 64) - 1)

def syscall(number, *args):
    value = libc.syscall(ctypes.c_long(number), *map(word, args))
    if value < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "done"

def call(name, number, *args):
    return attempt(name, syscall, number, *args)

def read(path):
    with open(path, "rb") as f:
        return f.read(4096).decode(errors="replace")

def in_child(function, *args):
    # Its own answer, for what would change this process or end it.
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            function(*args)
            told = "done"
        except OSError as e:
            told = errno.errorcode[e.errno]
        os.write(theirs, told.encode())
        os._exit(0)
    os.close(theirs)
    told = os.read(ours, 99).decode()
    os.close(ours)
    _, status = os.waitpid(pid, 0)
    return told or f"killed {os.waitstatus_to_exitcode(status)}"

WHERE = {where!r}
"""
EPILOGUE = "\nprint(json.dumps(results))\n"
VIEW = ["--files", "profile", "-q"]


def program(body, **where):
    """The text of a hostile program; where is what it knows of the world."""
    return PRELUDE.replace("{where!r}", repr({
        key: str(value) if isinstance(value, os.PathLike) else value
        for key, value in where.items()})) + body + EPILOGUE


def outside(body, user="root", options=None, **where):
    """What the attempts gave on the host."""
    got = lab.host([PYTHON, "-c", program(body, **where)], user=user,
                   **options or {})
    assert got.ok, got.err
    return json.loads(got.out)


def inside(body, user="root", args=(), options=None, **where):
    """What the attempts gave under egress-run."""
    got = lab.egress([*VIEW, *args, "--", PYTHON, "-c",
                      program(body, **where)], user=user, **options or {})
    assert got.ok, got
    return json.loads(got.out)


@contextlib.contextmanager
def home_of(user):
    """A home with a working folder; whatever a test adds is gone after it."""
    home = Home(user)
    before = set(home.user.home.iterdir())
    try:
        yield home
    finally:
        home.remove()
        for path in set(home.user.home.iterdir()) - before:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def answer(sock):
    """Ends each connection, lest a name service be waited for."""
    with contextlib.suppress(OSError):
        while True:
            sock.accept()[0].close()


@contextlib.contextmanager
def listener(path, kind=socket.SOCK_STREAM, user="root"):
    """A socket on the host that anybody there may connect to."""
    path = str(path)
    made = None
    with socket.socket(socket.AF_UNIX, kind) as sock:
        if path.startswith("\0"):
            sock.bind(path)
        else:
            made = pathlib.Path(path)
            first = next(x for x in reversed(made.parents) if not x.exists()) \
                if not made.parent.exists() else None
            made.parent.mkdir(parents=True, exist_ok=True)
            sock.bind(path)
            made.chmod(0o777)
            os.chown(made, lab.USERS[user].uid, lab.USERS[user].gid)
        if kind != socket.SOCK_DGRAM:
            sock.listen(9)
            threading.Thread(target=answer, args=(sock,), daemon=True).start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            if made:
                made.unlink(missing_ok=True)
                if first:
                    shutil.rmtree(first, ignore_errors=True)


def temporary():
    """A folder outside of everything that is granted."""
    return tempfile.TemporaryDirectory(dir=lab.LAB)
