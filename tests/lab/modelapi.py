#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for the services that coding agents talk to.

It listens on 127.0.0.1:8082, where the lab's nginx passes on what is sent to
api.anthropic.com, platform.claude.com and api.openai.com. It speaks as much of
the Messages (Claude Code) and Responses (Codex) protocols as the clients need.
A prompt with "lab-run: COMMAND." is answered by a call of the client's tool
for commands, and the call's result by ANSWER, as is any other prompt.
Everything else gets an empty object. One line a request on stdout.
"""
import http.server
import json
import re
import sys

ANSWER = "The lab's model answers."
PORT = 8082
SHELLS = {  # Codex's tools for commands: how they take one
    "exec_command": lambda command: {"cmd": command},
    "shell_command": lambda command: {"command": command},
    "shell": lambda command: {"command": ["sh", "-c", command]},
}


def command_of(text, done):
    """What the prompt asks to run, unless that was done."""
    found = re.search(r"lab-run: (.*?)\.(?:\W|$)", text)
    return found[1] if found and not done else None


# ---- Messages ---------------------------------------------------------------

def messages(asked):
    """Events of POST /v1/messages."""
    text = json.dumps([x["content"] for x in asked.get("messages", [])])
    has_shell = any(x.get("name") == "Bash" for x in asked.get("tools", []))
    command = command_of(text, '"tool_result"' in text) if has_shell else None
    if command:
        block = {"type": "tool_use", "id": "toolu_lab", "name": "Bash",
                 "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(
            {"command": command, "description": "Run it"})}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": ANSWER}
    usage = {"input_tokens": 1, "output_tokens": 1}
    yield {"type": "message_start", "message": {
        "id": "msg_lab", "type": "message", "role": "assistant",
        "model": asked.get("model"), "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "usage": usage, "delta": {
        "stop_reason": "tool_use" if command else "end_turn",
        "stop_sequence": None}}
    yield {"type": "message_stop"}


# ---- Responses --------------------------------------------------------------

def answer_item(asked):
    text = json.dumps(asked.get("input", ""))
    command = command_of(text, '"function_call_output"' in text)
    shell = next((x["name"] for x in asked.get("tools", [])
                  if x.get("name") in SHELLS), None)
    if command and shell:
        return {"type": "function_call", "id": "fc_lab", "call_id": "call_lab",
                "name": shell, "status": "completed",
                "arguments": json.dumps(SHELLS[shell](command))}
    return {"type": "message", "id": "msg_lab", "role": "assistant",
            "status": "completed", "content": [{
                "type": "output_text", "text": ANSWER, "annotations": []}]}


def responses(asked):
    """Events of POST /v1/responses."""
    item = answer_item(asked)
    answer = {"id": "resp_lab", "object": "response",
              "model": asked.get("model"), "output": []}
    yield {"type": "response.created",
           "response": {**answer, "status": "in_progress"}}
    yield {"type": "response.output_item.added", "output_index": 0,
           "item": {**item, "status": "in_progress"}}
    yield {"type": "response.output_item.done", "output_index": 0,
           "item": item}
    yield {"type": "response.completed", "response": {
        **answer, "status": "completed", "output": [item],
        "usage": {"input_tokens": 1, "input_tokens_details": None,
                  "output_tokens": 1, "output_tokens_details": None,
                  "total_tokens": 2}}}


STREAMS = {"/v1/messages": messages, "/v1/responses": responses}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def _send(self, kind, body, status=200):
        print(self.command, self.headers["Host"], self.path, status,
              flush=True)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        # No WebSocket here: Codex then takes to POST.
        upgrade = self.path.partition("?")[0] in STREAMS
        hello = self.path.endswith("/hello")
        self._send("application/json", b"{}",
                   426 if upgrade else 200 if hello else 404)

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        stream = STREAMS.get(self.path.partition("?")[0])
        if not stream:
            self._send("application/json", b"{}")
            return
        asked = json.loads(body)
        text = "".join(f"event: {x['type']}\ndata: {json.dumps(x)}\n\n"
                       for x in stream(asked))
        self._send("text/event-stream", text.encode())


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print("ready", flush=True)
    server.serve_forever()


sys.exit(main())
