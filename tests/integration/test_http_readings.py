# SPDX-License-Identifier: GPL-2.0-or-later
"""Every HTTP/1 message that the relay's reader lets through is read by real
servers as the same requests, for the same hosts, in the same order.  A server
may refuse more; it must never see a request that the reader did not tell."""
import http.server
import json
import pathlib
import random
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

try:
    import h11
except ImportError:
    h11 = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("tests/integration/clients/http1_told.c relay/http1.c "
           "relay/http1head.c relay/http1field.c relay/authority.c "
           "profiles/hostname.c profiles/idna.c common/addr.c common/text.c "
           "common/err.c").split()
MESSAGES = 1500
DEADLINE = 20

NGINX = """
daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
user root;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
    fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    underscores_in_headers on; ignore_invalid_headers off;
    server {{
        listen unix:{dir}/socket;
        location / {{ add_header Told $http_host; add_header Told $host;
                      return 200 ok; }}
    }}
}}
"""

NODE = """
const http = require("http");
for (const [path, lenient, upgrades] of %s) {
  const server = http.createServer({ insecureHTTPParser: lenient, keepAliveTimeout: 0,
                      requireHostHeader: false }, (q, r) => {
    q.resume();
    q.on("end", () => { r.setHeader("Told", q.headers.host || "none");
                        r.end("ok"); });
  });
  if (upgrades)
    server.on("upgrade", (q, s) => s.destroy());
  server.listen(path);
}
"""

METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"M-SEARCH"]
TARGETS = [b"/", b"//b.test/x", b"/a?b={c}|\\\"^", b"*", b"http://a.test/",
           b"http://b.test:80/y", b"http://a.test?q", b"HTTP://A.test", b"/#x",
           b"/a%00b", b"http://x@b.test/",
           b"/\xc3\xa0", b"/\xa0HTTP/0.9", b"/\x85Host:b.test", b"/%s" % (b"x" * 3000)]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/1.1 ", b"HTTP/2.0"]
HOSTS = [b"a.test", b"b.test", b"A.Test.", b"a.test:80", b"b.test:8080",
         b"[2001:db8::1]:80", b"192.0.2.1", b"a_b.test", b"a.test,b.test", b""]
FIELDS = [b"X: y", b"X:", b"X:\ty z\t", b"Content-Length: 0",
          b"Content-Length: 5", b"Content-Length: 005", b"Content-Length: 5 ",
          b"Content-Length: +5", b"Content_Length: 5",
          b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked",
          b"Transfer-Encoding: x, chunked", b"Transfer-Encoding : chunked",
          b"Connection: close", b"Connection: keep-alive, TE",
          b"Connection: Host", b"Expect: 100-continue", b"Upgrade: h2c",
          b"Host: b.test", b"X_Host: b.test", b" folded", b"X: \x85Host: b.test",
          b"X: y\nHost: b.test", b"X: y\rHost: b.test", b"X\0: y", b"X.Y: z",
          "X: \xe0 la carte \u2028Host: b.test".encode(), b"X: \xa0\xe9"]
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: evil.test\r\n\r\n"
BODIES = [b"", b"", b"hello", b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n",
          b"00005\r\nhello\r\n0\r\n\r\n", b"5;x\r\nhello\r\n0\r\n\r\n",
          b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", HIDDEN, HIDDEN[:5],
          b"0\r\nX: y\r\nHost: evil.test\r\n\r\n",
          b"0\r\nX: /hidden HTTP/1.1\r\nX-Y: z\r\n\r\n",
          b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)]


def one(rng):
    """A request that is mostly sound; its body may not fit its head."""
    odd = rng.random() < 0.3
    pick = (lambda all_, n: rng.choice(all_ if odd else all_[:n]))
    fields = [b"Host: " + pick(HOSTS, 6)]
    end = rng.choice([b"\n", b"\r\r\n", b"\r\n"]) if odd else b"\r\n"
    body = rng.choice(BODIES)
    kind = rng.randrange(4)
    if kind == 1 and body:
        fields.append(b"Content-Length: %d" % len(body))
    elif kind == 2:
        fields.append(b"Transfer-Encoding: chunked")
        body = rng.choice([BODIES[5], BODIES[8], BODIES[-1], body])
    elif kind == 3 and odd:
        fields += rng.sample(FIELDS, rng.randint(1, 3))
    elif not odd:
        body = b""
    if rng.random() < 0.3:
        fields.append(rng.choice(FIELDS if odd else FIELDS[:3]))
    rng.shuffle(fields)
    line = b" ".join([pick(METHODS, 5), pick(TARGETS, 3), pick(VERSIONS, 8)])
    blank = b"\r\n" * (rng.random() < 0.1)
    return blank + b"\r\n".join([line] + fields) + end + b"\r\n" + body


def messages():
    rng = random.Random(2026)
    return [b"".join(one(rng) for _ in range(rng.randint(1, 3)))
            for _ in range(MESSAGES)]


def normal(host):
    host = host.strip().lower()
    host = re.sub(r":\d+$", "", host) if not host.endswith("]") else host
    return host.strip("[]").removesuffix(".")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """told(messages) -> [(bytes cleared, hosts, reason)] of the reader."""
    program = tmp_path_factory.mktemp("told") / "told"
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", f"-I{ROOT}",
                    "-o", program, *(ROOT / s for s in SOURCES), "-ldl"],
                   check=True, timeout=120)

    def run(all_):
        data = b"".join(b"%d\n%s" % (len(m), m) for m in all_)
        out = subprocess.run([program], input=data, stdout=subprocess.PIPE,
                             check=True, timeout=60).stdout.decode()
        result = []
        for line in out.splitlines():
            line, _, reason = line.partition(" ! ")
            cleared, *hosts = line.split(" ")
            result.append((int(cleared), hosts, reason))
        assert len(result) == len(all_)
        return result

    return run


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        if "Transfer-Encoding" in self.headers:
            self.send_error(501)
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Told", self.headers.get("Host", "none"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = answer

    def log_message(self, *_):
        pass


class Python(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "test", 0

    def get_request(self):
        return self.socket.accept()[0], ("unix", 0)

    def handle_error(self, *_):
        pass


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """{name: socket path}"""
    path = tmp_path_factory.mktemp("servers")
    (path / "nginx.conf").write_text(NGINX.format(dir=path))
    sockets = {"nginx": path / "socket", "node": path / "node",
               "node, lenient": path / "lenient",
               "node, declining": path / "declining", "python": path / "python"}
    script = NODE % json.dumps([[str(path / "node"), False, True],
                                [str(path / "lenient"), True, True],
                                [str(path / "declining"), True, False]])
    running = [subprocess.Popen(["nginx", "-c", path / "nginx.conf"]),
               subprocess.Popen([shutil.which("node"), "-e", script])]
    server = Python(str(sockets["python"]), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    until = time.monotonic() + DEADLINE
    while not all(s.exists() for s in sockets.values()):
        assert time.monotonic() < until and not any(p.poll() for p in running)
        time.sleep(0.02)
    yield sockets
    server.shutdown()
    server.server_close()
    for process in running:
        process.terminate()
        process.wait(DEADLINE)


def answers(path, data):
    """The hosts of the requests that a server answered with success."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE)
        s.connect(str(path))
        got = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                got += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    heads = re.findall(rb"HTTP/1\.[01] 200 [^\r]*\r\n(.*?)\r\n\r\n", got, re.S)
    told = [re.findall(rb"^Told: ([^\r]*)", head, re.M) for head in heads]
    for names in told:
        assert len({normal(n.decode()) for n in names}) == 1, names
    return [normal(names[0].decode()) for names in told]


def test_servers_read_the_same(told, servers):
    sent = messages()
    results = told(sent)
    agreed = dict.fromkeys(servers, 0)
    for message, (cleared, hosts, _) in zip(sent, results):
        for name, path in servers.items():
            if cleared == 0:
                continue
            seen = answers(path, message[:cleared])
            assert seen == hosts[:len(seen)], (name, message, hosts)
            agreed[name] += seen == hosts
    # Neither everything nor nothing gets through, and servers do read it.
    passed = sum(not reason for _, _, reason in results)
    assert MESSAGES / 4 < passed < MESSAGES
    assert all(n > passed / 3 for n in agreed.values()), (agreed, passed)
    print(passed, agreed)


@pytest.mark.skipif(h11 is None, reason="python3-h11 is not there")
def test_h11_reads_the_same(told):
    sent = messages()
    for message, (cleared, hosts, _) in zip(sent, told(sent)):
        # No bytes would mean the end to it.
        seen = h11_hosts(message[:cleared]) if cleared else []
        assert seen == hosts[:len(seen)], (message, hosts)


def h11_hosts(data):
    hosts = []
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(data)
    try:
        while True:
            event = conn.next_event()
            if isinstance(event, h11.Request):
                host = dict(event.headers).get(b"host", b"none")
                hosts.append(normal(host.decode()))
            elif isinstance(event, h11.EndOfMessage):
                conn.send(h11.Response(status_code=200, headers=[
                    ("Content-Length", "0")]))
                conn.send(h11.EndOfMessage())
                conn.start_next_cycle()
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return hosts
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        return hosts


def test_what_is_refused_is_read_differently(told, servers):
    """The control: there are such messages, and none of them passes."""
    message = (b"POST / HTTP/1.1\r\nHost: a.test\r\nContent_Length: %d\r\n\r\n"
               % len(HIDDEN)) + HIDDEN
    both = (b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            % (len(HIDDEN) + 5)) + HIDDEN
    results = told([message, both])
    assert [r[:2] for r in results] == [(0, []), (0, [])]
    seen = {tuple(answers(p, m)) for p in servers.values()
            for m in (message, both)}
    assert any("evil.test" in hosts for hosts in seen) and len(seen) > 1


@pytest.mark.parametrize("frame", [b"\x81\x80", b"\x41\xff", b"\x0a\x85",
                                   b"\x01\xa0"])
def test_frame_is_no_request(told, servers, frame):
    """Behind a request for websocket, not the first of its connection, what
    begins like a frame passes whatever the server answered. To a server that
    goes on with HTTP it is no request, and what follows is none."""
    ask = b"GET /%d HTTP/1.1\r\nHost: a.test\r\n%s\r\n"
    upgrade = (b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
               b"Sec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    for tail in b"", b"\r\n", b" / HTTP/1.1\r\n\r\n", b"\r\n\r\n":
        message = ask % (1, b"") + ask % (2, upgrade) + frame + tail + HIDDEN
        (cleared, hosts, _), = told([message])
        assert hosts == ["a.test", "a.test"]
        assert cleared == len(message) - len(tail + HIDDEN)
        for name in "nginx", "node, declining", "python":
            seen = answers(servers[name], message)
            assert seen == hosts, (name, seen)
