# SPDX-License-Identifier: GPL-2.0-or-later
"""The command's files: what a profile grants is there with its access, and
nothing else.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import lab
from escape_helpers import home_of
from files_helpers import VIEW, look, look_outside, python, shell
from launch_helpers import refused

pytestmark = pytest.mark.usefixtures("egress")


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


# ---- without a profile ------------------------------------------------------

def test_without_a_profile(home, who):
    """The working directory and the system, and nothing of the home."""
    home.write(".ssh/id", "secret")
    home.write("notes", "private")
    home.write("work/file", "content")
    base = home.user.home
    assert look_outside(who, [base / "notes"]) == ["file rw"]
    seen = look(who, [base, base / "notes", base / ".ssh", home.work,
                      home.work / "file", "/usr/bin", "/usr/share", "/etc",
                      "/etc/shadow", "/root/.bashrc", "/opt", "/mnt", "/boot",
                      lab.LAB / "tls", lab.LAB / "tmp"], cwd=home.work,
                env={"TMPDIR": None})
    assert seen == ["folder r-", "ENOENT", "ENOENT", "folder rw", "file rw",
                    "folder r-", "folder r-", "folder r-",
                    "ENOENT", "ENOENT", "ENOENT", "ENOENT", "ENOENT",
                    "ENOENT", "ENOENT"]
    got = shell(who, "pwd; ls -A ~; echo new >made; cat file", cwd=home.work)
    assert got.out == f"{home.work}\nwork\ncontent", got
    made = home.work / "made"
    assert made.read_text() == "new\n" and made.owner() == who


def test_home_with_nothing_granted(home, who):
    home.write("notes", "private")
    got = shell(who, "ls -A ~; touch ~/x; cd ~ && pwd", cwd="/usr")
    assert got.out == f"{home.user.home}\n", got
    assert "Read-only file system" in got.err


def test_home_as_working_directory(home, who):
    """Too much to be granted unasked, which is said; if asked, less what is
    always denied."""
    home.write(".ssh/id", "secret")
    home.write(".bashrc", "x=1")
    home.write("notes", "mine")
    base = home.user.home
    paths = [base / x for x in ("notes", ".ssh", ".ssh/id", ".bashrc")]
    assert look(who, paths, cwd=base) == ["ENOENT"] * 4
    got = lab.egress(["--files", "profile", "sh", "-c", "pwd; echo $PWD"],
                     user=who, cwd=base)
    assert got.out == "/\n/\n" and f"--allow {base}" in got.err, got
    seen = look(who, paths, ["--allow", base], cwd=base)
    assert seen[0] == "file rw"
    assert seen[1] == "folder --" and seen[2] in ("ENOENT", "EACCES")
    assert seen[3] == "file --"


def test_working_directory_in_a_private_place(who):
    """/tmp is private; the working directory in it is the host's."""
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/tmp") as path:
        os.chown(path, lab.USERS[who].uid, lab.USERS[who].gid)
        got = shell(who, "pwd; ls /tmp; echo x >made", cwd=path)
        assert got.out == f"{path}\n{os.path.basename(path)}\n", got
        assert pathlib.Path(path, "made").read_text() == "x\n"


def test_working_directory_by_a_link(home, who):
    os.symlink(home.work, home.user.home / "link")
    home.write("work/file", "content")
    got = shell(who, "pwd; cat file", cwd=home.user.home / "link")
    assert got.out.endswith("content") and got.ok, got
    got = shell(who, "pwd -P; cat file", ["--workdir",
                                          home.user.home / "link"], cwd="/")
    assert got.out == f"{home.work}\ncontent", got


def test_working_directory_that_was_removed(home, who):
    gone = home.folder(home.work / "gone")
    start = ["sh", "-c", f'rmdir {gone} && exec "$@"', "sh", lab.EGRESS_RUN]
    got = lab.host([*start, "--files", "profile", "sh", "-c",
                    "pwd; echo $PWD; ls"], user=who, cwd=gone)
    assert got.out.startswith("/\n/\nbin\n") and got.rc == 0, got
    assert f"{gone}: No such file" in got.err, got
    assert "the command starts in /" in got.err, got
    home.folder(gone)
    refused(lab.host([*start, *VIEW, "-p", home.profile("p", {
        "workdir": {"access": "read"}}), "pwd"], user=who, cwd=gone),
            str(gone))
    home.folder(gone)
    got = lab.host([*start, "-q", "--files", "host", "sh", "-c",
                    "pwd; echo $PWD"], user=who, cwd=gone)
    assert got.out == "/\n/\n" and got.rc == 0, got


def test_working_directory_that_is_not_granted(home, who):
    home.write("work/file", "content")
    profile = home.profile("p", {"workdir": {"access": "none"}})
    got = shell(who, "pwd; ls", ["-p", profile], cwd=home.work)
    assert "file" not in got.out and got.out.startswith("/\n"), got
    profile = home.profile("p", {"workdir": {"access": "read"}})
    seen = look(who, [home.work, home.work / "file"], ["-p", profile],
                cwd=home.work)
    assert seen == ["folder r-", "file r-"]
    profile = home.profile("p", {"workdir": {"access": "write"}})
    seen = look(who, [home.work, home.work / "file"], ["-p", profile],
                cwd=home.work)
    assert seen == ["folder -w", "file -w"]


# ---- grants -----------------------------------------------------------------

KINDS = {  # key: (option, access)
    "allow": ("--allow", "rw"),
    "read": ("--read", "r-"),
    "write": ("--write", "-w"),
    "allow_file": ("--allow-file", "rw"),
    "read_file": ("--read-file", "r-"),
    "write_file": ("--write-file", "-w"),
}


@pytest.mark.parametrize("by", ["profile", "option"])
@pytest.mark.parametrize("key", KINDS)
def test_grant(home, who, key, by):
    option, access = KINDS[key]
    base = home.user.home
    home.write("data/inner/file", "x")
    home.write("data/inner/other", "x")
    granted = base / "data/inner"
    if key.endswith("_file"):
        granted /= "file"
    args = [option, granted] if by == "option" else \
        ["-p", home.profile("p", {"filesystem": {key: [
            str(granted).replace(str(base), "~")]}})]
    seen = look(who, [granted, base / "data/inner/file",
                      base / "data/inner/other", base / "data/other"], args,
                cwd=home.work)
    if key.endswith("_file"):
        assert seen == [f"file {access}", f"file {access}", "ENOENT",
                        "ENOENT"]
    else:
        assert seen == [f"folder {access}", f"file {access}",
                        f"file {access}", "ENOENT"]


def test_write_only_folder(home, who):
    """Files come, change, go and are renamed; none is read, in any way."""
    box = home.folder(home.user.home / "box")
    home.write("box/old", "secret")
    body = """
import os, sys
box = sys.argv[1]
for name in "one", "two":
    os.close(os.open(f"{box}/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
os.mkdir(f"{box}/folder")
os.rename(f"{box}/one", f"{box}/three")
os.truncate(f"{box}/old", 3)
os.unlink(f"{box}/two")
for what in (lambda: os.listdir(box), lambda: open(f"{box}/old").read(),
             lambda: os.open(f"{box}/old", os.O_RDWR)):
    try:
        what()
        print("read")
    except PermissionError:
        pass
"""
    assert python(who, body, box, args=["--write", box], cwd=home.work) == ""
    assert sorted(os.listdir(box)) == ["folder", "old", "three"]
    assert (box / "old").read_text() == "sec"


def test_programs_run_from_readable_folders(home, who):
    tool = home.write("tools/hello", "#!/bin/sh\necho hello\n", mode=0o755)
    got = shell(who, str(tool), ["--read", tool.parent], cwd=home.work)
    assert got.out == "hello\n", got
    got = shell(who, str(tool), ["--write", tool.parent], cwd=home.work)
    assert got.rc in (126, 127) and not got.out, got


def test_missing_path(home, who):
    """One of the profile is left out; one of the command line is told."""
    missing = home.user.home / "nosuch/deep"
    profile = home.profile("p", {"filesystem": {
        "allow": [str(missing)], "read_file": [str(missing / "f")]}})
    got = shell(who, "echo ran", ["-p", profile], cwd=home.work)
    assert (got.rc, got.out, got.err) == (0, "ran\n", ""), got
    got = shell(who, "echo ran", ["--read", missing], cwd=home.work)
    assert got.out == "ran\n" and str(missing) in got.err, got
    assert "does not exist" in got.err
    assert not missing.parent.exists()


def test_folder_in_a_list_of_files(home, who):
    path = home.folder(home.user.home / "folder")
    profile = home.profile("p", {"filesystem": {"read_file": [str(path)]}})
    refused(lab.egress([*VIEW, "-p", profile, "true"], user=who,
                       cwd=home.work), str(path), "folder")


def test_globs(home, who):
    base = home.user.home
    for path in ("g/a.txt", "g/b.txt", "g/c.md", "g/deep/er/d.txt",
                 "g/deep/e.md"):
        home.write(path, "x")
    home.write("secret/s.txt", "x")
    os.symlink(base / "secret/s.txt", base / "g/planted.txt")
    names = ["a.txt", "b.txt", "c.md", "deep/er/d.txt", "deep/e.md"]
    paths = [base / "g" / name for name in names] + [base / "secret/s.txt"]

    def seen(*globs):
        profile = home.profile("p", {"filesystem": {"read": list(globs)}})
        return look(who, paths, ["-p", profile], cwd=home.work)
    no, yes = "ENOENT", "file r-"
    assert seen("~/g/*.txt") == [yes, yes, no, no, no, no]
    assert seen("~/g/**/*.txt") == [yes, yes, no, yes, no, no]
    assert seen("~/g/*/*.md") == [no, no, no, no, yes, no]
    assert seen("~/nosuch/*") == [no] * 6
    profile = home.profile("p", {"filesystem": {"read": ["~/g/[ab]*.txt"]}})
    refused(lab.egress([*VIEW, "-p", profile, "true"], user=who,
                       cwd=home.work), "[")


def test_globs_of_denials(home, who):
    for name in "a.pem", "deep/b.pem", "c.txt":
        home.write(f"work/{name}", "x")
    profile = home.profile("p", {"filesystem": {
        "allow": ["$WORKDIR"], "deny": ["$WORKDIR/**/*.pem"]}})
    seen = look(who, [home.work / x for x in ("a.pem", "deep/b.pem",
                                              "c.txt")],
                ["-p", profile], cwd=home.work)
    assert seen == ["file --", "file --", "file rw"]


def test_relative_entries_and_variables(home, who):
    home.write("work/own/file", "x")
    home.write("state/file", "x")
    home.write("other/file", "x")
    base = home.user.home
    profile = home.profile("p", {"filesystem": {
        "read": ["$WORKDIR/own", "$XDG_STATE_HOME", "$LAB_OTHER"]}})
    seen = look(who, [home.work / "own/file", base / "state/file",
                      base / "other/file"], ["-p", profile], cwd=home.work,
                env={"XDG_STATE_HOME": str(base / "state"),
                     "LAB_OTHER": str(base / "other")})
    assert seen == ["file r-"] * 3


# ---- links ------------------------------------------------------------------

def test_links_of_the_system(who):
    """/bin -> usr/bin and its like stay links, and lead to programs."""
    names = [x for x in ("/bin", "/sbin", "/lib", "/lib64")
             if os.path.islink(x)]
    assert names, "a system without merged /usr"
    seen = look(who, [*names, "/usr"])
    assert seen[:-1] == [f"link {os.readlink(x)}" for x in names]
    got = shell(who, "/bin/echo a; /usr/bin/../bin/echo b; /bin/../bin/sh -c "
                "'echo c'")
    assert got.out == "a\nb\nc\n", got


def test_granted_link(home, who):
    """Both names lead to the place; a chain stays a chain."""
    base = home.user.home
    home.write("real/file", "x")
    os.symlink("real", base / "one")
    os.symlink(base / "one", base / "two")
    paths = [base / "two", base / "one", base / "real", base / "two/file"]
    assert look(who, paths, ["--allow", base / "two"], cwd=home.work) == \
        [f"link {base}/one", "link real", "folder rw", "file rw"]
    assert look(who, paths, ["--read", base / "real"], cwd=home.work) == \
        ["ENOENT", "ENOENT", "folder r-", "ENOENT"]


def test_link_inside_a_grant(home, who):
    """It leads where it leads, if that is granted by itself."""
    base = home.user.home
    home.write("secret/file", "x")
    home.write("work/file", "x")
    os.symlink(base / "secret/file", home.work / "out")
    os.symlink("file", home.work / "in")
    got = shell(who, "cat in; cat out", cwd=home.work)
    assert got.out == "x" and "No such file" in got.err, got
    got = shell(who, "cat in; cat out", ["--read", base / "secret"],
                cwd=home.work)
    assert got.out == "xx", got


def test_link_to_a_denied_file(home, who):
    """A denial that is a link denies what it leads to."""
    home.write("work/secret", "x")
    os.symlink("secret", home.work / "link")
    profile = home.profile("p", {"filesystem": {
        "allow": ["$WORKDIR"], "deny": ["$WORKDIR/link"]}})
    assert look(who, [home.work / "link", home.work / "secret"],
                ["-p", profile], cwd=home.work) == ["link secret", "file --"]


@pytest.mark.parametrize("key", ["read", "allow", "read_file", "allow_file"])
def test_link_that_the_command_planted(home, who, key):
    """What the profile grants in a folder that the command could write is
    swapped for a link to something else: nothing of that is granted."""
    secret = home.write("secret/file", "secret")
    home.write("work/sub/file", "x")
    granted = "sub/file" if key.endswith("_file") else "sub"
    lists = {"allow": ["$WORKDIR"]}
    lists.setdefault(key, []).append(f"$WORKDIR/{granted}")
    profile = home.profile("p", {"filesystem": lists})
    target = secret if key.endswith("_file") else secret.parent
    args = ["-p", profile]
    got = shell(who, f"mv {granted} old; ln -s {target} {granted}", args,
                cwd=home.work)
    assert got.ok and (home.work / granted).is_symlink(), got
    got = shell(who, f"cat {home.work}/sub/file {secret}", args,
                cwd=home.work)
    assert "secret" not in got.out and "No such file" in got.err, got
    # A folder above it.
    (home.work / granted).unlink()
    shutil.rmtree(home.work / "sub", ignore_errors=True)
    os.symlink(secret.parent, home.work / "sub")
    got = shell(who, f"cat {home.work}/sub/file {secret}", args,
                cwd=home.work)
    assert "secret" not in got.out and "No such file" in got.err, got


def test_link_that_the_user_made(home, who):
    """In a folder that the command cannot write, a link is the user's own."""
    base = home.user.home
    home.write("elsewhere/file", "x")
    os.symlink(base / "elsewhere", base / "data")
    assert look(who, [base / "data/file"], ["--read", base / "data"],
                cwd=home.work) == "file r-"


# ---- levels -----------------------------------------------------------------

def test_levels(home, who):
    """Grants add up on the way down, denials take away, the next grant gives
    again."""
    base = home.user.home
    for name in ("top", "mid/file", "mid/out/file", "mid/out/no/file"):
        home.write(f"tree/{name}", "x")
    profile = home.profile("p", {"filesystem": {
        "read": ["~/tree"], "write": ["~/tree/mid/out"],
        "deny": ["~/tree/mid/out/no"]}})
    seen = look(who, [base / "tree" / x for x in (
        "", "top", "mid/file", "mid/out", "mid/out/file", "mid/out/no",
        "mid/out/no/file")], ["-p", profile], cwd=home.work)
    assert seen[:6] == ["folder r-", "file r-", "file r-", "folder rw",
                        "file rw", "folder --"]
    assert seen[6] in ("EACCES", "ENOENT")


def test_read_below_read_write(home, who):
    """A lesser grant inside takes nothing away."""
    base = home.user.home
    home.write("tree/sub/file", "x")
    args = ["--allow", base / "tree", "--read", base / "tree/sub"]
    assert look(who, [base / "tree/sub/file"], args, cwd=home.work) == \
        "file rw"
    args = ["--read", base / "tree", "--allow-file", base / "tree/sub/file"]
    assert look(who, [base / "tree/sub/file", base / "tree/sub"], args,
                cwd=home.work) == ["file rw", "folder r-"]


def test_write_only_where_all_may_be_read(home, who):
    """In the command's own folders it could not be held: refused, before
    anything is started."""
    home.write("state.json", "{}")
    log = home.write("log", "secret")
    args = ["--allow-file", home.user.home / "state.json"]
    with tempfile.TemporaryDirectory(dir="/tmp") as tmp:
        os.chmod(tmp, 0o777)
        for path, more in (tmp, []), (log, args):
            for option in "--write", "--write-file":
                if (option == "--write") != (path == tmp):
                    continue
                got = lab.egress([*VIEW, *more, option, path, "--", "true"],
                                 user=who, cwd=home.work)
                refused(got, str(path), "for writing alone", "allow")
    # Beside no mirror it holds.
    got = lab.egress([*VIEW, "--write-file", log, "--", "sh", "-c",
                      f"echo more >>{log}; cat {log}"], user=who,
                     cwd=home.work)
    assert got.out == "" and "Permission denied" in got.err, got
    assert log.read_text() == "secretmore\n"


def test_read_write_below_write_only(home, who):
    base = home.user.home
    home.write("box/file", "x")
    home.write("box/open/file", "x")
    args = ["--write", base / "box", "--read", base / "box/open"]
    assert look(who, [base / "box", base / "box/file", base / "box/open",
                      base / "box/open/file"], args, cwd=home.work) == [
        "folder -w", "file -w", "folder rw", "file rw"]


# ---- denials ----------------------------------------------------------------

FILES = (".netrc", ".npmrc", ".git-credentials", ".bash_history", ".bashrc",
         ".profile")
FOLDERS = (".ssh", ".gnupg", ".aws", ".kube", ".docker", ".mozilla/firefox",
           ".config/gcloud", ".password-store")


def test_required_groups(home, who):
    """Whatever grants the folder around them."""
    base = home.user.home
    for name in FILES:
        home.write(name, "secret")
    for name in FOLDERS:
        home.write(f"{name}/inner", "secret")
    home.write("plain", "x")
    for args in ["--allow", base], ["--read", base]:
        got = shell(who, f"cd {base}; cat {' '.join(FILES)} "
                    f"{' '.join(x + '/inner' for x in FOLDERS)}", args,
                    cwd=home.work)
        assert "secret" not in got.out, got
        assert look(who, [base / "plain"], args, cwd=home.work).startswith(
            "file r")
    # Also by name.
    for name in FILES + FOLDERS:
        seen = look(who, [base / name], ["--read", base / name],
                    cwd=home.work)
        assert seen in ("ENOENT", "file --", "folder --"), (name, seen)


def test_bypass_protection(home, who):
    base = home.user.home
    home.write(".ssh/config", "x")
    home.write(".ssh/id", "x")
    paths = [base / ".ssh/config", base / ".ssh/id"]

    def seen(**lists):
        profile = home.profile("p", {"filesystem": lists})
        return look(who, paths, ["-p", profile], cwd=home.work)
    assert seen(read=["~/.ssh"], bypass_protection=["~/.ssh"]) == \
        ["file r-", "file r-"]
    assert seen(allow=["~/.ssh"], bypass_protection=["~/.ssh"]) == \
        ["file rw", "file rw"]
    assert seen(read_file=["~/.ssh/config"],
                bypass_protection=["~/.ssh/config"]) == ["file r-", "ENOENT"]
    profile = home.profile("p", {"filesystem": {
        "bypass_protection": ["~/.ssh"]}})
    refused(lab.egress([*VIEW, "-p", profile, "true"], user=who,
                       cwd=home.work), "bypass_protection", ".ssh")


def test_profiles_are_read_only(home, who):
    """By them the command could give itself rights in the next run."""
    home.profile("p", {})
    base = home.user.home
    got = shell(who, "cd .config/egress-run/profiles && cat p.json; "
                "echo x >p.json; touch new; rm p.json; mv ../profiles ../x; "
                "cd; mv .config y; mv .config/egress-run z", ["-a", base],
                cwd=base)
    assert (home.config / "egress-run/profiles/p.json").read_text() == "{}", \
        got


# ---- unusual places ---------------------------------------------------------

def test_all_of_the_host(home, who):
    """What is private stays private, and is not a way to the host's."""
    seen = look(who, ["/", "/usr/bin", "/tmp", "/dev/kmsg", "/proc/1"],
                ["--read", "/"], cwd=home.work)
    assert seen == ["folder r-", "folder r-", "folder rw", "ENOENT",
                    "folder r-"]
    got = shell(who, "ls -A /tmp /run; cat /proc/1/comm /etc/resolv.conf",
                ["--read", "/"], cwd=home.work)
    assert "egress-init\nnameserver 192.0.0.1\n" in got.out, got
    assert "lab" not in got.out.split()


@pytest.mark.parametrize("name", ["with space", "back\\slash", "new\nline",
                                  "\u00fcml\u00e4ut", "-dash", "x" * 255,
                                  "$(id)"])
def test_names(home, who, name):
    path = home.user.home / "odd" / name
    home.folder(path)
    home.write(path / "file", "content")
    # Variables are expanded in entries.
    args = ["--allow", path.parent if "$" in name else path]
    assert look(who, [path, path / "file"], args,
                cwd=home.work) == ["folder rw", "file rw"]


def test_spellings_of_a_path(home, who):
    base = home.user.home
    home.write("data/file", "x")
    for text in (f"{base}/data/", f"{base}//data/.", f"{base}/work/../data",
                 "../data", "~/data", "$HOME/data"):
        assert look(who, [base / "data/file"], ["--read", text],
                    cwd=home.work) == "file r-", text


def test_many_grants(home, who):
    base = home.user.home
    paths = [home.folder(base / f"many/{i}") for i in range(500)]
    profile = home.profile("p", {"filesystem": {
        "read": [str(x) for x in paths]}})
    got = shell(who, "ls ~/many | wc -l; touch ~/many/x ~/many/7/x",
                ["-p", profile], cwd=home.work)
    assert got.out == "500\n" and got.err.count("Read-only") == 2, got


@pytest.fixture
def mounted(home):
    """A file system of the host inside a folder."""
    path = home.folder(home.user.home / "outer/inner")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0777,noexec", "lab",
                    path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_mounts_below_a_grant(home, who, mounted):
    """They come along with the grant's access and their own limits."""
    home.write("outer/inner/tool", "#!/bin/sh\necho ran\n", mode=0o755)
    got = shell(who, f"{mounted}/tool; touch {mounted}/x",
                ["--read", mounted.parent], cwd=home.work)
    assert "ran" not in got.out and "Read-only" in got.err, got
    got = shell(who, f"{mounted}/tool; touch {mounted}/x",
                ["--allow", mounted.parent], cwd=home.work)
    assert "ran" not in got.out and (mounted / "x").exists(), got
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    assert look(who, [mounted], ["--allow", mounted.parent],
                cwd=home.work) == "folder r-"


def test_home_by_a_link(home, who):
    """HOME as the account has it, though it leads through a link."""
    base = home.user.home
    home.write("data/file", "x")
    link = lab.LAB / "homes"
    os.symlink(base.parent, link)
    try:
        got = shell(who, "echo $HOME; cat ~/data/file; cd ~ && pwd -P",
                    ["--read", "~/data"], cwd=home.work,
                    env={"HOME": f"{link}/{base.name}"})
        assert got.out == f"{link}/{base.name}\nx{base}\n", got
    finally:
        link.unlink()
