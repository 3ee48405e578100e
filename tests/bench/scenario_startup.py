# SPDX-License-Identifier: GPL-2.0-or-later
"""From start to exec to exit of `true`: one, 50 at once, 1000 in a row."""
import functools
import pathlib
import statistics

import peers
from measure import NONE, OURS, Row, alternate
from world import BIN, run, run_json, wait_until


def timed(command, count=1, parallel=1):
    return run_json([BIN / "timed", "run", count, parallel, *command],
                    timeout=300)


def one(start):
    command = start(["true"])
    return timed(command)["us"][0] / 1000


def startup(size):
    candidates = {name: functools.partial(one, start)
                  for name, start in peers.STARTERS.items()}
    for name in list(candidates):  # warm, and the reason if it cannot run
        alternate({name: lambda n=name: run(peers.STARTERS[n](["true"]))}, 1)
    values, missing = alternate(candidates, size.repetitions, size.seconds * 3)
    row = Row("startup", "start to exit of `true`, profile schedar", "ms",
              True, values, missing)
    row.times("bwrap", "<=", 1).times("sandbox-runtime", "<=", 1 / 30)
    return [row.times("firejail", "<=", 1)]


def residue():
    """What a run could leave: processes, links, mounts, rules, files."""
    links = pathlib.Path("/proc/net/dev").read_text().count("\n")
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().count("\n")
    rules = run(["nft", "list", "ruleset"], tester=False).count("\n")
    entries = pathlib.Path("/proc").glob("[0-9]*/comm")
    processes = sum("egress" in comm_of(x) for x in entries)
    files = len(list(pathlib.Path("/tmp").glob("*egress*")))
    return {"links": links, "mounts": mounts, "rules": rules,
            "processes": processes, "files": files}


def comm_of(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def at_once(start, parallel):
    return timed(start(["true"]), parallel, parallel)["wall_us"] \
        / 1000 / parallel


def many(size):
    """50 at once beside one after the other, and a long row of runs."""
    names = (OURS, "bwrap", NONE)
    candidates = {f"{name}, {text}": functools.partial(at_once_or_row,
                                                       peers.STARTERS[name], n)
                  for name in names for text, n in (("50 at once", 50),
                                                    ("one by one", 1))}
    values, missing = alternate(candidates, size.some, size.seconds * 3)
    row = Row("startup-50", "the same, for each run: 50 at once", "ms", True,
              {n: v for name in names
               for n, v in ((name, values.get(f"{name}, 50 at once")),) if v}
              | {"egress-run, one by one":
                 values.get(f"{OURS}, one by one", [])}, missing)
    row.times("egress-run, one by one", "<=", 1.5)
    return [row, *in_a_row(size)]


def at_once_or_row(start, parallel):
    """Milliseconds for each of as many runs as are made at once."""
    if parallel > 1:
        return at_once(start, parallel)
    return statistics.median(timed(start(["true"]), 10)["us"]) / 1000


def in_a_row(size):
    before = residue()
    us = timed(peers.schedar(["true"]), size.row)["us"]
    try:
        wait_until(lambda: residue() == before, 10)
        left = 0
    except Exception:  # what is left is the figure
        after = residue()
        left = sum(abs(after[k] - before[k]) for k in after)
    tenth = max(size.row // 10, 1)
    first, last = us[:tenth], us[-tenth:]
    grown = Row("startup-row", f"{size.row} in a row: the last tenth beside "
                "the first tenth", "ms", True,
                {OURS: [x / 1000 for x in last],
                 "the first tenth": [x / 1000 for x in first]}, {})
    return [grown.times("the first tenth", "<=", 1.1),
            Row("startup-left", f"left behind after these {size.row}: "
                "processes, links, mounts, rules, files", "things", True,
                {OURS: [float(left)]}, {}).absolute(0)]
