# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the gate share: packets byte by byte, and both of its sides.

A packet is judged three times: a socket in the gateway's namespace saw it
arrive (otherwise the test would prove nothing), the gate's counters counted
it, and the record of the wire (lab.Far) does not know it. inject() sends any
bytes, from inside a sandbox or, as the control, from the host.
"""
import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import json
import os
import socket
import struct
import subprocess

import lab
from relay_helpers import PYTHON, enter, libc

AGENT = {4: "192.0.0.2", 6: "2001:2::2"}
GATEWAY = {4: "192.0.0.1", 6: "2001:2::1"}
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
# All that the lab's host has: on the link, on its loopback.
HOST_ADDRESSES = ("192.0.2.1", "172.16.5.5", "127.0.0.1", "127.0.0.53",
                  "2001:db8::1", "2001:db8:5::5", "::1")
GOOD = {4: "198.51.100.10", 6: "2001:db8:1::10"}
EVIL = {4: "203.0.113.10", 6: "2001:db8:bad::10"}
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
SIOCGSKNS = 0x894C
SYS_PIDFD_GETFD = 438
AT_ONCE = 2  # seconds; what is dropped hangs for longer


def allow(*names):
    return [word for x in names for word in ("--allow-domain", x)]


def allow_address(*addresses):
    return [word for x in addresses for word in ("--allow-address", x)]


# ---- packets ----------------------------------------------------------------

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def family_of(address):
    return ipaddress.ip_address(address).version


def ip(src, dst, protocol, payload, ident=1, fragment=0, options=b""):
    """A packet; fragment is the field of IPv4 (flags and offset / 8)."""
    src, dst = map(ipaddress.ip_address, (src, dst))
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) \
            + src.packed + dst.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0,
                       20 + len(options) + len(payload), ident, fragment, 64,
                       protocol, 0) + src.packed + dst.packed + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def summed(src, dst, protocol, data, at):
    """data with its checksum (over the pseudo header too) put in at."""
    src, dst = map(ipaddress.ip_address, (src, dst))
    pseudo = src.packed + dst.packed + struct.pack("!IHBB", len(data), 0, 0,
                                                   protocol)
    return data[:at] + struct.pack("!H", checksum(pseudo + data)) \
        + data[at + 2:]


def udp(src, dst, port, payload=b"leak", sport=4000, protocol=17):
    """Also UDP-Lite (136) with a checksum that covers everything."""
    data = struct.pack("!HHHH", sport, port, 8 + len(payload), 0) + payload
    return summed(src, dst, protocol, data, 6)


def tcp(src, dst, port, flags=2, sport=4001, payload=b"leak", options=b""):
    data = struct.pack("!HHIIBBHHH", sport, port, 1000, 2000,
                       5 * 16 + 4 * len(options), flags, 65535, 0, 0)
    return summed(src, dst, 6, data + options + payload, 16)


def icmp(data):
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def echo(src, dst, payload=b"leak"):
    """An echo request of either family."""
    if family_of(src) == 6:
        return summed(src, dst, 58, struct.pack("!BBHHH", 128, 0, 0, 7, 1)
                      + payload, 2)
    return icmp(struct.pack("!BBHHH", 8, 0, 0, 7, 1) + payload)


def sctp_init(port):
    """An INIT chunk with its CRC32c (RFC 9260)."""
    data = struct.pack("!HHII", 4002, port, 0, 0) \
        + struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65536, 1, 1, 1)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return data[:8] + struct.pack("<I", crc ^ 0xFFFFFFFF) + data[12:]


def fragment6(protocol, data, at, more, ident=9):
    """A fragment header and its piece; at counts bytes."""
    return struct.pack("!BBHI", protocol, 0, at | more, ident) + data


# ---- namespaces -------------------------------------------------------------

def gateway_of(box):
    """The network namespace of the gateway. No process is in it: it is found
    by way of the sockets in it that the monitor holds."""
    known = {os.stat(f"/proc/{pid}/ns/net").st_ino
             for pid in (box.command, os.getpid())}
    pidfd = os.pidfd_open(box.process.pid)
    try:
        for number in os.listdir(f"/proc/{box.process.pid}/fd"):
            fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(number), 0)
            assert fd >= 0, os.strerror(ctypes.get_errno())
            with contextlib.suppress(OSError):
                netns = fcntl.ioctl(fd, SIOCGSKNS)
                if os.fstat(netns).st_ino not in known:
                    os.close(fd)
                    return netns
                os.close(netns)
            os.close(fd)
    finally:
        os.close(pidfd)
    raise AssertionError("the monitor has no socket in the gateway")


class Gate:
    """The gateway of a sandbox, looked at from its own namespace."""

    def __init__(self, box):
        self.box = box
        self.netns = gateway_of(box)

    def run(self, *cmd):
        done = subprocess.run(["nsenter", f"--net=/proc/self/fd/{self.netns}",
                               *cmd], pass_fds=[self.netns], check=True,
                              stdout=subprocess.PIPE)
        return done.stdout.decode()

    def socket(self, *args):
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            enter(self.netns)
            return socket.socket(*args)
        finally:
            enter(home)
            os.close(home)

    def counters(self):
        """(denied, spoofed) so far."""
        told = json.loads(self.run("nft", "-j", "list", "counters"))["nftables"]
        found = {x["counter"]["name"]: x["counter"]["packets"]
                 for x in told if "counter" in x}
        return found["denied"], found["spoofed"]

    def elements(self, name):
        """{address or (address, port): seconds left} of a set."""
        told = json.loads(self.run("nft", "-j", "list", "set", "inet",
                                   "egress_run", name))["nftables"]
        found = {}
        for x in next(x["set"] for x in told if "set" in x).get("elem", []):
            value = x["elem"]["val"]
            key = tuple(value["concat"]) if isinstance(value, dict) else value
            found[key] = x["elem"].get("expires", 0)
        return found

    def listening(self):
        """The TCP ports on which somebody listens in the gateway."""
        told = self.run("ss", "-Hltn")
        return {int(line.split()[3].rsplit(":", 1)[1])
                for line in told.splitlines()}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.netns)


def inside(box, *cmd, check=True):
    """A command of the host's root in the sandbox's network namespace."""
    done = lab.host(["nsenter", f"--net=/proc/{box.command}/ns/net", *cmd])
    assert done.ok or not check, done.err
    return done


def mac_of(address, where=None):
    """The link address of a neighbour, on the host or inside a sandbox."""
    cmd = ["ip", "-j", "neigh", "show", "to", address]
    told = inside(where, *cmd) if where else lab.host(cmd)
    entry, = json.loads(told.out)
    return bytes.fromhex(entry["lladdr"].replace(":", ""))


def inject(sock, mac, packets):
    """Send these bytes as they are behind an Ethernet header."""
    for packet in packets:
        sock.sendto(packet, ("eth0", ETHERTYPE[packet[0] >> 4], 0, 0, mac))


@contextlib.contextmanager
def tap(gate):
    """arrived(packet) waits until the gateway has received those bytes."""
    with gate.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                     socket.htons(3)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        sock.bind(("agent0", 3))
        sock.settimeout(5)

        def arrived(packet):
            while sock.recv(65535)[:len(packet)] != packet:
                pass
        yield arrived


# ---- programs ---------------------------------------------------------------

# Reads "PROTOCOL ADDRESS PORT" lines, says how each attempt ended and when.
PROBE = r"""
import errno, socket, sys, time
KINDS = {"tcp": (1, 6), "udp": (2, 17), "udplite": (2, 136)}
for line in sys.stdin:
    protocol, address, port = line.split()
    begin = time.monotonic()
    family, _, _, _, to = socket.getaddrinfo(
        address, int(port), type=1, flags=socket.AI_NUMERICHOST)[0]
    try:
        with socket.socket(family, *KINDS[protocol]) as s:
            s.settimeout(float(sys.argv[1]))
            s.connect(to)
            if protocol == "tcp":
                result = "connected"
                s.send(b"GET /probe HTTP/1.0\r\n\r\n")
            else:
                s.send(b"leak")
                s.recv(99)
                result = "answered"
    except TimeoutError:
        result = "silent"
    except OSError as e:
        result = errno.errorcode[e.errno]
    print(*line.split(), result, time.monotonic() - begin, flush=True)
"""
REJECTED = {errno.errorcode[x] for x in (
    errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM,
    errno.ENETUNREACH, errno.EINVAL, errno.EADDRNOTAVAIL)}


def probe(run, targets, options=(), user="tester", first="", patience=2):
    """{target: result} of "PROTOCOL ADDRESS PORT" targets, tried by a command
    under egress or host; first is a shell command that goes before."""
    got = run([*options, "sh", "-c", f"{first}\nexec {PYTHON} -c \"$0\" $1",
               PROBE, patience], user=user, stdin="\n".join(targets),
              timeout=60)
    assert got.ok, got.err
    results = {}
    for line in got.out.splitlines():
        *target, result, seconds = line.split()
        results[" ".join(target)] = result
        if result in REJECTED:
            assert float(seconds) < AT_ONCE, line
    assert set(results) == set(targets), got.out
    return results


def refused(results):
    """Not one of them got through, and none had to wait."""
    assert {x: y for x, y in results.items() if y not in REJECTED} == {}
    return True
