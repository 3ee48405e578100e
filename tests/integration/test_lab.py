# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself, without egress-run: every server answers, every record sees
what was sent, and an ended or killed lab leaves nothing. These are the
controls without which "nothing arrived" in another test would mean nothing.
"""
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import lab

SCRIPT = str(lab.TREE / "tests/lab/lab")
FAKE = "203.0.113.54"


def dig(host, *args, server=None):
    where = [f"@{server}"] if server else []
    return host(["dig", "+tries=1", "+time=2", *where, *args])


# ---- web --------------------------------------------------------------------

@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["allowed.test", "x.wild.test",
                                  "second.test", "api.allowed.test"])
def test_sites(host, far, who, name, scheme, family):
    got = host(["curl", "-sS", family, f"{scheme}://{name}/"], user=who)
    assert got.out.startswith(f"OK {name} "), got
    hits = far.http(name)
    assert len(hits) == 1
    assert hits[0].sni == (name if scheme == "https" else "-")
    assert hits[0].client == ("192.0.2.1" if family == "-4" else "2001:db8::1")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name, address", [
    ("evil.test", "203.0.113.10"), ("evil2.test", "198.51.100.10")])
def test_evil_sites(host, far, who, scheme, name, address):
    got = host(["curl", "-sS4", f"{scheme}://{name}/secret"], user=who)
    assert got.out == f"PWNED {name} {address}\n", got
    assert [x.address for x in far.http(name)] == [address]


def test_fronting(host, who):
    """Any name can be asked for at the allowed site's address."""
    got = host(["curl", "-sS", "--connect-to", "::allowed.test:",
                "https://evil.test/secret"], user=who)
    assert got.out.startswith("PWNED evil.test ")


@pytest.mark.parametrize("address", [
    "203.0.113.10", "[2001:db8:bad::10]", "10.0.0.10", "169.254.169.254",
    "100.64.0.1", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "8.8.8.8",
    "198.51.100.150", "11.22.33.44"])
def test_every_address_is_somebody(host, far, address):
    got = host(["curl", "-gsS", "-m5", f"http://{address}/secret"])
    assert got.out.startswith("PWNED"), got
    assert far.wire(r"> " + re.escape(address.strip("[]")) + r"\.80: Flags \[S")


def test_bulk_and_upload(host, who, share):
    blob = (lab.LAB / "www/random").read_bytes()
    got = host(["curl", "-sS", "https://allowed.test/random"], user=who)
    assert got.raw == blob
    got = host(["curl", "-sS", "https://allowed.test/big"], user=who)
    assert len(got.raw) == 64 << 20
    got = host(["curl", "-sS", "-T", "-", "http://allowed.test/upload"],
               user=who, stdin=blob)
    digest = hashlib.sha256(blob).hexdigest()
    assert got.out == f"{len(blob)} {digest}\n", got.err


def test_drip(host):
    got = host(["curl", "-sSN", "http://allowed.test/drip?n=3&ms=20"])
    assert got.out == "line 0\nline 1\nline 2\n"
    assert got.seconds >= 0.06


def test_other_clients(host, who):
    script = ("fetch('https://allowed.test/').then(r => r.text())"
              ".then(t => process.stdout.write(t))")
    assert host(["node", "-e", script], user=who).out.startswith("OK allowed")
    script = ("import urllib.request as u;"
              "print(u.urlopen('https://allowed.test/').read().decode())")
    got = host(["/usr/bin/python3", "-c", script], user=who)
    assert got.out.startswith("OK allowed"), got.err


# ---- git --------------------------------------------------------------------

@pytest.mark.parametrize("url", [
    "https://git.test/repo.git", "http://git.test/repo.git",
    "git@git.test:repo.git"])
def test_git(host, far, who, share, url):
    tree = share / "tree"
    got = host(["git", "clone", "-q", url, tree], user=who)
    assert got.ok, got.err
    assert (tree / "README").read_text() == "Content of repo.git.\n"
    got = host(["git", "-c", "user.name=x", "-c", "user.email=x@x.test",
                "commit", "-q", "--allow-empty", "-m", "more"], user=who,
               cwd=tree)
    assert got.ok, got.err
    branch = f"refs/heads/from-{who}-by-{url.split(':')[0]}"
    got = host(["git", "push", "-q", "origin", f"HEAD:{branch}"], user=who,
               cwd=tree)
    assert got.ok, got.err
    assert far.wire(r"\.(80|443|22): Flags \[S")


# ---- names ------------------------------------------------------------------

NAMES = {
    ("allowed.test", "A"): ["198.51.100.10"],
    ("allowed.test", "AAAA"): ["2001:db8:1::10"],
    ("www.allowed.test", "A"): ["cdn.other.test.", "198.51.100.11"],
    ("any.where.wild.test", "A"): ["198.51.100.10"],
    ("evil.test", "A"): ["203.0.113.10"],
    ("evil.test", "AAAA"): ["2001:db8:bad::10"],
    ("second.test", "A"): ["198.51.100.11"],
    ("v4only.test", "A"): ["198.51.100.10"],
    ("v4only.test", "AAAA"): [],
    ("v6only.test", "A"): [],
    ("v6only.test", "AAAA"): ["2001:db8:1::10"],
    ("multi.test", "A"): ["198.51.100.10", "198.51.100.12"],
    ("re1.allowed.test", "A"): ["127.0.0.1"],
    ("re2.allowed.test", "A"): ["10.0.0.10"],
    ("re3.allowed.test", "A"): ["169.254.169.254"],
    ("re4.allowed.test", "A"): ["0.0.0.0"],
    ("re5.allowed.test", "AAAA"): ["::ffff:127.0.0.1"],
    ("re6.allowed.test", "AAAA"): ["64:ff9b::a9fe:a9fe"],
    ("re7.allowed.test", "AAAA"): ["2002:7f00:1::"],
    ("re8.allowed.test", "A"): ["192.0.2.1"],
    ("re9.allowed.test", "AAAA"): ["2001:db8:5::5"],
    ("mix.allowed.test", "A"): ["127.0.0.1", "198.51.100.10"],
    ("many.test", "A"): [f"198.51.100.{n}" for n in range(101, 201)],
    ("allowed.test", "TXT"): ['"text of allowed.test"'],
    ("nothing.test", "A"): [],
}


@pytest.mark.parametrize("name, qtype", NAMES)
def test_records(host, far, name, qtype):
    got = dig(host, "+short", name, qtype)
    assert sorted(got.out.split("\n")[:-1]) == sorted(NAMES[name, qtype])
    assert {(q.type, q.name) for q in far.dns(name)} == {(qtype, name)}


def test_absent_names(host):
    for name in "nothing.test", "example.com", "x.allowed.test":
        assert "status: NXDOMAIN" in dig(host, name).out
    assert "status: NOERROR" in dig(host, "v4only.test", "AAAA").out


def test_special_records(host):
    assert re.search(r"short\.test\.\s+5\s", dig(host, "short.test").out)
    assert re.search(r"allowed\.test\.\s+300\s", dig(host, "allowed.test").out)
    got = dig(host, "+short", "allowed.test", "TYPE65")
    assert got.out == '1 . alpn="h2" ipv4hint=203.0.113.10\n'


@pytest.mark.parametrize("server", [
    "8.8.8.8", "1.1.1.1", "203.0.113.53", "2001:4860:4860::8888"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_any_resolver(host, far, who, server, transport):
    got = host(["dig", "+short", transport, "+tries=1", f"@{server}",
                "evil.test"], user=who)
    assert got.out == "203.0.113.10\n"
    assert len(far.dns("evil.test")) == 1
    assert far.wire(re.escape(f"> {server}.53: "))


def test_host_files(host, who, etc):
    assert host(["getent", "hosts", "fromhosts.test"], user=who).out.split() \
        == ["198.51.100.11", "fromhosts.test"]
    etc("resolv.conf", f"nameserver {FAKE}\n")
    got = host(["getent", "ahostsv4", "ip-cb007107.hostile.test"], user=who)
    assert got.out.startswith("203.0.113.7 ")
    etc("resolv.conf", "nameserver 192.0.2.53\n")
    assert host(["getent", "hosts", "v4only.test"], user=who).ok


# ---- the hostile DNS server -------------------------------------------------

def ask(name, qtype=1, extra=b"", replies=1, timeout=2):
    """Messages that the hostile server sends for one question by UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect((FAKE, 53))
        sock.send(lab.dns_message(name, qtype, ident=0x1234) + extra)
        return [sock.recv(65535) for _ in range(replies)]


def question(name, qtype=1):
    return lab.dns_message(name, qtype)[12:]


def address(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_pton(family, text)


GOOD, EVIL = address("198.51.100.10"), address("203.0.113.10")


def test_fakedns_sees_bytes(far):
    ask("aLLoWeD.tEsT", extra=b"hidden bytes")
    sent = lab.dns_message("aLLoWeD.tEsT", ident=0x1234) + b"hidden bytes"
    assert [x.data for x in far.fakedns()] == [sent]
    assert far.fakedns()[0][:2] == ("udp", "192.0.2.1")


def test_fakedns_through_dnsmasq(host, far):
    assert dig(host, "+short", "ip-0a000001.hostile.test").out == "10.0.0.1\n"
    assert any(b"ip-0a000001" in x.data for x in far.fakedns())


def test_fakedns_addresses():
    assert ask("plain.hostile.test")[0].endswith(GOOD)
    assert ask("plain.hostile.test", 28)[0].endswith(address("2001:db8:1::10"))
    name = "ip-7f000001-00000000000000000000000000000001.hostile.test"
    assert ask(name)[0].endswith(address("127.0.0.1"))
    assert ask(name, 28)[0].endswith(address("::1"))
    first, second = [ask("rebind-1.hostile.test")[0] for _ in range(2)]
    assert first.endswith(GOOD) and second.endswith(address("127.0.0.1"))
    assert ask("rotate-1.hostile.test")[0] != ask("rotate-1.hostile.test")[0]


def test_fakedns_unrelated():
    got = ask("unrelated.hostile.test")[0]
    assert got[6:12] == bytes([0, 3, 0, 1, 0, 1]) and got.count(EVIL) == 4
    assert GOOD not in ask("onlyunrelated.hostile.test")[0]
    assert ask("offchain.hostile.test")[0].endswith(EVIL)


def test_fakedns_aliases():
    for name, count in (("loop", 2), ("selfloop", 1), ("chain-9", 10),
                        ("dangling", 1)):
        assert ask(f"{name}.hostile.test")[0][7] == count
    assert b"\x1b[31m" in ask("control.hostile.test")[0]


def test_fakedns_lies():
    assert ask("wrongid.hostile.test")[0][:2] == b"\x12\x35"
    assert question("evil.test") in ask("wrongquestion.hostile.test")[0]
    assert ask("noquestion.hostile.test")[0][4:6] == b"\0\0"
    spray = ask("spray.hostile.test", replies=200)
    assert all(x[:2] != b"\x12\x34" for x in spray[:199])
    assert spray[199].endswith(GOOD)


def test_fakedns_broken():
    name = "comploop.hostile.test"
    at = 12 + len(question(name))
    assert ask(name)[0][at:at + 2] == (0xC000 | at).to_bytes(2, "big")
    assert b"\xff\xff\0\1" in ask("compforward.hostile.test")[0]
    assert len(ask("badlength.hostile.test", replies=2)) == 2
    assert ask("badcount.hostile.test")[0][6:8] == b"\xff\xff"
    assert len(ask("short.hostile.test")[0]) == 11
    assert ask("trailing.hostile.test")[0].endswith(b"trailing")
    assert ask("garbage.hostile.test")[0][:2] == b"\x12\x34"
    assert b"\0\x01\0\x03" in ask("wrongclass.hostile.test")[0]


def test_fakedns_codes_and_times():
    for code in 2, 3, 5:
        assert ask(f"rcode-{code}.hostile.test")[0][3] & 15 == code
    assert ask("nodata.hostile.test")[0][6:8] == b"\0\0"
    for ttl in 0, 5, 4294967295:
        assert ttl.to_bytes(4, "big") + b"\0\4" + GOOD \
            in ask(f"ttl-{ttl}.hostile.test")[0]
    assert ask("late-200.hostile.test")[0].endswith(GOOD)
    with pytest.raises(socket.timeout):
        ask("silent.hostile.test", timeout=0.3)


def test_fakedns_sizes(host):
    assert ask("truncated.hostile.test")[0][2] & 2
    got = dig(host, "+short", "truncated.hostile.test", server=FAKE)
    assert got.out.endswith("198.51.100.10\n")
    assert ask("alwaystruncated.hostile.test")[0][2] & 2
    got = dig(host, "+tcp", "+short", "many-500.hostile.test", server=FAKE)
    assert len(got.out.split()) == 500
    got = dig(host, "+tcp", "bigtxt.hostile.test", "TXT", server=FAKE)
    assert int(re.search(r"MSG SIZE  rcvd: (\d+)", got.out)[1]) > 50000


def test_fakedns_tcp_faults():
    for name, got in (("closetcp", 0), ("halftcp", 12)):
        message = lab.dns_message(f"{name}.hostile.test")
        with socket.create_connection((FAKE, 53), 2) as sock:
            sock.settimeout(0.5)
            sock.sendall(len(message).to_bytes(2, "big") + message)
            assert len(sock.recv(100)) == got


# ---- other far ends ---------------------------------------------------------

@pytest.mark.parametrize("port", [123, 443, 853, 5353, 9999])
@pytest.mark.parametrize("to", ["203.0.113.10", "2001:db8:bad::10"])
def test_udp_sink(far, port, to):
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"leak", (to, port))
    where = f"[{to}]" if ":" in to else to
    got = far.sink(f"^udp {re.escape(where)}:{port} .* {b'leak'.hex()}$")
    assert len(got) == 1
    assert len(far.wire(re.escape(f" > {to}.{port}: "))) == 1


@pytest.mark.parametrize("port", [853, 9999])
def test_tcp_sink(host, far, who, port):
    got = host(["socat", "-t2", "-", f"TCP:203.0.113.10:{port}"], user=who,
               stdin="leak")
    assert got.out == "PWNED\n"
    lab.wait_until(lambda: far.sink(f"read {b'leak'.hex()}$"))


def test_tcp_services():
    with socket.create_connection(("198.51.100.10", 7), 2) as sock:
        sock.sendall(b"there and back")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"there and back" and sock.recv(1) == b""
    with socket.create_connection(("198.51.100.10", 9), 2) as sock:
        sock.sendall(bytes(300000))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"300000\n"
    with socket.create_connection(("198.51.100.10", 10), 2) as sock:
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with socket.create_connection(("198.51.100.10", 11), 2) as sock:
        sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            while True:
                sock.send(bytes(1 << 20))


@pytest.mark.parametrize("name, fault", [
    ("refused.test", "ECONNREFUSED"), ("unreachable.test", "EHOSTUNREACH"),
    ("blackhole.test", "TimeoutError")])
def test_faults(host, far, who, name, fault):
    """An ICMP error that arrives while connect() still holds its socket, as
    it does on a link without latency, counts from the second SYN on only."""
    script = ("import errno, socket, sys\n"
              "try: socket.create_connection((sys.argv[1], 80), 1.5)\n"
              "except OSError as e:\n"
              " print(errno.errorcode.get(e.errno, type(e).__name__))\n")
    got = host(["/usr/bin/python3", "-c", script, name], user=who)
    assert got.out == f"{fault}\n"
    assert far.wire(r"\.80: Flags \[S\]")


@pytest.mark.parametrize("name", ["multi.test", "broken6.test",
                                  "reject6.test"])
def test_second_address_works(host, name):
    got = host(["curl", "-sS", "-m5", f"http://{name}/"])
    assert got.out == f"OK {name} 198.51.100.10\n", got.err


def test_broken6_is_broken(host):
    assert not host(["curl", "-6", "-s", "-m1", "http://broken6.test/"]).ok
    got = host(["curl", "-6", "-s", "-m5", "http://reject6.test/"])
    assert got.rc == 7 and got.seconds < 2


@pytest.mark.parametrize("url", [
    "127.0.0.1:8000", "127.0.0.1:8001", "192.0.2.1:8000", "172.16.5.5:8000",
    "[::1]:8001", "[2001:db8::1]:8000", "[2001:db8:5::5]:8000"])
def test_host_services(host, far, who, url):
    got = host(["curl", "-gsS", f"http://{url}/x"], user=who)
    assert got.out == "PWNED\n"
    assert far.host("^http " + re.escape(url))


def test_host_udp_echo(host, who):
    for to in "UDP4:172.16.5.5:8002", "UDP6:[2001:db8::1]:8002":
        got = host(["socat", "-t0.3", "-", to], user=who, stdin="ping")
        assert got.out == "ping"


# ---- records ----------------------------------------------------------------

def test_nothing_is_seen_when_nothing_is_sent(far):
    assert not (far.wire() or far.dns() or far.fakedns() or far.http()
                or far.sink() or far.host())


def test_wire_sees_everything(host, far):
    """Protocols that a filter may forget."""
    for proto, name in (socket.IPPROTO_UDP, "UDP"), (136, "ip-proto-136"):
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, proto) as sock:
            sock.sendto(b"\x04\xd2\x27\x0f\0\x08\0\0", ("203.0.113.10", 0))
        assert far.wire(r"> 203\.0\.113\.10"), name
        far.mark()
    assert host(["ping", "-c1", "-W2", "203.0.113.10"], user="tester").ok
    assert len(far.wire("ICMP echo request")) == 1
    far.mark()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(bytes(4000), ("203.0.113.10", 9999))
    assert len(far.wire(r"> 203\.0\.113\.10")) == 3  # fragments


def test_a_burst_is_complete(far):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(500):
            sock.sendto(b"x", ("203.0.113.10", 123))
    assert len(far.wire(r"> 203\.0\.113\.10\.123: ")) == 500
    assert len(far.sink(r"203\.0\.113\.10:123 ")) == 500


# ---- the host and its accounts ----------------------------------------------

def test_accounts(host):
    assert host(["id", "-nu"], user="tester").out == "tester\n"
    assert host(["id", "-nG"], user="tester").out == "tester labfolk\n"
    assert host(["id", "-nG", "tester"]).out == "tester labfolk docker\n"
    got = host(["sudo", "sh", "-c", "id -u; echo $SUDO_UID"], user="tester")
    assert got.out == "0\n3000\n", got.err


def test_namespaces_for_everybody(host, who):
    """What an unprivileged sandbox needs: a user namespace that may mount proc
    and join two network namespaces by a veth pair."""
    script = ("mount -t proc proc /proc && "
              "ip link add eth0 type veth peer name eth1 && "
              "nft add table inet t && ip -br link")
    got = host(["unshare", "-Urnmpf", "sh", "-c", script], user=who)
    assert got.ok and "eth1" in got.out, got.err


def test_in_internet(host):
    got = host([lab.IN_INTERNET, "ip", "-br", "addr", "show", "dev", "eth0"])
    assert "192.0.2.2/24" in got.out


def test_no_way_out(host):
    assert "eth0@" in host(["ip", "-br", "link"]).out
    assert len(host(["ip", "-br", "link"]).out.splitlines()) == 2
    assert len(host([lab.IN_INTERNET, "ip", "-br", "link"]).out
               .splitlines()) == 2


def test_deadline_kills(host, share):
    with pytest.raises(AssertionError, match="still running"):
        host(["sh", "-c", "sleep 1000 & wait"], timeout=0.2)
    assert "sleep 1000" not in host(["ps", "-eo", "args"]).out


# ---- life and death of a lab (one in the other) -----------------------------

def test_exit_status():
    for status in 0, 42:
        done = subprocess.run([SCRIPT, "sh", "-c", f"exit {status}"],
                              check=False, timeout=30)
        assert done.returncode == status
    done = subprocess.run([SCRIPT], check=False, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"usage" in done.stderr


def test_ordinary_caller(host, share):
    """Through sudo; the command learns who called."""
    shutil.copytree(lab.TREE / "tests/lab", share / "lab")
    got = host([share / "lab/lab", "sh", "-c",
                "id -u; echo $LAB_CALLER $SUDO_UID $KEPT; cat"],
               user="tester", stdin="stdin", env={"KEPT": "kept"}, timeout=30)
    assert got.out == "0\n3000:3000 3000 kept\nstdin", got.err


@pytest.mark.parametrize("how", ["ends", "TERM", "KILL", "inside"])
def test_nothing_is_left(how):
    before = lab.residue()
    with subprocess.Popen([SCRIPT, "sh", "-c", "echo up; read x; exit 7"],
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as nested:
        assert nested.stdout.readline() == b"up\n"
        during = lab.left_behind(before)
        assert len(during["processes"]) > 10
        assert len(during["namespaces"]) >= 4
        if how == "ends":
            nested.stdin.close()
        elif how == "inside":
            inner = subprocess.run(
                ["pgrep", "-f", "lab --inside [0-9]+ sh -c echo up"],
                check=True, stdout=subprocess.PIPE).stdout.split()
            os.kill(int(inner[-1]), signal.SIGKILL)
        else:
            nested.send_signal(getattr(signal, f"SIG{how}"))
        status = nested.wait(10)
    assert status == {"ends": 7, "TERM": 143, "KILL": -9}.get(how, status)
    assert status != 0
    lab.wait_clean(before)
