# SPDX-License-Identifier: GPL-2.0-or-later
"""The manuals and README against the program and the data beside it. Options
and keys are held against their tables by the unit tests test_options and
test_manual."""
import json
import re
import shlex

import pytest

import lab

DOCS = lab.TREE / "docs"
POLICY = lab.TREE / "profiles/policy"
RUN = (DOCS / "egress-run.1").read_text()
PROFILE = (DOCS / "egress-run-profile.5").read_text()
README = (lab.TREE / "README.md").read_text()


def section(page, name):
    return re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", page,
                     re.M | re.S)[1]


def literals(text):
    """What stands between .Bd -literal and .Ed, as a reader sees it."""
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text, re.M | re.S)
    return [block.replace("\\e", "\\") for block in blocks]


def items(text):
    """Heads of list items, each a list of its words: '.It Cm a , b'."""
    return [re.findall(r"[\w-]+", head)
            for head in re.findall(r"^\.It Cm (.*)$", text, re.M)]


def groups():
    return json.loads((POLICY / "groups.json").read_text())


@pytest.fixture(name="home")
def fixture_home(share):
    """An environment in which nothing is set, and a home folder that nobody
    else may write to."""
    share.chmod(0o755)
    return {"HOME": str(share), "XDG_CONFIG_HOME": None,
            "EGRESS_RUN_PROFILE": None}


# ---- what is in the data files ----------------------------------------------

def test_groups():
    text = section(PROFILE, "GROUPS")
    every = groups()
    macos = {name for name, group in every.items()
             if set(group) <= {"description", "required"}}
    named = dict.fromkeys(head[0] for head in items(text))
    assert set(named) == set(every) - macos
    tail = text[text.index("empty on Linux"):]
    assert {word for line in re.findall(r"^\.Cm (.*)$", tail, re.M)
            for word in re.findall(r"\w+", line)} == macos
    starred = set(re.findall(r"^\.It Cm (\S+) \*$", text, re.M))
    assert starred == {name for name, group in every.items()
                       if group.get("required")} - macos
    default = json.loads((lab.TREE / "profiles/default.json").read_text())
    assert list(named)[:len(default["groups"]["include"])] == \
        default["groups"]["include"]


def test_networks():
    networks = json.loads((POLICY / "networks.json").read_text())
    text = section(PROFILE, "NETWORK")
    start = text.index("Network groups:")
    end = text.index("Network profiles,")
    found = {name: " ".join(re.findall(r"^\.Li (.*)$", body, re.M))
             .replace(",", " ").split()
             for name, body in re.findall(r"^\.It Cm (\w+)\n((?:\.Li .*\n)+)",
                                          text[start:end], re.M)}
    assert found == networks["groups"]
    seen = {}
    for heads, body in re.findall(r"^\.It Cm (.*)\n((?:(?!\.It|\.El).*\n)+)",
                                  text[end:], re.M):
        members = re.findall(r"\w+", body.replace(".Cm", ""))
        seen.update((name, members)
                    for name in re.findall(r"[\w-]+", heads))
    assert seen == networks["profiles"]


def test_shipped_profiles(egress, home):
    """The table in the manual is what `profile list` shows."""
    got = egress(["profile", "list", "--json"], env=home)
    assert got.ok, got
    shipped = {row["name"] for row in json.loads(got.out)}
    text = section(PROFILE, "SHIPPED PROFILES")
    assert {name for head in items(text) for name in head} == shipped


# ---- what people copy -------------------------------------------------------

EXAMPLES = [text for text in literals(section(PROFILE, "EXAMPLES"))
            if text.startswith("{")]


@pytest.mark.parametrize("text", EXAMPLES)
def test_example_profiles(egress, home, share, text):
    path = share / "example.json"
    path.write_text(text)
    got = egress(["profile", "check", path], env=home)
    assert got.ok and "warning" not in got.out + got.err, got
    path.write_text(text.replace('": ', '_": ', 1))  # the control
    assert egress(["profile", "check", path], env=home).rc == 1


def commands(text):
    """Command lines of the program; comments and continued lines undone."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    words = [shlex.split(line.strip().removeprefix("$ "), comments=True)
             for line in lines if re.match(r"\s*(\$ )?egress-run ", line)]
    return [line[1:] for line in words if "..." not in line]


def try_commands(egress, home, share, lines):
    """In order, as a reader would; runs as dry ones, of true."""
    for line in lines:
        if line[0] != "profile":
            assert "--" in line or line[0].startswith("-"), line
            line = ["--dry-run", *line]
        got = egress(line, env=home, cwd=share)
        assert got.ok, (line, got.out, got.err)


def test_readme(egress, home, share):
    (share / "src").mkdir()
    lines = [line for block in re.findall(r"(?:^    .*\n)+", README, re.M)
             for line in commands(block)]
    assert len(lines) > 8
    assert any(line[:2] == ["profile", "init"] for line in lines)
    try_commands(egress, home, share / "src", lines)


def test_examples_of_the_manual(egress, home, share):
    (share / "src").mkdir()
    text = "".join(literals(section(RUN, "EXAMPLES")))
    lines = commands(text)
    assert len(lines) > 5
    try_commands(egress, home, share / "src", lines)


# ---- options of nono --------------------------------------------------------

def listed(start, end):
    text = section(RUN, "OPTIONS OF NONO")
    part = text[text.index(start):text.index(end) if end else None]
    return ["-" + word for line in re.findall(r"^\.Fl (.*)$", part, re.M)
            for word in re.findall(r"-[\w-]+", line) if len(word) > 2]


IGNORED = listed("Accepted", "Refused")
REFUSED = listed("Refused", None)
VALUES = ["--skip-dir", "--startup-timeout", "--suppress-save-prompt",
          "--ignore-denied", "--theme"]


@pytest.mark.parametrize("option", sorted(set(IGNORED) - {"-v"}))
def test_accepted_options(egress, home, share, option):
    """They change nothing, and -v says so."""
    words = [option, "x"] if option in VALUES else [option]
    plain = egress(["--dry-run", "true"], env=home, cwd=share)
    got = egress([*words, "--dry-run", "true"], env=home, cwd=share)
    assert got.ok and (got.out, got.err) == (plain.out, plain.err)
    assert option in egress(["-v", *words, "--dry-run", "true"], env=home,
                            cwd=share).err


@pytest.mark.parametrize("option", REFUSED)
def test_refused_options(egress, home, share, option):
    got = egress([option, "x", "--dry-run", "true"], env=home, cwd=share)
    assert got.rc == 2 and got.err.count("\n") == 1, got
    assert option in got.err and "unknown" not in got.err


def test_no_option_of_nono_is_missing():
    """Every row of the table that --help leaves out is in the manual."""
    source = (lab.TREE / "launcher/flags.c").read_text()
    table = source[source.index("run_flags[]"):source.index("profile_flags[]")]
    text = section(RUN, "OPTIONS OF NONO")
    for kind, seen in ("IGNORED", IGNORED), ("REFUSED", REFUSED):
        names = re.findall(rf'{kind}\(\s*"([\w-]+)"', table) + \
            re.findall(rf'\{{ "([\w-]+)",[^}}]*FLAG_{kind}', table)
        assert len(names) > 5
        assert set(seen) == {f"--{name}" for name in names} - {"--allow-cwd"}
    aliases = re.findall(r'ALIAS\(\s*"([\w-]+)"', table)
    assert aliases
    for name in [*aliases, "silent", "net-block"]:
        assert re.search(rf"(Fl |, )-{name}( |$)", text, re.M), name
