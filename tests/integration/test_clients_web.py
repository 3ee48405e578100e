# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients do all that they do over HTTP, as if nothing were in the way:
what each prints inside is what it prints on the host, the control. And each
fails soon and plainly where it asks the same address for another name.

That other name, evil2.test, shares the address of allowed.test. It is allowed
on a port that nobody uses, so that it resolves, and what keeps the client from
it is the check of the names inside connections.
"""
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import zipfile

import pytest

import lab
from relay_helpers import PYTHON

SOURCES = lab.TREE / "tests/integration/clients"
HOST, OTHER = "allowed.test", "evil2.test"
ALLOWED = ["--allow-domain", HOST, "--allow-domain", "second.test",
           "--allow-domain", f"{OTHER}:9"]
SIZE = 3_000_000
# Runs what follows once the address is open.
ADMIT = ["sh", "-c", f'getent ahosts {HOST} >/dev/null; exec "$@"', "sh"]


@pytest.fixture(scope="module", autouse=True)
def server():
    """server.js, on every address of the internet."""
    with lab.started([lab.IN_INTERNET, "node", SOURCES / "server.js", "8080",
                      "8082"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield


@pytest.fixture(scope="module")
def built(egress):
    """Where the clients are; those that are compiled are, without a network.
    """
    place = lab.LAB / "web-clients"
    shutil.copytree(SOURCES, place)
    env = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off",
           "GOCACHE": str(lab.LAB / "go"), "GOPATH": str(place / "path")}
    for words in (["go", "build", "-o", place / "go", SOURCES / "all_fetch.go"],
                  ["javac", "-d", place, SOURCES / "AllFetch.java",
                   SOURCES / "Fetch.java"]):
        if shutil.which(words[0]):
            done = lab.host(words, env=env, timeout=120, cwd=place)
            assert done.ok, done.err
    return place


CURL = "curl -sS -m20 --fail "
WEB = """
c() {{ {curl} "$@" || echo "failed $*"; }}
h={host} b=http://{host}:8080
head -c {size} /dev/zero >"$TMPDIR/up.$$"
trap 'rm -f "$TMPDIR/up.$$"' EXIT
for u in http://$h https://$h; do
  c $u/ $u/ $u/
  c -T "$TMPDIR/up.$$" $u/upload
  c -T - $u/upload <"$TMPDIR/up.$$"
  c -H 'Expect: 100-continue' --data-binary "@$TMPDIR/up.$$" $u/upload
  c -r 5-2000 $u/random | sha256sum
  c -I $u/random | grep -i content-length
  c -z '2001-01-01' -o /dev/null -w '%{{http_code}}\\n' $u/random
  c -o /dev/null -w '%{{http_code}}\\n' -H "If-Modified-Since: $(
    curl -sI $u/random | sed -n 's/Last-Modified: //p' | tr -d '\\r')" $u/random
  c --http1.1 --compressed $u/
done
c --http1.0 http://$h/ http://$h/
c --http2 http://$h/ http://$h/
c --http2 -d x http://$h/upload
c --http2-prior-knowledge http://$h:8082/echo
c --http2-prior-knowledge -T "$TMPDIR/up.$$" http://$h:8082/echo
c --tls-max 1.2 https://$h/
c -L $b/redirect
c -L -X PUT -d x $b/again
c -N $b/events
c $b/poll
c $b/trailers
c -H 'TE: trailers' -H 'Connection: TE, keep-alive' $b/echo
c -H "X-Note: caf\u00e9 \u00e0 la carte" $b/echo
c "http://$h/upload?na\u00efve=\u00e0" -d x
c -F a=b -F c=d -o /dev/null $b/echo
c -X PROPFIND -H 'Depth: 1' $b/echo
c --tr-encoding $b/echo
c -L -H 'X-Note: second.test' $b/away
echo done
"""
WGET = """
w() {{ wget -q -T10 -t1 -O- "$@" || echo "failed $*"; }}
w http://{host}/ http://{host}/ https://{host}/
w --start-pos=8388000 http://{host}/random | sha256sum
w http://{host}:8080/redirect
w --method=PUT --body-data=hello http://{host}:8080/again
w --header='X-Note: x' http://{host}:8080/echo
w -S --spider http://{host}/random 2>&1 | grep -i length
echo done
"""


CLIENTS = {
    "curl": lambda host, size, _: ["bash", "-c", WEB.format(
        host=host, size=size, curl=CURL)],
    "wget": lambda host, size, _: ["bash", "-c", WGET.format(host=host)],
    **{f"python-{x}": lambda host, size, built, x=x: [
        PYTHON, built / "fetch_all.py", x, host, size]
       for x in ("http.client", "urllib", "requests", "aiohttp", "websockets")},
    **{f"node-{x}": lambda host, size, built, x=x: [
        "node", built / "fetch_all.js", x, host, size]
       for x in ("fetch", "http", "https", "http2")},
    "java": lambda host, size, built: [
        "java", "-XX:TieredStopAtLevel=1", "-cp", built, "AllFetch", host, size],
    "go": lambda host, size, built: [built / "go", host, size],
    "perl": lambda host, size, built: ["perl", built / "fetch_all.pl", host, size],
}
MODULES = {"python-requests": "requests", "python-aiohttp": "aiohttp",
           "python-websockets": "websockets", "perl": "LWP"}


def needs(client, words):
    if not shutil.which(str(words[0])):
        pytest.skip(f"{words[0]} is not installed here")
    if module := MODULES.get(client):
        probe = {"perl": [f"-M{module}", "-e1"]}.get(
            client, ["-c", f"import {module}"])
        if not lab.host([words[0], *probe]).ok:
            pytest.skip(f"no {module} here")


@pytest.mark.parametrize("client", CLIENTS)
def test_works_as_outside(egress, host, built, client):
    words = CLIENTS[client](HOST, SIZE, built)
    needs(client, words)
    control = host(words, user="tester", timeout=60)
    assert control.out.endswith("done\n"), control
    assert "failed" not in control.out, control.out
    got = egress([*ALLOWED, "--", *words], user="tester", timeout=60)
    assert got.out == control.out, got.err
    assert got.err == control.err


def test_large_upload(egress, host, far):
    """100 MB, with a length and in chunks, from a client that asks first."""
    script = ("set -e; head -c 100000000 /dev/zero | curl -sS --fail -m60 -T - "
              f"http://{HOST}/upload; f=$TMPDIR/large.$$; "
              "trap 'rm -f $f' EXIT; head -c 100000000 /dev/zero >$f; "
              f"curl -sS --fail -m60 -H 'Expect: 100-continue' -T $f "
              f"http://{HOST}/upload")
    control = host(["bash", "-c", script], user="tester", timeout=60)
    assert control.out.count("100000000 ") == 2, control
    got = egress([*ALLOWED, "--", "bash", "-c", script], user="tester",
                 timeout=60)
    assert (got.out, got.err) == (control.out, ""), got.err
    assert len(far.http(HOST)) == 4


# ---- the other name ---------------------------------------------------------

# Words, and what the client itself says. Each is told of a reset.
RESET = r"(?i)reset|ECONNRESET"
REFUSED = {
    "curl": (["curl", "-sS", "http://{0}/"], RESET),
    "curl-tls": (["curl", "-sS", "https://{0}/"], RESET),
    "curl-http2": (["curl", "-sS", "--http2-prior-knowledge",
                    "http://{0}:8082/echo"], "(?i)reset|receiving"),
    "curl-h2c": (["curl", "-sS", "--http2", "http://{0}/"], RESET),
    "wget": (["wget", "-t1", "-O-", "http://{0}/"], RESET),
    "python": ([PYTHON, "{built}/fetch_all.py", "get", "{0}", "0"], RESET),
    "python-requests": ([PYTHON, "-c", "import requests, sys; "
                         "print(requests.get(sys.argv[1]).text)",
                         "http://{0}/"], RESET),
    "node": (["node", "{built}/fetch_all.js", "get", "{0}", "0"], RESET),
    "java": (["java", "-XX:TieredStopAtLevel=1", "-cp", "{built}", "AllFetch",
              "{0}"], RESET),
    "go": (["{built}/go", "{0}"], RESET),
    "perl": (["perl", "{built}/fetch_all.pl", "{0}"], RESET),
    "git": (["git", "ls-remote", "https://{0}/repo.git"], RESET),
    "openssl": (["openssl", "s_client", "-connect", "{0}:443", "-servername",
                 "{0}"], "(?i)errno=104|reset"),
}


@pytest.mark.parametrize("client", REFUSED)
def test_other_name(egress, host, far, built, client):
    """Reached from the host; inside an error at once, which the client tells
    in its way and the summary by name, and nothing at the far end."""
    spec, said = REFUSED[client]
    words = [x.format(OTHER, built=built) for x in spec]
    needs(client, words)
    control = host(words, user="tester")
    assert (far.http(OTHER) or f'"host":"{OTHER}:8082"' in control.out
            or "CN = evil" in control.out)
    far.mark()
    got = egress([*ALLOWED, "--", *ADMIT, *words], user="tester", timeout=20)
    assert not got.ok and "PWNED" not in got.out
    assert got.seconds < 5
    theirs, _, ours = got.err.partition("egress-run: blocked:")
    assert re.search(said, theirs), got.err
    assert re.search(rf"{OTHER} at .* \((TLS|HTTP|HTTP/2): name not allowed\)", ours)
    assert not far.http()
    sent = far.wire(r"\.(80|443|8082): Flags \[P")
    if client == "curl-http2":
        # A client may wait for the server's SETTINGS before it asks (RFC
        # 9113, 3.4): its preface, SETTINGS and WINDOW_UPDATE may pass, alone.
        sent = [x for x in sent if " seq 0:64, " not in x and
                " seq 1:65, " not in x]
    assert not sent


# ---- package managers -------------------------------------------------------

def debian_package(where):
    """A package, and the files of a mirror that has it."""
    tree = where / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = ("Package: tiny\nVersion: 1.0\nArchitecture: all\n"
               "Maintainer: Nobody <nobody@allowed.test>\n"
               "Description: nothing\n")
    (tree / "DEBIAN/control").write_text(control)
    (tree / "file").write_text("content of tiny\n" * 1000)
    done = lab.host(["dpkg-deb", "-b", tree, where / "tiny.deb"])
    assert done.ok, done.err
    data = (where / "tiny.deb").read_bytes()
    (where / "Packages").write_text(
        f"{control}Filename: ./tiny.deb\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n")


def npm_package(where):
    content = json.dumps({"name": "tiny", "version": "1.0.0"}).encode()
    with tarfile.open(where / "tiny.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha1((where / "tiny.tgz").read_bytes()).hexdigest()
    (where / "tiny").write_text(json.dumps({
        "name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {
            "1.0.0": {"name": "tiny", "version": "1.0.0", "dist": {
                "tarball": f"http://{HOST}/npm/tiny.tgz",
                "shasum": digest}}}}))


def pip_package(where):
    name = "tiny-1.0-py3-none-any.whl"
    (where / "tiny").mkdir()
    with zipfile.ZipFile(where / "tiny" / name, "w") as wheel:
        wheel.writestr("tiny.py", "x = 1\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA",
                       "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n"
                       "Root-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    (where / "tiny/index.html").write_text(
        f"<!DOCTYPE html><a href='{name}'>{name}</a>")


# A shell script each, in a folder of its own; DIR and NAME are set.
MANAGERS = {
    "apt": (debian_package, """
mkdir -p state/lists/partial cache/archives/partial
echo "deb [trusted=yes] http://$NAME/apt ./" >list
set -- -q -o Dir::State=$PWD/state -o Dir::Cache=$PWD/cache -o Debug::NoLocking=1 \
  -o Dir::Etc::sourcelist=$PWD/list -o Dir::Etc::sourceparts=/dev/null \
  -o Acquire::Languages=none -o Acquire::Retries=0
apt-get "$@" --error-on=any update && apt-get "$@" download tiny &&
dpkg-deb --fsys-tarfile tiny_1.0_all.deb | tar xO ./file | tail -n1
""", "content of tiny", "Connection failed"),
    "npm": (npm_package, """
npm install --no-audit --no-fund --no-update-notifier --fetch-retries=0 \
  --cache $PWD/cache --registry http://$NAME/npm/ tiny &&
cat node_modules/tiny/package.json
""", '"name": "tiny"', RESET),
    "pip": (pip_package, f"""
{PYTHON} -m pip --disable-pip-version-check install --no-cache-dir \
  --retries 0 --index-url http://$NAME/pip/ --trusted-host $NAME \
  --target $PWD/to tiny && cat to/tiny.py
""", "x = 1", "No matching distribution"),
}
TOOLS = {"apt": ["apt-get", "-v"], "npm": ["npm", "-v"],
         "pip": [PYTHON, "-m", "pip", "-V"]}


@pytest.mark.parametrize("manager", MANAGERS)
def test_package_manager(egress, host, far, share, manager):
    """A small mirror works; under the other name there is none, at once."""
    publish, script, wanted, said = MANAGERS[manager]
    if not shutil.which(TOOLS[manager][0]) or not host(TOOLS[manager]).ok:
        pytest.skip(f"no {manager} here")
    place = lab.LAB / "www" / manager
    place.mkdir()
    publish(place)

    def script_for(name):
        where = share / f"{name}.{len(list(share.iterdir()))}"
        where.mkdir(mode=0o777)
        where.chmod(0o777)
        return ["bash", "-c", f"cd {where}; NAME={name}; {script}"]

    def run(name):
        return egress([*ALLOWED, "-a", share, "--", *ADMIT, *script_for(name)],
                      user="tester", timeout=30)

    for got in host(script_for(HOST), user="tester", timeout=30), run(HOST):
        assert wanted in got.out, got.out + got.err
        assert "egress-run" not in got.err
    assert host(script_for(OTHER), user="tester", timeout=30)
    assert far.http(OTHER)
    far.mark()
    got = run(OTHER)
    assert not got.ok and got.seconds < 8
    theirs, _, ours = got.err.partition("egress-run: blocked:")
    assert re.search(said, got.out + theirs), got.out + got.err
    assert f"{OTHER} at " in ours and "(HTTP: name not allowed)" in ours
    assert not far.http()
