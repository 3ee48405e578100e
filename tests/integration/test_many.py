# SPDX-License-Identifier: GPL-2.0-or-later
"""Many runs: at once, one after the other, and killed at random moments.
Nothing is left by any, and the machine is as before."""
import concurrent.futures
import contextlib
import gc
import os
import pathlib
import random
import select
import signal

import pytest

import lab
from launch_helpers import finish, read_line, running

pytestmark = pytest.mark.usefixtures("egress")
E = lab.EGRESS_RUN


@pytest.fixture
def before():
    found = lab.residue()
    yield found
    lab.wait_clean(found, 15)


def kernel_memory():
    """kB of slab and per-CPU memory that the kernel cannot give back."""
    fields = dict(line.split(":") for line in
                  pathlib.Path("/proc/meminfo").read_text().splitlines())
    return sum(int(fields[x].split()[0]) for x in ("SUnreclaim", "Percpu"))


def net_namespaces():
    """How many the kernel holds, those without a process included."""
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines():
        if line.startswith("net_namespace "):
            return int(line.split()[1])
    return None


def test_a_hundred_at_once(egress, far, before):
    """Each with the same addresses inside, none in the other's way; a name
    that only one of two allows is reachable from that one alone."""
    def fetch(number):
        name = ("allowed.test", "second.test")[number % 2]
        other = ("second.test", "allowed.test")[number % 2]
        user = ("root", "tester")[number // 2 % 2]
        got = egress(["-q", "--allow-domain", name, "sh", "-c",
                      f"curl -sS -m 50 http://{name}/?{number}; "
                      f"curl -s -m 50 http://{other}/?{number}; "
                      "grep -c . /proc/net/dev; read x"],
                     user=user, timeout=60, stdin="x\n")
        return number, name, got

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        done = list(pool.map(fetch, range(100)))
    for number, name, got in done:
        assert got.ok and got.out.startswith(f"OK {name} "), (number, got)
        assert got.out.endswith("\n4\n"), got  # two interfaces, two headers
    asked = sorted((x.host, x.request.split()[1]) for x in far.http())
    assert asked == sorted((name, f"/?{n}") for n, name, _ in done)


def test_a_hundred_exist_at_once(before):
    """All of them alive at the same moment, and answering."""
    runs = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool, \
            contextlib.ExitStack() as stack:
        for _ in range(100):
            runs.append(stack.enter_context(running(
                ["-q", "--allow-domain", "allowed.test", "sh", "-c",
                 "echo up; read x; curl -sS -m 30 http://allowed.test/"],
                "tester")))
        assert all(pool.map(lambda x: read_line(x) == "up\n", runs))
        for process in runs:
            process.stdin.write(b"go\n")
            process.stdin.close()
        for process in runs:
            assert read_line(process).startswith("OK allowed.test ")
            assert process.wait(10) == 0


def test_a_thousand_one_after_the_other(host, before):
    """And the kernel holds no more namespaces or memory than before."""
    loop = 'for i in $(seq "$2"); do "$1" -q true || echo failed; done'
    assert host(["sh", "-c", loop, "sh", E, "50"], timeout=30).out == ""
    gc.collect()
    namespaces, memory = net_namespaces(), kernel_memory()
    got = host(["sh", "-c", loop, "sh", E, "1000"], user="tester",
               timeout=120)
    assert got.rc == 0 and got.out + got.err == ""
    lab.wait_clean(before)
    # A network namespace takes tens of kB: 2000 of them more than 64 MB.
    lab.wait_until(lambda: kernel_memory() < memory + 32 * 1024, 20,
                   lambda: f"{memory} kB before, {kernel_memory()} now")
    if namespaces is not None:
        lab.wait_until(lambda: net_namespaces() < namespaces + 50, 20,
                       lambda: f"{namespaces} before, {net_namespaces()} now")


def test_two_hundred_killed_at_random(far, before):
    """Four at a time, in the middle of start, traffic and end."""
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)

    def start_and_kill(moment):
        script = "curl -s http://allowed.test/; " \
                 "while :; do echo x >/dev/udp/203.0.113.10/9999; done"
        with running(["--allow-domain", "allowed.test", "bash", "-c", script],
                     "tester") as process:
            # The moment itself: a wait for what does not come.
            select.select([process.stderr], [], [], moment)
            process.kill()
            assert finish(process)[0] == -signal.SIGKILL

    with concurrent.futures.ThreadPoolExecutor(2 * os.cpu_count()) as pool:
        list(pool.map(start_and_kill,
                      [moments.random() * 0.2 for _ in range(200)]))
    lab.wait_clean(before, 15)
    assert not far.wire(r"> 203\.0\.113\.10\."), f"seed {seed}"
    assert far.http("allowed.test"), "none had got as far as its command"
