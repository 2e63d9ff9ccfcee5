#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What an operator has open when he may not have it any more: each cause ends
each kind of thing, and not only at the next request. The times are printed, not
tested; a second is what is promised."""

import json
import os
import select
import socket
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import ask
from harness import OurClient, Relayd, Tap, WebSocket, until
from yamuxraw import Raw

t = Tap()
GENEROUS = 20       # seconds: an end that comes later does not count


class App(BaseHTTPRequestHandler):
    """A service whose answers go on until somebody ends them."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def head(self, *fields):
        self.send_response(200)
        for k, v in fields:
            self.send_header(k, v)
        self.end_headers()

    def drip(self, piece):
        try:
            while True:
                self.wfile.write(piece)
                time.sleep(0.02)
        except OSError:
            pass
        self.close_connection = True

    def do_GET(self):
        if self.path == "/download":
            self.head(("Content-Length", str(1 << 40)))
            self.drip(b"x" * 4096)
        elif self.path == "/flood":
            self.head(("Content-Length", str(1 << 40)))
            self.drip(b"x" * 4000000)
        elif self.path == "/events":
            self.head(("Content-Type", "text/event-stream"),
                      ("Transfer-Encoding", "chunked"))
            self.drip(b"7\r\ndata: x\r\n")
        elif self.path == "/page":      # held, to be rewritten
            self.head(("Content-Type", "text/html"),
                      ("Content-Length", "4000000"))
            self.drip(b"app.lan ")
        elif self.path == "/socket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.drip(b"\x81\x01x")
        elif self.path == "/silent":
            time.sleep(3600)
        else:
            self.head(("Content-Length", "2"))
            self.wfile.write(b"ok")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.head(("Content-Length", "2"))
        self.wfile.write(b"ok")


class Thing:
    """A socket on which something is under way; it has begun when `begun` has
    come, and ended when its end has, or `over`, the answer to it."""
    over = None

    def __init__(self, d, head, begun=None, over=None):
        self.s = d.connect()
        self.over = over
        self.s.sendall(head.encode())
        self.got = b""
        while begun is not None and begun not in self.got:
            more = self.s.recv(65536)
            if not more:
                raise ConnectionError("no beginning: %r" % self.got)
            self.got += more

    def wait(self):
        """Until it has ended: how."""
        try:
            while True:
                more = self.s.recv(65536)
                if not more:
                    return "end"
                self.got = (self.got + more)[-4096:]
                if self.over is not None and self.over in self.got:
                    return "answer"
        except ConnectionError:
            return "reset"

    def close(self):
        self.s.close()


class Unread(Thing):
    """Nobody reads it: all buffers on the way are full."""

    def wait(self):
        p = select.poll()
        p.register(self.s, select.POLLERR | select.POLLHUP)
        if not p.poll(GENEROUS * 1000):
            raise TimeoutError
        return "reset"


class Shell(Thing):
    def __init__(self, d, sid, token):
        self.w = d.terminal(sid, d.ticket(sid, token))
        self.w.send(b"\0echo up-$((1+1))\r")
        self.w.recv_until(rb"up-2")
        self.s = self.w.s

    def wait(self):
        try:
            code, reason, _ = self.w.recv_close()
            return "%d %s" % (code, reason)
        except ConnectionError:
            return "reset"


def by_host(c, path, method="GET", extra=""):
    return "%s %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n%s\r\n" % (
        method, path, c.d.proxy_host(c.sid), c.cookie, extra)


def by_path(c, path):
    return ("GET /api/support-sessions/%s/proxy/web%s HTTP/1.1\r\nHost: a\r\n"
            "Authorization: Bearer %s\r\n\r\n" % (c.sid, path, c.token))


SOCKET = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version:"
          " 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


def call(c):
    """A call of the API that waits for a client which says nothing."""
    body = json.dumps({"services": [{"name": "new", "target": "10.0.0.9:80"}]})
    n = len(c.silent.streams)
    it = Thing(c.d, "POST /api/support-sessions/%s/services HTTP/1.1\r\n"
               "Host: a\r\nAuthorization: Bearer %s\r\nContent-Type: "
               "application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                   c.silent.session, c.token, len(body), body),
               over=b"HTTP/1.1 4")
    c.silent.until(lambda: len(c.silent.streams) > n, "the command")
    return it


# One line a kind: name, how it is opened. What is over in an answer is a call.
THINGS = [
    ("a download", lambda c: Thing(c.d, by_host(c, "/download"), b"xxxx")),
    ("a download that is not read", lambda c: Unread(c.d, by_host(
        c, "/flood"), b"xxxx")),
    ("a stream of events", lambda c: Thing(c.d, by_host(c, "/events"),
                                           b"data: x")),
    ("a page that is held", lambda c: Thing(c.d, by_host(
        c, "/page"), over=b"HTTP/1.1 502")),
    ("a WebSocket", lambda c: Thing(c.d, by_host(
        c, "/socket", extra=SOCKET), b"\x81\x01x")),
    ("an upload, half of it", lambda c: Thing(c.d, by_host(
        c, "/", "POST", "Content-Length: 1000\r\n") + "x" * 500,
        over=b"HTTP/1.1 502")),
    ("a request without an answer yet", lambda c: Thing(c.d, by_host(
        c, "/silent"), over=b"HTTP/1.1 502")),
    ("a download by path", lambda c: Thing(c.d, by_path(c, "/download"),
                                           b"xxxx")),
    ("a WebSocket by path", lambda c: Thing(c.d, by_path(
        c, "/socket")[:-2] + SOCKET + "\r\n", b"\x81\x01x")),
    ("a terminal", lambda c: Shell(c.d, c.sid, c.token)),
    ("a call of the API", call),
]
PROXIED = [name for name, _ in THINGS
           if name not in ("a terminal", "a call of the API")]


def jti(token):
    import base64
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=="))["jti"]


def update(c, **kw):
    for key in c.systems:
        st, env = c.d.api("PUT", "/systems/" + key, c.manager, kw)
        if st != 200:
            raise RuntimeError("update: %r" % env)


def close(c):
    for sid in c.sid, c.silent.session:
        c.d.ctl("close", sid)


def delete(c):
    for sid in c.sid, c.silent.session:
        c.d.api("DELETE", "/support-sessions/" + sid, c.token)


def each(word):
    def do(c):
        for key in c.keys:
            c.d.ctl("-f", "system", word, key)
    return do


# One line a cause: name, what happens, which things it ends (None: all).
CAUSES = [
    ("his token is revoked",
     lambda c: c.d.ctl("token", "revoke", jti(c.token)), None),
    ("he is revoked", lambda c: c.d.ctl("token", "revoke", "user", c.user),
     None),
    ("the session is closed by relayctl", close, None),
    ("the session is closed by the API", delete, None),
    ("the system is disabled", each("disable"), None),
    ("the system is disabled by the API",
     lambda c: update(c, support_enabled=False), None),
    ("the system is suspended", each("suspend"), None),
    ("the system is removed", each("remove"), None),
    ("the system goes to another organization",
     lambda c: update(c, organization_id=c.other), None),
    ("his organization is removed",
     lambda c: c.d.ctl("-f", "org", "remove", c.org), None),
    ("consent is withdrawn", lambda c: ask(c.socket, "consent", "off"),
     PROXIED + ["a terminal"]),
    ("the client ends", lambda c: c.client.stop(), PROXIED + ["a terminal"]),
    ("the session expires", lambda c: c.d.move_clock(61000),
     PROXIED + ["a terminal"]),
]


class Scene:
    """A system whose client works, one whose client says nothing, of one
    organization, and an operator of it."""
    n = 0

    def __init__(self, d, tmp, app):
        Scene.n += 1
        self.d = d
        self.org, self.other = (d.ctl("org", "add", "%s %d" % (
            name, Scene.n), "type", "customer")[0]["id"]
            for name in ("Mine", "Other"))
        self.socket = os.path.join(tmp, "sock%d" % Scene.n)
        rows = [d.ctl("system", "add", "%s-%d" % (name, Scene.n), "org",
                      self.org)[0] for name in ("box", "mute")]
        self.keys = [r["key"] for r in rows]
        self.systems = [r["id"] for r in rows]
        self.client = OurClient(
            d, rows[0]["key"], rows[0]["secret"],
            "web=127.0.0.1:%d:host=app.lan" % app,
            env={"STATUS_SOCKET": self.socket, "CONSENT_FILE": os.path.join(
                tmp, "consent%d" % Scene.n)})
        self.sid = until(lambda: [
            s["session"] for s in d.sessions() if s["status"] == "active" and
            s["system"] == "box-%d" % Scene.n], "a session")[0]
        self.silent = Raw(d, rows[1]["key"], rows[1]["secret"])
        self.silent.manifest({"web": "10.0.0.1:80"})
        until(lambda: d.ctl("show", "services", self.sid), "the manifest")
        self.user = "alice-%d" % Scene.n
        self.token = d.token(user=self.user, role="customer", org=self.org)
        self.manager = d.token(user="root", permissions=("manage:systems",))
        self.cookie = d.cookie(self.sid, self.token)

    def close(self):
        self.client.stop()
        self.silent.close()


def measure(thing, since, ends, name):
    thing.s.settimeout(GENEROUS)
    try:
        how = thing.wait()
        ends[name] = (time.monotonic() - since[0], how)
    except (TimeoutError, socket.timeout):
        pass


def one(d, tmp, app, cause, do, which):
    c = Scene(d, tmp, app)
    things = {name: begin(c) for name, begin in THINGS
              if which is None or name in which}
    time.sleep(0.3)
    ends, since = {}, [0]
    threads = [threading.Thread(target=measure, args=(it, since, ends, name))
               for name, it in things.items()]
    since[0] = time.monotonic()
    for th in threads:
        th.start()
    do(c)
    for th in threads:
        th.join()
    for name in things:
        t.ok(name in ends, "%s: %s ends" % (cause, name))
        if name in ends:
            t.diag("%.3f s, %s" % ends[name])
    for it in things.values():
        it.close()
    c.close()


app = ThreadingHTTPServer(("127.0.0.1", 0), App)
app.daemon_threads = True
app.handle_error = lambda *args: None
threading.Thread(target=app.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as tmp, \
        Relayd(t, tunnel="\tsession lifetime 1m",
               operator="\tticket rate 1000") as d:
    for cause, do, which in CAUSES:
        if len(sys.argv) < 2 or sys.argv[1] in cause:
            one(d, tmp, app.server_address[1], cause, do, which)
t.done()
