# SPDX-License-Identifier: GPL-2.0-or-later
"""--log: one JSON object a line for every decision, complete under load, and
what happens when there is no room for it.
"""
import collections
import contextlib
import datetime
import json
import os
import pathlib
import re
import subprocess

import pytest

import lab
from dns_helpers import cage, pipeline, query
from relay_helpers import PYTHON, abort, connected, lines_of, receive
from test_report import LOOK_UP, printable, summary

EVIL = "203.0.113.10"
V4, V6 = "198.51.100.10", "2001:db8:1::10"


@pytest.fixture
def log(share):
    """Where a log may be written, by anybody."""
    return share / "log"


@pytest.fixture
def small(share):
    """A file system of 64 KiB."""
    lab.host(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "small",
              share])
    yield share
    lab.host(["umount", "-l", share])


def run(egress, log, *cmd, allow=(), user="tester", **options):
    names = [word for x in allow for word in ("--allow-domain", x)]
    return egress([*names, "--log", log, "--", *cmd], user=user, **options)


def events(log, kind):
    return [x for x in lines_of(log) if x["event"] == kind]


def only(found):
    assert len(found) == 1, found
    return found[0]


# ---- what is in it ----------------------------------------------------------

def test_start_and_end(egress, log, who):
    """The frame of every log: the command as it was given, its status, UTC
    times in order."""
    before = datetime.datetime.now(datetime.timezone.utc)
    got = run(egress, log, "sh", "-c", "exit 7", "a\n\x1b\"\\ b\u00fc", "",
              user=who)
    after = datetime.datetime.now(datetime.timezone.utc)
    assert got.rc == 7 and got.err == ""
    start, end = lines_of(log)
    assert list(start) == ["time", "event", "command"]
    assert start["event"] == "start"
    assert start["command"] == ["sh", "-c", "exit 7",
                                "a\n\x1b\"\\ b\u00c3\u00bc", ""]
    assert {k: v for k, v in end.items() if k != "time"} == {
        "event": "end", "exit_status": 7, "packets_denied": 0,
        "packets_spoofed": 0}
    times = [datetime.datetime.strptime(x["time"] + "+0000",
                                        "%Y-%m-%dT%H:%M:%S.%fZ%z")
             for x in (start, end)]
    assert before <= times[0] <= times[1] <= after
    assert log.stat().st_mode & 0o7777 == 0o600
    assert log.stat().st_uid == lab.USERS[who].uid


def test_signal_status(egress, log):
    run(egress, log, "sh", "-c", "kill -TERM $$")
    assert only(events(log, "end"))["exit_status"] == 143


def test_dns_decisions(egress, log):
    """Name, type, verdict, rule, code, addresses; allowed, refused, empty and
    failed ones."""
    names = ["a.wild.test", "second.test", "EVIL.test", "re1.allowed.test",
             "mix.allowed.test", "nothing.allowed.test", "rcode-2.hostile.test"]
    run(egress, log, PYTHON, "-c", LOOK_UP, *names, "a.wild.test",
        allow=["*.wild.test", "second.test:80", "second.test:443",
               "*.allowed.test", "*.hostile.test"])
    found = events(log, "dns")
    assert all(x["type"] == "A" for x in found)
    by_name = collections.defaultdict(list)
    for x in found:
        by_name[x["name"]].append({k: v for k, v in x.items() if k not in
                                   ("time", "event", "type", "name")})
    good = {"verdict": "allow", "rule": "*.wild.test", "rcode": 0,
            "addresses": [V4]}
    assert by_name["a.wild.test"] == [good, {**good, "from": "cache"}]
    second = only(by_name["second.test"])
    assert second["verdict"] == "allow" and second["addresses"] == \
        ["198.51.100.11"]
    assert second["rule"].startswith("second.test")
    assert only(by_name["evil.test"]) == {"verdict": "deny", "rcode": 3}
    assert by_name["re1.allowed.test"][0]["verdict"] == "deny-address"
    assert by_name["re1.allowed.test"][0]["addresses"] == ["127.0.0.1"]
    assert [x["verdict"] for x in by_name["mix.allowed.test"]] == \
        ["deny-address", "allow"]
    assert by_name["mix.allowed.test"][1]["addresses"] == [V4]
    empty = only(by_name["nothing.allowed.test"])
    assert empty["verdict"] == "empty" and "addresses" not in empty
    assert {x["verdict"] for x in by_name["rcode-2.hostile.test"]} == {"error"}
    assert by_name["rcode-2.hostile.test"][0]["rcode"] == 2


def test_dns_types(egress, log):
    """Every type by its name, also one that is never answered."""
    with cage("allowed.test", options=["--log", log]) as box:
        for name, qtype in (("allowed.test", "AAAA"), ("allowed.test", "HTTPS"),
                            ("evil.test", "TXT"), ("evil.test", "TYPE65280")):
            box.exchange(query(name, qtype))
        box.finish()
    assert [(x["name"], x["type"], x["verdict"])
            for x in events(log, "dns")] == [
        ("allowed.test", "AAAA", "allow"), ("allowed.test", "HTTPS", "empty"),
        ("evil.test", "TXT", "deny"), ("evil.test", "TYPE65280", "deny")]


def test_reverse_look_ups_are_logged(egress, log):
    """Left out of the summary, not of the log."""
    got = run(egress, log, "getent", "hosts", EVIL)
    assert got.err == ""
    assert only(events(log, "dns"))["name"] == "10.113.0.203.in-addr.arpa"


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_connection(egress, log, far, who, family):
    """Opened under a name by a rule, closed with the bytes and the time."""
    address = V4 if family == "-4" else V6
    got = run(egress, log, "curl", "-sS", family, "-o", "/dev/null", "-w",
              "%{size_request} %{size_header} %{size_download}",
              "http://x.wild.test/random", allow=["*.wild.test"], user=who,
              timeout=20)
    sent, head, body = map(int, got.out.split())
    connect, close = only(events(log, "connect")), only(events(log, "close"))
    common = {"connection": 1, "protocol": "tcp", "address": address,
              "port": 80, "name": "x.wild.test"}
    assert {k: v for k, v in connect.items() if k != "time"} == {
        "event": "connect", "verdict": "allow", "rule": "*.wild.test", **common}
    assert 0 <= close.pop("duration_ms") <= got.seconds * 1000
    # The command may be gone before the server has closed its half.
    assert close.pop("end") in ("eof", "end-of-run")
    assert {k: v for k, v in close.items() if k != "time"} == {
        "event": "close", "bytes_sent": sent, "bytes_received": head + body,
        **common}
    assert only(far.http("x.wild.test")).size == str(body)


@pytest.mark.parametrize("size_up, size_down, end", [
    (0, 0, "eof"), (1, 0, "eof"), (0, 1, "eof"), (3 << 20, 5 << 20, "eof"),
    (1000, 2000, "reset")])
def test_exact_bytes(egress, log, size_up, size_down, end):
    with cage("allowed.test", options=["--log", log], user="tester") as box:
        box.ask("allowed.test")
        with connected(box) as (near, far_end):
            for sender, reader, size in ((near, far_end, size_up),
                                         (far_end, near, size_down)):
                for at in range(0, size, 1 << 16):
                    part = min(size - at, 1 << 16)
                    sender.sendall(bytes(part))
                    receive(reader, part)
            if end == "reset":
                abort(near)
        close = only(lab.wait_until(lambda: log.exists()
                                    and events(log, "close")))
    assert (close["bytes_sent"], close["bytes_received"], close["end"]) == \
        (size_up, size_down, end)


def test_duration(egress, log):
    got = run(egress, log, "curl", "-sS", "http://allowed.test/drip?n=2&ms=300",
              allow=["allowed.test"])
    close = only(events(log, "close"))
    assert 300 <= close["duration_ms"] <= got.seconds * 1000


def test_connection_open_at_the_end(egress, log):
    """What the end of the command closes is told as well, before the end."""
    run(egress, log, PYTHON, "-c",
        "import os, socket\n"
        "s = socket.create_connection(('allowed.test', 7))\n"
        "s.send(b'x' * 1000)\ns.recv(1000)\nos._exit(0)",
        allow=["allowed.test"])
    close = only(events(log, "close"))
    assert close["bytes_sent"] == 1000 and close["bytes_received"] == 1000
    assert lines_of(log)[-1]["event"] == "end"


def test_failed_connection(egress, log):
    """With the far end's error."""
    run(egress, log, "curl", "-4", "-s", "http://refused.test/",
        allow=["refused.test"])
    found = only(events(log, "connect"))
    assert found["verdict"] == "allow" and "connection" not in found
    assert (found["address"], found["error"]) == \
        ("198.51.100.12", "Connection refused")
    assert found["rule"] == found["name"] == "refused.test"


def test_connection_by_another_address(egress, log):
    """The address that was dialled, and the one that was used."""
    with cage("multi.test", options=["--log", log]) as box:
        box.ask("multi.test")
        assert box.connect("198.51.100.12") is None
        box.finish()
    made = only(events(log, "connect"))
    assert (made["address"], made["via"], made["name"]) == \
        ("198.51.100.12", V4, "multi.test")
    assert "error" not in made and made["connection"] == 1


def test_literal_address(egress, log):
    """No name; the rule is the network."""
    egress(["--allow-address", "203.0.113.0/24:80", "--log", log, "--", "curl",
            "-s", f"http://{EVIL}/"], user="tester")
    connect = only(events(log, "connect"))
    assert connect["rule"] == "203.0.113.0/24:80" and "name" not in connect


def test_denied_packets(egress, log, far):
    script = ("import socket\n"
              "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              f"u.sendto(b'x', ('{EVIL}', 123))\n"
              "try: socket.create_connection(('2001:db8:bad::10', 22), 3)\n"
              "except ConnectionRefusedError: pass\n")
    run(egress, log, PYTHON, "-c", script)
    assert [(x["verdict"], x["protocol"], x["address"], x["port"])
            for x in events(log, "packet")] == [
        ("deny", "udp", EVIL, 123), ("deny", "tcp", "2001:db8:bad::10", 22)]
    assert events(log, "end")[0]["packets_denied"] == 2
    assert not far.wire()


def test_denied_after_admission(egress, log):
    """Allowed on another port only: denied, and the log says so."""
    egress(["--allow-address", f"{EVIL}:80", "--log", log, "--", "curl", "-s",
            f"http://{EVIL}:443/"])
    found = [x for x in lines_of(log) if x.get("verdict") == "deny"]
    assert {(x["address"], x["port"]) for x in found} == {(EVIL, 443)}


def test_hostile_names_in_the_log(egress, log):
    """Escaped: each line stays one object, in printable ASCII."""
    with cage(options=["--log", log]) as box:
        for labels in ([b"a\x1b[31m\n", b"evil"], [b'"},{"x":"'], [b"\\"],
                       [b"\xff" * 63] * 3, [b"\0\r\n", b"test"]):
            box.exchange(query(labels))
        box.finish()
    assert printable(log.read_text(encoding="ascii"))
    assert len(events(log, "dns")) == 5
    assert {x["verdict"] for x in events(log, "dns")} == {"deny"}


def test_long_command(egress, log):
    """A command line that does not fit costs itself, not the log."""
    run(egress, log, "true", "x" * 100_000, "y")
    assert [x["event"] for x in lines_of(log)] == ["start", "end"]
    assert lines_of(log)[0]["command"][0] == "true"


# ---- the file ---------------------------------------------------------------

def test_appended(egress, log):
    """An existing file is kept, with its mode."""
    log.write_text('{"event":"mine"}\n')
    log.chmod(0o666)
    for _ in range(2):
        run(egress, log, "true")
    assert [x["event"] for x in lines_of(log)] == ["mine", *["start", "end"] * 2]
    assert log.stat().st_mode & 0o777 == 0o666


def test_two_runs_one_file(egress, log):
    """Whole lines, none lost, while both write as fast as they can."""
    names = [f"n{n}.evil.test" for n in range(1500)]
    with contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(cage(options=["--log", log]))
                 for _ in range(2)]
        lab.wait_until(lambda: len(lines_of(log)) == 2)
        # Fork: one test process cannot keep both busy.
        child = os.fork()
        if child == 0:
            try:
                pipeline(boxes[0], ["x" + name for name in names])
            finally:
                os._exit(0)
        pipeline(boxes[1], names)
        os.waitpid(child, 0)
        for box in boxes:
            box.finish()
    found = collections.Counter()
    for x in events(log, "dns"):
        found[x["name"]] += x.get("count", 1)
    assert found == dict.fromkeys(names + ["x" + x for x in names], 1)
    assert len(events(log, "end")) == 2


@pytest.mark.parametrize("where", [
    "/nonexistent/log", "/proc/version", ".", "", "closed/log"])
def test_unwritable(egress, share, where):
    """The command does not run."""
    (share / "closed").mkdir(mode=0o700)
    mark = share / "ran"
    got = egress(["--log", where, "--", "touch", mark], user="tester",
                 cwd=share)
    assert got.rc == 125 and not mark.exists()
    assert re.fullmatch("egress-run: error: .*open the log '.*'.*\n", got.err)


def test_rights_of_the_user(host, egress, log):
    """Started by root through sudo, the log is opened as the user."""
    log.touch(mode=0o600)
    got = host(["sudo", lab.EGRESS_RUN, "--log", log, "true"], user="tester")
    assert got.rc == 125 and "Permission denied" in got.err
    log.unlink()
    assert host(["sudo", lab.EGRESS_RUN, "--log", log, "true"],
                user="tester").ok
    assert log.stat().st_uid == lab.USERS["tester"].uid


def test_relative_path(egress, share):
    got = egress(["--log", "here.log", "--", "sh", "-c", "cd /; true"],
                 user="tester", cwd=share)
    assert got.ok and len(lines_of(share / "here.log")) == 2


# ---- no room ----------------------------------------------------------------

MISSING = re.compile(r"warning: (\d+) decisions are missing from the log")


def test_full_device(egress):
    """The command runs; one warning, and at the end how many are missing."""
    got = egress(["--allow-domain", "allowed.test", "--log", "/dev/full", "--",
                  "sh", "-c", "curl -sS http://allowed.test/; "
                  "getent ahostsv4 evil.test; exit 4"], user="tester")
    assert got.rc == 4 and got.out.startswith("OK allowed.test")
    assert got.err.count("cannot write the log: No space left") == 1
    # Start, look-ups, connect, close, end.
    assert int(MISSING.search(got.err)[1]) >= 6
    assert "evil.test" in summary(got.err)


def test_full_file_system(egress, small):
    """Every line is whole until there is no room, and again when there is;
    with the missing ones they are all."""
    log, filler = small / "log", small / "filler"
    with cage(options=["--log", log], user="tester") as box:
        filler.write_bytes(bytes(48 << 10))
        pipeline(box, [f"n{n}.evil.test" for n in range(500)])
        lab.wait_until(lambda: "cannot write the log" in box.stderr)
        filler.unlink()
        box.ask("after.evil.test")
        err = box.finish()
    assert err.count("cannot write the log") == 1
    whole, torn = [], []
    for line in log.read_text(encoding="ascii").splitlines():
        try:
            whole.append(json.loads(line))
        except ValueError:
            torn.append(line)
    assert len(torn) <= 1 and all(x.count('"event"') < 2 for x in torn)
    assert whole[0]["event"] == "start" and whole[-1]["event"] == "end"
    assert whole[-2]["name"] == "after.evil.test"
    told = sum(x.get("count", 1) for x in whole if x["event"] == "dns")
    assert told > 1 and told + int(MISSING.search(err)[1]) == 501


def test_file_size_limit(egress, log, host):
    """ulimit -f: as if the disk were full."""
    got = host(["sh", "-c", f"ulimit -f 1; {lab.EGRESS_RUN} --log {log} -- "
                f"{PYTHON} -c '{LOOK_UP}' $(seq -f n%g.evil.test 50); echo $?"],
               user="tester")
    assert got.out == "0\n", got.err
    assert int(MISSING.search(got.err)[1]) > 10


# ---- under load -------------------------------------------------------------

def test_every_name_is_logged(egress, log):
    """Five thousand different denied names as fast as one can ask."""
    names = [f"n{n}.evil.test" for n in range(5000)]
    with cage(options=["--log", log], user="tester") as box:
        pipeline(box, names)
        err = box.finish()
    found = collections.Counter()
    for x in events(log, "dns"):
        assert x["verdict"] == "deny"
        found[x["name"]] += x.get("count", 1)
    assert found == dict.fromkeys(names, 1)
    shown = summary(err)
    assert len(shown) == 10


def test_every_name_is_logged_at_the_end(egress, log):
    """Asked, not answered, and gone: the last decisions are not lost."""
    script = ("import os, socket, struct, sys\n"
              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "s.connect(('192.0.0.1', 53))\n"
              "for n in range(300):\n"
              "    s.send(struct.pack('!6H', n, 256, 1, 0, 0, 0)\n"
              "           + b'\\4n%03d\\4evil\\4test\\0\\0\\1\\0\\1' % n)\n"
              "    s.recv(512)\n"
              "os._exit(0)\n")
    run(egress, log, PYTHON, "-c", script)
    assert len(events(log, "dns")) == 300
    assert lines_of(log)[-1]["event"] == "end"


FLOOD = ("import socket, sys\n"
         "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
         "count, hosts = int(sys.argv[1]), int(sys.argv[2])\n"
         "for n in range(count):\n"
         "    try: s.sendto(b'x', ('203.0.%d.%d' % (112 + n % hosts // 200,\n"
         "                         10 + n % hosts % 200), 123))\n"
         "    except OSError: pass\n")


def test_every_packet_is_logged_at_the_end(egress, log, far):
    """Within the rate each rejected packet has its line, also the last ones
    before the command ends."""
    got = run(egress, log, PYTHON, "-c", FLOOD, "800", "4")
    assert only(events(log, "end"))["packets_denied"] == 800
    assert [x[0] for x in summary(got.err).values()] == [200] * 4
    assert len(events(log, "packet")) == 800
    assert not far.wire()


def test_packet_flood_adds_up(egress, log, far):
    """Ten thousand to three hundred addresses: some told one by one, all
    counted, in the log and in the summary."""
    got = run(egress, log, PYTHON, "-c", FLOOD, "10000", "300", timeout=30)
    assert got.rc == 0
    packets = events(log, "packet")
    assert only(events(log, "end"))["packets_denied"] == 10000
    assert 2000 <= len(packets) <= 10000
    told = collections.Counter(x["address"] for x in packets)
    shown = summary(got.err)
    assert len(shown) == 10
    # The most frequent first, then in the order of their text.
    assert [(-x[0], what) for what, x in shown.items()] == sorted(
        (-n, f"{x}:123 udp") for x, n in told.items())[:10]
    assert f"and {len(told) - 10} more; --log" in got.err
    rest = re.search(r"and (\d+) packets or look-ups more", got.err)
    assert len(packets) + int(rest[1] if rest else 0) == 10000
    assert not far.sink() and not far.wire()


def test_log_is_written_at_once(egress, log):
    """A line is there when its decision has had its effect, not at the end."""
    with cage("allowed.test", options=["--log", log], user="tester") as box:
        box.ask("evil.test")
        lab.wait_until(lambda: events(log, "dns"))
        assert box.process.poll() is None


def test_killed_log_is_whole(egress, log):
    """kill -9 in the middle of writing leaves whole lines."""
    with lab.started([lab.EGRESS_RUN, "--log", log, "--", "sh", "-c",
                      "while :; do getent hosts evil.test; done"], "tester",
                     stdout=subprocess.DEVNULL) as process:
        lab.wait_until(lambda: log.exists() and len(lines_of(log)) > 20)
        os.kill(process.pid, 9)
        process.wait(5)
    assert len(lines_of(log)) > 20
    assert pathlib.Path(log).read_text().endswith("}\n")
