# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports of the host's loopback: reached from inside (open_port), leading
inside (listen_port); and a port at every address (connect_port)."""
import contextlib
import json
import socket
import subprocess
import threading

import pytest

import lab
from escape_helpers import home_of
from launch_helpers import refused
from relay_helpers import ADDRESS, PYTHON, abort, listener, port_of

V4, V6 = socket.AF_INET, socket.AF_INET6
LOOPBACK = {V4: "127.0.0.1", V6: "::1"}


@contextlib.contextmanager
def serving(answer, family=V4, port=0):
    """A server on the host's loopback that answers each client and closes;
    gives its port and the list of clients' first bytes."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((LOOPBACK[family], port))
        sock.listen(64)
        seen = []

        def run():
            while True:
                try:
                    client, _ = sock.accept()
                except OSError:
                    return
                with client:
                    client.settimeout(5)
                    seen.append(client.recv(100))
                    client.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield port_of(sock), seen
        finally:
            sock.shutdown(socket.SHUT_RDWR)
            thread.join()


ASK = """
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    s.sendall(b"hello")
    print(b"".join(iter(lambda: s.recv(100), b"")).decode())
except OSError as e:
    print(type(e).__name__)
"""


def ask(egress, who, args, address, port):
    got = egress(["-q", *args, PYTHON, "-c", ASK, address, str(port)],
                 user=who)
    assert got.ok, got
    return got.out.strip()


@pytest.mark.parametrize("family", [V4, V6])
@pytest.mark.parametrize("inside", ["127.0.0.1", "::1", "localhost"])
def test_open_port(egress, who, family, inside):
    """Whichever of the two the server has."""
    with serving(b"from the host", family) as (port, seen):
        args = ["--open-port", str(port)]
        assert ask(egress, who, args, inside, port) == "from the host"
        assert seen == [b"hello"]


def test_other_ports_stay_shut(egress, who):
    with serving(b"secret") as (port, seen):
        for args in [], ["--open-port", f"1-{port - 1}".replace("1-", "60-")]:
            assert ask(egress, who, args, "127.0.0.1",
                       port) == "ConnectionRefusedError"
        assert seen == []


def test_other_addresses_of_the_host_stay_shut(egress, who):
    """The port of the loopback, not of the machine."""
    with socket.create_server(("0.0.0.0", 0)) as sock:
        port = port_of(sock)
        for address in "127.0.0.2", "192.0.2.1", "192.0.0.1":
            assert ask(egress, who, ["--open-port", str(port)], address,
                       port) == "ConnectionRefusedError"
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.accept()


def test_refused_as_outside(egress, who):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = port_of(sock)
    assert ask(egress, who, ["--open-port", str(port)], "127.0.0.1",
               port) == "ConnectionRefusedError"


OWN = """
import socket, sys, threading
port = int(sys.argv[1])
server = socket.create_server(("127.0.0.1", port))
client = socket.create_connection(("127.0.0.1", port), 5)
server.accept()[0].sendall(b"my own")
print(client.recv(100).decode())
"""


def test_what_the_command_serves_itself(egress, who):
    """Where the host has nothing; and the port can be bound inside."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = port_of(sock)
    got = egress(["-q", "--open-port", str(port), PYTHON, "-c", OWN,
                  str(port)], user=who)
    assert got.out == "my own\n", got


MANY = """
import socket, sys
port = int(sys.argv[1])
for n in range(300):
    s = socket.create_connection(("localhost", port), 5)
    s.sendall(b"%d" % n)
    assert s.recv(100) == b"ok", n
    s.close()
print("all")
"""


def test_many_connections(egress):
    with serving(b"ok") as (port, seen):
        got = egress(["-q", "--open-port", str(port), PYTHON, "-c", MANY,
                      str(port)], user="tester")
        assert got.out == "all\n", got
        assert seen == [b"%d" % n for n in range(300)]


def test_relay_listener_is_no_way_in(egress):
    """Straight to the relay's own port on the loopback: nobody's connection."""
    script = """
import socket, re
ports = [int(line.split()[1].split(":")[1], 16)
         for line in open("/proc/net/tcp") if line.split()[3] == "0A"]
ports = [p for p in ports if p != 53]
assert ports
for port in ports:
    try:
        print(socket.create_connection(("127.0.0.1", port), 5).recv(10))
    except ConnectionResetError:
        print("reset")
"""
    with serving(b"secret") as (port, seen):
        got = egress(["-q", "--open-port", str(port), PYTHON, "-c", script],
                     user="tester")
        assert set(got.out.split()) == {"reset"}, got
        assert seen == []


# ---- listen_port ------------------------------------------------------------

SERVE = """
import socket, sys
server = socket.create_server((sys.argv[2], int(sys.argv[1])),
                              family=socket.AF_INET6 if ":" in sys.argv[2]
                              else socket.AF_INET)
print("listening", flush=True)
while True:
    client, _ = server.accept()
    with client:
        try:
            data = client.recv(1 << 20)
            if data == b"end":
                break
            client.sendall(b"inside: " + data)
        except ConnectionError:
            pass
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return port_of(sock)


@contextlib.contextmanager
def inside(who, port, address="127.0.0.1", args=()):
    with lab.started([lab.EGRESS_RUN, "-q", *args, "--listen-port", str(port),
                      PYTHON, "-c", SERVE, str(port), address], who,
                     stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"listening\n"
        yield process


def call(port, data, family=V4):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        sock.connect((LOOPBACK[family], port))
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(100), b""))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_listen_port(egress, who, address):
    port = free_port()
    with inside(who, port, address) as process:
        for family in V4, V6:
            assert call(port, b"x", family) == b"inside: x"
        for n in range(40):
            assert call(port, b"%d" % n) == b"inside: %d" % n
        call(port, b"end")
        assert process.wait(10) == 0


def test_listen_and_open_the_same_port(egress, who):
    """It leads inside; nothing goes in circles."""
    port = free_port()
    with inside(who, port, args=["--open-port", str(port)]) as process:
        assert call(port, b"x") == b"inside: x"
        call(port, b"end")
        assert process.wait(10) == 0


def test_nobody_listens_inside(egress, who):
    port = free_port()
    with lab.started([lab.EGRESS_RUN, "-q", "--listen-port", str(port), "sh",
                      "-c", "echo up; read x; :"], who, stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        for _ in range(20):
            with pytest.raises(ConnectionResetError):
                call(port, b"x")
        process.stdin.close()
        assert process.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_client_that_leaves(egress):
    port = free_port()
    with inside("tester", port) as process:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", port), 5) as sock:
                abort(sock)
        assert call(port, b"x") == b"inside: x"
        call(port, b"end")
        assert process.wait(10) == 0


def test_only_on_the_loopback(egress):
    port = free_port()
    with inside("tester", port) as process:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("192.0.2.1", port), 5)
        call(port, b"end")
        assert process.wait(10) == 0


def test_port_is_taken(egress, who):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = port_of(sock)
        refused(egress(["--listen-port", str(port), "touch", "/tmp/ran"],
                       user=who), f"listen_port {port}", "another program")


def test_port_of_root(egress):
    refused(egress(["--listen-port", "81", "true"], user="tester"),
            "listen_port 81", "ip_unprivileged_port_start")
    assert egress(["-q", "--listen-port", "81", "true"]).ok


def test_dns_port_is_the_filters(egress, who):
    for option in "--open-port", "--listen-port":
        refused(egress([option, "50-60", "true"], user=who), "port 53")


# ---- connect_port -----------------------------------------------------------

def test_connect_port(egress, who, far):
    """That port at every address; no other one, no name, not the host."""
    with listener() as sock:
        port = port_of(sock)
        args = ["--allow-connect-port", str(port)]
        script = ASK.replace('s.sendall(b"hello")', 'print("connected")')
        sock.settimeout(10)
        for address in ADDRESS[V4], "203.0.113.9":
            with lab.started([lab.EGRESS_RUN, "-q", *args, PYTHON, "-c",
                              script, address, str(port)], who,
                             stdout=subprocess.PIPE) as process:
                sock.accept()[0].close()
                assert process.stdout.readline() == b"connected\n"
        for address, other in ((ADDRESS[V4], 80), ("192.0.2.1", port),
                               ("169.254.169.254", port)):
            assert ask(egress, who, args, address,
                       other) == "ConnectionRefusedError"
        assert ask(egress, who, args, "allowed.test", port) == "gaierror"
    assert not far.dns("allowed.test")


# ---- from a profile ---------------------------------------------------------

def test_profile_keys(egress):
    with serving(b"from the host") as (port, _), \
            home_of("tester") as tester:
        path = tester.profile("p", {"network": {
            "open_port": [port], "open_port_range": [[port + 1, port + 2]],
            "listen_port_range": [[61001, 61002]], "connect_port": [2222]}})
        assert ask(egress, "tester", ["-p", path], "127.0.0.1",
                   port) == "from the host"
        got = egress(["-p", path, "--dry-run", "true"], user="tester",
                     cwd=tester.work)
        for word in (f"{port}-{port + 2}", "61001-61002", "0.0.0.0/0:2222"):
            assert word in got.out, got


def test_log(egress, share):
    log = share / "log"
    port = free_port()
    with serving(b"from the host") as (out, _), \
            inside("root", port, args=["--log", log, "--open-port",
                                       str(out)]) as process:
        assert call(port, b"x") == b"inside: x"
        call(port, b"end")
        assert process.wait(10) == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    found = [e for e in events if e["event"] == "accept"]
    assert len(found) == 2 and found[0]["port"] == port, events
    assert {e["rule"] for e in found} == {"listen_port"}
