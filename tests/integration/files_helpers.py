# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the command's files share: they ask from inside what is
at some paths, and what may be done there."""
import json

import lab
from escape_helpers import PYTHON

# By a profile, and nothing on stderr but warnings.
VIEW = ["--files", "profile", "-q"]

# "ENOENT", "link TARGET", "socket", or the kind with r and w as it may be
# read and written: "folder r-".
LOOK = r"""
import errno, json, os, stat, sys

def tries(function):
    try:
        function()
        return True
    except OSError:
        return False

def put(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.unlink(path)

def see(path):
    try:
        st = os.lstat(path)
    except OSError as e:
        return errno.errorcode[e.errno]
    if stat.S_ISLNK(st.st_mode):
        return "link " + os.readlink(path)
    if stat.S_ISSOCK(st.st_mode):
        return "socket"
    if stat.S_ISDIR(st.st_mode):
        read = tries(lambda: os.listdir(path))
        write = tries(lambda: put(path + "/.probe"))
        kind = "folder"
    else:
        read = tries(lambda: open(path, "rb").read(1))
        write = tries(lambda: os.close(os.open(path,
                                               os.O_WRONLY | os.O_APPEND)))
        kind = "device" if stat.S_ISCHR(st.st_mode) else "file"
    return kind + " " + "-r"[read] + "-w"[write]

print(json.dumps([see(path) for path in sys.argv[1:]]))
"""


def look(user, paths, args=(), **options):
    """What the command sees at each path."""
    paths = [str(path) for path in paths]
    got = lab.egress([*VIEW, *args, "--", PYTHON, "-c", LOOK, *paths],
                     user=user, **options)
    assert got.ok, got
    seen = json.loads(got.out)
    return seen[0] if len(paths) == 1 else seen


def look_outside(user, paths):
    got = lab.host([PYTHON, "-c", LOOK, *map(str, paths)], user=user)
    assert got.ok, got
    return json.loads(got.out)


def python(user, text, *argv, args=(), **options):
    """Runs a text inside; its stdout, stripped."""
    got = lab.egress([*VIEW, *args, "--", PYTHON, "-c", text,
                      *map(str, argv)], user=user, **options)
    assert got.ok, got
    return got.out.strip()


def shell(user, text, args=(), **options):
    """The same for sh; gives the lab.Result."""
    return lab.egress([*VIEW, *args, "--", "sh", "-c", text], user=user,
                      **options)
