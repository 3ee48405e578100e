# SPDX-License-Identifier: GPL-2.0-or-later
"""What no ordinary program sends: packets made byte by byte.

A command that found a way to be root in its network namespace could send
anything; here the test does. Every packet is sent by the host first and seen
on the wire, then from inside the sandbox, where it must arrive at the gate, be
counted and go no further. The sandbox has resolved allowed.test, so that one
address per family is admitted.
"""
import contextlib
import os
import re
import socket
import struct

import pytest

import lab
from dns_helpers import TYPES, Reply, cage, message, query, wire
from gate_helpers import (AGENT, EVIL, GATEWAY, GOOD, HOST, Gate, echo,
                          fragment6, icmp, inject, inside, ip, mac_of,
                          sctp_init, tap, tcp, udp)
from relay_helpers import network_of

UNADMITTED = {4: "203.0.113.99", 6: "2001:db8:bad::99"}
LEAK = b"leak" * 4
MORE = 0x2000  # IPv4: more fragments


@pytest.fixture(scope="module")
def box(egress):
    with cage("allowed.test", user="tester") as opened, \
            Gate(opened) as opened.gate:
        for qtype, version in ("A", 4), ("AAAA", 6):
            assert opened.ask("allowed.test", qtype).addresses == [GOOD[version]]
        opened.mac = mac_of(GATEWAY[4], opened)
        yield opened


@pytest.fixture(scope="module")
def wire_mac():
    """The link address of the host's router."""
    with socket.create_connection(("192.0.2.2", 80)):
        return mac_of("192.0.2.2")


# ---- the packets: functions of the source address ---------------------------

def plain(protocol, payload, to=GOOD):
    """One packet of that protocol."""
    return lambda v, src: [ip(src, to[v], protocol, payload)]


def udp_to(to, port, protocol=17, **options):
    return lambda v, src: [ip(src, to[v], protocol,
                              udp(src, to[v], port, protocol=protocol,
                                  **options))]


def tcp_to(to, port, flags=2, **options):
    return lambda v, src: [ip(src, to[v], 6,
                              tcp(src, to[v], port, flags, **options))]


def ping_to(to):
    return lambda v, src: [ip(src, to[v], 1 if v == 4 else 58,
                              echo(src, to[v]))]


def wrapped(protocol, head=b""):
    """A tunnel: the packet inside is for the evil host."""
    def build(v, src):
        inner = ip(src, EVIL[v], 17, udp(src, EVIL[v], 9999))
        return [ip(src, GOOD[v], protocol, head + inner)]
    return build


def behind(header, to=UNADMITTED):
    """IPv6: a UDP datagram behind an extension header."""
    kind, data = header

    def build(v, src):
        body = udp(src, to[v], 443)
        return [ip(src, to[v], kind, struct.pack("!B", 17) + data[1:] + body)]
    return build


def pieces(payload, size, v, src, dst, protocol, order=None):
    """The payload in fragments of that size, the last one smaller."""
    cuts = list(range(0, len(payload), size))
    made = []
    for at in cuts:
        more = at != cuts[-1]
        data = payload[at:at + size]
        if v == 4:
            made.append(ip(src, dst, protocol, data, ident=77,
                           fragment=at // 8 | (MORE if more else 0)))
        else:
            made.append(ip(src, dst, 44,
                           fragment6(protocol, data, at, more, 77)))
    return made if order is None else [made[x] for x in order]


def udp_pieces(to, port=9999, size=512, order=None):
    def build(v, src):
        data = udp(src, to[v], port, b"leak" * 300)
        return pieces(data, size, v, src, to[v], 17, order)
    return build


def syn_pieces(to, port=80):
    """The ports in the first fragment, the flags in the second."""
    return lambda v, src: pieces(tcp(src, to[v], port), 8, v, src, to[v], 6)


def first_only(to):
    return lambda v, src: udp_pieces(to)(v, src)[:1]


def last_only(to):
    return lambda v, src: udp_pieces(to)(v, src)[-1:]


def overlapping(v, src):
    """Port 53, then the same bytes once more with another port."""
    dst = UNADMITTED[v]
    query = pieces(udp(src, dst, 53, LEAK * 4), 16, v, src, dst, 17)
    other = pieces(udp(src, dst, 9999, LEAK * 4), 16, v, src, dst, 17)
    return [query[0], other[0], *other[1:]]


def atomic(v, src):
    """A fragment header, but nothing is in pieces (RFC 6946)."""
    body = udp(src, UNADMITTED[v], 443)
    return [ip(src, UNADMITTED[v], 44, fragment6(17, body, 0, 0))]


def source_routed(v, src):
    """Loose source route: to an admitted address by way of, or on to, the
    evil one."""
    hop = socket.inet_aton(EVIL[4])
    options = bytes([131, 7, 4]) + hop + b"\x01"
    return [ip(src, GOOD[v], 17, udp(src, GOOD[v], 9999), options=options)]


def to(address, version):
    """An address beside an admitted destination."""
    return {version: address}


def icmp_error(v, src):
    """An error that quotes a packet of the sandbox's own."""
    quoted = ip(GOOD[v], src, 17, udp(GOOD[v], src, 4000))
    return [ip(src, GOOD[v], 1, icmp(struct.pack("!BBHI", 3, 3, 0, 0)
                                     + quoted))]


HOP_BY_HOP = 0, b"\0\0\1\4\0\0\0\0"
DESTINATION = 60, b"\0\0\1\4\0\0\0\0"
ROUTING = 43, b"\0\2\0\1\0\0\0\0" + socket.inet_pton(socket.AF_INET6, EVIL[6])
BOTH, FOUR, SIX = (4, 6), (4,), (6,)
# What: (families, function, packets that the gate counts as denied, or None
# where the kernel itself throws the packet away).
PACKETS = {
    "ping to an admitted address": (BOTH, ping_to(GOOD), 1),
    "ping to another": (BOTH, ping_to(UNADMITTED), 1),
    "timestamp request": (FOUR, plain(1, b"\x0d\0\xf2\xff" + b"\0" * 16), 1),
    "icmp error": (FOUR, icmp_error, 1),
    "sctp": (BOTH, plain(132, sctp_init(80)), 1),
    "dccp": (BOTH, plain(33, struct.pack("!HH", 9, 80) + LEAK * 2), 1),
    "udp-lite": (BOTH, udp_to(GOOD, 9999, protocol=136), 1),
    "gre": (BOTH, wrapped(47, b"\0\0\x08\0"), 1),
    "ip in ip": (FOUR, wrapped(4), 1),
    "ipv6 in ip": (BOTH, wrapped(41), 1),
    "esp": (BOTH, plain(50, LEAK), 1),
    "ah": (FOUR, plain(51, b"\x11\x04\0\0" + LEAK * 2), 1),
    "l2tp": (BOTH, plain(115, LEAK), 1),
    "ospf": (BOTH, plain(89, LEAK), 1),
    "protocol 253": (BOTH, plain(253, LEAK), 1),
    "protocol 255": (BOTH, plain(255, LEAK), 1),
    "udp 443 to an admitted address": (BOTH, udp_to(GOOD, 443), 1),
    "udp to another": (BOTH, udp_to(UNADMITTED, 443), 1),
    "udp from port 53": (BOTH, udp_to(UNADMITTED, 4000, sport=53), 1),
    "udp port 0": (BOTH, udp_to(UNADMITTED, 0), None),
    "syn to another": (BOTH, tcp_to(UNADMITTED, 80), 1),
    "syn with data": (BOTH, tcp_to(UNADMITTED, 80, payload=LEAK * 40), 1),
    "syn from port 53": (BOTH, tcp_to(UNADMITTED, 80, sport=53), 1),
    "ack to another": (BOTH, tcp_to(UNADMITTED, 80, 16), 1),
    "ack to an admitted address": (BOTH, tcp_to(GOOD, 80, 16), 1),
    "push to an admitted address": (BOTH, tcp_to(GOOD, 80, 24), 1),
    "syn+ack to an admitted address": (BOTH, tcp_to(GOOD, 80, 18), None),
    "rst to an admitted address": (BOTH, tcp_to(GOOD, 80, 4), None),
    "fin to an admitted address": (BOTH, tcp_to(GOOD, 80, 1), None),
    "no flags": (BOTH, tcp_to(GOOD, 80, 0), None),
    "all flags": (BOTH, tcp_to(GOOD, 80, 255), None),
    "udp in pieces": (BOTH, udp_pieces(UNADMITTED), 1),
    "udp in pieces to an admitted address": (BOTH, udp_pieces(GOOD), 1),
    "pieces backwards": (BOTH, udp_pieces(UNADMITTED, order=(2, 1, 0)), 1),
    "large ping": (FOUR, lambda v, src: pieces(
        echo(src, GOOD[v], b"x" * 65000), 1480, v, src, GOOD[v], 1), 1),
    "tiny syn": (FOUR, syn_pieces(UNADMITTED), 1),
    "tiny syn by ipv6": (SIX, syn_pieces(UNADMITTED), None),  # RFC 7112
    "first piece alone": (BOTH, first_only(UNADMITTED), None),
    "first piece alone to an admitted address": (BOTH, first_only(GOOD), None),
    "last piece alone": (BOTH, last_only(UNADMITTED), None),
    "overlapping pieces": (BOTH, overlapping, None),
    "atomic fragment": (SIX, atomic, 1),
    "source route": (FOUR, source_routed, 1),
    "hop-by-hop options": (SIX, behind(HOP_BY_HOP), 1),
    "destination options": (SIX, behind(DESTINATION), 1),
    "routing header": (SIX, behind(ROUTING), None),
    "no next header": (SIX, plain(59, LEAK), 1),
    "broadcast": (FOUR, udp_to(to("255.255.255.255", 4), 9999), 1),
    "broadcast of the link": (FOUR, udp_to(to("192.0.0.3", 4), 9999), 1),
    "multicast": (FOUR, udp_to(to("224.0.0.1", 4), 9999), 1),
    "multicast of ipv6": (SIX, udp_to(to("ff02::1", 6), 9999), 1),
    "ping to all nodes": (SIX, ping_to(to("ff02::1", 6)), 1),
    "name service of the link": (SIX, udp_to(to("ff02::fb", 6), 5353), 1),
    "link-local destination": (SIX, udp_to(to("fe80::1", 6), 9999), 1),
    "metadata": (FOUR, tcp_to(to("169.254.169.254", 4), 80), 1),
    "loopback of the host": (FOUR, tcp_to(to("127.0.0.1", 4), 8001), None),
    "the host": (BOTH, tcp_to(HOST, 8000), 1),
    "the gateway": (BOTH, tcp_to(GATEWAY, 8000), 1),
    "the gateway by udp": (BOTH, udp_to(GATEWAY, 8002), 1),
    "ping to the gateway": (BOTH, ping_to(GATEWAY), 1),
}
CASES = [(what, v) for what, (versions, *_) in PACKETS.items()
         for v in versions]


def send_on_host(wire_mac, packets):
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        inject(sock, wire_mac, packets)


def send_inside(box, packets):
    """Returns when the gateway has received the last of them."""
    with tap(box.gate) as arrived, \
            box.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        inject(sock, box.mac, packets)
        for packet in packets:
            arrived(packet)


@pytest.mark.parametrize("what, v", CASES)
def test_packet_is_held(box, far, wire_mac, what, v):
    """On the wire from the host; arrived and counted, and not on the wire,
    from the sandbox."""
    _, build, count = PACKETS[what]
    packets = build(v, HOST[v])
    send_on_host(wire_mac, packets)
    assert len(far.wire(f"IP6? .*{HOST[v]}")) >= len(packets)
    far.mark()
    denied, spoofed = box.gate.counters()
    send_inside(box, build(v, AGENT[v]))
    if count is not None:
        lab.wait_until(lambda: box.gate.counters()[0] >= denied + count,
                       what="counted as denied")
    assert far.wire() == []
    assert box.gate.counters()[1] == spoofed


def test_pieces_to_an_admitted_address_become_a_connection(box, far):
    """The control of "tiny syn": put together again it is a SYN like any
    other, and what leaves is a SYN of the host's own making."""
    send_inside(box, syn_pieces(GOOD)(4, AGENT[4]))
    lab.wait_until(lambda: far.wire(rf" > {GOOD[4]}\.80: Flags \[S\]"))
    assert not far.wire(r"frag|\.4001 > ")


# ---- forged sources ---------------------------------------------------------

FORGED = {4: ("192.0.0.1", "192.0.0.3", "192.0.0.0", "192.0.2.1", "192.0.2.53",
              "172.16.5.5", "127.0.0.1", "0.0.0.0", "8.8.8.8", EVIL[4],
              "224.0.0.1", "255.255.255.255"),
          6: ("2001:2::1", "2001:2::3", "2001:db8::1", "2001:db8::53",
              "2001:db8:5::5", "fe80::2", "::ffff:192.0.0.2", EVIL[6])}


@pytest.mark.parametrize("v, src", [(v, x) for v in FORGED for x in FORGED[v]])
def test_forged_source(box, far, wire_mac, v, src):
    """Dropped and counted, whatever it is: what an honest source may send (a
    question, a SYN to an admitted address) and what it may not."""
    with cage("*.wild.test", user="tester") as other, Gate(other) as other.gate:
        other.mac = box.mac
        packets = [
            ip(src, GATEWAY[v], 17, udp(src, GATEWAY[v], 53,
                                        query("forged.wild.test"))),
            ip(src, GOOD[v], 17, udp(src, GOOD[v], 53,
                                     query("forged.wild.test"))),
            ip(src, GOOD[v], 6, tcp(src, GOOD[v], 80)),
            ip(src, EVIL[v], 6, tcp(src, EVIL[v], 80)),
            ip(src, EVIL[v], 17, udp(src, EVIL[v], 9999))]
        send_on_host(wire_mac, packets[-1:])
        assert far.wire(rf" {src}\.\d+ > {EVIL[v]}\.9999")
        far.mark()
        before = other.gate.counters()
        send_inside(other, packets)
        lab.wait_until(lambda: other.gate.counters() ==
                       (before[0], before[1] + len(packets)),
                       what="all of them counted as forged, none as denied")
        assert far.wire() == []
        assert other.ask("honest.wild.test").addresses == [GOOD[4]]
        assert {x.name for x in far.dns()} == {"honest.wild.test"}


# ---- beyond IP --------------------------------------------------------------

FRAMES = {"vlan": (0x8100, b"\0\1\x08\0" + LEAK), "lldp": (0x88CC, LEAK),
          "pppoe": (0x8863, LEAK), "mpls": (0x8847, LEAK), "802.1x": (0x888E,
          LEAK), "experiment": (0x88B5, LEAK), "llc": (20, LEAK + b"last"),
          "batman": (0x4305, LEAK)}


@pytest.mark.parametrize("what", FRAMES)
@pytest.mark.parametrize("mac", [None, b"\xff" * 6], ids=["router", "all"])
def test_other_frames(box, far, wire_mac, what, mac):
    """Frames that are not IP, to the router and to all."""
    kind, data = FRAMES[what]
    data = data.ljust(46, b"\0")
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        sock.sendto(data, ("eth0", kind, 0, 0, mac or wire_mac))
    assert far.wire()
    far.mark()
    with tap(box.gate) as arrived, \
            box.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        sock.sendto(data, ("eth0", kind, 0, 0, mac or box.mac))
        # The kernel itself takes the tag off.
        arrived(data[4:] if what == "vlan" else data)
    assert far.wire() == []


# ---- root in the sandbox's network namespace --------------------------------

RECONFIGURE = (
    "ip addr add 192.0.2.77/24 dev eth0",
    "ip addr add 192.0.0.3/29 dev eth0",
    "ip addr add 2001:db8::77/64 dev eth0 nodad",
    "ip addr add 203.0.113.77/32 dev lo",
    "ip link set eth0 mtu 1280",
    "ip route add 203.0.113.0/24 via 192.0.0.1 src 192.0.2.77",
    "ip -6 route add 2001:db8:bad::/64 via 2001:2::1 src 2001:db8::77",
    "ip route replace 203.0.113.0/24 dev eth0",
    "ip neigh replace 203.0.113.10 lladdr 02:00:00:00:00:01 dev eth0",
    "ip rule add to 203.0.113.0/24 table main",
    "ip link add out0 type veth peer name out1",
    "ip link set out0 up",
    "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    "nft flush ruleset",
    "nft add table ip mine",
    "nft add chain ip mine post {type nat hook postrouting priority 100;}",
    "nft add rule ip mine post masquerade",
    "ip route replace default dev eth0",
    "ip route replace default via 192.0.0.1",
    "nft flush ruleset")
PLACES = ((EVIL[4], 80), (EVIL[4], 9999), (EVIL[6], 80), (HOST[4], 8000),
          (HOST[6], 8000), ("172.16.5.5", 8000), ("2001:db8:5::5", 8000))


def dial_without_waiting(box, places, source=None):
    """Connections under way, to be closed."""
    opened = []
    for place in places:
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        sock = box.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        if source:
            sock.bind((source, 0))
        sock.connect_ex(place)
        opened.append(sock)
    return opened


def is_connected(sock):
    with contextlib.suppress(OSError):
        return sock.getpeername() is not None
    return False


def test_reconfiguration_opens_nothing(egress, far):
    """New addresses, routes, rules and links on the inner side, made by root
    there: the gate stands on the other side."""
    for place in PLACES:
        with socket.create_connection(place, 5):
            pass
    with cage("allowed.test", user="tester") as other, Gate(other) as gate:
        addresses = gate.run("ip", "addr")
        far.mark()
        dialled = []
        for command in RECONFIGURE:
            inside(other, *command.split())
            dialled += dial_without_waiting(other, PLACES)
        denied, spoofed = gate.counters()
        assert denied > 2 * len(PLACES)
        dialled += dial_without_waiting(other, PLACES[:2], "192.0.2.77")
        lab.wait_until(lambda: gate.counters()[1] >= spoofed + 2)
        assert far.wire() == [] and far.host() == []
        # All the same the admitted is reached, by the way that is left.
        assert other.ask("allowed.test").addresses == [GOOD[4]]
        assert other.connect(GOOD[4]) is None
        assert {x.name for x in far.dns()} == {"allowed.test"}
        assert far.wire(rf" > {GOOD[4]}\.80: Flags \[S\]")
        assert not [x for x in dialled if is_connected(x)]
        assert not far.wire("203.0.113|2001:db8:bad") and far.host() == []
        for sock in dialled:
            sock.close()
        assert gate.run("ip", "addr") == addresses


# ---- forged answers ---------------------------------------------------------

def answer(name, address, ident=0):
    """What an upstream server would say."""
    data = socket.inet_aton(address)
    return message(wire(name) + struct.pack("!HH", TYPES["A"], 1), ident,
                   0x8180, (1, 1, 0, 0),
                   b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + data)


def test_answers_of_the_command_teach_nothing(box, far):
    """Sent to anyone: to the evil host itself, to the filter, to the host's
    resolver and as if from it; on port 53 and beside it. (That questions on
    the same ports are heard is shown by every other test.)"""
    lie = answer("allowed.test", EVIL[4], 7)
    packets = [ip(src, dst, 17, udp(src, dst, port, lie, sport=sport))
               for src in (AGENT[4], "192.0.2.53") for sport in (53, 4000)
               for dst in (EVIL[4], GATEWAY[4], "192.0.2.53", HOST[4])
               for port in (53, 4000)]
    elements = set(box.gate.elements("addr4"))
    far.mark()
    send_inside(box, packets)
    # Behind them in the same queue; and the filter has read them all.
    assert box.ask("allowed.test").addresses == [GOOD[4]]
    assert box.connect(EVIL[4]) == "ECONNREFUSED"
    assert set(box.gate.elements("addr4")) == elements == {GOOD[4]}
    assert far.wire() == []


def asked_from(far, server):
    """The port that the last question reached that server from."""
    lines = lab.wait_until(lambda: far.wire(
        rf" {HOST[4]}\.(\d+) > {server}\.53:"), what="the question")
    return int(re.search(rf" {HOST[4]}\.(\d+) > ", lines[-1])[1])


def test_forged_upstream_replies(far, etc):
    """While a question is open: every wrong id from the right place, the right
    id from elsewhere or about another name. Only the real answer, behind them,
    counts. (The control: the same forgery with nothing wrong is believed.)"""
    server, name = "203.0.113.54", "late-1000.hostile.test"
    etc("resolv.conf", f"nameserver {server}\n")
    with network_of(os.environ["LAB_INET_PID"]):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                            socket.IPPROTO_RAW)
    with raw, cage("*.hostile.test", user="tester") as other, \
            Gate(other) as gate, other.connected(GATEWAY[4]) as client:
        def ask(name):
            """The id and the port that a forger would have to guess."""
            far.mark()
            client.send(query(name))
            asked, = lab.wait_until(far.fakedns, what="the question upstream")
            return (struct.unpack("!H", asked.data[:2])[0],
                    asked_from(far, server))

        def forge(src, sport, data):
            raw.sendto(ip(src, HOST[4], 17, udp(src, HOST[4], port, data,
                                                sport=sport)), (HOST[4], 0))
        ident, port = ask(name)
        forge("203.0.113.53", 53, answer(name, EVIL[4], ident))
        forge(server, 54, answer(name, EVIL[4], ident))
        forge(server, 53, answer("evil.test", EVIL[4], ident))
        for wrong in range(ident + 1, ident + 65536):
            forge(server, 53, answer(name, EVIL[4], wrong % 65536))
        assert Reply(client.recv(999)).addresses == [GOOD[4]]
        assert set(gate.elements("addr4")) == {GOOD[4]}
        assert other.connect(EVIL[4]) == "ECONNREFUSED"
        ident, port = ask("late-9999.hostile.test")
        forge(server, 53, answer("late-9999.hostile.test", EVIL[4], ident))
        assert Reply(client.recv(999)).addresses == [EVIL[4]]
