# SPDX-License-Identifier: GPL-2.0-or-later
"""The DNS filter as its clients see it: transports, messages, names.

What the filter must keep from upstream is judged by the record of the DNS
server, what it must not let through by what comes back, byte by byte.
"""
import contextlib
import socket
import struct
import time

import pytest

import lab
from dns_helpers import (
    BADVERS, FAKE, FORMERR, GATEWAY4, GATEWAY6, NOERROR, NOTIMP, NXDOMAIN,
    REFUSED, TYPES, Reply, cage, message, opt_record, query, receive_tcp, sent_to, wire)

pytestmark = pytest.mark.usefixtures("egress")

GOOD4, GOOD6 = "198.51.100.10", "2001:db8:1::10"
EVIL4 = "203.0.113.10"
NO_DNS_OUT = r"> \S+\.53: "  # a packet to any DNS server


@pytest.fixture(scope="module")
def box(egress):
    with cage("allowed.test", "*.wild.test", "*.hostile.test", "many.test",
              "*.allowed.test") as running:
        yield running


# ---- transports and addresses -----------------------------------------------

@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("server", [
    GATEWAY4, GATEWAY6, "8.8.8.8", "1.1.1.1", "2001:4860:4860::8888",
    "192.0.2.53", "203.0.113.53", "203.0.113.10", "192.0.2.1", "127.0.0.1",
    "127.0.0.53", "::1"])
def test_every_address_is_the_filter(box, far, server, tcp):
    """A program with a resolver of its own gets the filter wherever it asks:
    allowed names resolve, others do not exist, and no packet goes there."""
    name = f"{server.replace(':', 'x').replace('.', '-')}.wild.test"
    reply = box.ask(name, server=server, tcp=tcp)
    assert reply.addresses == [GOOD4]
    assert box.ask(name, "AAAA", server, tcp).addresses == [GOOD6]
    assert box.ask("evil.test", server=server, tcp=tcp).denied
    assert far.dns("evil.test") == []
    assert [x for x in far.wire(NO_DNS_OUT)
            if "> 192.0.2.53.53:" not in x] == []


@pytest.mark.parametrize("server", ["8.8.8.8", "1.1.1.1", "203.0.113.53",
                                    "2001:4860:4860::8888"])
def test_control_those_servers_know_the_evil_name(host, far, server):
    got = host(["dig", "+short", "+tries=1", f"@{server}", "evil.test"])
    assert got.out == f"{EVIL4}\n"
    assert len(far.dns("evil.test")) == 1 and far.wire(NO_DNS_OUT)


def test_denied_at_once_while_upstream_is_silent(far, etc):
    """A denied name needs nobody: it is refused as fast with a resolver that
    swallows everything, while an allowed name (the control) waits for it."""
    etc("resolv.conf", "nameserver 198.51.100.67\noptions timeout:1 "
                       "attempts:1\n")
    with cage("allowed.test") as box:
        begin = time.monotonic()
        for qtype in "A", "AAAA", "HTTPS":
            reply = box.ask("evil.test", qtype)
            assert reply.denied
            assert "evil.test is not on the allowlist" in reply.ede[1]
            assert [x.type for x in reply.authority] == [TYPES["SOA"]]
        assert time.monotonic() - begin < 1
        assert box.ask("allowed.test").rcode == 2
        assert time.monotonic() - begin > 0.9
    assert far.wire(r"> 198\.51\.100\.67\.53: ")  # the control


def test_without_any_pattern_every_name_is_denied(far):
    with cage() as box:
        for name in "allowed.test", "evil.test", "test", "a.b.c.example.com":
            assert box.ask(name).denied
    assert far.dns() == []


def test_evil_host_as_its_own_resolver_learns_nothing(box, far):
    """The question itself would be the message: to the far end's own DNS
    server, by every transport, with the secret in the name."""
    for server in FAKE, "2001:db8:bad::54", EVIL4:
        for tcp in False, True:
            assert box.ask("secret.evil.test", server=server, tcp=tcp).denied
    assert far.dns("evil.test") == [] and far.fakedns() == []
    assert far.wire(NO_DNS_OUT) == []


# ---- messages ---------------------------------------------------------------

@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name", ["AlLoWeD.tEsT", "EVIL.test"])
def test_question_is_echoed_in_the_clients_case(box, name, tcp):
    """Resolvers mix the case of a question and check it (0x20); ask()
    compares the bytes."""
    reply = box.ask(name, tcp=tcp)
    assert reply.denied == (name == "EVIL.test")
    assert all(x.name == name for x in reply.answers)


def test_without_edns_the_answer_has_none(box):
    for name, rcode in ("allowed.test", NOERROR), ("evil.test", NXDOMAIN):
        reply = box.ask(name, opt=None)
        assert reply.rcode == rcode and not reply.additional
        reply = box.ask(name, opt=opt_record(size=0))
        assert reply.rcode == rcode and reply.opt and reply.opt.ttl == 0
        assert reply.opt.cls == 1232


def test_other_edns_version(box, far):
    reply = box.ask("x1.wild.test", opt=opt_record(version=1))
    assert reply.rcode == BADVERS and not reply.answers
    assert far.dns() == []


@pytest.mark.parametrize("opt", [
    opt_record() * 2, opt_record(options=b"\0\x0a\0\xff"), opt_record()[:-1],
    b"\1x" + opt_record()[1:]],
    ids=["two", "option-too-long", "cut", "owner-not-root"])
def test_malformed_edns(box, opt):
    counts = (1, 0, 0, 2 if len(opt) == 22 else 1)
    question = wire("allowed.test") + struct.pack("!HH", 1, 1)
    reply = Reply(box.exchange(message(question, 7, counts=counts, extra=opt)))
    assert reply.ident == 7 and reply.rcode == FORMERR and not reply.answers


def test_nothing_of_a_query_is_passed_on(far, etc):
    """What a client can hide in a query besides the name: id, flags, case,
    options, records, bytes behind the end. Upstream sees a message made anew:
    all that differs between two is the id, and that is not the client's."""
    secret = b"SECRET-of-the-client"
    options = struct.pack("!HH", 10, 8) + b"SECRETco" + struct.pack(
        "!HH", 65001, len(secret)) + secret
    etc("resolv.conf", f"nameserver {FAKE}\n")
    with cage("*.hostile.test") as box:
        name = "PlAiN-1.HoStIlE.tEsT"
        question = wire(name) + struct.pack("!HH", 1, 1)
        extra = (opt_record(size=4000, flags=0x8000, options=options)
                 + b"\0" + struct.pack("!HHIH", 16, 1, 0, len(secret)) + secret
                 + secret)
        # RD, AD, CD and the reserved bit
        data = message(question, 0x5345, 0x0170, (1, 0, 0, 2), extra)
        reply = Reply(box.exchange(data))
        assert reply.addresses == [GOOD4] and secret not in reply.raw
        assert reply.question == question
        box.ask("plain-2.hostile.test", opt=None)
    seen = [x.data for x in far.fakedns()]
    assert len(seen) == 2
    for n, data in enumerate(seen, 1):
        assert data[2:] == query(f"plain-{n}.hostile.test",
                                 opt=opt_record())[2:]
    assert seen[0][:2] != seen[1][:2] and seen[0][:2] != b"SE"


def test_truncated_answer_and_retry_by_tcp(box, host, far):
    """100 addresses: over UDP nothing but the truncation bit; over TCP as many
    as one answer may have, and none of the others can be reached."""
    for opt in None, opt_record(size=512), opt_record(size=100):
        reply = box.ask("many.test", opt=opt)
        assert reply.truncated and not reply.answers
        assert len(reply.raw) <= 512
    told = box.ask("many.test", tcp=True, opt=None).addresses
    assert len(told) == len(set(told)) == 64
    assert sorted(box.ask("many.test").addresses) == sorted(told)
    untold = [f"198.51.100.{n}" for n in range(101, 201)
              if f"198.51.100.{n}" not in told]
    assert len(untold) == 36
    assert {box.connect(x) for x in untold} == {"ECONNREFUSED"}
    assert box.connect(told[63]) is None
    assert far.wire(rf"> {told[63]}\.80: ")
    assert not sent_to(far, *untold)
    got = host(["dig", "+short", "+tries=1", "many.test"])
    assert len(got.out.splitlines()) == 100  # the control


def test_dig_retries_by_tcp(egress):
    got = egress(["-q", "--allow-domain", "many.test", "--", "dig", "+noedns",
                  "+tries=1", "many.test"])
    assert "Truncated, retrying in TCP mode" in got.out
    assert got.out.count("\tA\t") == 64


def test_owner_names_are_compressed(box):
    """A chain of aliases: each owner is a pointer, to the question or into the
    alias before (Reply follows them)."""
    reply = box.ask("chain-3.hostile.test", tcp=True)
    assert [x.name for x in reply.answers] == [
        "chain-3.hostile.test", "c0.chained.test", "c1.chained.test",
        "c2.chained.test"]
    fixed = 12 + len(reply.question) + len(opt_record())
    names = len(wire("c0.chained.test")) * 3
    assert len(reply.raw) == fixed + 4 * (2 + 10) + names + 4


@pytest.mark.parametrize("qtype", [
    x for x in TYPES if x not in ("A", "AAAA", "OPT", "AXFR", "IXFR")])
def test_other_types_are_empty(box, far, qtype):
    """No key for encrypted names, no hints, no text that carries a message:
    types without addresses are never asked upstream."""
    for name in "allowed.test", f"{qtype}.wild.test":
        reply = box.ask(name, qtype)
        assert reply.rcode == NOERROR and not reply.answers
        assert [x.type for x in reply.authority] == [TYPES["SOA"]]
    assert box.ask("evil.test", qtype).denied
    assert far.dns() == []


def test_control_upstream_has_other_types(host, far):
    got = host(["dig", "+short", "allowed.test", "TYPE65", "allowed.test",
                "TXT"])
    assert "ipv4hint=203.0.113.10" in got.out and "text of" in got.out
    assert len(far.dns("allowed.test")) == 2


def test_zone_transfers_are_refused(box, far):
    for qtype in "AXFR", "IXFR":
        for tcp in False, True:
            assert box.ask("allowed.test", qtype, tcp=tcp).rcode == REFUSED
    assert far.dns() == []


QTAIL = struct.pack("!HH", 1, 1)
ODD = {
    # Labels that read like an allowed name once they are text.
    "nul": (query([b"evil.test\0", b"allowed", b"test"]), NXDOMAIN),
    "nul-cuts": (query([b"allowed.test\0", b"evil", b"test"]), NXDOMAIN),
    "ampersand": (query([b"evil.test&x=", b"allowed", b"test"]), NXDOMAIN),
    "dot-inside": (query([b"e.ab", b"allowed", b"test"]), NXDOMAIN),
    "dots-for-all": (query([b"allowed.test"]), NXDOMAIN),
    "dot-for-end": (query([b"x", b"wild.test"]), NXDOMAIN),
    "space": (query([b"a b", b"wild", b"test"]), NXDOMAIN),
    "line-feed": (query([b"a\nb", b"wild", b"test"]), NXDOMAIN),
    "escape": (query([b"\x1b[31m", b"wild", b"test"]), NXDOMAIN),
    "backslash": (query([b"a\\", b"wild", b"test"]), NXDOMAIN),
    "utf8": (query(["b\u00fccher".encode(), b"wild", b"test"]), NXDOMAIN),
    "high": (query([b"\xff\xfe", b"wild", b"test"]), NXDOMAIN),
    "star": (query([b"*", b"wild", b"test"]), NXDOMAIN),
    "percent": (query([b"%61", b"wild", b"test"]), NXDOMAIN),
    "root": (query([]), NXDOMAIN),
    "bad-punycode": (query([b"xn--\x2d", b"wild", b"test"]), NXDOMAIN),
    "label-64": (message(b"\x40" + b"a" * 64 + wire("wild.test") + QTAIL),
                 FORMERR),
    "name-256": (query([b"a" * 63] * 3 + [b"a" * 53, b"wild", b"test"]),
                 FORMERR),
    "pointer": (message(b"\xc0\x0c" + QTAIL), FORMERR),
    "pointer-late": (message(b"\1x\xc0\x0c" + QTAIL), FORMERR),
    "name-open": (message(b"\x07allowed\x04test"), FORMERR),
    "no-type": (message(wire("allowed.test")), FORMERR),
    "two-questions": (message((wire("allowed.test") + QTAIL) * 2,
                              counts=(2, 0, 0, 0)), FORMERR),
    "no-question": (message(b"", counts=(0, 0, 0, 0)), FORMERR),
    "answer-in-query": (message(wire("allowed.test") + QTAIL
                                + b"\xc0\x0c" + struct.pack(
                                    "!HHIH4s", 1, 1, 60, 4, b"\xcb\0\x71\n"),
                                counts=(1, 1, 0, 0)), FORMERR),
    "counts": (message(wire("allowed.test") + QTAIL,
                       counts=(1, 65535, 65535, 65535)), FORMERR),
    "chaos": (query("allowed.test", qclass=3), REFUSED),
    "any-class": (query("allowed.test", qclass=255), REFUSED),
    "status": (query("allowed.test")[:2] + b"\x10\0"
               + query("allowed.test")[4:], NOTIMP),
    "notify": (query("allowed.test")[:2] + b"\x20\0"
               + query("allowed.test")[4:], NOTIMP),
    "update": (query("allowed.test")[:2] + b"\x28\0"
               + query("allowed.test")[4:], NOTIMP),
}


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("what", ODD)
def test_odd_messages(box, far, what, tcp):
    """Refused by what the bytes say, and never in a question to upstream."""
    data, rcode = ODD[what]
    reply = box.exchange(data, tcp=tcp)
    assert struct.unpack("!H", reply[2:4])[0] & 0x800F == 0x8000 | rcode
    assert reply[6:8] == b"\0\0"  # no answer
    assert box.dns and far.dns() == [] and far.fakedns() == []


@pytest.mark.parametrize("data", [
    query("allowed.test", ident=1)[:2] + b"\x81\x80"
    + query("allowed.test")[4:],
    b"", b"\0", query("allowed.test", ident=1)[:11]],
    ids=["is-an-answer", "empty", "one-byte", "cut-header"])
def test_messages_without_answer(box, data):
    """No reply at all: the first that comes is to the question after it."""
    with box.connected(GATEWAY4) as sock:
        sock.send(data)
        sock.send(query("localhost", ident=2))
        assert sock.recv(65535)[:2] == b"\0\2"


def test_forged_answer_teaches_nothing(box, far):
    """An answer that nobody asked for, sent to the filter by any address:
    "allowed.test is at the evil address"."""
    forged = message(wire("allowed.test") + QTAIL, 1, 0x8180, (1, 1, 0, 0),
                     b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 3600, 4,
                                               socket.inet_aton(EVIL4)))
    for server in GATEWAY4, GATEWAY6, "8.8.8.8", EVIL4, "192.0.2.53":
        with box.connected(server) as sock:
            sock.send(forged)
            sock.send(query("localhost", ident=2))
            assert sock.recv(65535)[:2] == b"\0\2"
    assert box.connect(EVIL4) == "ECONNREFUSED"
    assert EVIL4 not in box.ask("allowed.test").addresses
    assert not sent_to(far, EVIL4)


@pytest.mark.parametrize("size", [0, 11, 4097, 65535])
def test_tcp_length_that_is_no_query(box, size):
    """The connection ends; others live on."""
    with box.connected(GATEWAY4, tcp=True) as other, \
            box.connected(GATEWAY4, tcp=True) as sock:
        sock.sendall(struct.pack("!H", size) + bytes(min(size, 100)))
        try:
            assert sock.recv(1) == b""
        except ConnectionResetError:
            pass
        data = query("evil.test", ident=9)
        other.sendall(struct.pack("!H", len(data)) + data)
        assert Reply(receive_tcp(other)).ident == 9


def test_tcp_pipelined(box):
    """Many questions in one segment, answered in any order."""
    names = {n: f"p{n}.wild.test" if n % 2 else f"p{n}.evil.test"
             for n in range(30)}
    with box.connected(GATEWAY4, tcp=True) as sock:
        data = [query(name, ident=n) for n, name in names.items()]
        sock.sendall(b"".join(struct.pack("!H", len(x)) + x for x in data))
        got, left = {}, b""
        while len(got) < len(names):
            left += sock.recv(65535)
            while len(left) > 2 and len(left) >= 2 + left[0] * 256 + left[1]:
                size = left[0] * 256 + left[1]
                reply = Reply(left[2:2 + size])
                got[reply.ident] = reply.rcode
                left = left[2 + size:]
    assert got == {n: NOERROR if n % 2 else NXDOMAIN for n in names}


# ---- answers ----------------------------------------------------------------

def test_alias_to_a_name_that_is_not_allowed(egress, host, far, who):
    """www.allowed.test is an alias of cdn.other.test. The asked name decides:
    it works; its target stays denied, and is never asked for by itself."""
    names = ["www.allowed.test", "cdn.other.test"]
    script = "; ".join(f"curl -sS -m5 http://{x}/" for x in names)
    assert host(["sh", "-c", script], user=who).out.count("OK ") == 2
    far.mark()
    got = egress(["--allow-domain", "www.allowed.test", "--", "sh", "-c",
                  script], user=who)
    assert got.out == "OK www.allowed.test 198.51.100.11\n"
    assert "Could not resolve host: cdn.other.test" in got.err
    assert "cdn.other.test (" in got.err  # the summary
    assert {q.name for q in far.dns()} == {"www.allowed.test"}
    assert [x.host for x in far.http()] == ["www.allowed.test"]


def test_cached_answers(far):
    """Asked upstream once; the time to live that clients are told runs down
    and never exceeds what upstream said."""
    with cage("allowed.test", "nothing.allowed.test") as box:
        first = box.ask("allowed.test")
        assert 298 <= first.ttl <= 300
        for _ in range(50):
            assert box.ask("ALLOWED.test").addresses == [GOOD4]
        absent = box.ask("nothing.allowed.test")
        assert absent.rcode == NXDOMAIN and absent.ede is None
        box.ask("nothing.allowed.test")
        lab.wait_until(lambda: box.ask("allowed.test").ttl < first.ttl)
    assert [q.name for q in far.dns()] == ["allowed.test",
                                           "nothing.allowed.test"]


def test_stale_answers_are_asked_again(far, etc):
    etc("resolv.conf", f"nameserver {FAKE}\n")
    with cage("*.hostile.test") as box:
        assert box.ask("ttl-1.hostile.test").ttl <= 1
        lab.wait_until(lambda: box.ask("ttl-1.hostile.test") and
                       len(far.fakedns()) > 1)
        far.mark()
        # A TTL of 0 is a second, or a loop would ask upstream each time.
        assert {box.ask("ttl-0.hostile.test").ttl <= 1
                for _ in range(20)} == {True}
        assert 1 <= len(far.fakedns()) <= 2
        lab.wait_until(lambda: box.ask("ttl-0.hostile.test") and
                       len(far.fakedns()) > 2)


FRESH = """
import socket, sys
for n in range(300):
    name = "ip-0b07%04x" % n + (".hostile.test" if n % 2 else ".HOSTILE.test")
    found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    address = found[0][4]
    assert address[0] == f"11.7.{n >> 8}.{n & 255}", found
    # No source port twice, or it would have to be another one outside.
    socket.create_connection(address[:2], 0.9, ("", 20000 + n)).close()
print("all")
"""


def test_answer_never_precedes_its_admission(egress, host, far):
    """300 names, each with an address of its own, connected to at once. Half a
    millisecond too early and the first SYN is refused."""
    assert host(["/usr/bin/python3", "-c", FRESH], timeout=20).out == "all\n"
    far.mark()
    got = egress(["--allow-domain", "*.hostile.test", "--", "/usr/bin/python3",
                  "-c", FRESH], timeout=20)
    assert got.out == "all\n", got.err
    assert len(far.wire(r"> 11\.7\.\d+\.\d+\.80: Flags \[S\]")) == 300


FIRST = r"""exec 3<>/dev/udp/192.0.0.1/53
printf 'ID\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1' >&3
timeout 4 head -c 12 <&3 | tr -d '\0' | grep -q ^ID"""


def test_first_question_of_many_sandboxes_at_once(egress):
    """The link carries packets both ways before the command starts, also on a
    busy machine: clients wait seconds before they repeat a lost question."""
    line = [lab.EGRESS_RUN, "-q", "--", "bash", "-c", FIRST]
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(lab.started(line))
                       for _ in range(60)]
            lost = [x.wait(30) for x in running]
        assert lost == [0] * 60


def test_localhost_names(far, host):
    """Loopback is the sandbox's own and no business of upstream's."""
    with cage() as box:
        for name in "localhost", "x.LOCALHOST", "a.b.localhost":
            assert box.ask(name).addresses == ["127.0.0.1"]
            assert box.ask(name, "AAAA").addresses == ["::1"]
            reply = box.ask(name, "MX")
            assert reply.rcode == NOERROR and not reply.answers
        for name in "notlocalhost", "localhost.evil.test":
            assert box.ask(name).denied
        assert box.connect("127.0.0.1", 8001) == "ECONNREFUSED"
        assert box.connect("::1", 8001) == "ECONNREFUSED"
    assert far.dns() == [] and far.host() == []
    assert host(["curl", "-s", "http://127.0.0.1:8001/"]).out == "PWNED\n"
