# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user is told: nothing when all went well, what was blocked and how
to allow it otherwise, and nothing from the network that a terminal would obey.
"""
import re
import socket
import subprocess

import pytest

import lab
from dns_helpers import cage, message, query, wire
from relay_helpers import PYTHON

PREFIX = "egress-run: "
EVIL, EVIL6 = "203.0.113.10", "2001:db8:bad::10"
# One line of the summary: what, count, unit, remedy.
LINE = re.compile(r"egress-run:   (.+) \((\d+) (look-up|packet)s?\)(?:; (.+))?$")
# getent asks for A and AAAA, this for A alone.
LOOK_UP = ("import socket, sys\n"
           "for name in sys.argv[1:]:\n"
           "    try: socket.gethostbyname(name)\n"
           "    except OSError: pass\n")
SEND_UDP = ("import socket, sys\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "for to in sys.argv[2:]:\n"
            "    s.sendto(b'leak', (to, int(sys.argv[1])))\n")


def summary(err):
    """{what: (count, unit, remedy)} in the order shown."""
    _, head, lines = err.partition(PREFIX + "blocked:\n")
    assert head, err
    found = {}
    for line in lines.splitlines():
        if match := LINE.match(line):
            found[match[1]] = (int(match[2]), match[3], match[4] or "")
    return found


def look_up(run, *names, options=(), user="tester", **more):
    return run([*options, "--", PYTHON, "-c", LOOK_UP, *names], user=user,
               **more)


def printable(text):
    return all(c == "\n" or " " <= c <= "~" for c in text)


# ---- nothing ----------------------------------------------------------------

def test_silent_when_all_goes_well(egress, who):
    """No word beside the command's own, and its output untouched."""
    got = egress(["--allow-domain", "*.allowed.test", "--allow-domain",
                  "allowed.test", "--", "sh", "-c",
                  "curl -sS http://allowed.test/; getent hosts api.allowed.test"
                  " >&2; getent hosts 192.0.2.77; printf '\\033[0m'"], user=who)
    assert got.rc == 0
    assert got.raw.startswith(b"OK allowed.test ")
    assert got.raw.endswith(b"\033[0m")
    assert got.err.endswith("api.allowed.test\n") and PREFIX not in got.err


def test_silent_without_network(egress, who):
    assert egress(["true"], user=who) .err == ""
    assert egress(["sh", "-c", "exit 3"], user=who).err == ""


def test_silent_about_missing_names(egress):
    """An allowed name that does not exist, or has no such record, is not
    blocked."""
    got = look_up(egress, "nothing.wild.test.invalid", "v6only.test",
                  options=["--allow-domain", "*.test.invalid",
                           "--allow-domain", "v6only.test"])
    assert got.err == ""


def test_reverse_look_ups_are_left_out(egress):
    """Every tool makes them; they would drown the rest."""
    script = ("import socket\n"
              "for x in '203.0.113.10', '198.51.100.10', '2001:db8:bad::10':\n"
              "    try: socket.gethostbyaddr(x)\n"
              "    except OSError: pass\n")
    assert egress([PYTHON, "-c", script]).err == ""


def test_look_ups_of_services_are_left_out(egress, far):
    """apt's, for each mirror; other programs are lost without theirs."""
    got = egress(["--allow-domain", "allowed.test", "sh", "-c",
                  "for x in _http._tcp.allowed.test _https._tcp.evil.test "
                  "_mongodb._tcp.allowed.test; do dig +tries=1 $x SRV; done"])
    assert list(summary(got.err)) == ["_mongodb._tcp.allowed.test"]
    assert not far.dns()


def test_http3_attempts_are_left_out(egress):
    """UDP 443 to an address that is open for TCP: browsers fall back."""
    script = ("getent ahostsv4 allowed.test >/dev/null; "
              f"{PYTHON} -c \"$SEND\" 443 198.51.100.10")
    options = ["--allow-domain", "allowed.test"]
    got = egress([*options, "sh", "-c", script], env={"SEND": SEND_UDP})
    assert "only TCP" not in got.err
    got = egress([*options, PYTHON, "-c", SEND_UDP, "443", EVIL])
    assert list(summary(got.err)) == [f"{EVIL}:443 udp"]


# ---- what was blocked -------------------------------------------------------

def test_blocked_name(egress, far, who):
    """Count, unit, remedy; nobody was asked."""
    got = look_up(egress, "evil.test", "evil.test", "evil2.test", user=who)
    assert got.rc == 0
    assert summary(got.err) == {
        "evil.test": (2, "look-up", "allow with --allow-domain evil.test"),
        "evil2.test": (1, "look-up", "allow with --allow-domain evil2.test")}
    assert "(2 look-ups)" in got.err and "(1 look-up)" in got.err
    assert not far.dns("test") and not far.wire()


@pytest.mark.parametrize("address, shown", [
    (EVIL, f"{EVIL}:9999"), (EVIL6, f"[{EVIL6}]:9999")])
def test_blocked_address(egress, far, address, shown):
    script = ("import socket, sys\n"
              "for _ in range(3):\n"
              "    try: socket.create_connection((sys.argv[1], 9999), 3)\n"
              "    except ConnectionRefusedError: pass\n")
    got = egress(["--", PYTHON, "-c", script, address])
    assert summary(got.err) == {f"{shown} tcp": (
        3, "packet", "allow the name it belongs to, or "
        f"--allow-address {shown}")}
    assert not far.sink() and not far.wire()


@pytest.mark.parametrize("kind, proto, shown", [
    (socket.SOCK_DGRAM, socket.IPPROTO_UDP, f"{EVIL}:123 udp"),
    (socket.SOCK_DGRAM, 136, f"{EVIL}:123 udplite"),
    (socket.SOCK_RAW, socket.IPPROTO_ICMP, f"{EVIL} icmp"),
    (socket.SOCK_RAW, 99, f"{EVIL} ip-99")])
def test_blocked_protocol(egress, far, kind, proto, shown):
    """Named, counted, without a port where there is none, and with the promise
    that an option would help only where one does. (Raw sockets with root's
    help.)"""
    data = b"\x08\0\xf7\xff\0\0\0\0"  # an echo request, if it is ICMP
    with cage(options=["--allow-address", EVIL]) as box:
        with box.socket(socket.AF_INET, kind, proto) as sock:
            for _ in range(3):
                sock.sendto(data, (EVIL, 123 if kind == socket.SOCK_DGRAM
                                   else 0))
        err = box.finish()
    remedy = (f"allow NAME:123/udp, or --allow-address {EVIL}:123/udp"
              if proto == socket.IPPROTO_UDP else "only TCP and UDP are let out")
    assert summary(err) == {shown: (3, "packet", remedy)}
    assert not far.sink() and not far.wire()


def test_blocked_answer(egress):
    """An allowed name that leads where nothing may lead."""
    got = look_up(egress, "re1.allowed.test", "re8.allowed.test",
                  options=["--allow-domain", "*.allowed.test"])
    found = summary(got.err)
    assert [x[2] for x in found.values()] == ["never allowed"] * 2
    first, second = found
    assert first.startswith("re1.allowed.test -> 127.0.0.1 (")
    assert second == "re8.allowed.test -> 192.0.2.1 (an address of this host)"


def remedies(err):
    """The options that the summary suggests."""
    return [x for _, _, text in summary(err).values()
            for x in re.findall(r"(--allow-\w+) (\S+)", text)]


def test_remedies_work(egress, host):
    """Running it again with what the summary says, it works."""
    cmd = ["sh", "-c", "curl -sSm4 http://evil.test/; curl -sSm4 -o /dev/null "
           f"http://{EVIL}/ -w '%{{http_code}}\\n'; "
           f"curl -sSm4 -o /dev/null 'http://[{EVIL6}]/' -w '%{{http_code}}\\n'"]
    wanted = host(cmd, user="tester").out
    assert wanted.count("PWNED") == 1 and wanted.endswith("200\n200\n")
    got = egress(["--", *cmd], user="tester")
    assert not got.ok
    options = remedies(got.err)
    assert len(options) == 3
    again = egress([*[word for x in options for word in x], "--", *cmd],
                   user="tester")
    assert again.out.endswith("200\n200\n") and "PWNED" in again.out
    assert again.rc == 0 and again.err == ""


@pytest.mark.parametrize("name", [
    "com", "co.uk", "localdomain.lan", "metadata.google.internal",
    "instance-data", "use-application-dns.net", "_dmarc.evil.test",
    "xn--nxasmq6b.evil.test", "1.2.3.4.evil.test", "1.2.3.4", "0x7f.1",
    "a--b.evil.test", "UPPER.Evil.Test"])
def test_remedy_is_accepted(egress, name):
    """No line suggests what the program itself would refuse."""
    with cage() as box:
        box.exchange(query(name))
        err = box.finish()
    assert len(summary(err)) == 1
    for option, value in remedies(err):
        got = egress([option, value, "--dry-run", "true"])
        assert got.rc == 0, f"suggests {option} {value}: {got.err}"


@pytest.mark.parametrize("address", ["192.0.2.1", "172.16.5.5", "127.0.0.1",
                                     "169.254.169.254", "2001:db8::1",
                                     "64:ff9b::a9fe:a9fe", "192.0.0.1"])
def test_no_remedy_where_none_helps(egress, far, address):
    """Addresses that stay closed whatever is allowed are not said to open."""
    with cage() as box:
        box.connect(address, 8000, timeout=1)
        err = box.finish()
    assert not err or not remedies(err), err
    assert not far.host()


# ---- form -------------------------------------------------------------------

def test_order_and_limit(egress):
    """Most frequent first, then by name; ten lines, and how many more."""
    names = [f"n{n:02}.evil.test" for n in range(60)]
    asked = names + names[7:9] * 3 + names[40:41] * 5
    got = look_up(egress, *asked)
    found = summary(got.err)
    assert list(found) == [names[40], names[7], names[8], *names[:7]]
    assert [x[0] for x in found.values()] == [6, 4, 4] + [1] * 7
    assert got.err.splitlines()[-1] == \
        PREFIX + "  and 50 more; --log FILE lists everything"


def test_order_of_many(egress):
    """Beyond what is remembered one by one, the sum is still right."""
    count = 5000
    script = ("import socket\n"
              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "s.connect(('192.0.0.1', 53))\n"
              "s.settimeout(5)\n"
              f"for n in range({count}):\n"
              "    label = b'n%d' % n\n"
              "    s.send(b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' "
              "+ bytes([len(label)]) + label\n"
              "           + b'\\4evil\\4test\\0\\0\\1\\0\\1')\n"
              "    s.recv(512)\n")
    got = egress(["--", PYTHON, "-c", script], timeout=20)
    assert got.rc == 0, got.err
    assert total(got.err) == count


def total(err):
    """All that a summary counts: shown, and 'N more' of either kind. A line
    that is not shown counts once, so the caller has each look-up once."""
    shown = sum(x[0] for x in summary(err).values())
    lines = re.findall(r"and (\d+) more; --log", err)
    others = re.findall(r"and (\d+) packets or look-ups more", err)
    return shown + sum(map(int, lines + others))


@pytest.mark.parametrize("quiet", ["-q", "--quiet"])
def test_quiet(egress, quiet):
    """No summary, also where there was one; errors are still told."""
    assert look_up(egress, "evil.test").err != ""
    assert look_up(egress, "evil.test", options=[quiet]).err == ""
    got = egress([quiet, "--allow-domain", "a..b", "true"])
    assert got.rc == 2 and got.err.startswith(PREFIX + "error: ")
    assert egress([quiet, "/nonexistent"]).err.startswith(PREFIX + "error: ")


def test_summary_survives_a_signal(egress):
    """It comes also when the command is ended."""
    with cage(user="tester") as box:
        box.ask("evil.test")
        assert "evil.test" in summary(box.finish())


def test_failed_command_and_summary(egress):
    got = egress(["sh", "-c", "curl -s http://evil.test/; exit 9"])
    assert got.rc == 9 and "evil.test" in summary(got.err)


# ---- what the network says --------------------------------------------------

HOSTILE = [
    [b"a\x1b[31m\n", b"evil", b"test"], [b"\r\x07\x08", b"evil"],
    [b"\x9b2J\xc2\x9b", b"evil", b"test"], [b"\x00", b"evil", b"test"],
    [b"%s%n%x", b"evil", b"test"], [b"\xff" * 63] * 3, [b"\x1b" * 63] * 3,
    ["\u202e".encode() + b"live", b"test"], [b'"},{"', b"evil"],
    [b"blocked:\negress-run: ", b"test"], [b"."], [b"\\032"], [b" "]]


@pytest.mark.parametrize("labels", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("options", [(), ("-vv",)])
def test_terminal_is_safe(egress, far, labels, options):
    """A name of escape sequences, line ends or format directives is shown as
    plain text, on one line, and counted as one name."""
    with cage(options=options) as box:
        for _ in range(2):
            box.exchange(query(labels))
            box.exchange(query(labels), tcp=True)
        raw = box.finish()
    assert printable(raw) and "\x1b" not in raw
    lines = [x for x in raw.splitlines() if LINE.match(x)]
    assert len(lines) == 1 and "(4 look-ups)" in lines[0], raw
    assert all(x.startswith(PREFIX) for x in raw.splitlines())
    assert raw.count(PREFIX + "blocked:\n") == 1
    assert not far.dns() and not far.wire()


def test_upstream_cannot_reach_the_terminal(egress, who):
    """Control characters in an allowed name's alias, on every level."""
    got = look_up(egress, "control.hostile.test", user=who,
                  options=["-vv", "--allow-domain", "*.hostile.test"])
    assert printable(got.err)


def test_malformed_questions(egress):
    """Whatever is no question leaves no garbage in the report."""
    with cage(options=["-vv"]) as box:
        with box.connected("192.0.0.1") as sock:
            for raw in (b"\x1b" * 11, b"\x1b" * 12, b"\x1b" * 512,
                        message(wire([b"\x1b[31m"])[:-1]),
                        message(wire("evil.test") + b"\x1b\x1b\x1b\x1b")):
                sock.send(raw)
            sock.send(query("evil.test", ident=77))
            while sock.recv(512)[:2] != b"\0\x4d":
                pass
        assert printable(box.finish())


def test_command_name_is_safe(egress):
    """The command's own name in a message."""
    got = egress(["./\x1b[31mno\nsuch"])
    assert got.rc == 127 and printable(got.err) and got.err.count("\n") == 1


# ---- verbose and dry run ----------------------------------------------------

@pytest.mark.parametrize("level", ["-v", "-vv", "-vvv"])
def test_verbose_keeps_secrets(egress, who, level):
    """What passes through, and the environment, is nobody's business."""
    secret = "s3cr3t-t0k3n"
    got = egress([level, "--allow-domain", "allowed.test", "sh", "-c",
                  "curl -sS -H \"Authorization: $TOKEN\" "
                  "http://allowed.test/?key=$TOKEN; "
                  "curl -s http://evil.test/; true"],
                 user=who, env={"TOKEN": secret})
    assert got.rc == 0 and "OK allowed.test" in got.out
    assert secret not in got.err and printable(got.err)
    assert "evil.test" in got.err


@pytest.mark.parametrize("user", ["root", "tester"])
def test_dry_run(egress, far, share, user):
    """All that would be decided, on stdout, and nothing is done."""
    mark = share / "ran"
    got = egress(["--dry-run", "--allow-domain", "*.Allowed.test:443",
                  "--allow-domain", "second.test.", "--allow-address",
                  "198.51.100.0/24", "--allow-address", "[2001:db8::/32]:443",
                  "--grace", "77", "--log", share / "log", "--",
                  "touch", mark, "\x1b[31m"], user=user)
    assert got.rc == 0 and got.err == ""
    assert printable(got.out)
    for word in ("touch", str(mark), f"uid {lab.USERS[user].uid}",
                 "*.allowed.test:443", "name second.test\n",
                 "address 198.51.100.0/24", "address [2001:db8::/32]:443",
                 "77 seconds", str(share / "log"), "/etc/resolv.conf",
                 "nameserver 192.0.0.1", "/etc/hosts", "/etc/nsswitch.conf"):
        assert word in got.out, got.out
    assert not mark.exists() and not (share / "log").exists()
    assert not far.dns() and not far.wire()


def test_dry_run_of_nothing(egress):
    got = egress(["--dry-run", "true"])
    assert got.rc == 0 and "allow:     nothing" in got.out


def test_stderr_closed(egress, host):
    """Nobody listens: the run goes on and its status is the command's."""
    for how in "2>&-", "2>/dev/full":
        got = host(["sh", "-c", f"{lab.EGRESS_RUN} -vv -- sh -c "
                    f"'getent hosts evil.test; exit 5' {how}"], user="tester")
        assert got.rc == 5
    with lab.started([lab.EGRESS_RUN, "-vv", "--", "sh", "-c",
                      "echo up; read x; getent hosts evil.test; exit 5"],
                     "tester", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        process.stderr.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(10) == 5
