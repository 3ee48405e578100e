# SPDX-License-Identifier: GPL-2.0-or-later
"""fetch_all.py CLIENT HOST SIZE: what Python's clients do, told in lines."""
import asyncio
import hashlib
import http.client
import json
import sys
import urllib.request

CLIENT, HOST, SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3])
BASE = f"http://{HOST}:8080"
NGINX = [f"http://{HOST}", f"https://{HOST}"]


def blocks(size):
    while size > 0:
        yield bytes(min(size, 1 << 16))
        size -= 1 << 16


def tell(*words):
    print(*words, flush=True)


def told(data):
    return {k: v for k, v in json.loads(data).items() if k != "url"}


def http_client():
    conn = http.client.HTTPConnection(HOST, 8080, timeout=10)
    for method in "GET", "HEAD", "OPTIONS", "DELETE", "POST", "PATCH":
        conn.request(method, "/echo?a=b", body=b"x" if method[0] == "P" else None)
        data = conn.getresponse().read()
        tell(method, told(data) if data else "")
    conn.request("PUT", "/echo", body=blocks(SIZE), encode_chunked=True,
                 headers={"X-Note": "caf\xe9 \xe0 la carte"})
    tell("chunked", told(conn.getresponse().read()))
    conn.request("GET", "/trailers")
    tell(conn.getresponse().read())
    conn.close()
    for tls, kind in enumerate((http.client.HTTPConnection,
                                http.client.HTTPSConnection)):
        conn = kind(HOST, timeout=10)
        conn.request("PUT", "/upload", body=blocks(SIZE),
                     headers={"Content-Length": str(SIZE)})
        tell(tls, "upload", conn.getresponse().read())
        conn.request("GET", "/random", headers={"Range": "bytes=5-20000"})
        got = conn.getresponse()
        tell(got.status, hashlib.sha256(got.read()).hexdigest())
        conn.request("HEAD", "/random")
        got = conn.getresponse()
        tag = got.headers["ETag"]
        tell(got.status, got.headers["Content-Length"], len(got.read()))
        conn.request("GET", "/random", headers={"If-None-Match": tag})
        got = conn.getresponse()
        tell(got.status, len(got.read()))


def urllib_request():
    for base in NGINX:
        with urllib.request.urlopen(base + "/", timeout=10) as got:
            tell(got.read())
    with urllib.request.urlopen(BASE + "/redirect", timeout=10) as got:
        tell(got.geturl(), told(got.read()))
    ask = urllib.request.Request(BASE + "/echo", data=b"x" * SIZE, method="PUT")
    with urllib.request.urlopen(ask, timeout=10) as got:
        tell(told(got.read()))
    with urllib.request.urlopen(BASE + "/events", timeout=10) as got:
        tell(list(got))


def requests_session():
    import requests
    with requests.Session() as session:
        for base in NGINX:
            tell(session.get(base + "/").text)
            tell(session.put(base + "/upload", data=blocks(SIZE)).text)
            tell(session.put(base + "/upload", data=bytes(SIZE)).text)
            tell(session.head(base + "/random").headers["Content-Length"])
        tell(told(session.get(BASE + "/redirect").content))
        tell(told(session.put(BASE + "/again", data=b"x").content))
        tell(told(session.post(BASE + "/echo", files={"f": b"x" * 5},
                               headers={"Content-Type": "x/y"}).content)["host"])
        tell(session.get(BASE + "/poll").text)
        with session.get(BASE + "/events", stream=True) as got:
            tell(list(got.iter_lines()))


async def aio():
    import aiohttp
    async with aiohttp.ClientSession() as session:
        for base in NGINX:
            async with session.get(base + "/") as got:
                tell(await got.text())

            async def pieces():
                for block in blocks(SIZE):
                    yield block
            async with session.put(base + "/upload", data=pieces(),
                                   expect100=True) as got:
                tell(await got.text())
        async with session.post(BASE + "/echo", data={"a": "b"}) as got:
            tell(told(await got.text()))
        async with session.get(BASE + "/events") as got:
            tell([line async for line in got.content])
        # By now the pool has connections, one of which the next one reuses.
        async with session.ws_connect(BASE + "/ws") as ws:
            for size in 1, 200, 30000:
                await ws.send_str("x" * size)
                tell(len((await ws.receive()).data))
            await ws.ping()
        async with session.ws_connect(BASE + "/ws", compress=15) as ws:
            await ws.send_bytes(b"y" * 100)
            tell(len((await ws.receive()).data))


async def websocket():
    import websockets
    async with websockets.connect(f"ws://{HOST}:8080/ws") as ws:
        for size in 1, 200, 30000:
            await ws.send("x" * size)
            tell(len(await ws.recv()))
        await (await ws.ping())


def get():
    with urllib.request.urlopen(f"http://{HOST}/", timeout=10) as got:
        tell(got.read())


KINDS = {"http.client": http_client, "urllib": urllib_request,
         "requests": requests_session, "aiohttp": aio, "websockets": websocket,
         "get": get}
done = KINDS[CLIENT]()
if done:
    asyncio.run(done)
tell("done")
