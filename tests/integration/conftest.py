# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the integration tests, which run as root inside tests/lab/lab."""
import os
import pathlib
import signal
import tempfile

import pytest

if "LAB" not in os.environ or os.geteuid() != 0:
    pytest.exit("run me as: tests/lab/lab /usr/bin/python3 -m pytest "
                "tests/integration", returncode=2)

import lab  # noqa: E402  (needs the lab's environment)

# What the caller ignores stays ignored: under nohup nothing would end by it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(params=["root", "tester"])
def who(request):
    """The test runs once as root and once as an ordinary user."""
    return request.param


@pytest.fixture(scope="session")
def egress():
    """egress(args, user=, timeout=, stdin=, env=, cwd=) -> lab.Result."""
    lab.install_egress_run()
    return lab.egress


@pytest.fixture
def host():
    """The control: the same command, same user, not confined."""
    return lab.host


@pytest.fixture
def far():
    """The far ends' records, from now on."""
    return lab.Far()


@pytest.fixture
def etc():
    """etc(name, text) writes a file of the host's /etc; undone afterwards."""
    before = {}

    def write(name, text):
        path = pathlib.Path("/etc") / name
        before.setdefault(path, path.read_text())
        path.write_text(text)

    yield write
    for path, text in before.items():
        path.unlink(missing_ok=True)
        path.write_text(text)


@pytest.fixture
def share():
    """A new directory that every account can read and write."""
    with tempfile.TemporaryDirectory(dir=lab.LAB / "tmp") as path:
        os.chmod(path, 0o777)
        yield pathlib.Path(path)
