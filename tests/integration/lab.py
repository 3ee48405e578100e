# SPDX-License-Identifier: GPL-2.0-or-later
"""Run things on the lab's host and look at what reached its far ends.

A record of a far end (Far) is read only after a marker, sent after everything
else, has come through the same queue into it: "nothing arrived" is a fact
about the record, not about how long somebody waited. A command has a hard
deadline and its process group dies with it.
"""
import collections
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

LAB = pathlib.Path(os.environ["LAB"])
TREE = pathlib.Path(__file__).resolve().parents[2]
IN_INTERNET = str(TREE / "tests/lab/in-internet")
EGRESS_RUN = LAB / "bin/egress-run"
# What is not about files uses the tests' own programs.
FILES = "host"
PROFILES = LAB / "share/egress-run/profiles"
# What a run says that allows nothing, as most runs of the tests do.
NOTICE = ("egress-run: nothing is reachable: no name is allowed; "
          "--allow-domain NAME, --network-profile developer or --allow-net "
          "change that\n")

User = collections.namedtuple("User", "uid gid groups home")
USERS = {
    "root": User(0, 0, [0], LAB / "home/root"),
    "tester": User(3000, 3000, [3000, 3002], LAB / "home/tester"),
}

# What a login would set, and what makes clients trust the lab.
PASSED = ("LAB", "LAB_CA", "LAB_INET_PID", "LAB_HOST_PID", "TMPDIR",
          "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
          "GIT_SSL_CAINFO", "GIT_SSH_COMMAND", "ASAN_OPTIONS", "UBSAN_OPTIONS",
          "LSAN_OPTIONS")


# ---- commands ---------------------------------------------------------------

@dataclasses.dataclass
class Result:
    """What a command did; text is decoded, raw is stdout as it came. NOTICE
    is taken out of err; noticed tells that it was there."""
    rc: int
    raw: bytes
    err: str
    seconds: float
    noticed: bool = False

    @property
    def out(self):
        return self.raw.decode(errors="replace")

    @property
    def ok(self):
        return self.rc == 0


def environment(user, extra=None):
    env = {key: os.environ[key] for key in PASSED if key in os.environ}
    env.update(HOME=str(USERS[user].home), USER=user, LOGNAME=user,
               LANG="C.UTF-8", TERM="xterm",
               EGRESS_RUN_FILES=FILES,
               PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
                    ":/sbin:/bin")
    env.update(extra or {})
    return {key: value for key, value in env.items() if value is not None}


def popen(cmd, user="root", env=None, cwd=None, **options):
    """As subprocess.Popen, as that user, in a session of its own."""
    who = USERS[user]
    return subprocess.Popen(
        [str(word) for word in cmd], env=environment(user, env),
        cwd=cwd or who.home, user=who.uid, group=who.gid,
        extra_groups=who.groups, start_new_session=True, **options)


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def host(cmd, user="root", timeout=10, stdin=b"", env=None, cwd=None):
    """Run cmd unconfined on the lab's host; fails when the deadline passes."""
    begin = time.monotonic()
    if isinstance(stdin, str):
        stdin = stdin.encode()
    process = popen(cmd, user, env, cwd, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        kill_group(process)
        out, err = process.communicate(timeout=5)
        raise AssertionError(f"still running after {timeout} s: {cmd}\n"
                             f"stdout: {out[-2000:]}\n"
                             f"stderr: {err[-2000:]}") from None
    finally:
        kill_group(process)
    err = err.decode(errors="replace")
    return Result(process.returncode, out, err.replace(NOTICE, "", 1),
                  time.monotonic() - begin, NOTICE in err)


def egress(args, **options):
    """Run egress-run with these arguments; options as for host()."""
    return host([EGRESS_RUN, *args], **options)


@contextlib.contextmanager
def started(cmd, user="root", **options):
    """A command in the background; killed with its group at the end."""
    process = popen(cmd, user, **options)
    try:
        yield process
    finally:
        kill_group(process)
        process.wait(5)


def install_egress_run():
    """A copy that every account can reach, wherever the tree lies; with the
    shipped profiles, as if it were installed."""
    source = TREE / os.environ.get("EGRESS_RUN", "build/egress-run")
    EGRESS_RUN.parent.mkdir(exist_ok=True)
    shutil.copy(source, EGRESS_RUN)
    EGRESS_RUN.chmod(0o755)
    for path in (TREE / "profiles").rglob("*.json"):
        copy = PROFILES / path.relative_to(TREE / "profiles")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        copy.chmod(0o644)


def user_namespaces():
    """Options for a command that may make namespaces of its own."""
    path = LAB / "user-namespaces.json"
    path.write_text('{"egress_run": {"user_namespaces": true}}')
    return ["-q", "-p", path]


def wait_until(condition, deadline=5, what=None):
    """The first true value of condition(); fails after deadline seconds, and
    says what, a text or a function that gives one."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        assert time.monotonic() < end, \
            f"not within {deadline} s: {what() if callable(what) else what}"
        time.sleep(0.002)
    return value


# ---- far ends ---------------------------------------------------------------

Request = collections.namedtuple(
    "Request", "address port host sni client request status size")
Question = collections.namedtuple("Question", "type name client")
Message = collections.namedtuple("Message", "proto client data")

MARKER = "203.0.113.254"  # an address that only markers are sent to
MARKED = re.compile(f"sync-[0-9]+-[0-9]+-end|{b'sync-'.hex()}|{MARKER}")
# Neighbour discovery and the like: not traffic that somebody asked for.
NOISE = re.compile(r"^\D|ARP|ICMP6, (neighbor|router)|multicast listener")
serial = itertools.count()


def dns_message(name, qtype=1, ident=0x5359):
    """A question as a client would send it."""
    labels = b"".join(bytes([len(label)]) + label
                      for label in name.encode().split(b".") if label)
    return (struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + labels
            + struct.pack("!BHH", 0, qtype, 1))


def send_udp(address, port, data, reply=False):
    """Send a datagram, await the reply to it if there will be one (it would
    meet a closed port); gives the port that it came from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(data, (address, port))
        if reply:
            sock.recv(65535)
        return sock.getsockname()[1]


def send_http(tag):
    with socket.create_connection((MARKER, 80), 5) as sock:
        sock.sendall(f"GET /{tag} HTTP/1.0\r\n\r\n".encode())
        sock.recv(1)


SEND_MARKER = {
    "dns": lambda tag: send_udp("192.0.2.53", 53, dns_message(f"{tag}.test"),
                                reply=True),
    "fakedns": lambda tag: send_udp("203.0.113.54", 53,
                                    dns_message(f"{tag}.test"), reply=True),
    "http": send_http,
    "sink": lambda tag: send_udp(MARKER, 9999, tag.encode()),
    "host": lambda tag: send_udp("127.0.0.1", 8002, tag.encode()),
}


class Far:
    """Records of the far ends since mark() (and since it was made).

    wire    packets from the host, as tcpdump tells them
    dns     questions to dnsmasq, whatever address they were sent to
    fakedns messages to the hostile DNS server, as bytes
    http    requests to nginx
    sink    what the sinks got; host: what the host's own services got
    """

    def __init__(self):
        self.start = {}
        self.mark()

    def mark(self):
        for name in ("wire", *SEND_MARKER):
            self._sync(name)
            self.start[name] = self._path(name).stat().st_size

    @staticmethod
    def _path(name):
        return LAB / f"{name}.log"

    def _since(self, name, offset):
        with self._path(name).open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def _sync(self, name):
        """Let everything that was sent before arrive in this record."""
        begin = self._path(name).stat().st_size
        if name == "wire":
            wanted = self._mark_wire()
            wait_until(lambda: all(x in self._since(name, begin)
                                   for x in wanted), what="marker on the wire")
            return
        # Twice: what a server found ready together with the first marker is
        # recorded before the second.
        for _ in range(2):
            tag = f"sync-{os.getpid()}-{next(serial)}-end"
            SEND_MARKER[name](tag)
            wanted = re.compile(f"{tag}|{tag.encode().hex()}")
            wait_until(lambda: wanted.search(self._since(name, begin)),
                       what=f"{tag} in {name}")

    @staticmethod
    def _mark_wire():
        """One from each CPU: each has its own queue into the far namespace."""
        wanted = []
        cpus = os.sched_getaffinity(0)
        try:
            for cpu in cpus:
                os.sched_setaffinity(0, [cpu])
                port = send_udp(MARKER, 9, b"sync")
                wanted.append(f".{port} > {MARKER}.9: ")
        finally:
            os.sched_setaffinity(0, cpus)
        return wanted

    def _lines(self, name, pattern=""):
        self._sync(name)
        lines = self._since(name, self.start[name]).splitlines()
        return [line for line in lines
                if not MARKED.search(line) and re.search(pattern, line)]

    def wire(self, pattern=""):
        """Packets that reached the internet, of those that match."""
        return [line for line in self._lines("wire", pattern)
                if not NOISE.search(line)]

    def dns(self, name=None):
        """Questions that reached dnsmasq for name or anything below it."""
        found = [re.search(r"query\[(\S+)\] (\S+) from (\S+)", line)
                 for line in self._lines("dns")]
        found = [Question(*match.groups()) for match in found if match]
        return [q for q in found if name is None
                or f".{q.name.lower()}".endswith(f".{name.lower()}")]

    def fakedns(self):
        """Messages that reached the hostile DNS server."""
        found = [line.split(" ") for line in self._lines("fakedns")]
        return [Message(proto, client, bytes.fromhex(data))
                for proto, client, data in found]

    def http(self, name=None):
        """Requests that reached nginx, for that Host if given."""
        found = [Request(*line.split("|")) for line in self._lines("http")]
        return [x for x in found if name in (None, x.host)]

    def sink(self, pattern=""):
        """What reached the sinks."""
        return self._lines("sink", pattern)

    def host(self, pattern=""):
        """What reached the services of the host itself."""
        return self._lines("host", pattern)


# ---- what a run may leave behind --------------------------------------------

def residue():
    """Everything of which a finished run must leave nothing."""
    found = collections.defaultdict(set)
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (entry / "comm").read_text().strip()
            found["processes"].add(f"{entry.name} {name}")
            for kind in "net", "mnt", "user", "pid":
                found["namespaces"].add(os.readlink(entry / "ns" / kind))
    found["links"].update(host(["ip", "-br", "link"]).out.splitlines())
    found["rules"].update(host(["nft", "list", "ruleset"]).out.splitlines())
    found["mounts"].update(
        pathlib.Path("/proc/self/mountinfo").read_text().splitlines())
    for place in "/run", "/dev/shm", LAB / "tmp":
        found["files"].update(map(str, pathlib.Path(place).iterdir()))
    # The one place that the lab shares with the machine.
    for entry in os.scandir("/tmp"):
        with contextlib.suppress(FileNotFoundError):
            owner = entry.stat(follow_symlinks=False).st_uid
            if owner == USERS["tester"].uid or "egress" in entry.name:
                found["files"].add(entry.path)
    return found


def left_behind(before):
    """What there is now and was not in that residue()."""
    now = residue()
    return {kind: new for kind in now if (new := now[kind] - before[kind])}


def wait_clean(before, deadline=5):
    """Wait until nothing is left since that residue()."""
    wait_until(lambda: not left_behind(before), deadline,
               lambda: f"left behind: {left_behind(before)}")
