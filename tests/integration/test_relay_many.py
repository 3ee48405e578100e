# SPDX-License-Identifier: GPL-2.0-or-later
"""Many connections through the relay, one after the other and at once; few
descriptors; and a relay that is killed.
"""
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

import lab
from dns_helpers import cage
from relay_helpers import (ADDRESS, PYTHON, abort, connected, dial, fd_count,
                           resolved)

V4 = socket.AF_INET


@pytest.fixture
def box(egress):
    with cage("allowed.test", user="tester") as found:
        yield resolved(found)


# ---- many -------------------------------------------------------------------

MANY = """
import resource, selectors, socket, sys
count = int(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
to = socket.getaddrinfo("allowed.test", 80, socket.AF_INET)[0][4]
wait, all, good, bad = selectors.DefaultSelector(), [], 0, 0
for n in range(count):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(to)
    wait.register(s, selectors.EVENT_WRITE)
left = count
while left:
    ready = wait.select(20) or sys.exit(f"{left} silent")
    for key, _ in ready:
        error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        error and sys.exit(f"error {error}")
        all.append(key.fileobj)
        wait.unregister(key.fileobj)
        left -= 1
print("all connected", flush=True)
sys.stdin.readline()
for s in all:
    s.send(b"GET / HTTP/1.0\\r\\nHost: allowed.test\\r\\n\\r\\n")
for s in all:
    s.setblocking(True)
    s.settimeout(20)
    data = b"".join(iter(lambda: s.recv(65536), b""))
    good += data.endswith(b"OK allowed.test 198.51.100.10\\n")
print(good, "good")
"""


def test_two_thousand_at_once(egress, far):
    """All open at the same time, none slow enough to be given up."""
    with lab.started([lab.EGRESS_RUN, "--allow-domain", "allowed.test", PYTHON,
                      "-c", MANY, "2000"], "tester", stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"all connected\n"
        shown = lab.host(["ss", "-Htn", "state", "established", "dst",
                          ADDRESS[V4]]).out
        assert len(shown.splitlines()) == 2000
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.stdout.readline() == b"2000 good\n"
        assert process.wait(10) == 0
    assert len(far.http("allowed.test")) == 2000


def one_request(box):
    with dial(box) as sock:
        sock.connect((ADDRESS[V4], 80))
        sock.sendall(b"GET / HTTP/1.0\r\nHost: allowed.test\r\n\r\n")
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    assert b"OK allowed.test" in data, data


def test_no_descriptor_is_lost(box):
    """Five thousand short connections, some refused, some aborted: as many
    descriptors as before."""
    one_request(box)
    watched = [box.process.pid, box.helper("egress-relay")]
    counts = lab.wait_until(lambda: steady(watched))
    for n in range(5000):
        if n % 50 == 0:
            with dial(box) as sock:
                sock.connect((ADDRESS[V4], 80))
                abort(sock)
        else:
            one_request(box)
    # The relay keeps some empty pipes for the next connection; the far end of
    # one that the client gave up before it was claimed waits for 10 s.
    lab.wait_until(lambda: all(now <= was for now, was
                               in zip(steady(watched) or [9999] * 2, counts)),
                   20, what=lambda: (steady(watched), counts))


def steady(pids):
    first = [fd_count(pid) for pid in pids]
    return first if first == [fd_count(pid) for pid in pids] else None


# ---- few descriptors --------------------------------------------------------

SOME = """
import socket, sys, time
good = bad = 0
to = socket.getaddrinfo("allowed.test", 80, socket.AF_INET)[0][4]
socks = []
for n in range(30):
    s = socket.socket()
    s.settimeout(4)
    try:
        s.connect(to)
        socks.append(s)
    except OSError:
        bad += 1
        break
for s in socks:
    try:
        s.send(b"GET / HTTP/1.0\\r\\nHost: allowed.test\\r\\n\\r\\n")
        data = b"".join(iter(lambda: s.recv(65536), b""))
        good += data.endswith(b"OK allowed.test 198.51.100.10\\n")
    except OSError:
        bad += 1
    s.close()
print(good, bad, flush=True)
"""


def test_few_descriptors(egress):
    """With 64 descriptors for each process: five programs want thirty
    connections each; what does not fit waits or fails, nothing dies, and
    afterwards all is well."""
    inner = (f"for n in 1 2 3 4 5; do {PYTHON} -c '{SOME}' & done; wait; "
             "curl -sS -m8 --retry 3 http://allowed.test/")
    cmd = f"ulimit -n 64; exec {lab.EGRESS_RUN} --allow-domain allowed.test " \
          "-- sh -c \"$INNER\""
    got = lab.host(["sh", "-c", cmd], user="tester", env={"INNER": inner},
                   timeout=60)
    *counts, last = got.out.splitlines()
    assert got.rc == 0 and last.startswith("OK allowed.test"), got
    assert len(counts) == 5
    assert sum(int(x.split()[0]) for x in counts) >= 15, got
    assert not re.search("ended|died|error:", got.err), got.err


def test_relay_death_resets(box):
    """Killed, the relay leaves RST behind, not an end of file that looks like
    the end of the data; a new one serves the next."""
    old = box.helper("egress-relay")
    with connected(box) as (near, end):
        near.sendall(b"half a mess")
        assert end.recv(100) == b"half a mess"
        os.kill(old, signal.SIGKILL)
        for sock in near, end:
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
    lab.wait_until(lambda: box.helper("egress-relay") != old)
    with connected(box) as (near, end):
        near.sendall(b"again")
        assert end.recv(100) == b"again"
    assert pathlib.Path(f"/proc/{box.command}").exists()
