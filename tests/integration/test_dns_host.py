# SPDX-License-Identifier: GPL-2.0-or-later
"""What the DNS filter takes from the host (resolv.conf, hosts, routes) and what
the command finds of it inside.

Which server was asked is judged by the servers' own records: dnsmasq is the
host's resolver, the hostile server (which gives a plain answer to any name)
stands for another one.
"""
import hashlib
import os
import pathlib
import socket
import struct
import subprocess

import pytest

import lab
from dns_helpers import (
    EDE_FILTERED, FAKE, NOERROR, SERVFAIL, Reply, cage, message, sent_to,
    wire)

pytestmark = pytest.mark.usefixtures("egress")

GOOD4, GOOD6 = "198.51.100.10", "2001:db8:1::10"
ETC = pathlib.Path("/etc")
RESOLV = ETC / "resolv.conf"
DNSMASQ_CONF, FAKE_CONF = "nameserver 192.0.2.53\n", f"nameserver {FAKE}\n"


@pytest.fixture
def resolv(etc):
    """/etc/resolv.conf, which a test may replace by anything."""
    etc("resolv.conf", DNSMASQ_CONF)
    return RESOLV


def asked(far, name):
    """Which servers a question for that name reached, all from the host."""
    found = ["dnsmasq"] * bool(far.dns(name))
    return found + ["fake"] * any(wire(name) in x.data and
                                  x.client in ("192.0.2.1", "2001:db8::1")
                                  for x in far.fakedns())


def install(text, how):
    """Gives /etc/resolv.conf that content in one of the ways of the world."""
    if how == "written":
        RESOLV.write_text(text)
    elif how == "renamed":
        new = ETC / "resolv.conf.new"
        new.write_text(text)
        new.rename(RESOLV)
    else:  # a new symbolic link, renamed over what is there
        file = lab.LAB / f"tmp/resolv-{hashlib.sha1(text.encode()).hexdigest()}"
        file.write_text(text)
        new = ETC / "resolv.conf.new"
        to = os.path.relpath(file, ETC) if how == "relative link" else file
        new.symlink_to(to)
        new.rename(RESOLV)


WAYS = ["written", "renamed", "absolute link", "relative link"]


# ---- resolv.conf ------------------------------------------------------------

@pytest.mark.parametrize("how", WAYS)
def test_change_of_servers_while_running(far, resolv, how):
    with cage("*.wild.test") as box:
        for n, (text, server) in enumerate([
                (DNSMASQ_CONF, "dnsmasq"), (FAKE_CONF, "fake"),
                ("nameserver 2001:db8::53\n", "dnsmasq"),
                ("nameserver 2001:db8:bad::54\n", "fake")]):
            install(text, how)
            assert box.ask(f"x{n}.wild.test").addresses == [GOOD4]
            assert asked(far, f"x{n}.wild.test") == [server]


@pytest.mark.parametrize("state", ["missing", "dangling link", "empty"])
def test_no_usable_resolv_conf(far, resolv, state):
    """Nothing to ask: an error, and nobody else is asked. What is written
    later is used at once."""
    resolv.unlink()
    if state == "dangling link":
        resolv.symlink_to(lab.LAB / "tmp/nowhere/resolv.conf")
    elif state == "empty":
        resolv.write_text("")
    with cage("*.wild.test") as box:
        assert box.ask("a.wild.test").rcode == SERVFAIL
        assert box.ask("evil.test").denied
        assert far.dns("wild.test") == []
        install(DNSMASQ_CONF, "renamed")
        assert box.ask("b.wild.test").addresses == [GOOD4]


@pytest.mark.parametrize("state", ["link to itself", "directory"])
def test_resolv_conf_that_cannot_be_read(egress, resolv, who, state):
    """Refused at the start, with the cause."""
    resolv.unlink()
    if state == "directory":
        resolv.mkdir()
    else:
        resolv.symlink_to(resolv)
    try:
        got = egress(["--", "echo", "ran"], user=who)
    finally:
        if state == "directory":
            resolv.rmdir()
    assert (got.rc, got.out) == (125, "") and got.err.count("\n") == 1
    assert "/etc/resolv.conf: " in got.err


@pytest.mark.parametrize("state", WAYS + ["missing", "dangling link"])
def test_clients_work_whatever_resolv_conf_is(egress, resolv, who, state):
    """Also where the host's file is a link to what does not exist inside, or
    names a resolver on the host's loopback."""
    if state in WAYS:
        install("nameserver 127.0.0.53\noptions edns0 trust-ad\n", state)
    else:
        resolv.unlink()
    if state == "dangling link":
        resolv.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    relay = subprocess.Popen(
        ["socat", "UDP4-LISTEN:53,bind=127.0.0.53,fork,reuseaddr",
         "UDP4:192.0.2.53:53"]) if state in WAYS else None
    try:
        if relay:
            lab.wait_until(lambda: " 127.0.0.53:53 " in lab.host(
                ["ss", "-Hlun"]).out)
        got = egress(["-q", "--allow-domain", "*.wild.test", "--", "getent",
                      "ahostsv4", "x.wild.test"], user=who, timeout=20)
        assert got.ok == (state in WAYS), got
        got = egress(["-q", "--", "dig", "+tries=1", "evil.test"], user=who)
        assert "status: NXDOMAIN" in got.out and "EDE: 15" in got.out
    finally:
        if relay:
            subprocess.run(["pkill", "-KILL", "-P", str(relay.pid)],
                           check=False)
            relay.kill()
            relay.wait(5)


def test_upstream_down(far, resolv):
    """Nobody listens there: an error that names the reason, in little time; a
    denied name is denied all the same."""
    install("nameserver 203.0.113.99\nnameserver 2001:db8:bad::99\n", "written")
    with cage("allowed.test") as box:
        for tcp in False, True:
            reply = box.ask("allowed.test", tcp=tcp)
            assert reply.rcode == SERVFAIL and reply.ede_code in (22, 23)
            assert "resolver" in reply.ede[1]
        assert box.ask("evil.test").denied
        assert far.dns() == [] and far.wire(r"> 203\.0\.113\.99\.53: ")
        install(DNSMASQ_CONF, "written")
        assert box.ask("allowed.test").addresses == [GOOD4]


def test_attempts_and_next_server(far, resolv):
    """options timeout and attempts, and the order of the servers."""
    first = "nameserver 203.0.113.54\nnameserver 192.0.2.53\n"
    for attempts in 1, 2:
        install(f"{FAKE_CONF}options timeout:1 attempts:{attempts}\n",
                "written")
        with cage("*.hostile.test", "*.wild.test") as box:
            name = f"silent-{attempts}.hostile.test"
            reply = box.ask(name, timeout=8)
            assert reply.rcode == SERVFAIL
            assert len([x for x in far.fakedns() if wire(name) in x.data]) \
                == attempts
            install(first + "options timeout:1\n", "written")
            # The first does not answer, the second does.
            name = f"silent.n{attempts}.wild.test"
            assert box.ask(name).addresses == [GOOD4]
            assert asked(far, name) == ["dnsmasq", "fake"]


def test_search_list_applies_inside(egress, far, resolv, who):
    """The host's search list and ndots are the client's to use, with the
    filter as the server: no name of the list but the allowed ones gets out."""
    install("domain other.test\nsearch evil.test wild.test\n"
            "options ndots:2\n" + DNSMASQ_CONF, "written")
    got = egress(["-q", "--allow-domain", "*.wild.test", "--", "sh", "-c",
                  "getent ahostsv4 a.b; getent ahostsv4 plain; "
                  "cat /etc/resolv.conf"], user=who)
    assert got.out.count(f"{GOOD4} ") == 6, got
    assert "nameserver 192.0.0.1\n" in got.out
    assert "search evil.test wild.test\n" in got.out
    assert got.out.count("nameserver") == 1 and "192.0.2.53" not in got.out
    assert {q.name for q in far.dns()} == {"a.b.wild.test", "plain.wild.test"}


def test_use_vc(far, resolv):
    """options use-vc: upstream is asked by TCP only."""
    install(FAKE_CONF + "options use-vc\n", "written")
    with cage("*.hostile.test") as box:
        assert box.ask("plain.hostile.test").addresses == [GOOD4]
    assert {x.proto for x in far.fakedns()} == {"tcp"}


# ---- the host's files -------------------------------------------------------

def identity(path):
    """All that a write, a rename or a mount would change."""
    stat = os.lstat(path)
    return (path.read_bytes() if path.exists() else None, stat.st_ino,
            stat.st_dev, stat.st_mode, stat.st_uid, stat.st_mtime_ns,
            stat.st_ctime_ns,
            os.readlink(path) if path.is_symlink() else None)


@pytest.mark.parametrize("how", ["written", "absolute link", "dangling"])
def test_host_files_are_untouched(egress, resolv, who, how):
    """While it runs and afterwards, whatever the command tries."""
    if how == "dangling":
        resolv.unlink()
        resolv.symlink_to("/nowhere/resolv.conf")
    else:
        install(DNSMASQ_CONF, how)
    files = [ETC / "resolv.conf", ETC / "hosts", ETC / "nsswitch.conf"]
    before = [identity(x) for x in files]
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    mine = [x for x in files if how != "dangling" or x.name != "resolv.conf"]
    script = "".join(f"echo evil >>{x}; chmod 0666 {x}; touch {x}; truncate "
                     f"-s 0 {x}; " for x in mine)
    if who != "root":  # who may write the host's /etc
        script += "".join(f"rm -f {x}; mv {x} {x}.old; ln -sf /dev/null {x}; "
                          for x in files)
    with cage("allowed.test", user=who) as box:
        box.ask("allowed.test")
        assert [identity(x) for x in files] == before
    got = egress(["-q", "--", "sh", "-c", script], user=who)
    assert got.err.count("changing permissions of") == len(mine)
    assert got.err.count("Read-only file system") >= len(mine), got.err
    assert [identity(x) for x in files] == before
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


def test_files_inside(egress, etc, who, share):
    """resolv.conf names the filter alone, read-only; nsswitch.conf knows no
    way around it; hosts holds nothing of the host's."""
    etc("nsswitch.conf", "passwd: files systemd\n"
        "hosts: files mymachines resolve [!UNAVAIL=return] myhostname dns\n"
        " hosts: mdns4\nnetworks: files\n")
    etc("hosts", "127.0.0.1 localhost\n203.0.113.10 trap.test\n")
    files = "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts"
    script = "".join(f"echo -- {x}; cat {x}; echo x >>{x}; echo status $?; "
                     for x in files) + "getent hosts trap.test; hostname"
    got = egress(["-q", "--", "bash", "-c", script], user=who)
    _, resolv, nsswitch, hosts = got.out.split("-- ")
    assert resolv.split("\n")[1:] == ["nameserver 192.0.0.1", "status 1", ""]
    lines = nsswitch.split("\n")[1:]
    assert [x for x in lines if "hosts:" in x] == ["hosts: files dns"]
    assert "passwd: files systemd" in lines and "networks: files" in lines
    assert "status 1" in lines and "status 1\n" in hosts
    assert "127.0.0.1 localhost" in hosts and "203.0.113.10" not in hosts
    assert got.err.count("Read-only file system") + \
        got.err.count("Permission denied") == 3


def test_resolver_environment_is_gone(egress, host, far, who, share):
    """An alias file, options and a search list from the environment would
    change what glibc asks for."""
    aliases = share / "aliases"
    aliases.write_text("short evil.test\n")
    env = {"HOSTALIASES": str(aliases), "LOCALDOMAIN": "evil.test",
           "RES_OPTIONS": "ndots:5 debug"}
    show = ["sh", "-c", "env; getent hosts short; getent hosts a.wild.test"]
    got = host(show, user=who, env=env)
    assert all(f"{key}=" in got.out for key in env)
    assert {q.name for q in far.dns()} >= {"a.wild.test.evil.test"}
    far.mark()
    got = egress(["--allow-domain", "*.wild.test", "--", *show], user=who,
                 env=env)
    assert not any(f"{key}=" in got.out for key in env)
    assert "a.wild.test" in got.out
    assert {q.name for q in far.dns()} == {"a.wild.test"}
    assert "evil.test" not in got.err


# ---- /etc/hosts -------------------------------------------------------------

def test_hosts_of_the_host(egress, host, far, who):
    """Names there need no resolver; the allowlist holds for them too."""
    ask = ["curl", "-sS", "-m5", "-H", "Host: second.test",
           "http://fromhosts.test/"]
    assert host(ask, user=who).out == "OK second.test 198.51.100.11\n"
    far.mark()
    got = egress(["--allow-domain", "fromhosts.test", "--allow-domain",
                  "second.test", "--", *ask], user=who)
    assert got.out == "OK second.test 198.51.100.11\n", got.err
    assert len(far.http("second.test")) == 1
    got = egress(["--allow-domain", "other.test", "--", *ask], user=who)
    assert got.rc == 6 and len(far.http("second.test")) == 1
    assert far.dns() == []


def test_hosts_is_read_again(far, etc):
    """A change shows when the TTL of what was told is over, and at once for
    other names."""
    etc("hosts", "198.51.100.11 one.test ONE.allowed.test  # comment\n"
                 "2001:db8:1::11 one.test\n198.51.100.12 one.test\n")
    with cage("one.test", "two.test", "*.allowed.test") as box:
        reply = box.ask("one.test")
        assert reply.addresses == ["198.51.100.11", "198.51.100.12"]
        assert reply.ttl <= 10
        assert box.ask("one.test", "AAAA").addresses == ["2001:db8:1::11"]
        assert box.ask("one.allowed.test").addresses == ["198.51.100.11"]
        reply = box.ask("one.allowed.test", "AAAA")
        assert reply.rcode == NOERROR and not reply.answers
        etc("hosts", "198.51.100.20 two.test\n")
        assert box.ask("two.test").addresses == ["198.51.100.20"]
        (ETC / "hosts").unlink()
        assert box.ask("x.allowed.test").rcode == 3
    assert {q.name for q in far.dns()} == {"x.allowed.test"}


@pytest.mark.parametrize("address, port", [
    ("127.0.0.1", 8001), ("::1", 8001), ("192.0.2.1", 8000),
    ("172.16.5.5", 8000), ("2001:db8::1", 8000), ("2001:db8:5::5", 8000),
    ("0.0.0.0", 8000), ("::ffff:127.0.0.1", 8001), ("169.254.169.254", 80),
    ("fe80::1", 8000)])
def test_hosts_entry_for_the_host_itself(far, etc, host, address, port):
    """An allowed name does not open the host's own services, though the
    host's file says so; the answer says why it is empty."""
    etc("hosts", f"{address} trap.test\n")
    if not address.startswith(("169", "fe80")):
        got = host(["curl", "-sS", "-m5", f"http://trap.test:{port}/control"])
        assert got.out == "PWNED\n", got
    far.mark()
    qtype = "AAAA" if ":" in address else "A"
    with cage("trap.test") as box:
        reply = box.ask("trap.test", qtype)
        assert reply.rcode == NOERROR and not reply.answers
        assert reply.ede_code == EDE_FILTERED
        if not address.startswith("fe80"):
            assert box.connect(address, port) == "ECONNREFUSED"
        assert "trap.test" in box.finish()
    assert far.host() == [] and far.dns("trap.test") == []
    assert not sent_to(far, port="(80|8000|8001)")


# ---- routes -----------------------------------------------------------------

def test_ipv6_answers_follow_the_hosts_route(egress, host, far, who):
    """Without a route every client would try IPv6 in vain. Its return is
    noticed while running."""
    route = ["ip", "-6", "route"]
    default = ["default", "via", "2001:db8::2"]
    curl = ["curl", "-sS", "-m5", "http://allowed.test/"]
    with cage("*.wild.test", "v6only.test", user=who) as box:
        assert box.ask("a.wild.test", "AAAA").addresses == [GOOD6]
        try:
            assert host([*route, "del", *default]).ok
            reply = box.ask("b.wild.test", "AAAA")
            assert reply.rcode == NOERROR and not reply.answers
            assert reply.ede is None
            assert box.ask("b.wild.test").addresses == [GOOD4]
            assert not box.ask("v6only.test", "AAAA").answers
            got = egress(["--allow-domain", "allowed.test", "--", *curl],
                         user=who)
            assert got.out == f"OK allowed.test {GOOD4}\n" and got.err == ""
        finally:
            host([*route, "replace", *default])
        assert box.ask("c.wild.test", "AAAA").addresses == [GOOD6]
        got = egress(["--allow-domain", "allowed.test", "--", *curl, "-6"],
                     user=who)
        assert got.out == f"OK allowed.test {GOOD6}\n"


def test_client_and_resolver_by_ipv6_only(far, resolv, host):
    """The host has no IPv4 at all: names resolve over IPv6 to IPv6."""
    install("nameserver 2001:db8::53\n", "written")
    route = ["default", "via", "192.0.2.2"]
    with cage("*.wild.test") as box:
        try:
            assert host(["ip", "route", "del", *route]).ok
            assert box.ask("a.wild.test", "AAAA").addresses == [GOOD6]
            assert not box.ask("a.wild.test").answers
            assert box.connect(GOOD6) is None
        finally:
            host(["ip", "route", "replace", *route])
        assert box.ask("b.wild.test").addresses == [GOOD4]
    assert [q.client for q in far.dns("a.wild.test")] == ["2001:db8::1"] * 2


def test_answer_comes_from_the_address_that_was_asked(resolv):
    """Clients drop an answer from elsewhere: seen with an unconnected
    socket."""
    with cage("allowed.test") as box:
        data = message(wire("allowed.test") + struct.pack("!HH", 1, 1), 5)
        for server in "8.8.8.8", "127.0.0.53", "192.0.0.1", "2001:db8::53":
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            with box.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(5)
                sock.sendto(data, (server, 53))
                raw, source = sock.recvfrom(65535)
            assert source[:2] == (server, 53)
            assert Reply(raw).addresses == [GOOD4]
