# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory, CPU time and wake-ups of what stands beside the command."""
import contextlib
import functools
import pathlib
import subprocess
import time

import peers
from measure import OURS, CannotRun, Row, alternate, rows_of
from world import AS_TESTER, BIN, WEB, WORK, background, environment

COMMAND = ("sleep", "netload", "sh", "cat")  # what is run, and is not counted
HELD = 1000


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                found += [int(child), *children(int(child))]
    return found


def helpers(pid):
    """Every process below pid, and itself, but for the command."""
    found = {}
    for one in [pid, *children(pid)]:
        with contextlib.suppress(OSError):
            name = pathlib.Path(f"/proc/{one}/comm").read_text().strip()
            if name not in COMMAND:
                found[one] = name
    return found


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(text.split("\nPss:")[1].split()[0])
    return total


def activity(pids):
    """(context switches, nanoseconds on a CPU) of all threads so far."""
    switches = used = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                for line in (task / "status").read_text().splitlines():
                    if "ctxt_switches" in line:
                        switches += int(line.split()[1])
                used += int((task / "schedstat").read_text().split()[0])
    return switches, used


@contextlib.contextmanager
def started(start, command):
    """The pid of the candidate, when the command has said "ready"."""
    cmd = [str(x) for x in [*AS_TESTER, *start(command)]]
    with background(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, env=environment(),
                    cwd=WORK) as process:
        for line in process.stdout:
            if line.strip() == b"ready":
                break
        else:
            err = process.stderr.read().decode(errors="replace").splitlines()
            raise CannotRun((err or ["no message"])[-1][:160])
        yield process.pid
        process.stdin.close()


IDLE = ["sh", "-c", "echo ready; exec cat"]


def idle_candidates():
    return {name: start for name, start in peers.STARTERS.items()
            if name in (OURS, "bwrap", "firejail", "pasta", "slirp4netns",
                        "sandbox-runtime")}


def memory(size):
    def idle(start):
        with started(start, IDLE) as pid:
            return pss_kib(helpers(pid)) / 1024

    values, missing = alternate(
        {n: functools.partial(idle, s) for n, s in idle_candidates().items()},
        size.some, size.seconds)
    row = Row("memory-idle", "memory (PSS) of all helpers, idle", "MiB", True,
              values, missing, note="the command itself is not counted")
    return [row.absolute(4), held(size)]


def held(size):
    def one(start):
        with started(start, [BIN / "netload", "hold", WEB, "80", "1"]) as pid:
            before = pss_kib(helpers(pid))
        with started(start, [BIN / "netload", "hold", WEB, "80",
                             str(HELD)]) as pid:
            return (pss_kib(helpers(pid)) - before) / HELD

    values, missing = alternate(
        {n: functools.partial(one, s) for n, s in peers.NETWORKS.items()
         if n in (OURS, "pasta", "slirp4netns")}, size.some, size.seconds)
    row = Row("memory-held", f"memory of all helpers for each of {HELD} open "
              "connections", "KiB", True, values, missing,
              note="memory of processes; the kernel's buffers are not in it")
    return row.absolute(16)


def idle_round(candidates, seconds):
    """All at the same time, for none of them has anything to do; for each
    {wakes, cpu} of an hour, or why it does not run."""
    figures, missing, begin = {}, {}, {}
    with contextlib.ExitStack() as stack:
        for name, start in candidates.items():
            try:
                begin[name] = stack.enter_context(started(start, IDLE))
            except CannotRun as why:
                missing[name] = str(why)
        time.sleep(1)  # what follows a start is not idleness
        who = {name: helpers(pid) for name, pid in begin.items()}
        before = {name: activity(pids) for name, pids in who.items()}
        time.sleep(seconds)
        for name, pids in who.items():
            switches, used = (after - earlier for after, earlier
                              in zip(activity(pids), before[name]))
            figures[name] = {"wakes": switches * 3600 / seconds,
                             "cpu": used / 1e9 * 3600 / seconds}
    return figures, missing


def idle(size):
    values, missing = {}, {}
    for _ in range(1 if size.quick else 5):
        figures, failed = idle_round(idle_candidates(), size.idle)
        missing |= failed
        for name, figure in figures.items():
            values.setdefault(name, []).append(figure)
    wakes, cpu = rows_of([
        ("wakes", "idle-wakes", f"wake-ups of all helpers in an hour, from "
         f"{size.idle:g} s", "", True),
        ("cpu", "idle-cpu", "CPU time of all helpers in an hour, likewise",
         "s", True)], values, missing)
    return [wakes.absolute(0), cpu.absolute(0)]
