# SPDX-License-Identifier: GPL-2.0-or-later
"""What --deny-domain and deny_domain shut, whatever else opens it: names,
ports of names, addresses and networks, and ports of those. Denied names are
never asked upstream, denied addresses never dialled; the far ends' records
are the judge, and beside each thing that is shut something open is tried.
"""
import json

import pytest

from dns_helpers import cage
from gate_helpers import EVIL, GOOD, allow, allow_address, probe

pytestmark = pytest.mark.usefixtures("egress")

NXDOMAIN = 3
SECOND = {4: "198.51.100.11", 6: "2001:db8:1::11"}


def deny(*entries):
    return [word for x in entries for word in ("--deny-domain", x)]


def targets(*pairs):
    return [f"tcp {address} {port}" for address, port in pairs]


def opened(results):
    return {x[4:] for x, result in results.items() if result == "connected"}


def syns(far):
    return {line.split(" > ")[1].split(": ")[0]
            for line in far.wire(r"Flags \[S\]")}


# Denied; names that then do not resolve; names that still do.
NAMES = {
    "exact": (["allowed.test"], ["allowed.test", "ALLOWED.Test"],
              ["api.allowed.test", "second.test"]),
    "below": (["*.allowed.test"], ["api.allowed.test", "www.allowed.test"],
              ["allowed.test"]),
    "final-dot": (["Allowed.TEST."], ["allowed.test"], ["api.allowed.test"]),
    "top-level": (["*.test"], ["allowed.test", "api.allowed.test"], []),
    "all": (["*"], ["allowed.test", "second.test"], []),
    "several": (["allowed.test", "second.test"],
                ["allowed.test", "second.test"], ["git.test"]),
}


@pytest.mark.parametrize("given", NAMES)
@pytest.mark.parametrize("allowed", [["*"], ["allowed.test", "*.allowed.test",
                                             "second.test", "git.test"]])
def test_names(far, given, allowed):
    denied, gone, there = NAMES[given]
    with cage(*allowed, user="tester", options=deny(*denied)) as box:
        for name in there:
            assert box.ask(name).addresses
        far.mark()
        for name in gone:
            reply = box.ask(name)
            assert reply.rcode == NXDOMAIN and not reply.addresses
            assert reply.ede_code == 15
            assert f"{name.lower()} is denied" in str(reply.ede)
        assert far.dns() == []


def test_not_listed_is_not_called_denied():
    with cage("allowed.test", options=deny("second.test")) as box:
        assert "is not on the allowlist" in str(box.ask("evil.test").ede)
        assert "is denied" in str(box.ask("second.test").ede)


@pytest.mark.parametrize("v", [4, 6])
def test_ports_of_names(far, v):
    """The name resolves, and all but the denied port is open, though the
    kernel's element is for every port."""
    kind = "A" if v == 4 else "AAAA"
    with cage("allowed.test", user="tester",
              options=deny("allowed.test:443")) as box:
        assert box.ask("allowed.test", kind).addresses == [GOOD[v]]
        far.mark()
        assert box.connect(GOOD[v], 80) is None
        assert box.connect(GOOD[v], 443) == "ECONNREFUSED"
        assert syns(far) == {f"{GOOD[v]}.80"}


def test_ports_of_shared_address(far):
    """An address does not tell which of its names is meant: from the moment
    that the name with the denied port resolved to it, the port is shut."""
    with cage("allowed.test", "api.allowed.test", user="tester",
              options=deny("allowed.test:443")) as box:
        box.ask("api.allowed.test")
        assert box.connect(GOOD[4], 443) is None
        box.ask("allowed.test")
        far.mark()
        assert box.connect(GOOD[4], 443) == "ECONNREFUSED"
        assert box.connect(GOOD[4], 80) is None
        assert syns(far) == {f"{GOOD[4]}.80"}


def test_port_of_name_shuts_literal_network(far):
    with cage("allowed.test", user="tester",
              options=[*deny("allowed.test:443"),
                       *allow_address("198.51.100.0/24")]) as box:
        box.ask("allowed.test")
        far.mark()
        assert box.connect(GOOD[4], 443) == "ECONNREFUSED"
        assert box.connect(SECOND[4], 443) is None
        assert syns(far) == {f"{SECOND[4]}.443"}


# Denied; what remains of the four targets of test_literal_networks.
LITERALS = {
    "198.51.100.10": {"198.51.100.11 80", "198.51.100.11 443"},
    "198.51.100.10:443": {"198.51.100.10 80", "198.51.100.11 80",
                          "198.51.100.11 443"},
    "198.51.100.8/30": set(),
    "198.51.100.0/24:80": {"198.51.100.10 443", "198.51.100.11 443"},
    "::ffff:198.51.100.11": {"198.51.100.10 80", "198.51.100.10 443"},
    "0.0.0.0/0": set(),
    "2001:db8::/32": {"198.51.100.10 80", "198.51.100.10 443",
                      "198.51.100.11 80", "198.51.100.11 443"},
}


@pytest.mark.parametrize("given", LITERALS)
def test_literal_networks(egress, far, given):
    """Literal networks do not open what is denied."""
    tried = targets(*((f"198.51.100.{x}", port) for x in (10, 11)
                      for port in (80, 443)))
    got = probe(egress, tried, [*allow_address("198.51.100.0/24"),
                                *deny(given)])
    assert opened(got) == LITERALS[given]
    assert set(got.values()) <= {"connected", "ECONNREFUSED"}
    assert syns(far) == {".".join(x.split()) for x in LITERALS[given]}


@pytest.mark.parametrize("v", [4, 6])
def test_address_behind_a_name(far, v):
    """A denied address is admitted for no name; other names are as they
    were."""
    kind = "A" if v == 4 else "AAAA"
    with cage("allowed.test", "second.test", user="tester",
              options=deny(GOOD[v])) as box:
        far.mark()
        assert box.ask("allowed.test", kind).addresses == []
        assert box.connect(GOOD[v], 80) == "ECONNREFUSED"
        assert box.ask("second.test", kind).addresses == [SECOND[v]]
        assert box.connect(SECOND[v], 80) is None
        assert syns(far) == {f"{SECOND[v]}.80"}


def test_port_of_address_behind_a_name(far):
    with cage("allowed.test", user="tester",
              options=deny(f"{GOOD[4]}:443", f"[{GOOD[6]}]:80")) as box:
        box.ask("allowed.test")
        box.ask("allowed.test", "AAAA")
        far.mark()
        assert box.connect(GOOD[4], 443) == "ECONNREFUSED"
        assert box.connect(GOOD[4], 80) is None
        assert box.connect(GOOD[6], 80) == "ECONNREFUSED"
        assert box.connect(GOOD[6], 443) is None
        assert syns(far) == {f"{GOOD[4]}.80", f"{GOOD[6]}.443"}


def test_other_address_of_the_name_is_not_tried(far):
    """multi.test refuses on its first address; the second would answer, and
    is denied on that port."""
    with cage("multi.test", user="tester") as box:
        box.ask("multi.test")
        assert box.connect("198.51.100.12", 80) is None
    with cage("multi.test", user="tester",
              options=deny("198.51.100.10:80")) as box:
        box.ask("multi.test")
        far.mark()
        assert box.connect("198.51.100.12", 80) == "ECONNREFUSED"
        assert syns(far) == {"198.51.100.12.80"}


def test_open_network(egress, far):
    """--allow-net opens all but what is denied."""
    tried = targets((GOOD[4], 80), (GOOD[4], 443), (EVIL[4], 80),
                    (EVIL[6], 80), (GOOD[6], 80))
    got = probe(egress, tried, ["--allow-net",
                                *deny(EVIL[4], f"{GOOD[4]}:443")])
    assert opened(got) == {f"{GOOD[4]} 80", f"{EVIL[6]} 80", f"{GOOD[6]} 80"}
    assert f"{EVIL[4]}.80" not in syns(far)


def test_profile(egress, far, share):
    """The same from a profile; what matches nothing is noted with -v."""
    path = share / "p.json"
    path.write_text(json.dumps({"network": {
        "allow_domain": ["*.test", "198.51.100.11", "a.*.b"],
        "deny_domain": ["evil.test", "allowed.test:443", "second.test"]}}))
    path.chmod(0o644)
    share.chmod(0o755)
    script = ("for x in allowed evil second; do "
              "getent ahostsv4 $x.test | head -n1 | cut -d' ' -f1; done")
    got = egress(["-v", "--profile", str(path), "sh", "-c", script])
    assert got.out.split() == [GOOD[4]]
    assert "a.*.b" in got.err
    tried = targets((GOOD[4], 80), (GOOD[4], 443), (SECOND[4], 80))
    got = probe(egress, tried, ["--profile", str(path)],
                first="getent ahosts allowed.test >/dev/null", user="root")
    assert opened(got) == {f"{GOOD[4]} 80", f"{SECOND[4]} 80"}


@pytest.mark.parametrize("given, word", [
    ("", "empty"), ("x..test", "empty label"), ("*x.test", "first label"),
    ("x.test:0", "port"), ("10.0.0.1/8", "prefix"), ("0x7f.1", "address"),
    ("https://x.test/y", "path rules")])
def test_refused(egress, given, word):
    got = egress([*allow("allowed.test"), *deny(given), "true"])
    assert got.rc == 2 and got.out == "" and got.err.count("\n") == 1
    assert word in got.err
