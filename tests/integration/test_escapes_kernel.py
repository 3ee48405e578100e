# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile command and the kernel's interfaces: calls, sockets, namespaces,
mounts, keys, switches.

Most calls are made with arguments that a kernel refuses by itself, with
another error than the sandbox does: what comes back on the host shows that the
call would have been carried out, without any harm. Numbers are of x86-64.
"""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest

import lab
from escape_helpers import (PYTHON, VIEW, home_of, inside, outside, program,
                            temporary)

pytestmark = [pytest.mark.usefixtures("egress"), pytest.mark.skipif(
    platform.machine() != "x86_64", reason="numbers of x86-64")]
ANY_NAMESPACE = {"egress_run": {"user_namespaces": True},
                 "filesystem": {"allow": ["$WORKDIR"]}}


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


def there(home):
    return {"cwd": home.work}


# ---- system calls -----------------------------------------------------------

# What: (number, arguments that do no harm, what root gets for it outside).
CALLS = {
    "mount": (165, (0, "/nowhere", 0, 0x1000, 0), {"ENOENT"}),
    "umount2": (166, ("/nowhere", 0), {"ENOENT", "EINVAL"}),
    "pivot_root": (155, ("/nowhere", "/nowhere"), {"ENOENT"}),
    "open_tree": (428, (-100, "/", 1), {"done"}),
    "move_mount": (429, (-100, "/nowhere", -100, "/nowhere", 0), {"ENOENT"}),
    "fsopen": (430, ("tmpfs", 0), {"done"}),
    "fsconfig": (431, (-1, 6, 0, 0, 0), {"EBADF", "EINVAL"}),
    "fsmount": (432, (-1, 0, 0), {"EBADF"}),
    "fspick": (433, (-100, "/nowhere", 0), {"ENOENT"}),
    "mount_setattr": (442, (-100, "/nowhere", 0, 0, 32), {"EFAULT", "ENOENT"}),
    "open_tree_attr": (467, (-100, "/nowhere", 0, 0, 0),
                       {"ENOENT", "ENOSYS", "EINVAL"}),
    "setns": (308, (-1, 0), {"EBADF"}),
    "open_by_handle_at": (304, (-1, 0, 0), {"EFAULT", "EBADF"}),
    "bpf": (321, (0, 0, 0), {"EINVAL", "EFAULT"}),
    "perf_event_open": (298, (0, 0, -1, -1, 0), {"EFAULT", "EINVAL"}),
    "userfaultfd": (323, (1,), {"done"}),
    "keyctl": (250, (0, -3, 0), {"done", "ENOKEY"}),
    "add_key": (248, (0, 0, 0, 0, -3), {"EFAULT", "EINVAL"}),
    "request_key": (249, (0, 0, 0, 0), {"EFAULT", "EINVAL"}),
    "kexec_load": (246, (0, 99, 0, -1), {"EINVAL", "ENOSYS"}),
    "kexec_file_load": (320, (-1, -1, 0, 0, -1), {"EINVAL", "ENOSYS"}),
    "init_module": (175, (0, 0, 0), {"ENOEXEC", "EFAULT", "ENOSYS"}),
    "finit_module": (313, (-1, 0, 0), {"EBADF", "EFAULT", "ENOSYS"}),
    "delete_module": (176, ("nowhere", 0x800), {"ENOENT", "ENOSYS"}),
    "swapon": (167, ("/nowhere", 0), {"ENOENT", "ENOSYS"}),
    "swapoff": (168, ("/nowhere",), {"ENOENT", "ENOSYS"}),
    "reboot": (169, (0, 0, 0, 0), {"EINVAL"}),
    "quotactl": (179, (0, "/nowhere", 0, 0), {"ENOENT", "EINVAL", "ENOSYS",
                                              "ESRCH", "ENOTBLK"}),
    "quotactl_fd": (443, (-1, 0, 0, 0), {"EBADF", "ENOSYS"}),
    "acct": (163, ("/nowhere",), {"ENOENT", "ENOSYS"}),
    "clock_settime": (227, (1, 0), {"EINVAL", "EFAULT"}),
    "settimeofday": (164, (1, 0), {"EFAULT"}),
    "iopl": (172, (9,), {"EINVAL", "ENOSYS"}),
    "ioperm": (173, (-1, 2, 1), {"EINVAL", "ENOSYS"}),
    "syslog": (103, (99, 0, 0), {"EINVAL", "done"}),
    "sethostname": (170, (0, -1), {"EINVAL"}),
    "setdomainname": (171, (0, -1), {"EINVAL"}),
    "io_uring_setup": (425, (0, 0), {"EFAULT", "EINVAL"}),
    "io_uring_enter": (426, (-1, 0, 0, 0, 0, 0), {"EBADF"}),
    "io_uring_register": (427, (-1, 0, 0, 0), {"EBADF", "EINVAL"}),
    "clone3": (435, (0, 0), {"EINVAL"}),
}
MAKE_CALLS = """
for name, (number, args) in WHERE["calls"].items():
    call(name, number, *args)
"""
CALLED = {x: y[:2] for x, y in CALLS.items()}


def test_calls_on_the_host():
    """The control of the next: each is carried out as far as it can be."""
    got = outside(MAKE_CALLS, calls=CALLED)
    wrong = {x: got[x] for x in CALLS if got[x] not in CALLS[x][2]}
    assert not wrong


@pytest.mark.parametrize("files", ["profile", "host"])
def test_calls(home, who, files):
    got = inside(MAKE_CALLS, who, ["--files", files], there(home),
                 calls=CALLED)
    absent = {x for x in CALLS if x.startswith("io_uring") or x == "clone3"}
    wrong = {x: y for x, y in got.items()
             if y != ("ENOSYS" if x in absent else "EPERM")}
    assert not wrong


def test_time(home, who):
    """Neither set nor bent."""
    body = """
buffer = ctypes.create_string_buffer(256)
syscall(159, buffer)                       # adjtimex: read
attempt("adjtimex read", lambda: "done")
struct.pack_into("I", buffer, 0, 0x4000)   # ADJ_TICK, as it is
call("adjtimex", 159, buffer)
call("clock_adjtime", 305, 0, buffer)
"""
    assert outside(body)["adjtimex"] == "done"
    got = inside(body, who, [], there(home))
    assert got == {"adjtimex read": "done", "adjtimex": "EPERM",
                   "clock_adjtime": "EPERM"}


FOREIGN = """
import mmap
# getpid by that entry; rax: a number or -errno.
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex(WHERE["code"]))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
enter = ctypes.CFUNCTYPE(ctypes.c_long)(address)
def run():
    value = enter()
    if value < 0:
        raise OSError(-value, "")
attempt("call", in_child, run)
"""
# mov $20, %eax; int $0x80; cltq; ret   mov $0x40000027, %eax; syscall; ret
ENTRIES = {"32 bits": "b814000000cd804898c3", "x32": "b8270000400f05c3"}


@pytest.mark.parametrize("entry", ENTRIES)
def test_foreign_entries(home, who, entry):
    got = outside(FOREIGN, who, code=ENTRIES[entry])["call"]
    assert got in ("done", "ENOSYS", "killed -11"), got
    if got == "killed -11":
        pytest.skip("this kernel does not have that entry")
    # Also where the kernel would say ENOSYS.
    got = inside(FOREIGN, who, [], there(home), code=ENTRIES[entry])
    assert got == {"call": "killed -31"}


def test_io_uring_in_full(home, who):
    """A ring would open sockets and files past the filter."""
    body = """
params = ctypes.create_string_buffer(120)
call("setup", 425, 4, params)
"""
    control = outside(body, who)["setup"]
    if control != "done":
        pytest.skip(f"none on this machine: {control}")
    assert inside(body, who, [], there(home)) == {"setup": "ENOSYS"}


# ---- sockets ----------------------------------------------------------------

FAMILIES = """
for family in range(46):
    for kind in 1, 2, 3, 5:
        for high in 0, 1 << 32, 1 << 63:
            call(f"{family} {kind} {high}", 41, family | high, kind, 0)
for protocol in range(32):
    for high in 0, 1 << 32:
        call(f"netlink {protocol} {high}", 41, 16, 3, protocol | high)
pair = (ctypes.c_int * 2)()
for family in range(46):
    call(f"pair {family}", 53, family, 1, 0, pair)
"""
USUAL = {1, 2, 10}


def families(results):
    return {int(x.split()[0]) for x, y in results.items()
            if y == "done" and x[0].isdigit()}


@pytest.mark.parametrize("files", ["profile", "host"])
def test_socket_families(home, who, files):
    control = outside(FAMILIES)
    # Not only the usual exist here, as a user too (vsock, alg ...).
    assert families(control) > USUAL | {16, 17}, families(control)
    got = inside(FAMILIES, who, ["--files", files], there(home))
    # Netlink is asked for below, with a protocol.
    assert families(got) - {16} == USUAL
    assert {x for x in got if x.startswith("netlink") and got[x] == "done"} \
        == {"netlink 0 0"} | {x for x in got if x == "netlink 0 4294967296"
                              and got[x] == "done"}
    assert {x for x in got if x.startswith("pair") and got[x] == "done"} \
        == {"pair 1"}
    errors = {y for x, y in got.items() if x[0].isdigit() and
              int(x.split()[0]) > 17}
    assert errors == {"EAFNOSUPPORT"}
    # Raw ones: no capability.
    assert got["2 3 0"] in ("EPERM", "EPROTONOSUPPORT")
    assert got["17 3 0"] == got["17 2 0"] == "EPERM"


def test_raw_sockets_and_own_network(home, who):
    body = """
attempt("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
attempt("raw6", socket.socket, socket.AF_INET6, socket.SOCK_RAW, 58)
attempt("packet", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 768)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
attempt("address", fcntl.ioctl, s, 0x8916,
        struct.pack("16sH2s4s8x", b"lo", 2, b"", b"\\x7f\\0\\0\\x09"))
attempt("flags", fcntl.ioctl, s, 0x8914, struct.pack("16sH14x", b"lo", 0))
attempt("route", fcntl.ioctl, s, 0x890B, bytes(120))
attempt("tun", lambda: os.open("/dev/net/tun", os.O_RDWR))
attempt("mark", s.setsockopt, 1, 36, 7)
attempt("transparent", s.setsockopt, 0, 19, 1)
attempt("device", s.setsockopt, 1, 25, b"lo")
attempt("rcvbufforce", s.setsockopt, 1, 33, 1 << 20)
attempt("nft", socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 12)
"""
    control = outside("\n".join(x for x in body.splitlines() if re.match(
        'attempt."(raw|packet|mark|nft)|s = ', x)))
    assert set(control.values()) == {"done"} and len(control) == 5, control
    got = inside(body, who, [], there(home))
    assert {x for x, y in got.items() if y == "done"} <= {"device"}, got


# ---- namespaces and mounts --------------------------------------------------

FLAGS = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000,
         "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
         "pid": 0x20000000, "net": 0x40000000}
NAMESPACES = """
def clone(flags):
    pid = libc.syscall(56, ctypes.c_ulong(flags | 17), None, None, None, None)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "")
    os.waitpid(pid, 0)
for name, flag in WHERE["flags"].items():
    for more in 0, 0x10000000:
        attempt(f"unshare {name} {more}", in_child, syscall, 272, flag | more)
        attempt(f"unshare {name} {more} high", in_child, syscall, 272,
                flag | more | 1 << 32)
        if name != "time":
            attempt(f"clone {name} {more}", clone, flag | more)
attempt("fork by clone", clone, 0)
attempt("setns", lambda: syscall(308, os.open("/proc/self/ns/net", 0), 0))
"""


def test_namespaces(home, who):
    got = outside(NAMESPACES, flags=FLAGS)
    assert {y for x, y in got.items() if "high" not in x} == {"done"}, got
    got = inside(NAMESPACES, who, [], there(home), flags=FLAGS)
    assert got.pop("fork by clone") == "done"
    assert set(got.values()) <= {"EPERM", "EINVAL"}, got
    assert {y for x, y in got.items() if "high" not in x} == {"EPERM"}, got


def test_libraries_fall_back_from_clone3(home, who):
    """Threads, children and pools of everything work without it."""
    body = """
import concurrent.futures as f, subprocess, threading
attempt("pool", lambda: sum(f.ThreadPoolExecutor(4).map(int, "1234")))
attempt("processes", lambda: sum(f.ProcessPoolExecutor(2).map(int, "1234")))
attempt("spawn", lambda: subprocess.run(["true"]).returncode)
"""
    assert inside(body, who, [], there(home)) == {
        "pool": 10, "processes": 10, "spawn": 0}


NESTED = """
path, folder = WHERE["path"], WHERE["folder"]
uid, gid = os.getuid(), os.getgid()
attempt("unshare", syscall, 272, 0x10000000 | 0x20000)
if results["unshare"] == "done":
    # Root may not: the kernel wants CAP_SETFCAP of who maps it.
    for name, text in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), \\
            ("gid_map", f"0 {gid} 1"):
        try:
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
        except PermissionError:
            assert uid == 0
attempt("capable", lambda: "yes" if "CapEff:\\t000001ff" in
        open("/proc/self/status").read() else "no")
call("umount", 166, path, 2)
call("umount of the folder", 166, folder, 2)
call("bind", 165, WHERE["work"], "/tmp", None, 0x1000, None)
call("rbind", 165, WHERE["work"], "/tmp", None, 0x5000, None)
call("remount", 165, None, "/", None, 0x1000 | 0x20, None)
call("remount proc", 165, None, "/proc/sys", None, 0x1000 | 0x20, None)
call("tmpfs", 165, "t", "/tmp", "tmpfs", 0, None)
call("proc", 165, "t", "/tmp", "proc", 0, None)
call("overlay", 165, "t", "/tmp", "overlay", 0, "lowerdir=/usr:/tmp")
call("open_tree", 428, -100, WHERE["work"], 1)
call("fsopen", 430, "tmpfs", 0)
call("pivot_root", 155, "/tmp", "/tmp")
attempt("chroot", in_child, os.chroot, WHERE["work"])
attempt("secret", read, path)
attempt("inner", read, folder + "/inner")
attempt("chmod", os.chmod, path, 0o777)
attempt("own network", fcntl.ioctl, socket.socket(), 0x8914,
        struct.pack("16sH14x", b"eth0", 0))
attempt("hostname", socket.sethostname, "evil")
attempt("setns", lambda: syscall(308, os.open("/proc/1/ns/net", 0), 0))
call("ptrace of init", 101, 16, 1, 0, 0)
attempt("mem of init", lambda: os.open("/proc/1/mem", os.O_RDONLY))
attempt("mknod", os.mknod, "/tmp/null", 0o20666, 0x103)
"""


def test_nested_user_namespace_uncovers_nothing(home, who):
    """It has every capability in there, and the masks stay all the same."""
    home.write("work/secret", "secret")
    home.write("work/folder/inner", "secret")
    profile = home.profile("p", {**ANY_NAMESPACE, "filesystem": {
        "allow": [str(home.work)],
        "deny": [str(home.work / "secret"), str(home.work / "folder")]}})
    where = dict(path=home.work / "secret", folder=home.work / "folder",
                 work=home.work)
    got = inside(NESTED, who, ["-p", profile], there(home), **where)
    assert got.pop("unshare") == "done" and got.pop("capable") == "yes", got
    # Of its own namespace only, where it leads nowhere.
    assert got.pop("chroot") == "done", got
    # The mask, which is empty and of its own user.
    assert got.pop("secret") in ("", "EACCES"), got
    assert got.pop("inner") in ("ENOENT", "EACCES"), got
    assert set(got.values()) <= {"EPERM", "EACCES", "EROFS", "EINVAL"}, got
    # Without the key there is none.
    profile = home.profile("q", {"filesystem": {"allow": [str(home.work)]}})
    got = inside(NESTED, who, ["-p", profile], there(home), **where)
    assert (got["unshare"], got["capable"]) == ("EPERM", "no"), got


# ---- keys -------------------------------------------------------------------

def test_keys(home, who):
    """In the session's keyring and in the user's."""
    hold = program("""
import subprocess
syscall(250, 1, None)                    # a session keyring of our own
keys = [libc.syscall(248, b"user", f"lab-{ring}".encode(), b"secret",
                     ctypes.c_size_t(6), ring) for ring in (-3, -4)]
assert min(keys) > 0, (keys, ctypes.get_errno())
for run in WHERE["runs"]:
    print(subprocess.run(run, stdout=-1, check=True).stdout.decode(), end="")
libc.syscall(250, 3, keys[1])            # revoke
results = 0
""", runs=[[*x, PYTHON, "-c", program("""
def find(ring, name):
    key = libc.syscall(250, 10, ring, b"user", name.encode(), 0)
    if key < 0:
        raise OSError(ctypes.get_errno(), "")
    buffer = ctypes.create_string_buffer(9)
    libc.syscall(250, 11, key, buffer, ctypes.c_size_t(9))
    return buffer.value.decode()
call("link", 250, 8, -4, -3)
for ring in -3, -4:
    attempt(f"search {ring}", find, ring, f"lab-{ring}")
call("request", 249, "user", "lab--3", None, 0)
attempt("list", read, "/proc/keys")
""")] for x in ([], [str(lab.EGRESS_RUN), *VIEW])])
    got = lab.host([PYTHON, "-c", hold], user=who, **there(home))
    assert got.ok, got
    control, told, _ = map(json.loads, got.out.splitlines())
    assert control["search -3"] == control["search -4"] == "secret", control
    names = told.pop("list")
    assert set(told.values()) == {"EPERM"}, told
    assert "lab-" not in names


# ---- the kernel's switches --------------------------------------------------

SWITCHES = """
import stat
# Nothing is written: to be able to open it is enough.
def writable(top):
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [x for x in folders if not os.path.islink(
            os.path.join(folder, x)) and not (top == "/proc" and
            folder == top and (x.isdigit() or x in ("self", "thread-self")))]
        for name in names:
            path = os.path.join(folder, name)
            try:
                # /dev/null in the place of what is hidden.
                if stat.S_ISCHR(os.lstat(path).st_mode):
                    continue
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                found.append(path)
            except OSError:
                pass
    return found
attempt("writable", writable, WHERE["top"])
"""
# Anyone may ask to be told of pressure (PSI); the other wants a capability
# when it is written.
HARMLESS = ("/proc/pressure/", "/proc/sys/kernel/ns_last_pid")


@pytest.mark.parametrize("top", ["/proc", "/sys"])
@pytest.mark.parametrize("files", ["profile", "host"])
def test_kernel_switches(home, who, top, files):
    """core_pattern, sysrq-trigger, uevent_helper, release_agent ..."""
    assert len(outside(SWITCHES, options={"timeout": 60},
                       top=top)["writable"]) > 9
    got = inside(SWITCHES, who, ["--files", files, "--read", top],
                 {**there(home), "timeout": 60}, top=top)
    found = [x for x in got["writable"] if not x.startswith(HARMLESS)]
    assert found == []


def test_drivers_of_the_kernel(egress):
    """A line in /proc/scsi/scsi takes a disk away, and needs no capability.
    Not each kernel has each of them; their mounts tell."""
    body = """
for name in "acpi", "asound", "driver", "dynamic_debug", "mtrr", "scsi":
    attempt(name, lambda: "read-only" if os.statvfs("/proc/" + name).f_flag
            & os.ST_RDONLY else "writable")
"""
    got = inside(body)
    assert "read-only" in got.values()
    assert set(got.values()) <= {"read-only", "ENOENT"}, got


SECRETS_OF_THE_KERNEL = """
def some(path):
    return os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 8)
for path in "/proc/kcore", "/proc/kmsg", "/proc/kpagecount", \\
        "/proc/kpageflags", "/proc/kpagecgroup", "/proc/sysrq-trigger", \\
        "/proc/timer_list", "/proc/slabinfo", "/proc/vmallocinfo", \\
        "/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/net/tun", \\
        "/dev/vda", "/dev/sda":
    attempt(path, lambda: "opened" if some(path) else "empty")
attempt("kallsyms", lambda: "addresses" if any(
    int(x.split()[0], 16) for x in open("/proc/kallsyms")) else "zero")
"""


@pytest.mark.parametrize("files", ["profile", "host"])
def test_kernel_secrets(home, who, files):
    got = inside(SECRETS_OF_THE_KERNEL, who, ["--files", files], there(home))
    assert got.pop("kallsyms") in ("zero", "ENOENT", "EACCES", "EPERM")
    assert {x for x, y in got.items() if y == "opened"} == set(), got


def test_core_dumps(home, who):
    """A handler that core_pattern pipes to would run outside, as root. One as
    the limit is what keeps the kernel from it, and nobody can raise it."""
    body = """
import resource
attempt("limit", lambda: str(resource.getrlimit(resource.RLIMIT_CORE)))
for limit in (-1, -1), (0, -1), (2, 2):
    call(f"raise {limit}", 160, 4, (ctypes.c_long * 2)(*limit))
attempt("pattern", lambda: os.open("/proc/sys/kernel/core_pattern",
                                   os.O_WRONLY))
"""
    got = inside(body, who, [], there(home))
    assert got.pop("limit") == "(1, 1)"
    assert set(got.values()) <= {"EPERM", "EACCES", "EROFS"}, got


def test_core_dumps_of_a_caller_who_has_none(home, who):
    """A hard limit of 0 starts a piped handler all the same. Who may raise it
    (CAP_SYS_RESOURCE, as root) has it raised to 1; else it is said."""
    may = who == "root" and int(re.search(
        r"^CapEff:\s*(.*)$", pathlib.Path("/proc/self/status").read_text(),
        re.M)[1], 16) >> 24 & 1
    body = """
import resource
print(resource.getrlimit(resource.RLIMIT_CORE))
"""
    piped = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()[0] == "|"
    got = lab.host(["prlimit", "--core=0:0", lab.EGRESS_RUN, "--files",
                    "profile", "-v", PYTHON, "-c", body], user=who,
                   **there(home))
    assert got.ok, got
    assert got.out == ("(1, 1)\n" if may else "(0, 0)\n")
    assert ("hard limit of core dumps" in got.err) == (piped and not may), got


def test_devices(home, who):
    body = """
attempt("char", os.mknod, WHERE["work"] + "/null", 0o20666, 0x103)
attempt("block", os.mknod, WHERE["work"] + "/disk", 0o60666, 0xFE00)
attempt("in tmp", os.mknod, "/tmp/null", 0o20666, 0x103)
attempt("list", lambda: sorted(os.listdir("/dev")))
attempt("pts", lambda: os.listdir("/dev/pts"))
attempt("pipe", os.mkfifo, WHERE["work"] + "/pipe")
"""
    got = inside(body, who, [], there(home), work=home.work)
    assert {got[x] for x in ("char", "block", "in tmp")} <= {"EPERM",
                                                            "EACCES"}
    assert set(got["list"]) <= {
        "console", "fd", "full", "null", "ptmx", "pts", "random", "shm",
        "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
    assert got["pts"] == ["ptmx"] and got["pipe"] == "done"
    # A node that the host has in a granted folder is no device.
    os.mknod(home.work / "zero", 0o20666, os.makedev(1, 5))
    os.chmod(home.work / "zero", 0o666)
    body = 'attempt("node", read, WHERE["work"] + "/zero")'
    assert outside(body, who, work=home.work)["node"].startswith("\0")
    assert inside(body, who, [], there(home), work=home.work) == {
        "node": "EACCES"}


# ---- more rights ------------------------------------------------------------

@pytest.mark.parametrize("files", ["profile", "host"])
def test_setuid_programs(home, files, host):
    """sudo, su, and a root shell that somebody left in the folder."""
    if home.name == "root":
        pytest.skip("root needs none")
    shell = home.work / "shell"
    shutil.copy(shutil.which("id"), shell)
    os.chmod(shell, 0o4755)
    commands = {"left": [shell, "-u"], "sudo": ["sudo", "-n", "id", "-u"],
                "su": ["su", "-c", "id -u"]}
    for name, command in commands.items():
        if name != "su":
            assert host(command, user="tester").out == "0\n"
        got = lab.egress(["-q", "--files", files, "--allow-command", "sudo",
                          "--allow-command", "su", "--", *command],
                         user="tester", **there(home))
        assert got.out.strip() in ("", "3000"), got
        got = lab.egress(["-q", "--files", files, "sh", "-c", "exec \"$@\"",
                          "-", *command], user="tester", **there(home))
        assert got.out.strip() in ("", "3000"), got


SETUID = """
def make(name, how):
    attempt(name, how, os.path.join(WHERE["work"], name))
def by_open(path):
    os.umask(0)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o4755))
def by_fchmod(path):
    with open(path, "w") as f:
        os.fchmod(f.fileno(), 0o4755)
def by_chmod(path):
    open(path, "w").close()
    os.chmod(path, 0o4755)
def by_number(path):
    open(path, "w").close()
    syscall(452, -100, path, 0o4755, 0)
def setgid_folder(path):
    os.mkdir(path)
    os.chmod(path, 0o2755)
make("open", by_open)
make("fchmod", by_fchmod)
make("chmod", by_chmod)
make("number", by_number)
make("mknod", lambda path: os.mknod(path, 0o104755))
make("plain", lambda path: os.close(os.open(path, os.O_CREAT, 0o755)))
make("setgid", setgid_folder)
"""


def test_nothing_setuid_is_left(home, host):
    """Outside it would run as whoever ran the command, root in a container."""
    outside = home.folder(home.work / "outside")
    control = json.loads(host([PYTHON, "-I", "-c", program(
        SETUID, work=outside)], user=home.name).out)
    for name in "open", "fchmod", "chmod", "mknod":
        assert control[name] == "done", control
        assert (outside / name).stat().st_mode & 0o4000
    work = home.folder(home.work / "inside")
    got = inside(SETUID, home.name, [], there(home), work=work)
    assert got.pop("plain") == "done" and got.pop("setgid") == "done"
    assert set(got.values()) == {"EPERM"}, got
    for path in work.iterdir():
        assert not path.stat().st_mode & 0o4000, path


def test_file_capabilities(home, host):
    """As little as setuid; and the command cannot give any."""
    copy = home.work / "python"
    shutil.copy(os.path.realpath(PYTHON), copy)
    copy.chmod(0o755)
    assert host(["setcap", "cap_net_raw,cap_sys_admin=ep", copy]).ok
    body = program('attempt("raw", socket.socket, 2, 3, 1)')
    control = host([copy, "-I", "-c", body], user=home.name)
    if control.ok:
        assert json.loads(control.out) == {"raw": "done"}
    got = lab.egress([*VIEW, copy, "-I", "-c", body], user=home.name,
                     **there(home))
    assert got.rc == 126 or json.loads(got.out) == {"raw": "EPERM"}, got
    got = inside('attempt("give", os.setxattr, WHERE["path"], '
                 '"security.capability", bytes.fromhex('
                 '"0100000200200000000000000000000000000000"))', home.name,
                 [], there(home), path=copy)
    assert got == {"give": "EPERM"}


STATE = """
status = dict(x.split(":\\t") for x in open("/proc/self/status").read()
              .splitlines() if ":\\t" in x)
for name in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
    attempt(name, lambda: int(status[name], 16))
attempt("no_new_privs", lambda: status["NoNewPrivs"])
attempt("seccomp", lambda: status["Seccomp"])
attempt("securebits", lambda: libc.prctl(27))
attempt("unlock", lambda: libc.prctl(28, 0))
attempt("ambient", lambda: libc.prctl(47, 2, 21, 0, 0))
attempt("setuid", os.setuid, 0 if os.getuid() else 3000)
attempt("setgroups", os.setgroups, [0])
attempt("nice", os.nice, -5)
attempt("realtime", os.sched_setscheduler, 0, 1, os.sched_param(1))
"""


def test_state(home, who):
    """Nothing is held and nothing can be had, of init as of the command."""
    got = inside(STATE, who, [], there(home))
    assert {got[x] for x in got if x.startswith("Cap")} == {0}
    assert got["no_new_privs"] == "1" and got["seccomp"] == "2"
    # All but KEEP_CAPS, which means nothing beside NO_SETUID_FIXUP.
    assert got["securebits"] & 0b11001111 == 0b11001111, got
    assert got["unlock"] == got["ambient"] == -1
    assert got["setuid"] in ("EPERM", "EINVAL")
    assert {got[x] for x in ("setgroups", "nice", "realtime")} == {"EPERM"}


PRELOADED = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void trace(void)
{
	char line[64] = "", name[32] = "";
	int comm = open("/proc/self/comm", O_RDONLY);
	int fd = open("@", O_WRONLY | O_APPEND);

	if (read(comm, name, sizeof(name) - 1) < 0)
		return;
	dprintf(fd, "%d %s", geteuid(), name);
}
"""


def test_preload_by_sudo(home, host):
    """The user's variables do not come along into root's egress-run."""
    if home.name == "root":
        pytest.skip("as a user")
    with temporary() as folder:
        os.chmod(folder, 0o755)
        trace = pathlib.Path(folder, "trace")
        trace.touch()
        trace.chmod(0o666)
        source = pathlib.Path(folder, "evil.c")
        source.write_text(PRELOADED.replace("@", str(trace)))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", f"{folder}/evil.so",
                        source], check=True)
        env = {"LD_PRELOAD": f"{folder}/evil.so",
               "LD_AUDIT": f"{folder}/evil.so"}
        assert host(["true"], user="tester", env=env).ok
        assert "3000 true" in trace.read_text()
        trace.write_text("")
        got = host(["sudo", "-n", lab.EGRESS_RUN, *VIEW, "id", "-u"],
                   user="tester", env=env, **there(home))
        assert (got.rc, got.out) == (0, "3000\n"), got
        assert not [x for x in trace.read_text().splitlines()
                    if not x.endswith("sudo")]
