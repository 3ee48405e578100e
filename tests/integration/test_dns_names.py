# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a pattern covers, and which patterns are refused.

A name that is covered is asked upstream, one that is not never is: the record
of the DNS server is the judge, and each table has both. At the wire level the
labels are sent as they are; odd labels are in test_dns.py.
"""
import pytest

from dns_helpers import cage

pytestmark = pytest.mark.usefixtures("egress")

# Patterns; names that they cover; names that they do not.
TABLE = {
    "wildcard": (["*.allowed.test"], [
        "api.allowed.test", "API.Allowed.TEST", "a.b.allowed.test",
        "a.b.c.d.e.f.allowed.test", "_dmarc.allowed.test", "x_y.allowed.test",
        "_https._tcp.allowed.test", "-x.allowed.test", "0.allowed.test",
        "a" * 63 + ".allowed.test", "xn--bcher-kva.allowed.test"], [
        "allowed.test", "evilallowed.test", "allowed.test.evil.test",
        "xallowed-test", "x.allowed-test", "x.allowedxtest", "test",
        "allowed", "api.allowed", "api.allowed.tes", "api.allowed.testx",
        "api.allowed.test.x", "x-allowed.test", "lowed.test",
        "xn--allwed-pta.test", "x.xn--llowed-4nf.test"]),
    "exact": (["allowed.test"], [
        "allowed.test", "ALLOWED.TEST", "aLLOWED.tEST"], [
        "api.allowed.test", "x.allowed.test", "llowed.test", "allowedtest",
        "allowed.test.test", "xallowed.test", "allowed.tes", "test",
        "allowed", "xn--llowed-4nf.test"]),
    "final-dot": (["allowed.test."], ["allowed.test"], ["api.allowed.test"]),
    "upper-case": (["*.WILD.Test"], ["x.wild.test"], ["wild.test"]),
    # A name that begins and ends like the pattern, with parts overlapping.
    "overlap": (["*.b.test", "ab.b.test"], ["x.b.test", "ab.b.test"], [
        "b.test", "ab.test", "ab.b.tes", "bb.test", "abb.test"]),
    "no-regex": (["a.b.test", "*.x-y.test"], ["a.b.test", "q.x-y.test"], [
        "axb.test", "a-b.test", "q.xay.test", "qx-y.test", "a.bxtest"]),
    "several": (["allowed.test", "*.wild.test", "second.test:443"], [
        "allowed.test", "x.wild.test", "second.test"], [
        "wild.test", "x.second.test", "443.second.test", "git.test"]),
    "u-label": (["b\u00fccher.wild.test", "*.\u00fc.test"], [
        "xn--bcher-kva.wild.test", "XN--BCHER-KVA.wild.test",
        "x.xn--tda.test"], [
        "bcher.wild.test", "bucher.wild.test", "xn--bucher-kva.wild.test",
        "xn--tda.test", "x.wild.test"]),
    "a-label": (["xn--bcher-kva.wild.test"], ["xn--bcher-kva.wild.test"], [
        "bucher.wild.test", "xn--bcher-kvb.wild.test"]),
    # The Cyrillic letter that looks like an "a" makes another name.
    "homograph": (["\u0430llowed.test"], ["xn--llowed-2nf.test"], [
        "allowed.test", "llowed.test"]),
    "underscore": (["_x._tcp.wild.test"], ["_x._tcp.wild.test"], [
        "x._tcp.wild.test", "_tcp.wild.test"]),
    "single-label": (["printer"], ["printer"], ["printer.test", "xprinter"]),
    # Not what resembles an address, nor the name by which browsers learn that
    # they may use a resolver of their own.
    "everything": (["*"], [
        "allowed.test", "evil.test", "a.b.c.d.evil2.test", "test"], [
        "192.0.2.10", "10.1", "0x7f.1", "127.1", "2130706433", "0x7f000001",
        "x.0x7f000001", "x.1", "0177.0.0.1", "use-application-dns.net",
        "USE-application-DNS.net"]),
    "nothing": ([], [], ["allowed.test", "test", "evil.test"]),
}


@pytest.mark.parametrize("row", TABLE)
def test_names(far, row):
    patterns, covered, others = TABLE[row]
    with cage(*patterns) as box:
        for name in covered:
            reply = box.ask(name)
            assert not reply.denied and reply.ede is None, name
        for name in others:
            assert box.ask(name).denied, name
            assert box.ask(name, "AAAA").denied, name
    assert [q.name for q in far.dns()] == \
        list(dict.fromkeys(x.lower() for x in covered))


def test_final_dot_of_a_name(egress, far):
    """The same name with and without it (clients remove it)."""
    got = egress(["-q", "--allow-domain", "*.wild.test", "--", "sh", "-c",
                  "getent ahostsv4 x.wild.test.; getent ahostsv4 "
                  "allowed.test."])
    assert got.out.startswith("198.51.100.10 ") and got.rc == 2
    assert {q.name for q in far.dns()} == {"x.wild.test"}


REFUSED = {
    "empty": [""],
    "dots": [".", "..", "..allowed.test", ".allowed.test", "allowed..test",
             "allowed.test..", "*..test", "*."],
    "label-too-long": ["a" * 64 + ".test"],
    "name-too-long": [".".join(["a" * 60] * 5), "x" * 5000],
    "address": ["192.0.2.10", "[::1]", "::1", "2001:db8::1", "0x7f.1", "127.1",
                "0177.0.0.1", "2130706433", "192.0.2.10:80", "[::1]:80",
                "192.0.2.0/24", "1.2.3.4.", "x.0x7f"],
    "wildcard-inside": ["*.*", "a*b*.c", "a*.test", "*a.test", "a.*.test",
                        "test.*", "**", "**.wild.test", "*allowed.test"],
    "wildcard-of-a-registry": ["*.test", "*.com", "*.co.uk", "*.com.au",
                               "*.test."],
    "glob-or-regex": ["[a-z].test", "?x.test", "\\*.test", "(a|b).test",
                      "{a,b}.test", "^a.test", "a.test$", "a+.test"],
    "characters": ["a b.test", "a\tb.test", "a\nb.test", "a\rb.test",
                   "a;b.test", "a#b.test", "a'b.test", 'a"b.test', "a&b=.test",
                   "a%00.test", "a,b.test", " allowed.test", "allowed.test ",
                   "a\\.test", "a\x1b[31m.test", "a\x7f.test", "a!b.test"],
    "url": ["https://allowed.test", "allowed.test/path", "user@allowed.test",
            "git@git.test:repo.git", "//allowed.test"],
    "port": ["allowed.test:", "allowed.test:0", "allowed.test:65536",
             "allowed.test:x", "allowed.test:80:80", "allowed.test:-1",
             "allowed.test:+80", "allowed.test:080", "allowed.test: 80",
             "allowed.test:80-90", ":80", "allowed.test:99999999999999999999"],
    "punycode": ["xn--.test", "xn--\u00fc.test", "xn--a-.test"],
    "metadata": ["metadata.google.internal", "METADATA.google.internal.",
                 "instance-data"],
}


@pytest.mark.parametrize("what", REFUSED)
def test_patterns_that_are_refused(egress, what):
    """Exit status 2, one line that quotes the pattern, and the command does
    not run; the line holds no byte that a terminal would act upon."""
    for pattern in REFUSED[what]:
        got = egress(["--allow-domain", "allowed.test", "--allow-domain",
                      pattern, "--", "echo", "ran"])
        assert (got.rc, got.out) == (2, ""), (pattern, got)
        lines = got.err.split("\n")
        assert len(lines) == 2 and lines[1] == "", (pattern, got.err)
        assert lines[0].startswith("egress-run: ") and lines[0].isprintable()
        if len(pattern) < 100 and pattern.isascii() and pattern.isprintable():
            assert f"'{pattern}'" in got.err.replace("\\\\", "\\"), got.err


def test_patterns_that_are_accepted(egress):
    """The control of the test above."""
    for pattern in ("allowed.test", "*.x.test", "*", "*:443", "x", "a-b.test",
                    "_x.test", "x.test:1", "*.x.test:65535", "EXAMPLE.com.",
                    "b\u00fccher.test", "xn--bcher-kva.test", "9.test",
                    "a" * 63 + ".test", "*.x.co.uk"):
        got = egress(["--allow-domain", pattern, "--", "echo", "ran"])
        assert (got.rc, got.out, got.err) == (0, "ran\n", ""), pattern


def test_refused_for_everybody(egress, who):
    got = egress(["--allow-domain", "*.*", "--", "echo", "ran"], user=who)
    assert (got.rc, got.out) == (2, "")
