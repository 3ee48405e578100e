# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step of the start that fails stops it, or did not matter.

A preloaded library (clients/fault.c) makes one call of one of egress-run's
processes fail. A first run without faults tells which calls there are up to
the command's start; then there is a run for each. A run that meets a fault
either is as if nothing had happened, or ends with status 125, one line on
stderr, and the command has not begun. It never hangs or crashes, and leaves
nothing.
"""
import collections
import concurrent.futures
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
Outcome = collections.namedtuple("Outcome", "call rc ran out err")


def read_trace(path):
    text = path.read_bytes()[8:].rstrip(b"\0").decode()
    return [Call(words[0], int(words[1]), words[2], "late" in words,
                 "hit" in words)
            for words in (line.split() for line in text.splitlines())]


def run(user, fault=None, error=0):
    """Run `touch MARKER` with that fault; gives (outcome, calls)."""
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
        args = ["--allow-domain", "allowed.test", "--allow-address",
                "192.0.2.0/24", "--log", path / "log", "touch", path / "ran"]
        try:
            got = lab.egress(args, user=user, env=env, timeout=DEADLINE)
            found = got.rc, (path / "ran").exists(), got.out, got.err
        except AssertionError:
            found = "hangs", (path / "ran").exists(), "", ""
        return Outcome(fault, *found), read_trace(trace)


def calls_of_a_start(user):
    """Those that come before the command, and what init does beside it."""
    outcome, calls = run(user)
    assert outcome[1:] == (0, True, "", ""), outcome
    seen = {call.path for call in calls}
    assert seen >= set(ROLES), seen
    # The monitor's last message before the command exists lets it begin.
    go = max(call.number for call in calls if call.path == "m"
             and call.function == "sendmsg" and not call.late)
    return [call for call in calls if call.path == "m111"
            or (call.path == "m11" and call.function in INIT_LATE)
            or not call.late and (call.path != "m" or call.number <= go)]


def is_right(outcome, error):
    """As if nothing had happened, or stopped with a word why."""
    lines = outcome.err.splitlines()
    if outcome.out:
        return False
    if error == KILLED and outcome.call.path == "m":
        return outcome.rc == -9 and not outcome.ran
    if error == KILLED and outcome.call.path == "m111":
        return outcome.rc == 128 + 9 and not outcome.ran and not lines
    if outcome.rc == 0:
        return outcome.ran and not any("error" in x for x in lines)
    # A helper may die more than once before its start is given up.
    errors = [x for x in lines if not x.startswith("egress-run: warning: ")]
    return (outcome.rc == 125 and not outcome.ran and len(errors) == 1
            and re.match("egress-run: error: .", errors[0]))


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
    calls = calls_of_a_start(user)
    if error != errno.EIO:
        calls = thin(calls)
    with concurrent.futures.ThreadPoolExecutor(2 * os.cpu_count()) as pool:
        done = list(pool.map(lambda call: run(user, call, error), calls))
    lab.wait_clean(before)
    return error, [outcome for outcome, _ in done], [
        any(call.hit for call in trace) for _, trace in done]


def test_faults_are_met(outcomes):
    """Otherwise this file proved nothing. Another order of events may let a
    run do without a call."""
    _, all_outcomes, hits = outcomes
    assert len(hits) > 250
    missed = [x.call for x, hit in zip(all_outcomes, hits) if not hit]
    assert len(missed) < len(hits) / 20, missed
    stopped = [x for x in all_outcomes if x.rc != 0]
    assert len(stopped) > len(hits) / 2


@pytest.mark.parametrize("path", ROLES, ids=ROLES.get)
def test_every_fault_is_taken_well(outcomes, path):
    error, all_outcomes, _ = outcomes
    wrong = [x for x in all_outcomes
             if x.call.path == path and not is_right(x, error)]
    assert not wrong, "\n".join(map(str, wrong))
