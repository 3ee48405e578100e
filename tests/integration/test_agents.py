# SPDX-License-Identifier: GPL-2.0-or-later
"""Coding agents from their own packages, as a new user starts them: they run,
keep their state, run commands in the project and answer, by the shipped
profiles. The services they ask are stood in for (tests/lab/modelapi.py); the
packages come from tests/fetch-agents, before the lab.
"""
import contextlib
import json
import os
import shutil
import stat
import subprocess

import pytest

import lab
from escape_helpers import home_of
from launch_helpers import screen

pytestmark = pytest.mark.usefixtures("egress")

AGENTS = lab.TREE / "build/agents"
ANSWER = "The lab's model answers."
ASK = "lab-run: id -un >made; ls -A ~ >seen; cat ~/.ssh/id >secret. "
TOKEN = "egress-run: warning: GH_TOKEN is not set: "
KEY = "sk-ant-" + "lab" * 8


def need(program):
    """Skips with the reason why there is none."""
    why = AGENTS / "why"
    if not (AGENTS / "bin" / program).exists():
        pytest.skip(why.read_text().strip() if why.exists() else
                    f"no {program}: tests/fetch-agents build/agents gets it")
    if program == "codex" and not shutil.which("node"):
        pytest.skip("node is not installed")


@pytest.fixture(scope="module")
def model():
    """The far end's program is running; its record."""
    path = lab.LAB / "modelapi.log"
    with path.open("wb") as log, lab.started(
            [lab.IN_INTERNET, lab.TREE / "tests/lab/modelapi.py"],
            stdout=log, stderr=subprocess.STDOUT):
        lab.wait_until(lambda: "ready" in path.read_text(), what=path)
        yield path


class Developer:
    """Somebody's home and project, with agents where npm puts them without
    root (prefix ~/.local)."""

    def __init__(self, home):
        self.home, self.name = home, home.name
        self.base, self.work = home.user.home, home.work
        for path, text in ((".bashrc", "alias l=ls\n"), (".ssh/id", "secret"),
                           (".gitconfig", "[user]\nname = D\nemail = d@e\n"),
                           (".npmrc", "//registry.test/:_authToken=x\n"),
                           ("work/README", "A project.\n")):
            home.write(path, text)
        self.env = {"PATH": f"{self.base}/.local/bin:/usr/bin:/bin",
                    "NODE_EXTRA_CA_CERTS": None, "SSL_CERT_FILE": None,
                    "GIT_SSL_CAINFO": None, "CURL_CA_BUNDLE": None,
                    "TMPDIR": None, "EGRESS_RUN_FILES": None,
                    "ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": "sk-lab"}
        done = lab.host(["sh", "-c", "git init -q . && git add README && "
                         "git commit -qm first"], user=self.name,
                        cwd=self.work)
        assert done.ok, done.err

    def run(self, args, timeout=30, **options):
        options["env"] = {**self.env, **options.get("env", {})}
        return lab.egress(args, user=self.name, cwd=self.work,
                          timeout=timeout, **options)

    def made(self, name):
        return (self.work / name).read_text()


@pytest.fixture
def dev(egress, who, model):
    with home_of(who) as home:
        local = home.folder(home.user.home / ".local")
        programs = home.folder(local / "lib")
        links = [home.folder(local / "bin") / program
                 for program in ("claude", "codex")
                 if (AGENTS / "bin" / program).exists()]
        for link in links:
            link.symlink_to(os.readlink(AGENTS / "bin" / link.name))
        there = (AGENTS / "lib").is_dir()
        if there:
            subprocess.run(["mount", "-o", "bind,ro", AGENTS / "lib",
                            programs], check=True)
        try:
            yield Developer(home)
        finally:
            if there:
                subprocess.run(["umount", "--lazy", programs], check=True)
            for link in links:
                link.unlink()
            programs.rmdir()
            with contextlib.suppress(OSError):
                (local / "bin").rmdir()


def worked(dev, got, said):
    """It answered, ran what it was asked to, and only the grants were there;
    on stderr only what is said."""
    assert got.rc == 0 and ANSWER in got.out, got
    assert [x for x in got.err.splitlines()
            if x.startswith("egress-run:") and not x.startswith(said)] == []
    assert dev.made("made") == f"{dev.name}\n"
    assert dev.made("secret") == ""
    assert not {".ssh", ".bashrc", ".npmrc"} & set(dev.made("seen").split())


# ---- Claude Code ------------------------------------------------------------

CLAUDE = ["claude", "--allowedTools", "Bash", "-p", ASK]
LOOK = ("egress-run: look at these",
        "egress-run:   {}/.claude/settings.json (new, ")


def test_claude_for_the_first_time(dev):
    """On a machine where it never ran: its state is there afterwards."""
    need("claude")
    got = dev.run(["--profile", "schedar", "--", *CLAUDE])
    worked(dev, got, (TOKEN, "egress-run: profile 'schedar'",
                      *(x.format(dev.base) for x in LOOK)))
    state = json.loads((dev.base / ".claude.json").read_text())
    assert str(dev.work) in state["projects"] and state["userID"]
    folder = dev.base / ".claude"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.owner() == dev.name
    sessions = list((folder / "projects").rglob("*.jsonl"))
    assert any(ANSWER in x.read_text() for x in sessions)


def test_claude_with_its_state(dev):
    """What another run wrote is found, and kept; nothing is told but the
    profile."""
    need("claude")
    dev.home.write(".claude.json", {"mark": "kept", "numStartups": 7})
    dev.home.write(".claude/settings.json", {"env": {"LAB_MARK": "set"}})
    ask = "lab-run: echo $LAB_MARK >mark; id -un >made; ls -A ~ >seen; " \
        "cat ~/.ssh/id >secret. "
    got = dev.run(["-p", "claude-code", "--network-profile", "claude-code",
                   "--", *CLAUDE[:-1], ask])
    worked(dev, got, ("egress-run: profile 'claude-code'",))
    assert dev.made("mark") == "set\n"
    state = json.loads((dev.base / ".claude.json").read_text())
    assert state["mark"] == "kept" and str(dev.work) in state["projects"]


@pytest.mark.parametrize("who", ["tester"])
def test_claude_on_a_terminal(dev):
    """Its full screen comes up, takes a prompt, and leaves the terminal as it
    was."""
    need("claude")
    dev.home.write(".claude.json", {
        "hasCompletedOnboarding": True, "theme": "dark",
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(dev.work): {"hasTrustDialogAccepted": True}}})
    with screen(dev.name) as tty:
        for name, value in dev.env.items():
            tty.do(f"export {name}={value}" if value else f"unset {name}")
        assert tty.do(f"cd {dev.work}; stty -a >{dev.base}/before") == 0
        tty.start("$E -q -p claude-code --network-profile claude-code -- "
                  "claude")
        tty.wait(r"^❯", 20)
        tty.type("hello there")
        tty.wait(r"^❯.*hello there")
        tty.key("Enter")
        tty.wait(ANSWER, 20)
        assert "egress-run:" not in tty.text(), tty.text()
        tty.type("/exit")
        tty.wait(r"^❯.*/exit")
        tty.key("Enter")
        assert tty.prompt() == 0
        assert tty.do(f"stty -a | cmp - {dev.base}/before") == 0


# ---- Codex ------------------------------------------------------------------

# By POST alone, without its list of models.
CODEX = ["codex", "exec", "--sandbox", "danger-full-access",
         "-c", "model=gpt-5", "-c", "model_provider=lab", "-c",
         "model_providers.lab={name='lab', env_key='OPENAI_API_KEY', "
         "base_url='https://api.openai.com/v1', wire_api='responses'}"]


def test_codex(dev):
    need("codex")
    got = dev.run(["-p", "codex", "--network-profile", "codex", "--", *CODEX,
                   ASK])
    worked(dev, got, ("egress-run: profile 'codex'", "egress-run: blocked:",
                      "egress-run:   ab.chatgpt.com "))
    sessions = list((dev.base / ".codex/sessions").rglob("*.jsonl"))
    assert any(ANSWER in x.read_text() for x in sessions)


@pytest.mark.parametrize("who", ["tester"])
def test_codex_on_a_terminal(dev):
    need("codex")
    with screen(dev.name) as tty:
        tty.do(f"cd {dev.work}; PATH={dev.env['PATH']}; "
               "unset EGRESS_RUN_FILES NODE_EXTRA_CA_CERTS SSL_CERT_FILE")
        tty.start("$E -q -p codex --network-profile codex -- codex")
        tty.wait("Sign in with ChatGPT", 20)
        tty.key_until_prompt("C-c")
        assert tty.do("stty -a | grep -q ' icanon'") == 0
