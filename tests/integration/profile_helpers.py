# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles of the tests: written where a user would have them, and gone
afterwards."""
import json
import os
import pathlib
import shutil

import lab

# A profile as people have it, in nono's older schema.
SCHEDAR = pathlib.Path(__file__).resolve().parent / "data/schedar.json"


class Home:
    """Folders below a user's home, with nothing in them but what a test
    puts there."""

    def __init__(self, user):
        self.user = lab.USERS[user]
        self.name = user
        self.config = self.user.home / ".config"
        self.work = self.user.home / "work"
        for path in self.config, self.work:
            assert not path.exists(), path
        self.folder(self.work)

    def _own(self, path):
        os.chown(path, self.user.uid, self.user.gid)

    def folder(self, path):
        missing = [x for x in (path, *path.parents) if not x.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700)
            self._own(each)
        return path

    def write(self, path, content, mode=0o600):
        """content: text, or what json.dumps() takes."""
        path = self.user.home / path
        self.folder(path.parent)
        path.write_text(content if isinstance(content, str)
                        else json.dumps(content, indent=1))
        path.chmod(mode)
        self._own(path)
        return path

    def profile(self, name, content, tool="egress-run"):
        return self.write(f".config/{tool}/profiles/{name}.json", content)

    def remove(self):
        for path in self.config, self.work:
            shutil.rmtree(path, ignore_errors=True)
