# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams: which ones go out, from which flow, and what comes back. The test
holds both ends: sockets inside a sandbox and one on every address of the
internet, which tells where each datagram was sent to.
"""
import contextlib
import errno
import json
import os
import signal
import socket
import struct
import time

import pytest

import lab
from dns_helpers import cage
from gate_helpers import AGENT, EVIL, GOOD, allow_address
from relay_helpers import network_of

PORT, OTHER = 4000, 4001
IP_PKTINFO, IPV6_FREEBIND = 8, 78  # missing from the socket module
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
LITERAL = {4: "198.51.100.40", 6: "2001:db8:1::40"}
LITERALS = allow_address(f"{LITERAL[4]}:{PORT}/udp", f"[{LITERAL[6]}]:{PORT}/udp")
ENTRY = f"allowed.test:{PORT}/udp"
FLOWS_MAX = 1024


class Server:
    """A socket on one port of every address of the internet."""

    def __init__(self, v=4, port=PORT):
        with network_of(os.environ["LAB_INET_PID"]):
            self.sock = socket.socket(FAMILIES[v], socket.SOCK_DGRAM)
        if v == 6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.bind(("", port))
        self.sock.settimeout(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def take(self):
        """data, address it was sent to, and how to answer."""
        data, control, _, source = self.sock.recvmsg(65535, 256)
        packed = control[0][2]
        to = (socket.inet_ntop(socket.AF_INET6, packed[:16])
              if len(packed) == 20 else
              socket.inet_ntop(socket.AF_INET, packed[8:12]))
        return data, to, (control, source)

    def answer(self, how, data):
        control, source = how
        self.sock.sendmsg([data], control, 0, source)

    def echo(self):
        data, to, how = self.take()
        self.answer(how, data)
        return data, to

    def is_silent(self, box, to=(GOOD[4], PORT)):
        """True if nothing is here when a datagram that is let by arrives."""
        with near(box) as sock:
            sock.sendto(b"marker", to)
        return self.take()[0] == b"marker"


@contextlib.contextmanager
def near(box, v=4, timeout=5):
    """A socket inside the sandbox, or on the host."""
    make = box.socket if box else socket.socket
    with make(FAMILIES[v], socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        yield sock


def log_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def udp_events(path, kind):
    return [x for x in log_of(path)
            if x["event"] == kind and x.get("protocol") == "udp"]


@pytest.mark.parametrize("v", [4, 6])
def test_there_and_back(egress, who, share, v):
    """By name and by literal address; answers come from where the datagram
    went, the source outside is the host's, and the log tells of both."""
    log = share / "log"
    with Server(v) as server, cage(ENTRY, user=who,
                                   options=[*LITERALS, "--log", log]) as box:
        box.ask("allowed.test", "A" if v == 4 else "AAAA")
        for to in GOOD[v], LITERAL[v]:
            with near(box, v) as sock:
                sock.sendto(b"question", (to, PORT))
                data, dst, how = server.take()
                assert (data, dst) == (b"question", to)
                assert how[1][0] in ("192.0.2.1", "2001:db8::1")
                for answer in b"one", b"", b"three":
                    server.answer(how, answer)
                for answer in b"one", b"", b"three":
                    data, source = sock.recvfrom(100)
                    assert (data, source[:2]) == (answer, (to, PORT))
        box.finish()
    opened = udp_events(log, "connect")
    assert [(x["verdict"], x["address"], x["port"]) for x in opened] == [
        ("allow", GOOD[v], PORT), ("allow", LITERAL[v], PORT)]
    assert opened[0]["name"] == "allowed.test" and opened[0]["rule"] == ENTRY
    assert [(x["bytes_sent"], x["bytes_received"])
            for x in udp_events(log, "close")] == [(8, 8)] * 2


def test_one_source_port_two_destinations(egress):
    """Two flows; their answers do not mix."""
    with Server() as server, cage(options=[
            *LITERALS, *allow_address(f"198.51.100.41:{PORT}/udp",
                                      f"{LITERAL[4]}:{OTHER}/udp")]) as box:
        with Server(port=OTHER) as other, near(box) as sock:
            places = [(LITERAL[4], PORT), ("198.51.100.41", PORT),
                      (LITERAL[4], OTHER)]
            sources = set()
            for i, place in enumerate(places):
                sock.sendto(b"%d" % i, place)
                end = other if place[1] == OTHER else server
                data, to, how = end.take()
                assert (data, to) == (b"%d" % i, place[0])
                sources.add(how[1])
                end.answer(how, b"to %d" % i)
                assert sock.recvfrom(9) == (b"to %d" % i, place)
            assert len(sources) == 3


@pytest.mark.parametrize("v,size", [(4, 0), (4, 1472), (4, 1473), (4, 9000),
                                    (4, 65507), (6, 1453), (6, 65507)])
def test_sizes(egress, v, size):
    """Up to the largest; what does not fit the path is fragmented, as from any
    program."""
    data = os.urandom(size)
    with Server(v) as server, cage(options=LITERALS) as box:
        with near(box, v) as sock:
            sock.sendto(data, (LITERAL[v], PORT))
            assert server.echo() == (data, LITERAL[v])
            assert sock.recv(65535) == data


def test_burst_before_the_flow_is_there(egress):
    """The first ones wait for the monitor, and keep their order."""
    with Server() as server, cage(options=LITERALS) as box:
        with near(box) as sock:
            os.kill(box.process.pid, signal.SIGSTOP)
            for i in range(100):
                sock.sendto(b"%d" % i, (LITERAL[4], PORT))
            os.kill(box.process.pid, signal.SIGCONT)
            assert [server.take()[0] for _ in range(16)] == [
                b"%d" % i for i in range(16)]


def test_real_clients_and_servers(egress, who):
    """dig to a dnsmasq on a port of its own, at two addresses and families: it
    takes only answers from where it asked."""
    server = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
              "--no-resolv", "--no-hosts", "--port=5300", "--user=root",
              "--address=/#/203.0.113.77", "--pid-file="]
    places = [LITERAL[4], "198.51.100.41", "2001:db8::53"]
    words = [f"[{x}]:5300/udp" if ":" in x else f"{x}:5300/udp" for x in places]
    script = "; ".join(f"dig +short +tries=2 +notcp -p 5300 @{x} any.test A"
                       for x in places)
    with lab.started([lab.IN_INTERNET, *server]):
        lab.wait_until(lambda: lab.host(
            ["dig", "+short", "+tries=1", "+time=1", "-p", "5300",
             f"@{places[0]}", "up.test", "A"]).out, what="dnsmasq answers")
        got = egress([*allow_address(*words), "sh", "-c", script], user=who)
    assert got.out == "203.0.113.77\n" * 3, got.err


def test_flood(egress):
    """As fast as a program can: what is dropped is dropped, and afterwards all
    is as before."""
    script = ("import socket; s = socket.socket(2, 2); "
              f"[s.sendto(bytes(1400), ('{LITERAL[4]}', {PORT})) "
              "for _ in range(100000)]")
    with Server() as server, cage(options=LITERALS) as box:
        with lab.started(["nsenter", f"--net=/proc/{box.command}/ns/net",
                          "/usr/bin/python3", "-c", script]) as process:
            assert process.wait(20) == 0
        with contextlib.suppress(BlockingIOError):
            server.sock.setblocking(False)
            while True:
                server.take()
        server.sock.settimeout(5)
        with near(box) as sock:
            sock.sendto(b"after", (LITERAL[4], PORT))
            while server.take()[0] != b"after":
                pass
        assert "process ended" not in box.finish()


# ---- what is not let out ----------------------------------------------------

def refused_at_once(box, to, v=4):
    """True if the kernel answers with an error."""
    with near(box, v) as sock:
        sock.connect(to)
        sock.send(b"refused?")
        try:
            sock.recv(9)
        except TimeoutError:
            return False
        except OSError as error:
            return error.errno in (errno.EACCES, errno.EPERM,
                                   errno.ECONNREFUSED, errno.EHOSTUNREACH)
    return False


@pytest.mark.parametrize("v", [4, 6])
def test_nothing_else_goes_out(egress, who, far, v):
    """Before the name was resolved; other addresses, ports and protocols; the
    host's own addresses; TCP to the port. With an error at once."""
    own = {4: ("192.0.2.1", "172.16.5.5"), 6: ("2001:db8::1", "2001:db8:5::5")}
    with Server(v) as server, cage(ENTRY, user=who, options=LITERALS) as box:
        far.mark()
        assert refused_at_once(box, (GOOD[v], PORT), v)
        box.ask("allowed.test", "A" if v == 4 else "AAAA")
        for to in [(EVIL[v], PORT), (GOOD[v], OTHER), (GOOD[v], 443),
                   (LITERAL[v], OTHER), (LITERAL[v], 443),
                   *((x, PORT) for x in own[v])]:
            assert refused_at_once(box, to, v), to
        assert box.connect(GOOD[v], PORT) == "ECONNREFUSED"
        assert box.connect(LITERAL[v], PORT) == "ECONNREFUSED"
        with near(box, v) as sock:
            sock.sendto(b"marker", (GOOD[v], PORT))
            assert server.take()[:2] == (b"marker", GOOD[v])
        assert len(far.wire(r"UDP, (bad )?length 8")) == 0
        err = box.finish()
    assert f"allow NAME:{OTHER}/udp, or --allow-address" in err


def test_plain_entries_open_no_udp(egress):
    """NAME, NAME:PORT, --allow-address without /udp and --allow-net."""
    for words in (["--allow-domain", "allowed.test"],
                  ["--allow-domain", f"allowed.test:{PORT}"],
                  allow_address(GOOD[4]), ["--allow-net"]):
        with cage(options=words) as box:
            box.ask("allowed.test")
            assert refused_at_once(box, (GOOD[4], PORT)), words


def test_denied(egress):
    """A denied UDP port shuts it for the addresses of the name, whatever else
    opens them, and TCP stays."""
    with Server() as server, cage(ENTRY, f"evil2.test:{PORT}/udp", "evil2.test",
                                  options=["--deny-domain",
                                           f"evil2.test:{PORT}/udp"]) as box:
        box.ask("allowed.test")
        with near(box) as sock:
            sock.sendto(b"1", (GOOD[4], PORT))
            assert server.take()[0] == b"1"
        box.ask("evil2.test")
        with near(box) as sock:
            sock.sendto(b"2", (GOOD[4], PORT))
            box.connect(GOOD[4], 80)
        with near(None) as sock:
            sock.sendto(b"marker", ("192.0.2.2", PORT))
        assert server.take()[0] == b"marker"
        assert box.connect(GOOD[4], 80) is None


def test_other_port_of_a_network(egress):
    """Two networks with a port each: the gate lets by, the monitor denies, and
    the command is told."""
    words = allow_address(f"198.51.100.0/24:{PORT}/udp",
                          f"203.0.113.0/24:{OTHER}/udp")
    with Server() as server, cage(options=words) as box:
        assert refused_at_once(box, ("203.0.113.10", PORT))
        assert refused_at_once(box, ("198.51.100.40", OTHER))
        assert server.is_silent(box, (LITERAL[4], PORT))
        assert "203.0.113.10:4000 udp (1 packet)" in box.finish()


def test_spoofed_source(egress):
    """From an address that is not the agent's: counted and dropped."""
    with Server() as server, cage(options=LITERALS) as box:
        with box.socket(socket.AF_INET, socket.SOCK_RAW,
                        socket.IPPROTO_RAW) as raw:
            udp = struct.pack("!4H", 1234, PORT, 9, 0) + b"f"
            for src in "192.0.0.3", "192.0.0.1", "198.51.100.1", AGENT[4]:
                head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1,
                                   0, 64, 17, 0, socket.inet_aton(src),
                                   socket.inet_aton(LITERAL[4]))
                raw.sendto(head + udp, (LITERAL[4], 0))
        # The last one is as good as any other.
        assert server.take()[0] == b"f"
        assert server.is_silent(box, (LITERAL[4], PORT))
        assert "3 packets with a forged source address" in box.finish()


# ---- limits, failures, end --------------------------------------------------

def test_too_many_flows(egress, share):
    """The oldest goes for the newest; the newest work."""
    log = share / "log"
    extra = 50
    with Server() as server, cage(options=[*LITERALS, "--log", log]) as box:
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(near(box))
                     for _ in range(FLOWS_MAX + extra)]
            for sock in socks:
                sock.sendto(b"n", (LITERAL[4], PORT))
                server.take()
            lab.wait_until(lambda: len(udp_events(log, "close")) == extra,
                           what="the oldest have gone")
            assert {x["end"] for x in udp_events(log, "close")} == {"too-many"}
            for sock in socks[-3:]:
                sock.sendto(b"again", (LITERAL[4], PORT))
                server.echo()
                assert sock.recv(9) == b"again"
            assert len(udp_events(log, "connect")) == FLOWS_MAX + extra


def test_far_end_closed(egress, share):
    """The far end's refusal ends the flow; the next datagram begins anew."""
    log = share / "log"
    with cage(options=[*LITERALS, "--log", log]) as box, near(box) as sock:
        sock.connect((LITERAL[4], PORT))
        sock.send(b"1")
        lab.wait_until(lambda: udp_events(log, "close"), what="it has ended")
        assert udp_events(log, "close")[0]["end"] == "reset"
        with Server() as server:
            with contextlib.suppress(ConnectionRefusedError):
                sock.send(b"2")
            sock.send(b"2")
            assert server.take()[0] == b"2"


@pytest.mark.parametrize("v", [4, 6])
def test_far_end_refuses(egress, who, v):
    """The program that waits for an answer learns of it, as outside."""
    for box in None, True:
        with (cage(user=who, options=LITERALS) if box else
              contextlib.nullcontext()) as where, near(where, v) as sock:
            sock.connect((LITERAL[v], PORT))
            sock.send(b"1")
            with pytest.raises(ConnectionRefusedError):
                sock.recv(9)


def test_relay_dies(egress):
    """Flows begin anew."""
    with Server() as server, cage(options=LITERALS) as box, near(box) as sock:
        sock.sendto(b"1", (LITERAL[4], PORT))
        first = server.take()[2][1]
        relay = box.helper("egress-relay")
        os.kill(relay, signal.SIGKILL)
        lab.wait_until(lambda: box.helper("egress-relay") != relay,
                       what="another relay")
        sock.sendto(b"2", (LITERAL[4], PORT))
        data, _, how = server.take()
        assert data == b"2" and how[1] != first
        server.answer(how, b"3")
        assert sock.recv(9) == b"3"


def test_in_use_an_address_stays(egress):
    """A flow holds its admission as a connection does; without one it ends by
    TTL and grace time."""
    name, life = "ttl-1.hostile.test", 1 + 1 + 3  # TTL, grace, the kernel's
    with Server() as server, cage(f"*.hostile.test:{PORT}/udp",
                                  options=["--grace", "1"]) as box:
        def passes(sock):
            sock.sendto(b"x", (GOOD[4], PORT))
            return server.echo()[0] == b"x" and sock.recv(9) == b"x"

        def wait(seconds):
            end = time.monotonic() + seconds
            lab.wait_until(lambda: time.monotonic() >= end, 20)

        assert box.ask(name).addresses == [GOOD[4]]
        with near(box) as sock, near(box) as another:
            assert passes(sock)
            wait(life)
            assert passes(sock) and passes(another)
            os.kill(box.helper("egress-relay"), signal.SIGKILL)
            wait(life)
            assert refused_at_once(box, (GOOD[4], PORT))


def test_sent_and_ended(egress, host):
    """A command that sends and ends at once has sent."""
    words = ["/bin/bash", "-c",
             f"printf word >/dev/udp/{LITERAL[4]}/{PORT}"]
    with Server() as server:
        for _ in range(5):
            got = egress([*LITERALS, *words])
            assert got.ok and got.seconds < 2, got.err
            assert server.take()[:2] == (b"word", LITERAL[4])


def test_helpers_stay_confined(egress):
    """A port too many for the fixed descriptors of before."""
    ports = range(20000, 20064)
    with cage(options=allow_address(
            *(f"{LITERAL[4]}:{x}/udp" for x in ports))) as box:
        for port in ports[0], ports[31], ports[63]:
            with Server(port=port) as server, near(box) as sock:
                sock.sendto(b"x", (LITERAL[4], port))
                server.echo()
                assert sock.recvfrom(9) == (b"x", (LITERAL[4], port))


@pytest.mark.parametrize("entry,said", [
    ("allowed.test:443/udp", "QUIC"), ("allowed.test:53/udp", "DNS filter"),
    ("allowed.test/udp", "needs a port"), ("allowed.test:0/udp", "one port"),
    ("203.0.113.5:1/udp", "--allow-address")])
def test_entries_refused(egress, entry, said):
    got = egress(["--allow-domain", entry, "true"])
    assert got.rc != 0 and said in got.err and entry in got.err
