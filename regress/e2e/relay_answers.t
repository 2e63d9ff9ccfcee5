#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A server that lies to the operator's tool: what relay prints of its answers
says nothing to the terminal."""

import http.server
import json
import os
import re
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
        body = self.answer if isinstance(self.answer, bytes) else \
            json.dumps(self.answer).encode()
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
    # JSON has tabs between its members; those of texts are escaped.
    out = r.stdout.decode("latin-1").expandtabs()
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
for text in (EVIL, EVIL * 9):
    r = relay("create", "--output", "json", answer=made(text))
    harmless("create as JSON, until of %d" % len(text), r, 6, 6 * len(text) + 99)
    t.equal(json.loads(r.stdout), made(text), "which means what was said")
for text, shown in ((b"\x9b2J", "\ufffd2J"), (b"\xc2\x9b2J", "\x9b2J"),
                    (b"\xc3\xa4\xe2\x80\xae", "\xe4\u202e")):
    r = relay("create", "--output", "json", answer=json.dumps(
        made("UNTIL")).encode().replace(b"UNTIL", text))
    t.ok(not re.search("[\x7f-\x9f\u202e]", r.stdout.decode()) and
         json.loads(r.stdout)["expires_at"] == shown,
         "nor bytes that are no ASCII, but for letters: %r" % r.stdout[-60:])
server.shutdown()
t.done()
