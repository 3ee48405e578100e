# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark adds to the lab: links on which no capture listens, to
namespaces with fast far ends, and tools that every account can run.

    host  203.0.113.193 --- 203.0.113.194  netfar (80, 5201), dnsfar (53)
    host  203.0.113.241 --- 203.0.113.242  a client of the DNS peers
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from measure import CannotRun

LAB = pathlib.Path(os.environ["LAB"])
TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", TREE / "build"))
BIN = LAB / "bin"
HOME = LAB / "home/tester"
WORK = HOME / "work"
FAR, HOST_FAR = "203.0.113.194", "203.0.113.193"
CLIENT, HOST_CLIENT = "203.0.113.242", "203.0.113.241"
PORT = "5201"  # bulk; 80 has the requests
WEB = "web.bench.test"
UID = 3000
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
AS_TESTER = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
             "--inh-caps=-all", "--"]


@contextlib.contextmanager
def background(cmd, **options):
    """A process in a session of its own; its group ends with the block."""
    process = subprocess.Popen([str(x) for x in cmd], start_new_session=True,
                               **{"stdin": subprocess.DEVNULL,
                                  "stdout": subprocess.DEVNULL,
                                  "stderr": subprocess.DEVNULL} | options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def wait_until(condition, deadline=10, what="condition"):
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise CannotRun(f"not within {deadline} s: {what}")
        time.sleep(0.005)
    return value


def environment(extra=None):
    env = {"HOME": str(HOME), "USER": "tester", "LOGNAME": "tester",
           "PATH": PATH, "TERM": "xterm", "LANG": "C.UTF-8",
           "TMPDIR": str(LAB / "tmp")}
    return env | {k: str(v) for k, v in (extra or {}).items()}


def run(cmd, tester=True, env=None, cwd=None, timeout=60):
    """stdout of cmd; CannotRun with the last line of stderr if it fails."""
    cmd = [str(x) for x in ([*AS_TESTER, *cmd] if tester else cmd)]
    process = subprocess.Popen(
        cmd, env=environment(env), cwd=cwd or WORK, text=True,
        start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise CannotRun(f"still running after {timeout} s") from None
    if process.returncode:
        lines = [x for x in err.splitlines() if x.strip()] or ["no message"]
        raise CannotRun(f"{lines[-1][:160]} (status {process.returncode})")
    return out


def run_json(cmd, **options):
    """The last line that is an object."""
    out = run(cmd, **options)
    found = re.findall(r"^\{.*\}$", out, re.M)
    if not found:
        raise CannotRun("printed no figure")
    return json.loads(found[-1])


def in_client(cmd):
    return ["nsenter", "-t", os.environ["BENCH_CLIENT_PID"], "-n", "--", *cmd]


def ip(batch):
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)


def namespace(stack):
    """The pid of a process that holds a new network namespace."""
    holder = stack.enter_context(background(
        ["unshare", "-n", "sh", "-c", "echo; exec sleep infinity"],
        stdout=subprocess.PIPE))
    holder.stdout.readline()
    return holder.pid


def networks(stack):
    far, client = namespace(stack), namespace(stack)
    os.environ["BENCH_CLIENT_PID"] = str(client)
    ip(f"link add bench0 type veth peer name bench0 netns {far}\n"
       f"link add bench1 type veth peer name bench1 netns {client}\n"
       f"address add {HOST_FAR}/28 dev bench0\n"
       f"address add {HOST_CLIENT}/28 dev bench1\n"
       "link set bench0 up\nlink set bench1 up\n")
    for pid, address, device in ((far, FAR, "bench0"),
                                 (client, CLIENT, "bench1")):
        subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-batch", "-"],
                       text=True, check=True,
                       input=f"address add {address}/28 dev {device}\n"
                             f"link set {device} up\nlink set lo up\n")
    # Ports of ended connections are used again after a second.
    for name, value in (("tcp_tw_reuse", "1"),
                        ("ip_local_port_range", "1024 65000")):
        pathlib.Path(f"/proc/sys/net/ipv4/{name}").write_text(value)
    return str(far)


def files():
    """Copies that every account can reach; the profiles as if installed."""
    BIN.mkdir(exist_ok=True)
    for tool in ("netfar", "dnsfar", "netload", "timed"):
        shutil.copy(BUILD / "bench" / tool, BIN)
    shutil.copy(BUILD / "egress-run", BIN)
    for path in (TREE / "profiles").rglob("*.json"):
        copy = LAB / "share/egress-run" / path.relative_to(TREE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        copy.chmod(0o644)
    for path in BIN.iterdir():
        path.chmod(0o755)
    for folder in (WORK, HOME / ".claude"):
        folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", WORK], check=True)
    subprocess.run(["chown", "-R", f"{UID}:{UID}", HOME], check=True)


def machine_like_others(stack):
    """What a lab in a machine of its own lacks for some of the peers."""
    node = LAB / "tun"  # a device that every user may open, as udev makes it
    subprocess.run(["mknod", "-m", "666", node, "c", "10", "200"], check=True)
    subprocess.run(["mount", "--bind", node, "/dev/net/tun"], check=False)
    # firejail does nothing where it sees no kernel thread among the first
    # pids, as in the lab's pid namespace.
    shutil.copy("/bin/sleep", LAB / "kthreadd")
    for pid in range(2, 10):
        if not pathlib.Path(f"/proc/{pid}").exists():
            last = pathlib.Path("/proc/sys/kernel/ns_last_pid")
            last.write_text(str(pid - 1))
            stack.enter_context(background([LAB / "kthreadd", "infinity"]))
            break
    config = pathlib.Path("/etc/firejail/firejail.config")
    if config.exists():  # in the lab's copy of /etc: --net=none is refused
        with config.open("a") as f:
            f.write("\nnetwork yes\n")


def listening(address, port, pid, udp=False):
    got = subprocess.run(["nsenter", "-t", str(pid), "-n", "ss", "-Hln",
                          "-u" if udp else "-t"], text=True, check=True,
                         capture_output=True)
    return f"{address}:{port} " in got.stdout


@contextlib.contextmanager
def world():
    with contextlib.ExitStack() as stack:
        files()
        far = networks(stack)
        machine_like_others(stack)
        for cmd in ([BIN / "netfar", FAR, "80", PORT],
                    [BIN / "dnsfar", FAR, FAR]):
            stack.enter_context(background(
                ["prlimit", "--nofile=16384", "nsenter", "-t", far, "-n",
                 "--", *cmd]))
        pathlib.Path("/etc/resolv.conf").write_text(f"nameserver {FAR}\n")
        wait_until(lambda: listening(FAR, 80, far)
                   and listening(FAR, 53, far, udp=True), what="far ends")
        yield
