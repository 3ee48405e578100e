# SPDX-License-Identifier: GPL-2.0-or-later
"""The DNS filter and the relay, which read what strangers send, are confined
before the first byte, and do all their work so.

What a helper that was taken over could do is tried from inside of it, by a
debugger that only root outside has.
"""
import errno
import os
import pathlib
import platform
import subprocess

import pytest

import lab
from launch_helpers import (ask, client, finish, read_line, running,
                            status_of)

pytestmark = pytest.mark.usefixtures("egress", "confining")

ALLOW = ["--allow-domain", "allowed.test", "--allow-domain", "*.wild.test"]
# Fetches each host that it reads, by the relay and the DNS filter.
FETCHER = """echo ready; while read -r name; do
    curl -sS -m 8 "http://$name/" || echo "failed $?"
done"""
LANDLOCK = subprocess.run(
    ["/usr/bin/python3", "-c", "import ctypes; print(ctypes.CDLL(None)"
     ".syscall(444, None, ctypes.c_size_t(0), 1))"],
    capture_output=True, text=True, check=True).stdout.strip()
needs_landlock = pytest.mark.skipif(int(LANDLOCK) < 1,
                                    reason="no Landlock here")
needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64",
                               reason="the debugger is for x86-64")


@pytest.fixture(scope="session")
def confining(egress):
    """A sanitizer has calls of its own: its build leaves helpers alone."""
    if b"__asan_init" in pathlib.Path(lab.EGRESS_RUN).read_bytes():
        pytest.skip("a sanitizer's build does not confine its helpers")


def helpers(run):
    return {x: run.helper(x) for x in ("egress-dns", "egress-relay")}


def inject(pid, path):
    """What becomes of an attempt of that process to open a file."""
    return subprocess.run([client("inject_open"), str(pid), path],
                          capture_output=True, text=True, check=True,
                          timeout=10).stdout.strip()


def test_what_the_kernel_says_of_them(who):
    """Under load too, the same processes to the end, which nothing has
    killed."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        before = helpers(process.run)
        for pid in before.values():
            assert status_of(pid, "Seccomp") == "2"
            assert status_of(pid, "NoNewPrivs") == "1"
            for caps in "CapInh", "CapPrm", "CapEff", "CapAmb":
                assert int(status_of(pid, caps), 16) == 0, caps
            links = [os.readlink(f"/proc/{pid}/fd/{x}")
                     for x in os.listdir(f"/proc/{pid}/fd")]
            # stderr is the test's pipe.
            assert not [x for x in links if x.startswith("/")
                        and x != "/dev/null"], links
        for n in range(20):
            name = f"x{n}.wild.test"
            assert ask(process, name).startswith(f"OK {name} ")
        assert helpers(process.run) == before
        rc, _, err = finish(process)
    assert rc == 0 and "starting it again" not in err, err


@needs_landlock
@needs_x86
def test_files_of_the_dns_filter(who, share):
    """What it must read again, and nothing else though its user may."""
    secret = share / "secret"
    secret.write_text("secret")
    secret.chmod(0o644)
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        pid = process.run.ready().helper("egress-dns")
        assert inject(pid, "/etc/resolv.conf") == "open"
        assert inject(pid, "/etc/hosts") == "open"
        for path in secret, "/bin/sh", "/proc/self/environ", "/", "/etc", \
                "/dev/null":
            assert inject(pid, str(path)) == str(errno.EACCES), path
        assert "allowed.test" in ask(process, "allowed.test")
        assert process.run.helper("egress-dns") == pid
        rc, _, err = finish(process)
    assert rc == 0 and "starting it again" not in err, err


@needs_x86
def test_relay_that_opens_a_file(who):
    """Is ended by the kernel; the next one serves."""
    with running([*ALLOW, "--", "sh", "-c", FETCHER], who) as process:
        assert read_line(process) == "ready\n"
        pid = process.run.ready().helper("egress-relay")
        assert inject(pid, "/etc/hosts") == "killed 31"
        lab.wait_until(lambda: process.run.helper("egress-relay")
                       not in (0, pid), what="another relay")
        assert "allowed.test" in ask(process, "allowed.test")
        rc, _, err = finish(process)
    assert rc == 0 and "relay process ended (signal 31)" in err, err
