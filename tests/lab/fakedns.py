#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile DNS server: fakedns.py ADDRESS...

The first label of the asked name picks the behaviour and, after dashes, its
arguments: chain-20.hostile.test is a chain of 20 aliases. BEHAVIOURS below is
the list; a name that picks none gets a plain good answer. Every message that
arrives is one line on stdout: udp|tcp, the client, the bytes in hex. One
thread, no state but a counter per name; nothing here blocks.
"""
import asyncio
import dataclasses
import ipaddress
import random
import signal
import socket
import struct
import sys

A, CNAME, PTR, MX, TXT, AAAA, SRV, OPT, CAA = 1, 5, 12, 15, 16, 28, 33, 41, 257
GOOD = {A: "198.51.100.10", AAAA: "2001:db8:1::10"}
EVIL = {A: "203.0.113.10", AAAA: "2001:db8:bad::10"}
SO_RCVBUFFORCE = 33  # missing from the socket module
CLOSE = object()  # TCP: hang up without a word

class OtherPort(bytes):
    """A message that leaves from another port."""


BEHAVIOURS = {}
counts = {}


@dataclasses.dataclass
class Query:
    """A parsed question, and what an answer to it needs."""
    ident: int
    labels: list
    qtype: int
    question: bytes
    limit: int  # largest answer without truncation
    tcp: bool
    args: list
    count: int  # how often this name and type were asked before

    @property
    def name(self):
        return b".".join(self.labels)

    def header(self, counts4, rcode=0, flags=0, ident=None):
        return struct.pack("!HH4H", self.ident if ident is None else ident,
                           0x8180 | flags | rcode, *counts4)

    def reply(self, answers=(), rcode=0, flags=0, authority=(), additional=(),
              ident=None, question=None):
        """A message; cut to its header with TC set where it does not fit."""
        if question is None:
            question = self.question
        parts = (answers, authority, additional)
        message = self.header((1 if question else 0, *map(len, parts)), rcode,
                              flags, ident) + question
        message += b"".join(b"".join(part) for part in parts)
        if len(message) > self.limit:
            return self.header((1, 0, 0, 0), rcode, 0x0200) + self.question
        return message

    def addresses(self, table, owner=None, ttl=60):
        if self.qtype not in table:
            return []
        data = ipaddress.ip_address(table[self.qtype]).packed
        return [record(owner or self.name, self.qtype, ttl, data)]


def wire(name):
    if isinstance(name, str):
        name = name.encode()
    return b"".join(bytes([len(x)]) + x for x in name.split(b".") if x) + b"\0"


def record(owner, rtype, ttl, data, rclass=1):
    return wire(owner) + struct.pack("!HHIH", rtype, rclass, ttl,
                                     len(data)) + data


def alias(owner, target, ttl=60):
    return record(owner, CNAME, ttl, wire(target))


def behaviour(function):
    """function(query) gives messages; (seconds, message) for a late one."""
    BEHAVIOURS[function.__name__] = function
    return function


@behaviour
def plain(q):
    return [q.reply(q.addresses(GOOD))]


@behaviour
def unrelated(q):
    """A good answer, and the evil site's address in all three sections."""
    evil = q.addresses(EVIL, b"evil.test")
    return [q.reply(evil + q.addresses(GOOD) + evil, authority=evil,
                    additional=evil)]


@behaviour
def onlyunrelated(q):
    return [q.reply(q.addresses(EVIL, b"evil.test"))]


@behaviour
def offchain(q):
    """An alias, then an address whose owner the alias does not lead to."""
    return [q.reply([alias(q.name, "elsewhere.test")]
                    + q.addresses(EVIL, b"evil.test"))]


@behaviour
def loop(q):
    return [q.reply([alias(q.name, "b.hostile.test"),
                     alias("b.hostile.test", q.name)])]


@behaviour
def selfloop(q):
    return [q.reply([alias(q.name, q.name)])]


@behaviour
def chain(q):
    """chain-N: N aliases, then the good address."""
    names = [q.name] + [b"c%d.chained.test" % i for i in range(int(q.args[0]))]
    links = [alias(a, b) for a, b in zip(names, names[1:])]
    return [q.reply(links + q.addresses(GOOD, names[-1]))]


@behaviour
def dangling(q):
    return [q.reply([alias(q.name, "not-in-the-answer.test")])]


@behaviour
def control(q):
    """An alias whose target carries terminal escapes and a line feed."""
    target = b"\x1b[31mred\x07\nnext\\.line.test"
    return [q.reply([alias(q.name, target)] + q.addresses(GOOD, target))]


@behaviour
def wrongid(q):
    return [q.reply(q.addresses(EVIL), ident=q.ident ^ 1)]


@behaviour
def spray(q):
    """Forged answers with wrong ids first, then the good one."""
    forged = [q.reply(q.addresses(EVIL), ident=(q.ident + n) % 65536)
              for n in range(1, 200)]
    return forged + [q.reply(q.addresses(GOOD))]


@behaviour
def wrongport(q):
    """From another port than 53."""
    return [OtherPort(q.reply(q.addresses(EVIL)))]


@behaviour
def wrongtype(q):
    """The question of another type, and its answer."""
    question = q.question[:-4] + struct.pack("!HH", TXT, 1)
    return [q.reply(q.addresses(EVIL), question=question)]


@behaviour
def othertype(q):
    """The right question, an answer of the other family."""
    other = {A: AAAA, AAAA: A}.get(q.qtype, A)
    data = ipaddress.ip_address(EVIL[other]).packed
    return [q.reply([record(q.name, other, 60, data)])]


@behaviour
def opt(q):
    """opt-N: N OPT records with odd sizes, flags and options."""
    odd = record("", OPT, 0x00008000, b"\xfd\xe9\0\3abc" * 9, rclass=1)
    return [q.reply(q.addresses(GOOD), additional=[odd] * int(q.args[0]))]


@behaviour
def optinanswer(q):
    return [q.reply([record("", OPT, 0, b"")] + q.addresses(GOOD))]


@behaviour
def badvers(q):
    """Extended RCODE 16, and an address all the same."""
    return [q.reply(q.addresses(EVIL),
                    additional=[record("", OPT, 1 << 24, b"")])]


def target(name):
    """A name for record data, compressed into the question."""
    return wire(name)[:-1] + struct.pack("!H", 0xC00C)


RECORDS = {
    MX: [b"\0\x0a" + target("Mail"), b"\0\x14" + wire("mx.other.test")],
    TXT: [b"\5v=one\3two", b"\1x"],
    SRV: [struct.pack("!HHH", 1, 2, 443) + target("Srv")],
    PTR: [wire("host.other.test")],
    CAA: [b"\0\5issueca.other.test"],
}
BROKEN = {
    MX: [b"\0\x0a\1a\0x", b"\0", b"\0\x0a\3a b\0"],
    TXT: [b"\5v=", b""],
    SRV: [b"\0\1\0\2\0\3\1a"],
    PTR: [b"\1a", b"\xc0\xff"],
    CAA: [b"\0\0issue", b"\0"],
}


@behaviour
def records(q):
    """MX, TXT, SRV, PTR and CAA; and one of another name."""
    good = [record(q.name, q.qtype, 60, x) for x in RECORDS.get(q.qtype, [])]
    stray = [record("evil.test", q.qtype, 60, x)
             for x in RECORDS.get(q.qtype, [])]
    return [q.reply(stray + good + stray)]


@behaviour
def broken(q):
    """broken-N: the N-th malformed record of that type."""
    data = BROKEN[q.qtype][int(q.args[0])]
    return [q.reply([record(q.name, q.qtype, 60, data)])]


@behaviour
def wrongquestion(q):
    other = wire(b"evil.test") + q.question[-4:]
    return [q.reply(q.addresses(EVIL), question=other)]


@behaviour
def noquestion(q):
    return [q.reply(q.addresses(EVIL), question=b"")]


@behaviour
def truncated(q):
    """TC over UDP; whole over TCP."""
    if q.tcp:
        return plain(q)
    return [q.reply(flags=0x0200)]


@behaviour
def alwaystruncated(q):
    return [q.reply(flags=0x0200)]


@behaviour
def closetcp(q):
    return [CLOSE] if q.tcp else [q.reply(flags=0x0200)]


@behaviour
def halftcp(q):
    """Over TCP the length of an answer, half of it, then silence."""
    if not q.tcp:
        return [q.reply(flags=0x0200)]
    message = q.reply(q.addresses(GOOD))
    return [memoryview(struct.pack("!H", len(message)) + message[:10])]


@behaviour
def ttl(q):
    """ttl-N: that TTL; ttl-4294967295 has the sign bit set (RFC 2181)."""
    return [q.reply(q.addresses(GOOD, ttl=int(q.args[0])))]


@behaviour
def comploop(q):
    """The owner is a compression pointer to itself."""
    owner = struct.pack("!H", 0xC000 | (12 + len(q.question)))
    return [q.header((1, 1, 0, 0)) + q.question + owner
            + struct.pack("!HHIH", A, 1, 60, 4) + b"\xc6\x33\x64\x0a"]


@behaviour
def compforward(q):
    """The owner is a compression pointer beyond the message."""
    return [q.header((1, 1, 0, 0)) + q.question + b"\xff\xff"
            + struct.pack("!HHIH", A, 1, 60, 4) + b"\xc6\x33\x64\x0a"]


@behaviour
def badlength(q):
    """An address of five bytes; then one that the message does not hold."""
    return [q.reply([record(q.name, q.qtype, 60, b"\x7f\0\0\1\1")]),
            q.reply(q.addresses(GOOD))[:-2]]


@behaviour
def badcount(q):
    """The header promises 65535 answers."""
    return [q.header((1, 65535, 0, 0)) + q.question
            + b"".join(q.addresses(GOOD))]


@behaviour
def short(q):
    return [q.reply()[:11]]


@behaviour
def trailing(q):
    return [q.reply(q.addresses(GOOD)) + b"trailing" * 4]


@behaviour
def garbage(q):
    noise = random.Random(q.name)
    return [struct.pack("!H", q.ident) + noise.randbytes(200)]


@behaviour
def wrongclass(q):
    data = ipaddress.ip_address(GOOD[A]).packed
    return [q.reply([record(q.name, A, 60, data, rclass=3)])]


@behaviour
def many(q):
    """many-N: N addresses, by TCP only where they do not fit."""
    base = ipaddress.ip_address(GOOD.get(q.qtype, GOOD[A]))
    return [q.reply([record(q.name, q.qtype, 60, (base + n).packed)
                     for n in range(int(q.args[0]))])]


@behaviour
def rotate(q):
    """Every question gets another address."""
    base = ipaddress.ip_address({A: "198.51.0.0"}.get(q.qtype, "2001:db8:2::"))
    return [q.reply([record(q.name, q.qtype, 1, (base + q.count).packed)])]


@behaviour
def rebind(q):
    """The good address at first, 127.0.0.1 or ::1 ever after."""
    bad = {A: "127.0.0.1", AAAA: "::1"}
    return [q.reply(q.addresses(bad if q.count else GOOD, ttl=1))]


@behaviour
def ip(q):
    """ip-HEX[-HEX...]: those addresses, of 8 or 32 digits."""
    data = [bytes.fromhex(x) for x in q.args]
    size = {A: 4, AAAA: 16}.get(q.qtype)
    return [q.reply([record(q.name, q.qtype, 60, x) for x in data
                     if len(x) == size])]


@behaviour
def rcode(q):
    """rcode-N: no answer but that code (2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED)."""
    return [q.reply(rcode=int(q.args[0]))]


@behaviour
def nodata(q):
    return [q.reply()]


@behaviour
def silent(q):
    return []


@behaviour
def late(q):
    """late-MS: a good answer after that many milliseconds."""
    return [(int(q.args[0]) / 1000, q.reply(q.addresses(GOOD)))]


@behaviour
def bigtxt(q):
    text = b"\xff" + b"x" * 255
    return [q.reply([record(q.name, TXT, 60, text * 200)])]


def parse(message, tcp):
    """A Query, or None for what a server could not answer at all."""
    if len(message) < 17 or message[2] & 0x80:
        return None
    ident, _, questions, _, _, extra = struct.unpack("!6H", message[:12])
    labels, at = [], 12
    while questions and at < len(message) and 0 < message[at] < 64:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += 1 + message[at]
    question = message[12:at + 5]
    if not labels or len(message) < at + 5:
        return None
    limit = 512
    opt = message[at + 5:at + 10]
    if extra and opt[:3] == b"\0\0\x29" and len(opt) == 5:
        limit = max(limit, struct.unpack("!H", opt[3:])[0])
    qtype = struct.unpack("!H", question[-4:-2])[0]
    key = (b".".join(labels).lower(), qtype)
    count = counts.get(key, 0)
    if len(counts) < 100000:
        counts[key] = count + 1
    args = labels[0].decode("latin-1").lower().split("-")[1:]
    return Query(ident, labels, qtype, question, 65535 if tcp else limit, tcp,
                 args, count)


def answers(message, client, tcp):
    print("tcp" if tcp else "udp", client, message.hex(), flush=True)
    query = parse(message, tcp)
    if query is None:
        return []
    first = query.labels[0].decode("latin-1").lower().split("-")[0]
    try:
        given = BEHAVIOURS.get(first, plain)(query)
    except (ValueError, LookupError):
        given = plain(query)
    return [x if isinstance(x, tuple) else (0, x) for x in given]


class Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)

    def datagram_received(self, data, addr):
        loop_ = asyncio.get_running_loop()
        for delay, message in answers(data, addr[0], False):
            if delay:
                loop_.call_later(delay, self.transport.sendto, message, addr)
            elif isinstance(message, OtherPort):
                local = self.transport.get_extra_info("sockname")[0]
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind((local, 0))
                    sock.sendto(message, addr)
            else:
                self.transport.sendto(message, addr)


async def serve_tcp(reader, writer):
    client = writer.get_extra_info("peername")[0]
    try:
        while True:
            size, = struct.unpack("!H", await reader.readexactly(2))
            message = await reader.readexactly(size)
            for delay, reply in answers(message, client, True):
                if reply is CLOSE:
                    return
                if delay:
                    await asyncio.sleep(delay)
                if not isinstance(reply, memoryview):
                    reply = struct.pack("!H", len(reply)) + reply
                writer.write(reply)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(addresses):
    loop_ = asyncio.get_running_loop()
    for address in addresses:
        await loop_.create_datagram_endpoint(Udp, local_addr=(address, 53))
        await asyncio.start_server(serve_tcp, address, 53, backlog=1024,
                                   family=socket.AF_UNSPEC)
    await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main(sys.argv[1:]))
