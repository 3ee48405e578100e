# SPDX-License-Identifier: GPL-2.0-or-later
"""What names may carry out, where they may lead, and which records they have:
the ration of a wildcard, private addresses, egress_run.dns_types."""
import contextlib
import ipaddress
import json
import pathlib
import struct
import tempfile
import time

import pytest

import lab
from dns_helpers import (
    EDE_FILTERED, EDE_PROHIBITED, FAKE, NOERROR, NXDOMAIN, REFUSED, SERVFAIL,
    TYPES, Reply, ask_all, cage, pipeline, wire)
from gate_helpers import Gate

pytestmark = pytest.mark.usefixtures("egress")

GOOD4 = "198.51.100.10"
BURST, RATE, PER_NAME = 8192, 256, 16  # bytes, bytes a second, bytes


def events(log, verdict):
    found = [json.loads(x) for x in log.read_text().splitlines()]
    return [x for x in found if x.get("verdict") == verdict]


# ---- the ration of a wildcard -----------------------------------------------

def test_tunnel_under_a_wildcard(far, share):
    """600 names with 30 digits each as fast as one can: upstream sees the
    burst and what the rate lets through, each name once; the others are
    refused with a reason, and one line tells it. What another wildcard allows,
    names in the cache and those that are listed in full, are answered."""
    log = share / "log"
    told = []
    with cage("*.wild.test", "*.allowed.test", "allowed.test",
              options=["--log", log]) as box:
        assert box.ask("cached.wild.test").addresses == [GOOD4]
        far.mark()
        begin = time.monotonic()
        pipeline(box, (f"{n:030x}.wild.test" for n in range(600)),
                 each=lambda raw: told.append(Reply(raw)))
        took = time.monotonic() - begin
        for name in "cached.wild.test", "api.allowed.test", "allowed.test":
            assert box.ask(name).addresses == [GOOD4]
        reasons = {x[0][1].ede for x in ask_all(
            box, [f"{n}{'x' * 50}.wild.test" for n in range(40)], 6).values()}
        err = box.finish()
    assert reasons == {None, (
        EDE_PROHIBITED,
        "egress-run: too many new names under *.wild.test; wait some seconds")}
    good = [x for x in told if x.rcode == NOERROR]
    assert {x.rcode for x in told} == {NOERROR, REFUSED} and len(told) == 600
    assert {x.addresses[0] for x in good} == {GOOD4}
    asked = [q.name for q in far.dns("wild.test") if "x" not in q.name]
    assert len(asked) == len(set(asked)) == len(good)
    assert BURST // (PER_NAME + 30) - 2 <= len(good)
    assert len(good) <= (BURST + RATE * (took + 3)) / (PER_NAME + 30)
    assert err.count("too many new names under *.wild.test (1 time)") == 1
    assert [x["rule"] for x in events(log, "limit")] == ["*.wild.test"]


def test_long_names_cost_more(far):
    """180 bytes of a message in each: a quarter of the names."""
    pad = ".".join(["p" * 58] * 3)
    with cage("*.wild.test") as box:
        begin = time.monotonic()
        pipeline(box, (f"{n:03}.{pad}.wild.test" for n in range(120)))
        took = time.monotonic() - begin
    most = (BURST + RATE * (took + 3)) / (PER_NAME + 180)
    assert 40 <= len(far.dns("wild.test")) <= most < 80


def test_waits_for_its_turn(far):
    """A little over the burst is late, not lost."""
    names = [f"{n:030x}.wild.test" for n in range(BURST // (PER_NAME + 30) + 5)]
    with cage("*.wild.test") as box:
        answers = ask_all(box, names, 6)
        assert all(answers[x][0][1].addresses == [GOOD4] for x in names)
        late = max(x[0][0] for x in answers.values())
        assert late > 0.3
        assert "too many new names" in box.finish()
    assert len(far.dns("wild.test")) == len(names)


def test_a_browser_is_not_slowed():
    """100 names below one wildcard and 50 below another at once, each for both
    families, and again."""
    names = [f"asset-{n}.cdn.wild.test" for n in range(100)]
    names += [f"plain-{n}.hostile.test" for n in range(50)]
    questions = [(x, t) for x in names for t in ("A", "AAAA")]
    with cage("*.wild.test", "*.hostile.test") as box:
        codes = []
        for _ in range(2):
            pipeline(box, questions, 100,
                     each=lambda raw: codes.append(raw[3] & 15))
        assert codes == [NOERROR] * 2 * len(questions)
        assert box.finish() == ""


def test_a_lone_star_is_not_rationed():
    """Every server can be reached: there is nothing to hold back."""
    codes = set()
    with cage("*") as box:
        pipeline(box, (f"{n:030x}.wild.test" for n in range(400)),
                 each=lambda raw: codes.add(raw[3] & 15))
    assert codes == {NOERROR}


# ---- private addresses ------------------------------------------------------

PRIVATE = ["10.0.0.10", "172.16.9.9", "172.31.255.255", "192.168.1.1",
           "100.64.0.1", "100.127.255.255", "192.0.0.170", "192.88.99.1",
           "198.18.0.1", "198.19.255.255", "fc00::1", "fd12:3456::1",
           "fdff:ffff::1", "5f00::1"]
NEVER = ["127.0.0.1", "169.254.169.254", "169.254.1.1", "0.0.0.0", "0.1.2.3",
         "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
         "100.100.100.200", "168.63.129.16", "192.0.2.1", "172.16.5.5",
         "192.0.0.1", "192.0.0.2", "fec0::1", "fe80::5efe:7f00:1",
         "2001:db8:1::5efe:7f00:1", "2001:db8:1::200:5efe:a00:1", "2001:2::1",
         "2001:2::2", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::",
         "2001:0:a00::1", "fd20:ce::254", "::ffff:0:a00:1", "100::1"]


def leads_to(*addresses):
    return "-".join(["ip", *(ipaddress.ip_address(x).packed.hex()
                             for x in addresses)]) + ".hostile.test"


def family(address):
    return "AAAA" if ":" in address else "A"


@pytest.fixture(scope="class")
def guarded(egress):
    with cage("*.hostile.test") as box:
        yield box


@pytest.fixture(scope="class")
def opened(egress):
    """As open as one may ask for."""
    with cage("*.hostile.test", options=[
            "--allow-private", "*.hostile.test", "--allow-private",
            "0.0.0.0/0", "--allow-private", "::/0"]) as box:
        yield box


class TestPrivateAddresses:
    """In the order of the text."""

    @pytest.mark.parametrize("address", PRIVATE)
    def test_removed(self, guarded, far, address):
        reply = guarded.ask(leads_to(address), family(address))
        assert reply.rcode == NOERROR and not reply.answers
        assert reply.ede_code == EDE_FILTERED
        assert "--allow-private" in reply.ede[1]
        assert guarded.connect(address) == "ECONNREFUSED"
        assert not far.wire(rf"> {address}\.80: ")

    def test_beside_a_good_one(self, guarded):
        name = leads_to("10.0.0.10", GOOD4, "100.64.0.1")
        assert guarded.ask(name).addresses == [GOOD4]
        assert guarded.connect("10.0.0.10") == "ECONNREFUSED"

    @pytest.mark.parametrize("address", PRIVATE)
    def test_opened(self, opened, far, address):
        """The control, and the option."""
        assert opened.ask(leads_to(address),
                          family(address)).addresses == [address]
        assert opened.connect(address) is None
        assert far.wire(rf"> {address}\.80: Flags \[S\]")

    @pytest.mark.parametrize("address", NEVER)
    def test_never(self, opened, far, address):
        reply = opened.ask(leads_to(address), family(address))
        assert not reply.answers and reply.ede_code == EDE_FILTERED
        assert "never allowed" in reply.ede[1]
        for port in 80, 8000:
            assert opened.connect(address, port) is not None
        assert far.host() == [] and not far.wire(
            rf"> {address}\.(80|8000): Flags \[S\]")

    def test_sets_of_the_gate(self, guarded, opened):
        """After all of that."""
        for box, given in (guarded, [GOOD4]), (opened, PRIVATE):
            with Gate(box) as gate:
                assert {*gate.elements("addr4"), *gate.elements("addr6")} \
                    == set(given)

    def test_summary(self, guarded):
        err = guarded.finish()
        name = leads_to("10.0.0.10")
        assert f"{name} -> 10.0.0.10 (private address) (1 look-up); allow " \
            f"with --allow-private {name}" in err or "more; --log" in err


@pytest.mark.parametrize("options, passed", [
    ([], set()),
    (["--allow-private", "10.0.0.0/8"], {"10.0.0.10"}),
    (["--allow-private", "10.0.0.10"], {"10.0.0.10"}),
    (["--allow-private", "10.0.0.11"], set()),
    (["--allow-private", leads_to("100.64.0.1")], {"100.64.0.1"}),
    (["--allow-private", "*.other.test"], set()),
    (["--allow-address", "10.0.0.0/8"], {"10.0.0.10"}),
    (["--allow-address", "10.0.0.0/8:443"], set()),
    (["--allow-net"], {"10.0.0.10", "100.64.0.1"})],
    ids=lambda x: " ".join(x)[16:] if isinstance(x, list) else None)
def test_what_lets_private_addresses_pass(etc, options, passed):
    """/etc/hosts included."""
    hosts = pathlib.Path("/etc/hosts").read_text()
    etc("hosts", f"{hosts}\n10.0.0.10 inhosts.allowed.test\n")
    with cage(*([] if options == ["--allow-net"] else
                ["*.hostile.test", "inhosts.allowed.test"]),
              options=options) as box:
        for address in "10.0.0.10", "100.64.0.1":
            assert set(box.ask(leads_to(address)).addresses) == \
                {address} & passed
        assert set(box.ask("inhosts.allowed.test").addresses) == \
            {"10.0.0.10"} & passed


@pytest.mark.parametrize("value, word", [
    ("127.0.0.0/8", "never permitted"), ("169.254.169.254", "metadata"),
    ("64:ff9b::/96", "NAT64"), ("nas.test:80", "port"),
    ("10.0.0.0/8:80", "port"), ("10.0.0.1/8", "10.0.0.0/8"), ("*.com", "com"),
    ("a.*.test", "*"), ("", "")])
def test_mistakes(egress, value, word):
    got = egress(["--allow-private", value, "--", "true"])
    assert got.rc == 2
    assert word in got.err and got.err.count("\n") == 1


@contextlib.contextmanager
def profiled(**own):
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as path:
        file = pathlib.Path(path) / "p.json"
        file.write_text(json.dumps({
            "network": {"allow_domain": ["*.hostile.test", "allowed.test",
                                         "*.in-addr.arpa"]},
            "egress_run": own}))
        yield ["--profile", file]


def test_private_in_a_profile(egress, far):
    """Merged with the flag, listed by the dry run."""
    with profiled(allow_private=["10.0.0.0/8"]) as options:
        options = [*options, "--allow-private", leads_to("100.64.0.1")]
        got = egress([*options, "--dry-run", "--", "true"])
        assert "private 10.0.0.0/8" in got.out
        assert f"private {leads_to('100.64.0.1')}" in got.out
        with cage(options=["-q", *options]) as box:
            for address in "10.0.0.10", "100.64.0.1":
                assert box.ask(leads_to(address)).addresses == [address]
            assert not box.ask(leads_to("192.168.1.1")).answers


# ---- records other than addresses -------------------------------------------

ALL_TYPES = ["CAA", "MX", "PTR", "SRV", "TXT"]
NAME = "records.hostile.test"
GIVEN = {
    "MX": [b"\0\x0a" + wire(f"mail.{NAME}"), b"\0\x14" + wire("mx.other.test")],
    "TXT": [b"\5v=one\3two", b"\1x"],
    "SRV": [struct.pack("!HHH", 1, 2, 443) + wire(f"srv.{NAME}")],
    "PTR": [wire("host.other.test")],
    "CAA": [b"\0\5issueca.other.test"],
}


@pytest.fixture(scope="class")
def typed(egress):
    with profiled(dns_types=ALL_TYPES) as options, \
            cage(options=["-q", *options]) as box:
        yield box


class TestRecords:
    @pytest.mark.parametrize("qtype", ALL_TYPES)
    def test_passed_on(self, typed, far, qtype):
        """Written anew: names whole and in lower case, those of other owners
        left out; the second time from the cache."""
        for tcp in False, True:
            reply = typed.ask(NAME, qtype, tcp=tcp)
            assert reply.rcode == NOERROR and reply.ttl <= 60
            assert [x.data for x in reply.answers] == GIVEN[qtype]
            assert {(x.name, x.type) for x in reply.answers} == {
                (NAME, TYPES[qtype])}
        assert len(far.fakedns()) == 1

    @pytest.mark.parametrize("qtype, count", [
        ("MX", 3), ("TXT", 2), ("SRV", 1), ("PTR", 2), ("CAA", 2)])
    def test_malformed(self, typed, qtype, count):
        for n in range(count):
            reply = typed.ask(f"broken-{n}.hostile.test", qtype)
            assert reply.rcode == SERVFAIL and not reply.answers

    def test_targets_are_not_admitted(self, typed):
        assert typed.ask(NAME, "MX").answers
        assert typed.ask("mx.other.test").denied
        assert typed.ask("evil.test", "MX").denied

    def test_real_server(self, typed, host):
        assert b"text of allowed.test" in typed.ask(
            "allowed.test", "TXT").answers[0].data
        reply = typed.ask("10.100.51.198.in-addr.arpa", "PTR")
        assert reply.rcode in (NOERROR, NXDOMAIN)

    def test_too_big(self, typed):
        """More than an answer may have is left out, not cut."""
        reply = typed.ask("bigtxt.hostile.test", "TXT", tcp=True)
        assert reply.rcode == NOERROR and not reply.answers

    @pytest.mark.parametrize("qtype", ["HTTPS", "SVCB", "NULL", "NS", "ANY"])
    def test_others_stay_empty(self, typed, far, qtype):
        reply = typed.ask(NAME, qtype)
        assert reply.rcode == NOERROR and not reply.answers
        assert far.fakedns() == []


def test_only_the_types_that_are_listed(far):
    with profiled(dns_types=["MX"]) as options, \
            cage(options=["-q", *options]) as box:
        assert not box.ask(NAME, "TXT").answers and far.fakedns() == []
        assert box.ask(NAME, "MX").answers


@pytest.mark.parametrize("word", ["HTTPS", "A", "txt", "ANY", "\x1b"])
def test_types_that_are_not(egress, word):
    with profiled(dns_types=[word]) as options:
        got = egress([*options, "--", "true"])
        assert got.rc == 125 and "egress_run.dns_types" in got.err and "TXT" in got.err
        assert "\x1b" not in got.err


def test_names_under_a_wildcard_are_rationed_for_every_type(far, etc):
    etc("resolv.conf", f"nameserver {FAKE}\n")
    codes = []
    with profiled(dns_types=["TXT"]) as options, \
            cage(options=["-q", *options]) as box:
        pipeline(box, ((f"nodata-{n:030x}.hostile.test", "TXT")
                       for n in range(300)),
                 each=lambda raw: codes.append(raw[3] & 15))
    assert len(far.fakedns()) == codes.count(NOERROR) < 250
