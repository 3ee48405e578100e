# SPDX-License-Identifier: GPL-2.0-or-later
"""The name that a connection asks for must be allowed, not only its address.
The far end is the judge: of what is refused it has got no byte.
"""
import contextlib
import pathlib
import socket
import ssl
import struct
import threading

import pytest

import lab
from dns_helpers import cage
from relay_helpers import (ADDRESS, PYTHON, accept, connected, dial, lines_of,
                           listener, port_of, resolved)

V4 = socket.AF_INET
HELLOS = lab.TREE / "tests/data/hello"
GARBAGE = b"\x00\x01\x02garbage" * 10
SWITCH_SPEC = bytes.fromhex("140303000101")
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891"
                      "c2a211167abb8c5e079e09e2c8a8339c")


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def server_name(name):
    name = name.encode("latin-1") if isinstance(name, str) else name
    return extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name)


def handshake(kind, body):
    message = struct.pack("!I", len(body) | kind << 24) + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def hello(*extensions):
    body = b"".join(extensions)
    return handshake(1, b"\x03\x03" + bytes(32) + b"\0" + b"\0\2\x13\1"
                     + b"\1\0" + struct.pack("!H", len(body)) + body)


def named(name, *more):
    return hello(extension(0x1a1a, b""), server_name(name), *more)


def server_hello(random):
    return handshake(2, b"\x03\x03" + random + b"\0" + b"\x13\1" + b"\0\0\0")


def real(name):
    return bytes.fromhex((HELLOS / f"{name}.hex").read_text())


@pytest.fixture(scope="module")
def shared(egress):
    """Names that share an address with others that are not allowed. Ports are
    those that the system chooses, so every protocol may pass."""
    with cage("allowed.test", "www.allowed.test", user="tester") as box:
        yield resolved(box)


@contextlib.contextmanager
def cage_of(*options, patterns=("allowed.test",)):
    with cage(*patterns, user="tester", options=options) as box:
        yield resolved(box)


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, "ended early"
        data += piece
    return data


def assert_passes(box, data, pieces=None):
    """All of it arrives, and what is sent behind it, and the answers."""
    with connected(box) as (near, far):
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces or [data]:
            near.sendall(piece)
        assert read_exactly(far, len(data)) == data
        far.sendall(server_hello(bytes(32)) + b"answer")
        read_exactly(near, 5)
        near.sendall(GARBAGE)
        assert read_exactly(far, len(GARBAGE)) == GARBAGE
        near.shutdown(socket.SHUT_WR)
        assert far.recv(1) == b""


def assert_reset(sock):
    """And nothing has come before."""
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(1000) == b"never"


def assert_refused(box, data, end=False):
    with connected(box) as (near, far):
        near.sendall(data)
        if end:
            near.shutdown(socket.SHUT_WR)
        assert_reset(near)
        assert_reset(far)


# ---- TLS --------------------------------------------------------------------

@pytest.mark.parametrize("name", sorted(
    x.stem for x in HELLOS.iterdir() if x.stem != "openssl-noname"))
def test_real_hellos(shared, name):
    data = real(name)
    assert_passes(shared, data)
    for at in (1, 4, 5, 9, len(data) // 2, len(data) - 1):
        assert_passes(shared, data, [data[:at], data[at:]])


def test_byte_by_byte(shared):
    data = real("openssl-tls1_3")
    assert_passes(shared, data, [data[i:i + 1] for i in range(len(data))])


@pytest.mark.parametrize("size", [1, 7, 100])
def test_records(shared, size):
    """The message cut over records; every one of them arrives as it was."""
    message = real("curl")[5:]
    data = b"".join(b"\x16\x03\x01" + struct.pack("!H", len(x)) + x for x in
                    (message[i:i + size] for i in range(0, len(message), size)))
    assert_passes(shared, data)


def test_large_hello(shared):
    """Larger than what a socket takes at first."""
    share = extension(51, bytes(65000))
    body = hello(share, server_name("allowed.test"))[5:]
    data = b"".join(b"\x16\x03\x01" + struct.pack("!H", len(x)) + x for x in
                    (body[i:i + 16000] for i in range(0, len(body), 16000)))
    assert len(data) > 65000
    assert_passes(shared, data)


@pytest.mark.parametrize("name", ["allowed.test", "ALLOWED.Test",
                                  "allowed.test.", "www.allowed.test"])
def test_allowed_names(shared, name):
    assert_passes(shared, named(name))


@pytest.mark.parametrize("name", [
    "evil.test", "allowed.test.evil.test", "xallowed.test", "allowed.tes",
    "sub.allowed.test", "allowed.test..", ".allowed.test", ".", "*",
    "198.51.100.10", "2001:db8:1::10", "[2001:db8:1::10]", "3325256714",
    "allowed.test\0", "evil.test\0.allowed.test", "allowed.test:443",
    "allowed.test ", "allow\xc3\xa9d.test", "\xff.allowed.test", "a" * 254,
    "xn--allowd-dva.test", "localhost", "metadata.google.internal"])
def test_other_names(shared, name):
    assert_refused(shared, named(name))


@pytest.mark.parametrize("data", [
    hello(),
    hello(extension(0x1a1a, b"")),
    named("allowed.test", server_name("allowed.test")),
    named("allowed.test", server_name("evil.test")),
    hello(extension(0, b"")),
    hello(extension(0, b"\0\0")),
    hello(extension(0, struct.pack("!HBH", 15, 1, 12) + b"allowed.test")),
    named("allowed.test")[:-1] + b"\1\0",
    b"\x15\x03\x01\0\2\1\0" + named("evil.test"),
    b"\x16\x02" + named("allowed.test")[2:],
    b"\x16\x03\x01\0\0" + named("allowed.test"),
    bytes.fromhex("802e0103010015000000100100800700c0030080010080060040040080"
                  "020080") + bytes(16),
    b"\x16\x03\x01\x40\x01" + bytes(16385),
    real("openssl-noname"),
], ids=range(14))
def test_broken_hellos(shared, data):
    """No name, two of them, an alert in front, SSL 2.0 ..."""
    assert_refused(shared, data)


def test_incomplete(shared):
    """The client ends in the middle."""
    data = named("allowed.test")
    assert_refused(shared, data[:-1], end=True)
    assert_refused(shared, data[:7], end=True)


def test_hello_behind_the_urgent_mark(shared):
    """The relay sees no further than the mark, but knows of the FIN."""
    data = named("evil.test")
    with connected(shared) as (near, far):
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.send(data[:1])
        near.send(data[1:2], socket.MSG_OOB)
        near.sendall(data[2:])
        near.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert far.recv(1) == data[:1]
            assert_reset(far)


def test_a_target_at_the_end_of_doubt(shared):
    """A word, blanks, and "http" where no more is needed to tell."""
    assert_refused(shared, b"GET" + b" " * 57 + b"http" + bytes(60000))
    assert_passes(shared, GARBAGE)


def test_many_pieces_of_a_refused_name(shared):
    data = named("evil.test")
    with connected(shared) as (near, far):
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for i in range(len(data)):
                near.sendall(data[i:i + 1])
        assert_reset(near)
        assert_reset(far)


# ---- a second ClientHello ---------------------------------------------------

@pytest.mark.parametrize("name, passes", [("allowed.test", True),
                                          ("evil.test", False)])
@pytest.mark.parametrize("spec", [b"", SWITCH_SPEC])
def test_retry(shared, name, passes, spec):
    """Some servers take the name of the second hello (RFC 8446 4.1.4)."""
    first, second = named("allowed.test"), named(name)
    with connected(shared) as (near, far):
        near.sendall(first)
        assert read_exactly(far, len(first)) == first
        far.sendall(server_hello(RETRY))
        read_exactly(near, len(server_hello(RETRY)))
        near.sendall(spec + second)
        assert read_exactly(far, len(spec)) == spec
        if passes:
            assert read_exactly(far, len(second)) == second
            near.sendall(GARBAGE)
            assert read_exactly(far, len(GARBAGE)) == GARBAGE
        else:
            assert_reset(near)
            assert_reset(far)


def test_second_hello_at_once(shared):
    """It does not go before the server's answer is known."""
    first, early = named("allowed.test"), b"\x17\x03\x03\0\4data"
    with connected(shared) as (near, far):
        near.sendall(first + SWITCH_SPEC + early + named("evil.test"))
        wanted = first + SWITCH_SPEC + early
        assert read_exactly(far, len(wanted)) == wanted
        far.settimeout(0.3)
        with pytest.raises(TimeoutError):
            far.recv(1)
        far.settimeout(10)
        far.sendall(server_hello(RETRY))
        with contextlib.suppress(ConnectionResetError):
            assert near.recv(1000) == server_hello(RETRY)
        assert_reset(far)


def test_real_retry(shared):
    """A server of TLS 1.3 that takes one group alone."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    server.set_ecdh_curve("secp384r1")
    server.load_cert_chain(lab.LAB / "tls/good.pem", lab.LAB / "tls/good.key")
    client = ssl.create_default_context(cafile=str(lab.LAB / "tls/ca.pem"))
    with connected(shared) as (near, far):
        def serve():
            with server.wrap_socket(far, server_side=True) as end:
                end.sendall(end.recv(100).upper())

        thread = threading.Thread(target=serve)
        thread.start()
        with client.wrap_socket(near, server_hostname="allowed.test") as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"HELLO"
            assert sock.version() == "TLSv1.3"
        thread.join(10)


# ---- what has no name -------------------------------------------------------

def test_server_first(shared):
    """Its greeting is not held back, and the client answers as it likes."""
    with connected(shared) as (near, far):
        far.sendall(b"220 ready\r\n")
        assert read_exactly(near, 11) == b"220 ready\r\n"
        near.sendall(b"E")
        assert read_exactly(far, 1) == b"E"
        near.sendall(b"HLO me\r\n")
        assert read_exactly(far, 8) == b"HLO me\r\n"


@pytest.mark.parametrize("data", [
    GARBAGE, b"SSH-2.0-x\r\n", b"*1\r\n$4\r\nPING\r\n", b"AMQP\0\0\x09\1",
    bytes.fromhex("0000000804d2162f"), b"\x30\x0c\2\1\1\x60\7", b"EHLO a\r\n",
    b"0032git-upload-pack /p\0host=evil.test\0"])
def test_other_protocols(shared, data):
    """ssh, redis, AMQP, PostgreSQL's request for TLS, LDAP, mail, git."""
    with connected(shared) as (near, far):
        near.sendall(data)
        assert read_exactly(far, len(data)) == data


def test_modes(egress):
    """The table of the manual, on a port that is not the web's."""
    with listener() as far:
        port = port_of(far)
        address = f"{ADDRESS[V4]}:{port}"
        cases = [
            # options, patterns: garbage, the other name, no name, ECH
            ([], ("allowed.test",), (True, False, False, True)),
            (["--verify", "names"], ("allowed.test",),
             (True, False, False, True)),
            (["--verify", "strict"], ("allowed.test",),
             (False, False, False, False)),
            (["--verify", "strict"], ("allowed.test", f"allowed.test:{port}"),
             (True, False, False, False)),
            (["--verify", "off"], ("allowed.test",),
             (True, True, True, True)),
            (["--allow-address", address], ("allowed.test",),
             (True, True, True, True)),
        ]
        for options, patterns, wanted in cases:
            with cage_of(*options, patterns=patterns) as box:
                for data, passes in zip((
                        GARBAGE, named("evil.test"), hello(),
                        named("allowed.test", extension(0xfe0d, bytes(50)))),
                        wanted):
                    with dial(box) as near:
                        near.connect((ADDRESS[V4], port))
                        with accept(far) as end:
                            near.sendall(data)
                            if passes:
                                assert read_exactly(end, len(data)) == data
                            else:
                                assert_reset(near)
                                assert_reset(end)


def test_port_of_the_entry(egress):
    """A name that is allowed on another port alone."""
    with listener() as far:
        port = port_of(far)
        with cage_of(patterns=("allowed.test", "www.allowed.test:1")) as box:
            for name in "allowed.test", "www.allowed.test":
                with dial(box) as near:
                    near.connect((ADDRESS[V4], port))
                    with accept(far) as end:
                        near.sendall(named(name))
                        if name == "allowed.test":
                            assert read_exactly(end, 10)
                        else:
                            assert_reset(near)
                            assert_reset(end)


def test_deny_beats_allow(egress):
    with cage_of("--deny-domain", "bad.allowed.test",
                 patterns=("allowed.test", "*.allowed.test")) as box:
        assert_passes(box, named("good.allowed.test"))
        assert_refused(box, named("bad.allowed.test"))


# ---- HTTP -------------------------------------------------------------------

def request(host, path="/", more=""):
    return (f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").encode()


def test_each_request(shared):
    """Of a connection that stays open; what is allowed goes first."""
    good, bad = request("allowed.test"), request("evil.test")
    with connected(shared) as (near, far):
        for _ in range(3):
            near.sendall(good)
            assert read_exactly(far, len(good)) == good
            far.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert b"204" in near.recv(1000)
        near.sendall(good + bad + good)
        with contextlib.suppress(ConnectionResetError):
            assert far.recv(10000) in (b"", good)
            assert far.recv(1) == b""
        assert_reset(near)


def test_body(shared):
    """It passes unseen, whatever it looks like, and the next head does not."""
    body = request("evil.test") * 5000
    head = (f"POST / HTTP/1.1\r\nHost: allowed.test\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    with connected(shared) as (near, far):
        thread = threading.Thread(target=near.sendall, args=(head + body,))
        thread.start()
        assert read_exactly(far, len(head + body)) == head + body
        thread.join(10)
        near.sendall(request("evil.test"))
        assert_reset(near)
        assert_reset(far)


UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


def test_websocket(shared):
    ask = request("allowed.test", more=UPGRADE)
    with connected(shared) as (near, far):
        near.sendall(ask)
        assert read_exactly(far, len(ask)) == ask
        far.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        assert near.recv(1000).startswith(b"HTTP/1.1 101")
        near.sendall(GARBAGE)
        assert read_exactly(far, len(GARBAGE)) == GARBAGE


def test_websocket_declined(shared):
    """Then the next request is one, sent early or late."""
    ask = request("allowed.test", more=UPGRADE)
    with connected(shared) as (near, far):
        near.sendall(ask + request("evil.test"))
        assert read_exactly(far, len(ask)) == ask
        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert_reset(far)


@pytest.mark.parametrize("port", [80, 443])
def test_garbage_on_web_ports(shared, far, port):
    with dial(shared) as near:
        near.connect((ADDRESS[V4], port))
        near.sendall(GARBAGE)
        assert_reset(near)
    assert not far.http()


# ---- real clients, many names on one address --------------------------------

def one_run(egress, script, *options, **more):
    return egress([*options, "--allow-domain", "allowed.test", "--", "sh",
                   "-c", script], user="tester", timeout=30, **more)


CURL = "curl -sS -m5 "


def test_sites_of_one_address(egress, far, host):
    """The control reaches the other site on that address."""
    other = "-k --connect-to evil.test::allowed.test: "
    attempts = [f"{other} https://evil.test/",
                f"{other} --tls-max 1.2 https://evil.test/",
                f"{other} --http1.1 https://evil.test/",
                f"{other} http://evil.test/",
                "-H Host:evil.test http://allowed.test/",
                f"{other} --http2-prior-knowledge http://evil.test/",
                "-k https://$ADDRESS/", "http://$ADDRESS/"]
    script = f"ADDRESS={ADDRESS[V4]}; "
    for attempt in attempts[:5]:
        assert "PWNED" in host(["sh", "-c", script + CURL + attempt]).out
    far.mark()
    script += "; ".join(f"{CURL}{x}; echo $?" for x in attempts)
    done = one_run(egress, script)
    assert "PWNED" not in done.out
    assert not set(done.out.split()) & {"0"}, done.out
    # The preface of HTTP/2 says nothing, and goes before a name is known.
    assert not [x for x in far.http() if x.request != "PRI * HTTP/2.0"]
    assert "evil.test at " in done.err
    assert "(TLS: name not allowed)" in done.err
    assert "(HTTP: name not allowed)" in done.err
    assert "--allow-domain evil.test" in done.err


def test_versions(egress, far):
    script = "; ".join(CURL + x for x in (
        "https://allowed.test/", "--tls-max 1.2 https://allowed.test/",
        "--http1.1 https://allowed.test/", "http://allowed.test/",
        "http://allowed.test/ http://allowed.test/1 http://allowed.test/2"))
    done = one_run(egress, script)
    assert done.ok and "blocked" not in done.err
    assert len(far.http("allowed.test")) == 7


def test_openssl(egress, far):
    script = ("echo | openssl s_client -noservername -connect allowed.test:443;"
              "echo | openssl s_client -servername evil.test "
              "-connect allowed.test:443")
    done = one_run(egress, script)
    assert "no peer certificate available" in done.out
    assert "CN = " not in done.out + done.err.split("egress-run:")[0]
    assert "(TLS: no server name)" in done.err
    assert not far.wire(r"\.443: .*Flags \[P")


def test_fronting_inside_tls(egress, far):
    """Documented: the host inside TLS is not seen. This server looks."""
    done = one_run(egress, CURL + "-H Host:evil.test https://allowed.test/")
    assert done.out.startswith("PWNED"), "the manual says so; has it changed?"
    assert [x.sni for x in far.http()] == ["allowed.test"]


def test_log(egress, share):
    log = share / "log"
    one_run(egress, CURL + "-k --connect-to evil.test::allowed.test: "
            "https://evil.test/", "--log", log)
    entries = {x["event"]: x for x in lines_of(log)}
    refused, closed = entries["request"], entries["close"]
    assert refused == {
        "time": refused["time"], "event": "request", "verdict": "deny",
        "connection": 1, "protocol": "tls", "address": closed["address"],
        "port": 443, "name": "evil.test", "reason": "name not allowed"}
    assert (closed["end"], closed["bytes_sent"]) == ("refused", 0)


def test_names_are_escaped(egress, share):
    """On the terminal and in the log."""
    script = share / "client.py"
    script.write_text(
        "import socket, sys\n"
        "with socket.create_connection(('allowed.test', 443)) as s:\n"
        "    s.sendall(bytes.fromhex(sys.argv[1]))\n"
        "    try:\n        s.recv(1)\n    except OSError:\n        pass\n")
    name = "\x1b]0;x\x07\n\"evil"
    done = egress(["--log", share / "log", "--allow-domain", "allowed.test",
                   "--", PYTHON, script, named(name).hex()], user="tester")
    assert "\x1b" not in done.err and "\\x1b]0;x\\x07\\x0a\"evil" in done.err
    found = [x for x in lines_of(share / "log") if x["event"] == "request"]
    assert found[0]["name"] == "\\x1b]0;x\\x07\\x0a\"evil"
    assert pathlib.Path(share / "log").read_bytes().isascii()


def test_another_address_than_the_one_that_is_allowed(egress):
    """The address that an entry opens refuses; what is connected instead is
    one of the name's, and open for that name alone."""
    with cage("multi.test", user="tester",
              options=["--allow-address", "198.51.100.12"]) as box:
        assert len(box.ask("multi.test").addresses) == 2
        for host in "multi.test", "evil.test":
            with dial(box) as near:
                near.connect(("198.51.100.12", 80))
                near.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n"
                             "Connection: close\r\n\r\n".encode())
                if host == "evil.test":
                    assert_reset(near)
                else:
                    assert near.recv(1000).startswith(b"HTTP/1.1 200")
