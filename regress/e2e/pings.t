#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Pings, with the clock moved: the existing client's loop and its pace, too
many requests, answers under load, silence, and a line that is only slow."""

import socket
import sys
import threading
import time

from harness import GoClient, Relayd, Tap, Targets, until
from line import STEPS, Line
from transfer import creep
from yamuxraw import ACK, PING, SYN, WINDOW, Raw, header, ws_frame

t = Tap()
proved = {25: [], 26: []}
MBIT = 125000           # bytes that a line of 1 Mbit/s passes in a second
ENDLESS = 1 << 40


def part(line, good, text):
    """A test line, and a piece of a checklist's."""
    proved[line].append(bool(good))
    return t.ok(good, "tunnel-%d(partial): %s" % (line, text))


def whole(line, parts, text):
    """The line itself, once all its pieces have been seen."""
    got = proved[line]
    if not t.ok(len(got) == parts and all(got), "tunnel-%d: %s" % (line,
                                                                   text)):
        t.diag("%d of %d pieces, %r" % (len(got), parts, got))


def is_answer(f):
    return f.type == PING and f.flags == ACK


class Scene:
    """One system with a raw client that offers `web`."""

    n = 0

    def __init__(self, d, at=None, **kw):
        Scene.n += 1
        self.d, self.mark = d, d.log.mark()
        self.r = Raw(at or d, *d.add_system("pings-%d" % Scene.n), **kw)
        self.id = self.r.session

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.r.close()

    def serving(self, token):
        self.r.manifest({"web": "127.0.0.1:1"})
        until(lambda: "web" in (self.d.api(
            "GET", "/support-sessions/%s/services" % self.id, token)
            [1]["data"] or {}).get("services", {}), "the service")
        self.cookie = self.d.cookie(self.id, token)
        return self

    def logged(self, pattern):
        try:
            return bool(self.d.log.wait(r"session %s: %s" % (self.id, pattern),
                                        self.mark))
        except TimeoutError:
            t.diag(self.d.log.text()[-2000:])
            return False

    def grace(self):
        return bool(until(lambda: [
            x for x in self.d.sessions() if x["session"] == self.id and
            x["status"] == "active" and x["tunnel"] == "down"], "grace"))


class Busy:
    """64 requests through a raw client that move all that they may: every
    other one uploads, the rest download."""

    def __init__(self, s):
        self.s, self.stop, self.socks = s, threading.Event(), []
        r, host = s.r, s.d.proxy_host(s.id)
        for i in range(64):
            c = s.d.connect()
            self.socks.append(c)
            c.sendall(("%s /%d HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n"
                       "Origin: http://%s\r\n%s\r\n" % (
                           "POST" if i % 2 else "GET", i, host, s.cookie,
                           host, "Content-Length: %d\r\n" % ENDLESS
                           if i % 2 else "")).encode())

        def heads():
            got = {sid: st for sid, st in r.streams.items()
                   if sid % 2 == 0 and b"HTTP/1.1\r\n" in st.data}
            return len(got) == 64 and got
        self.streams = r.until(heads, "64 streams")
        r.keep = False
        self.down = [x for x, st in self.streams.items()
                     if b"\nGET " in st.data]
        self.up = [x for x in self.streams if x not in self.down]
        reply = b"OK\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS
        for sid, st in self.streams.items():
            text = reply if sid in self.down else b"OK\n"
            r.data(sid, text)
            with r.lock:
                st.credit -= len(text)
        for i, c in enumerate(self.socks):
            threading.Thread(target=self.send if i % 2 else self.recv,
                             args=(c,), daemon=True).start()
        self.flooder = threading.Thread(target=self.flood, daemon=True)
        self.flooder.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for c in self.socks:
            c.close()

    def send(self, c):
        try:
            while not self.stop.is_set():
                c.sendall(b"u" * 65536)
        except OSError:
            pass

    def recv(self, c):
        try:
            while not self.stop.is_set() and c.recv(1 << 18):
                pass
        except OSError:
            pass

    def flood(self):
        r, block = self.s.r, b"d" * 32768
        while not self.stop.is_set() and not r.eof:
            busy = False
            for sid in self.down:
                st = self.streams[sid]
                if st.credit >= len(block):
                    with r.lock:
                        st.credit -= len(block)
                    r.data(sid, block)
                    busy = True
            if not busy:
                with r.cond:
                    r.cond.wait(0.05)

    def uploaded(self):
        return sum(self.streams[x].total for x in self.up)


def loop(d, targets):
    """Ten minutes of our clock, a second at a time; the client's own clock
    stands, so each step is followed by one more answer."""
    key, secret = d.add_system("loop")
    with Line(d.port) as line, \
            GoClient(line, key, secret, "web=127.0.0.1:%d" % targets.http,
                     extra=["-keepalive", "30ns"]) as c:
        c.event("manifest_sent")
        c.event("accepting")
        until(lambda: line.answers >= 5, "the first five answers")
        begin, base, late = time.monotonic(), line.answers, 0
        for i in range(600):
            before = line.answers
            d.move_clock(1000)
            until(lambda: line.answers > before, "an answer", every=0.001)
        took = time.monotonic() - begin
        n = line.answers - base
        t.diag("%d answers in 600 s and %.1f" % (n, took))
        part(25, 600 <= n <= 600 + took + 2, "the Go client's ping loop "
             "settles at one answer per second of our clock")
        part(25, line.count == 1 and not c.out.has('"closed"') and
             c.p.poll() is None, "it stays connected for 10 min")


def many(d):
    with Scene(d) as s:
        s.r.raw(ws_frame(b"".join(header(PING, SYN, 0, i)
                                  for i in range(69))))
        s.r.answered(s.r.manifest({"web": "127.0.0.1:1"}))
        part(25, not s.r.eof and len([f for f in s.r.frames
                                      if is_answer(f)]) < 69,
             "64 unanswered requests are borne")
    with Scene(d) as s:
        s.r.raw(ws_frame(b"".join(header(PING, SYN, 0, i)
                                  for i in range(5 + 65))))
        part(25, s.r.ended()[0] == 1008 and
             s.logged(r"closing: 1008 too many unanswered pings"),
             "65 unanswered requests end the tunnel with 1008")


def within(r, times=5):
    """The usual time to an answer."""
    took = []
    for i in range(times):
        start = r.mark()
        before = time.monotonic()
        r.send(PING, SYN, 0, 100 + i)
        r.wait(lambda f: is_answer(f) and f.length == 100 + i, "ping answer",
               start)
        took.append(time.monotonic() - before)
    t.diag("answers after %s s" % ", ".join("%.3f" % x for x in took))
    return sorted(took)[times // 2]


def answers(d, token):
    with Scene(d) as s:
        part(26, within(s.r) < 1, "a lone ping is answered within 1 s")
    with Scene(d).serving(token) as s, Busy(s) as b:
        s.r.until(lambda: b.uploaded() > 4 << 20, "bulk data")
        part(26, within(s.r) < 1, "also while 64 streams are saturated")


def silence(d):
    with Scene(d, pong=False) as s:
        s.r.wait(lambda f: f.type == PING and f.flags == SYN, "a ping")
        creep(d, 6000)
        t.ok(not s.r.eof, "a silent client has 10 s")
        creep(d, 6000)
        s.r.ended()
        part(26, s.logged(r"lost: peer is silent") and s.grace(),
             "silence for 10 s after our ping: the tunnel ends, grace starts")
    with Scene(d, pong=False) as s:
        s.r.wait(lambda f: f.type == PING and f.flags == SYN, "a ping")

        def chatter(n):
            for _ in range(n):
                s.r.send(WINDOW, 0, 99, 0)
                d.move_clock(1000)
        chatter(50)
        t.ok(not s.r.eof, "while bytes come an answer may be late")
        chatter(12)
        s.r.ended()
        part(26, s.logged(r"lost: peer does not answer pings") and s.grace(),
             "60 s without an answer while bytes come: likewise")


class Through:
    """The place of a relayd for Raw, with a line before it."""

    def __init__(self, d, line):
        self.port = line.port
        self.d = d

    def connect(self):
        # What the reader has to say does not wait behind megabytes.
        s = type(self.d).connect(self)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        return s


def slow(d, token):
    """Two minutes of our clock; in each second the line passes 125,000 bytes
    each way. The client takes 20 s over each answer."""
    with Line(d.port, STEPS) as line, \
            Scene(d, Through(d, line), pong=False).serving(token) as s, \
            Busy(s) as b:
        s.r.until(lambda: b.uploaded() > 2 << 20, "bulk data")
        asked, seen, done, full, seconds = {}, 0, 0, 0, 0
        for seconds in range(1, 121):
            line.give(MBIT)
            full += line.used()
            if full < seconds:
                break
            d.move_clock(1000)
            # Without the lock: its holder may wait for the line.
            new = s.r.frames[seen:]
            seen += len(new)
            for f in new:
                if f.type == PING and f.flags == SYN:
                    asked[f.length] = seconds
            for value, when in list(asked.items()):
                if seconds - when >= 20:
                    del asked[value]
                    done += 1
                    threading.Thread(target=s.r.send, daemon=True, args=(
                        PING, ACK, 0, value)).start()
            if s.r.eof:
                break
        t.diag("full for %d of %d s, %d late answers" % (full, seconds, done))
        part(26, not s.r.eof and seconds == 120 and full == 120 and done >= 2,
             "a line of 1 Mbit/s with full windows for 2 min, answers 20 s "
             "late: the tunnel stays")


with Targets() as targets, Relayd(t, proxyds=1) as d:
    token = d.token(lifetime="100h")
    for name, run in (("loop", lambda: loop(d, targets)),
                      ("many", lambda: many(d)),
                      ("answers", lambda: answers(d, token)),
                      ("silence", lambda: silence(d)),
                      ("slow", lambda: slow(d, token))):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        begin = time.monotonic()
        run()
        t.diag("%s: %.1f s" % (name, time.monotonic() - begin))
    if not sys.argv[1:]:
        whole(25, 4, "the Go client's ping loop settles at one per second "
              "and it stays connected for 10 min; 65 unanswered requests end "
              "the tunnel with 1008")
        whole(26, 5, "a lone ping is answered within 1 s, also while 64 "
              "streams are saturated; silence for 10 s after our ping, or "
              "60 s without an answer while bytes come: tunnel ends, grace "
              "starts; 1 Mbit/s with full windows for 2 min does not end it")
t.done()
