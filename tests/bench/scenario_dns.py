# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS by dnsperf: answers from the cache, and names that are asked upstream,
each with its address in a set of the firewall."""
import contextlib
import functools
import itertools
import os
import re
import statistics
import subprocess

import peers
from measure import NONE, OURS, CannotRun, Row, alternate
from world import (FAR, HOST_CLIENT, LAB, background, in_client,
                   listening, run, wait_until)

GATEWAY = "192.0.0.1"  # the resolver inside of egress-run
NAMES = 100
MANY = 4  # addresses, of dnsfar's names of kind m
serial = itertools.count(1)

DNSMASQ = f"""keep-in-foreground
user=root
no-hosts
no-resolv
bind-interfaces
listen-address={HOST_CLIENT}
server={FAR}
cache-size=10000
dns-forward-max=2000
nftset=/bench.test/4#inet#bench#four,6#inet#bench#six
"""
UNBOUND = f"""server:
  interface: {HOST_CLIENT}@5353
  access-control: 0.0.0.0/0 allow
  num-threads: 1
  module-config: "iterator"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-ip6: no
  do-daemonize: no
  local-zone: "test." nodefault
  outgoing-range: 2000
  num-queries-per-thread: 2000
  so-rcvbuf: 4m
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {FAR}
"""
SETS = """table inet bench {
 set four { type ipv4_addr; flags timeout; timeout 1h; }
 set six { type ipv6_addr; flags timeout; timeout 1h; }
}
"""


@contextlib.contextmanager
def servers():
    """dnsmasq with sets, and unbound, on the host's end of a link."""
    subprocess.run(["nft", "-f", "-"], input=SETS, text=True, check=True)
    (LAB / "peer-dnsmasq.conf").write_text(DNSMASQ)
    (LAB / "peer-unbound.conf").write_text(UNBOUND)
    with contextlib.ExitStack() as stack:
        for name, cmd, port in (
                ("dnsmasq", ["dnsmasq", "-C", LAB / "peer-dnsmasq.conf"], 53),
                ("unbound", ["unbound", "-d", "-c", LAB / "peer-unbound.conf"],
                 5353)):
            with contextlib.suppress(OSError, CannotRun):
                stack.enter_context(background(cmd))
                wait_until(lambda p=port: listening(HOST_CLIENT, p, os.getpid(),
                                                    udp=True), what=name)
        try:
            yield
        finally:
            subprocess.run(["nft", "delete", "table", "inet", "bench"],
                           check=True)


def question_file(questions):
    path = LAB / "tmp" / f"questions-{next(serial)}"
    path.write_text("".join(f"{q}\n" for q in questions))
    path.chmod(0o644)
    return path


def fresh_names(count, kind="n"):
    """Names that nobody asked for; of kind "m" each has MANY addresses."""
    first = next(fresh_names.number) * 1000000
    return [f"{kind}{first + i}.bench.test AAAA" for i in range(count)]


fresh_names.number = itertools.count(1)


def dnsperf(server, port, path, *options):
    return ["dnsperf", "-s", server, "-p", str(port), "-d", str(path),
            "-T", "1", "-t", "2", *map(str, options)]


WHERE = {OURS: (GATEWAY, 53), "dnsmasq": (HOST_CLIENT, 53),
         "unbound": (HOST_CLIENT, 5353), NONE: (FAR, 53)}


def ask(name, *runs):
    """Output of the last of these dnsperf runs, where that candidate serves.
    runs: (file, option...)."""
    server, port = WHERE[name]
    words = [" ".join(dnsperf(server, port, *r)) for r in runs]
    script = " >/dev/null && ".join(words) + " >\"$0\""
    out = LAB / "tmp" / f"answers-{next(serial)}"
    cmd = ["sh", "-c", script, str(out)]
    if name == OURS:
        run(peers.network(cmd))
    elif name == NONE:
        run(cmd)
    else:
        run(in_client(cmd), tester=False)
    text = out.read_text()
    out.unlink()
    return text


def rate(text):
    done = re.search(r"Queries completed:\s+(\d+)", text)
    lost = re.search(r"Queries lost:\s+(\d+)", text)
    perf = re.search(r"Queries per second:\s+([\d.]+)", text)
    if not (done and perf) or int(done[1]) == 0:
        raise CannotRun("no query was answered")
    if not re.search(r"NOERROR \d+ \((9\d|100)\.", text):
        raise CannotRun("answered with errors: "
                        + " ".join(re.findall(r"Response codes:.*", text)))
    if int(lost[1]) > int(done[1]) / 100:
        raise CannotRun(f"{lost[1]} of {done[1]} queries lost")
    return float(perf[1])


def latencies(text):
    """Microseconds of every answer of dnsperf -v, in order of size."""
    got = re.findall(r"^> NOERROR \S+ \S+ ([\d.]+)$", text, re.M)
    if len(got) < 10:
        raise CannotRun("no latencies")
    return sorted(float(x) * 1e6 for x in got)


def percentiles(text):
    us = latencies(text)
    return {"p50": statistics.median(us), "p99": us[len(us) * 99 // 100]}


def cached(size):
    names = [f"n{i}.bench.test A" for i in range(NAMES)]
    path = question_file(names)
    warm = (path, "-n", 1, "-q", 20)
    with servers():
        candidates = {
            name: lambda n=name: rate(ask(n, warm, (path, "-l", size.load,
                                                    "-c", 4, "-q", 200)))
            for name in (OURS, "dnsmasq", "unbound", NONE)}
        values, missing = alternate(candidates, size.repetitions, size.seconds)
        peak = Row("dns-cached", "cached answers, dnsperf", "/s", False,
                   rename(values), rename(missing))
        peak.times("dnsmasq", ">=", 1.4).times("unbound", ">=", 0.9)
        half = {name: int(statistics.median(got) / 2)
                for name, got in values.items() if name != NONE}
        paced = {
            name: lambda n=name: percentiles(ask(
                n, warm, (path, "-l", size.load, "-c", 4, "-q", 200, "-Q",
                          half[n], "-v")))
            for name in half}
        values, missing = alternate(paced, size.repetitions, size.seconds)
    return [peak, *paced_rows(values, missing, half)]


def rename(mapping):
    """Here "no sandbox" is the minimal responder that is the upstream."""
    return {("the upstream itself" if k == NONE else k): v
            for k, v in mapping.items()}


def paced_rows(values, missing, half):
    rows = []
    for field in ("p50", "p99"):
        rows.append(Row(
            f"dns-cached-{field}", f"cached answers, {field} at half the "
            "candidate's own peak", "µs", True,
            {n: [v[field] for v in got] for n, got in values.items()},
            missing, note=", ".join(f"{n} at {r}/s" for n, r in half.items())))
    rows[1].absolute(1000)
    return rows


def uncached(size):
    """Every name is asked once; 100 at a time, then one at a time."""
    with servers():
        return [uncached_rate(size), uncached_latency(size)]


def uncached_rate(size):
    def one(name):
        path = question_file(fresh_names(size.names))
        try:
            return rate(ask(name, (path, "-n", 1, "-l", 2, "-q", 100)))
        finally:
            path.unlink()

    candidates = {name: functools.partial(one, name)
                  for name in (OURS, "dnsmasq", "unbound", NONE)}
    values, missing = alternate(candidates, size.repetitions, size.seconds)
    row = Row("dns-uncached", "uncached names, 100 outstanding, set update "
              "included (unbound has no sets)", "/s", False, rename(values),
              rename(missing))
    return row.times("dnsmasq", ">=", 8)


def uncached_latency(size):
    def one(name):
        path = question_file(fresh_names(size.names // 10))
        try:
            return percentiles(ask(name, (path, "-n", 1, "-l", 2, "-q", 1,
                                          "-v")))["p50"]
        finally:
            path.unlink()

    candidates = {name: functools.partial(one, name)
                  for name in (OURS, "dnsmasq", "unbound", NONE)}
    values, missing = alternate(candidates, size.repetitions, size.seconds)
    row = Row("dns-uncached-p50", "uncached names one at a time, p50", "µs",
              True, rename(values), rename(missing))
    return row.added("the upstream itself", 60)
