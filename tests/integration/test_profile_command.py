# SPDX-License-Identifier: GPL-2.0-or-later
"""`egress-run profile`: looks at profiles and runs nothing."""
import json
import os
import re
import stat

import pytest

import lab
from launch_helpers import refused
from profile_helpers import SCHEDAR, Home

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def tester():
    opened = Home("tester")
    yield opened
    opened.remove()


@pytest.fixture
def profile(egress, tester):
    """profile(*args) -> lab.Result of `egress-run profile`, as tester."""
    def runner(*args, **options):
        options.setdefault("cwd", tester.work)
        return egress(["profile", *args], user="tester", **options)
    return runner


# ---- list -------------------------------------------------------------------

def test_list(profile, tester):
    tester.profile("ci", {"meta": {"name": "ci", "description": "mine\u00e9"}})
    tester.profile("other", {}, tool="nono")
    tester.profile("broken", "{")
    got = profile("list")
    assert got.ok and got.err == "", got
    rows = {line.split()[0]: line for line in got.out.splitlines()}
    assert "mine" in rows["ci"] and "\u00e9" not in got.out
    assert "error" in rows["broken"] and "other" in rows
    assert {"schedar", "claude-code", "default"} <= set(rows)
    items = {x["name"]: x for x in json.loads(profile("list", "--json").out)}
    assert set(items) == set(rows)
    assert items["ci"]["description"] == "mine\u00e9"
    assert items["ci"]["file"].startswith(str(tester.config))
    assert items["schedar"]["file"] == str(lab.PROFILES / "schedar.json")
    assert len({items[x]["place"] for x in ("ci", "other", "schedar")}) == 3


# ---- show -------------------------------------------------------------------

def test_show_has_the_origin_of_every_entry(profile, tester):
    path = tester.profile("schedar", SCHEDAR.read_text(), tool="nono")
    got = profile("show", "schedar")
    assert got.ok and got.err == "", got
    lines = SCHEDAR.read_text().splitlines()
    wanted = json.loads(SCHEDAR.read_text())["network"]["allow_domain"]
    for name in wanted:
        found = re.search(rf"^ +{re.escape(name)} +{re.escape(str(path))}:"
                          r"(\d+)$", got.out, re.M)
        assert found and f'"{name}"' in lines[int(found[1]) - 1], name
    assert re.search(r"^ +github_token -> GH_TOKEN +\S+:\d+$", got.out, re.M)
    assert re.search(r"^ +~/\.ssh +\S+groups\.json:\d+, group "
                     "deny_credentials$", got.out, re.M)
    assert re.search(r"^ +readwrite +\S+claude-code\.json:\d+$", got.out,
                     re.M)


def test_show_json(profile, tester):
    path = tester.profile("p", {
        "extends": "base", "meta": {"name": "p \u20ac \U0001f600"},
        "network": {"block": False, "allow_domain": ["a.example"]},
        "filesystem": {"read": ["/x\"\\\n\u007f"]},
        "env_credentials": {"github_token": "GH_TOKEN"},
        "open_urls": {"allow_origins": ["https://a.example"]},
        "rollback": {"exclude_globs": []}})
    base = tester.profile("base", {"network": {"allow_domain": ["b.example"]},
                                   "egress_run": {"grace": 7}})
    got = profile("show", "p", "--json")
    assert got.ok and got.raw.isascii() and b"\x7f" not in got.raw, got
    shown = json.loads(got.out)
    assert shown["name"] == "p \u20ac \U0001f600"
    assert shown["file"] == str(path) and shown["shipped"] is False
    keys = shown["profile"]
    assert [(x["value"], x["origin"].split(":")[0])
            for x in keys["network"]["allow_domain"]] == [
                ("b.example", str(base)), ("a.example", str(path))]
    assert keys["network"]["block"]["value"] is False
    assert keys["egress_run"]["grace"]["value"] == 7
    assert keys["env_credentials"]["github_token"]["value"] == "GH_TOKEN"
    assert "/x\"\\\n\u007f" in [x["value"] for x in keys["filesystem"]["read"]]
    assert any(x.get("group") == "deny_credentials" and x["value"] == "~/.ssh"
               for x in keys["filesystem"]["deny"])
    assert keys["rollback"]["exclude_globs"] == []
    for item in keys["network"]["allow_domain"]:
        line, column = map(int, item["origin"].split(":")[1:])
        text = (base if item["value"] == "b.example" else path).read_text()
        assert text.splitlines()[line - 1][column - 1:].startswith(
            f'"{item["value"]}"')


def test_show_under_others(profile, tester):
    tester.profile("p", {})
    got = profile("show", "--extends", "schedar", "p")
    assert "api.anthropic.com" in got.out
    assert "api.anthropic.com" not in profile("show", "p").out


# ---- check ------------------------------------------------------------------

def test_check(profile, tester):
    good = tester.profile("good", {"network": {"allow_domain": ["*.com"]}})
    bad = tester.profile("bad", '{\n "network": {"allow_domian": []}\n}')
    got = profile("check", good)
    assert got.ok and got.out.startswith(f"{good}: valid\n"), got
    got = profile("check", "good", bad)
    assert got.rc == 1 and got.out.startswith("good: valid\n"), got
    assert f"{bad}:2:" in got.err and "allow_domain" in got.err
    rows = json.loads(profile("check", "--json", good, bad).out)
    assert [x["valid"] for x in rows] == [True, False]
    assert f"{bad}:2:" in rows[1]["error"] and rows[1]["warnings"] == []
    assert "error" not in rows[0]


def test_check_every_shipped_profile(profile):
    for path in sorted(lab.PROFILES.glob("*.json")):
        got = profile("check", path.stem)
        assert got.ok and got.out == f"{path.stem}: valid\n", got


@pytest.mark.parametrize("content, word", [
    ({"network": {"allow_domain": ["a b"]}}, "a b"),
    ({"network": {"network_profile": "nosuch"}}, "nosuch"),
    ({"network": {"upstream_proxy": "http://p:1"}}, "HOST:PORT"),
    ({"network": {"block": True, "allow_domain": ["a.example"]}}, "contrad"),
    ({"egress_run": {"allow_domain_file": ["/nosuch"]}}, "/nosuch"),
    ({"egress_run": {"allow_address": ["10.0.0.1/8"]}}, "10.0.0.1/8"),
    ({"egress_run": {"grace": 99999}}, "grace"),
    ({"egress_run": {"memory": "lots"}}, "512M"),
    ({"egress_run": {"memory": "0"}}, "512M"),
    ({"env_credentials": {"x": "PATH"}}, "PATH"),
    ({"environment": {"set_vars": {"NONO_X": "x"}}}, "reserved"),
    ({"environment": {"set_vars": {"1A": "x"}}}, "1A"),
    ({"environment": {"set_vars": {"PATH": "/x"}}}, "PATH"),
    ({"filesystem": {"read_file": ["/etc"]}}, "/etc"),
    ({"filesystem": {"read": ["/a*/b?"]}}, "a*/b?"),
    ({"extends": "p"}, "p"),
])
def test_check_finds_what_a_run_refuses(profile, egress, tester, content,
                                        word):
    path = tester.profile("p", content)
    got = profile("check", path)
    assert got.rc == 1 and got.out == "" and word in got.err, got
    reason = got.err.split("not valid: ", 1)[1]
    refused(egress(["-p", path, "true"], user="tester", cwd=tester.work),
            reason)


# ---- diff -------------------------------------------------------------------

def test_diff(profile, tester):
    a = tester.profile("a", {"meta": {"name": "x"}, "network": {
        "allow_domain": ["one.example", "two.example"]}})
    b = tester.profile("b", {"network": {
        "allow_domain": ["two.example", "three.example"]},
        "workdir": {"access": "read"}})
    got = profile("diff", "a", "b")
    assert got.rc == 1 and got.err == "", got
    assert [x.split("  (")[0] for x in got.out.splitlines()] == [
        "network.allow_domain", "- one.example", "+ three.example",
        "workdir.access", "- none", "+ read"], got.out
    assert f"({a}:" in got.out and f"({b}:" in got.out
    changes = json.loads(profile("diff", "--json", "a", "b").out)["changes"]
    domains = changes["network.allow_domain"]
    assert [x["value"] for x in domains["removed"]] == ["one.example"]
    assert [x["value"] for x in domains["added"]] == ["three.example"]
    same = profile("diff", "a", str(a))
    assert same.rc == 0 and same.out == ""
    trouble = profile("diff", "a", "nosuch")
    refused(trouble, "nosuch", rc=2)


# ---- init -------------------------------------------------------------------

def test_init(profile, egress, tester):
    old = os.umask(0)
    try:
        got = profile("init", "new", "--extends", "schedar,ci")
    finally:
        os.umask(old)
    path = tester.config / "egress-run/profiles/new.json"
    assert got.ok and got.out == f"{path}\n" and got.err == "", got
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert profile("check", "new").out == "new: valid\n"
    assert "api.anthropic.com" in profile("show", "new").out
    before = path.read_text()
    refused(profile("init", "new"), str(path), rc=1)
    assert path.read_text() == before
    assert egress(["-p", "new", "true"], user="tester", cwd=tester.work).ok


def test_init_refuses(profile, tester):
    for name in "", "-x", "a/b", "../x", "a.json":
        got = profile("init", "--", name) if name else profile("init", name)
        assert got.rc in (1, 2) and got.out == "", got
    refused(profile("init", "new", "--extends", "nosuch"), "nosuch", rc=1)
    tester.write(".config/egress-run/profiles/other.jsonc", "{}")
    refused(profile("init", "other"), "other.jsonc", rc=1)
    assert not (tester.config / "egress-run/profiles/new.json").exists()


# ---- usage ------------------------------------------------------------------

def test_help(profile):
    got = profile("--help")
    assert got.ok and "profile show" in got.out and got.err == ""
    assert profile("show", "-h").out == got.out
    bare = profile()
    assert bare.rc == 2 and bare.out == got.out


@pytest.mark.parametrize("args, words", [
    (["nosuch"], ["profile nosuch", "egress-run -- profile"]),
    (["show"], ["profile show NAME"]),
    (["show", "a", "b"], ["profile show NAME"]),
    (["diff", "a"], ["profile diff A B"]),
    (["list", "x"], ["profile list"]),
    (["init", "--json", "x"], ["--json"]),
    (["list", "--extends", "x"], ["--extends"]),
    (["show", "--nosuch", "x"], ["'--nosuch'"]),
])
def test_wrong_usage(profile, args, words):
    refused(profile(*args), *words, rc=2)


def test_not_found(profile):
    refused(profile("show", "nosuch"), "nosuch", rc=1)


def test_full_disk(profile, host):
    for args in ["list"], ["show", "ci"], ["show", "--json", "ci"], \
            ["--help"]:
        got = host(["sh", "-c", 'exec "$@" >/dev/full', "sh", lab.EGRESS_RUN,
                    "profile", *args], user="tester")
        assert got.rc != 0 and "standard output" in got.err, got
