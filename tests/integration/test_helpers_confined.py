# SPDX-License-Identifier: GPL-2.0-or-later
"""The DNS filter and the relay, which read what strangers send, are confined
before the first byte, and do all their work so.

What a helper that was taken over could do is tried from inside of it, by a
debugger that only root outside has.
"""
import errno
import os
import pathlib
import platform
import re
import socket
import struct
import subprocess

import pytest

import lab
from launch_helpers import (ask, client, finish, read_line, running,
                            status_of)

pytestmark = pytest.mark.usefixtures("egress", "confining")

ALLOW = ["--allow-domain", "allowed.test", "--allow-domain", "*.wild.test"]
# Fetches each host that it reads, by the relay and the DNS filter.
FETCHER = """echo ready; while read -r name; do
    curl -sS -m 8 "http://$name/" || echo "failed $?"
done"""
needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64",
                               reason="the debugger is for x86-64")


OPENAT, WRITE = 257, 1
FIXED = 16  # CALLS_FDS_FIXED
NAME_SIZE = 254  # HOSTNAME_BUF


@pytest.fixture(scope="session")
def confining(egress):
    """A sanitizer has calls of its own: its build leaves helpers alone."""
    if b"__asan_init" in pathlib.Path(lab.EGRESS_RUN).read_bytes():
        pytest.skip("a sanitizer's build does not confine its helpers")


def helpers(run):
    return {x: run.helper(x) for x in ("egress-dns", "egress-relay")}


def inject(pid, call, *args):
    """What becomes of that system call (by its number) in that process."""
    return subprocess.run([client("inject_call"), str(pid), str(call),
                           *map(str, args)], capture_output=True, text=True,
                          check=True, timeout=10).stdout.strip()


def opening(pid, path):
    return inject(pid, OPENAT, -100, data(path.encode() + b"\0"), 0)


def test_what_the_kernel_says_of_them(who):
    """Under load too, the same processes to the end, which nothing has
    killed."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        before = helpers(process.run)
        for pid in before.values():
            assert status_of(pid, "Seccomp") == "2"
            assert status_of(pid, "NoNewPrivs") == "1"
            for caps in "CapInh", "CapPrm", "CapEff", "CapAmb":
                assert int(status_of(pid, caps), 16) == 0, caps
            links = [os.readlink(f"/proc/{pid}/fd/{x}")
                     for x in os.listdir(f"/proc/{pid}/fd")]
            # stderr is the test's pipe.
            assert not [x for x in links if x.startswith("/")
                        and x != "/dev/null"], links
        for n in range(20):
            name = f"x{n}.wild.test"
            assert ask(process, name).startswith(f"OK {name} ")
        assert helpers(process.run) == before
        rc, _, err = finish(process)
    assert rc == 0 and "starting it again" not in err, err


@needs_x86
def test_files_of_the_dns_filter(who):
    """It has none, and reads resolv.conf and hosts all the same: what the
    monitor opened."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        pid = process.run.ready().helper("egress-dns")
        for path in "/etc/passwd", "/etc/resolv.conf", "/bin/sh", "/", \
                "/proc/self/environ", "/dev/null", "/dev/urandom":
            assert opening(pid, path) == str(-errno.EACCES), path
        assert "allowed.test" in ask(process, "allowed.test")
        assert process.run.helper("egress-dns") == pid
        rc, _, err = finish(process)
    assert rc == 0 and "starting it again" not in err, err


def serving_filter(process):
    """The filter, which waits for something to do."""
    assert "allowed.test" in ask(process, "allowed.test")
    pid = process.run.helper("egress-dns")
    lab.wait_until(lambda: status_of(pid, "State").startswith("S"),
                   what="a filter at rest")
    return pid


def upstream_socket(process, pid):
    """The number of a socket to a resolver; the filter has one in stock for a
    moment after a question."""
    def found():
        for name in os.listdir(f"/proc/{pid}/fd"):
            if int(name) >= FIXED and "socket:" in os.readlink(
                    f"/proc/{pid}/fd/{name}"):
                return int(name)
        return None
    ask(process, f"x{os.urandom(4).hex()}.wild.test")
    return lab.wait_until(found, what="a socket to a resolver")


# System calls of a filter that was taken over; UP is a socket to a resolver.
# Each ends it; more than eight deaths in ten seconds would end the run.
ELSEWHERE = "203.0.113.77"
UP, NAME = "a socket to a resolver", "an address elsewhere"
DEADLY = [
    {"socket udp": (41, socket.AF_INET, socket.SOCK_DGRAM, 0),
     "socket tcp": (41, socket.AF_INET6, socket.SOCK_STREAM, 0),
     "sendto elsewhere": (44, UP, NAME, 1, 0, NAME, 16),
     "sendmsg elsewhere": (46, UP, "message", 0),
     "connect elsewhere": (42, UP, NAME, 16),
     "connect to nobody": (42, UP, "x" + bytes(16).hex(), 16),
     "bind": (49, UP, "x" + bytes(16).hex(), 16)},
    {"replace a fixed descriptor": (33, UP, 3),
     "close a fixed descriptor": (3, 5),
     "execve": (59, "x" + b"/bin/true\0".hex(), 0, 0),
     "ptrace the monitor": (101, 16, "monitor", 0, 0),
     "kill all": (62, -1, 9),
     "kill the monitor": (62, "monitor", 9),
     "read the monitor": (310, "monitor", 0, 0, 0, 0, 0)},
]


@needs_x86
@pytest.mark.parametrize("calls", DEADLY, ids=["network", "processes"])
def test_calls_of_a_filter_taken_over(who, far, calls):
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        for what, call in calls.items():
            pid = serving_filter(process)
            up = upstream_socket(process, pid)
            known = {UP: up, NAME: data(name_of(ELSEWHERE)),
                     "message": "m" + name_of(ELSEWHERE).hex(),
                     "monitor": process.pid}
            args = [known.get(x, x) for x in call]
            assert inject(pid, *args) == "killed 31", what
            lab.wait_until(lambda old=pid: process.run.helper("egress-dns")
                           not in (0, old), what="another filter")
        # What it may: to the resolver, whatever the socket is told.
        pid = process.run.helper("egress-dns")
        up = upstream_socket(process, pid)
        assert inject(pid, 44, up, data(b"x"), 1, 0, 0, 0) == "1"
        assert "allowed.test" in ask(process, "allowed.test")
        rc, _, err = finish(process)
    assert rc == 0 and err.count("starting it again") == len(calls), err
    assert far.wire(re.escape(ELSEWHERE)) == []


def data(raw):
    return "x" + raw.hex()


def name_of(address, port=9999):
    return struct.pack("!H", socket.AF_INET)[::-1] + struct.pack(
        "!H4s8x", port, socket.inet_aton(address))


def packed(address):
    """A struct addr of common/addr.h."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return struct.pack("B16s", family, socket.inet_pton(family, address))


def socket_request(address, transport=0, error=0, kind=7):
    """struct dns_msg_socket"""
    return struct.pack("II17s3xi", kind, transport, packed(address), error)


def admit(name, *addresses, n=None):
    """struct dns_msg_admit"""
    raw = struct.pack(f"IIQI{NAME_SIZE}s", 1,
                      len(addresses) if n is None else n, 77, 60,
                      name.encode())
    raw += b"".join(x if isinstance(x, bytes) else packed(x)
                    for x in addresses).ljust(64 * 17, b"\0")
    return raw.ljust((len(raw) + 7) // 8 * 8, b"\0")


def event(verdict=1, n=0, cached=0, count=1, name=b"evil.test", text=b"",
          address="192.0.2.7"):
    """struct dns_msg_event"""
    raw = struct.pack(f"IIHHHHI{NAME_SIZE}s{NAME_SIZE}s", 3, verdict, 1, 3, n,
                      cached, count, name, text)
    first = address if isinstance(address, bytes) else packed(address)
    raw += first.ljust(64 * 17, b"\0")
    return raw.ljust((len(raw) + 3) // 4 * 4, b"\0")


CHANNEL, DESK = 3, 4
# What a filter that was taken over may say, and on which channel.
LIES = {
    "a socket to elsewhere": (DESK, socket_request(ELSEWHERE)),
    "a connection to elsewhere": (DESK, socket_request(ELSEWHERE, 1)),
    "another transport": (DESK, socket_request("192.0.2.53", 2)),
    "another type": (DESK, socket_request("192.0.2.53", kind=1)),
    "half a request": (DESK, socket_request("192.0.2.53")[:16]),
    "more than a request": (DESK, socket_request("192.0.2.53") + b"x"),
    "a request on the wrong channel": (CHANNEL, socket_request("192.0.2.53")),
    "a name that is not allowed": (CHANNEL, admit("evil.test", ELSEWHERE)),
    "nonsense": (CHANNEL, b"\xff" * 24),
    "no address": (CHANNEL, admit("allowed.test")),
    "too many addresses": (CHANNEL, admit("allowed.test", n=65)),
    "a name in capitals": (CHANNEL, admit("ALLOWED.test", "198.51.100.10")),
    "an address of another family": (
        CHANNEL, admit("allowed.test", b"\x07" + bytes(16))),
    "more than an address": (
        CHANNEL, admit("allowed.test", b"\x02" + bytes(range(1, 17)))),
    "an event without end": (CHANNEL, event(text=b"x" * NAME_SIZE)),
    "an event that moves the cursor": (CHANNEL, event(text=b"\x1b[2J")),
    "an event of no name": (CHANNEL, event(name=b"a\nb")),
    "an event of another verdict": (CHANNEL, event(verdict=99)),
    "an event with too many addresses": (CHANNEL, event(n=65)),
    "an event of another family": (
        CHANNEL, event(n=1, address=b"\x07" + bytes(16))),
    "an event of nothing": (CHANNEL, event(count=0)),
}


@needs_x86
@pytest.mark.parametrize("part", [0, 1, 2])
def test_lies_of_a_filter_taken_over(who, far, part):
    """Each ends it, and brings nothing."""
    lies = list(LIES.items())[part::3]
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        for what, (fd, raw) in lies:
            pid = serving_filter(process)
            assert inject(pid, WRITE, fd, data(raw), len(raw)) in (
                str(len(raw)), "gone", "killed 9"), what
            lab.wait_until(lambda old=pid: process.run.helper("egress-dns")
                           not in (0, old), what=f"another filter: {what}")
        assert "allowed.test" in ask(process, "allowed.test")
        rc, _, err = finish(process)
    assert rc == 0 and err.count("broke the protocol") == len(lies), err
    assert far.wire(re.escape(ELSEWHERE)) == []


@needs_x86
def test_truth_of_a_filter(who):
    """The control: what is told in the same way, and is sound, is taken."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        pid = serving_filter(process)
        for fd, raw in ((CHANNEL, event(text=b"some\\007text", count=3)),
                        (CHANNEL, struct.pack("II", 6, 0)),
                        (DESK, socket_request("192.0.2.53"))):
            assert inject(pid, WRITE, fd, data(raw), len(raw)) == \
                str(len(raw))
        assert serving_filter(process) == pid
        rc, _, err = finish(process)
    assert rc == 0 and "evil.test (3 " in err, err


@needs_x86
@pytest.mark.parametrize("raw", [
    b"\xff" * 24, b"\x01\0\0\0", bytes(4096)], ids=["type", "short", "long"])
def test_lies_of_a_relay_taken_over(who, raw):
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        serving_filter(process)
        pid = process.run.helper("egress-relay")
        assert inject(pid, WRITE, CHANNEL, data(raw), len(raw)) in (
            str(len(raw)), "gone", "killed 9")
        assert "allowed.test" in ask(process, "allowed.test")
        assert process.run.helper("egress-relay") not in (0, pid)
        rc, _, err = finish(process)
    assert rc == 0 and err.count("relay process broke the protocol") == 1, err


@needs_x86
def test_addresses_that_a_filter_taken_over_asks_for(who, far):
    """Metadata, loopback, the host's own: not for an allowed name either. What
    it gets is an address that the name might have."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        pid = process.run.ready().helper("egress-dns")
        never = ["169.254.169.254", "127.0.0.1", "192.0.2.1", "::1",
                 "2001:db8::1", "::ffff:127.0.0.1"]
        raw = admit("allowed.test", *never)
        assert inject(pid, WRITE, CHANNEL, data(raw), len(raw)) in (
            str(len(raw)), "gone")
        for address in never[:3]:
            assert ask(process, address).startswith("failed"), address
        assert ask(process, "[2001:db8::1]").startswith("failed")
        rc, _, err = finish(process)
    assert rc == 0 and far.wire(r"169\.254\.169\.254") == []


@needs_x86
def test_relay_that_opens_a_file(who):
    """Is ended by the kernel; the next one serves."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        pid = process.run.ready().helper("egress-relay")
        assert opening(pid, "/etc/hosts") == "killed 31"
        lab.wait_until(lambda: process.run.helper("egress-relay")
                       not in (0, pid), what="another relay")
        assert "allowed.test" in ask(process, "allowed.test")
        rc, _, err = finish(process)
    assert rc == 0 and "relay process ended (signal 31)" in err, err
