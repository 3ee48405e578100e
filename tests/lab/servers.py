#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's small servers: servers.py internet GITROOT | servers.py host

internet, on every address:
  udp 123 443 853 5353 9999   sinks, each datagram logged
  tcp 853 9999                sink: says PWNED, logs what it reads
  tcp 7 echo, 9 discard (answers the byte count at end of file),
      10 reset (RST after the first byte), 11 stall (accepts, never reads)
  tcp 127.0.0.1:8081          backend of nginx: /upload, /drip, git over HTTP
host, what a workstation may have open:
  tcp 8000 on 0.0.0.0 and ::, tcp 8001 on 127.0.0.1 and ::1: HTTP, says PWNED
  udp 8002 on 0.0.0.0 and ::: echo
One line on stdout for everything that arrives: protocol, destination, source,
what. All in one loop; only the backend has threads.
"""
import asyncio
import contextlib
import functools
import hashlib
import http.server
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

MAX_LOGGED = 4096  # bytes of one message or connection
IP_PKTINFO, SO_RCVBUFFORCE = 8, 33  # missing from the socket module


def log(*words):
    print(*words, flush=True)


def show(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# ---- datagrams --------------------------------------------------------------

def destination(ancillary, port):
    """Where a datagram was sent to: the socket is bound to every address."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return socket.inet_ntop(socket.AF_INET, data[8:12]), port
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return socket.inet_ntop(socket.AF_INET6, data[:16]), port
    return "?", port


def on_datagram(sock, echo):
    """Everything that waits, so that the record keeps the order of arrival
    between ports as well as it can."""
    port = sock.getsockname()[1]
    with contextlib.suppress(BlockingIOError):
        while True:
            data, ancillary, _, source = sock.recvmsg(65535, 256)
            log("udp", show(destination(ancillary, port)), show(source),
                data[:MAX_LOGGED].hex())
            if echo:
                sock.sendmsg([data], ancillary, 0, source)


def udp(port, echo=False):
    loop = asyncio.get_running_loop()
    for family, any_address in ((socket.AF_INET, "0.0.0.0"),
                                (socket.AF_INET6, "::")):
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sock.bind((any_address, port))
        loop.add_reader(sock, on_datagram, sock, echo)


# ---- streams ----------------------------------------------------------------

async def echo_stream(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def discard_stream(reader, writer):
    size = 0
    while data := await reader.read(1 << 20):
        size += len(data)
    writer.write(b"%d\n" % size)


async def sink_stream(reader, writer):
    writer.write(b"PWNED\n")
    head = bytearray()
    while data := await reader.read(65536):
        head += data[:MAX_LOGGED - len(head)]
    log("tcp", show(writer.get_extra_info("sockname")),
        show(writer.get_extra_info("peername")), "read", head.hex())


async def reset_stream(reader, writer):
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))


async def stall_stream(reader, writer):
    writer.transport.pause_reading()
    await asyncio.sleep(3600)


async def pwned_http(reader, writer):
    line = await reader.readline()
    log("http", show(writer.get_extra_info("sockname")),
        show(writer.get_extra_info("peername")), line.hex())
    while await reader.readline() not in (b"\r\n", b"\n", b""):
        pass
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nPWNED\n")
    await writer.drain()


async def tcp(handler, port, *addresses):
    async def run(reader, writer):
        log("tcp", show(writer.get_extra_info("sockname")),
            show(writer.get_extra_info("peername")), "open")
        try:
            await handler(reader, writer)
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    for address in addresses or ("0.0.0.0", "::"):
        await asyncio.start_server(run, address, port, backlog=4096)


# ---- backend of nginx -------------------------------------------------------

class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, gitroot, *args):
        self.gitroot = gitroot
        super().__init__(*args)

    def log_message(self, *args):
        pass  # nginx logs

    def chunks(self):
        """The body, whether it came with a length or in chunks."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left and (data := self.rfile.read(min(left, 1 << 20))):
            left -= len(data)
            yield data

    def answer(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def upload(self, _query):
        """Answers size and SHA-256 of the body."""
        digest, size = hashlib.sha256(), 0
        for data in self.chunks():
            digest.update(data)
            size += len(data)
        self.answer(200, f"{size} {digest.hexdigest()}\n".encode())

    def drip(self, query):
        """n lines, ms milliseconds apart."""
        fields = urllib.parse.parse_qs(query)
        count = min(int(fields.get("n", ["5"])[0]), 10000)
        pause = min(int(fields.get("ms", ["100"])[0]), 10000) / 1000
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for n in range(count):
            self.wfile.write(b"line %d\n" % n)
            self.wfile.flush()
            time.sleep(pause)
        self.close_connection = True

    def git(self, path, query):
        """git-http-backend(1) as CGI, as the owner of the repositories."""
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.gitroot,
            "GIT_HTTP_EXPORT_ALL": "1",
            "HOME": self.gitroot,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_ADDR": "198.51.100.20",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = b"".join(self.chunks())
        env["CONTENT_LENGTH"] = str(len(body))
        owner = os.stat(self.gitroot)
        done = subprocess.run(["git", "http-backend"], input=body, env=env,
                              stdout=subprocess.PIPE, check=False,
                              cwd=self.gitroot, user=owner.st_uid, group=owner.st_gid,
                              extra_groups=[])
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1)
                      for line in head.decode("latin-1").split("\r\n") if line)
        status = int(fields.pop("Status", "200").split()[0])
        self.answer(status, content, fields.get("Content-Type", "text/plain"))

    def handle_any(self):
        path, _, query = self.path.partition("?")
        route = {"/upload": self.upload, "/drip": self.drip}.get(path)
        if route:
            route(query)
        else:
            self.git(path, query)

    do_GET = do_POST = do_PUT = handle_any


class BackendServer(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


# ---- start ------------------------------------------------------------------

async def internet(gitroot):
    backend = BackendServer(("127.0.0.1", 8081),
                            functools.partial(Backend, gitroot))
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    for port in 123, 443, 853, 5353, 9999:
        udp(port)
    for port, handler in ((7, echo_stream), (9, discard_stream),
                          (10, reset_stream), (11, stall_stream),
                          (853, sink_stream), (9999, sink_stream)):
        await tcp(handler, port)
    await asyncio.Event().wait()


async def host():
    udp(8002, echo=True)
    await tcp(pwned_http, 8000)
    await tcp(pwned_http, 8001, "127.0.0.1", "::1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    role = {"internet": internet, "host": host}[sys.argv[1]]
    asyncio.run(role(*sys.argv[2:]))
