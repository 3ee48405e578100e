# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections of which the test holds both ends.

listener() listens on every address of the lab's internet; connected() dials it
from inside a sandbox (a Cage) or, as the control, from the host. So that one
process can play the command, the far end and the referee, sockets are made in
the other network namespaces by entering these for a moment.
"""
import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import socket
import struct

import lab

CLONE_NEWNET = 0x40000000
ADDRESS = {socket.AF_INET: "198.51.100.10", socket.AF_INET6: "2001:db8:1::10"}
PYTHON = "/usr/bin/python3"
ABORT = struct.pack("ii", 1, 0)
libc = ctypes.CDLL(None, use_errno=True)


def enter(fd):
    assert libc.setns(fd, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


@contextlib.contextmanager
def network_of(pid):
    """This thread in the network namespace of a process."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        enter(there)
        yield
    finally:
        enter(home)
        os.close(home)
        os.close(there)


def internet(*words):
    """Run a command in the internet's namespace."""
    done = lab.host([lab.IN_INTERNET, *words])
    assert done.ok, done.err
    return done.out


def listener(family=socket.AF_INET, backlog=1024):
    """A listening socket on every address of the internet."""
    with network_of(os.environ["LAB_INET_PID"]):
        sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("", 0))
    sock.listen(backlog)
    sock.settimeout(10)
    return sock


def port_of(sock):
    return sock.getsockname()[1]


def accept(far):
    sock, _ = far.accept()
    sock.settimeout(10)
    return sock


def dial(where, family=socket.AF_INET):
    """A socket inside a Cage, or on the host if there is none."""
    make = where.socket if where else socket.socket
    sock = make(family, socket.SOCK_STREAM)
    sock.settimeout(10)
    return sock


@contextlib.contextmanager
def connected(where, family=socket.AF_INET):
    """Both ends of a connection to allowed.test: the near and the far one."""
    with listener(family) as far, dial(where, family) as near:
        near.connect((ADDRESS[family], port_of(far)))
        with accept(far) as end:
            yield near, end


def abort(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    sock.close()


def receive(sock, size=None):
    """Up to size bytes, or to the end of the stream: (count, SHA-256)."""
    digest, count = hashlib.sha256(), 0
    while size is None or count < size:
        data = sock.recv(1 << 20)
        if not data:
            break
        digest.update(data)
        count += len(data)
    return count, digest.hexdigest()


def pattern(size, seed=b"x"):
    """Bytes of which no part equals another, and what receive() makes of
    them."""
    data = b"".join(hashlib.sha256(seed + n.to_bytes(4, "big")).digest()
                    for n in range(size // 32))
    return data, (len(data), hashlib.sha256(data).hexdigest())


def send_until_blocked(sock, data, patience=0.7):
    """How much of data (repeated) goes in until nothing moves for a while."""
    sent = 0
    sock.settimeout(patience)
    with contextlib.suppress(TimeoutError):
        while True:
            sent += sock.send(data[sent % len(data):])
    sock.settimeout(10)
    return sent


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def lines_of(path):
    """The objects of a log; every line must be one."""
    text = pathlib.Path(path).read_text(encoding="ascii")
    assert text.endswith("\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def resolved(box):
    """The sandbox, having looked allowed.test up."""
    assert box.ask("allowed.test").addresses == [ADDRESS[socket.AF_INET]]
    assert box.ask("allowed.test", "AAAA").addresses == \
        [ADDRESS[socket.AF_INET6]]
    return box
