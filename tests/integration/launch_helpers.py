# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers of the tests of launch, supervision, terminal and faults.

Refusals have one form (refused), the processes of a run are found by their
names (Run), small C programs are built on demand (client), and a real terminal
is a tmux window that is typed into and read (Screen).
"""
import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile
import time

import lab

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"
HELPERS = {"egress-dns", "egress-relay", "egress-init"}


# ---- small programs ---------------------------------------------------------

def client(name, *flags):
    """Build clients/NAME.c; gives the path of the program or library."""
    path = lab.LAB / "bin" / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-D_GNU_SOURCE",
                        *flags, "-o", path, CLIENTS / f"{name}.c"], check=True)
    return path


# ---- results ----------------------------------------------------------------

def refused(result, *words, rc=125):
    """It did not start: one line on stderr that has these words, no output."""
    assert result.rc == rc, result
    assert result.raw == b"", result
    assert re.fullmatch(r"egress-run: error: [^\n]+\n", result.err), result.err
    for word in words:
        assert word in result.err, result.err


# ---- processes --------------------------------------------------------------

def comm_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def status_of(pid, field):
    """A field of /proc/PID/status, None when the process is gone."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return re.search(rf"^{field}:\s*(.*)$", text, re.M)[1]
    return None


def is_stopped(pid):
    return (status_of(pid, "State") or "").startswith("T")


def children(pid):
    with contextlib.suppress(OSError):
        path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        return [int(x) for x in path.read_text().split()]
    return []


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


class Run:
    """The processes of a running egress-run, by its pid."""

    def __init__(self, pid):
        self.pid = pid

    def helper(self, name):
        """The pid of that helper, 0 if there is none now."""
        return next((x for x in children(self.pid) if comm_of(x) == name), 0)

    def command(self):
        """The pid of the command's process once it has begun."""
        init = self.helper("egress-init")
        found = [x for x in children(init) if comm_of(x) != "egress-run"]
        return found[0] if init and found else 0

    def ready(self):
        lab.wait_until(lambda: self.command()
                       and HELPERS <= {comm_of(x) for x in children(self.pid)},
                       what="the command with its helpers")
        return self


def find_run(root):
    """The first egress-run among the descendants of that process."""
    return lab.wait_until(
        lambda: next((Run(x) for x in descendants(root)
                      if comm_of(x) == "egress-run"), None), what="a run")


@contextlib.contextmanager
def running(args, user="root", **options):
    """egress-run in the background with pipes; Popen with .run as its Run."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
               "stderr": subprocess.PIPE, **options}
    with lab.started([lab.EGRESS_RUN, *args], user, **options) as process:
        process.run = Run(process.pid)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            for pipe in process.stdin, process.stdout, process.stderr:
                if pipe:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


def read_line(process, deadline=15):
    """The next line of its stdout, what there is of it at the end of file."""
    end, line = time.monotonic() + deadline, b""
    while not line.endswith(b"\n"):
        left = max(0, end - time.monotonic())
        assert select.select([process.stdout], [], [], left)[0], \
            f"no line within {deadline} s but {line}"
        # Not through its buffer, which finish() would not know of.
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


def ask(process, line):
    """Write a line to the process, read its answer (a line)."""
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()
    return read_line(process)


def finish(process, deadline=10):
    """Close stdin, wait; gives (exit status, rest of stdout, stderr without
    lab.NOTICE)."""
    try:
        out, err = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        lab.kill_group(process)
        raise AssertionError(f"no end within {deadline} s") from None
    return (process.returncode, out.decode(),
            err.decode().replace(lab.NOTICE, "", 1))


# ---- a terminal -------------------------------------------------------------

class Screen:
    """An interactive bash in a tmux window of 80 by 24. Before each prompt it
    notes the last command's status in a file."""

    def __init__(self, user, path):
        self.user, self.socket = user, f"{path}/tmux"
        self.statuses = pathlib.Path(path) / "statuses"
        self.prompts = 0
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x80", "-y24",
                   "bash --norc --noprofile -i")
        self.shell = int(self._tmux("list-panes", "-F", "#{pane_pid}"))
        self.type(f"HISTFILE=; PROMPT_COMMAND='echo $? >>{self.statuses}'; "
                  "PS1='$ '\n")
        self.prompt()

    def _tmux(self, *args):
        done = lab.host(["tmux", "-S", self.socket, *args], user=self.user)
        assert done.ok, done.err
        return done.out

    def close(self):
        server = self._tmux("display-message", "-p", "#{pid}")
        self._tmux("kill-server")
        lab.wait_until(lambda: not os.path.exists(f"/proc/{int(server)}"))

    def type(self, text):
        self._tmux("send-keys", "-l", text.replace("\n", "\r"))

    def key(self, *names):
        self._tmux("send-keys", *names)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def text(self):
        return self._tmux("capture-pane", "-p")

    def wait(self, pattern, deadline=5):
        """The match of pattern on the screen; waits for it."""
        last = ""

        def matched():
            nonlocal last
            last = self.text()
            return re.search(pattern, last, re.M)
        return lab.wait_until(matched, deadline,
                              lambda: f"{pattern!r} in\n{last}")

    def prompt(self, deadline=5):
        """Wait for a new prompt; gives the status of the last command."""
        def newer():
            with contextlib.suppress(OSError):
                found = self.statuses.read_text().splitlines()
                return found if len(found) > self.prompts else None
        found = lab.wait_until(newer, deadline,
                               lambda: f"prompt in\n{self.text()}")
        self.prompts = len(found)
        return int(found[-1])

    def key_until_prompt(self, name, deadline=20):
        """Press a key, each second again, until there is a new prompt: a
        program that has just drawn its screen may drop what was typed."""
        for _ in range(deadline - 1):
            self.key(name)
            with contextlib.suppress(AssertionError):
                return self.prompt(1)
        return self.prompt(1)

    def start(self, command):
        """Type a command on a clear screen; $E is egress-run."""
        self._tmux("clear-history")
        self.type(f"clear; {command}\n".replace("$E", str(lab.EGRESS_RUN)))

    def do(self, command):
        """Run a command to its end; gives its status."""
        self.start(command)
        return self.prompt()

    def run(self):
        """The run that was started last, with its command."""
        return find_run(self.shell).ready()


@contextlib.contextmanager
def screen(user):
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as path:
        os.chmod(path, 0o777)
        opened = Screen(user, path)
        try:
            yield opened
        finally:
            opened.close()
