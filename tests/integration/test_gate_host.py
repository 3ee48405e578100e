# SPDX-License-Identifier: GPL-2.0-or-later
"""The host, the gateway and the neighbours, seen from inside: no service of
theirs can be reached, nothing of the host changes while a sandbox runs, and
the command has no handle on what is outside.
"""
import contextlib
import re
import socket
import subprocess

import pytest

import lab
from dns_helpers import cage
from gate_helpers import (AGENT, EVIL, GATEWAY, GOOD, HOST_ADDRESSES, Gate,
                          allow, allow_address, inside, probe, refused)
from relay_helpers import PYTHON

SERVICES = [f"{protocol} {x} {port}" for x in HOST_ADDRESSES for protocol, port
            in (("tcp", 8000), ("tcp", 8001), ("udp", 8002))]


# ---- services of the host ----------------------------------------------------

def of_host(results):
    """The addresses at which a service of the host answered."""
    return {x.split()[1] for x, result in results.items()
            if result in ("connected", "answered")}


@pytest.mark.parametrize("options", [
    allow("allowed.test"), allow("*"), allow_address("0.0.0.0/0", "::/0"),
    allow_address("192.0.2.0/24", "172.16.0.0/12", "2001:db8::/32")],
    ids=["name", "all names", "all addresses", "its networks"])
def test_host_services(egress, host, far, who, options):
    """By every address of the host, whatever is allowed: services on 0.0.0.0
    and ::, on loopback, by TCP and UDP."""
    assert of_host(probe(host, SERVICES, user=who)) == set(HOST_ADDRESSES)
    assert len(far.host()) >= len(SERVICES) - 4
    far.mark()
    assert refused(probe(egress, SERVICES, options, who))
    assert far.host() == [] and far.wire(r"\.800[012]: ") == []


@pytest.mark.parametrize("name, addresses", [
    ("re8.allowed.test", {"192.0.2.1", "2001:db8::1"}),
    ("re9.allowed.test", {"172.16.5.5", "2001:db8:5::5"})])
def test_name_of_the_host(egress, host, far, who, name, addresses):
    """An allowed name that resolves to the host itself: no answer, and no
    connection by the address."""
    look = f"getent ahosts {name}; getent ahostsv4 {name}"
    assert set(re.findall(r"^\S+", host(["sh", "-c", look]).out, re.M)) \
        == addresses
    fetch = f"curl -sS -m5 http://{name}:8000/"
    assert host(["sh", "-c", fetch], user=who).out == "PWNED\n"
    far.mark()
    options = allow("*.allowed.test")
    got = egress([*options, "-q", "sh", "-c", f"{look}; {fetch}"], user=who)
    assert not got.ok and got.out == ""
    assert refused(probe(egress, [f"tcp {x} 8000" for x in addresses], options,
                         who, look))
    assert far.dns(name) and far.host() == []


@contextlib.contextmanager
def gained(*addresses):
    """The host has these addresses too."""
    def change(what, address):
        nodad = ["nodad"] if ":" in address and what == "add" else []
        bits = 128 if ":" in address else 32
        done = lab.host(["ip", "addr", what, f"{address}/{bits}", "dev", "lo",
                         *nodad])
        assert done.ok, done.err
    for address in addresses:
        change("add", address)
    try:
        yield
    finally:
        for address in addresses:
            change("del", address)


@pytest.mark.parametrize("options", [
    allow("allowed.test"), allow_address("198.51.100.0/24", "2001:db8:1::/64")],
    ids=["name", "networks"])
def test_host_gains_an_admitted_address(egress, far, options):
    """It was somebody else's when it was admitted; now it is the host's."""
    with cage(user="tester", options=options) as box:
        box.ask("allowed.test"), box.ask("allowed.test", "AAAA")
        for address in GOOD.values():
            assert box.connect(address, 80) is None
        with gained(*GOOD.values()):
            for address in GOOD.values():
                with socket.create_connection((address, 8000), 5):
                    pass
            assert far.host()
            far.mark()
            for address in GOOD.values():
                assert box.connect(address, 8000) == "ECONNREFUSED"
                assert box.connect(address, 80) == "ECONNREFUSED"
            assert far.host() == []
        assert box.connect(GOOD[4], 80) is None


def test_host_gains_the_other_address(egress, far):
    """A name has two addresses; the host gains the second, and the first is
    dialled, which refuses: the second is not tried in its place."""
    first, second = "198.51.100.12", GOOD[4]
    with cage("multi.test", user="tester") as box:
        assert set(box.ask("multi.test").addresses) == {first, second}
        assert box.connect(first, 80) is None  # by way of the second
        far.mark()
        with gained(second):
            assert box.connect(first, 8000) == "ECONNREFUSED"
            assert far.host() == []


# ---- the gateway and other sandboxes -------------------------------------------

SCAN = """
import socket, sys
to, family = sys.argv[1], socket.AF_INET6 if ":" in sys.argv[1] else 2
for port in range(1, 65536):
    with socket.socket(family, 1) as s:
        s.settimeout(5)
        error = s.connect_ex((to, port))
        if error != 111:
            print(port, error)
"""


@pytest.mark.parametrize("v", [4, 6])
def test_every_port_of_the_gateway(egress, v):
    """DNS and nothing else, though more is listening there."""
    with cage("allowed.test", user="tester") as box, Gate(box) as gate:
        listening = gate.listening()
        assert 53 in listening and len(listening) == 2
        relay, = listening - {53}
        assert box.connect(GATEWAY[v], relay) == "ECONNREFUSED"
        assert box.connect(GATEWAY[v], 53) is None
        # The control: it is the gate that refuses.
        with gate.socket(socket.AF_INET) as sock:
            sock.settimeout(5)
            assert sock.connect_ex(("127.0.0.1", relay)) != 111
    got = egress([*allow("allowed.test"), "-q", PYTHON, "-c", SCAN,
                  GATEWAY[v]], user="tester", timeout=60)
    assert got.ok and got.out == "53 0\n", got


def test_second_sandbox(egress, far):
    """A server in one sandbox, on the addresses that all sandboxes have."""
    with cage("allowed.test", user="tester") as server, \
            cage(user="tester", options=allow_address("0.0.0.0/0", "::/0")) \
            as box, server.socket(socket.AF_INET6) as listener, \
            server.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams:
        for sock in listener, datagrams:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", 8100))
            sock.settimeout(5)
        listener.listen()
        for v in 4, 6:
            assert server.connect(AGENT[v], 8100) is None
            listener.accept()[0].close()
            with server.connected(AGENT[v], port=8100) as sock:
                sock.send(b"own")
            assert datagrams.recv(9) == b"own"
        for address in (*AGENT.values(), *GATEWAY.values()):
            assert box.connect(address, 8100) == "ECONNREFUSED"
            with box.connected(address, port=8100) as sock:
                sock.send(b"other")
                with pytest.raises(OSError):
                    sock.recv(9)
        for sock in listener, datagrams:
            sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with pytest.raises(BlockingIOError):
            datagrams.recv(9)
    assert far.wire(r"\.8100: ") == []


# ---- what a run does to the host -------------------------------------------------

STATE = ("sysctl -a 2>/dev/null | grep '^net' | grep -v conntrack_count",
         "ip -d link", "ip addr", "ip route show table all",
         "ip -6 route show table all", "ip rule", "ip -6 rule", "ip netns",
         "nft list ruleset", "ss -Hltun | sort", "cat /proc/net/packet",
         "cat /proc/net/route /proc/net/if_inet6", "cat /etc/resolv.conf",
         "cat /proc/self/mounts")


def state():
    return {x: lab.host(["sh", "-c", x]).out for x in STATE}


@pytest.mark.parametrize("end", ["TERM", "KILL"])
def test_host_is_left_alone(egress, far, who, end):
    """Forwarding and other settings, rules, links, addresses, routes and open
    ports of the host: before, during and after a run, and one that is killed.
    (The control is the settings of the sandbox, which do differ.)"""
    before = state()
    assert "net.ipv4.ip_forward = 0" in before[STATE[0]]
    assert "route_localnet = 0" in before[STATE[0]]
    left = lab.residue()
    with cage("allowed.test", user=who) as box:
        box.ask("allowed.test")
        assert box.connect(GOOD[4]) is None
        assert state() == before
        assert inside(box, "ip", "addr").out != before["ip addr"]
        if end == "KILL":
            box.process.kill()
            box.process.wait(5)
    lab.wait_clean(left)
    assert state() == before


# ---- the command's handles on what is outside ------------------------------------

def test_no_privileges(egress, host, who):
    """No capability in any set, no way to gain one; setuid programs run as
    their caller."""
    script = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status"
    told = dict(re.findall(r"(\w+):\t(\w+)", egress(["sh", "-c", script],
                                                    user=who).out))
    assert told.pop("NoNewPrivs") == "1"
    assert len(told) == 5 and set(told.values()) == {"0" * 16}
    sudo = ["sudo", "-n", "id", "-u"]
    assert host(sudo, user=who).out == "0\n"
    assert not egress(sudo, user=who).ok


CALLS = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(what, result):
    print(what, "done" if result >= 0 else errno.errorcode[ctypes.get_errno()])
def make(what, *args):
    try:
        socket.socket(*args)
        print(what, "done")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
for pid in "self", "1", str(os.getppid()):
    for kind in "net", "mnt", "pid", "user":
        try:
            fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        except OSError as e:
            print("open", pid, kind, errno.errorcode[e.errno])
            continue
        call(f"setns {pid} {kind}", libc.setns(fd, 0))
make("packet", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
make("packet-dgram", socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
make("raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
make("raw-icmp", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
make("raw6", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP)
make("ping", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
make("ping6", socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
for level, option, name in (0, 19, "transparent"), (1, 36, "mark"):
    try:
        s.setsockopt(level, option, 1)
        print(name, "done")
    except OSError as e:
        print(name, errno.errorcode[e.errno])
for flag in "NET 0x40000000", "NS 0x20000", "PID 0x20000000":
    name, bits = flag.split()
    call("unshare " + name, libc.unshare(int(bits, 16)))
call("mount", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
"""
# As root of a user namespace of its own, but in the sandbox's network.
NESTED = """
ip link set eth0 down; ip addr add 192.0.2.77/24 dev eth0
ip route replace default dev eth0; ip link add a type veth peer name b
nft flush ruleset; sysctl -w net.ipv4.ip_forward=1
nsenter -t $PPID -n true; nsenter -t 1 -n true
"""


def test_no_way_into_other_namespaces(egress, host, who):
    """Neither by setns nor by unshare; and no raw or packet socket."""
    cmd = [PYTHON, "-c", CALLS]
    outside = host(cmd).out
    assert outside.count(" done") > 12 and "packet done" in outside
    told = egress(cmd, user=who)
    assert told.ok and len(told.out.splitlines()) >= 21, told
    assert " done" not in told.out


def test_nested_user_namespace(egress, host):
    """Root of a nested user namespace governs nothing of the sandbox's
    network. (Root without capabilities cannot even make one.)"""
    nested = ["unshare", "-Ur"]
    assert not egress([*nested, "true"], user="tester").ok
    nested = [*lab.user_namespaces(), *nested]
    assert not egress([*nested, "true"]).ok
    told = egress([*nested, PYTHON, "-c", CALLS], user="tester").out
    for what in ("packet", "packet-dgram", "raw", "raw-icmp", "raw6", "mark",
                 "setns self net"):
        assert f"{what} EPERM\n" in told, told
    assert "unshare NET done" in told  # a new one: see the next test
    commands = [x.strip() for x in re.split("[;\n]", NESTED) if x.strip()]
    for command in commands:
        got = egress([*nested, "sh", "-c", command], user="tester")
        assert not got.ok and got.err, command
    inside_out = [egress([*way, "sh", "-c", script], user="tester").out
                  for way, script in (([], "ip -o addr"),
                                      (nested, f"{NESTED}\nip -o addr"))]
    assert inside_out[0] == inside_out[1] and AGENT[4] in inside_out[0]


def test_nested_network(egress, host, far):
    """In a network namespace of its own the command is root of nothing but a
    loopback."""
    script = ("ip -br link; ip link set lo up; nft list ruleset; "
              f"curl -sS -m5 http://{EVIL[4]}/secret; "
              f"curl -gsS -m5 'http://[{EVIL[6]}]/secret'; "
              "getent hosts allowed.test")
    outside = host(["sh", "-c", script])
    assert outside.out.count("PWNED") == 2
    far.mark()
    got = egress([*lab.user_namespaces(), *allow("allowed.test"), "unshare",
                  "-Urn", "sh", "-c",
                  script], user="tester")
    assert not got.ok and re.fullmatch(r"lo .*\n", got.out), got
    assert far.wire() == []


@pytest.mark.parametrize("confined", [False, True])
def test_inherited_descriptors(egress, far, who, confined):
    """A connection that the caller has open is not the command's."""
    script = ("import os, sys\n"
              "print(sorted(int(x) for x in os.listdir('/proc/self/fd')))\n"
              "sys.stdout.flush()\n"
              "os.write(int(sys.argv[1]), b'GET /secret HTTP/1.0\\r\\n\\r\\n')\n"
              "print(os.read(int(sys.argv[1]), 9999))\n")
    with socket.create_connection((EVIL[4], 80)) as sock:
        fd = sock.fileno()
        cmd = [lab.EGRESS_RUN, "-q"] if confined else []
        with lab.started([*cmd, PYTHON, "-c", script, fd], who, pass_fds=[fd],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT) as process:
            out = process.communicate(timeout=10)[0].decode()
    if confined:
        assert out.startswith("[0, 1, 2, 3]\n")
        assert "Bad file descriptor" in out and far.http() == []
    else:
        assert "PWNED" in out and len(far.http()) == 1


TRACE = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
print("seen", os.path.exists(f"/proc/{pid}"))
print("seized", libc.ptrace(0x4206, pid, 0, 0) == 0)
try:
    os.kill(pid, 0)
    print("signalled True")
except OSError:
    print("signalled False")
try:
    os.pidfd_open(pid)
    print("opened True")
except OSError:
    print("opened False")
try:
    print("read", bool(open(f"/proc/{pid}/mem", "rb")))
except OSError:
    print("read False")
"""


def test_processes_outside(egress, host, who):
    """Unseen and out of reach: another process of the same user outside. Of
    those inside, pid 1 is out of reach as well."""
    with lab.started(["sleep", "60"], who) as sleeper:
        cmd = [PYTHON, "-c", TRACE, sleeper.pid]
        assert host(cmd, user=who).out.count("True") == 5
        assert egress(cmd, user=who).out.count("False") == 5
    told = egress([PYTHON, "-c", TRACE, "1"], user=who).out
    assert "seized False" in told and "read False" in told
    shown = egress(["sh", "-c", "cat /proc/[0-9]*/comm; "
                    "readlink /proc/1/fd/* /proc/1/exe /proc/1/root"],
                   user=who)
    assert set(shown.out.split()) == {"egress-init", "sh"}
