# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes through the relay: all of them, in order, both ways, however a
connection ends and however slow an end is.
"""
import hashlib
import os
import socket
import subprocess
import threading

import pytest

import lab
from dns_helpers import cage, children, rss_kib
from relay_helpers import (ADDRESS, PYTHON, abort, accept, connected, dial,
                           listener, pattern, port_of, receive, resolved,
                           send_until_blocked)

V4, V6 = socket.AF_INET, socket.AF_INET6
GET = b"GET / HTTP/1.1\r\nHost: allowed.test\r\n"
SSH = "exec $GIT_SSH_COMMAND git@git.test"
# More than every buffer on the way together.
BUFFERS_MAX = 40 << 20


@pytest.fixture(params=[None, "tester", "root"])
def where(request, egress):
    """Unconfined as the control (None), and in a sandbox of either user."""
    if request.param is None:
        yield None
        return
    with cage("allowed.test", user=request.param) as box:
        yield resolved(box)


@pytest.fixture
def box(egress):
    with cage("allowed.test", user="tester") as found:
        yield resolved(found)


def background(function, *args):
    """Runs in a thread; join() gives its result or raises its error."""
    found = []

    def run():
        try:
            found.append((function(*args), None))
        except BaseException as error:  # handed to the caller
            found.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join():
        thread.join(30)
        assert found, "still busy"
        value, error = found[0]
        if error:
            raise error
        return value

    return join


def confined(egress, *cmd, names=("allowed.test",), user="tester", **options):
    allow = [word for x in names for word in ("--allow-domain", x)]
    return egress([*allow, "--", *cmd], user=user, **options)


# ---- real clients -----------------------------------------------------------

@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("family", ["-4", "-6"])
def test_download(egress, who, scheme, family):
    """8 MiB of noise arrive as they lie on the server."""
    wanted = hashlib.sha256((lab.LAB / "www/random").read_bytes()).hexdigest()
    got = confined(egress, "curl", "-sS", family,
                   f"{scheme}://allowed.test/random", user=who, timeout=30)
    assert hashlib.sha256(got.raw).hexdigest() == wanted, got.err


def test_large_download(egress, host):
    """64 MiB, by name and number of bytes and checksum."""
    cmd = "curl -sS http://allowed.test/big | sha256sum"
    outside = host(["sh", "-c", cmd], timeout=30)
    assert outside.out.split()[0] == hashlib.sha256(bytes(64 << 20)).hexdigest()
    got = confined(egress, "sh", "-c", cmd, timeout=60)
    assert got.out == outside.out, got.err


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_upload(egress, share, scheme):
    """32 MiB of noise, and the far end says what came."""
    noise = os.urandom(32 << 20)
    (share / "noise").write_bytes(noise)
    got = confined(egress, "curl", "-sS", "-T", share / "noise",
                   f"{scheme}://allowed.test/upload", timeout=60)
    assert got.out == f"{32 << 20} {hashlib.sha256(noise).hexdigest()}\n"


def test_http2(egress, host):
    """Five streams of one connection at the same time."""
    urls = ["-o", "/dev/null", "https://allowed.test/random"] * 5
    cmd = ["curl", "-sS", "--http2", "--parallel", "-w",
           "%{http_version} %{size_download}\n", *urls]
    outside = host(cmd, timeout=30)
    assert outside.out == f"2 {8 << 20}\n" * 5, outside.err
    assert confined(egress, *cmd, timeout=30).out == outside.out


def test_keepalive_and_pipelining(egress, box, far):
    """Three requests in one write are three answers on one connection."""
    with dial(box) as sock:
        sock.connect((ADDRESS[V4], 80))
        sock.sendall((GET + b"\r\n") * 2 + GET + b"Connection: close\r\n\r\n")
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    assert data.count(b"OK allowed.test") == 3
    assert len(far.wire(r" > 198\.51\.100\.10\.80: Flags \[S\]")) == 1
    url = "http://allowed.test/"
    got = confined(egress, "curl", "-sS", "-w", "%{num_connects}\n", url, url)
    assert [x for x in got.out.splitlines() if x.isdigit()] == ["1", "0"]


def test_slow_server(egress):
    """What is sent line by line arrives line by line."""
    with lab.started([lab.EGRESS_RUN, "--allow-domain", "allowed.test", "curl",
                      "-sSN", "http://allowed.test/drip?n=3&ms=300"], "tester",
                     stdout=subprocess.PIPE) as process:
        first = process.stdout.readline()
        assert first == b"line 0\n" and process.poll() is None
        assert process.stdout.read() == b"line 1\nline 2\n"


def test_ssh_session(egress, host, who):
    """Server first, then a dialogue in both directions."""
    cmd = ["sh", "-c", f"{SSH} \"git-upload-pack 'repo.git'\""]
    outside = host(cmd, user=who, stdin="0000")
    assert "refs/heads/main" in outside.out, outside.err
    got = confined(egress, *cmd, names=["git.test:22"], user=who, stdin="0000")
    assert (got.rc, got.out) == (outside.rc, outside.out), got.err


# ---- both ends --------------------------------------------------------------

@pytest.mark.parametrize("family", [V4, V6])
def test_server_first(where, family):
    """The far end's greeting needs no word of the client."""
    with connected(where, family) as (near, end):
        end.sendall(b"220 hello\r\n")
        assert near.recv(100) == b"220 hello\r\n"


@pytest.mark.parametrize("family", [V4, V6])
def test_half_close_by_client(where, family):
    """The client ends its half and still gets a long answer."""
    question, asked = pattern(1 << 20, b"q")
    answer, answered = pattern(8 << 20, b"a")
    with connected(where, family) as (near, end):
        arrives = background(receive, end)
        near.sendall(question)
        near.shutdown(socket.SHUT_WR)
        assert arrives() == asked
        sends = background(end.sendall, answer)
        assert receive(near, len(answer)) == answered
        sends()
        end.close()
        assert near.recv(1) == b""


@pytest.mark.parametrize("family", [V4, V6])
def test_half_close_by_server(where, family):
    """The far end ends its half and still takes what the client sends."""
    data, wanted = pattern(8 << 20)
    with connected(where, family) as (near, end):
        end.sendall(b"bye")
        end.shutdown(socket.SHUT_WR)
        assert near.recv(100) == b"bye" and near.recv(1) == b""
        arrives = background(receive, end)
        near.sendall(data)
        near.close()
        assert arrives() == wanted


def test_half_close_waits(where):
    """A closed half is no closed connection, however long nothing comes."""
    with connected(where) as (near, end):
        near.shutdown(socket.SHUT_WR)
        assert end.recv(1) == b""
        near.settimeout(0.5)
        with pytest.raises(TimeoutError):
            near.recv(1)
        end.sendall(b"late")
        assert near.recv(100) == b"late"


@pytest.mark.parametrize("family", [V4, V6])
@pytest.mark.parametrize("before", [b"", b"some data"])
def test_reset_by_client(where, family, before):
    """The far end learns that the client gave up, not that all was said."""
    with connected(where, family) as (near, end):
        near.sendall(before)
        assert not before or end.recv(100) == before
        abort(near)
        with pytest.raises(ConnectionResetError):
            end.recv(1)


@pytest.mark.parametrize("family", [V4, V6])
@pytest.mark.parametrize("before", [b"", b"some data"])
def test_reset_by_server(where, family, before):
    """The client learns that the answer was cut off."""
    with connected(where, family) as (near, end):
        end.sendall(before)
        assert not before or near.recv(100) == before
        abort(end)
        with pytest.raises(ConnectionResetError):
            near.recv(1)


def test_reset_after_half_close(where):
    """Also when one half has ended in order."""
    with connected(where) as (near, end):
        near.shutdown(socket.SHUT_WR)
        assert end.recv(1) == b""
        abort(end)
        with pytest.raises(ConnectionResetError):
            near.recv(1)
    with connected(where) as (near, end):
        end.shutdown(socket.SHUT_WR)
        assert near.recv(1) == b""
        abort(near)
        with pytest.raises(ConnectionResetError):
            end.recv(1)


@pytest.mark.parametrize("size", [1, 1000, 300_000, 3 << 20])
def test_data_before_close(where, size):
    """Sent and closed in one go: complete, and then end of file."""
    data, wanted = pattern(max(size, 32))
    with connected(where) as (near, end):
        arrives = background(receive, end)
        near.sendall(data)
        near.close()
        assert arrives() == wanted


@pytest.mark.parametrize("is_confined", [False, True])
def test_data_before_exit(egress, is_confined):
    """The command sends and ends at once, and with it the run; the far end
    begins to read only then, and gets everything."""
    size = 250_000
    script = ("import os, socket, sys\n"
              "s = socket.create_connection(('allowed.test', int(sys.argv[1])))\n"
              "s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)\n"
              "s.settimeout(5)\n"
              f"s.sendall(bytes({size}))\n"
              "print('sent', flush=True)\n"
              "os._exit(0)")
    with listener() as far:
        cmd = [PYTHON, "-c", script, port_of(far)]
        if is_confined:
            cmd = [lab.EGRESS_RUN, "--allow-domain", "allowed.test", *cmd]
        with lab.started(cmd, "tester", stdout=subprocess.PIPE) as process:
            with accept(far) as end:
                assert process.stdout.readline() == b"sent\n"
                if not is_confined:
                    process.wait(5)
                else:
                    lab.wait_until(lambda: "egress-init" not in dict(
                        map(reversed, children(process.pid))))
                assert receive(end) == (
                    size, hashlib.sha256(bytes(size)).hexdigest())
            assert process.wait(10) == 0


def test_long_duplex(where):
    """Both directions at once, for long, as a web socket would."""
    up, wanted_up = pattern(16 << 20, b"u")
    down, wanted_down = pattern(16 << 20, b"d")
    with connected(where) as (near, end):
        jobs = [background(receive, end, len(up)),
                background(receive, near, len(down)),
                background(near.sendall, up), background(end.sendall, down)]
        assert [job() for job in jobs][:2] == [wanted_up, wanted_down]
        near.sendall(b"ping")
        assert end.recv(100) == b"ping"


def test_small_messages(where):
    """Two thousand round trips of one byte by the real echo server."""
    with dial(where) as sock:
        sock.connect((ADDRESS[V4], 7))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(2000):
            sock.send(bytes([n % 256]))
            assert sock.recv(2) == bytes([n % 256])


def test_urgent_data_does_not_stop_the_stream(where):
    """Out-of-band bytes are rare; what follows must still arrive."""
    with connected(where) as (near, end):
        near.send(b"a")
        near.send(b"!", socket.MSG_OOB)
        near.sendall(b"b")
        near.close()
        found = b"".join(iter(lambda: end.recv(100), b""))
        assert found.replace(b"!", b"") == b"ab"


@pytest.mark.parametrize("ends", ["client", "server", "reset"])
def test_source_port_again(where, ends):
    """The same four numbers a second time, whoever closed first."""
    with listener() as far:
        ports = []
        for n in range(3):
            near = dial(where)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            near.bind(("", ports[0] if ports else 0))
            near.connect((ADDRESS[V4], port_of(far)))
            ports.append(port_of(near))
            end = accept(far)
            near.sendall(b"%d" % n)
            assert end.recv(100) == b"%d" % n
            if ends == "server":
                end.close()
                assert near.recv(1) == b""
                near.close()
            elif ends == "reset":
                abort(near)
                with pytest.raises(ConnectionResetError):
                    end.recv(1)
                end.close()
            else:
                # TIME_WAIT would refuse the port here as outside.
                near.shutdown(socket.SHUT_WR)
                assert end.recv(1) == b""
                abort(end)
                with pytest.raises(ConnectionResetError):
                    near.recv(1)
                near.close()
        assert len(set(ports)) == 1


# ---- slow ends --------------------------------------------------------------

@pytest.mark.parametrize("slow", ["client", "server"])
def test_backpressure(box, slow):
    """While one end does not read, the other cannot send without bound, the
    relay holds little, others are served; then everything arrives."""
    relay = box.helper("egress-relay")
    before = rss_kib(relay)
    chunk = os.urandom(1 << 20)
    with connected(box) as (near, end):
        reader, writer = (near, end) if slow == "client" else (end, near)
        sent = send_until_blocked(writer, chunk)
        assert sent < BUFFERS_MAX
        assert rss_kib(relay) - before < 2048
        with connected(box) as (other, other_end):
            other.sendall(b"x")
            assert other_end.recv(1) == b"x"
        arrives = background(receive, reader)
        writer.close()
        digest = hashlib.sha256(chunk * (sent >> 20)
                                + chunk[:sent & (1 << 20) - 1])
        assert arrives() == (sent, digest.hexdigest())


def test_many_slow_ends(box):
    """Forty connections that stand still cost descriptors, not memory, and
    end with the rest."""
    relay = box.helper("egress-relay")
    with listener() as far:
        pairs = []
        for _ in range(40):
            near = dial(box)
            near.connect((ADDRESS[V4], port_of(far)))
            pairs.append((near, accept(far)))
        before = rss_kib(relay)
        for near, end in pairs:
            end.setblocking(False)
            near.setblocking(False)
            for sock in near, end:
                try:
                    while sock.send(bytes(1 << 18)):
                        pass
                except BlockingIOError:
                    pass
        assert rss_kib(relay) - before < 8192
        with connected(box) as (near, end):
            near.sendall(b"x")
            assert end.recv(1) == b"x"
        for near, end in pairs:
            abort(near)
            end.close()


def test_idle_connection(box):
    """Silence does not end a connection, and keepalive watches over it."""
    with connected(box) as (near, end):
        near.sendall(b"a")
        assert end.recv(1) == b"a"
        shown = lab.host(["ss", "-Htno", "state", "established", "dst",
                          ADDRESS[V4]]).out
        assert "timer:(keepalive," in shown
        near.settimeout(3)
        with pytest.raises(TimeoutError):
            near.recv(1)
        end.sendall(b"b")
        assert near.recv(1) == b"b"
        near.sendall(b"c")
        assert end.recv(1) == b"c"
