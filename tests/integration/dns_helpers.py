# SPDX-License-Identifier: GPL-2.0-or-later
"""A running sandbox with sockets inside it, and DNS messages byte by byte.

Cage runs egress-run with a command that waits; socket() makes a socket in the
command's network namespace, so that a test can send what no client would and
look at every byte that comes back. Messages are built and parsed here, apart
from the program's own code.
"""
import contextlib
import ctypes
import dataclasses
import errno
import ipaddress
import os
import pathlib
import random
import re
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import time

import lab

GATEWAY4, GATEWAY6 = "192.0.0.1", "2001:2::1"
FAKE = "203.0.113.54"  # the hostile DNS server
CLONE_NEWNET = 0x40000000
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "DS": 43, "SVCB": 64,
         "HTTPS": 65, "IXFR": 251, "AXFR": 252, "ANY": 255, "CAA": 257,
         "TYPE65280": 65280}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = (
    0, 1, 2, 3, 4, 5, 16)
EDE_BLOCKED, EDE_FILTERED, EDE_PROHIBITED = 15, 17, 18
TRUNCATED = 0x0200
OPT_EDE = 15


# ---- messages ---------------------------------------------------------------

def wire(name):
    """A name from text or from a list of labels, of any bytes."""
    if isinstance(name, str):
        name = [label.encode() for label in name.split(".") if label]
        assert all(len(label) < 64 for label in name), "use bytes"
    return b"".join(bytes([len(x)]) + x for x in name) + b"\0"


def message(question, ident=0, flags=0x0100, counts=(1, 0, 0, 0), extra=b""):
    return struct.pack("!6H", ident, flags, *counts) + question + extra


def query(name, qtype="A", ident=0, qclass=1, opt=None):
    """What a client sends, with that OPT record if any."""
    question = wire(name) + struct.pack("!HH", TYPES[qtype], qclass)
    return message(question, ident, counts=(1, 0, 0, 1 if opt else 0),
                   extra=opt or b"")


def opt_record(size=1232, version=0, flags=0, options=b""):
    return b"\0" + struct.pack("!HHBBHH", TYPES["OPT"], size, 0, version,
                               flags, len(options)) + options


def read_name(data, at):
    """The labels at an offset and the offset behind them."""
    labels, end = [], None
    while data[at]:
        if data[at] >= 0xC0:
            end = end or at + 2
            target = struct.unpack("!H", data[at:at + 2])[0] & 0x3FFF
            assert target < at, "a pointer that does not point back"
            at = target
            continue
        assert data[at] < 64
        labels.append(data[at + 1:at + 1 + data[at]])
        at += 1 + data[at]
    return b".".join(labels).decode("latin-1"), end or at + 1


@dataclasses.dataclass
class Record:
    name: str
    type: int
    cls: int
    ttl: int
    data: bytes


class Reply:
    """An answer, parsed to its last byte."""

    def __init__(self, raw):
        self.raw = raw
        self.ident, self.flags, questions, *counts = struct.unpack(
            "!6H", raw[:12])
        at = 12
        for _ in range(questions):
            _, at = read_name(raw, at)
            at += 4
        self.question = raw[12:at]
        sections = []
        for count in counts:
            records = []
            for _ in range(count):
                name, at = read_name(raw, at)
                head = struct.unpack("!HHIH", raw[at:at + 10])
                data_at = at + 10
                at = data_at + head[3]
                data = raw[data_at:at]
                assert len(data) == head[3]
                if head[0] == TYPES["CNAME"]:
                    data = read_name(raw, data_at)[0].encode("latin-1")
                records.append(Record(name, *head[:3], data))
            sections.append(records)
        assert at == len(raw), "bytes behind the last record"
        self.answers, self.authority, self.additional = sections
        opts = [x for x in self.additional if x.type == TYPES["OPT"]]
        self.opt = opts[0] if opts else None

    @property
    def rcode(self):
        high = self.opt.ttl >> 24 if self.opt else 0
        return high << 4 | self.flags & 15

    @property
    def truncated(self):
        return bool(self.flags & TRUNCATED)

    @property
    def ede(self):
        """Code and text of the extended error, or None."""
        data = self.opt.data if self.opt else b""
        while data:
            code, size = struct.unpack("!HH", data[:4])
            if code == OPT_EDE:
                return (struct.unpack("!H", data[4:6])[0],
                        data[6:4 + size].decode())
            data = data[4 + size:]
        return None

    @property
    def ede_code(self):
        return self.ede[0] if self.ede else None

    @property
    def addresses(self):
        return [str(ipaddress.ip_address(x.data)) for x in self.answers
                if x.type in (TYPES["A"], TYPES["AAAA"])]

    @property
    def aliases(self):
        return [x.data.decode("latin-1") for x in self.answers
                if x.type == TYPES["CNAME"]]

    @property
    def ttl(self):
        return min(x.ttl for x in self.answers or self.authority)

    @property
    def denied(self):
        """Told that the name is not on the allowlist."""
        return (self.rcode == NXDOMAIN and not self.answers
                and self.ede_code == EDE_BLOCKED)


# ---- a running sandbox ------------------------------------------------------

def children(pid):
    """Pid and name of each child process."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = (entry / "stat").read_text()
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            if int(stat[stat.rindex(")") + 2:].split()[1]) == pid:
                found.append((int(entry.name), name))
    return found


def socket_in(netns, *args, **options):
    """As socket.socket(), in the network namespace of that descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        assert libc.setns(netns, CLONE_NEWNET) == 0, \
            os.strerror(ctypes.get_errno())
        return socket.socket(*args, **options)
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(home)


class Cage:
    """egress-run with a command that waits; see cage()."""

    def __init__(self, process, stderr):
        self.process = process
        self.stderr_path = stderr
        assert process.stdout.readline() == b"up\n", self.stderr
        self.init = self.helper("egress-init")
        self.command = children(self.init)[0][0]
        self.netns = os.open(f"/proc/{self.command}/ns/net", os.O_RDONLY)

    def helper(self, name):
        """The pid of egress-dns, egress-relay or egress-init."""
        return lab.wait_until(
            lambda: {x: pid for pid, x in children(self.process.pid)}.get(name),
            what=f"{name} runs")

    @property
    def dns(self):
        return self.helper("egress-dns")

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace").replace(
            lab.NOTICE, "", 1)

    def finish(self):
        """Ends the command; gives what egress-run wrote on stderr."""
        self.process.terminate()
        self.process.wait(10)
        return self.stderr

    def socket(self, *args, **options):
        """As socket.socket(), in the command's network namespace."""
        return socket_in(self.netns, *args, **options)

    def connected(self, server, tcp=False, port=53, timeout=5):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        sock = self.socket(family, kind)
        try:
            sock.settimeout(timeout)
            sock.connect((server, port))
        except OSError:
            sock.close()
            raise
        return sock

    def exchange(self, data, server=GATEWAY4, tcp=False, timeout=5):
        """The first message that comes back, or TimeoutError."""
        with self.connected(server, tcp, timeout=timeout) as sock:
            if not tcp:
                sock.send(data)
                return sock.recv(65535)
            sock.sendall(struct.pack("!H", len(data)) + data)
            return receive_tcp(sock)

    def ask(self, name, qtype="A", server=GATEWAY4, tcp=False, timeout=5,
            opt=opt_record()):
        """A question and its answer, of which the envelope is checked."""
        ident = random.randrange(65536)
        data = query(name, qtype, ident, opt=opt)
        reply = Reply(self.exchange(data, server, tcp, timeout))
        assert reply.ident == ident and reply.flags & 0xFDF0 == 0x8180
        assert reply.question == wire(name) + struct.pack("!HH", TYPES[qtype],
                                                          1)
        return reply

    def connect(self, address, port=80, timeout=5):
        """The name of the error of a TCP connection, or None."""
        try:
            self.connected(address, True, port, timeout).close()
        except TimeoutError:
            return "TIMEOUT"
        except OSError as error:
            return errno.errorcode[error.errno]
        return None


def receive_tcp(sock):
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
        got = sock.recv(65535)
        assert got, f"closed after {data!r}"
        data += got
    return data[2:]


@contextlib.contextmanager
def cage(*patterns, user="root", options=(), env=None):
    """A sandbox that allows these names; the test uses the fixture egress."""
    allow = [word for x in patterns for word in ("--allow-domain", x)]
    with tempfile.NamedTemporaryFile(dir=lab.LAB / "tmp") as stderr:
        with lab.started([lab.EGRESS_RUN, *options, *allow, "--", "sh", "-c",
                          "echo up; exec sleep infinity"], user, env=env,
                         stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=stderr) as process:
            box = Cage(process, pathlib.Path(stderr.name))
            try:
                yield box
            finally:
                os.close(box.netns)
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(10)


@contextlib.contextmanager
def exact_names(*names):
    """A sandbox that allows these names, each in full: as many as one likes,
    and none of them rationed."""
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as path:
        folder = pathlib.Path(path)
        (folder / "names").write_text("".join(f"{x}\n" for x in names))
        (folder / "p.json").write_text(
            '{"egress_run": {"allow_domain_file": ["names"]}}')
        with cage(options=["-q", "--profile", folder / "p.json"]) as box:
            yield box


def sent_to(far, *addresses, port=None):
    """Packets to any of these addresses (or any at all), whatever the protocol
    unless a port is given. Of TCP the first ones alone: the last ones of a
    control's connection come late."""
    to = "|".join(re.escape(x) for x in addresses) or r"\S+?"
    port = rf"\.{port}" if port else r"(\.\d+)?"
    return far.wire(rf"> ({to}){port}: (?!Flags \[[^S\]]*\])")


def ask_all(box, questions, deadline):
    """Asks all at once by UDP: {question: [(seconds, Reply), ...]}; a question
    is a name or a pair of name and type. Ends when each has one answer."""
    found = {x: [] for x in questions}
    begin = time.monotonic()
    with box.connected(GATEWAY4) as sock, selectors.DefaultSelector() as wait:
        wait.register(sock, selectors.EVENT_READ)
        by_id = dict(enumerate(questions))
        for ident, asked in by_id.items():
            name, qtype = (asked, "A") if isinstance(asked, str) else asked
            sock.send(query(name, qtype, ident, opt=opt_record()))
        while not all(found.values()):
            left = begin + deadline - time.monotonic()
            if left <= 0 or not wait.select(left):
                break
            reply = Reply(sock.recv(65535))
            found[by_id[reply.ident]].append((time.monotonic() - begin, reply))
    return found


def pipeline(box, questions, window=64, each=lambda reply: None):
    """Asks many by UDP, never more than window at once (so that no buffer
    overflows); a lost one would fail with TimeoutError."""
    with box.connected(GATEWAY4) as sock:
        open_count = 0
        for n, asked in enumerate(questions):
            name, qtype = (asked, "A") if isinstance(asked, str) else asked
            sock.send(query(name, qtype, n % 65536))
            open_count += 1
            if open_count == window:
                each(sock.recv(65535))
                open_count -= 1
        for _ in range(open_count):
            each(sock.recv(65535))


def forged_datagram(source, target, data):
    """An IPv4 packet from any source: two pairs of address and port."""
    udp = struct.pack("!4H", source[1], target[1], 8 + len(data), 0) + data
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                       socket.inet_aton(source[0]),
                       socket.inet_aton(target[0])) + udp


def rss_kib(pid):
    """VmRSS of a process; 0 under a sanitizer, which keeps what was freed."""
    if b"__asan_init" in lab.EGRESS_RUN.read_bytes():
        return 0
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"no VmRSS of {pid}")
