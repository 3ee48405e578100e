# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal in the command's own world of files: /dev is private, and the
terminal is in it all the same; other terminals are not.

test_terminal.py has the keys and the job control of the relay; here are the
programs that look for the terminal by its name, and the attacks on it.
"""
import os
import pty
import termios

import pytest

import lab
from escape_helpers import PYTHON, VIEW, home_of, inside, program
from launch_helpers import client, comm_of, descendants, is_stopped, screen
from test_terminal import at_terminal, modes

pytestmark = pytest.mark.usefixtures("egress")
E = "$E --files profile -q"


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


@pytest.fixture
def tty(home):
    """A terminal in the working folder."""
    with screen(home.name) as opened:
        assert opened.do(f"cd {home.work}") == 0
        yield opened


# ---- programs ---------------------------------------------------------------

def lines(home, n=199):
    home.write("work/text", "".join(f"line {x}\n" for x in range(1, n + 1)),
               0o644)


@pytest.mark.parametrize("program_, leave", [("vim.tiny -u NONE text", ":q\n"),
                                             ("less text", "q")])
def test_full_screen(tty, home, program_, leave):
    """Drawn, stopped, drawn again, in another size, left; the modes are
    right."""
    lines(home)
    plain = modes(tty)
    tty.start(f"{E} {program_}")
    tty.wait("^line 20$")
    tty.key("C-z")
    tty.prompt()
    assert modes(tty) == plain
    tty.start("fg")
    tty.wait("^line 20$")
    tty.resize(90, 40)
    tty.wait("^line 36$")
    tty.type("G")
    tty.wait("^line 199$")
    tty.type(leave)
    assert tty.prompt() == 0
    assert modes(tty) == plain


def test_editing_a_file(tty, home):
    """To the host's file, with vim's swap and backup."""
    lines(home, 3)
    tty.start(f"{E} vim.tiny -u NONE text")
    tty.wait("^line 3$")
    tty.type("ddihello\x1b")
    tty.key("Escape")
    tty.type(":wq\n")
    assert tty.prompt() == 0
    assert (home.work / "text").read_text() == "helloline 2\nline 3\n"
    assert sorted(os.listdir(home.work)) == ["text"]


def test_top(tty):
    """Sees the run's processes and no others."""
    tty.start(f"{E} top -d 0.2")
    tty.wait("^ *PID ")
    tty.wait("top$|top *$")
    text = tty.text()
    assert "egress" in text and "tmux" not in text, text
    tty.type("q")
    assert tty.prompt() == 0


def test_shell_with_job_control(tty):
    tty.start(f"{E} env PS1='inner> ' bash --norc --noprofile -i")
    tty.wait("^inner>")
    text = tty.text()
    assert "job control" not in text and "cannot" not in text, text
    tty.type("sleep 1000 | cat\n")
    run = tty.run()
    lab.wait_until(lambda: any(comm_of(x) == "sleep"
                               for x in descendants(run.pid)))
    tty.key("C-z")
    tty.wait(r"^\[1\]\+ +Stopped +sleep 1000")
    tty.type("bg; jobs\n")
    tty.wait(r"Running +sleep 1000")
    tty.type("fg\n")
    tty.key("C-c")
    tty.wait(r"\^C\ninner>")
    tty.type("suspend -f\n")
    assert tty.prompt() >= 128
    tty.start("fg")
    tty.type("exit 7\n")
    assert tty.prompt() == 7


def test_stop_and_foreground(tty):
    tty.start(f"{E} sh -c 'echo up; read x; echo got-$x; exit 3'")
    tty.wait("^up$")
    command = tty.run().command()
    tty.key("C-z")
    assert tty.prompt() >= 128
    assert is_stopped(command)
    tty.start("fg")
    lab.wait_until(lambda: not is_stopped(command))
    tty.type("hello\n")
    tty.wait("^got-hello$")
    assert tty.prompt() == 3


def test_control_c(tty):
    tty.start(f"{E} sleep 1000")
    command = tty.run().command()
    tty.key("C-c")
    assert tty.prompt() == 130
    lab.wait_until(lambda: not os.path.exists(f"/proc/{command}"))


def test_resize(tty):
    tty.start(f"{E} bash -c 'stty size; trap \"stty size\" WINCH; echo up; "
              "while :; do read -t 0.05 x; done'")
    tty.wait("^24 80\nup$")
    tty.resize(100, 30)
    tty.wait("^30 100$")
    tty.key("C-c")
    assert tty.prompt() == 130


def test_raw_mode_is_undone(tty):
    plain = modes(tty)
    assert tty.do(f"{E} sh -c 'stty raw -echo; exit 4'") == 4
    assert modes(tty) == plain


def test_name_of_the_terminal(tty, home):
    """ttyname() knows it; /dev/tty and the name open the same."""
    assert tty.do(f"{E} sh -c 'tty >name; : >$(tty); : >/dev/tty; "
                  "test -t 0 && ls -l /dev/console >list'") == 0, tty.text()
    assert (home.work / "name").read_text() == "/dev/console\n"
    assert (home.work / "list").read_text().startswith("c")


def test_opening_the_terminal_by_name(tty, home):
    """As ssh, sudo and gpg ask for a password."""
    tty.start(f"{E} sh -c 'read x </dev/tty; echo got-$x >/dev/tty; "
              "read y </dev/console; echo got-$y >/dev/console'")
    tty.run()
    tty.type("one\n")
    tty.wait("^got-one$")
    tty.type("two\n")
    tty.wait("^got-two$")
    assert tty.prompt() == 0


def test_new_terminals(tty, home):
    """Of the run's own devpts: openpty, script, tmux."""
    body = """
import pty
a, b = pty.openpty()
attempt("name", lambda: os.ttyname(b))
attempt("size", lambda: str(os.get_terminal_size(b)))
pid, fd = pty.fork()
if pid == 0:
    os.execlp("tty", "tty")
attempt("fork", lambda: os.read(fd, 99).decode().strip())
"""
    home.write("work/new.py", program(body))
    assert tty.do(f"{E} python3 new.py >told") == 0
    told = (home.work / "told").read_text()
    assert '"name": "/dev/pts/' in told and '"fork": "/dev/pts/' in told, told
    assert tty.do(f"{E} script -qec tty typescript >told") == 0
    assert (home.work / "told").read_text().strip().startswith("/dev/pts/")
    tty.start(f"{E} tmux -f /dev/null new-session "
              "'echo in-tmux; tty; read x'")
    tty.wait("^in-tmux\n/dev/pts/")
    tty.type("\n")
    assert tty.prompt() == 0


def test_no_terminal(home, who):
    """In CI: no terminal, no name of one, standard input closed or empty."""
    got = lab.egress([*VIEW, "sh", "-c", "tty; ls /dev/console; "
                      "(: </dev/tty); echo end"], user=who, cwd=home.work)
    assert got.ok and got.out == "not a tty\nend\n", got
    got = lab.host(["sh", "-c", 'exec "$@" <&- >out 2>&-', "-",
                    lab.EGRESS_RUN, *VIEW, "sh", "-c",
                    "echo out; cat; ls -l /proc/self/fd/0"], user=who,
                   cwd=home.work)
    text = (home.work / "out").read_text()
    assert got.ok and text.startswith("out\n") and "/dev/null" in text, text


# ---- attacks ----------------------------------------------------------------

@pytest.mark.parametrize("how", ["ioctl", "syscall", "compat"])
@pytest.mark.parametrize("high", [0, 1 << 32, 1 << 63 | 0xdead << 32])
@pytest.mark.parametrize("name", ["TIOCSTI", "TIOCLINUX", "TIOCSETD"])
def test_keys_for_the_outer_shell(home, name, high, how):
    """As root, to whom the kernel allows it; the kernel looks at the low 32
    bits alone. By a descriptor that was there before, too."""
    attack = client("tty_attack")
    value = hex(getattr(termios, name) | high)
    args = ["--read", attack.parent]
    if how == "compat":
        rc, control = at_terminal(attack, how, value)
        if rc != 0:
            pytest.skip("no 32-bit entry here")
        assert at_terminal(lab.EGRESS_RUN, *VIEW, *args, attack, how, value) \
            == (128 + 31, [])
        return
    rc, control = at_terminal(attack, how, value)
    assert rc == 0 and control[-1] != "EPERM", control
    assert at_terminal(lab.EGRESS_RUN, *VIEW, *args, attack, how, value) \
        == (0, ["EPERM"])


OTHERS = """
for path in WHERE["paths"]:
    attempt(path, lambda: os.close(os.open(path, os.O_RDWR | os.O_NOCTTY |
                                           os.O_NONBLOCK)))
attempt("list", lambda: sorted(os.listdir("/dev/pts")))
"""


def test_other_terminals_of_the_user(home, who, host):
    """What is typed there could be read, and written."""
    with screen(who) as other:
        name = os.readlink(f"/proc/{other.shell}/fd/0")
        paths = [name, f"/proc/{other.shell}/fd/0", "/dev/tty1", "/dev/ptmx0",
                 "/dev/vcs1", "/dev/console"]
        got = host([PYTHON, "-c", program(OTHERS, paths=[name])], user=who)
        assert '"done"' in got.out, got
        got = inside(OTHERS, who, [], {"cwd": home.work}, paths=paths)
    assert got.pop("list") == ["ptmx"]
    assert set(got.values()) == {"ENOENT"}, got


def test_first_terminals_do_not_meet(home, who):
    """/dev/pts/0 of the run is not the host's."""
    master, slave = pty.openpty()
    try:
        os.fchown(slave, home.user.uid, home.user.gid)
        n = os.path.basename(os.ttyname(slave))
        body = f"""
a, b = os.openpty()
while os.path.basename(os.ttyname(b)) != {n!r}:
    a, b = os.openpty()
os.write(b, b"from inside")
attempt("read", lambda: os.read(a, 99).decode())
"""
        os.set_blocking(master, False)
        assert inside(body, who, [], {"cwd": home.work}) == {
            "read": "from inside"}
        with pytest.raises(BlockingIOError):
            os.read(master, 99)
    finally:
        os.close(master)
        os.close(slave)


def test_terminal_of_the_caller_is_not_taken_over(home, who):
    """Neither stolen as a controlling terminal nor hung up."""
    body = """
attempt("steal", in_child, lambda: (os.setsid(), fcntl.ioctl(0, 0x540E, 1)))
call("vhangup", 153)
attempt("console", fcntl.ioctl, 0, 0x541D)
attempt("exclusive", lambda: str(fcntl.ioctl(0, 0x5413, bytes(8))[:1]))
"""
    rc, out = at_terminal(lab.EGRESS_RUN, *VIEW, "--allow", home.work,
                          PYTHON, "-c", program(body))
    told = " ".join(out)
    assert rc == 0 and '"steal": "EPERM"' in told, told
    assert '"vhangup": "EPERM"' in told
    assert '"console": "E' in told
