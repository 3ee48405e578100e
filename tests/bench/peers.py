# SPDX-License-Identifier: GPL-2.0-or-later
"""The candidates: how each of them runs a command, as an ordinary user."""
import functools
import json
import re
import shlex
import shutil
import subprocess

from measure import NONE, OURS, CannotRun
from world import BIN, BUILD, LAB, run

EGRESS_RUN = BIN / "egress-run"
SRT = LAB / "npm/node_modules/.bin/srt"
NET_OPTIONS = ["-q", "--files", "host", "--allow-domain", "*.bench.test"]

# slirp4netns attaches to a process that has a namespace already.
SLIRP = """#!/bin/sh
t=$(mktemp -d) || exit 1
mkfifo "$t/pid" "$t/ready"
unshare -Urn sh -c 'echo $$ >"$0/pid"; read x <"$0/ready"; exec "$@"' \\
	"$t" "$@" &
read -r pid <"$t/pid"
slirp4netns -c -m 65520 -r 3 "$pid" tap0 3>"$t/ready" >"$t/log" 2>&1 &
slirp=$!
wait %1
status=$?
kill $slirp
rm -r "$t"
exit $status
"""


def needs(program, command):
    if not shutil.which(str(program)):
        raise CannotRun(f"{program} is not installed")
    return command


def schedar(command, *options):
    return [EGRESS_RUN, "-q", "--profile", "schedar", *options, "--", *command]


def network(command):
    """egress-run for the benchmarks of the network alone."""
    return [EGRESS_RUN, *NET_OPTIONS, "--", *command]


@functools.cache
def grants():
    """(writable, path) of everything that schedar grants here."""
    out = run(schedar(["true"])[:4] + ["--dry-run", "--", "true"])
    found = re.findall(r"^grant:\s+(\S+)\s+(?:file )?(\S+)", out, re.M)
    return sorted({(path, "w" in rights) for rights, path in found})


def bwrap(command):
    """The folders of schedar's view, /proc, /dev and a private /tmp."""
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc",
             "--dev", "/dev", "--tmpfs", "/tmp"]
    for path, write in grants():
        if not path.startswith(("/dev", "/proc", "/tmp")):
            words += ["--bind" if write else "--ro-bind", path, path]
    for link in ("bin", "sbin", "lib", "lib64"):
        if f"/{link}" not in words:
            words += ["--symlink", f"usr/{link}", f"/{link}"]
    return needs("bwrap", [*words, "--", *command])


def firejail(command):
    return needs("firejail", ["firejail", "--quiet", "--net=none", "--",
                              *command])


def unshare(command):
    return ["unshare", "--user", "--map-current-user", "--net", "--mount",
            "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--", *command]


def pasta(command):
    return needs("pasta", ["pasta", "--config-net", "-q", "--", *command])


def slirp(command):
    needs("slirp4netns", None)
    script = LAB / "slirp"
    if not script.exists():
        script.write_text(SLIRP)
        script.chmod(0o755)
    return [script, *command]


def srt(command):
    source = BUILD / "bench/npm"
    if not source.exists():
        raise CannotRun("npm install @anthropic-ai/sandbox-runtime failed")
    if not SRT.exists():
        shutil.copytree(source, LAB / "npm", symlinks=True)
        (LAB / "srt.json").write_text(json.dumps({
            "network": {"allowedDomains": ["*.bench.test"],
                        "deniedDomains": []},
            "filesystem": {"denyRead": [], "allowWrite": ["."],
                           "denyWrite": []}}))
    return [SRT, "--settings", LAB / "srt.json", "-c",
            shlex.join(map(str, command))]


def none(command):
    return list(command)


STARTERS = {OURS: schedar, "bwrap": bwrap, "firejail": firejail,
            "unshare": unshare, "pasta": pasta, "slirp4netns": slirp,
            "sandbox-runtime": srt, NONE: none}
NETWORKS = {OURS: network, "pasta": pasta, "slirp4netns": slirp, NONE: none}

VERSIONS = {
    "bwrap": ["bwrap", "--version"], "firejail": ["firejail", "--version"],
    "pasta": ["dpkg-query", "-Wf", "${Version}", "passt"],
    "slirp4netns": ["slirp4netns", "--version"],
    "dnsmasq": ["dnsmasq", "--version"], "unbound": ["unbound", "-V"],
    "tinyproxy": ["tinyproxy", "-v"], "node": ["node", "--version"],
    "unshare": ["unshare", "--version"], OURS: [EGRESS_RUN, "--version"]}


def versions():
    found = {}
    for name, cmd in VERSIONS.items():
        try:
            got = subprocess.run(cmd, capture_output=True, text=True,
                                 check=False, timeout=10)
            match = re.search(r"\b\d[\w.~+-]*\.[\w.~+-]*",
                              got.stdout + got.stderr)
            found[name] = match[0] if match else "?"
        except (OSError, subprocess.TimeoutExpired):
            found[name] = "missing"
    package = (BUILD / "bench/npm/node_modules/@anthropic-ai/sandbox-runtime"
               / "package.json")
    if package.exists():
        found["sandbox-runtime"] = json.loads(package.read_text())["version"]
    return found
