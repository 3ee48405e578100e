#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark beside the peers; run as root inside tests/lab/lab.

bench.py [--quick] [--only WORD,...] [--docs FILE] [--check BASELINE]
writes bench.json and performance.md into the build folder, and prints the
table. --only takes names of SCENARIOS or the beginnings of them.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time

if "LAB" not in os.environ or os.geteuid() != 0:
    sys.exit("run me by: make bench")

import peers  # noqa: E402  (these need the lab's environment)
import report  # noqa: E402
import scenario_dns  # noqa: E402
import scenario_files  # noqa: E402
import scenario_memory  # noqa: E402
import scenario_scale  # noqa: E402
import scenario_startup  # noqa: E402
import scenario_tcp  # noqa: E402
import world  # noqa: E402

# Name, heading, function of the size that gives rows.
SCENARIOS = (
    ("startup", "Start", scenario_startup.startup),
    ("many", "Many starts", scenario_startup.many),
    ("dns", "DNS, cached", scenario_dns.cached),
    ("uncached", "DNS, uncached", scenario_dns.uncached),
    ("bulk", "Bulk TCP", scenario_tcp.bulk),
    ("connections", "New connections", scenario_tcp.connections),
    ("requests", "Requests", scenario_tcp.requests),
    ("memory", "Memory", scenario_memory.memory),
    ("idle", "Idle", scenario_memory.idle),
    ("addresses", "Many addresses", scenario_scale.addresses),
    ("names", "Many names", scenario_scale.names),
    ("files", "Files", scenario_files.files),
)


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is done; every load is bounded in count and time."""
    quick: bool = False
    repetitions: int = 20
    some: int = 20  # of what takes seconds
    seconds: float = 900  # no new round of a scenario after that
    load: float = 1.0  # seconds of one load
    row: int = 1000  # starts in a row
    names: int = 20000  # uncached names of a repetition
    connections: int = 5000  # of a repetition and a process
    idle: float = 10.0
    addresses: int = 100000
    allowed: int = 1000000
    tree: int = 50000  # files, for git
    opens: int = 200000


QUICK = Size(quick=True, repetitions=3, some=2, seconds=4, load=0.2, row=50,
             names=2000, connections=300, idle=2.0, addresses=20000,
             allowed=100000, tree=10000, opens=50000)


def micro_benchmarks(quick):
    """The benchmarks of single functions: one JSON object a line."""
    found = []
    for path in sorted((world.BUILD / "bench").glob("bench_*")):
        if path.suffix or (quick and path.name == "bench_profile"):
            continue
        done = subprocess.run([path], capture_output=True, text=True,
                              timeout=600, check=True)
        found += [json.loads(line) | {"program": path.name}
                  for line in done.stdout.splitlines() if line.startswith("{")]
    return found


def chosen(only):
    if not only:
        return list(SCENARIOS)
    words = only.split(",")
    found = [s for s in SCENARIOS if any(s[0].startswith(w) for w in words)]
    if not found:
        sys.exit(f"no such scenario: {only}; there are: "
                 + " ".join(s[0] for s in SCENARIOS))
    return found


def measure(scenarios, size):
    sections = []
    for name, heading, function in scenarios:
        begin = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        try:
            rows = function(size)
        except world.CannotRun as why:
            sys.exit(f"bench: {name}: {why}")
        print(f"{time.monotonic() - begin:.0f} s", file=sys.stderr)
        sections.append((name, heading, rows))
    return sections


def give_away(path):
    """No files of root in the caller's tree."""
    uid, gid = os.environ.get("LAB_CALLER", "0:0").split(":")
    os.chown(path, int(uid), int(gid))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--docs", type=pathlib.Path)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--baseline", type=pathlib.Path)
    args = parser.parse_args()
    size = QUICK if args.quick else Size()
    scenarios = chosen(args.only)
    with world.world():
        sections = measure(scenarios, size)
        micro = [] if args.only else micro_benchmarks(args.quick)
        data = report.as_json(sections, micro, size, peers.versions())
    report.write(data, world.BUILD / "bench.json", give_away)
    text = report.table(data)
    (world.BUILD / "performance.md").write_text(text)
    give_away(world.BUILD / "performance.md")
    print(text)
    if args.docs:
        report.insert(args.docs, text)
        give_away(args.docs)
    if args.baseline:
        report.write(report.ratios(data), args.baseline, give_away)
    return report.check(data, args.check) if args.check else 0


if __name__ == "__main__":
    sys.exit(main())
