# SPDX-License-Identifier: GPL-2.0-or-later
"""The command at a terminal: keys, job control, full-screen programs, modes.

Each test types into an interactive bash in a real terminal (tmux) and reads
what a user would see.
"""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios

import pytest

import lab
from launch_helpers import (client, descendants, comm_of, finish, is_stopped,
                            running, screen)

pytestmark = pytest.mark.usefixtures("egress")
E = lab.EGRESS_RUN


@pytest.fixture
def tty(egress):
    """An ordinary user's terminal."""
    with screen("tester") as opened:
        yield opened


@pytest.fixture
def any_tty(egress, who):
    with screen(who) as opened:
        yield opened


def modes(tty):
    """stty's account of the modes; bash sets its own only while it reads."""
    path = tty.statuses.with_name("modes")
    assert tty.do(f"stty -g >{path}") == 0
    return path.read_text()


# ---- keys -------------------------------------------------------------------

def test_control_c(any_tty):
    any_tty.start("$E sleep 1000")
    command = any_tty.run().command()
    any_tty.key("C-c")
    assert any_tty.prompt() == 130
    lab.wait_until(lambda: not os.path.exists(f"/proc/{command}"))


def test_control_c_in_a_pipeline(tty):
    """Where the command has no foreground of its own."""
    tty.start("$E sh -c 'echo up; sleep 1000' | cat")
    tty.wait("^up$")
    tty.key("C-c")
    assert tty.prompt() == 130


def test_control_c_caught_by_the_command(tty):
    """Once, and it is the command's to decide."""
    tty.start("$E bash -c 'trap \"echo caught\" INT; echo up; read x; "
              "read x; echo got-$x'")
    tty.wait("^up$")
    tty.key("C-c")
    tty.wait("caught$")
    tty.type("one\ntwo\n")
    assert tty.prompt() == 0
    assert tty.text().count("caught") == 1
    tty.wait("^got-two$|^got-one$")


def test_control_backslash(tty):
    tty.start("ulimit -c 0; $E sleep 1000")
    tty.run()
    tty.key("C-\\")
    assert tty.prompt() == 131


def test_stop_and_foreground(any_tty):
    tty = any_tty
    tty.start("$E sh -c 'echo up; read x; echo got-$x; exit 3'")
    tty.wait("^up$")
    command = tty.run().command()
    tty.key("C-z")
    assert tty.prompt() >= 128
    assert is_stopped(command)
    tty.start("jobs")
    tty.wait(r"^\[1\]\+ +Stopped")
    tty.prompt()
    tty.start("fg")
    lab.wait_until(lambda: not is_stopped(command))
    tty.type("hello\n")
    tty.wait("^got-hello$")
    assert tty.prompt() == 3


def test_stop_many_times(tty):
    tty.start("$E cat")
    run = tty.run()
    for word in "one", "two", "three":
        tty.type(f"{word}\n")
        tty.wait(f"^{word}\n{word}$")
        tty.key("C-z")
        tty.prompt()
        lab.wait_until(lambda: is_stopped(run.command()))
        tty.start("fg")
        lab.wait_until(lambda: not is_stopped(run.command()))
    tty.key("C-d")
    assert tty.prompt() == 0


def test_stop_and_background(tty, share):
    """It goes on without the terminal, and stops when it reads from it."""
    tty.start(f"$E sh -c 'read x; touch {share}/ran; read y; echo $x-$y'")
    command = tty.run().command()
    tty.key("C-z")
    tty.prompt()
    tty.do("bg")
    lab.wait_until(lambda: is_stopped(command))
    tty.start("fg")
    lab.wait_until(lambda: not is_stopped(command))
    tty.type("a\n")
    lab.wait_until((share / "ran").exists)
    tty.type("b\n")
    tty.wait("^a-b$")
    assert tty.prompt() == 0


def test_started_in_the_background(tty):
    """Stops for input (SIGTTIN), has it after fg."""
    tty.start("$E cat &")
    tty.prompt()
    run = tty.run()
    lab.wait_until(lambda: is_stopped(run.pid))
    tty.start("fg")
    lab.wait_until(lambda: not is_stopped(run.pid))
    tty.type("hello\n")
    tty.wait("^hello\nhello$")
    tty.key("C-d")
    assert tty.prompt() == 0


def test_background_without_input(tty, share):
    """Nothing keeps it from running to its end."""
    tty.start(f"$E sh -c 'echo done >{share}/out' & wait %1; echo st-$?")
    tty.wait("^st-0$")
    assert (share / "out").read_text() == "done\n"


def test_stop_of_oneself_with_a_terminal(tty):
    tty.start("$E sh -c 'kill -TSTP $$; echo resumed'")
    assert tty.prompt() >= 128
    assert "resumed\n" not in tty.text()
    tty.start("fg")
    tty.wait("^resumed$")
    assert tty.prompt() == 0


@pytest.mark.parametrize("name", ["TSTP", "TTIN", "TTOU"])
def test_stop_of_oneself_without_a_terminal(egress, who, name):
    """As in CI, where nobody could continue it."""
    got = egress(["sh", "-c", f"kill -{name} $$; echo resumed"], user=who)
    assert (got.rc, got.out) == (0, "resumed\n")


# ---- programs with job control or the whole screen --------------------------

def test_a_shell_inside(any_tty):
    """With its own job control."""
    tty = any_tty
    tty.start("$E env PS1='inner> ' bash --norc --noprofile -i")
    tty.wait("^inner>")
    assert "job control" not in tty.text()
    tty.type("sleep 1000\n")
    run = tty.run()
    lab.wait_until(lambda: any(comm_of(x) == "sleep"
                               for x in descendants(run.pid)))
    tty.key("C-z")
    tty.wait(r"^\[1\]\+ +Stopped +sleep 1000\ninner>")
    assert not is_stopped(run.pid)
    tty.type("fg\n")
    tty.wait("^sleep 1000$")
    tty.key("C-c")
    tty.wait(r"\^C\ninner>")
    tty.type("exit 7\n")
    assert tty.prompt() == 7


def test_window_size(tty):
    tty.start("$E bash -c 'stty size; trap \"stty size\" WINCH; echo up; "
              "while :; do read -t 0.05 x; done'")
    tty.wait("^24 80\nup$")
    tty.resize(100, 30)
    tty.wait("^30 100$")
    tty.key("C-c")
    assert tty.prompt() == 130


@pytest.mark.parametrize("program", ["vi", "less"])
def test_full_screen(tty, share, program):
    """Drawn, stopped, drawn again; the shell's modes are right in between."""
    (share / "text").write_text("".join(f"line {n}\n" for n in range(1, 200)))
    plain = modes(tty)
    tty.start(f"$E {program} {share}/text")
    tty.wait("^line 20$")
    tty.key("C-z")
    tty.prompt()
    assert modes(tty) == plain
    tty.start("fg")
    tty.wait("^line 20$")
    tty.type("G")
    tty.wait("^line 199$")
    tty.type(":q\n" if program == "vi" else "q")
    assert tty.prompt() == 0
    assert modes(tty) == plain


def test_pager_beside_it(tty):
    """The pager has the keyboard, not the command."""
    tty.start("$E -- seq 1000 | less")
    tty.wait("^20$")
    tty.type("G")
    tty.wait("^1000$")
    tty.type("g")
    tty.wait("^1$")
    tty.type("q")
    assert tty.prompt() in (0, 141)


def test_pager_beside_a_command_that_goes_on(tty):
    tty.start("$E -- sh -c 'seq 100; exec sleep 1000' | less")
    tty.wait("^20$")
    tty.type("50g")
    tty.wait("^60$")
    tty.type("q")
    tty.key("C-c")
    assert tty.prompt() == 0


def test_reading_in_a_pipeline(tty):
    """Only the output is a pipe: the keyboard is the command's."""
    tty.start("$E cat | cat")
    tty.run()
    tty.type("hello\n")
    tty.wait("^hello\nhello$")
    tty.key("C-d")
    assert tty.prompt() == 0


def test_a_pipeline_of_two_runs(tty):
    tty.start("$E sh -c 'read x; echo $x; read x; echo $x' | $E sed s/^/to-/")
    tty.type("a\nb\n")
    tty.wait("^to-a\nto-b$")
    assert tty.prompt() == 0


# ---- what is restored -------------------------------------------------------

SPOIL = "stty raw -echo min 0; "


@pytest.mark.parametrize("end, status", [("exit 0", 0), ("kill -9 $$", 137)])
def test_modes_are_restored(tty, end, status):
    plain = modes(tty)
    assert tty.do(f"sh -c '{SPOIL}'") == 0
    # The control: without egress-run they stay spoilt.
    spoilt = modes(tty)
    assert spoilt != plain
    assert tty.do(f"stty {plain.strip()}") == 0
    assert tty.do(f"$E sh -c '{SPOIL} {end}'") == status
    assert modes(tty) == plain


def test_foreground_is_ours_after_kill_of_init(tty):
    plain = modes(tty)
    tty.start(f"$E sh -c '{SPOIL} echo up; sleep 1000'")
    tty.wait("^up")
    os.kill(tty.run().helper("egress-init"), signal.SIGKILL)
    assert tty.prompt() == 125
    assert modes(tty) == plain


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_flags_are_restored(egress, who, fd):
    """O_NONBLOCK belongs to the open file, which the caller goes on using."""
    ends = os.pipe()
    ours = ends[0 if fd == 0 else 1]
    script = "import fcntl, os; fcntl.fcntl({0}, fcntl.F_SETFL, os.O_NONBLOCK)"
    command = ["/usr/bin/python3", "-c", script.format(fd)]
    streams = dict(zip(("stdin", "stdout", "stderr"),
                       [subprocess.DEVNULL] * 3))
    streams[["stdin", "stdout", "stderr"][fd]] = ours
    try:
        before = fcntl.fcntl(ours, fcntl.F_GETFL)
        with lab.started(command, who, **streams) as process:
            assert process.wait(10) == 0
        assert fcntl.fcntl(ours, fcntl.F_GETFL) & os.O_NONBLOCK
        fcntl.fcntl(ours, fcntl.F_SETFL, before)
        with lab.started([E, *command], who, **streams) as process:
            assert process.wait(10) == 0
        assert fcntl.fcntl(ours, fcntl.F_GETFL) == before
    finally:
        os.close(ends[0])
        os.close(ends[1])


# ---- typing on behalf of the user -------------------------------------------

def at_terminal(*command):
    """Output of a command whose controlling terminal is a new one."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(command[0], list(map(str, command)))
    output = b""
    # At its end, or when the deadline passes, it is gone.
    while select.select([master], [], [], 10)[0]:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        output += data
        if not data:
            break
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return os.waitstatus_to_exitcode(status), output.decode().split()


@pytest.mark.parametrize("how", ["ioctl", "syscall"])
@pytest.mark.parametrize("high", [0, 1 << 32, 1 << 63 | 0xdead << 32])
@pytest.mark.parametrize("request_", [termios.TIOCSTI, termios.TIOCLINUX])
def test_typing_for_the_user_is_refused(egress, how, high, request_):
    """As root, to whom the kernel allows it; the kernel looks at the low 32
    bits alone."""
    attack = client("tty_attack")
    value = hex(request_ | high)
    rc, control = at_terminal(attack, how, value)
    expected = ["xdone"] if request_ == termios.TIOCSTI else [
        "done", "EINVAL", "ENOTTY"]
    assert rc == 0 and control[-1] in expected, control
    assert at_terminal(E, "-q", "--files", "host", attack, how, value) == (0, ["EPERM"])


def test_foreign_system_calls_are_refused(egress):
    """The 32-bit entry has other numbers, which the filter does not know."""
    attack = client("tty_attack")
    rc, control = at_terminal(attack, "compat", hex(termios.TIOCSTI))
    if rc == 2:
        pytest.skip("no 32-bit entry on this machine's architecture")
    if rc != 0:
        pytest.skip("this kernel has no 32-bit entry")
    assert control == ["xdone"]
    assert at_terminal(E, "-q", "--files", "host", attack, "compat",
                       hex(termios.TIOCSTI)) == (128 + signal.SIGSYS, [])


def test_other_ioctls_work(egress):
    """The filter takes nothing else away."""
    script = "stty -a | grep -o 'speed [0-9]*'; tty; stty -echo; stty echo"
    rc, out = at_terminal(E, "-q", "/bin/sh", "-c", script)
    assert rc == 0 and out[0] == "speed"
    assert out[2:] == ["/dev/console"]


def test_no_terminal_at_all(egress, who):
    """In CI: no controlling terminal, pipes for everything."""
    with running(["sh", "-c", "read x; echo $x"], who) as process:
        process.stdin.write(b"line\n")
        assert finish(process) == (0, "line\n", "")
