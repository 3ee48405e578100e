# SPDX-License-Identifier: GPL-2.0-or-later
"""The environment that the command gets: what is inherited, what a profile
filters and adds, and what a change of user takes away."""
import json
import os
import tempfile
import pathlib

import pytest

import lab
from launch_helpers import refused

E = lab.EGRESS_RUN
pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def profile():
    """profile(**sections) writes a profile that everybody can read and nobody
    else can write; gives its path."""
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as folder:
        os.chmod(folder, 0o755)
        path = pathlib.Path(folder) / "test.json"

        def write(**sections):
            path.write_text(json.dumps(sections))
            return path
        yield write


def variables(result):
    assert result.ok, result
    return dict(line.split("=", 1) for line in result.out.split("\0") if line)


def env_of(egress, *args, **options):
    return variables(egress([*args, "env", "-0"], **options))


def test_inherited_whole(egress, host, who):
    """But for what could load code: the same as without egress-run."""
    given = {"SOME": "a=b\n\x1b \u00fc", "EMPTY": "", "LD_DEBUG_OUTPUT": "x",
             "NODE_OPTIONS": "--version", "BASH_ENV": "/x", "IFS": "x",
             "OP_SESSION_x": "y", "PYTHONPATH": "/x"}
    alone = variables(host(["env", "-0"], user=who, env=given))
    assert given.items() <= alone.items()
    inside = env_of(egress, user=who, env=given)
    gone = set(given) - {"SOME", "EMPTY"}
    assert inside == {k: v for k, v in alone.items() if k not in gone}


def test_profile_filters_and_adds(egress, profile, who):
    path = profile(environment={
        "allow_vars": ["HOME", "KEEP_*", "LD_PRELOAD"],
        "deny_vars": ["KEEP_OUT*"],
        "set_vars": {"ADDED": "$HOME/x", "KEEP_OUT": "set"}})
    got = env_of(egress, "--profile", path, user=who, env={
        "KEEP_IN": "1", "KEEP_OUT": "2", "KEEP_OUTER": "3", "OTHER": "4",
        "LD_PRELOAD": "/nonexistent.so"})
    home = str(lab.USERS[who].home)
    assert got == {"HOME": home, "KEEP_IN": "1", "ADDED": f"{home}/x",
                   "KEEP_OUT": "set"}


def test_nothing_inherited(egress, profile, who):
    """The command is found all the same, by the PATH of egress-run."""
    path = profile(environment={"allow_vars": []})
    assert env_of(egress, "--profile", path, user=who) == {}
    for name, status in ("nosuch", 127), ("/etc/passwd", 126):
        assert egress(["--profile", path, name], user=who).rc == status


def test_bad_pattern_is_a_warning(egress, profile):
    path = profile(environment={"deny_vars": ["A*B", "GONE"]})
    got = egress(["--profile", path, "env", "-0"], user="tester",
                 env={"AXB": "1", "GONE": "1"})
    assert "AXB" in variables(got) and "GONE" not in variables(got)
    assert "'A*B' is ignored" in got.err and "test.json:1:" in got.err


@pytest.mark.parametrize("name", ["PATH", "NONO_X", "EGRESS_RUN_PROFILE",
                                  "1A", "A=B"])
def test_set_vars_refuses(egress, profile, share, name):
    path = profile(environment={"set_vars": {name: "x"}})
    refused(egress(["--profile", path, "touch", "ran"], user="tester",
                   cwd=share), "test.json:1:", f"'{name}'")
    assert not (share / "ran").exists()


def test_pwd_follows_workdir(egress, share, who):
    """A shell believes PWD, and cd - goes back."""
    (share / "here").mkdir(mode=0o777)
    script = ["/usr/bin/env", "-0"]
    args = ["--workdir", share / "here", *script]
    got = variables(egress(args, user=who, cwd=share, env={"PWD": str(share)}))
    assert (got["PWD"], got["OLDPWD"]) == (f"{share}/here", str(share))
    got = variables(egress(script, user=who, cwd=share,
                           env={"PWD": str(share)}))
    assert got["PWD"] == str(share) and "OLDPWD" not in got


def test_another_user_has_another_session(egress, host):
    """Sockets and folders of root are of no use to tester, and might be
    root's secrets."""
    session = {"XDG_RUNTIME_DIR": "/run/user/0", "XDG_CONFIG_HOME": "/root/x",
               "XDG_SESSION_ID": "1", "XDG_": "odd",
               "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/bus",
               "NOT_XDG_X": "kept"}
    got = env_of(egress, "--user", "tester", env=session)
    assert {k: v for k, v in got.items() if k in session} == {
        "NOT_XDG_X": "kept"}
    # The bus is hidden, so its address is no use.
    del session["DBUS_SESSION_BUS_ADDRESS"]
    assert session.items() <= env_of(
        egress, env={**session, "XDG_CONFIG_HOME": "/root/x"}).items()
