# SPDX-License-Identifier: GPL-2.0-or-later
"""File access inside beside outside; the start itself is not in the times."""
import functools
import shutil
import subprocess

import peers
from measure import NONE, Row, alternate
from world import BIN, HOME, TREE, UID, run_json

NAMES = ("egress-run", "bwrap", NONE)
IN_FOLDER = 100  # files of the tree for git
COMPILED = "common"  # the folder of this project that is compiled


def start(name, command):
    if name == "egress-run":
        return peers.schedar(command, "--read", "/usr/include", "--read", BIN,
                             "--allow", HOME / "tree",
                             "--allow", HOME / "project")
    if name == "bwrap":
        words = peers.bwrap(command)
        extra = ["--setenv", "TMPDIR", "/tmp"]
        for path in ("/usr/include", BIN):
            extra += ["--ro-bind", path, path]
        for path in (HOME / "tree", HOME / "project"):
            extra += ["--bind-try", path, path]
        at = words.index("--")
        return [*words[:at], *extra, *words[at:]]
    return peers.STARTERS[name](command)


def git_tree(count):
    tree = HOME / "tree"
    if tree.exists():
        return tree
    for folder in range(count // IN_FOLDER):
        path = tree / f"part{folder % 20}" / f"folder{folder}"
        path.mkdir(parents=True)
        for i in range(IN_FOLDER):
            (path / f"file{i}.c").write_text(f"int value{i};\n")
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", "-C", tree, *words], check=True)
    own(tree)
    return tree


def own(path):
    subprocess.run(["chown", "-R", f"{UID}:{UID}", path], check=True)


def project():
    path = HOME / "project"
    if not path.exists():
        path.mkdir()
        for name in ("Makefile", "common", "profiles"):
            source = TREE / name
            if source.is_dir():
                shutil.copytree(source, path / name)
            else:
                shutil.copy(source, path)
        own(path)
    return path


def in_milliseconds(name, command, cwd):
    """The command by a timer that runs inside."""
    got = run_json(start(name, [BIN / "timed", "run", "1", "1", *command]),
                   cwd=cwd, timeout=300)
    return got["us"][0] / 1000


def open_close(size, path, name):
    return run_json(start(name, [BIN / "timed", "open", path,
                                 str(size.opens)]))["ns"]


def files(size):
    tree, source = git_tree(size.tree), project()
    objects = " ".join(f"build-bench/{COMPILED}/{f.stem}.o"
                       for f in sorted((source / COMPILED).glob("*.c")))
    compile_it = ["sh", "-c", f"rm -rf build-bench && make -s -j2 "
                  f"BUILD=build-bench {objects}"]
    rows = []
    for key, what, command, cwd, repetitions, limit in (
            ("git", f"`git status` in a tree of {size.tree:,} files",
             ["git", "-C", tree, "status", "--porcelain"], tree,
             size.repetitions, 1.1),
            ("compile", f"compile of this project's {COMPILED}/ (make -j2)",
             compile_it, source, size.some, 1.05)):
        values, missing = alternate(
            {n: functools.partial(in_milliseconds, n, command, cwd)
             for n in NAMES}, repetitions, size.seconds)
        rows.append(Row(f"files-{key}", what, "ms", True, values,
                        missing).times(NONE, "<=", limit))
    values, missing = alternate(
        {n: functools.partial(open_close, size, "/etc/ld.so.cache", n)
         for n in NAMES}, size.repetitions, size.seconds)
    rows.append(Row("files-open", "open and close of a file", "ns", True,
                    values, missing).added(NONE, 900))
    return rows
