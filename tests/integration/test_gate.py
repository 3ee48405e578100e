# SPDX-License-Identifier: GPL-2.0-or-later
"""What an ordinary command tries: addresses without their names, other ports,
other protocols, odd spellings, names that lead to forbidden addresses, and
what --allow-address and ports open and leave shut. Each attempt fails at once,
nothing of it is seen at the far end, and the same attempt succeeds outside.
"""
import pytest

from dns_helpers import cage
from gate_helpers import (AT_ONCE, EVIL, GOOD, HOST_ADDRESSES, allow, allow_address,
                          probe, refused)
from relay_helpers import PYTHON

RESOLVE = "getent ahosts allowed.test >/dev/null"
# What there is in the lab on every address.
PORTS = {"tcp": (22, 80, 443, 853, 9999), "udp": (123, 443, 853, 5353, 9999)}
ALLOWED = allow("allowed.test")


def targets(protocol, *addresses, ports=None):
    return [f"{protocol} {x} {port}" for x in addresses
            for port in ports or PORTS[protocol]]


# ---- addresses without a name -----------------------------------------------

SPELLINGS = ("203.0.113.10", "3405803786", "0xcb00710a", "0313.0.0161.012",
             "0xcb.0.0x71.0xa", "203.28938", "203.0.28938", "203.000.113.010",
             "[::ffff:203.0.113.10]", "[::ffff:cb00:710a]",
             "[2001:db8:bad::10]", "[2001:0DB8:0BAD:0:0:0:0:0010]",
             "[64:ff9b::cb00:710a]", "[2002:cb00:710a::1]", "[::203.0.113.10]")
FETCH = ("curl -gs -m5 -w '%{stderr}%{exitcode} %{time_total}\\n' "
         "http://$x/secret")


def test_address_in_any_spelling(egress, host, far, who):
    """Decimal, octal, hexadecimal, short and embedded forms of an address that
    no name stands for."""
    script = f"for x in {' '.join(SPELLINGS)}; do {FETCH}; done; true"
    outside = host(["sh", "-c", script], user=who)
    assert outside.out.count("PWNED") == len(SPELLINGS)
    far.mark()
    got = egress([*ALLOWED, "-q", "sh", "-c", f"{RESOLVE}; {script}"],
                 user=who)
    told = [line.split() for line in got.err.splitlines()]
    assert len(told) == len(SPELLINGS) and got.out == ""
    for status, seconds in told:
        assert status == "7" and float(seconds) < AT_ONCE, got.err
    assert far.http() == []
    assert not far.wire("203.0.113|bad::|64:ff9b|2002:|: Flags .S")


@pytest.mark.parametrize("v", [4, 6])
def test_dialled_before_it_was_resolved(egress, host, far, who, v):
    """An admitted name's address is as shut as any other until the name was
    resolved in this run; a second run begins anew."""
    url = f"http://{GOOD[4]}/" if v == 4 else f"http://[{GOOD[6]}]/"
    fetch = f"curl -gsS -m5 -H 'Host: allowed.test' {url}"
    said = f"OK allowed.test {GOOD[v]}\n"
    assert host(["sh", "-c", fetch], user=who).out == said
    for _ in range(2):
        far.mark()
        got = egress([*ALLOWED, "sh", "-c", f"{fetch}; echo $?; {RESOLVE}; "
                      f"{fetch}"], user=who)
        assert got.out == f"7\n{said}" and got.seconds < AT_ONCE
        assert len(far.http()) == 1
        assert len(far.wire(rf" > {GOOD[v]}\.80: Flags \[S\]")) == 1


# ---- other ports and protocols ----------------------------------------------

def test_tcp_to_other_addresses(egress, host, far, who):
    """Every service of addresses that were not admitted: ssh, TLS, DNS over
    TLS and over HTTPS included."""
    tried = targets("tcp", EVIL[4], EVIL[6], "8.8.8.8", "1.1.1.1",
                    "2001:4860:4860::8888", "198.51.100.11", "10.1.2.3")
    assert set(probe(host, tried, user=who).values()) == {"connected"}
    far.mark()
    assert refused(probe(egress, tried, ALLOWED, who, RESOLVE))
    assert not far.wire(r"Flags \[S")
    assert far.http() == [] and far.sink() == []


@pytest.mark.parametrize("protocol", ["udp", "udplite"])
def test_udp(egress, host, far, who, protocol):
    """To admitted addresses too, HTTP/3, QUIC and NTP included: the error
    comes at once, so that a client falls back to TCP."""
    tried = targets(protocol, GOOD[4], GOOD[6], EVIL[4], EVIL[6],
                    ports=PORTS["udp"] if protocol == "udp" else (9999,))
    outside = probe(host, tried, user=who, patience=0.05)
    assert set(outside.values()) <= {"silent", "ECONNREFUSED"}
    seen = far.sink("6c65616b") if protocol == "udp" \
        else far.wire("ip-proto-136|UDPLITE|UDP-Lite|udplite")
    assert len(seen) == len(tried)
    far.mark()
    assert refused(probe(egress, tried, ALLOWED, who, RESOLVE))
    assert far.sink() == []
    assert {line.split(" > ")[1].split(": ")[0] for line in far.wire("IP")} \
        == {"192.0.2.53.53"}


def test_ping(egress, host, far, who):
    """The program ping, by whatever kind of socket."""
    for v, name in ("-4", GOOD[4]), ("-6", GOOD[6]), ("-4", EVIL[4]):
        cmd = ["ping", v, "-n", "-c1", "-W2", name]
        assert host(cmd).ok and far.wire("ICMP6? ?.*echo request")
        far.mark()
        got = egress([*ALLOWED, "sh", "-c", f"{RESOLVE}; exec \"$@\"", "sh",
                      *cmd], user=who)
        assert not got.ok and got.seconds < AT_ONCE
        assert not far.wire("ICMP")


def test_multicast_and_scopes(egress, host, far, who):
    """What stays on the link, and all that is spelled with a scope."""
    tried = ["udp ff02::1%eth0 9999", "udp ff02::fb%eth0 5353",
             "udp 224.0.0.1 9999", "udp 224.0.0.251 5353",
             "udp 239.255.255.250 9999"]
    probe(host, tried, user=who, patience=0.05)
    assert len(far.wire(r"> (ff02::|22|23).*: UDP|ff02::fb.5353|251.5353")) \
        == len(tried)
    far.mark()
    script = ("import socket, sys\n"
              "for line in sys.stdin:\n"
              "    _, address, port = line.split()\n"
              "    to = socket.getaddrinfo(address, int(port), type=2)[0]\n"
              "    s = socket.socket(to[0], 2)\n"
              "    try: s.sendto(b'leak', to[4])\n"
              "    except OSError: pass\n"
              "s = socket.socket(10, 1)\n"
              "for x in 'fe80::1%eth0', 'fe80::ff:fe00:1%eth0':\n"
              "    for port in 22, 80, 8000:\n"
              "        s = socket.socket(10, 1)\n"
              "        s.settimeout(.2)\n"
              "        print(s.connect_ex(socket.getaddrinfo("
              "x, port)[0][4]))\n")
    got = egress([*ALLOWED, PYTHON, "-c", script], user=who,
                 stdin="\n".join(tried))
    assert got.ok and len(got.out.split()) == 6 and "0" not in got.out.split()
    assert far.wire() == [] and far.host() == []


# ---- names that lead to forbidden addresses ----------------------------------

REBINDING = {"re1": "127.0.0.1", "re3": "169.254.169.254", "re4": "0.0.0.0",
             "re5": "::ffff:127.0.0.1", "re6": "64:ff9b::a9fe:a9fe",
             "re7": "2002:7f00:1::"}


@pytest.mark.parametrize("label", REBINDING)
@pytest.mark.parametrize("pattern", ["*.allowed.test", "*"])
def test_rebinding(egress, host, far, label, pattern):
    """An allowed name that resolves to loopback, metadata or an address that
    embeds another: no answer, and the address stays shut."""
    name, address = f"{label}.allowed.test", REBINDING[label]
    qtype = "AAAA" if ":" in address else "A"
    look = ["dig", "+short", name, qtype]
    assert host(look).out.strip() == address
    far.mark()
    tried = targets("tcp", address, ports=(22, 80, 8000, 8001))
    got = probe(egress, tried, allow(pattern), "tester",
                f"{' '.join(look)} >&2; getent ahosts {name} >&2")
    assert refused(got)
    assert far.http() == [] and far.host() == []
    assert not far.wire(r"Flags \[S")
    got = egress([*allow(pattern), "-q", *look])
    assert got.ok and got.out == ""
    assert far.dns(name)  # it was asked: the answer is what is refused


def test_good_and_bad_address(egress, host, far):
    """Of a mixed answer the good address is given, and only it."""
    look = ["dig", "+short", "mix.allowed.test"]
    assert set(host(look).out.split()) == {GOOD[4], "127.0.0.1"}
    assert egress([*allow("*.allowed.test"), "-q", *look]).out.split() \
        == [GOOD[4]]
    got = egress([*allow("*.allowed.test"), "-q", "curl", "-sS", "-m5",
                  "http://mix.allowed.test/"])
    assert got.out == f"OK mix.allowed.test {GOOD[4]}\n"
    assert far.host() == []


# ---- literal addresses --------------------------------------------------------

NEVER = ("127.0.0.1", "127.0.0.0/8", "127.1.2.3:80", "[::1]:80", "::1",
         "169.254.169.254", "169.254.169.254:80", "169.254.0.0/16", "fe80::1",
         "fe80::/10", "168.63.129.16", "100.100.100.200", "fd00:ec2::254",
         "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
         "240.0.0.0/4", "::ffff:198.51.100.10", "64:ff9b::c633:640a",
         "2002:c633:640a::1", "192.0.0.1", "192.0.0.2", "2001:2::1",
         "fe80::1%eth0", "198.51.100.10/24", "0x7f.1", "198.51.100.010",
         "198.51.100.10:0", "198.51.100.10:65536", "")


@pytest.mark.parametrize("address", NEVER)
def test_address_that_is_never_allowed(egress, far, address):
    """Loopback, link-local, metadata and nonsense: an error before anything is
    started."""
    got = egress(["--allow-address", address, "echo", "started"])
    assert got.rc == 2 and got.out == ""
    assert got.err.count("\n") == 1 and "address" in got.err
    assert far.wire() == []


EVERYTHING = allow_address("0.0.0.0/0", "::/0")
SHUT = ("127.0.0.1", "127.0.0.53", "169.254.169.254", "168.63.129.16",
        "100.100.100.200", "0.0.0.0", "192.0.0.1", "192.0.0.192",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1",
        "fd00:ec2::254", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:2::1",
        "::ffff:127.0.0.1", "2001:0:1::1")


def test_everything_is_not_everything(egress, host, far):
    """0.0.0.0/0 and ::/0 open the internet, but neither the host, loopback and
    metadata nor any embedding of them."""
    tried = targets("tcp", *HOST_ADDRESSES, *SHUT, ports=(22, 80, 8000, 8001))
    outside = probe(host, tried)
    assert {outside[f"tcp {x} 8000"] for x in HOST_ADDRESSES} == {"connected"}
    assert outside["tcp 169.254.169.254 80"] == "connected"
    assert far.host() and far.http()
    far.mark()
    assert refused(probe(egress, tried, EVERYTHING))
    assert far.host() == [] and far.http() == []
    assert not far.wire(r"Flags \[S")
    tried = targets("tcp", *GOOD.values(), *EVIL.values(), "10.1.2.3")
    assert set(probe(egress, tried, EVERYTHING).values()) == {"connected"}
    tried = targets("udp", *GOOD.values())
    assert refused(probe(egress, tried, EVERYTHING))
    assert far.sink(" 6c65616b") == []


# What is given: what it opens, of the addresses and ports below.
LITERALS = {
    ("198.51.100.10",): ("198.51.100.10 80", "198.51.100.10 443"),
    ("198.51.100.10:80",): ("198.51.100.10 80",),
    ("198.51.100.10:80", "198.51.100.10:443", "198.51.100.11:443"):
        ("198.51.100.10 80", "198.51.100.10 443", "198.51.100.11 443"),
    ("198.51.100.8/30",): tuple(f"198.51.100.{x} {port}" for x in (10, 11)
                                for port in (80, 443)),
    ("198.51.100.0/24:443",): ("198.51.100.10 443", "198.51.100.11 443",
                               "198.51.100.20 443"),
    # Overlapping, adjacent and equal ones add up, ports and all.
    ("198.51.100.0/24:443", "198.51.100.10/31:80", "198.51.100.11"):
        ("198.51.100.10 443", "198.51.100.11 443", "198.51.100.20 443",
         "198.51.100.10 80", "198.51.100.11 80"),
    ("198.51.100.10", "198.51.100.11", "198.51.100.10/31", "198.51.100.10"):
        tuple(f"198.51.100.{x} {port}" for x in (10, 11)
              for port in (80, 443)),
    ("2001:db8:1::10",): ("2001:db8:1::10 80", "2001:db8:1::10 443"),
    ("[2001:db8:1::10]:443",): ("2001:db8:1::10 443",),
    ("2001:db8:1::/64", "[2001:db8::/32]:443"):
        ("2001:db8:1::10 80", "2001:db8:1::10 443", "2001:db8:bad::10 443"),
    ("0.0.0.0/0:80",): tuple(f"{x} 80" for x in (
        "198.51.100.10", "198.51.100.11", "198.51.100.20", "203.0.113.10")),
}
LITERAL_TARGETS = targets("tcp", "198.51.100.10", "198.51.100.11",
                          "198.51.100.20", "203.0.113.10", "2001:db8:1::10",
                          "2001:db8:bad::10", ports=(80, 443))


@pytest.mark.parametrize("given", LITERALS, ids=" ".join)
def test_literal_networks(egress, far, given):
    """They open what they say, port by port, without any look-up."""
    got = probe(egress, LITERAL_TARGETS, allow_address(*given))
    opened = {x for x, result in got.items() if result == "connected"}
    assert opened == {f"tcp {x}" for x in LITERALS[given]}
    assert {got[x] for x in set(got) - opened} == {"ECONNREFUSED"}
    reached = {line.split(" > ")[1].split(": ")[0]
               for line in far.wire(r"Flags \[S\]")}
    assert reached == {".".join(x.split()) for x in LITERALS[given]}
    assert far.dns() == []


# ---- names with a port --------------------------------------------------------

# The patterns, the names resolved, the ports then open at the common address.
PORT_RULES = [
    (["allowed.test:80"], ["allowed.test"], {80}),
    (["allowed.test:443"], ["allowed.test"], {443}),
    (["allowed.test:80", "allowed.test:22"], ["allowed.test"], {80, 22}),
    (["allowed.test:80", "allowed.test"], ["allowed.test"], {22, 80, 443, 9999}),
    (["allowed.test:80", "api.allowed.test:443"], ["allowed.test"], {80}),
    (["allowed.test:80", "api.allowed.test:443"], ["api.allowed.test"], {443}),
    (["allowed.test:80", "api.allowed.test:443"],
     ["allowed.test", "api.allowed.test"], {80, 443}),
    (["*.allowed.test:443", "api.allowed.test:9999"], ["api.allowed.test"],
     {443, 9999}),
    (["*:22"], ["evil2.test"], {22}),
    (["allowed.test:81"], ["allowed.test"], set()),
]


@pytest.mark.parametrize("patterns, names, opened", PORT_RULES)
@pytest.mark.parametrize("v", [4, 6])
def test_ports_of_names(egress, far, patterns, names, opened, v):
    """Port by port and name by name, though the names share their address."""
    with cage(*patterns, user="tester") as box:
        for name in names:
            assert box.ask(name, "A" if v == 4 else "AAAA").addresses \
                == [GOOD[v]]
        far.mark()
        for port in (22, 80, 443, 9999):
            assert box.connect(GOOD[v], port) \
                == (None if port in opened else "ECONNREFUSED")
        reached = {int(line.split(": ")[0].rsplit(".", 1)[1])
                   for line in far.wire(rf" > {GOOD[v]}\.\d+: Flags \[S\]")}
        assert reached == opened
        assert not far.wire("UDP")
