# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that people run inside, with the files that profiles grant: they
do their work as they do it outside. test_files_private.py has short ones, the
terminal tests those with a screen, test_agents.py the agents.
"""
import base64
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile

import pytest

import lab
from escape_helpers import PYTHON, home_of
from files_helpers import shell

pytestmark = pytest.mark.usefixtures("egress")

# The machine's own, not what somebody put first in PATH.
SYSTEM = "/usr/local/bin:/usr/bin:/bin"
# Trust by the system's bundle, as everywhere.
PLAIN = {name: None for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
                                 "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
                                 "TMPDIR")}


@pytest.fixture
def home(egress, who):
    with home_of(who) as made:
        yield made


def need(*programs):
    for name in programs:
        if not shutil.which(name, path=SYSTEM):
            pytest.skip(f"{name} is not installed")


def run(home, text, *args, timeout=60, env=None):
    return shell(home.name, text, args, cwd=home.work, timeout=timeout,
                 env={**PLAIN, **(env or {})})


@contextlib.contextmanager
def files_server(folder):
    """http://allowed.test:8084/ has the files of the folder."""
    with lab.started([lab.IN_INTERNET, PYTHON, "-m", "http.server", "8084",
                      "-d", folder], stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL):
        lab.wait_until(lambda: lab.host(
            ["curl", "-fsS", "http://allowed.test:8084/"]).ok, 10, "files")
        yield "http://allowed.test:8084"


# ---- the system -------------------------------------------------------------

QUESTIONS = {
    "id": ("id -un; id -gn; whoami", "{user}\n{user}\n{user}\n"),
    "tty": ("tty", "not a tty\n"),
    "df": ("df . | wc -l", "2\n"),
    "ps": ("ps -e -o comm= | sort -u", "egress-init\nps\nsh\nsort\n"),
    "top": ("top -b -n1 | awk '$1 ~ /^[0-9]+$/ { print $NF }' | sort -u",
            "awk\negress-+\nsh\nsort\ntop\n"),
    "nproc": ("[ $(nproc) -gt 0 ] && echo some", "some\n"),
    "date": ("TZ=Pacific/Honolulu date -d @0 +%R; cmp /etc/localtime "
             "/etc/localtime && date -d @0 +%Z", "14:00\n{zone}\n"),
    "locale": ("locale -a | grep -c ^C.utf8; LC_ALL=C.UTF-8 locale charmap",
               "1\nUTF-8\n"),
    "perl": ("perl -e 'print scalar getpwuid($>), qq(\\n)'",
             "{user}\n"),
    "dpkg": ("dpkg --print-architecture | wc -l", "1\n"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_question(home, name):
    need(name)
    text, answer = QUESTIONS[name]
    zone = lab.host(["date", "-d", "@0", "+%Z"]).out.strip()
    got = run(home, text)
    assert got.out == answer.format(user=home.name, zone=zone), got
    assert got.err == ""


def test_man(home):
    need("man", "nroff")
    home.write("work/tool.1", ".TH TOOL 1\n.SH NAME\ntool \\- it works\n")
    got = run(home, "man ./tool.1 | cat; man -w man >found || true")
    assert "tool - it works" in got.out and not got.err, got


def test_program_that_is_not_granted(home):
    """Where an installer may put one: the error says what grants it, and that
    does."""
    base = home.user.home
    home.write("tools/lib/x/tool", "#!/bin/sh\necho ran\n", mode=0o755)
    home.folder(base / "tools/bin")
    os.symlink("../lib/x/tool", base / "tools/bin/tool")
    home.folder(base / "bin")
    os.symlink("../tools/lib/x/tool", base / "bin/other")
    env = {"PATH": f"{base}/tools/bin:{base}/bin:{SYSTEM}"}

    def start(name, *args):
        return lab.egress(["--files", "profile", "-q", *args, name],
                          user=home.name, cwd=home.work, env=env)
    for name, options in (("tool", ["--read", f"{base}/tools"]),
                          (f"{base}/tools/bin/tool",
                           ["--read", f"{base}/tools"]),
                          ("other", ["--read", f"{base}/bin", "--read",
                                     f"{base}/tools/lib/x"])):
        got = start(name)
        assert got.rc == 127 and got.err.endswith(
            f" is not granted; {' '.join(options)} grants it\n"), got
        assert start(name, *options).out == "ran\n"
    assert "No such file" in start("nosuch").err


# ---- compilers --------------------------------------------------------------

def test_build_of_this_project(home):
    """From a clone of its sources, with the system's headers."""
    need("gcc", "make")
    source = home.work / "source"
    kept = ("common", "dnsfilter", "fsrules", "launcher", "netns", "profiles",
            "relay")
    for name in kept:
        shutil.copytree(lab.TREE / name, source / name)
    shutil.copy(lab.TREE / "Makefile", source)
    subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}",
                    source], check=True)
    got = run(home, "cd source && git init -q && make -s "
              "build/common/text.o build/fsrules/landlock.o "
              "build/launcher/options.o 2>&1 && ls build/launcher",
              timeout=120)
    assert got.ok and "options.o" in got.out, got


def test_java(home):
    need("javac", "java")
    home.write("work/A.java", "public class A { public static void main("
               "String[] a) throws Exception { System.out.println("
               "javax.net.ssl.SSLContext.getDefault() != null); } }")
    got = run(home, "javac A.java && java -Xshare:auto A")
    assert got.out == "true\n", got


def test_go(home):
    """By its profile, on a machine where it never ran."""
    need("go")
    home.write("work/m.go", 'package main\nfunc main() { println("ran") }\n')
    got = run(home, "go build m.go && ./m", "-p", "go-dev", timeout=120,
              env={"GOPROXY": "off", "GOFLAGS": "-p=2"})
    assert got.rc == 0 and got.err.endswith("ran\n"), got
    assert any((home.user.home / ".cache/go-build").iterdir())


def test_cargo(home):
    need("cargo", "rustc")
    home.write("work/c/Cargo.toml",
               '[package]\nname = "c"\nversion = "0.1.0"\nedition = "2021"\n')
    home.write("work/c/src/main.rs", 'fn main() { println!("ran"); }\n')
    got = run(home, "cd c && cargo run -q --offline", "-p", "rust-dev")
    assert got.out == "ran\n", got


# ---- debuggers --------------------------------------------------------------

def test_gdb(home):
    need("gdb", "gcc")
    home.write("work/a.c", "int twice(int x) { return x * 2; }\n"
               "int main(void) { return twice(21); }\n")
    got = run(home, "gcc -g a.c && gdb -q -batch -ex 'break twice' -ex run "
              "-ex 'print x' -ex bt -ex continue ./a.out 2>&1")
    assert "$1 = 21" in got.out and "in main () at a.c:2" in got.out, got
    assert "exited with code 052" in got.out


# ---- python and node --------------------------------------------------------

def wheel(folder):
    """A package of one module."""
    info = "labpk-1.0.dist-info"
    with zipfile.ZipFile(folder / "labpk-1.0-py3-none-any.whl", "w") as out:
        out.writestr("labpk.py", "print('installed')\n")
        out.writestr(f"{info}/METADATA",
                     "Metadata-Version: 2.1\nName: labpk\nVersion: 1.0\n")
        out.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: lab\n"
                     "Root-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr(f"{info}/RECORD", "")


def test_venv_and_pip(home, share):
    """A package from an index, over the network."""
    if not lab.host([PYTHON, "-c", "import ensurepip, venv"]).ok:
        pytest.skip("python3-venv is not installed")
    folder = share / "labpk"
    folder.mkdir()
    wheel(folder)
    with files_server(share) as url:
        got = run(home, f"{PYTHON} -m venv v && v/bin/pip install -q "
                  f"--index-url {url} --trusted-host allowed.test labpk "
                  ">&2 && v/bin/python -c 'import labpk'", "--allow-domain",
                  "allowed.test", timeout=120,
                  env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    assert got.out == "installed\n", got


def registry(folder, url):
    """An npm registry of one package, as files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as out:
        for name, text in (("package.json",
                            '{"name": "labpk", "version": "1.0.0"}'),
                           ("index.js", "console.log('installed')")):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            out.addfile(entry, io.BytesIO(text.encode()))
    (folder / "labpk.tgz").write_bytes(made.getvalue())
    digest = base64.b64encode(hashlib.sha512(made.getvalue()).digest())
    (folder / "labpk").write_text(json.dumps({
        "name": "labpk", "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": {"name": "labpk", "version": "1.0.0", "dist": {
            "tarball": f"{url}/labpk.tgz",
            "integrity": f"sha512-{digest.decode()}"}}}}))


@pytest.mark.parametrize("profile", ["claude-code", "ci"])
def test_npm(home, share, profile):
    """Installs from a registry, with the profile's place for its cache: the
    home folder's for a build job, and a private one for an agent, which could
    leave packages for others there."""
    need("npm", "node")
    registry(share, "http://allowed.test:8084")
    home.write("work/package.json", {"name": "w", "version": "1.0.0"})
    with files_server(share) as url:
        got = run(home, f"npm install --registry {url} --no-audit --no-fund "
                  "labpk >&2 && node -e 'require(\"labpk\")'", "-p", profile,
                  "--allow-domain", "allowed.test")
    assert got.out == "installed\n", got
    cache = home.user.home / ".npm/_cacache"
    assert cache.exists() == (profile == "ci")


# ---- git and ssh ------------------------------------------------------------

def test_git(home):
    """Over https and ssh; commit, rebase, worktree."""
    keys = lab.LAB / "ssh"
    got = run(home, """set -e
git clone -q https://git.test/repo.git a
git clone -q git@git.test:repo.git b
cd b
git config user.name D; git config user.email d@e
git checkout -q -b topic; echo 1 >one; git add one; git commit -qm one
git checkout -q main; echo 2 >two; git add two; git commit -qm two
git rebase -q topic
git worktree add -q ../tree topic
git -C ../tree status -sb
git stash list; git gc -q; git fsck --no-progress
git log --format=%s
ssh-keygen -q -t ed25519 -N '' -f k && ls k.pub
""", "--allow-domain", "git.test", "--read-file", keys / "id", "--read-file",
              keys / "known_hosts")
    assert got.out == "## topic\ntwo\none\nFirst commit\nk.pub\n", got
    assert got.err == "" and (home.work / "tree/one").exists()


# ---- a browser --------------------------------------------------------------

def test_chromium(egress):
    """With its own sandbox, for which the profile lets it make namespaces;
    root may not start it so."""
    need("chromium")
    with home_of("tester") as home:
        profile = home.profile("browser", {
            "egress_run": {"user_namespaces": True},
            "network": {"allow_domain": ["allowed.test"]},
            "workdir": {"access": "readwrite"}})
        command = ("chromium --headless --disable-gpu --user-data-dir=/tmp/c "
                   "--dump-dom http://allowed.test/ 2>log")
        got = run(home, command, "-p", profile)
        assert "OK allowed.test " in got.out, got
        got = run(home, command, "--allow-domain", "allowed.test")
        assert "OK" not in got.out, got
        assert "No usable sandbox" in (home.work / "log").read_text()


# ---- inside a shell ---------------------------------------------------------

def test_jobs_of_a_shell(home):
    got = run(home, "bash -c 'set -m; sleep 60 & kill -STOP %1; wait -n; "
              "jobs; kill -CONT %1; kill %1; wait %1; echo $?'")
    assert "Stopped" in got.out and got.out.endswith("143\n"), got
