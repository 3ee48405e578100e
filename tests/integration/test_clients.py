# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients, without any configuration for the sandbox: each resolver that
programs bring along finds the allowed name and reaches it, and each finds
nothing of the other name; the far end is the judge. Every client is first run
unconfined against the name that is refused later.
"""
import shutil
import subprocess

import pytest

import lab
from dns_helpers import sent_to

pytestmark = pytest.mark.usefixtures("egress")

SOURCES = lab.TREE / "tests/integration/clients"
GOOD4, GOOD6 = "198.51.100.10", "2001:db8:1::10"
EVIL4, EVIL6 = "203.0.113.10", "2001:db8:bad::10"
CA = str(lab.LAB / "tls/ca.pem")


# ---- clients that are compiled ----------------------------------------------

BUILDS = {
    "musl": ["musl-gcc", "-static", "-O1", "-Wall", "-Werror", "-o", "{}/musl",
             SOURCES / "fetch.c"],
    "cares": ["gcc", "-O1", "-Wall", "-Werror", "-DWITH_CARES", "-o",
              "{}/cares", SOURCES / "fetch.c", "-lcares"],
    "go": ["go", "build", "-o", "{}/go", SOURCES / "fetch.go"],
    "java": ["javac", "-d", "{}", SOURCES / "Fetch.java"],
}


@pytest.fixture(scope="session")
def built(egress):
    """Where they are; all are built at the same time, without a network."""
    place = lab.LAB / "clients"
    cache = lab.LAB / "go"
    cache.mkdir(exist_ok=True)
    env = lab.environment("root", {
        "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off",
        "GOCACHE": str(cache), "GOPATH": str(cache / "path")})
    place.mkdir(exist_ok=True)
    running = {}
    for name, words in BUILDS.items():
        words = [str(x).replace("{}", str(place)) for x in words]
        if shutil.which(words[0]):
            running[name] = subprocess.Popen(
                words, env=env, cwd=cache, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
    for name, process in running.items():
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, (name, output)
    return place


PYTHON = ("import sys, urllib.request as u; "
          "print(u.urlopen(sys.argv[1], timeout=5).read().decode())")
NODE_FETCH = ("fetch(process.argv[1]).then(r => r.text()).then(console.log)"
              ".catch(e => { console.error(e.cause); process.exit(1) })")
NODE_DNS = """
const d = require('dns').promises, n = process.argv[1];
(async () => {
  console.log((await d.lookup(n, {all: true})).map(x => x.address).join(' '));
  console.log((await d.resolve4(n)).join(' '));
  console.log((await d.resolve6(n)).join(' '));
})().catch(e => { console.error(e.code); process.exit(1) });
"""
S_CLIENT = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile",
            CA, "-servername", "{name}", "-connect", "{name}:443"]
REQUEST = "GET / HTTP/1.0\r\nHost: {name}\r\n\r\n"

# Client: its words, its input, and whether it shows addresses (4, 6).
FETCHERS = {
    "curl-http": (["curl", "-sS", "-m5", "http://{name}/"], "", ""),
    "curl-https": (["curl", "-sS", "-m5", "https://{name}/"], "", ""),
    "curl-4": (["curl", "-4", "-sS", "-m5", "https://{name}/"], "", ""),
    "curl-6": (["curl", "-6", "-sS", "-m5", "https://{name}/"], "", ""),
    "curl-http2": (["curl", "--http2", "-sS", "-m5", "https://{name}/"], "",
                   ""),
    "python-http": (["/usr/bin/python3", "-c", PYTHON, "http://{name}/"], "",
                    ""),
    "python-https": (["/usr/bin/python3", "-c", PYTHON, "https://{name}/"], "",
                     ""),
    "node": (["node", "-e", NODE_FETCH, "https://{name}/"], "", ""),
    "go": (["{built}/go", "https://{name}/"], "", "46"),
    "java": (["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp",
              "{built}", "Fetch", "https://{name}/"], "", "46"),
    "musl": (["{built}/musl", "{name}"], "", "46"),
    "cares": (["{built}/cares", "{name}"], "", "46"),
    "openssl": (S_CLIENT, REQUEST, ""),
    "nc": (["nc", "-N", "-w5", "{name}", "80"], REQUEST, ""),
    "bash": (["bash", "-c", "exec 3<>/dev/tcp/{name}/80; cat >&3; cat <&3"],
             REQUEST, ""),
}
RESOLVERS = {
    "getent-hosts": (["getent", "hosts", "{name}"], "", "6"),
    "getent-ahosts": (["getent", "ahosts", "{name}"], "", "46"),
    "getent-ahostsv4": (["getent", "ahostsv4", "{name}"], "", "4"),
    "getent-ahostsv6": (["getent", "ahostsv6", "{name}"], "", "6"),
    "dig": (["dig", "+short", "+tries=1", "{name}", "A", "{name}", "AAAA"], "",
            "46"),
    "dig-8.8.8.8": (["dig", "+short", "+tries=1", "@8.8.8.8", "{name}", "A",
                     "{name}", "AAAA"], "", "46"),
    "dig-tcp-v6": (["dig", "+short", "+tries=1", "+tcp",
                    "@2001:4860:4860::8888", "{name}", "A", "{name}", "AAAA"],
                   "", "46"),
    "nslookup": (["nslookup", "{name}"], "", "46"),
    "node": (["node", "-e", NODE_DNS, "{name}"], "", "46"),
}


def words(spec, name, built=""):
    return [x.replace("{name}", name).replace("{built}", str(built))
            for x in spec[0]]


def needs(spec, built):
    program = words(spec, "x", built)[0]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed here")


def reached_evil(far):
    """What the evil site, its DNS name and its addresses saw."""
    return (far.dns("evil.test"), far.http("evil.test"),
            sent_to(far, EVIL4, EVIL6))


@pytest.mark.parametrize("client", FETCHERS)
def test_fetch(egress, host, far, built, who, client):
    """The allowed name is reached by that very name; the other is not, by
    any packet or question, and the client fails at once."""
    spec = FETCHERS[client]
    needs(spec, built)
    stdin = spec[1].replace("{name}", "evil.test")
    got = host(words(spec, "evil.test", built), user=who, stdin=stdin)
    assert "PWNED evil.test" in got.out, got
    assert all(reached_evil(far))
    far.mark()
    got = egress(["--allow-domain", "allowed.test", "--",
                  *words(spec, "allowed.test", built)], user=who,
                 stdin=spec[1].replace("{name}", "allowed.test"))
    assert "OK allowed.test " in got.out, got
    assert "4" not in spec[2] or GOOD4 in got.out
    assert "6" not in spec[2] or GOOD6 in got.out.replace(":0:0:0:0:", "::")
    assert client == "openssl" or got.err == ""
    assert [x.host for x in far.http()] == ["allowed.test"]
    assert {q.name for q in far.dns()} == {"allowed.test"}
    got = egress(["--allow-domain", "allowed.test", "--",
                  *words(spec, "evil.test", built)], user=who, stdin=stdin)
    assert not got.ok and "PWNED" not in got.out
    assert got.seconds < 4 and "evil.test (" in got.err
    assert not any(reached_evil(far))


@pytest.mark.parametrize("client", RESOLVERS)
def test_resolve(egress, host, far, who, client):
    spec = RESOLVERS[client]
    needs(spec, "")
    got = host(words(spec, "evil.test"), user=who)
    assert got.ok and (EVIL4 in got.out or EVIL6 in got.out)
    assert far.dns("evil.test")
    far.mark()
    got = egress(["--allow-domain", "allowed.test", "--",
                  *words(spec, "allowed.test")], user=who)
    assert got.ok and got.err == "", got
    assert "4" not in spec[2] or GOOD4 in got.out
    assert "6" not in spec[2] or GOOD6 in got.out
    assert far.dns("allowed.test")
    got = egress(["--allow-domain", "allowed.test", "--",
                  *words(spec, "evil.test")], user=who)
    assert EVIL4 not in got.out and EVIL6 not in got.out
    assert got.seconds < 4 and "evil.test (" in got.err
    assert not any(reached_evil(far))


def test_many_lookups_in_parallel(egress, host, who):
    """40 programs at once, each with its pair of questions."""
    script = ("for i in $(seq 40); do getent ahosts n$i.wild.test >/dev/null "
              "|| echo failed $i & done; wait")
    for run in (lambda *x: host(*x, user=who),
                lambda x: egress(["--allow-domain", "*.wild.test", "--", *x],
                                 user=who)):
        got = run(["bash", "-c", script])
        assert got.ok and got.out == "", got.out


SAME_PORT = """
import socket, sys
held = []
for name in sys.argv[1:]:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", 40000))
    sock.connect((name, 80))
    sock.sendall(b"GET / HTTP/1.0\\r\\nHost: " + name.encode() + b"\\r\\n\\r\\n")
    held.append(sock)
for sock in held:
    print(sock.makefile().read())
"""


def test_one_source_port_for_several_servers(egress, host, who):
    """The kernel gives a client the same source port for connections to
    different servers, by chance once in a few hundred; all of them work."""
    names = ["allowed.test", "second.test", "git.test"]
    line = ["/usr/bin/python3", "-c", SAME_PORT, *names]
    assert host(line, user=who).out.count("OK ") == 3
    allow = [word for name in names for word in ("--allow-domain", name)]
    got = egress([*allow, "--", *line], user=who)
    assert got.out.count("OK ") == 3, got
    assert all(f"OK {name} " in got.out for name in names)


# ---- git --------------------------------------------------------------------

BY_HTTPS, BY_SSH = "https://git.test/repo.git", "git@git.test:repo.git"
PUSH = """set -e
git clone -q "$1" "$2"
cd "$2"
test "$(cat README)" = 'Content of repo.git.'
git -c user.name=x -c user.email=x@x.test commit -q --allow-empty -m more
git push -q origin "HEAD:refs/heads/$3"
git ls-remote origin "refs/heads/$3"
"""


@pytest.mark.parametrize("url, port, other", [
    (BY_HTTPS, 443, 22), (BY_SSH, 22, 443)], ids=["https", "ssh"])
def test_git(egress, host, far, who, share, url, port, other):
    """Clone and push where the name is allowed, on its port or on all; not
    one packet where another name, or another port, is."""
    def run(where, *allow):
        branch = f"clients-{who}-{port}-{where}"
        line = ["sh", "-c", PUSH, "sh", url, share / where, branch]
        if allow:
            allow = [w for x in allow for w in ("--allow-domain", x)]
            return egress([*allow, "--", *line], user=who, timeout=20)
        return host(line, user=who)

    assert "refs/heads/clients-" in run("control").out
    for allow in "git.test", f"git.test:{port}":
        far.mark()
        got = run(allow.replace(":", "-port-"), allow)
        assert "refs/heads/clients-" in got.out, got.err
        assert "blocked" not in got.err
        assert far.wire(rf"\.{port}: Flags \[S\]")
    far.mark()
    got = run("denied", "allowed.test")
    assert not got.ok and "git.test (" in got.err
    got = run("other-port", f"git.test:{other}")
    assert not got.ok and f":{port} tcp (" in got.err
    assert not sent_to(far, port="(22|80|443)")
    assert not (share / "denied/README").exists()


def test_git_by_address_is_refused(egress, far, host, who):
    """The address of a name that is not allowed, written down by hand."""
    for url, port in ("ssh://git@198.51.100.20/repo.git", 22), (
            "http://198.51.100.20/repo.git", 80):
        host(["git", "ls-remote", url], user=who)
        assert far.wire(rf"> 198\.51\.100\.20\.{port}: Flags \[S\]")
        far.mark()
        got = egress(["--allow-domain", "allowed.test", "--", "git",
                      "ls-remote", url], user=who)
        assert not got.ok and f"198.51.100.20:{port} tcp (" in got.err
        assert not sent_to(far, "198.51.100.20")
