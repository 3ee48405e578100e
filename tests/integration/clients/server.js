// SPDX-License-Identifier: GPL-2.0-or-later
//
// node server.js PORT H2C-PORT: what nginx does not do for the tests of real
// clients: trailers, events, a long poll, redirections, websocket, HTTP/2
// without TLS. Each answer tells what arrived.
"use strict";
const crypto = require("crypto");
const http = require("http");
const http2 = require("http2");

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function body(request, then) {
  const hash = crypto.createHash("sha256");
  let size = 0;
  request.on("data", (data) => { size += data.length; hash.update(data); });
  request.on("end", () => then(size, hash.digest("hex")));
}

function echo(request, response) {
  body(request, (size, digest) => {
    const host = request.headers.host || request.headers[":authority"];
    const told = { host, method: request.method, url: request.url, size,
                   digest: digest.slice(0, 16), x: request.headers["x-note"],
                   version: request.httpVersion, trailers: request.trailers };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(told) + "\n");
  });
}

function events(request, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  let n = 0;
  const timer = setInterval(() => {
    response.write(`data: event ${n}\n\n`);
    if (++n === 3) {
      clearInterval(timer);
      response.end();
    }
  }, 50);
}

const PAGES = {
  "/events": events,
  "/poll": (q, r) => setTimeout(() => r.end("polled\n"), 500),
  "/redirect": (q, r) => r.writeHead(302, { Location: "/echo" }).end(),
  "/again": (q, r) => body(q, () =>
    r.writeHead(307, { Location: "/echo" }).end()),
  "/away": (q, r) => r.writeHead(302, {
    Location: `http://${q.headers["x-note"]}/` }).end(),
  "/trailers": (q, r) => {
    r.writeHead(200, { Trailer: "X-Sum" });
    r.write("body\n");
    r.addTrailers({ "X-Sum": "42" });
    r.end();
  },
};

function answer(request, response) {
  (PAGES[request.url] || echo)(request, response);
}

// Frames of up to 64 KiB, each in one piece; sent back as they came, unmasked.
function frames(socket) {
  let held = Buffer.alloc(0);
  socket.on("data", (data) => {
    held = Buffer.concat([held, data]);
    for (;;) {
      if (held.length < 2)
        return;
      const long = (held[1] & 0x7f) === 126;
      const at = long ? 4 : 2;
      if (held.length < at)
        return;
      const size = long ? held.readUInt16BE(2) : held[1] & 0x7f;
      if (held.length < at + 4 + size)
        return;
      const key = held.subarray(at, at + 4);
      const text = Buffer.from(held.subarray(at + 4, at + 4 + size));
      for (let i = 0; i < size; i++)
        text[i] ^= key[i % 4];
      const head = Buffer.from(held.subarray(0, at));
      head[1] &= 0x7f;
      const closes = (head[0] & 15) === 8;
      if ((head[0] & 15) === 9)
        head[0] ^= 9 ^ 10;
      socket.write(Buffer.concat([head, text]));
      held = held.subarray(at + 4 + size);
      if (closes)
        return socket.end();
    }
  });
}

const server = http.createServer({ keepAliveTimeout: 30000 }, answer);
server.on("upgrade", (request, socket) => {
  socket.on("error", () => {});
  if ((request.headers.upgrade || "").toLowerCase() !== "websocket" ||
      request.url !== "/ws")
    return socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n" +
                      "Connection: close\r\n\r\n");
  const key = crypto.createHash("sha1")
    .update(request.headers["sec-websocket-key"] + MAGIC).digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
               `Connection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
  frames(socket);
});
server.listen(+process.argv[2], "::", () =>
  http2.createServer(answer).listen(+process.argv[3], "::", () =>
    console.log("ready")));
