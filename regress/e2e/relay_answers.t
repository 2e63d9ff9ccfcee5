#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A server that lies to the operator's tool: what relay prints of its answers
says nothing to the terminal."""

import http.server
import json
import os
import subprocess
import threading

from harness import BUILD, WAIT, Tap

t = Tap()
RELAY = os.path.join(BUILD, "bin", "relay")
EVIL = "\x1b]0;owned\x07\x1b[2J\r\n\x9b2J\x7f"
ID = "01234567-89ab-4cde-8f01-23456789abcd"
LONG = 100000


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer = {}

    def reply(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(self.answer).encode()
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = reply

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
threading.Thread(target=server.serve_forever, daemon=True).start()


def relay(*words, answer):
    Liar.answer = answer
    return subprocess.run(
        [RELAY, *words, "--url", "http://127.0.0.1:%d" % server.server_port],
        env={"PATH": os.environ["PATH"], "RELAYD_TOKEN": "x.y.z",
             "SWSRS_OIDC_TOKEN": "x.y.z"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=WAIT)


def harmless(what, r, lines, longest):
    out = r.stdout.decode("latin-1")
    t.equal((r.returncode, len(out.splitlines()),
             [c for c in out if not c.isprintable() and c != "\n" or c > "~"]),
            (0, lines, []), what + ": no byte of it reaches the terminal: %r" %
            (out[-200:] + r.stderr.decode("latin-1")[-200:]))
    t.ok(max(map(len, out.splitlines()), default=0) <= longest,
         what + ": nor is a line longer than %d" % longest)


def listed(**more):
    session = dict({"id": ID, "status": "active", "node_id": "7",
                    "expires_at": "2030-01-02T03:04:05Z"}, **more)
    return {"code": 200, "data": {
        "support_sessions": [{"system_name": "sys", "system_key": "k",
                              "sessions": [session]}],
        "pagination": {"has_next": False}}}


r = relay("sessions", answer=listed())
t.equal(r.stdout.decode().splitlines()[1:], [
    ID + "  active   7     2030-01-02T03:04:05Z  sys"], "an honest answer")
for member in ("status", "node_id", "expires_at"):
    for text in (EVIL, EVIL * 3, "a" + EVIL, "x" * LONG):
        harmless("sessions, %s of %d" % (member, len(text)),
                 relay("sessions", answer=listed(**{member: text})), 2, 100)


def made(until):
    return {"id": "abc", "initiator_token": "def", "responder_token": "ghi",
            "expires_at": until}


r = relay("create", answer=made("2030-01-02T03:04:05Z"))
t.equal(r.stdout.decode().splitlines()[-1:], ["until      2030-01-02T03:04:05Z"],
        "an honest answer to create: " + r.stderr.decode())
for text in (EVIL, EVIL * 9, "x" * LONG):
    harmless("create, until of %d" % len(text),
             relay("create", answer=made(text)), 4, 100)
server.shutdown()
t.done()
