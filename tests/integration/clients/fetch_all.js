// SPDX-License-Identifier: GPL-2.0-or-later
//
// node fetch_all.js CLIENT HOST SIZE: what node's clients do, told in lines.
"use strict";
const crypto = require("crypto");
const http = require("http");
const http2 = require("http2");
const https = require("https");
const [client, host, size] = process.argv.slice(2);
const base = `http://${host}:8080`;
const nginx = [`http://${host}`, `https://${host}`];
const data = Buffer.alloc(+size, "x");

// One request of node's own client; promises status, body and trailers.
function ask(url, options = {}, content) {
  return new Promise((resolve, reject) => {
    const { trailers, ...rest } = options;
    const module = url.startsWith("https") ? https : http;
    const request = module.request(url, rest, (response) => {
      let text = "";
      response.on("data", (piece) => { text += piece; });
      response.on("end", () => resolve([response.statusCode, text,
                                        response.trailers]));
    });
    request.on("error", reject);
    if (rest.headers && rest.headers.Expect)
      return request.on("continue", () => request.end(content));
    if (content)
      request.write(content);
    if (trailers)
      request.addTrailers(trailers);
    request.end();
  });
}

// A websocket opened on whatever connection the agent has, and an echo.
function websocket(agent) {
  return new Promise((resolve, reject) => {
    const request = http.request(base + "/ws", { agent, headers: {
      Connection: "Upgrade", Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": crypto.randomBytes(16).toString("base64") } });
    request.on("error", reject);
    request.on("response", (r) => reject(new Error(`status ${r.statusCode}`)));
    request.on("upgrade", (response, socket) => {
      socket.once("data", (got) => {
        socket.once("data", (more) => {
          socket.destroy();
          resolve([got, more, request.reusedSocket]);
        });
        socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
      });
      socket.on("error", reject);
      socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    });
    request.end();
  });
}

function stream(session, headers, content) {
  return new Promise((resolve, reject) => {
    const request = session.request(headers);
    let text = "";
    request.on("data", (piece) => { text += piece; });
    request.on("end", () => resolve(text));
    request.on("error", reject);
    request.end(content);
  });
}

const clients = {
  async fetch(tell) {
    for (const url of nginx) {
      tell(await (await fetch(url + "/")).text());
      tell(await (await fetch(url + "/upload", { method: "PUT",
                                                 body: data })).text());
      const got = await fetch(url + "/random", { method: "HEAD" });
      tell(got.status, got.headers.get("content-length"));
      const etag = got.headers.get("etag");
      tell((await fetch(url + "/random", { headers: {
        "If-None-Match": etag } })).status);
    }
    tell(await (await fetch(base + "/redirect")).text());
    tell(await (await fetch(base + "/again", { method: "PUT",
                                               body: "x" })).text());
    tell(await (await fetch(base + "/poll")).text());
    tell(await (await fetch(base + "/events")).text());
    tell(await (await fetch(base + "/echo", {
      method: "POST", duplex: "half", body: new Blob([data]).stream(),
      headers: { "X-Note": "caf\xe9" } })).text());
    const form = new FormData();
    form.append("a", "b");
    tell((await fetch(base + "/echo", { method: "POST", body: form })).status);
  },
  async http(tell) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const method of ["GET", "HEAD", "DELETE", "OPTIONS", "PURGE"])
      tell(method, ...await ask(base + "/echo", { agent, method }));
    tell(...await ask(base + "/echo", { agent, method: "POST",
      headers: { Trailer: "X-Sum, X-Name" },
      trailers: { "X-Sum": "42", "X-Name": "a: b" } }, data));
    tell(...await ask(base + "/trailers", { agent }));
    tell(...await ask(base + "/echo", { agent, method: "PUT", headers: {
      Expect: "100-continue", "Content-Length": data.length } }, data));
    const all = [];
    for (let i = 0; i < 20; i++)
      all.push(ask(base + "/echo?" + i, { agent }));
    tell((await Promise.all(all)).length);
    tell(...await websocket(agent));
    tell(...await websocket());
  },
  async https(tell) {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    tell(...await ask(nginx[1] + "/", { agent }));
    tell(...await ask(nginx[1] + "/upload", { agent, method: "PUT" }, data));
    tell(...await ask(nginx[1] + "/", { agent, ALPNProtocols: ["http/1.1"] }));
  },
  async http2(tell) {
    for (const url of [nginx[1], `http://${host}:8082`]) {
      const session = http2.connect(url);
      const path = url === nginx[1] ? "/upload" : "/echo";
      const all = [];
      for (let i = 0; i < 5; i++)
        all.push(stream(session, { ":path": path, ":method": "PUT",
                                   "x-note": "caf\xe9" }, data));
      tell(...await Promise.all(all));
      tell(await stream(session, { ":path": "/" }));
      session.close();
    }
  },
  async get(tell) {
    tell(await (await fetch(`http://${host}/`)).text());
  },
};

clients[client]((...words) => console.log(...words)).then(
  () => { console.log("done"); process.exit(0); },
  (error) => { console.error(error.cause || error); process.exit(1); });
