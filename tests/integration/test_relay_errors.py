# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection that fails inside the sandbox fails as it does outside, with
the same errno; where a name has another address, that one is tried; and the
addresses of one name are never tried for another.
"""
import subprocess
import time

import pytest

import lab
from dns_helpers import cage
from relay_helpers import (PYTHON, abort, accept, dial, internet, listener,
                           port_of)

# Dials every address of the name and says how each attempt ended.
DIAL = """
import errno, socket, sys
host, port, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
for family, kind, _, _, to in socket.getaddrinfo(host, port,
                                                 type=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(timeout)
        try:
            s.connect(to)
            print(to[0], "connected", s.recv(1) if s.send(b"G") else "")
        except TimeoutError:
            print(to[0], "silent")
        except OSError as e:
            print(to[0], errno.errorcode[e.errno])
"""
REFUSED, REFUSED6 = "198.51.100.12", "2001:db8:1::12"
SILENT, GOOD, OTHER = "198.51.100.67", "198.51.100.10", "198.51.100.11"


def dial_all(run, name, port=80, timeout=5, user="tester", allow=()):
    got = run([*allow, PYTHON, "-c", DIAL, name, port, timeout], user=user,
              timeout=40)
    assert got.ok, got.err
    return sorted(got.out.splitlines())


def allow(*names):
    return [word for name in names for word in ("--allow-domain", name)]


def allow_address(*addresses):
    return [word for x in addresses for word in ("--allow-address", x)]


@pytest.fixture
def route():
    """route(where, words...) adds a route; removed afterwards."""
    added = []

    def add(where, *words):
        family = "-6" if ":" in " ".join(words) else "-4"
        run = internet if where == "internet" else (
            lambda *cmd: lab.host(list(cmd)))
        run("ip", family, "route", "add", *words)
        added.append((run, family, words))

    yield add
    for run, family, words in added:
        run("ip", family, "route", "del", *words)


@pytest.fixture
def hosts(etc):
    """hosts(name, addresses...) gives a name addresses on the host."""
    lines = ["127.0.0.1 localhost\n"]

    def add(name, *addresses):
        lines.extend(f"{x} {name}\n" for x in addresses)
        etc("hosts", "".join(lines))

    return add


# ---- the same error ---------------------------------------------------------

@pytest.mark.parametrize("port", [80, 443])
def test_refused(egress, host, far, who, port):
    """ECONNREFUSED from connect() itself, never a connection that ends."""
    outside = dial_all(host, "refused.test", port, user=who)
    assert outside == [f"{REFUSED} ECONNREFUSED", f"{REFUSED6} ECONNREFUSED"]
    far.mark()
    begin = time.monotonic()
    inside = dial_all(egress, "refused.test", port, user=who,
                      allow=allow("refused.test"))
    assert inside == outside
    assert time.monotonic() - begin < 2
    # It was asked, not guessed.
    assert far.wire(rf" > {REFUSED}\.{port}: Flags \[S\]")
    assert far.wire(rf" > {REFUSED6}\.{port}: Flags \[S\]")


def test_refused_burst(egress):
    """Two hundred at once: each is told by connect()."""
    script = ("import errno, select, socket\n"
              "p, found = select.poll(), []\n"
              "all = {}\n"
              "for n in range(200):\n"
              "    s = socket.socket()\n"
              "    s.setblocking(False)\n"
              f"    s.connect_ex(('{REFUSED}', 80))\n"
              "    all[s.fileno()] = s\n"
              "    p.register(s, select.POLLOUT)\n"
              "while all:\n"
              "    for fd, _ in p.poll(5000) or exit('silent'):\n"
              "        p.unregister(fd)\n"
              "        s = all.pop(fd)\n"
              "        found.append(s.getsockopt(socket.SOL_SOCKET,\n"
              "                                  socket.SO_ERROR))\n"
              "print({errno.errorcode.get(x, x) for x in found}, len(found))")
    got = egress([*allow_address(REFUSED), PYTHON, "-c", script], timeout=20)
    assert got.out == "{'ECONNREFUSED'} 200\n", got.err


@pytest.mark.parametrize("address, error", [
    (REFUSED, "ECONNREFUSED"), (REFUSED6, "ECONNREFUSED"),
    ("198.51.100.66", "EHOSTUNREACH"),
    ("2001:db8:dead:1::10", None)])
def test_address_error(egress, host, address, error):
    """Also for an address that no name stands for; None: whatever the host
    sees."""
    outside = dial_all(host, address)
    assert error is None or outside == [f"{address} {error}"]
    assert "connected" not in outside[0] and "silent" not in outside[0]
    assert dial_all(egress, address, allow=allow_address(address)) == outside


def test_unreachable_name(egress, host):
    outside = dial_all(host, "unreachable.test")
    assert outside == ["198.51.100.66 EHOSTUNREACH"]
    assert dial_all(egress, "unreachable.test",
                    allow=allow("unreachable.test")) == outside


@pytest.mark.parametrize("where, kind, address, error", [
    ("internet", "throw", "198.51.100.70", "ENETUNREACH"),
    ("internet", "prohibit", "198.51.100.71", "EHOSTUNREACH"),
    ("internet", "throw", "2001:db8:70::1", "ENETUNREACH"),
    ("host", "throw", "198.51.100.72", "ENETUNREACH"),
    ("host", "unreachable", "198.51.100.73", "EHOSTUNREACH"),
    ("host", "throw", "2001:db8:72::1", "ENETUNREACH"),
    ("host", "unreachable", "2001:db8:73::1", "EHOSTUNREACH")])
def test_route_error(egress, host, route, where, kind, address, error):
    """On the way, or already on the host: the command cannot tell. ("throw":
    no route in this table, and there is no other.)"""
    bits = 128 if ":" in address else 32
    route(where, kind, f"{address}/{bits}")
    outside = dial_all(host, address)
    assert outside == [f"{address} {error}"]
    assert dial_all(egress, address, allow=allow_address(address)) == outside


def test_silence(egress, host, far):
    """No answer is no answer: no error, no connection that leads nowhere."""
    outside = dial_all(host, "blackhole.test", timeout=3)
    assert outside == [f"{SILENT} silent"]
    far.mark()
    begin = time.monotonic()
    assert dial_all(egress, "blackhole.test", timeout=3,
                    allow=allow("blackhole.test")) == outside
    assert time.monotonic() - begin > 2.9
    assert far.wire(rf" > {SILENT}\.80: Flags \[S\]")


@pytest.mark.parametrize("confined", [False, True])
def test_silence_ends(egress, host, far, confined):
    """A far end that comes alive while the command waits is reached by a
    retransmission."""
    script = ("import socket\n"
              "s = socket.create_connection(('blackhole.test', 80), 15)\n"
              "s.sendall(b'GET / HTTP/1.0\\r\\nHost: allowed.test\\r\\n\\r\\n')\n"
              "print(b''.join(iter(lambda: s.recv(999), b'')).decode())")
    cmd = [lab.EGRESS_RUN, *allow("blackhole.test", "allowed.test")] \
        if confined else []
    with lab.started([*cmd, PYTHON, "-c", script], "tester",
                     stdout=subprocess.PIPE) as process:
        # The second SYN at the latest is swallowed too.
        lab.wait_until(lambda: len(far.wire(rf" > {SILENT}\.80: .*\[S\]")) > 1)
        assert process.poll() is None
        internet("ip", "route", "del", "blackhole", f"{SILENT}/32")
        try:
            out, _ = process.communicate(timeout=15)
        finally:
            internet("ip", "route", "add", "blackhole", f"{SILENT}/32")
    assert out.decode().endswith(f"OK allowed.test {SILENT}\n\n")


@pytest.mark.parametrize("confined", [False, True])
def test_reset_at_once(egress, confined):
    """A server that resets before it has said anything."""
    with listener() as server, cage("allowed.test", user="tester") as box:
        box.ask("allowed.test")
        with dial(box if confined else None) as sock:
            sock.connect((GOOD, port_of(server)))
            abort(accept(server))
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def test_reset_in_handshake(egress, host):
    """The TLS client says the same as outside."""
    cmd = ["curl", "-sS", "https://allowed.test:10/"]
    outside = host(cmd, user="tester")
    assert outside.rc == 35 and "reset" in outside.err.lower()
    inside = egress([*allow("allowed.test"), *cmd], user="tester")
    assert (inside.rc, inside.err) == (outside.rc, outside.err)


# ---- another address of the name --------------------------------------------

@pytest.mark.parametrize("name, options, limit", [
    ("multi.test", (), 2), ("multihang.test", ("-4",), 3.5),
    ("broken6.test", ("-6",), 3.5), ("reject6.test", ("-6",), 3.5)])
def test_another_address(egress, host, far, name, options, limit):
    """Of several addresses one works: the program that tries only the first,
    or only IPv6, gets through all the same."""
    url = f"http://{name}/"
    if "-6" in options:
        assert not host(["curl", "-s", "-m2", *options, url]).ok
    far.mark()
    got = egress([*allow(name), "curl", "-sS", "-m8", *options, url],
                 user="tester")
    assert got.out == f"OK {name} {GOOD}\n", got.err
    assert got.seconds < limit
    assert [x.address for x in far.http(name)] == [GOOD]


@pytest.mark.parametrize("first, works", [
    (REFUSED, True), (SILENT, True), (REFUSED, False), (SILENT, False)])
def test_first_address_alone(egress, hosts, share, first, works):
    """The program dials one address, which fails; the name has a second,
    which the log names. If that fails too, the error is the first's."""
    second = GOOD if works else "198.51.100.66"
    hosts("pair.test", first, second)
    log = share / "log"
    script = ("import socket\nsocket.getaddrinfo('pair.test', 80)\n"
              f"s = socket.create_connection(('{first}', 80), 4)\n"
              "print('connected')")
    got = egress([*allow("pair.test"), "--log", log, PYTHON, "-c", script],
                 user="tester", timeout=20)
    if works:
        assert got.out == "connected\n", got.err
        assert f'"address":"{first}","port":80,"via":"{second}"' \
            in log.read_text()
    else:
        wanted = "Connection refused" if first == REFUSED else "timed out"
        assert wanted in got.err


def test_refused_then_silent(egress, hosts):
    """Waiting for the last address of a name, with nothing left to try: the
    sandbox stands, and the rest of it works."""
    hosts("pair.test", REFUSED, SILENT)
    script = ("curl -sS -m4 http://pair.test/; echo $?; "
              "curl -4 -sS -m4 http://allowed.test/")
    got = egress([*allow("pair.test", "allowed.test"), "sh", "-c", script],
                 user="tester", timeout=20)
    assert got.rc == 0, got.err
    assert got.out == "28\nOK allowed.test 198.51.100.10\n"


# ---- whose address it is ----------------------------------------------------

def connect_after(names, hosts, far, options=None, port=80, address=REFUSED):
    """Resolve the names, dial the address that they share; the error, and the
    other addresses to which a SYN went."""
    hosts("a.test", address, GOOD)
    hosts("b.test", address, OTHER)
    with cage(options=options or allow("a.test", "b.test"),
              user="tester") as box:
        for name in names:
            assert address in box.ask(name).addresses
        far.mark()
        error = box.connect(address, port)
    return error, {x for x in (GOOD, OTHER)
                   if far.wire(rf" > {x}\.{port}: Flags \[S\]")}


def test_own_address_is_tried(egress, hosts, far):
    """The control of the next: only one name was asked for."""
    assert connect_after(["a.test"], hosts, far) == (None, {GOOD})


@pytest.mark.parametrize("names", [
    ("a.test", "b.test"), ("b.test", "a.test"), ("a.test", "b.test", "a.test")])
def test_names_do_not_mix(egress, hosts, far, names):
    """Two names share an address that refuses, and each has another: which of
    them is meant cannot be known, so neither is tried."""
    assert connect_after(names, hosts, far) == ("ECONNREFUSED", set())


@pytest.mark.parametrize("names", [("a.test", "b.test"), ("b.test", "a.test")])
def test_names_with_ports_do_not_mix(egress, hosts, far, names):
    """Likewise if one of them is limited to the port."""
    assert connect_after(names, hosts, far, allow("a.test:80", "b.test")) \
        == ("ECONNREFUSED", set())


def test_common_alternative(egress, hosts, far):
    """An address that both names have is right for both."""
    hosts("a.test", REFUSED, GOOD)
    hosts("b.test", REFUSED, OTHER, GOOD)
    with cage("a.test", "b.test", user="tester") as box:
        for name in "a.test", "b.test":
            assert REFUSED in box.ask(name).addresses
        assert box.connect(REFUSED) is None
    assert not far.wire(rf" > {OTHER}\.80: Flags \[S\]")


def test_literal_has_no_alternative(egress, hosts, far):
    """An address allowed as such stands for no name."""
    hosts("a.test", REFUSED, GOOD)
    with cage("a.test", user="tester",
              options=allow_address(REFUSED)) as box:
        assert box.connect(REFUSED) == "ECONNREFUSED"
    assert not far.wire(rf" > {GOOD}\.80: Flags \[S\]")


def test_alternative_obeys_the_port(egress, hosts, far):
    """A name limited to a port opens no other port by way of its second
    address, though that is open to another name."""
    hosts("a.test", REFUSED, GOOD)
    with cage("a.test:443", "allowed.test", user="tester") as box:
        box.ask("a.test")
        box.ask("allowed.test")
        assert box.connect(REFUSED, 80) == "ECONNREFUSED"
        assert not far.wire(r"\.80: Flags \[S\]")
        assert box.connect(REFUSED, 443) is None


def test_port_limit(egress, host, far):
    """The named port connects; the others are refused here, and no packet
    leaves."""
    script = "for s in http https; do curl -sS -m4 $s://allowed.test/; done"
    assert host(["sh", "-c", script]).out.count("OK") == 2
    far.mark()
    got = egress([*allow("allowed.test:443"), "sh", "-c", script],
                 user="tester")
    assert got.out == "OK allowed.test 198.51.100.10\n" or \
        got.out == "OK allowed.test 2001:db8:1::10\n", got.err
    assert "(7) Failed to connect" in got.err
    assert not far.wire(r"\.80: ")
    assert {x.port for x in far.http("allowed.test")} == {"443"}


def test_own_socket_errors(egress):
    """What never leaves the sandbox: its own loopback."""
    assert dial_all(egress, "127.0.0.1") == ["127.0.0.1 ECONNREFUSED"]
    assert dial_all(egress, "::1") == ["::1 ECONNREFUSED"]
