# SPDX-License-Identifier: GPL-2.0-or-later
"""The DNS filter between a hostile upstream and a hostile command.

Upstream is tests/lab/fakedns.py, asked directly; the first label of the name
picks its misdeed. What an answer admitted is tried from inside, and what came
of that is read at the far end. The process must be the same one afterwards.
"""
import contextlib
import ipaddress
import itertools
import os
import re
import signal
import socket
import struct
import time

import pytest

import lab
from dns_helpers import (
    EDE_FILTERED, FAKE, GATEWAY4, NOERROR, NXDOMAIN, SERVFAIL, Reply, ask_all,
    cage, children, exact_names, forged_datagram, message, opt_record, pipeline, query,
    receive_tcp, rss_kib, sent_to, socket_in, wire)

pytestmark = pytest.mark.usefixtures("egress")

GOOD4, GOOD6 = "198.51.100.10", "2001:db8:1::10"
EVIL4, EVIL6 = "203.0.113.10", "2001:db8:bad::10"
SLOWEST = 12  # seconds within which the worst answer must have been given up
MANY4 = [f"198.51.{100 + n // 256}.{n % 256}" for n in range(10, 74)]


# ---- answers of a hostile upstream ------------------------------------------

# What the client is told: RCODE and addresses (each name under hostile.test).
ANSWERS = {
    "plain": (NOERROR, [GOOD4]),
    # Records that do not belong to the question.
    "unrelated": (NOERROR, [GOOD4]),
    "onlyunrelated": (NOERROR, []),
    "offchain": (NOERROR, []),
    "wrongclass": (NOERROR, []),
    # Aliases.
    "chain-1": (NOERROR, [GOOD4]),
    "chain-8": (NOERROR, [GOOD4]),
    "chain-9": (SERVFAIL, []),
    "chain-40": (SERVFAIL, []),
    "loop": (SERVFAIL, []),
    "selfloop": (SERVFAIL, []),
    "dangling": (NOERROR, []),
    "control": (SERVFAIL, []),
    # Not the answer to this question.
    "wrongid": (SERVFAIL, []),
    "wrongport": (SERVFAIL, []),
    "wrongtype": (SERVFAIL, []),
    "othertype": (NOERROR, []),
    "wrongquestion": (SERVFAIL, []),
    "noquestion": (SERVFAIL, []),
    "spray": (NOERROR, [GOOD4]),
    # Over UDP and TCP.
    "truncated": (NOERROR, [GOOD4]),
    "alwaystruncated": (SERVFAIL, []),
    "closetcp": (SERVFAIL, []),
    "halftcp": (SERVFAIL, []),
    # Malformed.
    "comploop": (SERVFAIL, []),
    "compforward": (SERVFAIL, []),
    "badlength": (SERVFAIL, []),
    "badcount": (SERVFAIL, []),
    "short": (SERVFAIL, []),
    "garbage": (SERVFAIL, []),
    "trailing": (NOERROR, [GOOD4]),
    # EDNS.
    "opt-1": (NOERROR, [GOOD4]),
    "opt-2": (NOERROR, [GOOD4]),
    "optinanswer": (NOERROR, [GOOD4]),
    "badvers": (SERVFAIL, []),
    # Error codes, nothing, late.
    "rcode-1": (SERVFAIL, []),
    "rcode-2": (SERVFAIL, []),
    "rcode-3": (NXDOMAIN, []),
    "rcode-4": (SERVFAIL, []),
    "rcode-5": (SERVFAIL, []),
    "rcode-9": (SERVFAIL, []),
    "nodata": (NOERROR, []),
    "silent": (SERVFAIL, []),
    "late-300": (NOERROR, [GOOD4]),
    "late-5000": (SERVFAIL, []),
    # Times to live, numbers of addresses, addresses.
    "ttl-0": (NOERROR, [GOOD4]),
    "ttl-2147483647": (NOERROR, [GOOD4]),
    "ttl-4294967295": (NOERROR, [GOOD4]),
    "many-500": (NOERROR, MANY4),
    "ip-c6336463-7f000001-00000000-e0000001-ffffffff-a9fea9fe":
        (NOERROR, ["198.51.100.99"]),
    "ip-7f000001-c0000201-ac100505": (NOERROR, []),
}
FILTERED = "ip-7f000001-c0000201-ac100505"
EMBEDDED = [
    "::1", "::", "::ffff:127.0.0.1", "::ffff:203.0.113.10", "::127.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::ff",
    "fe80::1", "ff02::1", "fd00:ec2::254", "2001:db8::1", "2001:db8:5::5"]
TTLS = {"ttl-0": 1, "ttl-4294967295": 1, "ttl-2147483647": 3600}


# A server that hangs up makes c-ares ask again whatever else is open there,
# which with a single attempt means failure: these are asked by themselves.
HANGING_UP = {"closetcp", "halftcp"}


@pytest.fixture(scope="class")
def hostile(egress):
    """A sandbox whose host asks the hostile server, one attempt of a second
    each; all answers, and what they took."""
    conf = lab.LAB / "etc/resolv.conf"
    before = conf.read_text()
    conf.write_text(f"nameserver {FAKE}\noptions timeout:1 attempts:1\n")
    try:
        with cage("*.hostile.test") as box:
            box.first_dns = box.dns
            box.answers = {}
            for names in ANSWERS.keys() - HANGING_UP, HANGING_UP:
                box.answers.update(ask_all(
                    box, [f"{x}.hostile.test" for x in names], SLOWEST))
            yield box
    finally:
        conf.write_text(before)


class TestHostileUpstream:
    """In the order of the text, with one sandbox."""

    @pytest.mark.parametrize("what", ANSWERS)
    def test_answer(self, hostile, what):
        """One answer, in bounded time, of what belongs to the question."""
        given = hostile.answers[f"{what}.hostile.test"]
        assert len(given) == 1
        seconds, reply = given[0]
        rcode, addresses = ANSWERS[what]
        assert reply.rcode == rcode, f"after {seconds:.1f} s"
        assert sorted(reply.addresses) == sorted(addresses)
        assert reply.ede_code == EDE_FILTERED if what == FILTERED else \
            (reply.ede is None) == (rcode != SERVFAIL)
        if what in TTLS:
            assert reply.ttl == TTLS[what]
        assert not reply.aliases or what.startswith("chain")
        assert not reply.authority or reply.authority[0].ttl <= 30

    def test_only_what_was_answered_is_admitted(self, hostile, far):
        """After all of that the good addresses can be reached; those in other
        records, of wrong answers, beyond the limit and dangerous ones cannot.
        The wire and the host's own services are the judges."""
        good = [GOOD4, "198.51.100.99", MANY4[-1]]
        bad = [EVIL4, EVIL6, GOOD6, "198.51.100.75", "198.51.101.200",
               "192.0.2.1", "172.16.5.5", "127.0.0.1", "169.254.169.254"]
        for address in good:
            assert hostile.connect(address) is None
        for port in 80, 443, 8000, 8001:
            for address in bad:
                assert hostile.connect(address, port) == "ECONNREFUSED"
        seen = "".join(far.wire(r"\.(80|443|8000|8001): Flags \[S\]"))
        assert all(f"> {x}.80:" in seen for x in good)
        assert seen.count(" > ") == len(good) and far.host() == []

    @pytest.mark.parametrize("address", EMBEDDED)
    def test_ipv6_answers(self, hostile, far, address):
        """Embedded IPv4 in all its forms, loopback, metadata, the host."""
        packed = ipaddress.ip_address(address).packed.hex()
        reply = hostile.ask(f"ip-{packed}.hostile.test", "AAAA")
        assert reply.rcode == NOERROR and not reply.answers
        assert reply.ede_code == EDE_FILTERED
        if not ipaddress.ip_address(address).is_link_local:
            for port in 80, 8000:
                assert hostile.connect(address, port) in (
                    "ECONNREFUSED", "ENETUNREACH", "EACCES", "EADDRNOTAVAIL")
        assert far.host() == [] and not sent_to(far, port="(80|8000)")

    def test_rebinding(self, hostile, far):
        """A good address at first, loopback ever after."""
        assert hostile.ask("rebind.hostile.test").addresses == [GOOD4]
        lab.wait_until(
            lambda: not hostile.ask("rebind.hostile.test").addresses)
        reply = hostile.ask("rebind.hostile.test")
        assert reply.ede_code == EDE_FILTERED
        assert len([x for x in far.fakedns() if b"\6rebind" in x.data]) >= 2

    def test_the_filter_survived(self, hostile):
        assert hostile.dns == hostile.first_dns
        assert hostile.ask("plain-z.hostile.test").addresses == [GOOD4]
        assert hostile.stderr == ""


def test_one_bad_answer_does_not_fail_the_others(etc):
    """With the attempts that are usual, a server that answers nonsense costs
    the other open questions no more than a second attempt."""
    etc("resolv.conf", f"nameserver {FAKE}\noptions timeout:1\n")
    with cage("*.hostile.test") as box:
        good = [f"late-200-{n}.hostile.test" for n in range(50)]
        bad = ["garbage.hostile.test", "short.hostile.test",
               "badcount.hostile.test", "rcode-1.hostile.test",
               "rcode-2.hostile.test", "wrongid.hostile.test"]
        answers = ask_all(box, [*good[:25], *bad, *good[25:]], SLOWEST)
        assert {x: answers[x][0][1].rcode for x in good} == dict.fromkeys(
            good, NOERROR)


def test_escapes_of_a_hostile_upstream_do_not_reach_the_terminal(
        egress, etc, share):
    etc("resolv.conf", f"nameserver {FAKE}\n")
    log = share / "log"
    got = egress(["-vv", "--log", log, "--allow-domain", "*.hostile.test",
                  "--", "dig", "+tries=1", "control.hostile.test"])
    assert "status: SERVFAIL" in got.out
    for text in got.err, log.read_text():
        assert "\x1b" not in text and "\x07" not in text
        assert all(x.isprintable() for x in text.split("\n"))


def test_identical_questions_are_one(etc, far):
    """200 clients that ask the same wait for one question to upstream."""
    etc("resolv.conf", f"nameserver {FAKE}\n")
    with cage("*.hostile.test") as box, box.connected(GATEWAY4) as sock:
        for ident in range(200):
            sock.send(query("late-300.hostile.test", ident=ident))
        got = {Reply(sock.recv(65535)).ident for _ in range(200)}
        assert got == set(range(200))
    assert len(far.fakedns()) == 1


def test_too_many_questions_at_once(etc):
    """Names that upstream never answers fill the table of open questions:
    others get an error at once, denied names their denial; when the table has
    room again, names resolve."""
    etc("resolv.conf", f"nameserver {FAKE}\noptions timeout:1 attempts:1\n")
    with exact_names(*(f"silent-{n}.hostile.test" for n in range(512)),
                     "plain-1.hostile.test", "plain-2.hostile.test") as box:
        with box.connected(GATEWAY4) as sock:
            for n in range(512):
                sock.send(query(f"silent-{n}.hostile.test", ident=n))
                if n % 32 == 31:  # no more than the socket holds
                    assert box.ask("evil.test").denied
            reply = box.ask("plain-1.hostile.test")
            assert reply.rcode == SERVFAIL and "too many" in reply.ede[1]
            assert box.ask("evil.test").denied
            got = {Reply(sock.recv(65535)).rcode for _ in range(512)}
            assert got == {SERVFAIL}
        assert box.ask("plain-2.hostile.test").addresses == [GOOD4]
        assert "too many questions" in box.finish()


def forge(netns, ident, port, question, to):
    """Upstream's answer to that question with the evil address in it."""
    answer = message(question, ident, 0x8180, (1, 1, 0, 0), b"\xc0\x0c"
                     + struct.pack("!HHIH4s", 1, 1, 3600, 4,
                                   socket.inet_aton(EVIL4)))
    with socket_in(netns, socket.AF_INET, socket.SOCK_RAW,
                   socket.IPPROTO_RAW) as raw:
        raw.sendto(forged_datagram((FAKE, 53), (to, port), answer), (to, 0))


@pytest.mark.parametrize("who", ["command", "internet"])
def test_forged_upstream_answer(etc, far, who):
    """With the right id, port and question, in upstream's name, while the
    question is open: from inside it reaches nobody. On the path of upstream
    itself it would be believed (the control)."""
    etc("resolv.conf", f"nameserver {FAKE}\n")
    with cage("*.hostile.test") as box, box.connected(GATEWAY4) as sock:
        sock.send(query("late-800.hostile.test", ident=1))
        asked = lab.wait_until(far.fakedns)[0].data
        line = lab.wait_until(lambda: far.wire(rf"> {FAKE}\.53: "))[0]
        port = int(re.search(r"IP 192\.0\.2\.1\.(\d+) > ", line)[1])
        ident, question = int.from_bytes(asked[:2], "big"), asked[12:-11]
        if who == "internet":
            netns = os.open(f"/proc/{os.environ['LAB_INET_PID']}/ns/net",
                            os.O_RDONLY)
            forge(netns, ident, port, question, "192.0.2.1")
            os.close(netns)
        else:
            for to in "192.0.2.1", GATEWAY4, "172.16.5.5", "127.0.0.1":
                forge(box.netns, ident, port, question, to)
        reply = Reply(sock.recv(65535))
        assert reply.addresses == [EVIL4 if who == "internet" else GOOD4]
        assert box.connect(EVIL4) == (None if who == "internet"
                                      else "ECONNREFUSED")


# ---- a hostile command ------------------------------------------------------

def test_flood(far):
    """20,000 questions for denied names, 500 idle TCP connections and a TCP
    client that sends a byte at a time; meanwhile allowed names resolve, the
    slow client gets its answer, and nothing of the flood reaches upstream."""
    with cage("*.wild.test", "allowed.test") as box, \
            contextlib.ExitStack() as stack:
        pid = box.dns
        for _ in range(500):
            stack.enter_context(box.connected(GATEWAY4, tcp=True))
        slow = stack.enter_context(box.connected(GATEWAY4, tcp=True))
        data = query("allowed.test", ident=77)
        data = struct.pack("!H", len(data)) + data
        names = (f"secret-{n}.evil.test" for n in itertools.count())
        codes = set()
        for n, byte in enumerate(data):
            slow.sendall(bytes([byte]))
            pipeline(box, itertools.islice(names, 20000 // len(data) + 1),
                     each=lambda raw: codes.add(raw[3] & 15))
            begin = time.monotonic()
            assert box.ask(f"a{n}.wild.test", tcp=n % 2).addresses == [GOOD4]
            assert time.monotonic() - begin < 2
        reply = Reply(receive_tcp(slow))
        assert reply.ident == 77 and reply.addresses == [GOOD4]
        assert codes == {NXDOMAIN} and box.dns == pid
        assert box.ask("last.wild.test", tcp=True).addresses == [GOOD4]
        err = box.finish()
        # Each is counted, whether or not the summary names it.
        counts = [int(x.split("(")[1].split()[0]) for x in err.splitlines()
                  if "evil.test (" in x]
        assert len(counts) == 10 and "more" in err
    assert {q.name.split(".", 1)[1] for q in far.dns()} == {"wild.test", "test"}


def test_memory_is_bounded(far):
    """20,000 distinct long names of a list, which is more than the cache holds; 8,000 more cost no more memory. Each is asked upstream once,
    the last ones are remembered, the first ones are not."""
    pad = ".".join(["p" * 60] * 3)
    with exact_names(*(f"n{n}.{pad}.wild.test" for n in range(28000))) as box:
        empty = rss_kib(box.dns)
        pipeline(box, (f"n{n}.{pad}.wild.test" for n in range(20000)))
        full = rss_kib(box.dns)
        pipeline(box, (f"n{n}.{pad}.wild.test" for n in range(20000, 28000)))
        later = rss_kib(box.dns)
        assert full - empty < 10 * 1024, (empty, full, later)
        assert later - full < 1024, (empty, full, later)
        assert len(far.dns("wild.test")) == 28000
        far.mark()
        assert box.ask(f"n27999.{pad}.wild.test").addresses == [GOOD4]
        assert far.dns() == []
        assert box.ask(f"n0.{pad}.wild.test").addresses == [GOOD4]
        assert len(far.dns()) == 1


# ---- life and death ---------------------------------------------------------

def test_killed_filter_is_started_again(far, who):
    """The command runs on, denied stays denied, names resolve again. Pending
    questions and connections are lost."""
    with cage("*.wild.test", user=who) as box:
        for n in range(3):
            assert box.ask(f"a{n}.wild.test").addresses == [GOOD4]
            old = box.dns
            os.kill(old, signal.SIGKILL)
            lab.wait_until(lambda: box.helper("egress-dns") != old)
            assert box.ask(f"b{n}.wild.test").addresses == [GOOD4]
            assert box.ask(f"b{n}.wild.test", server="127.0.0.53",
                           tcp=True).addresses == [GOOD4]
            assert box.ask("evil.test").denied
            assert box.process.poll() is None
            assert box.connect(GOOD4) is None
            assert box.connect(EVIL4) == "ECONNREFUSED"
        assert box.stderr.count("DNS filter process ended (signal 9)") == 3
    assert far.dns("evil.test") == [] and not sent_to(far, EVIL4)


def test_filter_that_keeps_dying_ends_the_run():
    """Closed, not open: without a filter there is no command."""
    with cage("*.wild.test") as box:
        killed = set()
        deadline = time.monotonic() + 10
        while box.process.poll() is None:
            assert time.monotonic() < deadline
            for pid, name in children(box.process.pid):
                if name == "egress-dns" and pid not in killed:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        assert box.process.wait() == 125
        assert "keeps dying" in box.stderr
        assert not os.path.exists(f"/proc/{box.command}")


def test_stopped_filter_is_not_gone_round(far):
    """Questions time out, by every address, and nothing goes elsewhere; what
    waited is answered when the filter goes on."""
    with cage("*.wild.test", "allowed.test") as box:
        assert box.ask("a.wild.test").addresses == [GOOD4]
        os.kill(box.dns, signal.SIGSTOP)
        far.mark()
        with contextlib.ExitStack() as stack:
            waiting = []
            for server in (GATEWAY4, "8.8.8.8", "127.0.0.53",
                           "2001:4860:4860::8888", "192.0.2.53", FAKE):
                sock = stack.enter_context(box.connected(server))
                sock.send(query("b.wild.test", ident=3, opt=opt_record()))
                sock.send(query("evil.test", ident=4, opt=opt_record()))
                waiting.append(sock)
            tcp = stack.enter_context(box.connected("1.1.1.1", tcp=True))
            tcp.sendall(struct.pack("!H", len(query("evil.test")))
                        + query("evil.test"))
            for sock in [*waiting, tcp]:
                sock.settimeout(0.1)
                with pytest.raises(socket.timeout):
                    sock.recv(1)
            assert box.connect(GOOD4) is None  # admitted before
            assert box.connect(EVIL4) == "ECONNREFUSED"
            assert far.dns() == [] and not far.wire(r"\.53: ")
            os.kill(box.dns, signal.SIGCONT)
            for sock in waiting:
                sock.settimeout(5)
                replies = {x.ident: x for x in (Reply(sock.recv(65535)),
                                                Reply(sock.recv(65535)))}
                assert replies[3].addresses == [GOOD4] and replies[4].denied
        assert {q.name for q in far.dns()} == {"b.wild.test"}


def test_restart_while_questions_are_open(etc, far):
    """The answer to a question of the old process, and ids of the old one,
    mean nothing to the new one."""
    etc("resolv.conf", f"nameserver {FAKE}\n")
    with cage("*.hostile.test") as box, box.connected(GATEWAY4) as sock:
        for n in range(50):
            sock.send(query(f"late-400-{n}.hostile.test", ident=n))
        lab.wait_until(lambda: len(far.fakedns()) == 50)
        old = box.dns
        os.kill(old, signal.SIGKILL)
        lab.wait_until(lambda: box.helper("egress-dns") != old)
        far.mark()
        assert box.ask("late-450.hostile.test").addresses == [GOOD4]
        sock.settimeout(0.1)
        with pytest.raises(socket.timeout):
            sock.recv(1)
    assert [wire("late-450.hostile.test") in x.data for x in far.fakedns()] \
        == [True]
