# SPDX-License-Identifier: GPL-2.0-or-later
"""--memory and --max-processes: a command that takes all it can get is held,
and the machine goes on."""
import json
import os
import pathlib
import subprocess

import pytest

import lab
from escape_helpers import PYTHON, VIEW, home_of, inside, program
from launch_helpers import running, read_line

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


def there(home):
    return {"cwd": home.work, "timeout": 40}


def how(home, *args):
    """What a run says of how it limits, and whether that is by a cgroup."""
    got = lab.egress(["-v", "--files", "profile", "--allow-degraded", *args, "true"],
                     user=home.name, cwd=home.work)
    assert got.ok, got
    line = [x for x in got.err.splitlines() if "limits:" in x]
    assert len(line) == 1, got.err
    return line[0]


# As many as it can get, each waiting; then it tells how many.
FORKS = """
import time
pids = []
try:
    while len(pids) < WHERE["most"]:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        pids.append(pid)
    end = "all"
except OSError as e:
    end = errno.errorcode[e.errno]
attempt("end", lambda: end)
attempt("children", lambda: len(pids))
for pid in pids:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
"""


def test_number_of_processes(home, who):
    told = how(home, "--max-processes", "20")
    if "not limited" in told:
        pytest.skip(told)
    got = inside(FORKS, who, ["--max-processes", "20"], there(home), most=50)
    assert got == {"end": "EAGAIN", "children": 19}, got
    # The control: it is the limit that ends it.
    got = inside(FORKS, who, [], there(home), most=50)
    assert got == {"end": "all", "children": 50}


def test_threads_count(home, who):
    told = how(home, "--max-processes", "20")
    if "not limited" in told:
        pytest.skip(told)
    body = """
import threading
go, n = threading.Event(), 0
try:
    while n < 50:
        threading.Thread(target=go.wait, daemon=True).start()
        n += 1
except RuntimeError:
    pass
go.set()
attempt("threads", lambda: n)
"""
    got = inside(body, who, ["--max-processes", "20"], there(home))
    assert got == {"threads": 19}


def test_fork_bomb(home, who):
    """It ends with the run; another run of the same user is not hindered."""
    told = how(home, "--max-processes", "40")
    if "not limited" in told:
        pytest.skip(told)
    bomb = "bomb() { bomb & bomb & }; bomb; echo up; exec sleep 1000"
    with running([*VIEW, "--max-processes", "40", "bash", "-c", bomb],
                 who, cwd=home.work, stderr=subprocess.DEVNULL) as process:
        assert read_line(process) == "up\n"
        got = inside(FORKS, who, ["--max-processes", "40"], there(home),
                     most=20)
        assert got["children"] == 20
        assert lab.host(["true"], user=who).ok


MEMORY = """
blocks = []
try:
    for n in range(WHERE["most"]):
        blocks.append(bytearray(os.urandom(1 << 16)) * 16)
    end = "all"
except MemoryError:
    end = "MemoryError"
attempt("end", lambda: end)
attempt("MiB", lambda: len(blocks))
"""


def test_memory(home, who):
    told = how(home, "--memory", "128M")
    got = lab.egress([*VIEW, "--memory", "128M", PYTHON, "-c",
                      program(MEMORY, most=300)], user=who, **there(home))
    if "by a cgroup" in told:
        assert got.rc == 137 and "128M" in got.err, got
    else:
        assert json.loads(got.out)["end"] == "MemoryError", got
        assert json.loads(got.out)["MiB"] < 128
    assert inside(MEMORY, who, [], there(home), most=300) == {
        "end": "all", "MiB": 300}


def test_limits_cannot_be_raised(home, who):
    body = """
for resource in 6, 9:
    call(f"raise {resource}", 160, resource, (ctypes.c_long * 2)(-1, -1))
    call(f"raise by prlimit {resource}", 302, 0, resource,
         (ctypes.c_long * 2)(-1, -1), None)
"""
    args = ["--max-processes", "20", "--memory", "1G"]
    told = how(home, *args)
    if "by a cgroup" in told or "not limited" in told:
        pytest.skip(told)
    got = inside(body, who, args, there(home))
    assert set(got.values()) == {"EPERM"}, got


@pytest.mark.parametrize("args, word", [
    (["--memory", "lots"], "512M"), (["--memory", "-1"], "512M"),
    (["--memory", "0"], "memory"), (["--memory", ""], "memory"),
    (["--memory", "99999999999T"], "memory"),
    (["--max-processes", "0"], "1"), (["--max-processes", "x"], "1"),
    (["--max-processes", "-5"], "1"),
    (["--max-processes", "9999999999"], "1")])
def test_wrong_limits(egress, args, word):
    got = egress([*args, "true"])
    assert got.rc in (2, 125) and word in got.err, got
    assert len(got.err.splitlines()) == 1, got


def test_limits_of_the_profile(home, who):
    profile = home.profile("small", {
        "filesystem": {"allow": ["$WORKDIR"]},
        "egress_run": {"memory": "128M", "processes": 20}})
    got = lab.egress(["-v", "--files", "profile", "--allow-degraded", "-p",
                      profile, "true"], user=who, **there(home))
    assert got.ok and "limits:" in got.err, got


# ---- cgroups ----------------------------------------------------------------

@pytest.fixture
def delegated(who):
    """A cgroup of that user, with the controllers that there are."""
    top = pathlib.Path("/sys/fs/cgroup")
    if not (top / "cgroup.controllers").exists():
        top = top / "unified"
    known = top / "cgroup.controllers"
    if not known.exists() or not {"memory", "pids"} <= set(
            known.read_text().split()):
        pytest.skip("no cgroup v2 with these controllers here")
    group = top / f"lab-{os.getpid()}"
    group.mkdir()
    try:
        (top / "cgroup.subtree_control").write_text("+memory +pids")
        for name in "", "cgroup.procs", "cgroup.subtree_control":
            os.chown(group / name, lab.USERS[who].uid, -1)
        (group / "inner").mkdir()
        yield group
    finally:
        lab.wait_until(lambda: not (group / "inner/cgroup.procs").read_text(),
                       what="an empty cgroup")
        (group / "inner").rmdir()
        group.rmdir()


def test_cgroup(home, who, delegated):
    """Where one is delegated: memory of all processes together, and gone
    afterwards."""
    script = f"echo $$ >{delegated}/inner/cgroup.procs; exec \"$@\""
    args = ["-v", "--files", "profile", "--memory", "128M", "--max-processes",
            "20", "--", PYTHON, "-c", program(FORKS, most=50)]
    got = lab.host(["sh", "-c", script, "-", lab.EGRESS_RUN, *args], user=who,
                   **there(home))
    assert got.ok and "limits: by a cgroup" in got.err, got
    assert json.loads(got.out)["end"] == "EAGAIN"
    assert [x for x in delegated.iterdir() if x.is_dir()] == [
        delegated / "inner"]


def test_disk_of_private_places(home, who):
    """They are memory: filled, they are full, and the host is not."""
    body = """
def fill(path):
    with open(path, "wb", 0) as f:
        for n in range(64):
            f.write(bytes(1 << 20))
for folder in "/run", "/dev", "/":
    attempt(folder, fill, folder + "/x")
"""
    got = inside(body, who, [], there(home))
    assert got["/"] in ("EROFS", "EACCES") and got["/dev"] in ("EROFS",
                                                               "EACCES")
