# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients do all that they do over HTTP, as if nothing were in the way:
what each prints inside is what it prints on the host, the control. And each
fails soon and plainly where it asks the same address for another name.

That other name, evil2.test, shares the address of allowed.test. It is allowed
on a port that nobody uses, so that it resolves, and what keeps the client from
it is the check of the names inside connections.
"""
import shutil
import subprocess

import pytest

import lab
from relay_helpers import PYTHON

SOURCES = lab.TREE / "tests/integration/clients"
HOST, OTHER = "allowed.test", "evil2.test"
ALLOWED = ["--allow-domain", HOST, "--allow-domain", "second.test",
           "--allow-domain", f"{OTHER}:9"]
SIZE = 3_000_000


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
