# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP through the relay: bulk, new connections, requests on one connection."""
import contextlib
import functools
import os

import peers
from measure import NONE, CannotRun, Row, alternate, rows_of
from world import (BIN, HOST_CLIENT, LAB, PORT, WEB, background, listening,
                   run_json, wait_until)

PROXY = f"{HOST_CLIENT}:8888"
TINYPROXY = f"""User root
Group root
Port 8888
Listen {HOST_CLIENT}
Timeout 60
MaxClients 2000
LogLevel Critical
LogFile "{LAB}/tinyproxy.log"
ConnectPort 80
ConnectPort {PORT}
"""
NAMES = [*peers.NETWORKS, "tinyproxy"]


@contextlib.contextmanager
def tinyproxy():
    path = LAB / "tinyproxy.conf"
    path.write_text(TINYPROXY)
    try:
        with background(["tinyproxy", "-d", "-c", path]):
            wait_until(lambda: listening(HOST_CLIENT, 8888, os.getpid()),
                       what="tinyproxy")
            yield
    except FileNotFoundError:
        yield


def load(name, *words):
    """One run of netload, inside of that candidate."""
    command = [BIN / "netload", *words]
    if name == "tinyproxy":
        peers.needs("tinyproxy", None)
        command = ["env", f"BENCH_PROXY={PROXY}", *command]
        return run_json(command)
    return run_json(peers.NETWORKS[name](command))


def bulk_rate(size, streams, way, name):
    got = load(name, "bulk", way, WEB, PORT, streams, size.load)
    return got["bytes"] * 8 / size.load / 1e9


def bulk(size):
    rows = []
    with tinyproxy():
        for streams in (1, 8):
            for way, text in (("up", "out"), ("down", "in")):
                candidates = {n: functools.partial(bulk_rate, size, streams,
                                                   way, n) for n in NAMES}
                values, missing = alternate(candidates, size.repetitions,
                                            size.seconds)
                row = Row(f"bulk-{streams}-{way}", f"bulk TCP {text}, "
                          f"{streams} stream{'s' * (streams > 1)}", "Gbit/s",
                          False, values, missing)
                row.times("pasta", ">=", 1.5).times("slirp4netns", ">=", 2)
                row.times("tinyproxy", ">=", 10).times(NONE, ">=", 0.45)
                rows.append(row)
    return rows


def connections(size):
    def one(name):
        alone = load(name, "connect", WEB, "80", size.connections, 1,
                     size.load)
        crowd = load(name, "connect", WEB, "80", size.connections, 16,
                     size.load)
        if not alone["count"] or not crowd["count"]:
            raise CannotRun("no connection was made")
        return {"connect": alone["connect_p50_us"], "p50": alone["p50_us"],
                "rate": crowd["count"] / crowd["seconds"]}

    with tinyproxy():
        values, missing = alternate({n: functools.partial(one, n)
                                     for n in NAMES}, size.repetitions,
                                    size.seconds * 2)
    opened, alone, crowd = rows_of([
        ("connect", "connect", "new connection until it is open (tinyproxy: "
         "with CONNECT), one at a time, p50", "µs", True),
        ("p50", "connect-get", "the same with one HTTP request, its answer "
         "and close, p50", "µs", True),
        ("rate", "connect-16", "the same, 16 at a time, rate", "/s", False)],
        values, missing)
    opened.added(NONE, 60)
    alone.added(NONE, 80)  # with the 20 of a request
    crowd.times("pasta", ">=", 1.4).times("tinyproxy", ">=", 1.4)
    return [opened, alone, crowd]


def requests(size):
    def one(name):
        return load(name, "request", WEB, "80", size.connections,
                    size.load)["p50_us"]

    with tinyproxy():
        values, missing = alternate({n: functools.partial(one, n)
                                     for n in NAMES}, size.repetitions,
                                    size.seconds)
    row = Row("request", "request on an open connection, p50", "µs", True,
              values, missing)
    return [row.added(NONE, 20)]
