# SPDX-License-Identifier: GPL-2.0-or-later
"""Much beside little: 100,000 admitted addresses, 1,000,000 names."""
import functools
import json
import re

import peers
from measure import CannotRun, Row, alternate, rows_of
from scenario_dns import (GATEWAY, MANY, dnsperf, fresh_names, percentiles,
                          question_file)
from world import BIN, LAB, WEB, run

FEW = 100
OTHER = "with 100"


def script(fill, ask, size):
    """Admits the names of fill, then times new names and new connections."""
    return " && ".join([
        " ".join(dnsperf(GATEWAY, 53, fill, "-n", 1, "-q", 200)),
        " ".join(dnsperf(GATEWAY, 53, ask, "-n", 1, "-q", 1, "-v")),
        f"{BIN}/netload connect {WEB} 80 {size.connections} 1 {size.load}"])


def measured(cmd, profile=None):
    command = cmd if profile is None else [
        peers.EGRESS_RUN, "-q", "--files", "host", "-p", profile, "--", *cmd]
    text = run(command, timeout=120)
    if failed := re.search(r"(SERVFAIL|Queries lost:) +[1-9]\d*.*", text):
        raise CannotRun(failed[0])
    found = json.loads(re.findall(r"^\{.*\}$", text, re.M)[-1])
    return {"update": percentiles(text)["p50"], "connect": found["p50_us"]}


def addresses(size):
    """Four for each name, of which 65,536 are remembered."""
    many = size.addresses

    def one(count):
        fill = question_file(fresh_names(count // MANY, "m"))
        ask = question_file(fresh_names(size.names // 10))
        try:
            return measured(peers.network(
                ["sh", "-c", script(fill, ask, size)]))
        finally:
            fill.unlink()
            ask.unlink()

    values, missing = alternate(
        {"egress-run": functools.partial(one, many),
         OTHER: functools.partial(one, FEW)}, size.some,
        size.seconds * 2)
    return two_rows("addresses", f"{many} admitted addresses", values, missing)


def two_rows(key, text, values, missing):
    rows = rows_of([
        ("update", f"scale-{key}-update", f"{text}: a new name, p50", "µs",
         True),
        ("connect", f"scale-{key}-connect", f"{text}: a new connection, p50",
         "µs", True)], values, missing)
    return [row.times(OTHER, "<=", 1.5) for row in rows]


def profile(count):
    """A profile with that many names in a file."""
    names, path = LAB / f"names-{count}", LAB / f"names-{count}.json"
    if not path.exists():
        with names.open("w") as f:
            f.write("*.bench.test\n")
            for i in range(count - 1):
                f.write(f"host{i}.zone{i % 9973}.example.org\n")
        path.write_text(json.dumps(
            {"egress_run": {"allow_domain_file": [str(names)]}}))
        for file in (names, path):
            file.chmod(0o644)
    return path


def names(size):
    """Look-ups beside a long list: new names, and connections."""
    def one(count):
        ask = question_file(fresh_names(size.names // 10))
        try:
            return measured(["sh", "-c", script(ask, ask, size)],
                            profile(count))
        finally:
            ask.unlink()

    def start(count):
        out = run([BIN / "timed", "run", 1, 1, peers.EGRESS_RUN, "-q",
                   "--files", "host", "-p", profile(count), "--", "true"])
        return json.loads(out)["us"][0] / 1000

    values, missing = alternate(
        {"egress-run": functools.partial(one, size.allowed),
         OTHER: functools.partial(one, FEW)}, size.some, size.seconds)
    rows = two_rows("names", f"{size.allowed} allowed names", values, missing)
    values, missing = alternate(
        {"egress-run": functools.partial(start, size.allowed),
         OTHER: functools.partial(start, FEW)}, size.some, size.seconds)
    return [*rows, Row("scale-names-start", f"start to exit of `true` with "
                       f"{size.allowed} names", "ms", True, values, missing)]
