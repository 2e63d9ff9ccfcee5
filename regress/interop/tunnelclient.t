#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Does the stand-in for the existing Go client behave on the wire as
tunnel-protocol.md says the existing one was seen to? A server written here, on
nothing but sockets, looks at its frames. No line of a checklist is proved by
this: it makes the tests that use the stand-in worth something."""

import atexit
import base64
import hashlib
import json
import os
import queue
import socket
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from harness import go_program

LIMIT = 20
DATA, WINDOW, PING = 0, 1, 2
SYN, ACK, FIN, RST = 1, 2, 4, 8
count = failed = 0


def ok(cond, what):
    """One TAP line."""
    global count, failed
    count += 1
    failed += not cond
    print(f"{'ok' if cond else 'not ok'} {count} - {what}", flush=True)


class Server:
    """One accepted tunnel: WebSocket frames and yamux frames, kept apart."""

    def __init__(self, listener):
        listener.settimeout(LIMIT)
        self.s, _ = listener.accept()
        self.s.settimeout(LIMIT)
        self.f = self.s.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.f.readline()
        self.sizes = []         # payload bytes of each WebSocket frame
        self.frames = []        # (opcode, fin, length)
        self.buf = b""
        self.held = []          # yamux frames not asked for yet
        self.closed = None      # payload of a close frame
        self.next_id = 2

    def field(self, name):
        for line in self.head.decode().split("\r\n")[1:]:
            k, _, v = line.partition(": ")
            if k.lower() == name.lower():
                return v
        return None

    def upgrade(self):
        key = self.field("Sec-WebSocket-Key").encode()
        accept = base64.b64encode(hashlib.sha1(
            key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.s.sendall(b"HTTP/1.1 101 Switching Protocols\r\n"
                       b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"X-Support-Session-Id: abc\r\n"
                       b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    def ws_frame(self):
        """One frame; False when the peer has gone."""
        h = self.f.read(2)
        if len(h) < 2:
            return False
        op, fin, n = h[0] & 15, h[0] >> 7, h[1] & 127
        if n == 126:
            n, = struct.unpack(">H", self.f.read(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.f.read(8))
        assert h[1] & 128, "frame is not masked"
        mask = self.f.read(4)
        p = bytes(b ^ mask[i % 4] for i, b in enumerate(self.f.read(n)))
        if op == 8:
            self.closed = p
            return False
        self.frames.append((op, fin, n))
        self.buf += p
        return True

    def yamux(self):
        """The next yamux frame: (type, flags, id, length, payload)."""
        need = 12
        while True:
            if len(self.buf) >= 12:
                _, t, fl, sid, n = struct.unpack(">BBHII", self.buf[:12])
                need = 12 + (n if t == DATA else 0)
                if len(self.buf) >= need:
                    p, self.buf = self.buf[12:need], self.buf[need:]
                    return t, fl, sid, n, p
            if not self.ws_frame():
                return None

    def want(self, cond):
        """The first frame that cond is true for; others are held."""
        for i, f in enumerate(self.held):
            if cond(*f):
                return self.held.pop(i)
        while True:
            f = self.yamux()
            if f is None:
                return None
            if f[0] == PING and f[1] & SYN and f[3] == 0:
                self.send(PING, ACK, 0, f[3])
            if cond(*f):
                return f
            self.held.append(f)

    def send(self, typ, flags, sid, length, payload=b""):
        self.message(struct.pack(">BBHII", 0, typ, flags, sid, length) +
                     payload)

    def message(self, p, op=2):
        n = len(p)
        head = bytes([0x80 | op, n]) if n < 126 else \
            struct.pack(">BBH", 0x80 | op, 126, n)
        self.s.sendall(head + p)

    def open(self, text):
        """Open a stream and send text at once."""
        sid, self.next_id = self.next_id, self.next_id + 2
        self.send(WINDOW, SYN, sid, 0)
        self.send(DATA, 0, sid, len(text), text)
        return sid

    def read(self, sid, done):
        """Bytes of a stream until done(bytes) or its end."""
        got = b""
        while not done(got):
            f = self.want(lambda t, fl, i, n, p: i == sid and
                          (t == DATA or fl & (FIN | RST)))
            if f is None:
                break
            got += f[4]
            if f[1] & (FIN | RST):
                self.held.append((WINDOW, FIN, sid, 0, b""))
                break
        return got

    def ended(self, sid):
        """The end of a stream."""
        return self.want(lambda t, fl, i, n, p: i == sid and
                         fl & (FIN | RST)) is not None

    def document(self, start):
        """The document of the client's stream that begins with start."""
        texts = {}
        while True:
            f = self.want(lambda t, fl, i, n, p: i % 2 == 1 and
                          (t == DATA or fl & FIN))
            if f is None:
                return None
            texts[f[2]] = texts.get(f[2], b"") + f[4]
            if f[1] & FIN and texts[f[2]].startswith(start):
                self.send(WINDOW, FIN, f[2], 0)
                return texts[f[2]]

    def drop(self):
        """End the connection without a close frame."""
        self.s.shutdown(socket.SHUT_RDWR)
        self.f.close()
        self.s.close()

    def close(self, code, reason=b""):
        self.message(struct.pack(">H", code) + reason, 8)
        while self.ws_frame():
            pass


class Client:
    """The program, and its events."""

    def __init__(self, port, *args, path="/support/api/tunnel"):
        env = dict(os.environ, SHELL="/bin/sh")
        self.p = subprocess.Popen(
            [go_program("tunnelclient"), "-url",
             f"ws://127.0.0.1:{port}{path}", "-key", "NETH-AAAA-BBBB",
             "-secret", "my_pub." + "s" * 40, "-reconnect-delay", "10ms",
             *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=env)
        atexit.register(self.p.kill)
        self.q = queue.Queue()
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        for line in self.p.stdout:
            self.q.put(json.loads(line))

    def order(self, o):
        self.p.stdin.write(json.dumps(o) + "\n")
        self.p.stdin.flush()

    def event(self, name):
        while True:
            e = self.q.get(timeout=LIMIT)
            if e["event"] == name:
                return e

    def end(self):
        if self.p.poll() is None:
            self.p.terminate()
        return self.p.wait(LIMIT)


def listen():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(8)
    return s, s.getsockname()[1]


def echo_target():
    """A service that echoes, and says when its peer has gone."""
    s, port = listen()
    gone = queue.Queue()

    def one(c):
        try:
            while True:
                b = c.recv(65536)
                if not b:
                    break
                c.sendall(b)
        except OSError:
            pass
        gone.put(True)

    def loop():
        while True:
            c, _ = s.accept()
            threading.Thread(target=one, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
    return port, gone


def test_handshake(l, port):
    c = Client(port, "-node", "7", path="/support/api/tunnel?x=1")
    s = Server(l)
    names = [x.split(":")[0] for x in s.head.decode().split("\r\n")[1:-2]]
    ok(s.head.startswith(b"GET /support/api/tunnel?node_id=7&x=1 HTTP/1.1"),
       "node id is put into the query, which is sorted")
    ok(names == ["Host", "User-Agent", "Authorization", "Connection",
                 "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Upgrade"],
       "header order of the upgrade")
    ok(s.field("Authorization") == "Basic " + base64.b64encode(
        b"NETH-AAAA-BBBB:my_pub." + 40 * b"s").decode(), "credentials")
    s.s.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno")
    e = c.event("dial_failed")
    ok(e["status"] == 409 and e["body"] == "no", "a refusal is reported")
    ok(c.event("reconnect")["delay"] == 0.01, "and tried again")
    c.end()
    s.drop()


def test_framing(l, port):
    many = ",".join(f"service-{i:03}=127.0.0.1:80:host=h.test:tls"
                    for i in range(100))
    c = Client(port, "-services", many, "-once")
    s = Server(l)
    s.upgrade()
    m = json.loads(s.document(b"{"))
    ok(len(m["services"]) == 100 and m["version"] == 1 and
       m["services"]["service-007"] == {
           "target": "127.0.0.1:80", "host": "h.test", "tls": True,
           "label": "service-007"}, "manifest")
    first = [f for f in s.frames if f[2] != 12]
    ok(first[0] == (2, 0, 4096) and first[1] == (0, 0, 4096),
       "a long body is cut into fragments of 4096, the first without FIN")
    ok(all(f == (2, 1, 12) for f in s.frames[:s.frames.index(first[0])]),
       "each header is a message of 12 bytes")
    ok(c.event("connected")["headers"]["X-Support-Session-Id"] == "abc",
       "header fields of the 101 are reported")
    d = s.document(b"DIAGNOSTICS 1\n")
    ok(json.loads(d.split(b"\n", 1)[1])["overall_status"] == "ok",
       "diagnostics")
    s.drop()
    ok(c.p.wait(LIMIT) == 1, "-once ends after a lost connection")
    ok(c.event("closed")["code"] == 1006, "which is reported as 1006")


def test_pings(l, port):
    c = Client(port, "-keepalive", "30ns", "-once")
    s = Server(l)
    s.upgrade()
    seen = []
    while len(seen) < 200:
        f = s.yamux()
        if f[0] == PING and f[1] & SYN:
            seen.append(f[3])
            s.send(PING, ACK, 0, f[3])
    ok(seen == list(range(200)), "ping loop: answered at once, values count")
    c.end()


def test_streams(l, port):
    target, gone = echo_target()
    c = Client(port, "-services", f"web=127.0.0.1:{target}",
               "-users", "fetch", "-provision-delay", "300ms")
    s = Server(l)
    s.upgrade()
    early = s.open(b"CONNECT web\nhello")
    f = s.want(lambda t, fl, i, n, p: p == b"USERS_FETCH 1\n")
    ok(not any(x[2] == early for x in s.held),
       "a stream is not accepted before provisioning")
    s.send(DATA, FIN, f[2], 3, b"{}\n")
    ok(c.event("users_fetched")["body"] == "{}\n", "users are fetched")
    ok(s.document(b"USERS 1\n") is not None, "and reported")
    ok(s.read(early, lambda b: len(b) >= 8) == b"OK\nhello",
       "then it is served; payload behind CONNECT was kept")
    s.send(WINDOW, FIN, early, 0)
    ok(s.ended(early) and gone.get(timeout=LIMIT),
       "a half-close ends stream and target")
    sid = s.open(b"CONNECT nope\n")
    ok(s.read(sid, lambda b: b.endswith(b"\n")) ==
       b"ERROR service not found: nope\n" and s.ended(sid), "unknown service")
    sid = s.open(b"C" * 1025)
    ok(s.read(sid, lambda b: b) == b"", "first line too long: FIN, no text")
    sid = s.open(b"HELLO\n")
    ok(s.read(sid, lambda b: b) == b"", "unknown word: FIN, no text")
    return c, s, target


def command(s, text):
    sid = s.open(text)
    return s.read(sid, lambda b: b.endswith(b"\n")).decode()


def test_commands(s, target):
    ok(command(s, b"COMMAND 2\n") ==
       'ERROR unsupported command version "2"\n', "command version")
    add = json.dumps({"action": "add_services", "services": {"extra": {
        "target": f"127.0.0.1:{target}", "host": "", "tls": False,
        "label": ""}}}).encode()
    sid = s.open(b"COMMAND 1\n" + add)
    f = s.want(lambda t, fl, i, n, p: t == DATA and b'"extra"' in p or
               i == sid and t == DATA)
    ok(f[2] != sid, "the new manifest comes before OK")
    ok(s.read(sid, lambda b: b.endswith(b"\n")) == b"OK\n", "then OK")
    sid = s.open(b"CONNECT extra\nx")
    ok(s.read(sid, lambda b: len(b) >= 4) == b"OK\nx", "it can be reached")
    for what, body, want in (
            ("no services", {"action": "add_services"},
             "ERROR no services provided\n"),
            ("unknown action", {"action": "x"},
             'ERROR unknown action "x"\n')):
        ok(command(s, b"COMMAND 1\n" + json.dumps(body).encode()) == want,
           what)
    bad = {"action": "add_services", "services": {
        "m": {"target": "169.254.169.254:80"}}}
    ok(command(s, b"COMMAND 1\n" + json.dumps(bad).encode()).startswith(
        'ERROR service "m" rejected'), "refused target")


def test_terminal(s):
    def frame(p):
        return struct.pack(">I", len(p)) + p
    sid = s.open(b"CONNECT terminal\n")
    p = frame(b'\x01{"cols":91,"rows":17}') + frame(b"\x00stty size\r")
    s.send(DATA, 0, sid, len(p), p)
    got = s.read(sid, lambda b: b"17 91" in b)
    ok(got.startswith(b"OK\n") and b"17 91" in got, "terminal, resized")
    n, = struct.unpack(">I", got[3:7])
    ok(got[7] == 0 and n <= 4097, "its output is framed")
    p = frame(b"\x00exit\r")
    s.send(DATA, 0, sid, len(p), p)
    ok(s.ended(sid), "the shell's exit ends the stream")


def test_orders(l, port):
    """What tests of relayd order by -stdin is what goes out."""
    c = Client(port, "-stdin", "-once")
    s = Server(l)
    s.upgrade()
    s.document(b"{")
    s.document(b"DIAGNOSTICS")
    c.event("diagnostics_sent")
    c.order({"services": "later=127.0.0.1:9"})
    ok(b'"later"' in s.document(b"{"), "ordered: another manifest")
    c.order({"open": "HELLO 1\n"})
    ok(s.document(b"HELLO") == b"HELLO 1\n" and
       c.event("answered")["body"] == "", "ordered: a stream, answered")
    c.order({"open": "silent", "hold": True})
    f = s.want(lambda t, fl, i, n, p: p == b"silent")
    s.send(DATA, FIN, f[2], 2, b"no")
    ok(c.event("answered")["body"] == "no", "ordered: a stream held open")
    c.order({"goaway": True})
    ok(s.want(lambda t, fl, i, n, p: t == 3) == (3, 0, 0, 0, b""),
       "ordered: go-away 0")
    c.order({"drop": True})
    try:
        gone = s.yamux() is None
    except ConnectionResetError:
        gone = True
    ok(gone and c.p.wait(LIMIT) == 1, "ordered: a reset")


def test_close(l, c, s):
    s.close(1001)
    ok(s.closed == b"\x03\xe9", "close 1001 is echoed without a reason")
    ok(c.event("closed")["code"] == 1001 and c.event("reconnect"),
       "and the client comes back")
    s = Server(l)
    s.upgrade()
    s.document(b"{")
    s.close(4000, b"session_closed")
    ok(s.closed == b"\x0f\xa0", "close 4000 is echoed without a reason")
    ok(c.p.wait(LIMIT) == 0, "and ends the client with status 0")


def main():
    l, port = listen()
    test_handshake(l, port)
    l, port = listen()
    test_framing(l, port)
    test_pings(l, port)
    c, s, target = test_streams(l, port)
    test_commands(s, target)
    test_terminal(s)
    test_close(l, c, s)
    l, port = listen()
    test_orders(l, port)
    print(f"1..{count}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
