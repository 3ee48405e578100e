# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy that the network demands (network.upstream_proxy): what goes through
it and what goes around it, for programs that know no proxy."""
import base64
import contextlib
import json
import select
import socket
import threading

import pytest

from escape_helpers import home_of
from launch_helpers import refused
from relay_helpers import ADDRESS, PYTHON, listener, port_of

V4 = socket.AF_INET
STAND_IN = "198.18.0.0/15"


def pump(one, other):
    both = [one, other]
    while True:
        for sock in select.select(both, [], [], 10)[0] or [None]:
            data = sock.recv(65536) if sock else b""
            if not data:
                return
            both[sock is one].sendall(data)


class Proxy:
    """CONNECT alone; keeps the heads of its requests."""

    def __init__(self, answer=None, user=None, early=b"", at="127.0.0.1"):
        self.answer, self.user, self.early, self.at = answer, user, early, at
        self.heads, self.sock = [], socket.create_server((at, 0))
        self.port = port_of(self.sock)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,)).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(10)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head.decode())
            lines = head.decode().split("\r\n")
            word = self.user and base64.b64encode(self.user).decode()
            if self.user and f"Proxy-Authorization: Basic {word}" not in lines:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required"
                               b"\r\nContent-Length: 0\r\n\r\n")
                return
            if self.answer:
                client.sendall(self.answer)
                return
            host, port = lines[0].split()[1].rsplit(":", 1)
            with socket.create_connection((host, int(port)), 10) as far:
                for byte in b"HTTP/1.1 200 OK\r\nVia: 1.1 x\r\n\r\n":
                    client.sendall(bytes([byte]))
                client.sendall(self.early)
                pump(client, far)

    def asked(self):
        return [head.split()[1] for head in self.heads]


@pytest.fixture
def proxy(request):
    made = Proxy(**getattr(request, "param", {}))
    yield made
    made.sock.shutdown(socket.SHUT_RDWR)
    made.thread.join()


def through(proxy, *more):
    return ["-q", "--upstream-proxy", f"127.0.0.1:{proxy.port}",
            "--allow-domain", "allowed.test", "--allow-domain",
            "second.test", *more]


def test_plain_http(egress, proxy, far, who):
    """By name, with no look-up of it here."""
    got = egress([*through(proxy), "curl", "-sS", "http://allowed.test/"],
                 user=who)
    assert got.ok and "OK allowed.test" in got.out, got
    assert proxy.asked() == ["allowed.test:80"]
    assert "Host: allowed.test:80\r\n" in proxy.heads[0]
    assert len(far.http("allowed.test")) == 1
    # Once, by the proxy itself.
    assert {q.client for q in far.dns("allowed.test")} <= {"192.0.2.1"}


@pytest.mark.parametrize("url", ["https://allowed.test/",
                                 "https://second.test/"])
def test_tls(egress, proxy, url):
    host = url.split("/")[2]
    got = egress([*through(proxy), "curl", "-sS", url], user="tester")
    assert got.ok and f"OK {host}" in got.out, got
    assert proxy.asked() == [f"{host}:443"]


def test_ssh(egress, proxy):
    """The server speaks first."""
    script = ('import socket; s = socket.create_connection(("allowed.test", '
              '22), 5); print(s.recv(4))')
    got = egress([*through(proxy), PYTHON, "-c", script], user="tester")
    assert got.out == "b'SSH-'\n", got
    assert proxy.asked() == ["allowed.test:22"]


@pytest.mark.parametrize("proxy", [{"early": b"right behind the head"}],
                         indirect=True)
def test_early_bytes_are_the_far_ends(egress, proxy):
    with listener() as sock:
        port = port_of(sock)
        script = ('import socket; s = socket.create_connection(("allowed.test"'
                  f', {port}), 5); print(s.recv(21, socket.MSG_WAITALL)'
                  '.decode())')
        got = egress([*through(proxy), PYTHON, "-c", script], user="tester")
    assert got.out == "right behind the head\n", got


def test_two_names_of_one_address(egress, proxy):
    """Each has a stand-in of its own."""
    script = """
import socket
one, two = (socket.getaddrinfo(n, 80, type=socket.SOCK_STREAM)
            for n in ("allowed.test", "second.test"))
print(len(one), len(two), one[0][4] != two[0][4], one[0][4][0], two[0][4][0])
"""
    got = egress([*through(proxy), PYTHON, "-c", script], user="tester")
    one, two, differ, *addresses = got.out.split()
    assert (one, two, differ) == ("1", "1", "True"), got
    assert all(a.startswith(("198.18.", "198.19.")) for a in addresses), got


def test_bypass(egress, proxy, far):
    args = through(proxy, "--upstream-bypass", "allowed.test")
    got = egress([*args, "curl", "-sS", "http://allowed.test/"], user="tester")
    assert got.ok and proxy.asked() == [], got
    got = egress([*args, "curl", "-sS", "http://second.test/"], user="tester")
    assert got.ok and proxy.asked() == ["second.test:80"], got


def test_not_allowed_is_not_asked(egress, proxy, far, who):
    args = ["-q", "--upstream-proxy", f"127.0.0.1:{proxy.port}",
            "--allow-domain", "allowed.test"]
    for url in ("http://second.test/", "http://198.18.0.1/",
                f"http://{ADDRESS[V4]}/", f"http://127.0.0.1:{proxy.port}/"):
        got = egress([*args, "curl", "-sS", "-m", "5", url], user=who)
        assert not got.ok, got
    got = egress([*args, "curl", "-sS", "-m", "5", "-H", "Host: second.test",
                  "http://allowed.test/"], user=who)
    assert not got.ok, got
    assert proxy.asked() in ([], ["allowed.test:80"])
    assert not far.http("second.test") and not far.dns("second.test")


def test_literal_address_goes_around(egress, proxy):
    got = egress([*through(proxy, "--allow-address", ADDRESS[V4]), "curl",
                  "-sS", f"http://{ADDRESS[V4]}/"], user="tester")
    assert got.ok and proxy.asked() == [], got


@pytest.mark.parametrize("proxy", [{"at": "192.0.2.1"}], indirect=True)
def test_the_address_of_the_proxy_is_allowed(egress, proxy, far, who):
    """That says nothing of the names behind it."""
    args = ["-q", "--upstream-proxy", f"{proxy.at}:{proxy.port}",
            "--allow-domain", "allowed.test", "--allow-address", proxy.at]
    got = egress([*args, "curl", "-sS", "http://allowed.test/"], user=who)
    assert got.ok and proxy.asked() == ["allowed.test:80"], got
    for words in (["-H", "Host: evil.test", "http://allowed.test/"],
                  ["-k", "--connect-to", "evil.test:443:allowed.test:443",
                   "https://evil.test/"]):
        assert not egress([*args, "curl", "-sS", "-m", "5", *words],
                          user=who).ok
    assert not far.http("evil.test")


@pytest.mark.parametrize("proxy", [{"user": b"me:pass:word"}], indirect=True)
def test_credential(egress, proxy, share):
    secret = share / "secret"
    secret.write_text("me:pass:word\n")
    secret.chmod(0o644)
    with home_of("tester") as tester:
        path = tester.profile("p", {"network": {
            "upstream_proxy": f"127.0.0.1:{proxy.port}",
            "allow_domain": ["allowed.test"]}, "egress_run": {
                "upstream_credential": f"file://{secret}"}})
        got = egress(["-q", "-p", path, "curl", "-sS", "http://allowed.test/"],
                     user="tester", cwd=tester.work)
        assert got.ok, got
        for option in [], ["-vv"], ["--dry-run"]:
            got = egress([*option, "-p", path, "true"], user="tester",
                         cwd=tester.work)
            assert got.ok
            assert "pass:word" not in got.err + got.out


@pytest.mark.parametrize("proxy", [{"user": b"me:secret"}], indirect=True)
def test_credential_is_missing(egress, proxy):
    args = ["--upstream-proxy", f"127.0.0.1:{proxy.port}", "--allow-domain",
            "allowed.test"]
    got = egress([*args, "curl", "-sS", "http://allowed.test/"], user="tester")
    assert not got.ok and "407" in got.err, got
    assert "upstream_credential" in got.err


ANSWERS = {
    "403": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden", "refused"),
    "503": (b"HTTP/1.0 503 Down\r\n\r\n", "503 Down", "route"),
    "nonsense": (b"SSH-2.0-x\r\n\r\n", "no HTTP proxy", "route"),
    "long": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000, "no answer",
             "route"),
    "cut": (b"HTTP/1.1 200 OK\r\n", "no answer", "route"),
}


@pytest.mark.parametrize("proxy, words, error", [
    pytest.param({"answer": a}, w, e, id=i) for i, (a, w, e)
    in ANSWERS.items()], indirect=["proxy"])
def test_answers_that_open_nothing(egress, proxy, words, error):
    script = """
import socket
try:
    socket.create_connection(("allowed.test", 443), 5)
except OSError as e:
    print(e)
"""
    got = egress(["--upstream-proxy", f"127.0.0.1:{proxy.port}",
                  "--allow-domain", "allowed.test", PYTHON, "-c", script],
                 user="tester")
    assert words in got.err and error in got.out, got


def test_proxy_that_is_not_there(egress):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = port_of(sock)
    got = egress(["-q", "--upstream-proxy", f"127.0.0.1:{port}",
                  "--allow-domain", "allowed.test", "curl", "-sS",
                  "http://allowed.test/"], user="tester")
    assert not got.ok and "refused" in got.err.lower() + got.out.lower() \
        or got.rc == 7, got


@pytest.mark.parametrize("value, words", [
    ("http://p:3128", ["HOST:PORT"]), ("p", ["HOST:PORT"]),
    ("p:0", ["HOST:PORT"]), ("p:x", ["HOST:PORT"]), (":80", ["HOST:PORT"]),
    ("a b:80", ["no host name"]), ("nosuch.test:80", ["nosuch.test",
                                                      "no address"]),
])
def test_wrong_values(egress, value, words):
    refused(egress(["--upstream-proxy", value, "true"]), *words)


def test_bypass_needs_a_proxy(egress):
    refused(egress(["--upstream-bypass", "x.test", "true"]), "upstream")


def test_log(egress, proxy, share):
    log = share / "log"
    got = egress([*through(proxy), "--log", log, "curl", "-sS",
                  "http://allowed.test/"])
    assert got.ok
    events = [json.loads(line) for line in log.read_text().splitlines()]
    found = [e for e in events if e["event"] == "connect"]
    assert found[0]["name"] == "allowed.test", events
    assert found[0]["via"] == "127.0.0.1", events


VARIABLES = {name: "http://127.0.0.1:9" for name in (
    "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "ftp_proxy")}


def test_proxy_variables_of_the_caller(egress, proxy, who):
    """They are not for the command, with and without a proxy of the profile."""
    got = egress([*through(proxy), "sh", "-c", "env | grep -i _proxy; "
                  "curl -sS http://allowed.test/"], user=who, env=VARIABLES)
    assert "OK allowed.test" in got.out and "127.0.0.1:9" not in got.out, got
    assert "is set" not in got.err
    got = egress(["--allow-domain", "allowed.test", "curl", "-sS",
                  "http://allowed.test/"], user=who, env=VARIABLES)
    assert got.ok and "is set and not used" in got.err, got
    assert "--upstream-proxy" in got.err


def test_proxy_variable_that_is_named(egress):
    with home_of("tester") as tester:
        path = tester.profile("p", {"environment": {
            "allow_vars": ["PATH", "http_proxy", "HTTPS_*"]}})
        got = egress(["-q", "-p", path, "env"], user="tester", env=VARIABLES,
                     cwd=tester.work)
    names = {line.split("=")[0] for line in got.out.splitlines()}
    assert "http_proxy" in names and "HTTPS_PROXY" not in names, got
