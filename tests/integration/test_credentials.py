# SPDX-License-Identifier: GPL-2.0-or-later
"""env_credentials against a real gnome-keyring-daemon on a bus of its own, and
where the values must not be found."""
import base64
import contextlib
import json
import os
import pathlib
import re
import secrets
import select
import signal
import subprocess
import tempfile

import pytest

import lab
from launch_helpers import (children, comm_of, descendants, finish, read_line,
                            refused, running)

E = lab.EGRESS_RUN
pytestmark = pytest.mark.usefixtures("egress")

# No <servicedir>: nothing is started on demand.
BUS = """<busconfig><type>session</type><listen>unix:path=%s</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


class Keyring:
    """A session bus of that user with a keyring on it, unlocked."""

    def __init__(self, user, folder):
        self.user, self.folder = user, pathlib.Path(folder)
        self.env = {"XDG_RUNTIME_DIR": str(folder),
                    "XDG_DATA_HOME": f"{folder}/data",
                    "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus"}
        self.stack = contextlib.ExitStack()
        self.daemon = None
        config = self.folder / "bus.conf"
        config.write_text(BUS % f"{folder}/bus")
        bus = self.stack.enter_context(lab.started(
            ["dbus-daemon", f"--config-file={config}", "--nofork",
             "--print-address"], user, env=self.env, stdout=subprocess.PIPE))
        assert select.select([bus.stdout], [], [], 10)[0], "no bus"
        self.start("--unlock")

    def start(self, *options):
        """The daemon; --unlock takes the password, which it then has."""
        self.daemon = self.stack.enter_context(lab.started(
            ["gnome-keyring-daemon", "--foreground", "--components=secrets",
             *options], self.user, env=self.env, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.daemon.stdin.write(b"password")
        self.daemon.stdin.close()
        lab.wait_until(lambda: self.tool("search", "x", "y").ok, 10,
                       "the keyring")

    def lock(self):
        """Another one, which has no password and nobody to ask."""
        lab.kill_group(self.daemon)
        self.daemon.wait(5)
        self.start()

    def tool(self, *args, stdin=b""):
        return lab.host(["secret-tool", *args], user=self.user, env=self.env,
                        stdin=stdin)

    def store(self, value, *attributes):
        got = self.tool("store", "--label=test", *attributes, stdin=value)
        assert got.ok, got


@contextlib.contextmanager
def open_keyring(user, folder):
    os.chown(folder, lab.USERS[user].uid, lab.USERS[user].gid)
    os.chmod(folder, 0o700)
    opened = None
    try:
        opened = Keyring(user, folder)
        yield opened
    finally:
        if opened:
            opened.stack.close()


@pytest.fixture
def keyring(who):
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as folder, \
            open_keyring(who, folder) as opened:
        yield opened


@pytest.fixture
def profile():
    """profile({reference: variable}) writes a profile with these
    env_credentials that nobody else can write; gives its path."""
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as folder:
        os.chmod(folder, 0o755)
        path = pathlib.Path(folder) / "test.json"

        def write(credentials):
            path.write_text(json.dumps({"env_credentials": credentials}))
            return path
        yield write


@pytest.fixture
def token():
    return secrets.token_hex(24)


def get(egress, keyring, *args, name="GH_TOKEN", **options):
    """The value of that variable in the command."""
    options = {"user": keyring.user, "env": keyring.env, **options}
    got = egress(["-q", *args, "printenv", name], **options)
    assert got.ok and got.err == "", got
    return got.out.removesuffix("\n")


# ---- where it comes from ----------------------------------------------------

@pytest.mark.parametrize("attributes", [
    "username github_token target default", "username github_token",
    "account github_token"])
def test_every_spelling(egress, keyring, profile, token, attributes):
    """As nono stores it, as its documentation does, and as the profile in the
    wild says."""
    keyring.store(token, "service", "nono", *attributes.split())
    path = profile({"github_token": "GH_TOKEN"})
    assert get(egress, keyring, "--profile", path) == token


def test_nearest_spelling_wins(egress, keyring, profile):
    path = profile({"x": "GH_TOKEN"})
    for attributes in "account x", "username x", "username x target other", \
            "username x target default":
        keyring.store(attributes, "service", "nono", *attributes.split())
        keyring.store("wrong", "service", "other", *attributes.split())
        if "other" not in attributes:
            assert get(egress, keyring, "--profile", path) == attributes


def test_other_services(egress, keyring, profile, token):
    wrapped = "go-keyring-base64:" + base64.b64encode(token.encode()).decode()
    keyring.store(wrapped, "service", "gh:github.com", "username", "me")
    path = profile({"keyring://gh:github.com/me": "RAW",
                    "keyring://gh:github.com/me?decode=go-keyring": "GH"})
    assert get(egress, keyring, "--profile", path, name="RAW") == wrapped
    assert get(egress, keyring, "--profile", path, name="GH") == token


def test_line_ending_is_dropped(egress, keyring, profile, token):
    """What `echo | secret-tool store` adds; no other white space."""
    keyring.store(f" {token}\n", "service", "nono", "username", "x")
    path = profile({"x": "GH_TOKEN"})
    got = egress(["--profile", path, "env", "-0"], user=keyring.user,
                 env=keyring.env)
    assert f"GH_TOKEN= {token}" in got.out.split("\0")


def test_flags(egress, keyring, token):
    keyring.store(token, "service", "nono", "username", "gh_token")
    keyring.store("two", "service", "nono", "username", "second")
    assert get(egress, keyring, "--env-credential", "gh_token,second") == token
    assert get(egress, keyring, "--env-credential", "gh_token,second",
               name="SECOND") == "two"
    assert get(egress, keyring, "--env-credential-map", "second",
               "GH_TOKEN") == "two"
    assert get(egress, keyring, "--env-credential-map", "env://SOURCE",
               "GH_TOKEN", env={**keyring.env, "SOURCE": token}) == token


def test_replaces_what_is_inherited(egress, keyring, profile, token):
    keyring.store(token, "service", "nono", "username", "x")
    got = egress(["--profile", profile({"x": "GH_TOKEN"}), "env", "-0"],
                 user=keyring.user, env={**keyring.env, "GH_TOKEN": "stale"})
    assert got.out.count("GH_TOKEN=") == 1 and f"GH_TOKEN={token}\0" in got.out


def test_file(egress, share, who, token):
    (share / "token").write_text(f"{token}\n")
    got = egress(["-q", "--env-credential-map", f"file://{share}/token", "T",
                  "printenv", "T"], user=who)
    assert got.out == f"{token}\n" and got.err == ""


def test_keyring_of_another_user(egress, profile, token):
    """Found where pam_systemd puts its bus; root's own is not asked."""
    folder = pathlib.Path("/run/user/3000")
    folder.mkdir(parents=True)
    try:
        with open_keyring("tester", folder) as keyring:
            keyring.store(token, "service", "nono", "username", "x")
            got = egress(
                ["-q", "--user", "tester", "--env-credential-map", "x", "T",
                 "printenv", "T"], env={
                     "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
                     "XDG_RUNTIME_DIR": "/run/user/0"})
            assert got.out == f"{token}\n" and got.err == "", got
    finally:
        lab.host(["rm", "-r", folder.parent])


def test_planted_program_is_not_run(egress, keyring, profile, share, token):
    """A command may write to folders of its user's PATH."""
    keyring.store(token, "service", "nono", "username", "x")
    planted = share / "secret-tool"
    planted.write_text(f"#!/bin/sh\ntouch {share}/ran\necho planted\n")
    planted.chmod(0o755)
    path = f"{share}:/usr/bin:/bin"
    assert get(egress, keyring, "--profile", profile({"x": "GH_TOKEN"}),
               env={**keyring.env, "PATH": path}) == token
    assert not (share / "ran").exists()


# ---- when it cannot be had --------------------------------------------------

def without(egress, args, *words, share, **options):
    """Runs with a warning; with --require-credentials it does not run."""
    script = ["sh", "-c", "echo ${GH_TOKEN-none}; touch ran"]
    got = egress(["-q", *args, *script], cwd=share, **options)
    assert got.ok and got.out == "none\n", got
    line = re.fullmatch("egress-run: warning: GH_TOKEN is not set: (.*)\n",
                        got.err)
    assert line and all(word in line[1] for word in words), got.err
    (share / "ran").unlink()
    required = egress(["--require-credentials", *args, *script], cwd=share,
                      **options)
    refused(required, "GH_TOKEN is not set", *words)
    assert not (share / "ran").exists()
    return line[1]


@pytest.mark.parametrize("reference", ["github_token", "it's a name",
                                       "keyring://gh:github.com/me"])
def test_missing_entry(egress, keyring, profile, share, token, reference):
    """The command that the warning names stores it."""
    args = ["--profile", profile({reference: "GH_TOKEN"})]
    said = without(egress, args, "store it with: secret-tool store",
                   share=share, user=keyring.user, env=keyring.env)
    command = said.partition("store it with: ")[2]
    lab.host(["sh", "-c", command], user=keyring.user, env=keyring.env,
             stdin=token)
    assert get(egress, keyring, *args) == token


def test_locked(egress, keyring, profile, share, token):
    keyring.store(token, "service", "nono", "account", "x")
    keyring.lock()
    without(egress, ["--profile", profile({"x": "GH_TOKEN"})],
            "the keyring entry 'x' is locked", share=share,
            user=keyring.user, env=keyring.env)


def test_no_bus(egress, profile, share, who):
    args = ["--profile", profile({"x": "GH_TOKEN"})]
    without(egress, args, "no D-Bus session", share=share, user=who)
    without(egress, args, "the keyring cannot be asked", share=share, user=who,
            env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})


def test_no_program(host, keyring, profile, share):
    """The package that has it is named."""
    def covered(args, user, env, cwd):
        who = lab.USERS[user]
        return host(["unshare", "-m", "sh", "-c",
                     'mount --bind /dev/null /usr/bin/secret-tool; exec "$@"',
                     "sh", "setpriv", f"--reuid={who.uid}",
                     f"--regid={who.gid}", "--clear-groups", E, *args],
                    env={**env, "HOME": str(who.home)}, cwd=cwd)
    without(covered, ["--profile", profile({"x": "GH_TOKEN"})],
            "libsecret-tools", share=share, user=keyring.user,
            env=keyring.env)


def test_the_others_are_set(egress, keyring, profile, token):
    keyring.store(token, "service", "nono", "username", "x")
    path = profile({"missing": "A", "x": "GH_TOKEN", "env://NOSUCH": "B"})
    got = egress(["--profile", path, "printenv", "GH_TOKEN"],
                 user=keyring.user, env=keyring.env)
    assert got.out == f"{token}\n" and got.err.count("is not set: ") == 2, got


@pytest.mark.parametrize("reference, name, words", [
    ("x", "LD_PRELOAD", ["LD_PRELOAD", "test.json:1:"]),
    ("x", "A-B", ["'A-B'", "test.json:1:"]),
    ("http://x", "T", ["unknown form", "test.json:1:"]),
    ("cmd://x", "T", ["custom_credentials"]),
    ("file://x", "T", ["absolute"])])
def test_nonsense_is_refused(egress, profile, share, reference, name, words):
    """Whether it is needed or not, and before anything is asked."""
    path = profile({reference: name})
    for args in [], ["--dry-run"]:
        refused(egress(["--profile", path, *args, "touch", "ran"],
                       user="tester", cwd=share), *words)
    assert not (share / "ran").exists()


# ---- waiting ----------------------------------------------------------------

def test_waits_for_the_user(keyring, profile, token):
    """A keyring that asks its user takes its time: it is said, and the run
    goes on when it has answered."""
    keyring.store(token, "service", "nono", "username", "x")
    os.kill(keyring.daemon.pid, signal.SIGSTOP)
    try:
        with running(["--profile", profile({"x": "GH_TOKEN"}), "printenv",
                      "GH_TOKEN"], keyring.user, env=keyring.env) as process:
            assert select.select([process.stderr], [], [], 10)[0]
            said = os.read(process.stderr.fileno(), 1000)
            assert b"waiting for the keyring" in said
            os.kill(keyring.daemon.pid, signal.SIGCONT)
            assert finish(process)[:2] == (0, f"{token}\n")
    finally:
        os.kill(keyring.daemon.pid, signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL,
                                    signal.SIGTERM])
def test_ended_while_waiting(keyring, profile, number):
    """secret-tool does not stay behind."""
    os.kill(keyring.daemon.pid, signal.SIGSTOP)
    try:
        with running(["--profile", profile({"x": "GH_TOKEN"}), "true"],
                     keyring.user, env=keyring.env) as process:
            tool = lab.wait_until(lambda: next(
                (x for x in children(process.pid)
                 if comm_of(x) == "secret-tool"), 0))
            os.kill(process.pid, number)
            process.wait(5)
            lab.wait_until(lambda: comm_of(tool) != "secret-tool")
    finally:
        os.kill(keyring.daemon.pid, signal.SIGCONT)


# ---- where it must not be ---------------------------------------------------

def holds(pid, what):
    """Whether the memory of that process has these bytes."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        spans = [line.split() for line in maps]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for span in spans:
            begin, end = (int(x, 16) for x in span[0].split("-"))
            if "r" not in span[1] or end - begin > 1 << 28:
                continue
            with contextlib.suppress(OSError, ValueError, OverflowError):
                memory.seek(begin)
                if what in memory.read(end - begin):
                    return True
    return False


def test_nowhere_else(keyring, profile, share, token):
    """While the command runs: in its own environment, and in no argument, no
    other environment, no memory of egress-run and in nothing it writes."""
    keyring.store(token, "service", "nono", "username", "x")
    secret, log = token.encode(), share / "log"
    args = ["-vv", "--log", log, "--profile", profile({"x": "GH_TOKEN"}),
            "--allow-domain", "allowed.test"]
    script = "curl -sS http://allowed.test/ >/dev/null; echo ready; read x; " \
        "test ${#GH_TOKEN} = 48"
    with running([*args, "sh", "-c", script], keyring.user,
                 env=keyring.env) as process:
        assert read_line(process) == "ready\n"
        process.run.ready()
        command = process.run.command()
        ours = [process.pid, *children(process.pid)]
        assert {"egress-dns", "egress-relay", "egress-init"} == {
            comm_of(x) for x in ours[1:]}
        assert holds(command, secret)
        assert [x for x in ours if holds(x, secret)] == []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                assert secret not in (folder / "cmdline").read_bytes()
                assert (secret in (folder / "environ").read_bytes()) == (
                    int(folder.name) in [command, *descendants(command)])
        status, out, err = finish(process)
    assert status == 0 and "GH_TOKEN is set from" in err
    assert token not in out + err + log.read_text()


@pytest.fixture
def plain():
    """Not built with sanitizers, which neither dump core nor bear strace."""
    if b"__asan_init" in E.read_bytes():
        pytest.skip("not with the address sanitizer")


@pytest.mark.usefixtures("plain")
def test_never_an_argument(keyring, profile, host, share, token):
    """Not even for a moment: every exec of the start, of all processes."""
    keyring.store(token, "service", "nono", "username", "x")
    trace = share / "trace"
    who = lab.USERS[keyring.user]
    got = host(["strace", "-f", "-qq", "-e", "trace=execve", "-s", "4096",
                "-o", trace, "setpriv", f"--reuid={who.uid}",
                f"--regid={who.gid}", "--clear-groups", E, "--profile",
                profile({"x": "GH_TOKEN"}), "true"],
               env={**keyring.env, "HOME": str(who.home)}, timeout=30)
    text = trace.read_text()
    assert "secret-tool" in text and got.ok, got
    assert token not in text


def test_dry_run_asks_nobody(egress, profile, who):
    """And tells from where it would be."""
    got = egress(["--dry-run", "--profile", profile({"x": "GH_TOKEN"}),
                  "true"], user=who)
    assert got.ok and "is not set" not in got.err, got
    assert "GH_TOKEN" in got.out and "the keyring entry 'x'" in got.out


@pytest.fixture
def dumps(share):
    """Core dumps as share/core.PID, if this machine's pattern allows."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as f:
        pattern = f.read().strip()
    if "/" in pattern or pattern.startswith("|"):
        pytest.skip(f"core dumps go to {pattern}")
    return share


@pytest.fixture
def tools():
    """A folder of programs that no profile lets the command write."""
    with tempfile.TemporaryDirectory(dir=lab.LAB) as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.mark.usefixtures("plain")
def test_not_in_a_core(keyring, profile, dumps, tools, token):
    """Of the process that has one secret and waits for the next."""
    keyring.store(token, "service", "nono", "username", "x")
    op = tools / "op"
    op.write_text("#!/bin/sh\nexec sleep 30\n")
    op.chmod(0o755)
    path = profile({"x": "GH_TOKEN", "op://v/i/f": "OTHER"})
    script = 'ulimit -c unlimited && exec "$@"'
    with lab.started(
            ["sh", "-c", script, "sh", E, "--profile", path, "true"],
            keyring.user, env={**keyring.env, "PATH": f"{tools}:/usr/bin:/bin"},
            cwd=dumps) as process:
        tool = lab.wait_until(lambda: next(
            (x for x in children(process.pid) if comm_of(x) == "sleep"), 0),
            10, "op")
        assert holds(process.pid, token.encode())
        os.kill(process.pid, signal.SIGSEGV)
        assert process.wait(10) == -signal.SIGSEGV
        lab.wait_until(lambda: comm_of(tool) != "sleep")
        data = next(dumps.glob("core*")).read_bytes()
    assert b"GH_TOKEN" in data and token.encode() not in data
