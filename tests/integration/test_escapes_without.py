# SPDX-License-Identifier: GPL-2.0-or-later
"""Each escape from a sandbox that is known, with the measure and without it.

An attempt (a row of ESCAPES) is made under egress-run, where it is stopped;
where several measures stop it, with each of them alone, which is enough; and
with all of them switched off (clients/without.c), where it succeeds. Then it
is known what each is for. All of it as root and as an ordinary user, some of
it as root for a user.

The numbers are those of the list below. Its rows are here by that number,
unless another file is named; [o] is test_escapes_outside.py.

 1  sockets of container daemons    also test_escapes.py, test_files_masks.py
 2  session bus                     also test_escapes.py (dbus-send)
 3  system bus
 4  name service daemons
 5  agents of keys
 6  tmux, X11, editors
 7  abstract sockets                [o]
 8  datagrams without connect()
 9  a supervisor that reads pointers: there is none; the filter decides by
    numbers alone, and no path is looked at but by the view
10  a helper inside                 also [o]: init has no more rights
11  TIOCSTI                         [o]
12  TIOCLINUX                       [o]
13  other terminals
14  TIOCSETD, raw mode              [o]; O_NONBLOCK: test_terminal.py
15  escape sequences: not stopped, and documented in egress-run(1)
16  ptrace, /proc/PID               for an ordinary user the user namespace is
    a lock that there is no start without: what the other two hide is shown
17  signals
18  descriptors, the working folder also test_escapes.py
19  keys                            also test_escapes_kernel.py
20  io_uring
21  families of sockets
22  foreign entries                 x32: test_escapes_kernel.py
23  user namespaces                 with the key: test_escapes_kernel.py
24  mounts                          also test_escapes_kernel.py
25  core dumps                      the kernel's own word that there was one,
    so that core_pattern, which is the machine's, is left alone
26  switches of the kernel          an ordinary user has no right to them
27  setuid, file capabilities       root has no uid inside a user's run, so
    that setuid gains nothing there even without any other lock
28  LD_PRELOAD and the like         the launcher's own: test_preload_by_sudo of
    test_escapes_kernel.py, test_no_program_is_run of test_launch.py
29  its own files                   also test_escapes.py
30  processes, memory, disk         test_limits.py, whose controls are runs
    without the option
31  /sys, memory of the host
32  the machine's calls             all of them: test_escapes_kernel.py

What runs later: the hooks of git here; planted links in [o]; what the end of
the run tells of in test_changes.py. A denied file that is replaced from
outside, or was missing: [o], test_files_masks.py. A /proc that is covered:
test_launch.py. The gate against its own administrator: test_capabilities.py.
Audit records of Landlock are not looked at: they are the machine's, and the
lab is not in its first network namespace.
"""
import os
import platform

import pytest

import lab
import without_helpers as w
from escape_helpers import home_of
from without_helpers import Escape

pytestmark = [pytest.mark.usefixtures("egress"), pytest.mark.skipif(
    platform.machine() != "x86_64", reason="numbers of x86-64")]


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


CONNECT = """
attempt("it", socket.socket(socket.AF_UNIX).connect, WHERE["path"])
"""
SEND = """
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
attempt("it", s.sendto, b"x", WHERE["path"])
results["it"] = "done" if results["it"] == 1 else results["it"]
"""
READ = 'attempt("it", read, WHERE["path"])\n'
WRITE = 'attempt("it", lambda: os.close(os.open(WHERE["path"], os.O_WRONLY)))\n'
CONTAINS = """
attempt("it", lambda: "done" if WHERE["text"] in read(WHERE["path"])
        else "none")
"""
VARIABLE = """
attempt("it", lambda: "done" if os.environ.get(WHERE["name"]) else "none")
"""
COMMAND = """
import subprocess
attempt("it", lambda: subprocess.run(WHERE_ARGV, stdout=2).returncode)
"""
SEARCH = """
def find():
    found = libc.syscall(250, 10, -3, b"user", b"lab", 0)
    if found < 0:
        raise OSError(ctypes.get_errno(), "")
    buffer = ctypes.create_string_buffer(9)
    libc.syscall(250, 11, found, buffer, ctypes.c_size_t(9))
    return buffer.value.decode()
attempt("it", find)
"""
FAMILIES = """
made = set()
for family in range(46):
    for kind in 1, 2, 3, 5:
        for protocol in 0, 12:
            if call("it", 41, family, kind, protocol) == "done":
                made.add((family, protocol))
more = [x for x in made if x[0] not in (1, 2, 10) and x != (16, 0)]
results["it"] = "done" if more else "none"
"""
INT80 = """
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("b814000000cd804898c3"))
enter = ctypes.CFUNCTYPE(ctypes.c_long)(
    ctypes.addressof(ctypes.c_char.from_buffer(code)))
attempt("it", in_child, enter)
"""
UNCOVER = """
def uncover():
    syscall(166, WHERE["path"], 2)
    return read(WHERE["path"])
attempt("it", uncover)
"""
DUMP = """
pid = os.fork()
if pid == 0:
    os.abort()
_, status = os.waitpid(pid, 0)
attempt("it", lambda: "done" if os.WCOREDUMP(status) else "none")
"""
GAINED = """
import subprocess
text = "print(int([x for x in open('/proc/self/status') " \\
    "if x.startswith('CapEff')][0].split()[1], 16))"
def gained():
    done = subprocess.run([WHERE["path"], "-I", "-c", text], stdout=-1)
    return "done" if int(done.stdout) else "none"
attempt("it", gained)
"""
FORKS = """
pids = []
def fork():
    for _ in range(40):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        pids.append(pid)
attempt("it", fork)
for pid in pids:
    os.kill(pid, 9)
"""


def command(*argv):
    return COMMAND.replace("WHERE_ARGV", repr(argv))


ESCAPES = [
    # ---- sockets and the session
    Escape("1 docker socket", CONNECT, ["host=/run"],
           w.bound("/run/lab-docker.sock")),
    Escape("1 socket in a granted folder", CONNECT,
           ["skip={work}/.daemon.sock"], w.bound("{work}/.daemon.sock")),
    Escape("2 session bus", CONNECT, ["host=/run"],
           w.bound("/run/user/{uid}/bus")),
    Escape("3 system bus", CONNECT, ["host=/run"],
           w.bound("/run/dbus/system_bus_socket")),
    Escape("4 name service daemon", CONNECT, ["host=/run"],
           w.bound("/run/nscd/socket")),
    Escape("4 nsswitch.conf", CONTAINS, ["host=/etc/nsswitch.conf"],
           w.host_file("nsswitch.conf", "\nhosts: lab-marker\n")),
    Escape("4 resolv.conf", CONTAINS, ["host=/etc/resolv.conf"],
           w.host_file("resolv.conf", "\nnameserver 203.0.113.54\n")),
    Escape("2 address of the bus", VARIABLE, ["environment"],
           w.variable("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/bus")),
    Escape("4 hosts", CONTAINS, ["host=/etc/hosts"],
           w.host_file("hosts", "\n192.0.2.99 lab-marker.test\n")),
    Escape("5 ssh-agent", command("ssh-add", "-l"),
           ["host=/tmp", "environment"], w.agent, hole=1, stopped={2}),
    Escape("6 tmux", command("tmux", "ls"),
           ["host=/tmp"], w.tmux, hole=0, stopped={1}),
    Escape("6 X11", CONNECT, ["host=/tmp"], w.bound("/tmp/.X11-unix-{pid}/X0")),
    Escape("6 VS Code", CONNECT, ["host=/var/tmp"],
           w.bound("/var/tmp/vscode-ipc-{pid}.sock")),
    Escape("6 variables", VARIABLE, ["environment"],
           w.variable("TMUX", "/tmp/tmux-0/default,1,0")),
    Escape("8 datagram to a socket", SEND, ["host=/run"],
           w.bound("/run/lab-dgram.sock", w.socket.SOCK_DGRAM)),
    Escape("10 memory of init",
           'attempt("it", lambda: os.close(os.open("/proc/1/mem", 2)))\n',
           ["dumpable"]),
    Escape("13 another terminal", """
attempt("it", lambda: os.read(os.open(WHERE["path"], os.O_RDWR | os.O_NOCTTY),
                              9).decode())
""", ["host=/dev/pts"], w.terminal, hole="hunter2\n"),
    # ---- processes
    Escape("16 command lines outside", """
attempt("it", lambda: read(f"/proc/{WHERE['pid']}/cmdline").split("\\0")[0])
""", ["pidns"], w.victim, hole="sleep"),
    Escape("16 memory of a process outside", """
attempt("it", lambda: os.close(os.open(f"/proc/{WHERE['pid']}/mem", 2)))
""", ["pidns", "landlock", "userns"], w.victim, only="root"),
    Escape("16 ptrace of a process outside",
           'call("it", 101, 0x4206, WHERE["pid"], 0, 0)\n',
           ["pidns", "landlock", "userns"], w.victim, only="root"),
    Escape("17 signal to a process outside",
           'attempt("it", os.kill, WHERE["pid"], 15)\n',
           ["pidns", "landlock"], w.victim),
    Escape("17 signal to the caller's group",
           'attempt("it", os.kill, 0, signal.SIGURG)\n',
           ["group", "landlock"], w.group),
    Escape("18 inherited file",
           'attempt("it", lambda: os.read(9, 9).decode())\n', ["closed"],
           w.descriptor("file"), hole="secret"),
    Escape("18 inherited folder", """
attempt("it", lambda: os.read(os.open(WHERE["relative"], 0, dir_fd=9),
                              9).decode())
""", ["closed", "landlock"], w.descriptor("folder"), hole="secret"),
    Escape("18 the old root",
           'attempt("it", read, "/../" + WHERE["relative"])\n',
           ["oldroot", "landlock"], w.secret_file, hole="secret"),
    Escape("19 key of the session", SEARCH, ["keyring", "call=250"], w.key,
           hole="secret"),
    Escape("19 list of keys", CONTAINS, ["skip=/proc/keys"],
           w.key_list),
    # ---- the kernel's interfaces
    Escape("20 io_uring",
           'call("it", 425, 4, ctypes.create_string_buffer(120))\n',
           ["call=425"]),
    Escape("21 socket families", FAMILIES, ["call=41"]),
    Escape("22 foreign entry", INT80, ["abi"]),
    Escape("23 user namespace",
           'attempt("it", in_child, syscall, 272, 0x10000000)\n',
           ["call=272"]),
    Escape("23 user namespace by clone", """
def clone():
    pid = libc.syscall(56, ctypes.c_ulong(0x10000000 | 17), None, None, None,
                       None)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "")
attempt("it", clone)
""", ["call=56"]),
    Escape("23 user namespace by clone3", """
args = (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17)
def clone3():
    pid = libc.syscall(435, args, ctypes.c_size_t(64))
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "")
attempt("it", clone3)
""", ["call=435"]),
    Escape("24 umount of a mask", UNCOVER, ["capset", "call=166", "landlock"],
           w.denied, hole="secret"),
    Escape("24 mount in a nested namespace", """
syscall(272, 0x10020000)
call("it", 165, "t", "/tmp", "tmpfs", 0, None)
""", ["call=165", "landlock"], w.nested),
    Escape("25 core dump", DUMP, ["core"], w.unlimited_cores),
    Escape("26 core_pattern", WRITE, ["skip=/proc/sys"],
           w.at("/proc/sys/kernel/core_pattern"), only="root"),
    Escape("26 sysrq", WRITE, ["skip=/proc/sysrq-trigger"],
           w.at("/proc/sysrq-trigger"), only="root"),
    Escape("26 a switch in /sys", WRITE, ["rdonly", "landlock"], w.with_sys,
           only="root"),
    Escape("27 file capabilities", GAINED, ["nosuid", "nnp", "bset"],
           w.capable_program),
    Escape("27 setuid program", """
import subprocess
attempt("it", lambda: "none" if subprocess.run([WHERE["path"], "-u"],
        stdout=-1).stdout.decode() == f"{WHERE['uid']}\\n" else "done")
""", ["nosuid", "nnp", "bset"], w.setuid_program, only="nobody",
           skip={"root": "it is root"}),
    Escape("28 code by the environment", """
import subprocess
attempt("it", lambda: subprocess.run(["bash", "-c", "true"], stdout=-1)
        .stdout.decode().strip() or "none")
""", ["environment"], w.shell_start),
    Escape("29 profile of its own", WRITE,
           ["skip={home}/.config/egress-run"], w.own_files),
    Escape("30 number of processes", FORKS, ["nproc"], w.process_limit,
           skip={"root": "the kernel does not count root's; by a cgroup, if "
                         "one is delegated: test_limits.py"},
           stopped={"EAGAIN"}),
    Escape("31 System V memory",
           'call("it", 29, WHERE["key"], 4096, 0o666)\n', ["ipcns"],
           w.shared_memory),
    Escape("31 POSIX memory", READ, ["host=/dev/shm"], w.posix_memory,
           hole="secret"),
    Escape("31 interfaces of the host", CONTAINS, ["host=/sys"], w.interface),
    Escape("32 userfaultfd", 'call("it", 323, 1)\n', ["call=323"]),
    Escape("32 the machine's calls", """
call("it", 167, "/nowhere", 0)
results["it"] = "done" if results["it"] == "ENOENT" else results["it"]
""", ["call=167", "capset", "userns"], only="root"),
    Escape("gate: its own interface", """
attempt("it", lambda: fcntl.ioctl(socket.socket(2, 2), 0x8914,
        struct.pack("16sH14x", b"lo", 0)) and "done")
""", ["capset"]),
    # ---- files
    Escape("view: file that is not granted", READ, ["host=/etc", "landlock"],
           w.host_file("lab-secret", "secret"), hole="secret"),
    Escape("view: accounts of the host", CONTAINS, ["host=/etc/passwd"],
           w.host_file("passwd", "labmarker:x:4077:4077::/:/bin/false\n")),
    Escape("view: denied file", READ, ["skip={path}"], w.denied,
           hole="secret"),
    Escape("view: write where reading is granted", WRITE,
           ["rdonly", "landlock"], w.granted_to_read),
    Escape("view: chmod where reading is granted",
           'attempt("it", os.chmod, WHERE["path"], 0o777)\n', ["rdonly"],
           w.granted_to_read),
    Escape("view: attribute where reading is granted",
           'attempt("it", os.setxattr, WHERE["path"], "user.lab", b"x")\n',
           ["rdonly"], w.granted_to_read),
    Escape("view: device in a granted folder",
           'attempt("it", lambda: str(os.read(os.open(WHERE["path"], 0), 1)))',
           ["nodev"], w.device, hole="b'\\x00'"),
    Escape("later: hook of git", """
attempt("it", lambda: open(".git/hooks/pre-commit", "w").close())
""", ["skip={work}/.git/hooks"], w.repository),
]


def try_both(escape, home, by=None):
    locks = [x for x in escape.locks if home.name == "root" or x != "userns"]
    with escape.world(home) as where:
        assert w.attempt(escape, home, where, (), by) in escape.stopped
        for lock in locks[len(locks) == 1:]:
            others = [x for x in locks if x != lock]
            assert w.attempt(escape, home, where, others, by) \
                in escape.stopped, f"{lock} alone"
        # The last, for a success may change that world.
        got = w.attempt(escape, home, where, locks, by)
    if escape.only in (None, home.name):
        assert got == escape.hole, "with nothing that stops it"
    else:
        assert got in escape.stopped


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda x: x.name)
def test_escape(home, who, escape):
    if who in escape.skip:
        pytest.skip(escape.skip[who])
    try_both(escape, home)


@pytest.mark.parametrize("escape", [
    x for x in ESCAPES if x.name[:2] in ("10", "16", "18", "20", "25", "30")],
    ids=lambda x: x.name)
def test_escape_by_root(egress, escape):
    """What root starts for a user, as sudo does: that identity is another way
    to the same state."""
    with home_of("tester") as home:
        try_both(escape, home, "root")
