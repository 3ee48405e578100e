# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs under a profile: where it is found, what it opens and closes, the
options that go with it, and what is said about it."""
import json
import re
import shutil

import pytest

import lab
from launch_helpers import refused
from profile_helpers import SCHEDAR, Home

pytestmark = pytest.mark.usefixtures("egress")
FETCH = ["curl", "-gsS", "-m5"]
GOOD = "OK allowed.test "


@pytest.fixture
def home(who):
    opened = Home(who)
    yield opened
    opened.remove()


@pytest.fixture
def tester():
    opened = Home("tester")
    yield opened
    opened.remove()


@pytest.fixture(autouse=True)
def files(monkeypatch):
    """As the profile says."""
    monkeypatch.setattr(lab, "FILES", None)


@pytest.fixture
def run(egress, tester):
    """run(*args) -> lab.Result, as tester in a working directory."""
    def runner(*args, **options):
        options.setdefault("cwd", tester.work)
        return egress(args, user="tester", **options)
    return runner


# ---- a profile that was written for nono ------------------------------------

PLACES = {
    "nono's folder": ".config/nono/profiles/schedar.json",
    "our folder": ".config/egress-run/profiles/schedar.json",
    "shipped": None,
}


@pytest.mark.parametrize("place", PLACES)
def test_schedar(egress, home, place):
    """Unchanged, wherever it lies."""
    path = lab.PROFILES / "schedar.json"
    if PLACES[place]:
        path = home.write(PLACES[place], SCHEDAR.read_text())
    got = egress(["--profile", "schedar", "--dry-run", "--", "claude"],
                 user=home.name, cwd=home.work)
    assert got.ok, got
    banner = got.err.splitlines()[0]
    assert banner == (
        f"egress-run: profile 'schedar' ({path}): 153 names allowed; working "
        f"directory {home.work} read-write; GH_TOKEN from the keyring entry "
        "'github_token'"), got.err
    allowed = re.findall(r"^allow: +name (\S+)$", got.out, re.M)
    wanted = json.loads(SCHEDAR.read_text())["network"]["allow_domain"]
    assert sorted(allowed) == sorted(wanted)
    assert re.search(r"^credential: GH_TOKEN from the keyring entry "
                     r"'github_token'", got.out, re.M), got.out
    assert re.search(rf"^grant: +r\+w +{home.work}\b", got.out, re.M)
    assert re.search(rf"^denied: +{home.user.home}/\.ssh\b", got.out, re.M)
    assert str(path) in got.out and "claude-code.json" in got.out


def test_schedar_runs(run, tester):
    """Without a keyring the token is missing, which is said; the rest runs."""
    tester.profile("schedar", SCHEDAR.read_text(), tool="nono")
    got = run("run", "--profile", "schedar", "--allow-domain", "allowed.test",
              "--", "sh", "-c", f"{' '.join(FETCH)} http://allowed.test/; "
              "curl -sS -m5 http://evil.test/")
    assert got.out.startswith(GOOD), got
    assert got.rc == 6 and "154 names allowed" in got.err, got
    assert "github_token" in got.err and "evil.test" in got.err
    required = run("--profile", "schedar", "--require-credentials", "touch",
                   "ran")
    assert required.rc == 125 and "GH_TOKEN" in required.err, required
    assert not (tester.work / "ran").exists()


# ---- which profile ----------------------------------------------------------

def test_profile_from_the_environment(run, tester):
    tester.profile("p", {"network": {"allow_domain": ["allowed.test"]}})
    env = {"EGRESS_RUN_PROFILE": "p"}
    assert run(*FETCH, "http://allowed.test/", env=env).out.startswith(GOOD)
    got = run("--profile", "", *FETCH, "http://allowed.test/", env=env)
    assert got.rc == 6, got


def test_profile_by_path(run, tester):
    tester.write("work/p.json", {"network": {"allow_domain": [
        "allowed.test"]}})
    for name in "./p.json", "p.json", str(tester.work / "p.json"):
        got = run("-p", name, *FETCH, "http://allowed.test/")
        assert got.out.startswith(GOOD), got


def test_profile_that_others_may_write(run, tester):
    path = tester.profile("p", {})
    path.chmod(0o666)
    refused(run("--profile", "p", "touch", "ran"), str(path))
    assert not (tester.work / "ran").exists()


def test_extends_on_the_command_line(run, tester):
    tester.profile("one", {"network": {"allow_domain": ["allowed.test"]}})
    tester.profile("two", {"network": {"allow_domain": ["second.test"]}})
    tester.profile("p", {"network": {"deny_domain": ["second.test"]}})
    got = run("-p", "p", "--extends", "one,two", "sh", "-c",
              "curl -sS -m5 http://allowed.test/; "
              "curl -sS -m5 http://second.test/")
    assert got.out.startswith(GOOD) and got.rc == 6, got


@pytest.mark.parametrize("content, words", [
    ("{", [":1:"]),
    ({"filesytem": {}}, ["filesytem", "filesystem"]),
    ({"network": {"block": True, "allow_domain": ["a.example"]}},
     ["contradict"]),
    ({"network": {"network_profile": "nosuch"}}, ["nosuch"]),
    ({"groups": {"exclude": ["deny_credentials"]}}, ["deny_credentials"]),
    ({"groups": {"include": ["nosuch"]}}, ["nosuch"]),
    ({"extends": "nosuch"}, ["nosuch"]),
    ({"extends": "p2", "meta": {"name": "p"}}, ["p2"]),
    ({"env_credentials": {"x": "LD_PRELOAD"}}, ["LD_PRELOAD"]),
    ({"egress_run": {"grace": 86401}}, ["86400"]),
], ids=lambda x: str(x)[:40] if not isinstance(x, list) else "")
def test_profile_that_is_not_valid(run, tester, content, words):
    tester.profile("p", content)
    got = run("--profile", "p", "touch", "ran")
    refused(got, *words)
    assert not (tester.work / "ran").exists()


def test_profile_that_is_not_there(run):
    refused(run("--profile", "nosuch", "true"), "nosuch")
    refused(run("--profile", "schedr", "true"), "schedr", "schedar")
    refused(run("--profile", "./nosuch.json", "true"), "nosuch.json")


# ---- network ----------------------------------------------------------------

def test_names_of_the_profile(run, tester):
    tester.profile("p", {"network": {
        "allow_domain": ["*.allowed.test", "second.test:80", "evil.test"],
        "deny_domain": ["evil.test", "api.allowed.test"]}})
    tries = {"www.allowed.test": "OK", "allowed.test": "", "evil.test": "",
             "api.allowed.test": "", "second.test": "OK"}
    got = run("-p", "p", "sh", "-c", "for name; do echo \"$name="
              "$(curl -s -m5 http://$name/)\"; done", "sh", *tries)
    seen = dict(line.split("=", 1) for line in got.out.splitlines())
    for name, want in tries.items():
        assert seen[name].startswith(want) and bool(seen[name]) == bool(want)
    got = run("-p", "p", *FETCH, "-k", "https://second.test/")
    assert got.rc != 0 and got.out == "", got


def test_names_of_profile_and_options(run, tester):
    tester.profile("p", {"network": {"allow_domain": ["allowed.test"]}})
    got = run("-p", "p", "--allow-proxy", "second.test", "--deny-domain",
              "allowed.test", "sh", "-c", "curl -s -m5 http://second.test/; "
              "curl -s -m5 http://allowed.test/")
    assert got.out.startswith("OK second.test") and got.rc == 6, got
    assert got.out.count("OK") == 1


def test_block_net(run, tester):
    tester.profile("p", {"network": {"allow_domain": ["allowed.test"]}})
    tester.profile("blocked", {"network": {"block": True}})
    refused(run("-p", "p", "--block-net", "true"), "block")
    for args in ["--block-net"], ["-p", "blocked"]:
        got = run(*args, *FETCH, "http://allowed.test/")
        assert got.rc == 6 and not got.noticed, got


def test_allow_net(run, tester):
    """Every name; what is never allowed stays so."""
    tester.profile("p", {"network": {"allow_domain": ["allowed.test"],
                                     "deny_domain": ["second.test"]}})
    for args in ["--allow-net"], ["--allow-net", "-p", "p"]:
        got = run(*args, *FETCH, "http://evil.test/")
        assert got.out.startswith("PWNED"), got
    got = run("--allow-net", *FETCH, "http://198.51.100.10/")
    assert got.out.startswith("PWNED"), got
    got = run("--allow-net", *FETCH, "http://169.254.169.254/")
    assert got.rc == 7, got


def test_allow_net_of_a_profile_that_blocks(run, tester):
    path = tester.profile("p", {"network": {"block": True}})
    for args in [], ["--dry-run"]:
        refused(run("-p", "p", "--allow-net", *args, "touch", "ran"),
                "contradict", "--allow-net", f"{path}:3:")
    assert not (tester.work / "ran").exists()


def banner(got):
    assert got.ok, got
    return got.err.splitlines()[0]


def test_banner_of_a_long_name(run, tester):
    """What the profile calls itself neither hides nor imitates the rest."""
    path = tester.profile("p", {"meta": {"name": "x' (/y): no network" +
                                         "\u00fc" * 2000},
                                "network": {"allow_domain": ["*"]}})
    line = banner(run("-p", "p", "--dry-run", "true"))
    assert re.fullmatch(rf"egress-run: profile 'x\? \(/y\): no network[^']*"
                        rf"\.\.\.' \({path}\): every name allowed", line), line


@pytest.mark.parametrize("args, allowed", [
    (["--allow-domain", "*"], "every name allowed less 2 denied"),
    (["--allow-domain", "a.example"], "1 name allowed less 2 denied"),
    (["--allow-net"], "every name and address allowed less 2 denied"),
    (["--block-net"], "no network"),
])
def test_banner_of_what_is_allowed(run, tester, args, allowed):
    path = tester.profile("p", {"network": {
        "deny_domain": ["evil.test", "203.0.113.0/24"]}})
    assert banner(run("-p", "p", *args, "--dry-run", "true")) == (
        f"egress-run: profile 'p' ({path}): {allowed}")


def test_secrets_of_a_name_file_are_not_told(run, tester):
    """Whatever file a profile takes for one."""
    path = tester.write("work/key", "ok.example\nhunter2 hunter2\n")
    tester.profile("p", {"egress_run": {"allow_domain_file": [str(path)]}})
    got = run("-p", "p", "true")
    refused(got, f"{path}:2: ", "no host name")
    assert "hunter2" not in got.err


def test_network_profile(run):
    got = run("--network-profile", "minimal", "--dry-run", "true")
    assert re.search(r"^allow: +name api\.anthropic\.com$", got.out, re.M)
    refused(run("--network-profile", "nosuch", "true"), "nosuch")
    got = run("--allow-domain", "github", "--dry-run", "true")
    assert re.search(r"^allow: +name codeload\.github\.com$", got.out, re.M)


def test_nothing_allowed_is_said(run):
    """In one line, with the ways to allow; not if that is what was asked."""
    for word in "nothing", "--allow-domain", "--network-profile", \
            "--allow-net":
        assert word in lab.NOTICE and lab.NOTICE.count("\n") == 1
    got = run("true")
    assert got.ok and got.noticed and got.err == "", got
    for args in ["-q"], ["-s"], ["--allow-domain", "allowed.test"], \
            ["--block-net"], ["--allow-net"], ["--allow-address", "10.0.0.1"]:
        got = run(*args, "true")
        assert got.ok and not got.noticed and got.err == "", got
    refused(run("--user", "nosuch", "true"), "nosuch")


def test_grace(run, tester):
    tester.profile("p", {"egress_run": {"grace": 7}})
    assert "grace:     7 seconds" in run("-p", "p", "--dry-run", "true").out
    assert "grace:     9 seconds" in run("-p", "p", "--grace", "9",
                                         "--dry-run", "true").out


# ---- files and working directory --------------------------------------------

def test_grants_are_shown(run, tester):
    (tester.work / "sub").mkdir()
    tester.profile("p", {"filesystem": {"read": ["$HOME/.config"],
                                        "deny": ["/opt"]},
                         "workdir": {"access": "read"}})
    got = run("-p", "p", "--write", "sub", "--read", "/nosuch/thing",
              "--dry-run", "true")
    home = tester.user.home
    assert re.search(rf"^grant: +r +{home}/\.config +\(.*p\.json:", got.out,
                     re.M), got.out
    assert re.search(rf"^grant: +w +{tester.work}/sub +\(--write\)", got.out,
                     re.M), got.out
    assert re.search(rf"^grant: +r +{tester.work} ", got.out, re.M), got.out
    assert re.search(r"^denied: +/opt +\(.*p\.json:", got.out, re.M)
    assert "/nosuch/thing" in got.err and "left out" in got.err


def test_workdir(run, tester):
    other = tester.folder(tester.work / "other")
    tester.folder(tester.work / "other/sub")
    got = run("--workdir", "other", "--read", "other/sub", "--log", "log",
              "sh", "-c", "pwd; echo $PWD; echo $OLDPWD",
              env={"PWD": str(tester.work)})
    assert got.out == f"{other}\n{other}\n{tester.work}\n", got
    assert (tester.work / "log").exists()
    dry = run("--workdir", "other", "--read", "other/sub", "--dry-run", "true")
    assert f"{other}/sub" in dry.out and "left out" not in dry.err
    refused(run("--workdir", "nosuch", "true"), "--workdir 'nosuch'")


@pytest.mark.parametrize("where", ["/", "/usr", None])
def test_workdir_that_is_refused(run, tester, where):
    """Unless an option grants it."""
    tester.profile("p", {"workdir": {"access": "readwrite"}})
    where = where or str(tester.user.home)
    refused(run("-p", "p", "true", cwd=where), where)
    assert run("-p", "p", "--allow-cwd", "true").ok
    assert run("true", cwd=where).ok


def test_created_folders(run, tester):
    """Made below the home folder alone, for the user, before they are granted;
    not by a dry run."""
    tester.profile("p", {"filesystem": {"allow": ["~/.tool/state"]},
                         "egress_run": {"create_folders": ["~/.tool/state"]}})
    state = tester.user.home / ".tool/state"
    args = ["--files", "profile", "-q", "-p", "p"]
    dry = run(*args, "--dry-run", "true")
    assert re.search(rf"^create: +{state}  \(", dry.out, re.M), dry.out
    assert "left out:  ~/.tool" not in dry.out
    assert not state.parent.exists()
    try:
        assert run(*args, "sh", "-c", "echo x >~/.tool/state/file").ok
        assert (state / "file").read_text() == "x\n"
        assert state.stat().st_mode & 0o777 == 0o700
        assert state.owner() == "tester"
        state.rename(state.parent / "moved")
        state.symlink_to(tester.user.home / "nowhere")
        got = run(*args, "true")
        assert got.ok and "leads nowhere" in got.err, got
        assert not (tester.user.home / "nowhere").exists()
    finally:
        shutil.rmtree(state.parent)
    for path in "/var/tool", "~", "~/../x", "~/.tool/../..":
        tester.profile("p", {"egress_run": {"create_folders": [path]}})
        refused(run(*args, "true"), "not below your home folder")
        assert not run("profile", "check", "p").ok


def test_dry_run_tells_what_confines(run, tester):
    tester.profile("p", {"egress_run": {"user_namespaces": True,
                                        "memory": "1G", "share_tmp": True}})
    got = run("--files", "profile", "-p", "p", "--dry-run", "true").out
    assert re.search(r"^isolation: .*no capabilities; seccomp that lets it "
                     r"make namespaces .*Landlock", got, re.M), got
    assert re.search(r"^private: .*/tmp.* are the host's", got, re.M)
    assert re.search(r"^limits: +memory 1G\n +processes none$", got, re.M)
    for name in "passwd", "group", "hostname", "hosts":
        assert f"file:      /etc/{name} is replaced inside by:" in got


# ---- environment and credentials --------------------------------------------

def test_environment(run, tester):
    tester.profile("p", {"environment": {
        "allow_vars": ["PATH", "HOME", "KEEP_*"], "deny_vars": ["KEEP_NOT"],
        "set_vars": {"ADDED": "$HOME/x"}}})
    env = {"KEEP_ME": "1", "KEEP_NOT": "1", "OTHER": "1"}
    got = run("-p", "p", "env", env=env)
    assert f"ADDED={tester.user.home}/x\n" in got.out
    assert "KEEP_ME=1\n" in got.out
    assert "KEEP_NOT" not in got.out and "OTHER" not in got.out
    dry = run("-p", "p", "--dry-run", "env", env=env).out
    assert re.search(r"^variable: +removed OTHER$", dry, re.M)
    assert re.search(r"^variable: +set ADDED=\$HOME/x ", dry, re.M)


def test_loader_variables_are_stripped(run):
    got = run("env", env={"LD_AUDIT_X": "1", "NODE_OPTIONS": "--x",
                          "BASH_ENV": "/x", "KEPT": "1"})
    assert "KEPT=1\n" in got.out
    assert "NODE_OPTIONS" not in got.out and "BASH_ENV" not in got.out


def test_credentials(run, tester):
    """In the command's environment, and nowhere else."""
    secret = "hunter2-hunter2"
    tester.write("work/token", secret + "\n")
    tester.profile("p", {"env_credentials": {
        f"file://{tester.work}/token": "GH_TOKEN", "env://FROM": "TO"}})
    env = {"FROM": "from-value"}
    got = run("-p", "p", "--log", "log", "-vv", "sh", "-c",
              "echo $GH_TOKEN $TO", env=env)
    assert got.out == f"{secret} from-value\n", got
    assert secret not in got.err
    assert secret not in (tester.work / "log").read_text()
    dry = run("-p", "p", "--dry-run", "-vv", "true", env=env)
    assert "GH_TOKEN" in dry.out and secret not in dry.out + dry.err
    assert "from-value" not in dry.out + dry.err
    got = run("--env-credential-map", "env://FROM", "X", "sh", "-c", "echo $X",
              env=env)
    assert got.out == "from-value\n"


def test_credential_that_is_missing(run, tester):
    tester.profile("p", {"env_credentials": {"env://NOT_THERE": "X"}})
    got = run("-p", "p", "sh", "-c", "echo ${X-unset}")
    assert got.out == "unset\n" and "NOT_THERE" in got.err
    got = run("-p", "p", "sh", "-c", "echo ${X-unset}", env={"X": "stale"})
    assert got.out == "unset\n" and "X from" not in got.err, got
    got = run("-p", "p", "--require-credentials", "touch", "ran")
    assert got.rc == 125 and "NOT_THERE" in got.err
    assert not (tester.work / "ran").exists()


@pytest.mark.parametrize("name, reference", [
    ("op", "op://a/b/c"), ("bw", "bw://item")])
def test_planted_program_is_not_asked(run, tester, name, reference):
    """The command may write the working directory."""
    planted = tester.write(f"work/bin/{name}", "#!/bin/sh\ntouch "
                           f"{tester.work}/ran\necho planted\n", mode=0o755)
    tester.profile("p", {"env_credentials": {reference: "X"},
                         "workdir": {"access": "readwrite"}})
    for folder in planted.parent, "bin":
        got = run("-p", "p", "sh", "-c", "echo ${X-unset}",
                  env={"PATH": f"{folder}:/usr/bin:/bin"})
        assert got.out == "unset\n" and str(planted) in got.err, got
    assert not (tester.work / "ran").exists()


# ---- the command ------------------------------------------------------------

def test_blocked_commands(run, tester):
    tester.profile("p", {})
    tester.profile("q", {"commands": {"allow": ["rm"], "deny": ["touch"]}})
    for command in "rm", "/bin/rm":
        got = run("-p", "p", command, "--version")
        refused(run("-p", "p", "-q", command, "x"), "'rm'",
                "dangerous_commands", "--allow-command rm")
        assert got.rc == 125
    assert run("-p", "p", "--allow-command", "rm", "rm", "--version").ok
    assert run("-p", "q", "rm", "--version").ok
    assert run("-p", "p", "sh", "-c", "rm --version").ok
    assert run("rm", "--version").ok
    got = run("-p", "q", "-q", "touch", "ran")
    assert got.rc == 125 and "commands.deny" in got.err
    for args in [], ["--allow-command", "true"], ["-p", "q"]:
        got = run("-q", *args, "--block-command", "true", "true")
        assert got.rc == 125 and "--block-command" in got.err, got
    assert not (tester.work / "ran").exists()


def test_command_of_the_profile(run, tester):
    tester.profile("p", {"binary": "echo", "command_args": ["$HOME", "b"]})
    tester.profile("q", {"packs": ["a/b"], "command_args": ["x"]})
    home = tester.user.home
    assert run("-p", "p").out == f"{home} b\n"
    assert run("-p", "p", "--", "printf", "%s|", "a").out == f"a|{home}|b|"
    assert run("-p", "q", "echo", "a").out == "a\n"
    refused(run("-p", "q"), "no command given", rc=2)
    refused(run("-p", "claude-code"), "no command given", rc=2)


def test_words_that_are_commands(run):
    assert run("run", "echo", "x").out == "x\n"
    assert run("run", "--", "echo", "run").out == "run\n"
    refused(run("run"), "no command given", rc=2)
    got = run("--", "profile")
    assert got.rc == 127, got


# ---- options of nono --------------------------------------------------------

@pytest.mark.parametrize("args, words", [
    (["--rollback"], ["--rollback", "snapshots"]),
    (["--listen-port", "0"], ["--listen-port", "1 to 65535"]),
    (["--open-port", "9-1"], ["--open-port", "FIRST-LAST"]),
    (["--block-net", "--allow-connect-port", "22"], ["contradictory"]),
    (["--credential", "openai"], ["--credential", "--env-credential"]),
    (["--allow-endpoint", "a:GET:/x"], ["--allow-endpoint"]),
    (["--memory", "lots"], ["--memory", "512M"]),
    (["--max-processes", "0"], ["--max-processes"]),
    (["-c", "m.json"], ["--config", "--profile"]),
    (["--no-such"], ["'--no-such'"]),
    (["--allow-domains", "x"], ["--allow-domain?"]),
    (["--block-net", "--allow-net"], ["contradictory"]),
    (["--block-net", "--allow-domain", "a.example"], ["contradictory"]),
    (["--env-credential", "op://a/b/c"], ["--env-credential-map"]),
])
def test_refused_options(run, tester, args, words):
    refused(run(*args, "touch", "ran"), *words, rc=2)
    assert not (tester.work / "ran").exists()


def test_options_that_do_nothing(run):
    args = ["--no-rollback", "--no-audit", "--suppress-save-prompt", "/x",
            "--allow-cwd", "--allow-domain", "allowed.test"]
    assert run(*args, "true").err == ""
    got = run(*args, "-v", "true")
    for word in args[:5]:
        assert word == "/x" or f"{word}: " in got.err, got.err


def test_no_summary(run):
    args = ["--allow-domain", "allowed.test", "curl", "-s", "-m5",
            "http://evil.test/"]
    assert "evil.test" in run(*args).err
    assert run("--no-diagnostics", *args).err == ""


def test_keys_without_effect_are_noted(run, tester):
    tester.profile("p", {"rollback": {"exclude_patterns": ["x"]},
                         "interactive": False, "allow_gpu": None,
                         "network": {"allow_domain": ["allowed.test"]}})
    assert "rollback" not in run("-p", "p", "true").err
    got = run("-p", "p", "-v", "true")
    assert "rollback.exclude_patterns" in got.err, got.err
    assert "interactive" not in got.err
