# SPDX-License-Identifier: GPL-2.0-or-later
"""Who the command runs as, what it inherits, and how a start is refused.

A start that is refused is one line on stderr, nothing on stdout, status 125
(2 for wrong usage), and the command did not run.
"""
import os
import re
import stat

import pytest

import lab
from launch_helpers import client, refused

pytestmark = pytest.mark.usefixtures("egress")
E = lab.EGRESS_RUN
DANGEROUS = ["docker", "lxd", "libvirt", "disk", "sudo", "wheel"]
IDS = "id -u; id -g"


def as_user(user, *command):
    """A command line with which root becomes that user."""
    who = lab.USERS[user]
    return ["setpriv", f"--reuid={who.uid}", f"--regid={who.gid}",
            f"--groups={','.join(map(str, who.groups))}", "--", *command]


# ---- who it runs as ---------------------------------------------------------

def test_runs_as_its_caller(egress, who):
    """Root of a container stays root; nobody keeps a capability."""
    user = lab.USERS[who]
    got = egress(["sh", "-c", f"{IDS}; echo $HOME $USER; "
                  "grep -E '^(Cap|NoNew)' /proc/self/status"], user=who)
    assert got.out.splitlines() == [
        str(user.uid), str(user.gid), f"{user.home} {who}",
        *(f"Cap{x}:\t{0:016x}" for x in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
        "NoNewPrivs:\t1"], got


def test_sudo_becomes_the_caller(egress, host, share):
    script = f"{IDS}; pwd; echo $HOME $USER $LOGNAME $SHELL; env; touch made"
    args = ["sh", "-c", script]
    control = host(["sudo", *args], user="tester", cwd=share)
    assert control.out.startswith("0\n0\n") and "SUDO_UID=3000" in control.out
    os.unlink(share / "made")
    got = host(["sudo", E, "--files", "host", *args], user="tester", cwd=share)
    home = lab.USERS["tester"].home
    assert got.out.splitlines()[:4] == [
        "3000", "3000", str(share), f"{home} tester tester /bin/bash"], got
    assert "SUDO_" not in got.out and got.err == ""
    made = os.stat(share / "made")
    assert (made.st_uid, made.st_gid) == (3000, 3000)


@pytest.mark.parametrize("how", ["sudo", "--user"])
def test_groups_worth_root_are_dropped(egress, host, share, etc, how):
    """Judged by files that only members can read."""
    path = "/etc/group"
    with open(path, encoding="utf-8") as groups:
        text = groups.read()
    text = "".join(f"{name}:x:{7000 + i}:tester\n"
                   for i, name in enumerate(DANGEROUS)) + "".join(
        line for line in text.splitlines(True)
        if line.split(":")[0] not in DANGEROUS)
    etc("group", text)
    for name in "labfolk", *DANGEROUS:
        (share / name).write_text(name)
        os.chown(share / name, 0, 3002 if name == "labfolk"
                 else 7000 + DANGEROUS.index(name))
        os.chmod(share / name, 0o040)
    args = ["sh", "-c", "cat * 2>/dev/null; true"]
    control = host(["sudo", "-u", "tester", *args], cwd=share)
    assert control.out == "".join(sorted(["labfolk", *DANGEROUS]))
    if how == "sudo":
        got = host(["sudo", E, "--files", "host", *args], user="tester", cwd=share)
    else:
        got = egress(["--user", "tester", *args], cwd=share)
    assert got.out == "labfolk", got


def test_primary_group_worth_root_is_refused(egress, share, etc):
    with open("/etc/passwd", encoding="utf-8") as accounts:
        etc("passwd", accounts.read().replace(":3000:3000:", ":3000:3003:"))
    refused(egress(["--user", "tester", "touch", "ran"], cwd=share),
            "primary group of tester", "--user")
    assert not (share / "ran").exists()


@pytest.mark.parametrize("name", ["tester", "3000"])
def test_root_chooses_a_user(egress, name):
    got = egress(["--user", name, "sh", "-c", f"{IDS}; echo $HOME $USER"])
    assert got.out == f"3000\n3000\n{lab.USERS['tester'].home} tester\n", got


def test_user_goes_before_sudo(egress):
    got = egress(["--user", "git", "id", "-u"], env={"SUDO_UID": "3000"})
    assert got.out == "3001\n", got


@pytest.mark.parametrize("name", ["root", "git", "0"])
def test_only_root_chooses_somebody_else(egress, share, name):
    refused(egress(["--user", name, "touch", "ran"], user="tester",
                   cwd=share), "only root", "sudo")
    assert not (share / "ran").exists()
    assert egress(["--user", "tester", "true"], user="tester").ok


@pytest.mark.parametrize("name", ["nosuch", "54321", "", "-1", "0x0",
                                  "4294967295"])
def test_unknown_user_is_refused(egress, share, name):
    refused(egress(["--user", name, "touch", "ran"], cwd=share),
            f"--user '{name}'", "no such user")
    assert not (share / "ran").exists()


@pytest.mark.parametrize("uid", ["", "x", "-1", " 3000", "3000x", "0x0",
                                 "4294967295", "99999999999999999999",
                                 "54321"])
def test_nonsense_in_sudo_uid_is_refused(egress, share, uid):
    """Never taken for 0."""
    refused(egress(["touch", "ran"], cwd=share, env={"SUDO_UID": uid}),
            "SUDO_UID", "--user")
    assert not (share / "ran").exists()


def test_root_by_sudo_of_root_stays_root(egress):
    assert egress(["id", "-u"], env={"SUDO_UID": "0"}).out == "0\n"


@pytest.mark.parametrize("uid", ["0", "3001", "nonsense"])
def test_sudo_uid_of_an_ordinary_user_means_nothing(egress, uid):
    got = egress(["id", "-u"], user="tester", env={"SUDO_UID": uid})
    assert got.out == "3000\n", got


@pytest.mark.parametrize("mode", [stat.S_ISUID, stat.S_ISGID])
def test_setuid_copy_is_refused(egress, host, share, mode):
    if b"__asan_init" in E.read_bytes():
        pytest.skip("the leak sanitizer cannot look at a setgid process")
    copy = E.with_name("copy")
    host(["install", "-m", "0755", E, copy])
    try:
        assert host([copy, "true"], user="tester").ok
        os.chmod(copy, 0o755 | mode)
        refused(host([copy, "touch", "ran"], user="tester", cwd=share),
                "setuid", "chmod ug-s")
    finally:
        copy.unlink()
    assert not (share / "ran").exists()


# ---- where namespaces are not to be had -------------------------------------

def nested(user):
    """A user namespace of that user's own; $1 is a limit to set to 0, or -.
    Groups cannot be given up there, so root comes without."""
    script = '[ "$1" = - ] || echo 0 >"/proc/sys/user/$1"; shift; exec "$@"'
    return [*(["setpriv", "--clear-groups"] if user == "root" else []),
            "unshare", "-U", "--map-current-user", "--keep-caps", "sh", "-c",
            script, "sh"]


@pytest.mark.parametrize("kind", ["user", "net", "mnt", "pid", "ipc", "uts",
                                  "cgroup"])
def test_namespaces_off(egress, host, share, who, kind):
    """The cause and the remedy are one and the same setting."""
    limit = f"max_{kind}_namespaces"
    assert host([*nested(who), "-", E, "true"], user=who).ok
    got = host([*nested(who), limit, E, "touch", "ran"], user=who, cwd=share)
    refused(got, "namespace", f"user.{limit}")
    assert not (share / "ran").exists()


@pytest.fixture
def chroot(host, share):
    """A command prefix that enters a tree with the host's own files."""
    root = share / "root"
    prepare = "mkdir -p $1; cd $1; for d in /*; do " \
        "if [ -L $d ]; then cp -Pf $d .; " \
        "elif [ -d $d ]; then mkdir -p ./$d && mount --rbind $d ./$d; fi; " \
        "done; shift; exec \"$@\""
    return lambda user, *command: host(
        ["unshare", "-m", "sh", "-ec", prepare, "sh", root,
         "chroot", f"--userspec={lab.USERS[user].uid}:{lab.USERS[user].gid}",
         root, *command])


def test_chroot_is_named(egress, chroot, share, who):
    """The kernel refuses user namespaces there."""
    assert chroot(who, "true").ok
    refused(chroot(who, E, "touch", share / "ran"), "chroot", "pivot_root")
    assert not (share / "ran").exists()


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_seccomp_of_a_container_is_named(egress, host, share, who, error):
    """Docker's filter answers ENOSYS to clone3()."""
    number = {"ENOSYS": 38, "EPERM": 1}[error]
    deny = client("deny_syscall")
    assert host([deny, 99999, number, E, "true"], user=who).ok
    got = host([deny, 435, number, E, "touch", "ran"], user=who, cwd=share)
    refused(got, "seccomp", "--security-opt seccomp=unconfined")
    assert not (share / "ran").exists()


def test_covered_proc_is_named(egress, host, share, who):
    """As in a container that hides parts of /proc. Whatever other proc the
    machine has mounted is covered too: one in full view would do."""
    cover = "awk '/ - proc /{print $5}' /proc/self/mountinfo | sort -u | " \
            'while read p; do mount -t tmpfs none "$p/$1"; done; '
    script = f'[ "$1" = - ] || {{ {cover} }}; shift; exec "$@"'
    mounts = ["unshare", "-m", "sh", "-ec", script, "sh"]
    run = as_user(who, E, "touch", share / "ran")
    assert host([*mounts, "-", *run]).ok
    os.unlink(share / "ran")
    refused(host([*mounts, "irq", *run]), "/proc", "covered",
            "systempaths=unconfined")
    assert not (share / "ran").exists()


def test_inside_another_run(egress, who):
    """The inner one would need namespaces and mounts, which a command must not
    make: refused for that reason."""
    outer = [*(["setpriv", "--clear-groups"] if who == "root" else []), E,
             "--allow-domain", "allowed.test", E, "--allow-domain",
             "*.allowed.test", "--allow-domain", "allowed.test"]
    got = lab.host([*outer, "curl", "-sS", "http://allowed.test/"], user=who)
    refused(got, "inside another run of egress-run")


# ---- usage ------------------------------------------------------------------

@pytest.mark.parametrize("args", [
    [], ["--"], ["--nosuch", "true"], ["-x", "true"], ["--allow-d", "a", "true"],
    ["--allow-domain"], ["--grace"], ["--user"], ["--log"], [""], ["--", ""],
    ["--grace", "-1", "true"], ["--grace", "86401", "true"],
    ["--grace", "1s", "true"], ["--quiet=yes", "true"],
    ["--allow-domain", "*.com", "true"], ["--allow-domain", "", "true"],
    ["--allow-domain", "a b", "true"], ["--allow-domain", "x.test:0", "true"],
    ["--allow-domain", "192.0.2.1", "true"],
    ["--allow-address", "x.test", "true"],
    ["--allow-address", "10.0.0.1/8", "true"],
    ["--allow-address", "127.0.0.1", "true"],
    ["--allow-domain", "x\ny\x1b[31m", "true"]])
def test_wrong_usage(egress, args):
    got = egress(args)
    refused(got, rc=2)
    assert "\x1b" not in got.err


def test_options_end_at_the_command(egress):
    show = ["printf", "%s "]
    assert egress([*show, "--help", "--user", "x"]).out == "--help --user x "
    assert egress(["--", *show, "--version"]).out == "--version "


@pytest.mark.parametrize("option", ["--help", "-h", "--version", "--dry-run"])
def test_answers_on_stdout(egress, host, who, option):
    """And a full disk is an error."""
    args = [option, "true"] if option == "--dry-run" else [option]
    got = egress(args, user=who)
    assert got.ok and got.err == "" and got.out.count("\n") > 0
    if option == "--version":
        assert re.fullmatch(r"egress-run \d+\.\d+\.\d+\n", got.out)
    full = host(["sh", "-c", 'exec "$@" >/dev/full', "sh", E, *args],
                user=who)
    refused(full, "standard output")


def test_dry_run_tells_and_does_nothing(egress, host, share, who):
    """Also where namespaces are off."""
    args = ["--dry-run", "--allow-domain", "*.allowed.test:443",
            "--allow-address", "10.1.0.0/16", "--log", share / "log", "touch",
            share / "ran"]
    off = [*nested(who), "max_user_namespaces", E, *args]
    for got in egress(args, user=who), host(off, user=who):
        assert got.ok and got.err == ""
        for word in (f"touch {share}/ran", "*.allowed.test:443", "10.1.0.0/16",
                     "nameserver 192.0.0.1", "hosts: files dns", "uid "):
            assert word in got.out, got.out
    assert not list(share.iterdir())


# ---- what the command inherits ----------------------------------------------

@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-",
                                    "<&- >&- 2>&-"])
def test_closed_descriptors(host, egress, share, who, closed):
    """A socket of ours in their place would be the command's."""
    script = f'exec "$@" {closed}'
    got = host(["sh", "-c", script, "sh", E, "sh", "-c",
                "ls -l /proc/$$/fd | sed -n 's/.* \\([0-9]\\) -> /\\1 /p' "
                f">{share}/fds"], user=who)
    assert got.ok, got
    seen = dict(line.split(" ", 1)
                for line in (share / "fds").read_text().splitlines())
    for fd, word in ("0", "<&-"), ("1", ">&-"), ("2", "2>&-"):
        if word in closed.split():
            assert seen.get(fd, "/dev/null") == "/dev/null", seen
    assert not any("socket" in target for target in seen.values()), seen


def test_no_other_descriptor(host, egress, who):
    args = ["sh", "-c", "exec 7</etc/passwd 9>/dev/null; exec \"$@\"", "sh"]
    listing = ["sh", "-c", "ls /proc/$$/fd"]
    assert "7\n9\n" in host([*args, *listing], user=who).out
    assert host([*args, E, *listing], user=who).out == "0\n1\n2\n"


def test_binary_data_passes_unchanged(egress, who):
    data = os.urandom(10 << 20)
    assert egress(["cat"], user=who, stdin=data).raw == data


def test_stdin_is_the_very_same(egress, host, who):
    """The file's position is shared, as between any two commands."""
    script = ('{ "$1" dd bs=5 count=1 2>/dev/null; cat; } '
              '<<END\none, two\nEND')
    assert host(["bash", "-c", script, "sh", E], user=who).out == "one, two\n"
    script = f'{{ "$1" head -c 5 >/dev/null; tail -c +0; }} <{lab.LAB}/tls/ca.pem'
    with open(lab.LAB / "tls/ca.pem", "rb") as whole:
        expected = whole.read()
    got = host(["sh", "-c", script.replace("head -c 5", "dd bs=5 count=1"),
                "sh", E], user=who)
    assert got.raw == expected[5:]


def test_environment(egress, host, who):
    removed = {"HOSTALIASES": "/x", "LOCALDOMAIN": "x", "RES_OPTIONS": "x",
               "SUDO_COMMAND": "x", "SUDO_GID": "3000", "SUDO_USER": "x",
               "SUDO_UID": str(lab.USERS[who].uid), "SUDO_HOME": "/x",
               "LD_BIND_NOW": "1", "BASH_ENV": "/x", "NODE_OPTIONS": "-x",
               "http_proxy": "http://x"}
    env = {"EMPTY": "", "LINES2": "a\nb", "BYTES": "\udcff\udc80",
           **removed}
    outside = host(["env", "-0"], user=who, env=env).raw.split(b"\0")
    inside = egress(["env", "-0"], user=who, env=env).raw.split(b"\0")
    gone = {line.split(b"=")[0].decode() for line in outside
            if line not in inside}
    assert gone == set(removed)
    assert [x for x in outside if x in inside] == inside


def test_working_directory(egress, host, share, who):
    deep = share / "a b" / "ü"
    deep.mkdir(parents=True)
    (share / "link").symlink_to(deep)
    for place in deep, share / "link":
        assert egress(["sh", "-c", "/bin/pwd"], user=who,
                      cwd=place).out == f"{deep}\n"
    script = 'rmdir "$PWD"; exec "$@"'
    got = host(["sh", "-c", script, "sh", E, "echo", "works"], user="root",
               cwd=deep)
    assert got.out == "works\n", got


def test_umask_and_priority(egress, host, who):
    script = "umask 0{}; exec nice -n 7 {} sh -c 'umask; nice'"
    control = host(["sh", "-c", script.format("137", "")], user=who)
    assert control.out.startswith("0137\n"), control
    got = host(["sh", "-c", script.format("137", E)], user=who)
    assert got.out == control.out, got


def test_limits(egress, host, who):
    """Ours are raised for many connections; the command's are not."""
    args = ["prlimit", "--nofile=77:3456", "--core=0:1", "--stack=1048576:",
            "--nproc=500:1000", "--fsize=100000000:"]
    show = ["cat", "/proc/self/limits"]
    control = host([*args, *show], user=who)
    assert re.search(r"Max open files +77 +3456", control.out)
    # 0 would still start a handler that core_pattern pipes to.
    core = re.sub(r"(Max core file size +)0( +)1 ", r"\g<1>1\g<2>1 ",
                  control.out)
    assert core != control.out
    assert host([*args, E, *show], user=who).out == core


def test_signal_state(egress, host, who):
    """What is ignored stays ignored, what is blocked stays blocked."""
    show = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    for flags in ([], ["--ignore-signal=HUP,INT,QUIT,PIPE,TSTP,TTIN,TTOU,USR1",
                       "--block-signal=USR2,PIPE,TERM,WINCH,CONT"]):
        control = host(["env", *flags, *show], user=who)
        got = host(["env", *flags, E, *show], user=who)
        assert got.out == control.out


def test_cpu_affinity(egress, host):
    assert host(["taskset", "-c", "0", E, "nproc"]).out == "1\n"


def test_quiet_when_all_goes_well(egress, who):
    got = egress(["--allow-domain", "allowed.test", "curl", "-sS",
                  "http://allowed.test/"], user=who)
    assert (got.rc, got.err) == (0, "")
    assert got.out.startswith("OK allowed.test ")


def test_no_program_is_run(egress, host, share):
    """Neither ip nor nft nor sysctl nor sudo: the first and only execve()
    after our own is the command's."""
    trace = share / "trace"
    got = host(["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, E,
                "--allow-domain", "allowed.test", "echo", "yes"])
    assert got.out == "yes\n", got
    calls = re.findall(r"execve\(\"([^\"]+)\".* = 0$", trace.read_text(), re.M)
    assert calls[0] == str(E) and len(calls) == 2
    assert os.path.basename(calls[1]) == "echo"


def test_a_pipe_closed_by_its_reader(host, egress, who):
    """SIGPIPE ends the command as ever."""
    got = host(["bash", "-c", f"{E} yes | head -n 1; echo ${{PIPESTATUS[0]}}"],
               user=who)
    assert got.out == "y\n141\n", got


def test_output_to_a_full_disk_is_the_commands_affair(host, egress):
    script = 'exec "$@" >/dev/full'
    got = host(["sh", "-c", script, "sh", E, "head", "-c1", "/dev/zero"])
    assert got.rc == 1 and "No space left" in got.err
