# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine lacks is told by `egress-run doctor`, and a run says the same:
it refuses, and goes on with --allow-degraded only where something else still
holds the command.

The lack is real: a seccomp filter, a setting, a chroot or a mount around the
program, as in a container or with an older kernel.
"""
import errno
import json
import os
import platform
import resource

import pytest

import lab
from launch_helpers import client, refused
from test_launch import as_user, chroot, nested  # noqa: F401

pytestmark = pytest.mark.usefixtures("egress")
E = lab.EGRESS_RUN
STATES = {"ok", "note", "degraded", "missing", "untried"}
# System calls with the same number everywhere.
CALLS = {"clone3": 435, "close_range": 436, "fsopen": 430, "mount_setattr": 442,
         "landlock_create_ruleset": 444, "landlock_restrict_self": 446,
         "pidfd_open": 434}


def deny(call, error):
    """A command prefix under which that system call fails."""
    return [client("deny_syscall"), str(CALLS[call]),
            str(getattr(errno, error))]


def rows(out):
    """The lines of the text: {measure: (state, rest)}."""
    found = {}
    for line in out.splitlines()[:-1]:
        state, name, rest = line[:9].strip(), line[10:23].strip(), line[24:]
        assert state in STATES and name and name not in found, line
        found[name] = (state, rest)
    return found


def doctor(prefix, who, rc, run=lab.host):
    """Its rows, read twice: as text and as JSON, which must agree."""
    text = run([*prefix, E, "doctor"], user=who)
    assert text.rc == rc and text.err == "", text
    found = rows(text.out)
    assert text.out.splitlines()[-1] == [
        "runs work in full", "runs need --allow-degraded",
        "no run is possible"][rc]
    got = run([*prefix, E, "doctor", "--json"], user=who)
    assert got.rc == rc and got.err == "", got
    told = json.loads(got.out)
    assert told["result"] == ["full", "degraded", "impossible"][rc]
    assert told["kernel"] == platform.release()
    assert list(found) == [x["measure"] for x in told["measures"]]
    for row in told["measures"]:
        state, rest = found[row["measure"]]
        assert state == row["state"]
        assert rest == "; ".join(row[key] for key in (
            "what", "consequence", "remedy") if key in row)
    return found


def ran(got, share):
    """It did, with one warning."""
    assert got.ok and got.err.count("\n") == 1, got
    assert got.err.startswith("egress-run: warning: degraded: "), got.err
    os.unlink(share / "ran")
    return got.err


def test_here(who, far):
    """This machine has it all, or these tests would not run. Nothing is sent,
    and nothing is left."""
    before = lab.residue()
    found = doctor([], who, 0)
    lab.wait_clean(before)
    assert {state for state, _ in found.values()} <= {"ok", "note"}
    assert found["resolvers"] == ("ok", "192.0.2.53")
    assert far.wire() == [] and far.dns() == []


def test_manual(egress):
    """Names each part."""
    page = (lab.TREE / "docs/egress-run.1").read_text()
    text = page[page.index(".Sh DOCTOR"):page.index(".Sh DEGRADED")]
    for name in rows(egress(["doctor"]).out):
        assert f" {name} " in text or f" {name}\n" in text, name


def test_without_terminal_and_descriptors(host, who):
    got = host(["sh", "-c", 'exec setsid "$@" <&- 2>&-', "sh", E, "doctor"],
               user=who)
    assert got.ok and got.out.endswith("runs work in full\n"), got


@pytest.mark.parametrize("args, rc", [
    (["--help"], 0), (["-h"], 0), (["--nosuch"], 2), (["extra"], 2),
    (["--user"], 2), (["--user", "nosuch"], 125)])
def test_usage(egress, args, rc):
    got = egress(["doctor", *args])
    assert got.rc == rc and (got.out != "") == (rc == 0), got
    assert got.err.count("\n") == (rc != 0)
    # Behind -- it is a command like any other.
    assert egress(["--", "doctor", *args]).rc == 127


def test_full_disk(host):
    for args in ["doctor"], ["doctor", "--json"], ["doctor", "--help"]:
        refused(host(["sh", "-c", 'exec "$@" >/dev/full', "sh", E, *args]),
                "standard output")


def test_of_another_user(egress):
    """As root the user id 3000 has a limit of processes, root has none."""
    limits = {x["measure"]: x for x in json.loads(egress(
        ["doctor", "--json", "--user", "tester"]).out)["measures"]}["limits"]
    assert "--max-processes" not in limits.get("consequence", ""), limits


# ---- Landlock ---------------------------------------------------------------

@pytest.mark.parametrize("error, cause, remedy", [
    ("ENOSYS", "built without Landlock", "5.19"),
    ("EOPNOTSUPP", "not enabled", "lsm="),
    ("EPERM", "forbidden", "seccomp=unconfined")])
def test_no_landlock(host, share, who, error, cause, remedy):
    prefix = deny("landlock_create_ruleset", error)
    state, text = doctor(prefix, who, 1)["Landlock"]
    assert state == "degraded" and cause in text and remedy in text, text
    assert "mounts alone" in text
    got = host([*prefix, E, "touch", "ran"], user=who, cwd=share)
    refused(got, "Landlock: ", cause, "mounts alone", remedy,
            "--allow-degraded")
    assert not (share / "ran").exists()
    got = host([*prefix, E, "--allow-degraded", "touch", "ran"], user=who,
               cwd=share)
    assert cause in ran(got, share)


def test_landlock_that_cannot_be_applied(host, share, who):
    """Something broken is no older kernel."""
    prefix = deny("landlock_restrict_self", "E2BIG")
    assert doctor(prefix, who, 2)["Landlock"][0] == "missing"
    for more in [], ["--allow-degraded"]:
        got = host([*prefix, E, *more, "touch", "ran"], user=who, cwd=share)
        # Each helper says it of itself.
        assert got.rc == 125 and "too many sandboxes" in got.err, got
        assert not (share / "ran").exists()


# What renames between folders need, as git and npm do.
RENAME = "mkdir -p a b; echo text >a/f; mv a/f b/f; ln b/f a/g; cat b/f a/g"


@pytest.mark.parametrize("abi, kernel", [(1, "5.15"), (2, "6.1"), (3, "6.2"),
                                         (4, "6.8"), (6, "6.12")])
def test_older_landlock(host, share, who, abi, kernel):
    """Ubuntu 22.04 has the first version, Debian 12 the second: without the
    one, and with the other, programs do what they do outside."""
    prefix = [client("old_landlock"), abi]
    state, text = doctor(prefix, who, int(abi == 1))["Landlock"]
    run = [*prefix, E, "--files", "profile", "--allow", share]
    script = ["sh", "-ec", RENAME + "; touch ran"]
    if abi == 1:
        assert state == "degraded" and "rename" in text and "5.19" in text
        refused(host([*run, *script], user=who, cwd=share), "Landlock",
                "ABI 1", "5.19", "--allow-degraded")
        assert not (share / "ran").exists()
        got = host([*run, "--allow-degraded", *script], user=who, cwd=share)
        assert "ABI 1" in ran(got, share)
    else:
        assert state == "note" and f"ABI {abi}" in text, (kernel, text)
        for since, word in (3, "truncation"), (4, "TCP"), (5, "devices"), \
                (6, "signals"), (9, "sockets by path"):
            assert (word in text) == (abi < since), text
        got = host([*run, *script], user=who, cwd=share)
        assert got.ok and got.err == "", got
    assert got.out == "text\ntext\n"


@pytest.mark.parametrize("abi", [1, 2])
def test_what_the_view_holds(host, share, who, abi):
    """Without Landlock, or with one that does not know of truncation, a file
    that may be read is not written, and one that is not granted is not
    there."""
    (share / "read").mkdir()
    (share / "read/f").write_text("text")
    (share / "other").write_text("text")
    for path in share / "read", share / "read/f", share / "other":
        os.chmod(path, 0o777)
    script = "truncate -s 0 read/f; echo x >read/f; mv read/f read/g; " \
        "rm -f read/f; cat other; chmod 700 read/f; cat read/f"
    (share / "work").mkdir()
    got = host([client("old_landlock"), abi, E, "--files", "profile",
                "--allow-degraded", "--read", share / "read", "--workdir",
                share / "work", "sh", "-c", f"cd {share}; {script}"],
               user=who, cwd=share)
    assert got.out == "text", got
    assert (share / "read/f").read_text() == "text"
    assert oct((share / "read/f").stat().st_mode)[-3:] == "777"
    assert host(["sh", "-c", f"cd {share}; truncate -s 0 read/f"],
                user=who).ok  # the control
    assert (share / "read/f").read_text() == ""


# ---- what nothing makes up for ----------------------------------------------

@pytest.mark.parametrize("call, error, measure, words", [
    ("clone3", "EPERM", "namespaces", ["seccomp=unconfined"]),
    ("clone3", "ENOSYS", "namespaces", ["seccomp=unconfined"]),
    ("mount_setattr", "ENOSYS", "mounts", ["5.12"]),
    ("mount_setattr", "EPERM", "mounts", ["seccomp=unconfined"]),
    ("fsopen", "ENOSYS", "mounts", ["5.12"]),
    ("close_range", "ENOSYS", "descriptors", ["close_range"]),
    ("close_range", "EPERM", "descriptors", ["close_range"]),
    ("pidfd_open", "ENOSYS", "descriptors", ["pidfd_open"])])
def test_missing_call(host, share, who, call, error, measure, words):
    prefix = deny(call, error)
    found = doctor(prefix, who, 2)
    state, text = found[measure]
    assert state == "missing" and "no run is possible" in text, text
    assert all(word in text for word in words), text
    # And nothing else is blamed.
    assert [x for x in found if found[x][0] == "missing"] == [measure]
    for more in [], ["--allow-degraded"]:
        got = host([*prefix, E, *more, "touch", "ran"], user=who, cwd=share)
        refused(got, *words)
        assert not (share / "ran").exists()


@pytest.mark.parametrize("kind", ["user", "net", "pid"])
def test_namespaces_off(host, share, who, kind):
    limit = f"max_{kind}_namespaces"
    prefix = [*nested(who), limit]
    doctor([*nested(who), "-"], who, 0)
    found = doctor(prefix, who, 2)
    assert f"user.{limit} is 0" in found["namespaces"][1]
    assert "sysctl -w" in found["namespaces"][1]
    assert found["nftables"][0] == "untried"
    got = host([*prefix, E, "--allow-degraded", "touch", "ran"], user=who,
               cwd=share)
    refused(got, f"user.{limit}")
    assert not (share / "ran").exists()


def test_chroot(chroot, share, who):  # noqa: F811
    found = doctor([], who, 2, lambda words, user: chroot(user, *words))
    assert found["namespaces"][0] == "missing"
    assert "chroot" in found["namespaces"][1], found
    refused(chroot(who, E, "--allow-degraded", "touch", share / "ran"),
            "chroot")
    assert not (share / "ran").exists()


def covered(who, part):
    """A prefix: as in a container that hides a part of /proc."""
    script = "awk '/ - proc /{print $5}' /proc/self/mountinfo | sort -u | " \
        f'while read p; do mount -t tmpfs none "$p/{part}"; done; exec "$@"'
    return lambda words, user: lab.host(
        ["unshare", "-m", "sh", "-ec", script, "sh", *as_user(who, *words)])


def test_covered_proc(share, who):
    inside = covered(who, "irq")
    found = doctor([], who, 2, inside)
    state, text = found["/proc"]
    assert state == "missing" and "systempaths=unconfined" in text, text
    assert found["namespaces"][0] == "ok"
    refused(inside([E, "--allow-degraded", "touch", share / "ran"], who),
            "/proc", "systempaths=unconfined")
    assert not (share / "ran").exists()


# ---- limits -----------------------------------------------------------------

def without_cgroup(who, *words):
    """As where none is delegated: the folder cannot be written."""
    return lab.host(
        ["unshare", "-m", "sh", "-ec", "mount -t tmpfs -o ro none "
         '/sys/fs/cgroup; exec "$@"', "sh", *as_user(who, *words)],
        cwd=lab.USERS[who].home, env={"HOME": str(lab.USERS[who].home)})


def test_limit_of_processes(share, who):
    """Root has no other limit; a user has."""
    found = doctor([], who, 0, lambda words, user: without_cgroup(user, *words))
    state, text = found["limits"]
    assert state == "note" and "cgroup" in text and "systemd-run" in text
    assert ("--allow-degraded" in text) == (who == "root")
    run = [E, "--max-processes", "20"]
    got = without_cgroup(who, *run, "touch", share / "ran")
    if who == "root":
        refused(got, "number of processes", "systemd-run", "--allow-degraded")
        assert not (share / "ran").exists()
        got = without_cgroup(who, *run, "--allow-degraded", "touch",
                             share / "ran")
        assert "processes" in ran(got, share)
    else:
        assert got.ok and got.err == "", got


def test_limit_of_memory(share, who):
    """Of each process alone, which a line says: not what was meant."""
    got = without_cgroup(who, E, "--memory", "4G", "touch", share / "ran")
    assert got.ok and "for each process alone" in got.err, got
    assert (share / "ran").exists()


# ---- watches ----------------------------------------------------------------

def test_no_watches(host, share, who):
    """Of what is hidden: another file in its place would be seen."""
    prefix = [*nested(who), "max_inotify_watches"]
    state, text = doctor(prefix, who, 1)["watches"]
    assert state == "degraded" and "max_user_watches" in text, text
    got = host([*prefix, E, "touch", "ran"], user=who, cwd=share)
    refused(got, "hidden place", "max_user_watches", "--allow-degraded")
    assert not (share / "ran").exists()
    got = host([*prefix, E, "--allow-degraded", "touch", "ran"], user=who,
               cwd=share)
    assert "hidden place" in ran(got, share)


def test_no_inotify(host, share, who):
    prefix = [*nested(who), "max_inotify_instances"]
    state, text = doctor(prefix, who, 2)["watches"]
    assert state == "missing" and "max_user_instances" in text, text
    got = host([*prefix, E, "--allow-degraded", "touch", "ran"], user=who,
               cwd=share)
    refused(got, "inotify")
    assert not (share / "ran").exists()


# ---- core dumps -------------------------------------------------------------

def with_core_pattern(who, pattern, hard, share, *words):
    """In a mount namespace where /proc says so. Another proc is in full view,
    so that a fresh one can be mounted."""
    (share / "pattern").write_text(pattern + "\n")
    script = 'mkdir -p $1/proc; mount -t proc proc $1/proc; mount --bind ' \
        '$1/pattern /proc/sys/kernel/core_pattern; ulimit -Hc "$2"; shift 2;' \
        ' exec "$@"'
    return lab.host(["unshare", "-m", "sh", "-ec", script, "sh", share, hard,
                     *as_user(who, *words)])


def test_core_dumps(share, who):
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("the hard limit of core files is 0 here")

    def look(pattern, hard, rc):
        return doctor([], who, rc, lambda words, user: with_core_pattern(
            user, pattern, hard, share, *words))["core dumps"]
    handler = "|/usr/lib/systemd/systemd-coredump %P"
    assert look("core", "0", 0)[0] == "ok"
    assert look(handler, "1", 0)[0] == "note"
    state, text = look(handler, "0", 1)
    assert state == "degraded" and "systemd-coredump" in text, text
    assert "kernel.core_pattern" in text
    run = who, handler, "0", share, E
    refused(with_core_pattern(*run, "touch", share / "ran"), "core dumps",
            "systemd-coredump", "limits.conf", "--allow-degraded")
    assert not (share / "ran").exists()
    got = with_core_pattern(*run, "--allow-degraded", "touch", share / "ran")
    assert "core dumps" in ran(got, share)


# ---- profiles, resolvers ----------------------------------------------------

def test_profile_of_somebody_else(egress, who, share):
    folder = share / "egress-run/profiles"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text('{"meta": {"name": "mine"}}')
    os.chmod(folder / "mine.json", 0o666)
    got = egress(["doctor"], user=who, env={"XDG_CONFIG_HOME": str(share)})
    state, text = rows(got.out)["profiles"]
    assert got.ok and state == "note", got
    assert "mine.json" in text and "chmod" in text


def test_resolvers(egress, etc, who):
    etc("resolv.conf", "# none\n")
    got = egress(["doctor"], user=who)
    assert rows(got.out)["resolvers"][0] == "note", got
    etc("resolv.conf", "search test\nnameserver 192.0.2.53\n"
        "nameserver 2001:db8::53\n")
    got = egress(["doctor"], user=who)
    assert rows(got.out)["resolvers"] == ("ok", "192.0.2.53, 2001:db8::53")


def test_option_changes_nothing_else(egress, who):
    """Where nothing is missing it is silent."""
    got = egress(["--allow-degraded", "grep", "-E",
                  "^(Seccomp|NoNewPrivs):", "/proc/self/status"], user=who)
    assert got.out == "NoNewPrivs:\t1\nSeccomp:\t2\n" and got.err == "", got
